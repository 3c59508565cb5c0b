"""The surface where a field on a grid passes a level, found coarse to fine so that only what lies near it is computed.

The cells and triangles are those of dense marching cubes; a garment at 256 samples per axis needs a fifth of the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .bricks import CORNERS, Bricks, Places
from .cubes import triangulate

BATCH = 65_536
"""Vertices asked of a field at once: some tens of milliseconds, so that a progress callback is heard often."""
STRIDES = (8, 6, 4, 3, 2, 1)
Progress = Callable[[int, int], None]


class Field(Protocol):
    """Anything that knows values at the vertices of an R³ grid."""

    def at(self, ix: np.ndarray, iy: np.ndarray, iz: np.ndarray) -> np.ndarray:
        """Float values at integer vertices; three [N] arrays, or [a,1,1], [b,1] and [c] for a whole block."""
        ...


@dataclass(frozen=True)
class Figures:
    """What an extraction cost."""

    resolution: int
    stride: int
    """Fine cells per coarse cell and axis."""
    coarse: int
    """Vertices evaluated on the coarse level."""
    fine: int
    """Vertices evaluated after it."""
    cells: int
    """Fine cells that the surface passes."""
    flooded: int
    """Those of them that only following the surface has found."""
    ambiguous: int
    """Those of them whose signs alone do not say how the surface runs."""
    low: float
    """Least and greatest value met."""
    high: float

    @property
    def share(self) -> float:
        """Evaluated vertices over those of the dense grid."""
        return (self.coarse + self.fine) / self.resolution**3


@dataclass(frozen=True, eq=False)
class Extracted:
    """A surface on a grid."""

    vertices: np.ndarray
    """[V,3] float64 in grid units, 0..R-1; each crossed grid edge has one."""
    faces: np.ndarray
    """[F,3] int64, counter-clockwise seen from where the field is below the level."""
    figures: Figures


def extract(
    field: Field, resolution: int, level: float, coarse: int = 128, progress: Progress | None = None
) -> Extracted:
    """Surface where `field` rises above `level`, its insides being what is above; without vertices where it never does.

    The coarse level has at least `coarse` samples per axis (all of them, if the grid has fewer). The next finer one is
    looked at in every coarse cell with a sign change, in all cells that touch such a one and where the slope points at
    the level, each finer one in the cells with a sign change; then the surface is followed through cell faces until it
    closes. Only a piece that hangs together with nothing that was seen, and falls between all samples, can be missed.

    Args:
        progress: called with vertices done and expected; what it raises ends the extraction.

    Source: "Marching cubes" (Lorensen and Cline); "Efficient implementation of Marching Cubes' cases with topological
        guarantees" (Lewiner et al.), by way of scikit-image.
    """
    search = _Search(field, resolution, level, coarse, progress)
    cells, step = search.coarse_cells(), search.stride
    while step > 1:
        finer = step // (2 if step % 2 == 0 else step)
        cells = search.refined(cells, step, finer)
        step = finer
    cells = cells.where((cells.x < resolution - 1) & (cells.y < resolution - 1) & (cells.z < resolution - 1))
    seeds = len(cells.x)
    cells = search.followed(cells)
    mesh = triangulate(search.bricks, cells, search.meter.tick)
    search.meter.finish()
    figures = Figures(
        resolution=resolution,
        stride=search.stride,
        coarse=search.bricks.coarse.size,
        fine=search.meter.done - search.bricks.coarse.size,
        cells=len(cells.x),
        flooded=len(cells.x) - seeds,
        ambiguous=mesh.ambiguous,
        low=search.low + level,
        high=search.high + level,
    )
    return Extracted(mesh.vertices, mesh.faces, figures)


class _Meter:
    """Vertices done and expected, told to whoever asked."""

    def __init__(self, progress: Progress | None, expected: int) -> None:
        self.progress, self.expected, self.done = progress, expected, 0

    def count(self, vertices: int) -> None:
        """So many more are done."""
        self.done += vertices
        if self.progress:
            self.progress(self.done, max(self.expected, self.done + 1))

    def tick(self) -> None:
        """A chance to stop, where nothing is evaluated for a while."""
        self.count(0)

    def finish(self) -> None:
        """Nothing more is expected."""
        if self.progress:
            self.progress(self.done, self.done)


class _Search:
    """The state of one extraction: what is known of the field, and what it has cost."""

    def __init__(self, field: Field, resolution: int, level: float, coarse: int, progress: Progress | None) -> None:
        self.field, self.last, self.level = field, resolution - 1, level
        most = max(1, self.last // max(1, coarse - 1))
        self.stride = next(s for s in STRIDES if s <= most)
        self.low, self.high = np.inf, -np.inf
        samples = -(-self.last // self.stride) + 1
        self.meter = _Meter(progress, int(samples**3 * (1 if self.stride == 1 else 1.4)))
        self.bricks = Bricks(self._lattice(samples), self.stride)

    def _ask(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Values over the level, finite; indices beyond the grid's last are held at it."""
        values = self.field.at(*(np.minimum(axis, self.last) for axis in (x, y, z)))
        values = np.nan_to_num(values.astype(np.float32, copy=False) - np.float32(self.level), nan=-1e30)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.meter.count(values.size)
        return values

    def _lattice(self, samples: int) -> np.ndarray:
        """[m,m,m] values at every stride-th vertex and the last one, slab after slab."""
        values = np.empty((samples,) * 3, np.float32)
        line = np.arange(samples, dtype=np.int32) * np.int32(self.stride)
        deep = max(1, BATCH // samples**2)
        for first in range(0, samples, deep):
            slab = slice(first, first + deep)
            values[slab] = self._ask(line[slab, None, None], line[:, None], line)
        return values

    def coarse_cells(self) -> Places:
        """Coarse cells with a sign change; where finer levels follow, also all that touch one and all suspects."""
        inside = self.bricks.coarse > 0
        cells = _around(inside, np.logical_or) & ~_around(inside, np.logical_and)
        if self.stride > 1:
            for axis in range(3):
                view = np.moveaxis(cells, axis, 0)
                wide = view.copy()
                wide[1:] |= view[:-1]
                wide[:-1] |= view[1:]
                cells = np.moveaxis(wide, 0, axis)
            cells = cells | _around(self._suspects(), np.logical_or)
        found = Places(*((axis * self.stride).astype(np.int32) for axis in np.nonzero(cells)))
        self.bricks.cover(found, self.stride)
        return found

    def _suspects(self) -> np.ndarray:
        """[m,m,m] bool: coarse vertices from which the field would reach the level within one more coarse step.

        The slope is that towards the neighbours; of fields without negative values it is that of their logarithm, as
        densities rise. A bead or thread between the samples shows itself so.
        """
        over = self.bricks.coarse
        if self.level > 0 and self.low + self.level >= 0:
            over = np.log(np.maximum(over / np.float32(self.level) + 1, np.float32(1e-6)))
        slope = np.zeros_like(over)
        for axis in range(3):
            view, reach = np.moveaxis(over, axis, 0), np.moveaxis(slope, axis, 0)
            step = np.abs(np.diff(view, axis=0))
            np.maximum(reach[1:], step, out=reach[1:])
            np.maximum(reach[:-1], step, out=reach[:-1])
        return np.abs(over) < slope

    def refined(self, cells: Places, step: int, finer: int) -> Places:
        """The cells of width `finer` with a sign change, within cells of width `step`."""
        offsets = np.arange(0, step + 1, finer)
        pending = np.zeros(len(self.bricks.values), bool)
        for move in _moves(offsets):
            self.meter.tick()
            address = self.bricks.address(cells.moved(move))
            pending[address[np.isnan(self.bricks.values[address])]] = True
        self._evaluate(np.flatnonzero(pending))
        found = []
        for move in _moves(offsets[:-1]):
            self.meter.tick()
            part = cells.moved(move)
            found.append(part.where(self._crossed(part, finer)))
        return Places.joined(found)

    def _evaluate(self, address: np.ndarray) -> None:
        self.meter.expected = max(self.meter.expected, self.meter.done + len(address))
        for first in range(0, len(address), BATCH):
            some = address[first : first + BATCH]
            self.bricks.values[some] = self._ask(*self.bricks.place(some))

    def _crossed(self, cells: Places, step: int) -> np.ndarray:
        """[N] bool: cells whose corners differ in sign."""
        some, every = np.zeros(len(cells.x), bool), np.ones(len(cells.x), bool)
        for corner in CORNERS * step:
            inside = self.bricks.values[self.bricks.address(cells.moved(corner))] > 0
            some |= inside
            every &= inside
        return some & ~every

    def followed(self, cells: Places) -> Places:
        """These fine cells and every other that the surface reaches from them through cell faces."""
        self.bricks.cells[self.bricks.address(cells)] = True
        found = [cells]
        while len(cells.x):
            cells = self._next(cells)
            self.bricks.cover(cells, 1)
            corners = np.concatenate([self.bricks.address(cells.moved(corner)) for corner in CORNERS])
            self._evaluate(np.unique(corners[np.isnan(self.bricks.values[corners])]))
            found.append(cells)
        return Places.joined(found)

    def _next(self, cells: Places) -> Places:
        """Cells not met before that share a face of mixed signs with one of these; they count as met from now on."""
        bricks = self.bricks
        inside = np.stack([bricks.values[bricks.address(cells.moved(corner))] > 0 for corner in CORNERS])
        reached = []
        for axis in range(3):
            for side in (0, 1):
                face = inside[CORNERS[:, axis] == side]
                step = np.zeros(3, np.int32)
                step[axis] = 2 * side - 1
                there = cells.where(np.logical_and(face.any(0), ~face.all(0))).moved(step)
                reached.append(there.where((there[axis] >= 0) & (there[axis] < self.last)))
        places = Places.joined(reached)
        bricks.cover(places, 0)
        address = bricks.address(places)
        address = np.unique(address[~bricks.cells[address]])
        bricks.cells[address] = True
        return bricks.place(address)


def _around(vertices: np.ndarray, fold: np.ufunc) -> np.ndarray:
    """[m-1,m-1,m-1] what the corners of each cell fold to."""
    for axis in range(3):
        view = np.moveaxis(vertices, axis, 0)
        vertices = np.moveaxis(fold(view[:-1], view[1:]), 0, axis)
    return vertices


def _moves(offsets: np.ndarray) -> np.ndarray:
    """[n³,3] every combination of the offsets."""
    return np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), -1).reshape(-1, 3)
