"""Where each opening lies in space, from the photo's outline: a sheet spanned by its front and its back lip.

Seen in the photo's plane a lip is a curve that goes on straight beyond both of its ends, so that it parts the plane.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from .straps import Piece

STEP = 0.002
"""Between the samples of a curve, in canonical units."""
ROUNDED = 0.004
"""How far a curve's corners are rounded."""
LEAD = 0.025
"""Length at a curve's end that gives the direction in which it goes on."""
RAY = 0.12
"""How far it goes on."""
STEEP = 1.6
"""How fast the sheet goes from the back lip to the front one: both walls keep the distance to their own lip."""


class Curve(NamedTuple):
    """A lip in the photo's plane with its straight ends."""

    xy: np.ndarray
    """[S,2] canonical samples."""
    outward: np.ndarray
    """[S,2] unit normals that point out of the garment."""
    along: np.ndarray
    """[S] in 0..1 from one end of the lip to the other; below 0 and above 1 on the straight ends."""


class Place(NamedTuple):
    """Points of the plane against a curve."""

    beyond: np.ndarray
    """[N] signed distance in canonical units, positive outside of the garment."""
    sample: np.ndarray
    """[N] the nearest sample."""


class Sheet(NamedTuple):
    """An opening between its lips."""

    name: str
    front: Curve
    back: Curve
    high: np.ndarray
    """Depth (z) of the garment's front wall at the samples of `front`."""
    low: np.ndarray
    """Depth (z) of the back wall at the samples of `back`."""


class Offsets(NamedTuple):
    """Points in space against a sheet."""

    beyond: np.ndarray
    """[N] how far outside of it, in canonical units; negative towards the garment."""
    heading: np.ndarray
    """[N,2] in the photo's plane, where `beyond` grows by 1 per unit."""
    along: np.ndarray
    """[N] in 0..1 along the lip, below 0 and above 1 beside it."""
    across: np.ndarray
    """[N] -1 on the back wall, 1 on the front wall."""


def curves(piece: Piece) -> tuple[Curve, Curve]:
    """Front and back curve of an opening's piece of the outline."""
    front = _curve(piece.front)
    return front, front if piece.back is piece.front else _curve(piece.back)


def _curve(line: np.ndarray) -> Curve:
    """The Curve of a [K,2] polyline that has the garment on its left."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    count = max(8, round(length[-1] / STEP))
    at = np.linspace(0, length[-1], count + 1)
    even = np.stack([np.interp(at, length, line[:, k]) for k in range(2)], 1)
    step = length[-1] / count
    lead = int(np.clip(round(LEAD / step), 2, count // 3))
    rays = [_unit(even[0] - even[lead]), _unit(even[-1] - even[-1 - lead])]
    reach = np.arange(1, round(RAY / STEP) + 1)[:, None] * STEP
    whole = np.concatenate([(even[0] + reach * rays[0])[::-1], even, even[-1] + reach * rays[1]])
    whole = gaussian_filter1d(whole, ROUNDED / step, axis=0, mode="nearest")
    run = np.gradient(whole, axis=0)
    outward = _unit(np.stack([run[:, 1], -run[:, 0]], 1))
    beside = reach[:, 0] / max(length[-1], STEP)
    return Curve(whole, outward, np.concatenate([-beside[::-1], at / max(length[-1], STEP), 1 + beside]))


def placed(curve: Curve, xy: np.ndarray) -> Place:
    """The Place of [N,2] points."""
    sample = cKDTree(curve.xy).query(xy)[1]
    away = xy - curve.xy[sample]
    side = (away * curve.outward[sample]).sum(1)
    # Between two samples the distance to the nearer one is a little long; across a corner the normal's share is short.
    far = np.linalg.norm(away, axis=1)
    return Place(np.where(far > 3 * STEP, np.copysign(far, side), side), sample)


def offsets(sheet: Sheet, points: np.ndarray) -> Offsets:
    """The Offsets of [N,3] canonical points."""
    back = placed(sheet.back, points[:, :2])
    front = back if sheet.front is sheet.back else placed(sheet.front, points[:, :2])
    high, low = sheet.high[front.sample], sheet.low[back.sample]
    across = np.clip(2 * (points[:, 2] - low) / np.maximum(high - low, 1e-6) - 1, -1.5, 1.5)
    share = np.clip(0.5 + 0.5 * STEEP * across, 0, 1)
    beyond = share * front.beyond + (1 - share) * back.beyond
    heading = (
        share[:, None] * sheet.front.outward[front.sample] + (1 - share[:, None]) * sheet.back.outward[back.sample]
    )
    along = share * sheet.front.along[front.sample] + (1 - share) * sheet.back.along[back.sample]
    return Offsets(beyond, heading / np.maximum((heading * heading).sum(1, keepdims=True), 0.25), along, across)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
