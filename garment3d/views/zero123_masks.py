"""Masks of pictures on a plain bright background, above all of white cloth on the white that Zero123 paints.

What is surely darker or coloured is garment and what is far from it is background; a minimum cut settles the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

LEVEL = 1 / 255
SURE = 6.0
"""A pixel this many times the grain away from the background is garment for sure,"""
FAINT = 4.0
"""and a few together this far show how wide it may reach."""
NOTHING = 3.0
"""Less than this says nothing."""
LEAST_LEVELS = 3.0
"""Differences below these are never sure, however clean the picture is."""
GRAIN_LEVELS = 0.35
"""Least grain: pictures of 8 bits hide what is smaller."""
STEEP_LEVELS = 2.0
"""Levels per pixel at which a slope begins to be the garment's edge; cloth shades off more slowly."""
DOUBT = 0.06
"""How far an undecided pixel leans to background, in lengths of outline: 17 of them outweigh one pixel of it."""
RING_PX = 5
DRIFT_PX = 20
"""The background's colour drifts over no less than this."""
EDGE_WIDTH_PX = 2.8
"""Contrast of an edge over its steepest slope, as the autoencoder and the smoothing here leave it."""


class _Apart(NamedTuple):
    """How a picture differs from its background."""

    smooth: np.ndarray
    """[H,W,3] difference to the background without the grain."""
    sharp: np.ndarray
    """[H,W] largest difference of a channel, hardly smoothed."""
    excess: np.ndarray
    """[H,W] largest smoothed difference of a channel in units of the grain."""
    grain: float


def view_masks(
    images: torch.Tensor,
    front: torch.Tensor | None = None,
    front_views: Sequence[int] = (0,),
    progress: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """[V,H,W] float32 soft masks of [V,H,W,3] sRGB pictures in 0..1; a picture of background alone has an empty one.

    Args:
        front: [H,W] mask of the photo's own view, taken as it is.
        front_views: which views that is.
        progress: told the masks done and their total; may raise to stop.

    Source: minimum cut after Boykov and Jolly, Interactive Graph Cuts (2001); the evidence and the edge are own.
    """
    known = set(front_views) if front is not None else set()
    masks = []
    for i, picture in enumerate(images.detach().float().cpu().numpy()):
        masks.append(np.asarray(front, np.float32) if i in known else view_mask(picture))
        if progress is not None:
            progress(i + 1, len(images))
    return torch.from_numpy(np.stack(masks)).to(images.device)


def view_mask(picture: np.ndarray) -> np.ndarray:
    """[H,W] float32 soft mask of one [H,W,3] picture in 0..1; nothing but background gives an empty one."""
    apart = _apart(picture)
    sure = _pieces(apart.excess > max(SURE, LEAST_LEVELS * LEVEL / apart.grain), 10)
    if not sure.any():
        return np.zeros(sure.shape, np.float32)
    within = _around(sure | _pieces(apart.excess > FAINT, 12))
    lean = DOUBT * np.where(apart.excess < NOTHING, -1.0, apart.excess - NOTHING)
    return _softened(_cut(sure, ~within, _slope(apart.smooth), lean), apart.sharp).astype(np.float32)


def _apart(picture: np.ndarray) -> _Apart:
    from scipy import ndimage

    away = _background(picture) - picture
    smooth = ndimage.gaussian_filter(away, (1, 1, 0))
    strength = np.abs(smooth).max(2)
    outside = _reached(strength < NOTHING * LEVEL)
    grain = 1.4826 * float(np.median(strength[outside])) if outside.any() else 0.0
    grain = max(GRAIN_LEVELS * LEVEL, grain)
    sharp = np.abs(ndimage.gaussian_filter(away, (0.6, 0.6, 0))).max(2)
    return _Apart(smooth, sharp, strength / grain, grain)


def _background(picture: np.ndarray) -> np.ndarray:
    """[H,W,3] what the picture would be without the garment: the border's colour, drifting as what it reaches does."""
    from scipy import ndimage

    ring = np.ones(picture.shape[:2], bool)
    ring[RING_PX:-RING_PX, RING_PX:-RING_PX] = False
    color = np.median(picture[ring], 0)
    surface = np.broadcast_to(color, picture.shape)
    seen = ring & (np.abs(picture - color).max(2) < 2 * NOTHING * LEVEL)
    for _ in range(2):
        weight = ndimage.gaussian_filter(seen.astype(np.float32), DRIFT_PX)[..., None]
        drift = ndimage.gaussian_filter(np.where(seen[..., None], picture - color, 0), (DRIFT_PX, DRIFT_PX, 0))
        surface = drift / (weight + 0.02) + color
        near = np.abs(ndimage.gaussian_filter(surface - picture, (1, 1, 0))).max(2) < NOTHING * LEVEL
        seen = ndimage.binary_erosion(_reached(near), iterations=3)
    return surface


def _reached(free: np.ndarray) -> np.ndarray:
    """[H,W] bool, the parts of `free` that touch the picture's border."""
    from scipy import ndimage

    labels = np.asarray(ndimage.label(free)[0])
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, edge[edge > 0])


