"""Garment and background parted by cuts that learn from each other: cut, look at what is inside, cut again.

A first cut knows only the background; the second knows the garment's colours, and so tells shadow from cloth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage, sparse

from .cut import Regions, minimum_cut
from .evidence import Evidence, learned, log_ratio, uniform

UNIT_PX = 768
"""Lengths below are for a photo of this longest side and scale with it."""
_ROUNDS = 3
CUT_COST = 8.0
"""Price of one pixel of outline where no edge is seen, in pixels of clear evidence, at UNIT_PX."""
FIXED = -1e6
"""Gain of a region that is background for certain."""
_CUT_FLOOR = 0.02
"""Part of that price that remains on the strongest edge, against fringes."""
_DEEP_PX = 14
"""Inside by this much a pixel is surely the garment's, not its shadow's."""
_SHADOW_PX = 45
"""Shadows of flat garments are not wider."""
_SHADOW_WEIGHT = 0.2
"""What a shadow-like pixel still counts for the garment when background reaches it without crossing an edge."""
_PENUMBRA = 2.5
"""Steepest change of lightness per pixel within a shadow."""
_BRIDGES_PX = (4, 7, 12, 20)
"""Widths across which pieces of one garment are joined, narrow first: pale stripes look like gaps."""

_DOUBT = 0.1
"""What evidence for background between such pieces still counts, each time."""


class Split(NamedTuple):
    """A cut and what it was decided by."""

    binary: np.ndarray
    """[H,W] bool, True = garment."""
    gain: np.ndarray
    """[N] what each region gained for the garment; negative speaks for background."""
    cost: np.ndarray
    """[E] price of each pair of regions being parted."""


def split(parts: Regions, evidence: Evidence, slope: np.ndarray, quiet: float, outside: np.ndarray) -> Split:
    """Garment and background of the working picture; nothing but background gives an empty mask.

    Args:
        outside: [H,W] bool, background unless it looks like garment (the border ring).
    """
    unit = max(slope.shape) / UNIT_PX
    cost = border_cost(parts, slope, quiet) * unit
    garment, reached = uniform(evidence), np.zeros(len(parts.area_px), bool)
    fixed, weight = reached, 1.0
    result = Split(np.zeros(slope.shape, bool), cost, cost)
    for i in range(_ROUNDS):
        gain = region_mean(parts, log_ratio(evidence, garment)) * parts.area_px
        if i == 0:
            fixed = (region_mean(parts, outside) > 0.3) & (gain < 0)
        gain[reached & (gain > 0)] *= weight
        gain[fixed] = FIXED
        result = _joined(parts, Split(result.binary, gain, cost), fixed, unit)
        depth = ndimage.distance_transform_edt(result.binary)
        if i == 0:
            reached = _shadow_reached(parts, evidence, result.binary, _rim(evidence, depth, unit), fixed, quiet)
            weight = _shadow_weight(evidence, depth, reached[parts.labels], unit)
        garment = learned(evidence, _typical(evidence, depth, reached[parts.labels], unit))
    return result


def region_mean(parts: Regions, values: np.ndarray) -> np.ndarray:
    """[N] mean of [H,W] values over each region."""
    return np.bincount(parts.labels.ravel(), values.ravel(), len(parts.area_px)) / parts.area_px


def border_cost(parts: Regions, slope: np.ndarray, quiet: float) -> np.ndarray:
    """[E] price of cutting between two regions: little along edges that stand out from what is around them."""
    strongest = region_mean(parts, ndimage.maximum_filter(slope, 13))
    clear = 2 * quiet + 0.25 * strongest[parts.pairs].max(1)
    return CUT_COST * parts.length * (np.exp(-np.square(parts.edge / clear)) + _CUT_FLOOR)


def _joined(parts: Regions, start: Split, fixed: np.ndarray, unit: float) -> Split:
    """The cut, repeated with less trust in background between pieces until the garment is one piece."""
    gain = start.gain
    for bridge_px in (*_BRIDGES_PX, 0):
        binary = minimum_cut(parts, gain, start.cost)[parts.labels]
        if not bridge_px or not _falls_apart(binary):
            break
        reach = bridge_px * unit
        near = ndimage.distance_transform_edt(~binary) <= reach
        between = ndimage.distance_transform_edt(near) > reach
        doubted = (region_mean(parts, between) > 0.5) & (gain < 0) & ~fixed
        gain = np.where(doubted, gain * _DOUBT, gain)
    return Split(binary, gain, start.cost)


def _falls_apart(binary: np.ndarray) -> bool:
    labels, count = ndimage.label(binary)
    if count < 2:
        return False
    area = np.sort(np.bincount(labels.ravel())[1:])
    return area[-1] <= 0.97 * area.sum()


def _rim(evidence: Evidence, depth: np.ndarray, unit: float) -> np.ndarray:
    """[H,W] bool, how deep shadow may reach: anywhere when the garment's inside holds nothing of its colour."""
    rim = depth < _SHADOW_PX * unit
    inside = ~rim
    alike = np.count_nonzero(evidence.shade & inside) > 0.1 * np.count_nonzero(inside)
    return rim if alike else np.ones_like(rim)


def _shadow_weight(evidence: Evidence, depth: np.ndarray, reached: np.ndarray, unit: float) -> float:
    """What shadow-like pixels count for the garment: nothing where the cloth at its outline never looks like that."""
    rim = (depth > 0) & (depth < _SHADOW_PX * unit)
    cloth = rim & ~reached
    colourful = np.count_nonzero(cloth & evidence.shade) < 0.05 * np.count_nonzero(cloth)
    return 0.0 if colourful and cloth.sum() > 0.5 * rim.sum() else _SHADOW_WEIGHT


def _shadow_reached(
    parts: Regions, evidence: Evidence, binary: np.ndarray, rim: np.ndarray, fixed: np.ndarray, quiet: float
) -> np.ndarray:
    """[N] bool, shadow-like regions that the background reaches without crossing an edge."""
    from scipy.sparse.csgraph import connected_components

    count = len(parts.area_px)
    shaded = (region_mean(parts, evidence.shade) > 0.45) & (region_mean(parts, rim) > 0.5)
    open_way = shaded | (region_mean(parts, binary) < 0.5)
    passable = open_way[parts.pairs].all(1) & (parts.edge < _PENUMBRA + quiet)
    first, second = parts.pairs[passable].T
    ways = sparse.coo_matrix((np.ones(len(first)), (first, second)), (count, count))
    _, group = connected_components(ways, directed=False)
    return np.isin(group, np.unique(group[fixed])) & shaded


def _typical(evidence: Evidence, depth: np.ndarray, reached: np.ndarray, unit: float) -> np.ndarray:
    """[H,W] bool, pixels that show the garment and neither its shadow nor a gap that is not cut out yet."""
    area = np.count_nonzero(depth)
    deep = depth > _DEEP_PX * unit
    if deep.sum() < 0.2 * area:
        deep = depth > 0.3 * _DEEP_PX * unit
    own = deep & ~reached & ~(evidence.shade & (depth < _SHADOW_PX * unit))
    if own.sum() >= 0.25 * deep.sum():
        return own
    own = deep & ~reached
    return own if own.sum() > 0.05 * area else deep
