"""The mesh as the choice of sources sees it: welded, with neighbours, areas and outward normals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from .bake_turn import vertex_normals
from .panels import Surface as Panels
from .unwrap import welded

CORNERS = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / np.array([[3], [6], [6], [6]])
"""Where a face is looked at: its middle, and towards each corner."""


class Skin(NamedTuple):
    """A welded mesh."""

    points: np.ndarray
    """[P,3] canonical."""
    faces: np.ndarray
    """[F,3] over them."""
    normals: np.ndarray
    """[P,3] unit, outwards."""
    area: np.ndarray
    """[F], 1 on average."""
    pairs: np.ndarray
    """[E,2] faces that share an edge."""
    lengths: np.ndarray
    """[E] of those edges, 1 on average."""
    edge: float
    """Mean edge length, canonical."""


def skin_of(vertices: np.ndarray, faces: np.ndarray) -> Skin:
    """The Skin of a mesh; a mesh that is wound inside out gets its normals turned."""
    points, joined = welded(vertices, faces)
    panels = Panels(points, joined)
    normals = vertex_normals(points, joined)
    corners = points[joined]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = 1.0 if (cross[:, 2] * panels.facing).sum() >= 0 else -1.0
    area = panels.area / max(float(panels.area.mean()), 1e-300)
    lengths = panels.lengths / max(float(panels.lengths.mean()) if len(panels.lengths) else 1.0, 1e-300)
    return Skin(points, joined, outward * normals, area, panels.pairs, lengths, max(panels.edge, 1e-9))


def spots(skin: Skin) -> tuple[torch.Tensor, torch.Tensor]:
    """[4F] faces and [4F,3] float32 barycentrics of the places at which every face is looked at."""
    face = torch.arange(len(skin.faces)).repeat_interleave(len(CORNERS))
    return face, torch.as_tensor(CORNERS, dtype=torch.float32).repeat(len(skin.faces), 1)


def on_skin(values: np.ndarray, skin: Skin, face: torch.Tensor, bary: torch.Tensor) -> torch.Tensor:
    """[N,C] float32 of the points' [P,C] values at faces and barycentrics."""
    corners = torch.as_tensor(values, dtype=torch.float32)[torch.as_tensor(skin.faces)[face]]
    return (corners * bary[..., None]).sum(1)


def spread_over_faces(skin: Skin, values: np.ndarray, weight: np.ndarray, length: float) -> np.ndarray:
    """[F] or [F,C] weighted means over about `length` around each face; 0 where nothing nearby has a weight."""
    matrix = _averaging(skin.pairs, len(skin.faces))
    return _spread(matrix, values, weight, _steps(length, skin.edge * 0.6))


def spread_over_points(skin: Skin, values: np.ndarray, weight: np.ndarray, length: float) -> np.ndarray:
    """[P] or [P,C] weighted means over about `length` around each point; 0 where nothing nearby has a weight."""
    edges = skin.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    matrix = _averaging(edges, len(skin.points))
    return _spread(matrix, values, weight, _steps(length, skin.edge))


def faces_to_points(skin: Skin, values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[P,C] weighted means of the faces around each point, and the [P] weights."""
    count = len(skin.points)
    corner = skin.faces.ravel()
    each = np.repeat(weight, 3)
    total = np.bincount(corner, each, count)
    sums = [np.bincount(corner, each * np.repeat(column, 3), count) for column in values.reshape(len(values), -1).T]
    return np.stack(sums, 1) / np.maximum(total, 1e-12)[:, None], total


def _steps(length: float, edge: float) -> int:
    """Rounds of averaging with neighbours after which values have spread by `length`."""
    return int(np.clip(round((length / edge) ** 2), 0, 60))


def _averaging(pairs: np.ndarray, count: int) -> sparse.csr_matrix:
    """Every node with its neighbours."""
    rows = np.concatenate([pairs[:, 0], pairs[:, 1], np.arange(count)])
    cols = np.concatenate([pairs[:, 1], pairs[:, 0], np.arange(count)])
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, cols)), shape=(count, count))


def _spread(matrix: sparse.csr_matrix, values: np.ndarray, weight: np.ndarray, steps: int) -> np.ndarray:
    columns = values.reshape(len(values), -1) * weight[:, None]
    both = np.concatenate([columns, weight[:, None]], 1)
    # Rows that add up to 1 on both sides keep a bounded mesh's rim from counting twice.
    scale = 1 / np.asarray(matrix.sum(1))
    for _ in range(steps):
        both = scale * (matrix @ both)
    return (both[:, :-1] / np.maximum(both[:, -1:], 1e-9)).reshape(values.shape)
