"""The rim of a cut drawn out to its lip: the cut runs a little inside, the garment must not become shorter for it.

The cloth behind the rim is stretched along, ever less; the rim itself then lies on the lip exactly, without teeth.
"""

from __future__ import annotations

import numpy as np

from .hems_cut import Cut, parts
from .hems_sheet import RAY, Sheet, offsets

BAND = 0.05
"""How far behind the rim the cloth is stretched, in canonical units."""
ASIDE = 0.03
"""How far beside the end of a lip the drawing fades out."""
ROUNDS = 3


def drawn(points: np.ndarray, cut: Cut, sheets: tuple[Sheet, ...]) -> np.ndarray:
    """[N,3] the canonical points of a cut mesh with each rim on its sheet and the cloth behind it stretched."""
    first, number = np.unique(cut.place, return_index=True, return_inverse=True)[1:]
    number = number.reshape(-1)
    before, joined, rim = points[first], number[cut.faces], cut.rim[first]
    at = before
    for k, sheet in enumerate(sheets):
        if (rim == k).any():
            at = _stretched(at, joined, rim == k, rim >= 0, sheet)
    # Moved, not replaced: vertices of one place may differ by rounding, and tiny faces must not vanish.
    return points + (at - before)[number]


def _stretched(points: np.ndarray, faces: np.ndarray, mine: np.ndarray, lip: np.ndarray, sheet: Sheet) -> np.ndarray:
    """[N,3] the points with the rim `mine` on the sheet."""
    off = offsets(sheet, points)
    near = (off.beyond > -off.inset - BAND) & ((off.beyond < off.inset) | mine)
    piece = parts(faces[near[faces].all(1)], len(points))
    near &= np.isin(piece, piece[mine]) & (~lip | mine)
    share = np.clip((off.beyond + off.inset + BAND) / BAND, 0, 1)
    # Beside the lip, where another part of the garment may pass, nothing is drawn.
    beside = np.maximum(-off.along, off.along - 1) * RAY / (sheet.back.along[-1] - 1)
    fade = np.clip(1.5 - beside / ASIDE, 0, 1)
    push = np.where(near, fade * off.inset * share**2 * (3 - 2 * share), 0.0)
    result = points.copy()
    inner = near & ~mine
    result[inner, :2] += push[inner, None] * off.heading[inner]
    for _ in range(ROUNDS):
        left = offsets(sheet, result[mine])
        goal = off.beyond[mine] * (1 - fade[mine])
        result[mine, :2] += (goal - left.beyond)[:, None] * left.heading
    return result
