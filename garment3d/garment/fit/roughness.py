"""How far a target can be trusted: its outline held against the photo's, which is known exactly.

What is off there by chance is off all over; a smooth target that is off as a whole (badly aligned) is not rough.
"""

from __future__ import annotations

import numpy as np

from .cloth import Cloth, normals
from .match import Samples, matched

FINEST = 0.008
"""Reach in canonical units with which an exact target is followed, about two thirds of an edge."""
PER_ROUGHNESS = 3.5
"""How much the reach grows with the roughness; on lumped truth the best grows about so."""
COARSE = 0.09
"""The longest reach that roughness asks for."""
TURN, FARTHEST = 0.12, 0.15
"""As in `solve.Level`, for matches along the outline."""
LEAST = 30
"""Fewer places on the outline than this say nothing."""
STEERED = 4.0
"""How much coarser or finer than the automatic choice smoothness 1 and 0 are."""


def roughness(cloth: Cloth, points: np.ndarray, target: Samples) -> float:
    """Canonical units by which the target's outline strays from the photo's, slow drifts apart; 0 where none is seen.

    `points` [N,3] is a coarse fit whose outline lies where the photo has it.
    """
    facing = normals(points, cloth.faces)
    outline = np.flatnonzero(cloth.seam & ~cloth.lip)
    match = matched(points[outline], facing[outline], target.by_facing(TURN), FARTHEST)
    seen = match.weight > 0.5
    if seen.sum() < LEAST:
        return 0.0
    place, facing, apart = points[outline][seen], facing[outline][seen], match.apart[seen]
    # An affine map takes up what a bad alignment does.
    drift = np.concatenate([facing, (facing[:, :, None] * place[:, None]).reshape(len(place), 9)], 1)
    rest = apart - drift @ np.linalg.lstsq(drift, apart, rcond=None)[0]
    return float(1.4826 * np.median(np.abs(rest)))


def finest_reach(rough: float, smoothness: float) -> float:
    """Canonical units: how short a displacement is followed for a target of that roughness; smoothness is 0..1."""
    automatic = float(np.clip(FINEST + PER_ROUGHNESS * rough, FINEST, COARSE))
    return max(automatic * STEERED ** (2 * smoothness - 1), FINEST / 2)
