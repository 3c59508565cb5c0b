"""The fit itself: match, pull the cloth towards its matches, bend as little as that takes, ever finer.

What is bent is the displacement, not the cloth: the shell's own fine shape stays where the target says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from .cloth import Cloth, normals
from .match import Samples, matched

COARSEST = 0.25
"""Where a fit begins: the wavelength over 2π, in canonical units, below which a displacement is smoothed away."""
OUTLINE_WEIGHT = 100.0
"""How much more than the target the photo's outline counts."""
TURN, TURN_REACH = 0.12, 0.12
"""Place given up for facing while the fit is coarse, and the reach from which that shrinks: a fold has many facings."""
STEPS = 2
"""Matches and solves at each level."""


class Level(NamedTuple):
    """One step from coarse to fine."""

    reach: float
    """Wavelength over 2π in canonical units that is still followed half-way."""
    turn: float
    """How much place a match may give up for facing the same way, canonical units per 1 between unit normals."""
    farthest: float
    """Matches beyond this do not count."""


class Goal(NamedTuple):
    """What the cloth is pulled to."""

    target: Samples
    share: float
    """How much it counts beside others."""


class Pull(NamedTuple):
    """Where the matches want the cloth."""

    wanted: np.ndarray
    """[N,3] displacement from rest."""
    weight: np.ndarray
    """[N] 0..1."""


def levels(first: float, finest: float, count: int) -> list[Level]:
    """`count` levels from a reach of `first` down to `finest`, or up to it."""
    reach = np.geomspace(first, finest, count).tolist()
    return [Level(r, TURN * min(1.0, r / TURN_REACH), float(np.clip(1.2 * r, 0.06, 0.25))) for r in reach]


def fitted(
    cloth: Cloth,
    start: np.ndarray,
    goals: Sequence[Goal],
    plan: Sequence[Level],
    held: np.ndarray,
    told: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """[N,3] places of the cloth on its goals, from [N,3] places near them; x and y of `held` [N] stay as they are.

    `told` is called after every step and may raise.
    """
    points = start
    for level in plan:
        asked = [(goal.target.by_facing(level.turn), goal.share) for goal in goals]
        for _ in range(STEPS):
            facing = normals(points, cloth.faces)
            matches = [(matched(points, facing, target, level.farthest), share) for target, share in asked]
            weight = sum((match.weight * share for match, share in matches), np.zeros(len(points)))
            total = sum(((m.weight * share)[:, None] * m.point for m, share in matches), np.zeros_like(points))
            wanted = total / np.maximum(weight, 1e-9)[:, None] - cloth.points
            points = cloth.points + pulled(cloth, Pull(wanted, weight), level.reach, held)
            told()
    return points


def pulled(cloth: Cloth, pull: Pull, reach: float, held: np.ndarray) -> np.ndarray:
    """[N,3] smooth displacement near the wanted one, in x and y 0 at `held` [N]; without any weight nearly 0."""
    bending = reach**4 * cloth.bending
    # A trace of weight everywhere keeps a part without any match where it is, instead of anywhere.
    data = cloth.area * np.maximum(pull.weight, 1e-4)
    goal = np.where(pull.weight[:, None] > 0, pull.wanted, 0)
    depth = _solved(bending, data, data * goal[:, 2])
    firm = np.where(held, OUTLINE_WEIGHT * cloth.area * (1 + (reach**2 / cloth.area) ** 2), data)
    plane = _solved(bending, firm, firm[:, None] * np.where(held[:, None], 0, goal[:, :2]))
    return np.column_stack([np.where(held[:, None], 0, plane), depth])


def _solved(bending: sparse.csc_matrix, data: np.ndarray, right: np.ndarray) -> np.ndarray:
    options = {"SymmetricMode": True}
    factor = splu((bending + sparse.diags(data)).tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return factor.solve(right)
