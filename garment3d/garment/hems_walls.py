"""The sheets of all openings, from the photo's outline and from how deep the mesh is just inside of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d, grey_closing, grey_dilation

from ..camera import photo_camera
from .hems_neck import kinked_neckline
from .hems_sheet import Curve, Sheet, curves
from .neckline import front_neckline
from .openings import Span
from .panels import pieces_of

CELL = 0.008
"""Of the grid on which depth is read, in canonical units."""
INNER = 0.015
"""How far inside a lip its wall's depth is read."""
EVEN = 4
"""Samples of a lip over which its depth is smoothed."""


class Walls(NamedTuple):
    """How far front and back stand off the photo's plane."""

    low: np.ndarray
    """[2] the grid's corner."""
    front: np.ndarray
    """[nx,ny] highest z in each cell."""
    back: np.ndarray
    """[nx,ny] lowest z."""


def sheets_of(
    points: np.ndarray, normals: np.ndarray, soft: np.ndarray, rgb: np.ndarray | None, spans: tuple[Span, ...]
) -> tuple[Sheet, ...]:
    """The Sheet of every opening, in the outline's order.

    Args:
        points: [N,3] canonical vertices of the mesh's outer layer.
        normals: [N,3] their outward normals.
        soft: [H,W] mask in 0..1.
        rgb: [H,W,3] uint8 photo, read for the front edge of the neck.
        spans: the openings on the outline.
    """
    top = next((s for s in spans if s.name in ("neck", "waist")), None)
    neckline = front_neckline(rgb, soft, top) if rgb is not None and top is not None else None
    if top is not None:
        neckline = kinked_neckline(points, normals, soft, top, neckline)
    walls = walls_of(points)
    result = []
    ring = pieces_of(soft, photo_camera(soft), spans, neckline)[0]
    for index, piece in enumerate(ring):
        if piece.name is not None:
            front, back = curves(ring, index)
            low, high = (_depth(walls.low, grid, curve) for grid, curve in ((walls.back, back), (walls.front, front)))
            result.append(Sheet(piece.name, front, back, high, low))
    return tuple(result)


def walls_of(points: np.ndarray) -> Walls:
    """The Walls of [N,3] canonical points."""
    low = points[:, :2].min(0) - 2 * CELL
    cell = ((points[:, :2] - low) / CELL).astype(int)
    count = tuple(cell.max(0) + 3)
    maps = []
    for sign in (1, -1):
        grid = np.full(count, -np.inf)
        np.maximum.at(grid, tuple(cell.T), sign * points[:, 2])
        grid[~np.isfinite(grid)] = (sign * points[:, 2]).min()
        maps.append(sign * grey_dilation(grey_closing(grid, (3, 3)), (3, 3)))
    return Walls(low, maps[0], maps[1])


def _depth(low: np.ndarray, grid: np.ndarray, curve: Curve) -> np.ndarray:
    """[S] depth of a wall just inside a curve; on the straight ends that of the nearest end."""
    cell = np.clip(((curve.xy - INNER * curve.outward - low) / CELL).astype(int), 0, np.array(grid.shape) - 1)
    depth = grid[tuple(cell.T)]
    first, last = np.flatnonzero((curve.along >= 0) & (curve.along <= 1))[[0, -1]]
    return gaussian_filter1d(depth[np.clip(np.arange(len(depth)), first, last)], EVEN, mode="nearest")
