"""From a panel's inflation to its depth in front of and behind the photo's plane."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .inflate import diffused

DepthModel = Literal["garment", "poisson"]
POISSON = 1.18 / np.sqrt(2)


def depths(xy: np.ndarray, faces: np.ndarray, height: np.ndarray, side: int, model: DepthModel) -> np.ndarray:
    """[N] signed z in canonical units of a sheet with inflation heights [N]; `side` 1 is the front, -1 the back."""
    if model == "poisson":
        return side * POISSON * height
    ridge = diffused(xy, faces, height, height**4 + 1e-12, 0.05)
    return side * 0.75 * height
