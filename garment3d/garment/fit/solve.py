"""The fit itself: match, pull the cloth towards its matches, bend as little as that takes, ever finer.

What is bent is the displacement, not the cloth: the shell's own fine shape stays where the target says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
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
STEPS = 2
"""Matches and solves at each level."""


class Level(NamedTuple):
    """One step from coarse to fine."""

    reach: float
    """Wavelength over 2π in canonical units that is still followed half-way."""
    farthest: float
    """Matches beyond this do not count."""


def levels(finest: float, count: int = 6) -> list[Level]:
    """Levels from COARSEST down to `finest`."""
    reach = np.geomspace(max(COARSEST, finest), finest, count)
    return [Level(float(r), float(np.clip(1.2 * r, 0.06, 0.25))) for r in reach]


def fitted(
    cloth: Cloth,
    target: Samples,
    plan: list[Level],
    keep_silhouette: bool,
    told: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """[N,3] places of the cloth on the target; `told` is called after every step and may raise."""
    moved = np.zeros_like(cloth.points)
    held = cloth.seam | cloth.lip if keep_silhouette else np.zeros(len(moved), bool)
    for level in plan:
        for _ in range(STEPS):
            points = cloth.points + moved
            match = matched(points, normals(points, cloth.faces), target, level.farthest)
            wanted = match.point - cloth.points
            moved = pulled(cloth, wanted, match.weight, level.reach, held)
            told()
    return cloth.points + moved


def pulled(cloth: Cloth, wanted: np.ndarray, weight: np.ndarray, reach: float, held: np.ndarray) -> np.ndarray:
    """[N,3] smooth displacement near the [N,3] wanted one where it has [N] weight; x and y of `held` [N] stay."""
    bending = reach**4 * cloth.bending
    # A trace of weight everywhere keeps a part without any match where it is, instead of anywhere.
    data = cloth.area * np.maximum(weight, 1e-4)
    goal = np.where(weight[:, None] > 0, wanted, 0)
    result = np.empty_like(wanted)
    result[:, 2] = _solved(bending, data, data * goal[:, 2])
    strong = np.where(held, OUTLINE_WEIGHT * cloth.area * (1 + (reach**2 / cloth.area) ** 2), data)
    plane = np.where(held[:, None], 0, goal[:, :2])
    result[:, :2] = _solved(bending, strong, strong[:, None] * plane)
    return result


def _solved(bending: sparse.csc_matrix, data: np.ndarray, right: np.ndarray) -> np.ndarray:
    options = {"SymmetricMode": True}
    factor = splu((bending + sparse.diags(data)).tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return factor.solve(right)
