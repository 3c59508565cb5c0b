"""Body girths, lengths and section ratios that the ground-truth garments are cut from, in centimetres.

Chest, waist and women's hip girths are rows of EN 13402-3:2004 (size designation of clothes)
inside its letter codes S to XL. Men's hips, limbs, lengths and the breadth:depth ratios are rounded pattern-cutting
figures inside the adult range of ANSUR II (Gordon et al., NATICK/TR-15/007, 2014), graded in even steps with the chest.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Sex = Literal["women", "men"]
Letter = Literal["S", "M", "L", "XL"]


class BodySize(NamedTuple):
    """One body; girths around, lengths along the body, all in cm."""

    chest: float
    waist: float
    hip: float
    neck: float
    upper_arm: float
    wrist: float
    thigh: float
    knee: float
    ankle: float
    shoulder: float
    """Biacromial breadth, tip to tip."""
    arm: float
    """Shoulder tip to wrist."""
    back: float
    """Nape to waist."""
    hip_drop: float
    """Waist to hip level."""
    rise: float
    """Waist to crotch level."""
    inseam: float
    """Crotch to ankle."""


SIZES: dict[tuple[Sex, Letter], BodySize] = {
    ("women", "S"): BodySize(84, 68, 92, 32.0, 27.0, 15.0, 54.0, 35.5, 21.0, 36.0, 56.0, 39.5, 20.0, 26.0, 74.0),
    ("women", "M"): BodySize(92, 76, 100, 33.5, 29.5, 15.7, 58.5, 37.5, 21.8, 37.0, 57.0, 40.5, 20.5, 27.0, 75.0),
    ("women", "L"): BodySize(100, 84, 108, 35.0, 32.5, 16.4, 63.0, 39.5, 22.6, 38.2, 58.0, 41.5, 21.0, 28.0, 75.5),
    ("women", "XL"): BodySize(110, 94.5, 117, 37.0, 36.0, 17.3, 68.0, 42.0, 23.7, 39.6, 58.5, 42.5, 21.5, 29.2, 76.0),
    ("men", "S"): BodySize(88, 76, 92, 37.0, 29.5, 16.6, 54.0, 37.0, 21.6, 40.0, 60.0, 44.5, 19.5, 25.5, 79.0),
    ("men", "M"): BodySize(96, 84, 98, 39.0, 32.0, 17.4, 57.5, 38.8, 22.5, 41.4, 61.5, 46.0, 20.0, 26.5, 80.0),
    ("men", "L"): BodySize(104, 92, 104, 41.0, 34.5, 18.1, 61.0, 40.4, 23.3, 42.8, 63.0, 47.5, 20.5, 27.5, 81.0),
    ("men", "XL"): BodySize(112, 100, 110, 43.0, 37.0, 18.8, 64.5, 42.0, 24.0, 44.0, 64.0, 48.5, 21.0, 28.5, 81.5),
}

BREADTH_TO_DEPTH = {"chest": 1.28, "waist": 1.38, "hip": 1.44}
"""Body breadth over depth at three levels, rounded; cloth hangs flatter."""
