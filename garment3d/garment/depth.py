"""From a panel's inflation to its depth in front of and behind the photo's plane.

A plain inflation makes every strip as deep as it is wide; cloth hangs flatter on a torso than on an arm or a leg.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from .inflate import diffused, inflation

DepthModel = Literal["garment", "poisson"]
POISSON = 1.18 / np.sqrt(2)
"""The plain model's z = 1.18·√u with −Δu = 1, in units of the inflation height √(2u)."""


class Proportions(NamedTuple):
    """Depth over breadth of a garment's sections."""

    torso: float
    """Where it is as wide as it gets. Bodies have 0.7 to 0.8 (ANSUR II, 2012); cloth with ease hangs flatter."""
    limb: float
    """Sleeves and legs: nearly round."""
    evenness: float
    """0 keeps the inflation's own taper towards shoulders and crotch, 1 takes the ratio everywhere."""
    flare: float
    """Added to the ratio from half the height down to the hem: skirts end rounder than a chest is."""
    shoulder: float
    """How much flatter, as a share, it is at the very top than at the underarm."""


PROPORTIONS = {
    "tee": Proportions(0.57, 0.88, 0.4, 0.0, 0.15),
    "longsleeve": Proportions(0.54, 0.88, 0.4, 0.0, 0.15),
    "top": Proportions(0.60, 0.80, 0.4, 0.0, 0.15),
    "dress": Proportions(0.52, 0.75, 0.5, 0.2, 0.15),
    "skirt": Proportions(0.58, 0.58, 0.3, 0.12, 0.0),
    "trousers": Proportions(0.63, 0.87, 0.0, 0.0, 0.0),
}
FULLNESS_TORSO, FULLNESS_LIMB = 2.6, 2.1
"""Exponents of the super-ellipse that a section follows: 2 is an ellipse, more has fuller sides."""
UNDERARM = 1.2
"""How far below the top the underarm is, in half-breadths of the torso."""
REACH = 0.08
"""How far along the cloth, in canonical units, a section's breadth is felt."""


def depths(
    xy: np.ndarray, faces: np.ndarray, seam: np.ndarray, garment_class: str, model: DepthModel = "garment"
) -> np.ndarray:
    """[N] distance in canonical units from the seam's plane, for a sheet of triangles on [N,2] photo positions.

    `seam` [N] is True where the sheet is sewn; without a seam every depth is zero.
    """
    height = inflation(xy, faces, seam)
    if model == "poisson" or not seam.any():
        return POISSON * height
    shape = PROPORTIONS[garment_class]
    weight = height**4 + 1e-14
    from_seam = cKDTree(xy[seam]).query(xy)[0]
    breadth = diffused(xy, faces, from_seam, weight, REACH)
    ridge = np.maximum(diffused(xy, faces, height, weight, REACH), 1e-9)
    wide = _eased((breadth / np.quantile(breadth, 0.98) - 0.25) / 0.45)
    low = np.clip(2 * (xy[:, 1].max() - xy[:, 1]) / max(float(np.ptp(xy[:, 1])), 1e-9) - 1, 0, 1)
    yoke = UNDERARM * float(np.quantile(from_seam, 0.995))
    up = np.clip(1 - (xy[:, 1].max() - xy[:, 1]) / max(yoke, 1e-9), 0, 1)
    ratio = (shape.limb + (shape.torso - shape.limb) * wide + shape.flare * low) * (1 - shape.shoulder * up)
    return ratio * height * (breadth / ridge) ** shape.evenness * _fuller(height / ridge, wide)


def _fuller(share: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """How much further out than an ellipse a super-ellipse lies, where the ellipse has `share` of its height."""
    share = np.clip(share, 1e-6, 1)
    exponent = FULLNESS_LIMB + (FULLNESS_TORSO - FULLNESS_LIMB) * wide
    return (1 - (1 - share**2) ** (exponent / 2)) ** (1 / exponent) / share


def _eased(share: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth in between."""
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