def _pieces(binary: np.ndarray, least_px: int) -> np.ndarray:
    """[H,W] bool, the connected pieces of at least that many pixels: grain makes smaller ones."""
    from scipy import ndimage

    labels = np.asarray(ndimage.label(binary, np.ones((3, 3)))[0])
    size = np.bincount(labels.ravel())
    size[0] = 0
    return size[labels] >= least_px


def _around(binary: np.ndarray) -> np.ndarray:
    """[H,W] bool, the convex hull and a little more: no garment reaches far beyond all that is seen of it."""
    from scipy import ndimage
    from skimage.morphology import convex_hull_image

    return np.asarray(ndimage.binary_dilation(convex_hull_image(binary), iterations=2))


def _slope(smooth: np.ndarray) -> np.ndarray:
    """[H,W] steepest slope of any channel in levels per pixel, an edge's spread over its flanks.

    The cut runs in the flank, where the picture is all but background already.
    """
    from scipy import ndimage

    steepest = np.max([_steepness(channel) for channel in np.moveaxis(smooth, 2, 0)], 0)
    return ndimage.maximum_filter(steepest, 3) / LEVEL


def _steepness(plane: np.ndarray) -> np.ndarray:
    """[H,W] slope per pixel of one channel."""
    from scipy import ndimage

    return np.hypot(ndimage.sobel(plane, 0), ndimage.sobel(plane, 1)) / 8  # Sobel's weights add up to 8


def _cut(sure: np.ndarray, outside: np.ndarray, slope: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """[H,W] bool: the garment whose outline between `sure` and `outside` is the shortest where no edge shows."""
    from scipy import sparse
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    free = ~sure & ~outside
    count = int(free.sum())
    node = np.where(sure, count, count + 1)
    node[free] = np.arange(count)
    first, second, length = _links(node, slope, count)
    towards = lean[free]
    inner, outer = np.flatnonzero(towards > 0), np.flatnonzero(towards < 0)
    rows = np.concatenate([first, second, np.full(len(inner), count), outer])
    cols = np.concatenate([second, first, inner, np.full(len(outer), count + 1)])
    cost = np.concatenate([length, length, towards[inner], -towards[outer]])
    graph = sparse.csr_matrix((cost, (rows, cols)), (count + 2, count + 2))
    graph.data = (graph.data * 1000).astype(np.int32)  # the solver takes whole numbers
    left = graph - maximum_flow(graph, count, count + 1).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    garment = np.zeros(count + 2, bool)
    garment[breadth_first_order(left, count, return_predecessors=False)] = True
    return garment[node]


def _links(node: np.ndarray, slope: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[E] both ends and [E] cost of parting all neighbours, the diagonal ones included; an edge makes it cheap."""
    first, second, cost = [], [], []
    height, width = node.shape
    for dy, dx, share in ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.7), (1, -1, 0.7)):
        here = np.s_[: height - dy, max(0, -dx) : width - max(0, dx)]
        there = np.s_[dy:, max(0, dx) : width - max(0, -dx)]
        a, b = node[here], node[there]
        apart = (a != b) & ((a < count) | (b < count))
        steep = np.maximum(slope[here], slope[there])[apart] / STEEP_LEVELS
        first.append(a[apart])
        second.append(b[apart])
        cost.append(share * np.exp(-np.square(steep)))
    return np.concatenate(first), np.concatenate(second), np.concatenate(cost)


def _softened(garment: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """[H,W] soft mask, one half where the difference to the background is half of the edge's own contrast.

    The contrast is the largest nearby, but no more than the slope there can rise to: behind a lit rim the cloth is
    much darker than at the outline.
    """
    from scipy import ndimage

    largest = ndimage.maximum_filter(np.where(garment, sharp, 0), 7)
    contrast = np.minimum(largest, EDGE_WIDTH_PX * ndimage.maximum_filter(_steepness(sharp), 5))
    core = np.asarray(ndimage.binary_erosion(garment, iterations=4, border_value=1))
    rim = np.asarray(ndimage.binary_dilation(garment)) & ~core & (contrast > 5 * LEVEL)
    return np.where(rim, np.clip(sharp / np.maximum(contrast, LEVEL), 0, 1), garment)
