"""How far a target can be trusted: its outline held against the photo's, which is known exactly.

What is off there by chance is off all over; a smooth target that is off as a whole (badly aligned) is not rough.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .cloth import Cloth, normals
from .match import Samples

FINEST = 0.004
"""Reach in canonical units with which an exact target is followed, a third of an edge."""
NOTHING = 0.0003
"""Roughness that is only how finely it was measured."""
PER_ROUGHNESS = 5.5
"""How much the reach grows with the roughness; on lumped truth the best grows about so."""
COARSE = 0.09
"""The longest reach that roughness asks for."""
FARTHEST, SLIT = 0.06, 0.004
"""How far from the photo's outline the target's is looked for, and half the width of where, in canonical units."""
MAD, ROUNDS = 1.4826, 4
"""From a median of sizes to a standard deviation, and rounds of leaving out what strays most."""
LEAST = 30
"""Fewer places on the outline than this say nothing."""
STEERED = 4.0
"""How much coarser or finer than the automatic choice smoothness 1 and 0 are."""


def roughness(cloth: Cloth, target: Samples) -> float:
    """Canonical units by which the target's outline strays from the photo's, slow drifts apart; 0 where none is seen.

    The cloth at rest has the photo's outline along its seam.
    """
    outline = np.flatnonzero(cloth.seam & ~cloth.lip)
    place, facing = cloth.points[outline, :2], normals(cloth.points, cloth.faces)[outline, :2]
    facing = facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    beyond = _beyond(place, facing, target.points[:, :2])
    seen = np.isfinite(beyond) & ~_across_a_gap(place, facing)
    if seen.sum() < LEAST:
        return 0.0
    place, facing, beyond = place[seen], facing[seen], beyond[seen]
    # An affine map takes up what a bad alignment does.
    drift = np.concatenate([facing, (facing[:, :, None] * place[:, None]).reshape(len(place), 4)], 1)
    kept = np.ones(len(place), bool)
    for _ in range(ROUNDS):
        rest = np.abs(beyond - drift @ np.linalg.lstsq(drift[kept], beyond[kept], rcond=None)[0])
        kept = rest <= 2.5 * MAD * np.median(rest)
    return float(MAD * np.median(rest))


def _across_a_gap(place: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """[K] bool: another part of the outline lies near ahead and faces back, as a sleeve beside the body does."""
    a, b = cKDTree(place).query_pairs(2 * FARTHEST, output_type="ndarray").T
    a, b = np.concatenate([a, b]), np.concatenate([b, a])
    gap = ((facing[a] * facing[b]).sum(1) < 0) & (((place[b] - place[a]) * facing[a]).sum(1) > 0)
    result = np.zeros(len(place), bool)
    result[a[gap]] = True
    return result


def _beyond(place: np.ndarray, facing: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[K] how far [S,2] points reach beyond [K,2] places in [K,2] unit directions; -inf where there are none."""
    near = cKDTree(points).query_ball_point(place, FARTHEST)
    result = np.full(len(place), -np.inf)
    for i, found in enumerate(near):
        away = points[found] - place[i]
        ahead = away @ facing[i]
        beside = np.abs(away @ (facing[i, ::-1] * [1, -1]))
        result[i] = ahead[beside < SLIT].max(initial=-np.inf)
    return result


def finest_reach(rough: float, smoothness: float) -> float:
    """Canonical units: how short a displacement is followed for a target of that roughness; smoothness is 0..1."""
    automatic = float(np.clip(FINEST + PER_ROUGHNESS * max(rough - NOTHING, 0.0), FINEST, COARSE))
    return max(automatic * STEERED ** (2 * smoothness - 1), FINEST / 2)
