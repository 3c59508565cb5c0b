"""A seeded minimum cut over small regions of the photo: the outline that costs least where evidence is weak.

Regions are watershed basins of the gradient, so a cut can only run along edges and a thin strap is a region of its own.
Source: Li et al., Lazy Snapping (2004); Boykov and Jolly, Interactive Graph Cuts (2001).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage, sparse

CELL = 1 / 48
"""Flat areas are split into cells of this part of the longer side, or paper and flat white cloth would be one."""
_SCALE = 100
"""Capacities are integers for scipy's solver."""


class Regions(NamedTuple):
    """A partition of the photo and which regions touch."""

    labels: np.ndarray
    """[H,W] int32, 0..N-1."""
    area_px: np.ndarray
    """[N]."""
    pairs: np.ndarray
    """[E,2] touching regions, first < second."""
    length: np.ndarray
    """[E] length of the common border in pixels."""
    edge: np.ndarray
    """[E] mean gradient along the common border."""


def gradient(lab: np.ndarray, sigma_px: float = 0.8) -> np.ndarray:
    """[H,W] float32 length of the Lab gradient per pixel, lightly smoothed."""
    smooth = ndimage.gaussian_filter(lab, (sigma_px, sigma_px, 0), truncate=3)
    total = np.zeros(lab.shape[:2], np.float32)
    for axis in (0, 1):
        ahead = ndimage.correlate1d(smooth, [-0.5, 0, 0.5], axis=axis, mode="nearest")
        total += np.square(ahead).sum(-1)
    return np.sqrt(total)


def regions(slope: np.ndarray, quiet: float) -> Regions:
    """Watershed basins of an [H,W] gradient; ripples below `quiet` make no basins of their own."""
    from skimage.segmentation import watershed

    level = np.maximum(slope, quiet)
    lowest = ndimage.minimum_filter(level, 5) == level
    markers, _ = ndimage.label(lowest)
    cell = max(6, round(CELL * max(slope.shape)))
    rows, cols = np.nonzero(lowest)
    pieces = (markers[rows, cols].astype(np.int64) * 4096 + rows // cell) * 4096 + cols // cell
    markers[rows, cols] = np.unique(pieces, return_inverse=True)[1].ravel() + 1
    labels = watershed(level, markers).astype(np.int32) - 1
    return Regions(labels, np.bincount(labels.ravel()), *_borders(labels, slope))


def _borders(labels: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second, edge = [], [], []
    for a, b, sa, sb in (
        (labels[:, :-1], labels[:, 1:], slope[:, :-1], slope[:, 1:]),
        (labels[:-1], labels[1:], slope[:-1], slope[1:]),
    ):
        cross = a != b
        first.append(np.minimum(a[cross], b[cross]))
        second.append(np.maximum(a[cross], b[cross]))
        edge.append(np.maximum(sa[cross], sb[cross]))
    count = int(labels.max()) + 1
    key = np.concatenate(first).astype(np.int64) * count + np.concatenate(second)
    unique, inverse = np.unique(key, return_inverse=True)
    length = np.bincount(inverse).astype(np.float64)
    mean = np.bincount(inverse, np.concatenate(edge)) / length
    return np.stack([unique // count, unique % count], 1), length, mean


def minimum_cut(parts: Regions, garment_gain: np.ndarray, border_cost: np.ndarray) -> np.ndarray:
    """[N] bool, True = garment, for each region's gain (negative = background) and each pair's cost of parting."""
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    count = len(garment_gain)
    source, sink = count, count + 1
    gain = np.clip(garment_gain * _SCALE, -1e8, 1e8).astype(np.int32)
    cost = np.clip(border_cost * _SCALE, 0, 1e8).astype(np.int32)
    plus, minus = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    rows = np.concatenate([parts.pairs[:, 0], parts.pairs[:, 1], np.full(len(plus), source), minus])
    cols = np.concatenate([parts.pairs[:, 1], parts.pairs[:, 0], plus, np.full(len(minus), sink)])
    values = np.concatenate([cost, cost, gain[plus], -gain[minus]])
    graph = sparse.csr_matrix((values, (rows, cols)), (count + 2, count + 2), dtype=np.int32)
    graph.eliminate_zeros()
    left = graph - maximum_flow(graph, source, sink).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    garment = np.zeros(count + 2, bool)
    garment[breadth_first_order(left, source, return_predecessors=False)] = True
    return garment[:count]
