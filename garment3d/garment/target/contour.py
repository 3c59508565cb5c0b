"""Silhouettes on one coarse grid in the canonical frame: the photo's, and a target's as the photo's camera sees it.

Both outlines are read off the same grid in the same way, so what the grid rounds off cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates

from ...camera import photo_camera, unproject
from ...data import Camera
from ...raster import cut_pieces, z_buffer

GRID_PX = 160
"""Pixels along the garment's longest side."""
MARGIN = 1.5
"""Canonical units that the grid spans."""


class Edge(NamedTuple):
    """Points on the outline of a silhouette."""

    points: np.ndarray
    """[N,3] canonical; z is 0 for the photo's."""
    normals: np.ndarray
    """[N,2] out of the silhouette."""


@dataclass(frozen=True, eq=False)
class Silhouette:
    """A binary picture on the grid, and how deep what it shows lies."""

    solid: np.ndarray
    """[S,S] bool."""
    depth: np.ndarray | None = None
    """[S,S] distance from the camera, None for a photo."""

    @cached_property
    def edge(self) -> Edge:
        """The Edge of the solid pixels that touch an empty one."""
        row, column = np.nonzero(self.solid & ~binary_erosion(self.solid))
        slope = gaussian_filter(self.solid.astype(float), 1.5)
        down, right = (-np.gradient(slope, axis=axis)[row, column] for axis in (0, 1))
        normals = np.stack([right, -down], 1)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        depth = np.full(len(row), 2.0) if self.depth is None else self.depth[row, column]
        points = unproject(grid_camera(), np.stack([column + 0.5, row + 0.5], 1), depth)
        return Edge(points, normals)

    @property
    def area(self) -> float:
        """Canonical square units."""
        return float(self.solid.sum()) / GRID_PX**2

    @property
    def middle(self) -> np.ndarray:
        """[2] canonical x and y of the centroid."""
        row, column = np.nonzero(self.solid)
        half = self.solid.shape[0] / 2
        return np.array([column.mean() + 0.5 - half, half - row.mean() - 0.5]) / GRID_PX


def grid_camera() -> Camera:
    """The photo's camera, its picture the grid."""
    size = round(GRID_PX * MARGIN)
    c2w = np.eye(4)
    c2w[2, 3] = 2.0
    return Camera("orthographic", GRID_PX, (size / 2, size / 2), c2w, (size, size))


def photo_silhouette(soft: np.ndarray) -> Silhouette:
    """The Silhouette of a [H,W] soft mask; an empty mask raises MaskError."""
    camera, grid = photo_camera(soft), grid_camera()
    ratio = camera.focal_px / GRID_PX
    blurred = gaussian_filter(np.asarray(soft, np.float64), 0.35 * ratio) if ratio > 1 else np.asarray(soft, float)
    place = (np.arange(grid.hw[0]) + 0.5 - grid.center_px[0]) * ratio
    rows, columns = np.meshgrid(place + camera.center_px[1] - 0.5, place + camera.center_px[0] - 0.5, indexing="ij")
    return Silhouette(map_coordinates(blurred, [rows, columns], order=1) >= 0.5)


def mesh_silhouette(vertices: np.ndarray, faces: np.ndarray) -> Silhouette:
    """The Silhouette of a mesh in the canonical frame; what lies outside the grid is not in it."""
    grid = grid_camera()
    piece, depth = z_buffer(cut_pieces(vertices, faces, grid, "cpu"), grid.hw)
    return Silhouette((piece >= 0).numpy(), depth.numpy().astype(np.float64))


class Goal(NamedTuple):
    """What a target's silhouette should be: the photo's, and where caps over its openings may add to that."""

    photo: Silhouette
    covered: Silhouette

    @property
    def sure(self) -> np.ndarray:
        """[N] bool, points of the photo's edge that no cap covers."""
        row, column = np.nonzero(self.photo.solid & ~binary_erosion(self.photo.solid))
        return ~binary_erosion(self.covered.solid, iterations=2)[row, column]

    def overlap(self, solid: np.ndarray) -> float:
        """IoU in 0..1 of a binary picture with the photo's, caps not counted; 0 where both are empty."""
        return overlap(solid & (self.photo.solid | ~self.covered.solid), self.photo.solid)


def goal_of(photo: Silhouette, vertices: np.ndarray, faces: np.ndarray) -> Goal:
    """The Goal for the photo's silhouette and the mesh of its capped shell."""
    return Goal(photo, Silhouette(mesh_silhouette(vertices, faces).solid | photo.solid))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union in 0..1 of two binary pictures; 0 where both are empty."""
    return float((a & b).sum()) / max(int((a | b).sum()), 1)
