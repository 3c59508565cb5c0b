"""Folded and crossing faces taken out of a fit: around them the cloth moves as one piece of space, not on its own.

A displacement that is smooth in space, front and back alike, can't turn a face over nor push one panel through another.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ...crossings import crossing_faces, folded_faces
from .cloth import Cloth

RADII = (0.012, 0.02, 0.03, 0.045, 0.065, 0.09, 0.12)
"""Neighbourhoods in canonical units over which the displacement is averaged, tried one after the other."""
NEIGHBOURS = 48
"""Vertices that stand for a neighbourhood."""


def faults(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[F] bool, faces that are folded or cross another."""
    import trimesh

    mesh = trimesh.Trimesh(points.astype(np.float32), faces, process=False)
    return crossing_faces(mesh) | folded_faces(mesh)


def repaired(cloth: Cloth, points: np.ndarray, held: np.ndarray) -> np.ndarray:
    """[N,3] places with the fewest faults that smoothing around them gives; without faults the places as they are.

    The x and y of `held` [N] stay.
    """
    best, bad = points, faults(points, cloth.faces)
    moved = points - cloth.points
    fewest = int(bad.sum())
    for radius in RADII:
        if not bad.any():
            break
        moved = _calmed(cloth, moved, np.unique(cloth.faces[bad]), radius)
        moved[held, :2] = points[held, :2] - cloth.points[held, :2]
        bad = faults(cloth.points + moved, cloth.faces)
        if bad.sum() < fewest:
            best, fewest = cloth.points + moved, int(bad.sum())
    return best


def _calmed(cloth: Cloth, moved: np.ndarray, centres: np.ndarray, radius: float) -> np.ndarray:
    """[N,3] displacement, near the vertices `centres` replaced by its mean over `radius` in space."""
    away = cKDTree(cloth.points[centres]).query(cloth.points, distance_upper_bound=2 * radius)[0]
    near = np.flatnonzero(np.isfinite(away))
    # A sparse draw of the cloth stands for the mean: neighbours alone would not reach across the radius.
    reach = cKDTree(cloth.points[near])
    step = max(1, round(len(near) / max(len(centres) * NEIGHBOURS, 2000)))
    chosen = near[::step]
    spread = cKDTree(cloth.points[chosen]).sparse_distance_matrix(reach, 2.5 * radius, output_type="coo_matrix")
    weight = np.exp(-((spread.data / radius) ** 2)) * cloth.area[chosen][spread.row]
    total = np.bincount(spread.col, weight, minlength=len(near))
    mean = [np.bincount(spread.col, weight * moved[chosen, k][spread.row], minlength=len(near)) for k in range(3)]
    mean = np.stack(mean, 1) / np.maximum(total, 1e-300)[:, None]
    share = np.clip(2 - away[near] / radius, 0, 1)
    share = (share * share * (3 - 2 * share) * (total > 0))[:, None]
    calm = moved.copy()
    calm[near] += share * (mean - moved[near])
    return calm
