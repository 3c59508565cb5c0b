"""What on the front is not cloth: prints, labels, buttons; told from an all-over pattern, which is cloth.

A print is what can't be reached from the garment's calm rim without crossing a strong edge. Where a pattern spreads over
the whole garment nothing is taken for a print.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .fill import harmonic

LIGHTNESS = 0.7
"""Weight of lightness against colour: folds change the first, prints both."""
EDGE = 6.0
"""Weighted Lab difference per pixel that plain cloth and its folds stay below."""
CALM = 5.0
"""Four fifths of a neighbourhood on the rim stay below this where it counts as plain cloth."""
PATTERN = 1.6
"""The mean edge that an all-over pattern has in at least three quarters of the garment's cells."""
CELL_PX = 16
CONTRAST = 10.0
"""Weighted Lab difference to the cloth around it that makes a print."""
RIM_PX = 6
CLOSE_PX, GROW_PX = 5, 3
"""Gaps in a print that are taken with it, and how far its soft edge reaches."""


class Cloth(NamedTuple):
    """The garment's front at low resolution."""

    rgb: np.ndarray
    """[h,w,3] float32 in 0..255, background replaced by the nearest cloth."""
    deep_px: np.ndarray
    """[h,w] float32 distance inside the trusted rim, negative beyond it."""
    neck: np.ndarray
    """[h,w] bool, the inside of the back and the collar below it."""


class Found(NamedTuple):
    """What must not go to the back."""

    patterned: bool
    """True where an all-over pattern is part of the cloth."""
    remove: np.ndarray
    """[h,w] bool."""


def find_prints(cloth: Cloth) -> Found:
    """Prints and the neckline on the grid of `cloth`; of a patterned garment the neckline alone."""
    valid = (cloth.deep_px > 0) & ~cloth.neck
    lab = lab_of(cloth.rgb) * [LIGHTNESS, 1, 1]
    edges = _edges(lab)
    if _is_patterned(edges, valid):
        return Found(True, cloth.neck)
    unreached = valid & ~_reached(edges, valid, cloth.deep_px)
    return Found(False, cloth.neck | _prints(lab, unreached, valid))


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """[h,w,3] CIE Lab (D65) of sRGB in 0..255."""
    from skimage.color import rgb2lab

    return rgb2lab(np.clip(rgb / 255, 0, 1))


def _edges(lab: np.ndarray) -> np.ndarray:
    """[h,w] length of the colour gradient per pixel."""
    square = np.zeros(lab.shape[:2])
    for channel in np.moveaxis(lab, -1, 0):
        for order in ((0, 1), (1, 0)):
            square += ndimage.gaussian_filter(channel, 1.0, order=order) ** 2
    return np.sqrt(square)


def _is_patterned(edges: np.ndarray, valid: np.ndarray) -> bool:
    height, width = (-(-side // CELL_PX) * CELL_PX for side in edges.shape)
    padding = ((0, height - edges.shape[0]), (0, width - edges.shape[1]))

    def cells(values: np.ndarray) -> np.ndarray:
        blocks = np.pad(values.astype(float), padding).reshape(height // CELL_PX, CELL_PX, -1, CELL_PX)
        return blocks.mean((1, 3)).ravel()

    share = cells(valid)
    filled = share > 0.5
    return bool(filled.any()) and float(np.percentile((cells(edges * valid) / share.clip(1e-9))[filled], 25)) > PATTERN


def _reached(edges: np.ndarray, valid: np.ndarray, deep_px: np.ndarray) -> np.ndarray:
    """[h,w] bool, what a calm rim leads to without a strong edge."""
    from skimage.morphology import reconstruction

    busy = ndimage.percentile_filter(np.where(valid, edges, 0), 80, size=7)
    calm = ndimage.maximum_filter(busy, 3) < CALM
    seeds = valid & (deep_px < RIM_PX) & calm
    level = np.where(valid, edges, 1e3)
    # The least edge that a way from the rim must cross: a reconstruction by erosion.
    return reconstruction(np.where(seeds, level, 1e3), level, method="erosion") <= EDGE


def _prints(lab: np.ndarray, unreached: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """[h,w] bool: of the unreached places those that differ from the cloth around, and what they enclose."""
    around = ndimage.binary_dilation(unreached, iterations=2)
    smooth = harmonic(lab, valid & ~around, valid)
    apart = unreached & (np.linalg.norm(lab - smooth, axis=-1) > CONTRAST)
    label, count = ndimage.label(unreached, np.ones((3, 3)))
    if not count:
        return np.zeros_like(valid)
    share = ndimage.mean(apart, label, np.arange(count + 1))
    share[0] = 0
    print_ = apart | (share > 0.25)[label]
    print_ = ndimage.binary_opening(print_, iterations=1) | ndimage.binary_dilation(apart & print_, iterations=1)
    disc = _disc(CLOSE_PX)
    padded = np.pad(print_, CLOSE_PX)
    closed = ndimage.binary_closing(padded, disc)[CLOSE_PX:-CLOSE_PX, CLOSE_PX:-CLOSE_PX]
    return ndimage.binary_dilation(ndimage.binary_fill_holes(closed), _disc(GROW_PX)) & valid


def _disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2
