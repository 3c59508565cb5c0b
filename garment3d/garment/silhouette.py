"""A mask's outline as a dressmaker reads it: a loop with convex corners, and bays under its convex hull.

Corners end openings; bays are armpits, the crotch, and necks between straps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.signal import find_peaks

from .outline import Loop, Pocket, loop_of, offsets, pockets, turning

CORNER_SCALES = (0.008, 0.016)
"""Chord lengths, as shares of the outline, at which a corner is looked for: a strap's end and a rounded hem's."""
SLIT = 3.0
"""A bay so many times as deep as it is wide at its mouth lies between legs: no sleeves hang that far below a hem."""


class Silhouette(NamedTuple):
    """A loop with its corners; `mirrored` swaps image left and right, so that one routine reads both sides."""

    loop: Loop
    turn: np.ndarray
    """[N] radians turned at each point of the loop, the most over CORNER_SCALES; convex is positive."""
    corners: np.ndarray
    """[C] loop indices, ascending."""
    bays: list[Pocket]
    """Deepest first."""
    height: float
    """Of the outline, in pixels; so is `width`."""
    width: float

    @property
    def xy(self) -> np.ndarray:
        """[N,2] the loop's points in pixels."""
        return self.loop.points

    def mirrored(self) -> Silhouette:
        """The outline of the mirrored mask: index i becomes N - 1 - i, and x changes sign."""
        n = len(self.xy)
        bays = [Pocket(n - 1 - b.end, n - 1 - b.start, b.depth_px) for b in self.bays]
        points = (self.xy * np.array([-1.0, 1.0]))[::-1]
        return Silhouette(Loop(points), self.turn[::-1], n - 1 - self.corners[::-1], bays, self.height, self.width)


def silhouette(soft: np.ndarray) -> Silhouette:
    """The largest piece of a [H,W] soft mask with its corners and bays; an empty mask raises OutlineError."""
    loop = loop_of(soft)
    height, width = np.ptp(loop.points[:, 1]), np.ptp(loop.points[:, 0])
    turns = [turning(loop, scale) for scale in CORNER_SCALES]
    turn, n = np.max(turns, axis=0), len(loop.points)
    corners = np.empty(0, int)
    for at_scale in turns:  # fine first: two corners of a narrow cuff are one corner at the next scale
        peaks, _ = find_peaks(np.tile(at_scale, 3), height=0.2, distance=max(3, round(0.006 * n)))
        peaks = np.unique(peaks[(peaks >= n) & (peaks < 2 * n)] - n)
        corners = np.union1d(corners, [i for i in peaks if _ring_gap(corners, i, n) > 0.012 * n]).astype(int)
    hull_ends = np.array([i for b in pockets(loop, 0.015 * height) for i in (b.start, b.end)], int)
    corners = np.union1d(corners, [i for i in hull_ends if _ring_gap(corners, i, n) > 0.006 * n]).astype(int)
    return Silhouette(loop, turn, corners, pockets(loop, 0.02 * height), float(height), float(width))


def _ring_gap(indices: np.ndarray, index: int, count: int) -> int:
    """Steps round a loop of `count` points from `index` to the nearest of `indices`; `count` where there is none."""
    apart = np.abs(indices - index)
    return int(np.minimum(apart, count - apart).min(initial=count))


def bottom_bay(shape: Silhouette) -> Pocket | None:
    """The bay that opens downwards in the middle: between legs, or between sleeves that hang below the hem."""
    left, bottom = shape.xy[:, 0].min(), shape.xy[:, 1].max()
    for bay in shape.bays:
        start, end = shape.xy[bay.start], shape.xy[bay.end]
        middle = ((start + end) / 2 - left)[0] / shape.width
        level = abs(end[1] - start[1]) < 0.5 * abs(end[0] - start[0])
        low = max(bottom - start[1], bottom - end[1]) < 0.3 * shape.height
        if end[0] > start[0] and 0.3 < middle < 0.7 and level and low and bay.depth_px > 0.03 * shape.height:
            return bay
    return None


def _floor(shape: Silhouette, bay: Pocket) -> tuple[float, int]:
    """How much of a bay's bridge its floor is wide, and how many separate floors it has.

    One narrow floor is a crotch, one wide floor is a hem above hanging sleeves, two are the armpits beside a hem.
    """
    arc = shape.loop.arc(bay.start, bay.end)
    depth = offsets(shape.xy[arc], shape.xy[bay.start], shape.xy[bay.end])
    deep = depth > 0.7 * depth.max()
    runs = int((np.diff(deep.astype(int)) == 1).sum() + deep[0])
    bridge = max(abs(float(shape.xy[bay.end, 0] - shape.xy[bay.start, 0])), 1.0)
    return float(np.ptp(shape.xy[arc[deep], 0])) / bridge, runs


def hem_in_bay(shape: Silhouette) -> bool:
    """True where sleeves hang below the hem and lie against it, so that the hem's ends are the armpits."""
    bay = bottom_bay(shape)
    return bay is not None and _floor(shape, bay)[0] > 0.5 and _floor(shape, bay)[1] == 1


def crotch_of(shape: Silhouette) -> Pocket | None:
    """The bay between two legs: its one floor is narrow or far up a slit, and deep; None for any other garment."""
    bay = bottom_bay(shape)
    if bay is None:
        return None
    width, floors = _floor(shape, bay)
    bridge = abs(shape.xy[bay.end, 0] - shape.xy[bay.start, 0])
    deep = bay.depth_px > (0.4 if width > 0.12 else 0.12) * bridge  # between short legs there is little but a slit
    slit = bay.depth_px > SLIT * bridge  # flared legs nearly meet at their ends: there the bridge is no wider
    return bay if floors == 1 and (width < 0.6 or slit) and deep else None


def width_at(shape: Silhouette, y_px: float) -> float:
    """Pixels from the outline's leftmost to its rightmost point near a height; the full width where there is none."""
    near = np.abs(shape.xy[:, 1] - y_px) < 0.02 * shape.height
    return float(np.ptp(shape.xy[near, 0])) if near.sum() > 1 else shape.width


def index_before(index: int, share: float, count: int) -> int:
    """The index `share` of the loop before `index`."""
    return (index - round(share * count)) % count
