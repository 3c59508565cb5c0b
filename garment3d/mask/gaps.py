"""Background seen through the garment: strap loops, gaps between sleeve and body; and prints that only look like it.

Colour alone can't tell a white print from white paper; where in the garment it lies, and how thick its rim is, can.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .clean import SPECK_SHARE

_DEEP = 0.4
"""A hole further from the outline than this part of the garment's half width is a print."""
_ALIKE = 0.75
"""Least part of a hole that must have the background's colour; a label has lettering on it."""
_MANY = 8
"""More holes than this are a pattern in the background's colour."""
_NOTCH = 0.015
"""Half the widest stripe whose end is closed, as a part of the photo's shorter side."""
_NOTCHED = 0.6
"""Least part of a stripe end's rim that is cloth; a mere bend of the outline has half."""
_STRAP = 0.015
"""Straps have less than this part of the photo's shorter side as half width."""


def gaps_settled(binary: np.ndarray, paper: np.ndarray, tinted: np.ndarray) -> np.ndarray:
    """[H,W] bool with prints filled in and strap loops cut out.

    Args:
        binary: [H,W] bool, holes where the cut found background.
        paper: [H,W] bool, smooth pixels of the background's own colour, lit or slightly shaded.
        tinted: [H,W] bool, the same and what compression may have made of it in a narrow gap.
    """
    whole = ndimage.binary_fill_holes(binary)
    depth = ndimage.distance_transform_edt(whole)
    solid = whole & ~_through(whole & ~binary, paper, depth)
    return solid & ~_loops(solid, tinted, depth)


def stripes_closed(binary: np.ndarray, pale: np.ndarray) -> np.ndarray:
    """[H,W] bool with pale stripes filled that are open at the outline; a garment with none inside stays as it is.

    Args:
        binary: [H,W] bool, perhaps in pieces between such stripes.
        pale: [H,W] bool, pixels near the background's colour.
    """
    depth = ndimage.distance_transform_edt(binary)
    deep = depth > 0.25 * depth.max()
    if not deep.any() or not 0.12 < pale[deep].mean() < 0.7:
        return binary
    reach_px = _NOTCH * min(binary.shape)
    near = ndimage.distance_transform_edt(~binary) <= reach_px
    labels, count = ndimage.label((ndimage.distance_transform_edt(near) > reach_px) & ~binary)
    rim = ndimage.grey_dilation(labels, 3)
    rim[labels > 0] = 0
    area, alike, around, cloth = (
        np.bincount(a, minlength=count + 1) for a in (labels.ravel(), labels[pale], rim.ravel(), rim[binary])
    )
    notch = (cloth > _NOTCHED * around) & (alike > 0.4 * area)
    notch[0] = False
    return binary | notch[labels]


def _through(holes: np.ndarray, paper: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The holes that show the background: its colour all over, no deeper in the garment than a sleeve is wide."""
    labels, count = ndimage.label(holes)
    if not count:
        return holes
    area = np.bincount(labels.ravel())
    nearest = np.r_[0, ndimage.minimum(depth, labels, np.arange(1, count + 1))]
    core = np.where(ndimage.binary_erosion(holes, iterations=2), labels, 0)
    size, alike = (np.bincount(a, minlength=count + 1) for a in (core.ravel(), core[paper]))
    garment_area = np.count_nonzero(depth)
    real = (area >= SPECK_SHARE * garment_area) & (nearest < _DEEP * depth.max()) & (alike >= _ALIKE * size)
    real[0] = False
    if real.sum() > _MANY:
        real &= area > 0.005 * garment_area
    return real[labels]


def _loops(solid: np.ndarray, paper: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Shaded background that thin cloth encloses on all sides; a garment of that colour itself has none."""
    inside = solid & paper
    if inside.sum() > 0.4 * solid.sum():
        return np.zeros_like(solid)
    labels, count = ndimage.label(ndimage.binary_opening(inside, iterations=1))
    area = np.bincount(labels.ravel(), minlength=count + 1)
    strap_px = _STRAP * min(solid.shape)
    least = 2 * SPECK_SHARE * solid.sum()
    found = np.zeros_like(solid)
    for i, (rows, cols) in enumerate(ndimage.find_objects(labels), 1):
        reach = round(2 * strap_px) + 3
        near = np.s_[max(0, rows.start - reach) : rows.stop + reach, max(0, cols.start - reach) : cols.stop + reach]
        loop = ndimage.binary_dilation(labels[near] == i) & inside[near]
        if area[i] >= least and _held_by_straps(solid[near] & ~loop, loop, depth[near], strap_px):
            found[near] |= loop
    return found


def _held_by_straps(cloth: np.ndarray, loop: np.ndarray, depth: np.ndarray, strap_px: float) -> bool:
    """Whether the cloth all around the loop is a strap: thin, with the open background on its other side."""
    half_width = ndimage.maximum_filter(ndimage.distance_transform_edt(cloth), round(2 * strap_px) | 1)
    rim = ndimage.binary_dilation(loop, iterations=2) & ~loop
    if not rim.any() or depth[rim].min() < 1 or (depth[rim] < 3 * strap_px).mean() < 0.6:
        return False
    return bool((half_width[rim] < strap_px).mean() > 0.6)
