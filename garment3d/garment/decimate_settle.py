"""What is left after decimation, moved in and out until the faces run through the cloth instead of inside its bends.

Places that were kept lie on the cloth, so the faces between them cut its bends short; uv and open edges stay.
"""

from __future__ import annotations

import numpy as np
import trimesh
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ..crossings import crossing_faces
from ..nearest import closest_points
from .decimate_cloth import Cloth, edges_of, normals_of
from .decimate_collapse import State, stars_of

STIFF = 0.05
"""Weight of staying, against one place of the cloth each."""
TURN_COS = 0.95
"""A face that turns more than this stays as it was, and what hangs on it."""
TRIES = 6


def settled(cloth: Cloth, state: State, mesh_places: np.ndarray) -> np.ndarray:
    """[P,3] the points with those of the state moved along their normals; as they were where that would fold the cloth.

    Args:
        mesh_places: [K] places of the cloth as it was.
    """
    faces = state.faces.places
    along, step = _steps(cloth, state, mesh_places)
    before = normals_of(cloth.points[faces])
    crossed = int(_crossings(cloth.points, faces).sum())
    for _ in range(TRIES):
        points = cloth.points + step[:, None] * along
        after = normals_of(points[faces])
        size = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        bad = (before * after).sum(1) < TURN_COS * size
        if not bad.any():
            crossing = _crossings(points, faces)
            bad = crossing if int(crossing.sum()) > crossed else bad
        if not bad.any():
            return points
        step[faces[bad]] = 0
    return cloth.points


def _crossings(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    return crossing_faces(trimesh.Trimesh(points, faces, process=False))


def _steps(cloth: Cloth, state: State, mesh_places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[P,3] unit normals and [P] how far along them each point moves, for the least squared distance to the cloth."""
    faces, count = state.faces.places, len(cloth.points)
    normals = normals_of(cloth.points[faces])
    along = np.stack([np.bincount(faces.ravel(), np.repeat(n, 3), count) for n in normals.T], 1)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
    face, near = _nearest(cloth, state, mesh_places)
    normal = normals[face]
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    unit = normal / np.maximum(size, 1e-300)
    off = ((cloth.points[mesh_places] - near) * unit).sum(1)
    corners = faces[face]
    share = _shares(cloth.points[corners], near, normal, size) * (along[corners] * unit[:, None]).sum(2)
    fixed = _fixed(cloth, state)
    share[fixed[corners]] = 0
    rows = np.repeat(np.arange(len(face)), 3)
    matrix = sparse.csr_array((share.ravel(), (rows, corners.ravel())), shape=(len(face), count))
    step = spsolve(sparse.csc_array(matrix.T @ matrix + STIFF * sparse.eye_array(count)), matrix.T @ off)
    return along, np.where(fixed, 0, step)


def _fixed(cloth: Cloth, state: State) -> np.ndarray:
    """[P] bool, places on open edges and where the mesh is no sheet."""
    edges = edges_of(state.faces, len(cloth.points))
    fixed = cloth.locked.copy()
    for end in (edges.a, edges.b):
        fixed[end[edges.open | edges.wrong]] = True
    return fixed


def _nearest(cloth: Cloth, state: State, mesh_places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[K] face and [K,3] point on it next to each place, among the faces around the place that stands for it."""
    places = state.faces.places
    owner, face = stars_of(state.faces, len(cloth.points)).around(state.stands[mesh_places])
    at = cloth.points[mesh_places][owner]
    near = closest_points(at, cloth.points[places[face]])
    order = np.lexsort([np.linalg.norm(near - at, axis=1), owner])
    best = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
    return face[best], near[best]


def _shares(corners: np.ndarray, at: np.ndarray, normal: np.ndarray, size: np.ndarray) -> np.ndarray:
    """[K,3] weights of a face's corners at a point on it; thirds on one without area."""
    a, b, c = corners.transpose(1, 0, 2)
    parts = [np.cross(d - e, at - e) for d, e in ((c, b), (a, c))]
    first, second = ((part * normal).sum(1) / np.maximum(size[:, 0] ** 2, 1e-300) for part in parts)
    share = np.stack([first, second, 1 - first - second], 1)
    return np.where(size > 1e-14, share, 1 / 3)
