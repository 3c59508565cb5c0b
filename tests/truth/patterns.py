"""What every garment class is cut like: primitives, cutting fields and planned girths, drawn from one seed.

`Pattern` is the common language; `upper.py` and `lower.py` fill it for the six classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .sections import LIMB_EXPONENT, Limb, Torso, half_axes
from .sizes import SIZES, BodySize


class Cut(NamedTuple):
    """One opening: faces where `field` is positive are removed."""

    name: str
    field: Callable[[np.ndarray], np.ndarray]
    """[N] values in cm for [N,3] points in cm."""
    limb: int = 0
    """The limb whose end this is, counted from 1; 0 cuts the torso."""


class Girth(NamedTuple):
    """A planned girth of the plain garment, to be measured on the mesh."""

    name: str
    cm: float
    limb: int
    """0 = torso, cut horizontally; else a limb, cut across its axis."""
    at: float
    """Height y in cm on the torso, axis parameter t on a limb."""


class Folds(NamedTuple):
    """How the cloth falls."""

    creases: int
    """Wrinkles on each side of the torso."""
    depth: float
    """Their depth in cm."""
    gathers: float
    """Depth in cm of the vertical folds at the hem."""
    count: int
    """Vertical folds around the hem."""
    top_y: float
    """Height in cm where the vertical folds begin."""
    limb_depth: float
    """Depth in cm of the folds along sleeves or legs."""


class Pattern(NamedTuple):
    """A garment before it is built; lengths in cm, +Y up, front +Z, +X the wearer's left."""

    torso: Torso
    limbs: tuple[Limb, ...]
    cuts: tuple[Cut, ...]
    girths: tuple[Girth, ...]
    folds: Folds
    low: np.ndarray
    high: np.ndarray
    blend: float
    flat_cloth: bool
    """True where the cloth is one panel across torso and limbs (trousers)."""
    chest_y: float
    """Height in cm of a chest print's middle; NaN where the class has none."""


def body(rng: np.random.Generator) -> BodySize:
    """A random row of the size table."""
    return SIZES[list(SIZES)[rng.integers(len(SIZES))]]


def tube(girth: float, flatness: float) -> tuple[float, float]:
    """Half-axes in cm, in the picture plane and across it, of a sleeve or leg with this girth."""
    width, depth, _ = half_axes(girth, flatness, 0.0, LIMB_EXPONENT)
    return width, depth


def ramp(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def limb_cut(name: str, limb: Limb, index: int) -> Cut:
    """The plane across a limb's end."""
    end, direction = limb.curve(np.array(1.0)), limb.tangent(np.array(1.0))
    direction = direction / np.linalg.norm(direction)
    return Cut(name, lambda points: (points - end) @ direction, index)


def bounds(torso: Torso, limbs: list[Limb], low_y: float) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner in cm of a box around everything from `low_y` up that is kept."""
    wide = np.abs(torso.levels[:, 4]).max() + torso.levels[:, 1].max() + 1.5
    deep = np.abs(torso.levels[:, 5]).max() + torso.levels[:, 2:4].max() + 1.5
    low, high = np.array([-wide, low_y, -deep]), np.array([wide, 2.5, deep])
    t = np.linspace(0, 1, 24)
    for limb in limbs:
        reach = limb.axes(t).max(1, keepdims=True) + 1.5
        low = np.minimum(low, (limb.curve(t) - reach).min(0))
        high = np.maximum(high, (limb.curve(t) + reach).max(0) * [1, 0, 1])
    return low, high


def hem_cut(name: str, y: float, tilt: float, back_drop: float, depth: float) -> Cut:
    """A nearly level lower edge; `tilt` in cm per cm of x, the back hangs `back_drop` cm lower than the front."""
    return Cut(name, lambda p: y + tilt * p[:, 0] + back_drop * np.clip(p[:, 2] / depth, -1, 1) / 2 - p[:, 1])
