"""The front edge of a closed neck or waist, told from the mesh: the cap over it leans up, the cloth below does not.

For photos in which the edge can't be seen: a membrane from the front edge to the back one hides it in the photo too.
"""

from __future__ import annotations

import numpy as np

from ..camera import photo_camera
from .openings import Span
from .panels import to_canonical

CELL = 0.006
"""Of the grid on which normals are compared, in canonical units."""
STEPS = 72
"""Points along a curve."""
SHAPES = (1.5, 2.0, 3.0, 4.5)
"""From a V to a U: the curve drops by 1 − |2t − 1|^shape."""
DROPS = {"neck": np.linspace(0.06, 1.1, 40), "waist": np.linspace(0.015, 0.22, 30)}
"""Of the curve's lowest point, in widths of the opening."""
LEAN = 0.2
"""How much more than the cloth a cap must lean upwards (y of the unit normals)."""
CLEAR = 0.25
"""Share of the normals' variance that a curve must explain where the photo shows no edge."""
LIKE = (0.6, 0.7, 0.92)
"""The photo's edge must explain so much of what the best curve does: more where that one is clear, up to a limit."""


def kinked_neckline(
    points: np.ndarray, normals: np.ndarray, soft: np.ndarray, span: Span, photo: np.ndarray | None = None
) -> np.ndarray | None:
    """[K,2] pixels from the image's left to its right where the front bends from wall to cap, or None.

    Args:
        points: [N,3] canonical vertices of the closed mesh.
        normals: [N,3] their unit normals.
        soft: [H,W] mask in 0..1.
        span: the neck or waist on the outline.
        photo: [K,2] pixels of the edge that the photo shows, kept unless another one fits the mesh far better.
    """
    left, right = sorted((span.a_px, span.b_px))
    ends = to_canonical(photo_camera(soft), np.array([left, right]))
    width = float(ends[1, 0] - ends[0, 0])
    if width < 12 * CELL:
        return None
    at, lean = _front(points, normals, ends, width)
    t = np.clip((at[:, 0] - ends[0, 0]) / width, 0, 1)
    below = (ends[0, 1] + t * (ends[1, 1] - ends[0, 1]) - at[:, 1]) / width
    best, chosen = 0.0, None
    for shape in SHAPES:
        depth = 1 - np.abs(2 * t - 1) ** shape
        for drop in DROPS[span.name]:
            explained = _explained(lean, below < drop * depth)
            if explained > best:
                best, chosen = explained, (shape, drop)
    known = 0.0
    if photo is not None:
        line = to_canonical(photo_camera(soft), photo)
        known = _explained(lean, at[:, 1] > np.interp(at[:, 0], *line.T))
    if chosen is None or (best < CLEAR if photo is None else known > min(LIKE[0] + LIKE[1] * best, LIKE[2]) * best):
        return photo
    t = np.linspace(0, 1, STEPS)
    chord = np.array(left) + t[:, None] * (np.array(right) - np.array(left))
    down = photo_camera(soft).focal_px * width * chosen[1] * (1 - np.abs(2 * t - 1) ** chosen[0])
    return chord + np.stack([np.zeros(STEPS), down], 1)


def _explained(lean: np.ndarray, cap: np.ndarray) -> float:
    """The share of the variance of the [N,3] normals that lies between cap and cloth; 0 where the cap leans no more."""
    count = int(cap.sum())
    if count < 8 or count > len(lean) - 8:
        return 0.0
    upper, lower = lean[cap].mean(0), lean[~cap].mean(0)
    total = float(((lean - lean.mean(0)) ** 2).sum())
    between = count * (len(lean) - count) / len(lean) * float(((upper - lower) ** 2).sum())
    return between / total if upper[1] - lower[1] > LEAN and total > 0 else 0.0


def _front(points: np.ndarray, normals: np.ndarray, ends: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """[C,2] cells below the opening's ends, and their [C,3] mean normals on the side of the camera."""
    low = np.array([ends[0, 0], ends.min(0)[1] - 1.25 * width])
    inside = (points[:, :2] > low).all(1) & (points[:, 0] < ends[1, 0]) & (normals[:, 2] > 0)
    points, normals = points[inside], normals[inside]
    if not len(points):
        return np.zeros((0, 2)), np.zeros((0, 3))
    column, row = ((points[:, :2] - low) / CELL).astype(int).T
    cell = row * (column.max() + 1) + column
    _, cell = np.unique(cell, return_inverse=True)
    cell = cell.reshape(-1)
    top = np.full(cell.max() + 1, -np.inf)
    np.maximum.at(top, cell, points[:, 2])
    seen = points[:, 2] > top[cell] - 2 * CELL
    cell, points, normals = cell[seen], points[seen], normals[seen]
    count = np.bincount(cell)
    mean = [np.bincount(cell, values) / count for values in (*points[:, :2].T, *normals.T)]
    return np.stack(mean[:2], 1), np.stack(mean[2:], 1)
