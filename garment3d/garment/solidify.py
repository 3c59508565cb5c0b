"""Cloth with a thickness: the open layer, a second one inside it, and a rim along every edge, closed and watertight.

The outer layer stays as it is, vertex by vertex; where the garment is narrower than two thicknesses the cloth thins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import trimesh
from scipy import sparse
from scipy.spatial import cKDTree

from ..errors import MeshError
from .hems_carry import carried, kept_vertices

ROOM = 0.8
"""Share of the largest ball inside the garment that the cloth may fill: two walls must not meet."""
THINNEST = 1e-4
"""Of the longest side; the layers stay apart by this even where the walls touch."""
WELD = 1e-6
"""Positions closer than this part of the longest side are one."""
SLOPE = 0.5
"""How fast the thickness may grow along the cloth."""
BALL_STEPS = 12
MENDS = 12
"""How often folded places of the inner layer are made thinner."""


class _Cloth(NamedTuple):
    """The mesh with vertices welded by position."""

    points: np.ndarray
    faces: np.ndarray
    place: np.ndarray
    """[V] the point of every vertex of the mesh."""
    side: float


def solidify(mesh: trimesh.Trimesh, thickness: float) -> trimesh.Trimesh:
    """A closed mesh: `mesh` itself first, then its copy `thickness` further in, and rims; 0 gives a copy of the mesh.

    Vertices and faces of the outer layer keep their place and order; the inner one has their uv and colours, and the
    rims lie on the lips' uv. Where the garment is too narrow for two layers the cloth is thinner than asked.

    Args:
        mesh: an open layer with outward faces; a closed one becomes hollow.
        thickness: in the mesh's unit.

    Raises:
        MeshError: no faces, NaN vertices, or a thickness that is negative, NaN or above half the longest side.

    Source: for the local room, Ma, Bae, Choi, "3D medial axis point approximation using nearest neighbors and the
    normal field", The Visual Computer 2012.
    """
    cloth = _cloth(mesh)
    if not 0 <= thickness <= cloth.side / 2:
        raise MeshError(
            f"A cloth of thickness {thickness:g} does not fit a mesh of {cloth.side:g}: "
            f"give 0 to {cloth.side / 2:g}, usually about {cloth.side / 300:.2g}."
        )
    if thickness == 0:
        return mesh.copy()
    normals = _normals(cloth)
    deep = _unfolded(cloth, normals, _thickness(cloth, normals, thickness))
    inner = (cloth.points - deep[:, None] * normals)[cloth.place]
    outer, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    rims, beside = _rims(cloth, faces)
    count = len(outer)
    origin = kept_vertices(
        np.tile(np.arange(count), 2), count, np.concatenate([np.tile(np.arange(len(faces)), 2), beside])
    )
    return carried(mesh, np.concatenate([outer, inner]), np.concatenate([faces, faces[:, ::-1] + count, rims]), origin)


def _cloth(mesh: trimesh.Trimesh) -> _Cloth:
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    if not len(faces) or not np.isfinite(vertices).all():
        raise MeshError(f"A mesh of {len(faces)} faces can't be given a thickness; give one with finite vertices.")
    side = float(np.ptp(vertices, axis=0).max()) or 1.0
    _, first, place = np.unique(np.round(vertices / (WELD * side)), axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    return _Cloth(vertices[first], place[faces], place, side)


def _normals(cloth: _Cloth) -> np.ndarray:
    """[P,3] unit normals, weighted by the corners' angles, so that they don't depend on how a face is split."""
    corner = cloth.points[cloth.faces]
    ahead, behind = np.roll(corner, -1, 1) - corner, np.roll(corner, 1, 1) - corner
    across = np.cross(ahead, behind)
    area = np.linalg.norm(across, axis=2)
    angle = np.arctan2(area, (ahead * behind).sum(2))
    weighted = (across / np.maximum(area, 1e-300)[..., None] * angle[..., None]).reshape(-1, 3)
    index = cloth.faces.ravel()
    total = np.stack([np.bincount(index, weighted[:, i], minlength=len(cloth.points)) for i in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


def _thickness(cloth: _Cloth, normals: np.ndarray, wanted: float) -> np.ndarray:
    """[P] thickness that the room inside allows, even along the cloth."""
    deep = np.minimum(wanted, ROOM * _balls(cloth.points, normals, 2 * wanted))
    deep = np.maximum(deep, min(THINNEST * cloth.side, wanted))
    start, end = _edges(cloth.faces)
    limit = SLOPE * np.linalg.norm(cloth.points[start] - cloth.points[end], axis=1)
    for _ in range(30):  # no cliff from thin to thick: what a vertex has more than its neighbour is bounded
        lower = deep.copy()
        np.minimum.at(lower, start, deep[end] + limit)
        if np.array_equal(lower, deep):
            break
        deep = lower
    return deep


def _balls(points: np.ndarray, normals: np.ndarray, largest: float) -> np.ndarray:
    """[P] radius, at most `largest`, of the ball that touches each point from inside and holds no other point."""
    tree = cKDTree(points)
    radius = np.full(len(points), largest)
    left = np.arange(len(points))
    for _ in range(BALL_STEPS):
        centre = points[left] - radius[left, None] * normals[left]
        apart, other = tree.query(centre, k=1)
        away = points[left] - points[other]
        along = (away * normals[left]).sum(1)
        inside = (apart < radius[left] * (1 - 1e-6)) & (along > 1e-12)
        left, away, along = left[inside], away[inside], along[inside]
        if not len(left):
            break
        radius[left] = (away * away).sum(1) / (2 * along)
    return radius


def _unfolded(cloth: _Cloth, normals: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """[P] the thickness, less at the corners of inner faces that would be turned over or crushed."""
    corner = cloth.points[cloth.faces]
    before = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    start, end = _edges(cloth.faces)
    count = len(cloth.points)
    near = sparse.csr_matrix((np.ones(len(start)), (start, end)), (count, count)) + sparse.eye(count)
    mean = sparse.diags(1 / np.asarray(near.sum(1)).ravel()) @ near
    least = min(THINNEST * cloth.side, float(deep.min()))
    for _ in range(MENDS):
        moved = (cloth.points - deep[:, None] * normals)[cloth.faces]
        after = np.cross(moved[:, 1] - moved[:, 0], moved[:, 2] - moved[:, 0])
        folded = (before * after).sum(1) < 0.1 * (before * before).sum(1)
        if not folded.any():
            break
        corners = np.zeros(count)
        corners[cloth.faces[folded]] = 1
        deep = np.maximum(deep * (1 - 0.5 * np.maximum(corners, mean @ corners)), least)
    return deep


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of every edge, each edge in both directions."""
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    return np.concatenate([start, end]), np.concatenate([end, start])


def _rims(cloth: _Cloth, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[R,3] faces between the lips of both layers, in the mesh's own vertices, and the [R] outer face beside each."""
    start, end = cloth.faces.ravel(), np.roll(cloth.faces, -1, 1).ravel()
    key = np.minimum(start, end) * len(cloth.points) + np.maximum(start, end)
    _, index, uses = np.unique(key, return_index=True, return_counts=True)
    lone = index[(uses == 1) & (start[index] != end[index])]
    a, b = faces.ravel()[lone], np.roll(faces, -1, 1).ravel()[lone]
    count = len(cloth.place)
    rims = np.concatenate([np.stack([b, a, a + count], 1), np.stack([b, a + count, b + count], 1)])
    return rims, np.tile(lone // 3, 2)
