"""Background seen through the garment: strap loops, gaps between sleeve and body; and prints that only look like it.

Colour alone can't tell a white print from white paper; where in the garment it lies, and how thick its rim is, can.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .clean import SPECK_SHARE

_DEEP = 0.55
"""A hole further from the outline than this part of the garment's half width is a print."""
_RIM = 0.03
"""Straps are thinner than this part of the photo's shorter side."""


def gaps_settled(binary: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """[H,W] bool with prints filled in and strap loops cut out.

    Args:
        binary: [H,W] bool, holes where the cut found background.
        shade: [H,W] bool, pixels with the background's own colour, lit or shaded.
    """
    whole = ndimage.binary_fill_holes(binary)
    depth = ndimage.distance_transform_edt(whole)
    solid = whole & ~_through(whole & ~binary, depth)
    return solid & ~_loops(solid, shade, depth)


def _through(holes: np.ndarray, depth: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(holes)
    if not count:
        return holes
    area = np.bincount(labels.ravel())
    nearest = np.r_[0, ndimage.minimum(depth, labels, np.arange(1, count + 1))]
    real = (area >= SPECK_SHARE * np.count_nonzero(depth)) & (nearest < _DEEP * depth.max())
    real[0] = False
    return real[labels]


def _loops(solid: np.ndarray, shade: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Shaded background that thin cloth encloses on all sides; a garment of that colour itself has none."""
    inside = solid & shade
    if inside.sum() > 0.25 * solid.sum():
        return np.zeros_like(solid)
    labels, count = ndimage.label(ndimage.binary_opening(inside, iterations=1))
    area = np.bincount(labels.ravel(), minlength=count + 1)
    rim_px = _RIM * min(solid.shape)
    least = 2 * SPECK_SHARE * solid.sum()
    found = np.zeros_like(solid)
    for i, (rows, cols) in enumerate(ndimage.find_objects(labels), 1):
        near = np.s_[max(0, rows.start - 3) : rows.stop + 3, max(0, cols.start - 3) : cols.stop + 3]
        loop = labels[near] == i
        rim = depth[near][ndimage.binary_dilation(loop, iterations=2) & ~loop]
        if area[i] >= least and (rim < rim_px).mean() > 0.85 and rim.min() >= 1:
            found[near] |= ndimage.binary_dilation(loop) & inside[near]
    return found
