"""Triangles of cells that a surface passes: scikit-image's Lewiner marching cubes, asked once per pattern of signs.

Where signs alone do not decide, the cell's own values are asked; vertices are welded by the grid edge they lie on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .bricks import CORNERS, Bricks, Places

EDGE_AXIS = np.repeat(np.arange(3), 4)
EDGE_BASE = np.concatenate([np.flatnonzero(CORNERS[:, axis] == 0) for axis in range(3)])
"""[12] the corner at the lower end of each of a cell's edges."""
MIDDLE = 12
"""In place of an edge: the extra vertex that some cells have in their interior."""
FACES = np.array([(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)])
"""[6,4] the corners around each face."""
CELLS = 50_000
PACK = 8
LEAST = 2e-5
"""An edge is told from a position that scikit-image gives in float32, so no vertex may lie closer to a corner."""


class Mesh(NamedTuple):
    """Welded triangles."""

    vertices: np.ndarray
    """[V,3] float64 in grid units."""
    faces: np.ndarray
    """[F,3] int64."""
    ambiguous: int
    """Cells that had to be asked with their own values."""


class Table(NamedTuple):
    """Triangles of each of the 256 sign patterns, bit i being corner i."""

    edges: np.ndarray
    """[T,3] edge of each triangle's corners, pattern after pattern."""
    first: np.ndarray
    """[256]"""
    count: np.ndarray
    """[256] 0 also for the undecided."""
    undecided: np.ndarray
    """[256] bool: a face with crossed signs, or only two opposite corners apart from the others."""


def triangulate(bricks: Bricks, cells: Places, tick: Callable[[], None]) -> Mesh:
    """Welded triangles of the cells, counter-clockwise seen from the negative side; none for no cells.

    `tick` is called between batches of cells; what it raises ends the work.
    """
    ends, middles, ambiguous = [], [np.empty((0, 3))], 0
    for first in range(0, len(cells.x), CELLS):
        part = cells.where(slice(first, first + CELLS))
        tick()
        corners = np.stack([bricks.address(part.moved(corner)) for corner in CORNERS], 1)
        values = bricks.values[corners]
        pattern = (values > 0) @ (1 << np.arange(8))
        ends.append(_decided(pattern, corners))
        odd = np.flatnonzero(sign_table().undecided[pattern])
        ambiguous += len(odd)
        for some in np.array_split(odd, range(PACK**3, len(odd), PACK**3)):
            faces, middle = _asked(values[some], corners[some], np.stack(part.where(some), 1), sum(map(len, middles)))
            ends.append(faces)
            middles.append(middle)
    faces, vertices = _welded(np.concatenate([np.empty((0, 3), np.int64), *ends]), bricks, np.concatenate(middles))
    return Mesh(vertices, faces, ambiguous)


@lru_cache(maxsize=1)
def sign_table() -> Table:
    """What scikit-image makes of each sign pattern; some 20 ms, once."""
    from skimage.measure import marching_cubes

    edges, first, count = [], np.zeros(256, np.int64), np.zeros(256, np.int64)
    bits = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    around = bits[:, FACES]
    crossed = (
        (around[..., 0] == around[..., 2]) & (around[..., 1] == around[..., 3]) & (around[..., 0] != around[..., 1])
    )
    opposite = (bits == bits[:, ::-1]).all(1) & np.isin(bits.sum(1), (2, 6))
    undecided = crossed.any(1) | opposite
    for pattern in np.flatnonzero(~undecided[1:255]) + 1:
        signs = np.where(bits[pattern], np.float32(1), np.float32(-1)).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(signs, 0.0, gradient_direction="ascent")
        first[pattern], count[pattern] = sum(map(len, edges)), len(faces)
        edges.append(edge_of(vertices)[faces])
    return Table(np.concatenate(edges), first, count, undecided)


