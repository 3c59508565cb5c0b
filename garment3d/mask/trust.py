"""How far a quick mask can be trusted, from what the cut leaves behind; and masks that are plainly nonsense.

The weights were chosen on photos made worse step by step (noise, fading, clutter, compression) against known masks.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..errors import UnclearGarment
from .cut import Regions, minimum_cut
from .split import CUT_COST, FIXED, UNIT_PX, Split, region_mean

LEAST_AREA, MOST_AREA = 0.005, 0.95
MOST_BORDER = 0.6
LEAST_CONFIDENCE = 0.12
WAYS_OUT = "give a mask, draw a box around the garment, or use the SAM mask"
_NUDGE = 0.3
"""How much evidence per pixel is shifted to see whether the outline stays."""


def confidence(parts: Regions, cut: Split, binary: np.ndarray, plain: float) -> float:
    """0..1 for a mask [h,w]; below 0.5 it is more likely wrong than right, an empty mask gives 0."""
    area = np.count_nonzero(binary)
    if not area:
        return 0.0
    inside = region_mean(parts, binary) > 0.5
    crossed = inside[parts.pairs[:, 0]] != inside[parts.pairs[:, 1]]
    price = CUT_COST * max(binary.shape) / UNIT_PX
    weak = cut.cost[crossed].sum() / max(1.0, price * parts.length[crossed].sum())
    left_out = np.maximum(cut.gain[~inside], 0).sum() / area
    steady = min(_steadiness(parts, cut, shift) for shift in (-_NUDGE, _NUDGE))
    known = min(1.0, plain / 0.8) ** 1.5
    touching = 1 - border_share(binary)
    return float(steady * np.exp(-4 * left_out) * np.sqrt(np.clip(1.02 - weak, 0, 1)) * touching**2 * known)


def border_share(binary: np.ndarray) -> float:
    """Part of the photo's border that the mask touches, 0..1."""
    return float(np.concatenate([binary[0], binary[-1], binary[:, 0], binary[:, -1]]).mean())


def refuse_nonsense(binary: np.ndarray, slope: np.ndarray, sure: np.ndarray) -> None:
    """Raises UnclearGarment for a mask [h,w] that can't be a garment's: nothing, everything, the border, a window."""
    area = binary.mean()
    if area < LEAST_AREA:
        raise UnclearGarment(f"Nothing large enough stands out from the background ({area:.1%} of it): {WAYS_OUT}.")
    if area > MOST_AREA or border_share(binary) > MOST_BORDER:
        cover = f"the mask would cover {area:.0%} of the photo and {border_share(binary):.0%} of its border"
        raise UnclearGarment(f"Garment and background can't be told apart ({cover}): {WAYS_OUT}.")
    if _window(binary, slope, sure):
        raise UnclearGarment(f"The photo's border looks like cloth and its middle like background: {WAYS_OUT}.")


def _steadiness(parts: Regions, cut: Split, shift: float) -> float:
    """IoU of the cut with itself after all evidence is shifted."""
    free = cut.gain > FIXED
    moved = minimum_cut(parts, np.where(free, cut.gain + shift * parts.area_px, cut.gain), cut.cost)
    still = minimum_cut(parts, cut.gain, cut.cost)
    either = parts.area_px[moved | still].sum()
    return float(parts.area_px[moved & still].sum() / either) if either else 0.0


def _window(binary: np.ndarray, slope: np.ndarray, sure: np.ndarray) -> bool:
    """Smooth inside, rough outside and hardly a dent in the outline: paper seen past cloth that fills the border."""
    deep = ndimage.binary_erosion(binary, iterations=6)
    if not deep.any() or not sure.any():
        return False
    rough, smooth = np.median(slope[sure]), np.median(slope[deep])
    return bool(rough > 0.6 and smooth < 0.4 * rough and np.percentile(slope[deep], 90) < 0.6 * rough)
