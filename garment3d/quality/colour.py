"""How far a picture's cloth has drifted in colour, the light apart: a shaded side is no drift."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DARKER, BRIGHTER = 0.5, 1.2
"""How much darker or brighter, as a factor on sRGB numbers, the light alone makes a view than the photo."""


class Drift(NamedTuple):
    """The mean colour of a picture's cloth against the one it should have."""

    delta_e: float
    """CIE76 ΔE; nan where there is nothing to compare."""
    lab: tuple[float, float, float]
    """The difference itself, L*, a*, b*."""


def drift(colours: np.ndarray, wanted: np.ndarray) -> Drift:
    """The Drift of [N,3] sRGB colours in 0..1 from [N,3] others of the same places; nan where there are none."""
    if not len(colours):
        return Drift(float("nan"), (0.0, 0.0, 0.0))
    mean, other = colours.mean(0, np.float64), wanted.mean(0, np.float64)
    gain = float(np.clip((mean @ other) / max(float(other @ other), 1e-9), DARKER, BRIGHTER))
    apart = _lab(mean / gain) - _lab(other)
    lightness, a, b = apart.tolist()
    return Drift(float(np.linalg.norm(apart)), (lightness, a, b))


def _lab(rgb: np.ndarray) -> np.ndarray:
    from skimage.color import rgb2lab

    return rgb2lab(np.clip(rgb, 0, 1)[None, None])[0, 0]