def edge_of(local: np.ndarray) -> np.ndarray:
    """[V] the edge of a unit cell that each [V,3] place lies on, or MIDDLE for one that lies on none."""
    between = np.minimum(local, 1 - local) > LEAST / 4
    axis = between.argmax(1)
    base = np.where(between, 0, np.round(local).astype(int)) @ np.array([4, 2, 1])
    lookup = np.full((3, 8), MIDDLE)
    lookup[EDGE_AXIS, EDGE_BASE] = np.arange(12)
    return np.where(between.sum(1) == 1, lookup[axis, base], MIDDLE)


def _decided(pattern: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[F,3] edge ids (address of the lower end times three plus axis) of cells whose signs say all."""
    table = sign_table()
    count = table.count[pattern]
    cell = np.repeat(np.arange(len(pattern)), count)
    nth = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    edges = table.edges[table.first[pattern][cell] + nth]
    return corners[cell[:, None], EDGE_BASE[edges]] * 3 + EDGE_AXIS[edges]


def _asked(values: np.ndarray, corners: np.ndarray, at: np.ndarray, known: int) -> tuple[np.ndarray, np.ndarray]:
    """[F,3] edge ids of up to PACK³ cells, and [M,3] vertices in their middles, whose ids are -1 - number from `known`.

    The cells stand apart in one volume, all others masked out.
    """
    from skimage.measure import marching_cubes

    if not len(values):
        return np.empty((0, 3), np.int64), np.empty((0, 3))
    floor = LEAST * np.abs(values).max(1, keepdims=True)
    apart = np.full((PACK**3, 8), -1, np.float32)
    apart[: len(values)] = np.where(values > 0, np.maximum(values, floor), np.minimum(values, -floor))
    used = np.zeros((PACK,) * 3, bool)
    used.flat[: len(values)] = True
    volume = apart.reshape((PACK,) * 3 + (2, 2, 2)).transpose(0, 3, 1, 4, 2, 5).reshape((2 * PACK,) * 3)
    mask = np.zeros(volume.shape, bool)
    mask[1::2, 1::2, 1::2] = used
    vertices, faces, _, _ = marching_cubes(volume, 0.0, gradient_direction="ascent", mask=mask)
    block = np.floor(vertices.astype(float) / 2).astype(int)
    cell, local = block @ np.array([PACK**2, PACK, 1]), vertices - 2.0 * block
    edge = edge_of(local)
    middle = np.flatnonzero(edge == MIDDLE)
    edge[middle] = 0
    ids = corners[cell, EDGE_BASE[edge]] * 3 + EDGE_AXIS[edge]
    ids[middle] = -1 - known - np.arange(len(middle))
    return ids[faces.astype(np.int64)], at[cell[middle]] + local[middle]


def _welded(ends: np.ndarray, bricks: Bricks, middles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[F,3] vertex numbers and [V,3] vertices of edge ids, in the order of axis, then address, then middles."""
    faces, vertices, known = np.empty_like(ends), [], 0
    number = np.empty(len(bricks.values), np.int32)
    address, axes = ends // 3, np.where(ends < 0, 3, ends % 3)
    for axis in range(3):
        here = axes == axis
        used = np.zeros(len(bricks.values), bool)
        used[address[here]] = True
        start = np.flatnonzero(used)
        number[start] = np.arange(known, known + len(start), dtype=np.int32)
        faces[here] = number[address[here]]
        vertices.append(_crossings(bricks, start, axis))
        known += len(start)
    faces[axes == 3] = known - 1 - ends[axes == 3]
    return faces, np.concatenate([*vertices, middles])


def _crossings(bricks: Bricks, start: np.ndarray, axis: int) -> np.ndarray:
    """[V,3] where the straight line between an edge's two values is zero."""
    at, step = bricks.place(start), np.zeros(3, np.int32)
    step[axis] = 1
    low = bricks.values[start].astype(float)
    high = bricks.values[bricks.address(at.moved(step))].astype(float)
    vertices = np.stack(at, 1).astype(float)
    vertices[:, axis] += low / (low - high)
    return vertices
