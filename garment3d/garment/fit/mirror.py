"""The target and its mirror image about the garment's own middle, for garments that are the same left and right."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree

from .match import Samples

WIDTH = 0.08
"""How far from the middle of the box the garment's own middle may lie, canonical units."""


def middle_of(outline: np.ndarray) -> float:
    """The x about which [N,2] points of an outline are most nearly mirror images of each other."""
    tree, box = cKDTree(outline), float(outline[:, 0].min() + outline[:, 0].max()) / 2

    def apart(x: float) -> float:
        return float(tree.query(np.column_stack([2 * x - outline[:, 0], outline[:, 1]]))[0].mean())

    first = min(np.linspace(box - WIDTH, box + WIDTH, 33), key=apart)
    return float(minimize_scalar(apart, bounds=(first - 0.005, first + 0.005), method="bounded").x)


def mirrored(samples: Samples, middle: float) -> Samples:
    """The samples' mirror image about x = middle."""
    flip = np.array([-1.0, 1.0, 1.0])
    return Samples(samples.points * flip + [2 * middle, 0, 0], samples.normals * flip)
