"""How much of a view's picture may colour the garment: nothing from the strip in which cloth and background mix.

How wide that strip is depends on the picture's blur, so it is measured in each picture from the colours themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from ...camera import mask_box

LEAST_PX = 1.5
"""A mask's edge is never trusted closer than this."""
RAMP_PX = 1.5
"""Over which trust rises from 0 to 1."""
LEAST_REACH_PX, REACH = 6.0, 0.07
"""How deep the edge's blur is looked for, in pixels and in the mask's longest side."""
MOST = 0.045
"""The strip is never wider than this share of the mask's longest side (or LEAST_PX)."""
AROUND_PX = 8
"""How far around the mask distances are measured."""
LEAST_STEPS = 8
"""Half pixels of depth that a mask must have for its blur to be measured."""
OUTSIDE_PX = 3.0
"""So far outside the mask the background is surely itself, beyond the blur that was met."""
HIGH, LOW = 0.16, 0.05
"""Shares of background at which the blur's width is read: one sigma and 1.65 sigma into a blurred step."""
CALM = 0.08
"""A blurred step falls by less than this share of its steepest fall beyond 2.2 sigma."""
AROUND = 1.5
"""The strip is no wider than so many times that of the usual place along the edge."""
TAIL = 0.9
"""How much further than between the two readings the background reaches, down to a hundredth."""


class Strip(NamedTuple):
    """What is known of the edge of one mask."""

    distance_px: np.ndarray
    """[H,W] float32, positive inside the mask, measured to AROUND_PX outside it."""
    width_px: float
    """How far inside the edge cloth begins to be itself."""


def strip_of(rgb: np.ndarray, soft: np.ndarray) -> Strip:
    """The Strip of a [H,W,3] picture in 0..255 and its [H,W] mask; an empty mask has distances below 0 only."""
    solid = soft >= 0.5
    if not solid.any():
        return Strip(signed_distance(solid), LEAST_PX)
    x0, y0, x1, y1 = mask_box(soft)
    # Only around the garment is anything measured: views leave half of their picture empty.
    window = np.s_[max(y0 - AROUND_PX, 0) : y1 + AROUND_PX, max(x0 - AROUND_PX, 0) : x1 + AROUND_PX]
    distance = np.full(soft.shape, -float(AROUND_PX), np.float32)
    distance[window] = signed_distance(solid[window])
    length = max(x1 - x0, y1 - y0)
    width = _mixed_width(rgb[window], distance[window], max(LEAST_REACH_PX, REACH * length))
    return Strip(distance, float(np.clip(width, LEAST_PX, max(LEAST_PX, MOST * length))))


def signed_distance(solid: np.ndarray) -> np.ndarray:
    """[H,W] float32 pixels to the edge of a binary mask, positive inside; all or nothing gives the picture's size."""
    if solid.all() or not solid.any():
        return np.full(solid.shape, float(max(solid.shape)) * (1 if solid.all() else -1), np.float32)
    inside, outside = np.asarray(distance_transform_edt(solid)), np.asarray(distance_transform_edt(~solid))
    # Half a pixel lies between the two transforms.
    return np.where(solid, inside - 0.5, 0.5 - outside).astype(np.float32)


def trust_of(strip: Strip) -> np.ndarray:
    """[H,W] float32: 0 outside and in the strip, then rising to 1."""
    return np.clip((strip.distance_px - strip.width_px) / RAMP_PX, 0, 1).astype(np.float32)


def _mixed_width(rgb: np.ndarray, distance: np.ndarray, reach: float) -> float:
    """How far inside the edge the background's share, averaged along the edge, has fallen to nothing."""
    near = (distance > 0) & (distance < reach)
    cloth, background = _nearest(rgb, distance >= reach, near), _nearest(rgb, distance < -OUTSIDE_PX, near)
    if cloth is None or background is None:
        return 0.0
    apart = background - cloth
    place = np.floor(2 * distance[near]).astype(int)
    whole = np.square(apart).sum(1) + 1e-3
    share = ((rgb[near] - cloth) * apart).sum(1) / whole
    count, depth, mixed, total = (
        np.bincount(place, v) for v in (np.ones(len(place)), distance[near], share * whole, whole)
    )
    some = count > 0
    if some.sum() < LEAST_STEPS:
        return 0.0
    depth = depth[some] / count[some]
    mean, usual = _fallen(mixed[some] / total[some], depth), _fallen(_medians(place, share, whole)[some], depth)
    # A collar of another colour is no halo: that goes all around.
    return min(mean, AROUND * max(usual, LEAST_PX))


def _medians(place: np.ndarray, share: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[P] weighted median of the shares at each place."""
    order = np.lexsort((share, place))
    total = np.bincount(place, weight)
    passed = np.cumsum(weight[order]) - (np.cumsum(total) - total)[place[order]]
    result = np.full(len(total), -1.0)
    below = order[passed <= 0.5 * total[place[order]]]
    np.maximum.at(result, place[below], share[below])
    return result


def _fallen(share: np.ndarray, depth: np.ndarray) -> float:
    """The depth at which a profile has joined the slow drift that cloth has by itself, its shade towards the edge."""
    far = depth > 0.5 * depth[-1]
    excess = share - np.polyval(np.polyfit(depth[far], share[far], 1), depth)
    high, low = (_crossing(excess, depth, level) for level in (HIGH, LOW))
    # A blurred step falls from HIGH to LOW in 0.65 of its sigma, and from LOW to nothing in one more half.
    return min(low + TAIL * (low - high), _flat(excess, depth)) if low else 0.0


def _flat(excess: np.ndarray, depth: np.ndarray) -> float:
    """Where a profile falls by hardly anything any more, compared with its steepest place."""
    even = np.arange(depth[0], depth[-1], 0.5)
    fall = -np.gradient(np.interp(even, depth, excess), 0.5)
    steepest = int(fall.argmax())
    calm = np.flatnonzero(fall[steepest:] < CALM * fall[steepest])
    return float(even[steepest + calm[0]] + 0.5) if len(calm) else float(depth[-1])


def _crossing(excess: np.ndarray, depth: np.ndarray, level: float) -> float:
    """Where a profile falls below a level for the first time, 0 where it starts below."""
    below = np.flatnonzero(excess < level)
    if not len(below) or below[0] == 0:
        return 0.0 if len(below) else float(depth[-1])
    i = below[0]
    return float(np.interp(level, excess[[i, i - 1]], depth[[i, i - 1]]))


def _nearest(rgb: np.ndarray, source: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """[N,3] float32 colour of the nearest source pixel to each of the wanted ones; None without any source."""
    if not source.any():
        return None
    index = np.asarray(distance_transform_edt(~source, return_distances=False, return_indices=True))[:, wanted]
    return rgb[index[0], index[1]].astype(np.float32)
