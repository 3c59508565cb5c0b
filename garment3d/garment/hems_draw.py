"""The rim of a cut drawn out to its lip: the cut runs a little inside, the garment must not become shorter for it.

The cloth behind the rim is stretched along, ever less; the rim itself then lies on the lip exactly, without teeth.
"""

from __future__ import annotations

import numpy as np

from .hems_cut import parts
from .hems_sheet import Sheet, offsets

BAND = 0.05
"""How far behind the rim the cloth is stretched, in canonical units."""
ROUNDS = 3


def drawn(
    points: np.ndarray, faces: np.ndarray, place: np.ndarray, rim: np.ndarray, sheets: tuple[Sheet, ...]
) -> np.ndarray:
    """[N,3] the points with each rim on its sheet and the cloth behind it stretched.

    Args:
        points: [N,3] canonical.
        faces: [F,3].
        place: [N] which of the distinct positions each point has; the uv seams' doubles have the same.
        rim: [N] bool, True along the cuts.
        sheets: one for each opening that was cut.
    """
    first, number = np.unique(place, return_index=True, return_inverse=True)[1:]
    number = number.reshape(-1)
    at, joined, lip = points[first], number[faces], rim[first]
    owner = _owners(at[lip], sheets)
    for k, sheet in enumerate(sheets):
        mine = np.zeros(len(at), bool)
        mine[np.flatnonzero(lip)[owner == k]] = True
        if mine.any():
            at = _stretched(at, joined, mine, lip, sheet)
    return at[number]


def _owners(points: np.ndarray, sheets: tuple[Sheet, ...]) -> np.ndarray:
    """[N] the sheet on whose cut each rim point lies."""
    away = []
    for sheet in sheets:
        off = offsets(sheet, points)
        away.append(np.abs(off.beyond) + np.clip(np.maximum(-off.along, off.along - 1), 0, None))
    return np.argmin(away, 0) if away else np.zeros(len(points), int)


def _stretched(points: np.ndarray, faces: np.ndarray, mine: np.ndarray, lip: np.ndarray, sheet: Sheet) -> np.ndarray:
    """[N,3] the points with the rim `mine` on the sheet."""
    off = offsets(sheet, points)
    level = float(np.median(off.beyond[mine]))
    near = (off.beyond > level - BAND) & ((off.beyond < level + BAND) | mine)
    piece = parts(faces[near[faces].all(1)], len(points))
    near &= np.isin(piece, piece[mine]) & (~lip | mine)
    share = np.clip((off.beyond - level + BAND) / BAND, 0, 1)
    push = np.where(near, -level * share**2 * (3 - 2 * share), 0.0)
    result = points.copy()
    inner = near & ~mine
    result[inner, :2] += push[inner, None] * off.heading[inner]
    for _ in range(ROUNDS):
        left = offsets(sheet, result[mine])
        result[mine, :2] -= left.beyond[:, None] * left.heading
    return result
