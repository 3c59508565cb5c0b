"""How far a cap lies inside of where the photo's outline says: a lumpy or slightly turned mesh ends too early.

A cut that runs outside of the cap would leave part of it in the opening, so it is moved in to the cap.
"""

from __future__ import annotations

import numpy as np

from .hems_sheet import Offsets

MIDDLE, BETWEEN = (0.1, 0.9), 0.6
"""Along the lip and between its walls: outside faces there can only be the cap, for cloth is at the walls."""
DEEPEST = 0.06
"""A cap farther inside, in canonical units, is none."""
FEWEST = 20
ROUNDS = 3


def sunk(off: Offsets, seen: np.ndarray) -> np.ndarray:
    """[N] how far inside of its sheet a cap lies, its dents included, in canonical units; 0 for a cap beyond or none.

    Args:
        off: the points against the sheet.
        seen: [N] bool, the points of outside faces.
    """
    cap = seen & (off.along > MIDDLE[0]) & (off.along < MIDDLE[1])
    cap &= (np.abs(off.across) < BETWEEN) & (np.abs(off.beyond) < DEEPEST)
    if cap.sum() < FEWEST:
        return np.zeros(len(seen))
    plane = np.stack([np.ones(len(seen)), np.clip(off.along, 0, 1), np.clip(off.across, -1, 1)], 1)
    kept, known, spread = np.flatnonzero(cap), np.zeros(3), 0.0
    for _ in range(ROUNDS):
        known = np.linalg.lstsq(plane[kept], off.beyond[kept], rcond=None)[0]
        left = off.beyond[kept] - plane[kept] @ known
        spread = float(left.std())
        kept = kept[np.abs(left) <= 2 * spread]
    return np.clip(spread - plane @ known, 0, DEEPEST)
