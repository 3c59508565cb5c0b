"""Values of a large grid kept only near the surface, in small cubes that come into being where they are asked for.

A dense grid of 1024 samples per axis would take four gigabytes; the bricks about a garment take a small share of that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SIDE = 8
CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
"""[8,3] a cell's corners from its lowest."""


class Places(NamedTuple):
    """Grid vertices, or the cells whose lowest corners they are."""

    x: np.ndarray
    """[N] int32."""
    y: np.ndarray
    z: np.ndarray

    def moved(self, by: tuple[int, int, int] | np.ndarray) -> Places:
        """The same number of places, each moved by the same step."""
        return Places(self.x + np.int32(by[0]), self.y + np.int32(by[1]), self.z + np.int32(by[2]))

    def where(self, chosen: np.ndarray | slice) -> Places:
        """The places that a mask, an index array or a slice chooses."""
        return Places(self.x[chosen], self.y[chosen], self.z[chosen])

    @staticmethod
    def joined(parts: list[Places]) -> Places:
        """All places of the parts, in their order."""
        return Places(*(np.concatenate(axis) for axis in zip(*parts, strict=True)))


class Bricks:
    """Sparse float32 values at grid vertices (NaN where none is known) and a flag per cell.

    An address is a brick's slot times its volume plus the place inside; addresses stay valid as bricks are added.
    """

    def __init__(self, coarse: np.ndarray, stride: int) -> None:
        """`coarse` [m,m,m] holds the values at every stride-th vertex; new bricks start with those."""
        self.coarse, self.stride = coarse, stride
        self.side = stride * max(1, SIDE // stride)
        self.volume = self.side**3
        self.per_axis = (len(coarse) - 1) * stride // self.side + 1
        self.slot = np.full(self.per_axis**3, -1, np.int32)
        self.bricks = np.empty(0, np.int64)
        self.values = np.empty(0, np.float32)
        self.cells = np.empty(0, bool)

    def _brick(self, at: Places) -> np.ndarray:
        x, y, z = (axis // self.side for axis in at)
        return (x * self.per_axis + y) * self.per_axis + z

    def cover(self, cells: Places, width: int) -> None:
        """Makes the bricks that hold the corners of cells of this width exist."""
        bricks = [self._brick(cells.moved(corner)) for corner in CORNERS * width]
        fresh = np.unique(np.concatenate([some[self.slot[some] < 0] for some in bricks])).astype(np.int64)
        if not len(fresh):
            return
        first = len(self.bricks)
        self.slot[fresh] = np.arange(first, first + len(fresh), dtype=np.int32)
        self.bricks = np.append(self.bricks, fresh)
        self._grow(len(self.bricks))
        per_brick, last = self.side // self.stride, len(self.coarse) - 1
        x, y, z = (
            np.minimum(corner[:, None] * per_brick + np.arange(per_brick), last) for corner in self._corners(fresh)
        )
        side, step = self.side, self.stride
        room = self.values[first * self.volume : len(self.bricks) * self.volume].reshape(-1, side, side, side)
        room[:, ::step, ::step, ::step] = self.coarse[x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]]

    def _grow(self, bricks: int) -> None:
        """Room for so many bricks, and some to spare so that a flood does not copy at every step."""
        if bricks * self.volume <= len(self.values):
            return
        room = (bricks + bricks // 8 + 8) * self.volume
        values, cells = np.full(room, np.nan, np.float32), np.zeros(room, bool)
        values[: len(self.values)], cells[: len(self.cells)] = self.values, self.cells
        self.values, self.cells = values, cells

    def _corners(self, bricks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return bricks // self.per_axis**2, bricks // self.per_axis % self.per_axis, bricks % self.per_axis

    def address(self, at: Places) -> np.ndarray:
        """[N] int64 addresses of vertices in covered bricks."""
        inside = (at.x % self.side * self.side + at.y % self.side) * self.side + at.z % self.side
        return self.slot[self._brick(at)].astype(np.int64) * self.volume + inside

    def place(self, address: np.ndarray) -> Places:
        """The vertices at these addresses."""
        slot, inside = np.divmod(address, self.volume)
        x, y, z = self._corners(self.bricks[slot])
        side = self.side
        local = (inside // side**2, inside // side % side, inside % side)
        return Places(*((c * side + i).astype(np.int32) for c, i in zip((x, y, z), local, strict=True)))
