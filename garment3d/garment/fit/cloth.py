"""The shell as the sheet a fit works on: welded, with its seam, its lips, its areas and its bending energy.

A textured shell has split vertices along its uv islands; what is sewn there must stay together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import trimesh

WELD = 1e-6
"""Vertices nearer than this share of the longest side are one, as in `soundness.py`."""
SLIVER_COT = 20.0
"""Cotangents beyond this are of slivers: they would tie two corners together whatever the cloth does."""


class Cloth(NamedTuple):
    """A welded shell of N vertices and F faces at rest, in the canonical frame."""

    points: np.ndarray
    """[N,3] float64."""
    faces: np.ndarray
    """[F,3] int64, in the shell's order."""
    place: np.ndarray
    """[V] which of the N each vertex of the shell is."""
    seam: np.ndarray
    """[N] bool: front and back panel meet here; on the photo's outline."""
    lip: np.ndarray
    """[N] bool: on the edge of an opening."""
    area: np.ndarray
    """[N] share of the surface, in canonical units squared."""
    bending: Any
    """[N,N] sparse: x·bending·x is the integral of the squared Laplacian of a field x over the cloth."""


def cloth_of(shell: trimesh.Trimesh) -> Cloth:
    """The Cloth of a shell; a shell without faces has no seam, no lip and no area."""
    vertices, faces = np.asarray(shell.vertices, np.float64), np.asarray(shell.faces, np.int64)
    side = max(float(np.ptp(vertices, axis=0).max(initial=0)), 1e-12)
    _, first, place = np.unique(np.round(vertices / (WELD * side)), axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    points, faces = vertices[first], place[faces]
    return Cloth(points, faces, place, _seam(points, faces), _lips(points, faces), *_energy(points, faces))


def normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[N,3] unit normals of the vertices, by the angle each face has there; 0 where no face has one."""
    corner = points[faces]
    ahead, behind = np.roll(corner, -1, 1) - corner, np.roll(corner, 1, 1) - corner
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area /= np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-300)
    angle = np.arctan2(np.linalg.norm(np.cross(ahead, behind), axis=2), (ahead * behind).sum(2))
    weighted = (angle[..., None] * area[:, None]).reshape(-1, 3)
    total = np.stack([np.bincount(faces.ravel(), weighted[:, k], minlength=len(points)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


def _seam(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[N] bool: vertices of faces that the photo's camera sees and of faces turned away from it."""
    a, b, c = points[faces][..., :2].transpose(1, 0, 2)
    towards = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
    count = len(points)
    front = np.bincount(faces[towards].ravel(), minlength=count) > 0
    return front & (np.bincount(faces[~towards].ravel(), minlength=count) > 0)


def _lips(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    edge, uses = np.unique(edges, axis=0, return_counts=True)
    lip = np.zeros(len(points), bool)
    lip[edge[uses == 1]] = True
    return lip


def _energy(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, Any]:
    """[N] areas and the [N,N] bending energy, by cotangent weights; free at lips."""
    count = len(points)
    rows, columns, values = [], [], []
    for i in range(3):
        a, b, c = faces[:, i], faces[:, (i + 1) % 3], faces[:, (i + 2) % 3]
        u, v = points[b] - points[a], points[c] - points[a]
        double = np.linalg.norm(np.cross(u, v), axis=1)
        weight = np.clip(0.5 * (u * v).sum(1) / np.maximum(double, 1e-12), -SLIVER_COT, SLIVER_COT)
        rows += [b, c, b, c]
        columns += [c, b, b, c]
        values += [-weight, -weight, weight, weight]
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    stiffness = sparse.csr_matrix(entries, shape=(count, count))
    corner = points[faces]
    face_area = 0.5 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    area = np.bincount(faces.ravel(), np.repeat(face_area / 3, 3), minlength=count)
    area = np.maximum(area, 0.05 * np.mean(area))
    return area, (stiffness.T @ sparse.diags(1 / area) @ stiffness).tocsc()
