"""Signs that a photo shows a person: skin in a face's place and again at hands, arms or legs.

What such a photo's outline holds is a body, so it must not pass for a garment's mask.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_TOP = 1 / 6
"""A standing person's head is within this part of the outline's height."""
_FACE = 0.78
"""Least height of a face in its widths, be it under a hat; the shaded inside of a neckline is wider."""
_LEAST_BLOB = 0.004
"""Hands and faces are larger than this part of the outline's area; flecks of a print are not."""


def shows_person(lab: np.ndarray, binary: np.ndarray) -> bool:
    """Whether the outline [H,W] bool in an [H,W,3] Lab picture is a person's; no outline is nobody's.

    Cloth in one skin-like colour, prints and checks are told apart by where the skin is and that it lies in few areas.
    """
    rows = np.flatnonzero(binary.any(1))
    if not len(rows):
        return False
    skin = ndimage.binary_opening(skin_coloured(lab) & binary, iterations=2)
    labels, count = ndimage.label(skin)
    area, whole = np.bincount(labels.ravel(), minlength=count + 1)[1:], np.count_nonzero(binary)
    large = np.sort(area[area >= _LEAST_BLOB * whole])[::-1]
    if len(large) < 2 or large[:6].sum() < 0.75 * area.sum() or area.sum() > 0.65 * whole:
        return False
    top = np.s_[rows[0] : rows[0] + max(1, round(_TOP * (rows[-1] - rows[0])))]
    at_top = np.bincount(labels[top].ravel(), minlength=count + 1)
    at_top[0] = 0
    face = labels[top] == at_top.argmax()
    narrow = face.any(0).sum() < 0.6 * binary.any(0).sum()
    whole_face = labels == at_top.argmax()
    upright = np.count_nonzero(whole_face.any(1)) > _FACE * np.count_nonzero(whole_face.any(0))
    return bool(at_top.sum() > 0.15 * np.count_nonzero(binary[top]) and narrow and upright)


def skin_coloured(lab: np.ndarray) -> np.ndarray:
    """[H,W] bool where an [H,W,3] Lab picture has a colour of human skin: one range of hue for every complexion."""
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue_deg = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    return (lightness > 18) & (lightness < 92) & (chroma > 9) & (chroma < 45) & (hue_deg > 20) & (hue_deg < 78)
