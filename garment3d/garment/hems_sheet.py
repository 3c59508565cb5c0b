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
LEAD = 0.04
"""Length at a curve's end that gives the direction in which it goes on."""
INSET = 0.012
"""How far inside a lip the cut runs, in canonical units: as far as a cap is usually rounded off…"""
SHARED = 0.3
"""…but at most this share of the way to the next opening, as on a strap."""
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
    inset: np.ndarray
    """[S] how far inside the cut runs, in canonical units."""


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
    inset: np.ndarray
    """[N] how far inside of the sheet the cut runs, in canonical units."""


def curves(ring: list[Piece], index: int) -> tuple[Curve, Curve]:
    """Front and back curve of an opening, one of the pieces round the outline."""
    piece, before, after = ring[index], ring[index - 1], ring[(index + 1) % len(ring)]
    others = [p for p in ring if p.name is not None and p is not piece]
    result = []
    for side in ("front", "back"):
        rest = [getattr(p, side) for p in others]
        near = cKDTree(np.concatenate(rest)) if rest else None
        result.append(_curve(getattr(piece, side), getattr(before, side), getattr(after, side), near))
    return result[0], result[0] if piece.back is piece.front else result[1]


def _curve(line: np.ndarray, before: np.ndarray, after: np.ndarray, others: cKDTree | None) -> Curve:
    """The Curve of a [K,2] polyline that has the garment on its left, between the seams before and after it."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    count = max(8, round(length[-1] / STEP))
    at = np.linspace(0, length[-1], count + 1)
    even = np.stack([np.interp(at, length, line[:, k]) for k in range(2)], 1)
    step = length[-1] / count
    lead = int(np.clip(round(LEAD / step), 2, count // 3))
    rays = [
        _onward(even[lead] - even[0], _lead(before[::-1]), clockwise=True),
        _onward(even[-1 - lead] - even[-1], _lead(after), clockwise=False),
    ]
    reach = np.arange(1, round(RAY / STEP) + 1)[:, None] * STEP
    whole = np.concatenate([(even[0] + reach * rays[0])[::-1], even, even[-1] + reach * rays[1]])
    whole = gaussian_filter1d(whole, ROUNDED / step, axis=0, mode="nearest")
    run = np.gradient(whole, axis=0)
    outward = _unit(np.stack([run[:, 1], -run[:, 0]], 1))
    beside = reach[:, 0] / max(length[-1], STEP)
    room = np.full(len(whole), np.inf) if others is None else others.query(whole)[0]
    inset = gaussian_filter1d(np.minimum(INSET, SHARED * room), 3, mode="nearest")
    return Curve(whole, outward, np.concatenate([-beside[::-1], at / max(length[-1], STEP), 1 + beside]), inset)


def _lead(line: np.ndarray) -> np.ndarray:
    """[2] from the first point of a polyline to the one LEAD away."""
    length = np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))
    return line[1 + min(int(np.searchsorted(length, LEAD)), len(length) - 1)] - line[0]


def _onward(lip: np.ndarray, seam: np.ndarray, clockwise: bool) -> np.ndarray:
    """[2] unit direction in which a lip goes on beyond its end: straight on, or square to it where the seam does too.

    Both are given from the end; the garment lies between them, clockwise from the seam to the lip or the other way.
    """
    turn = np.arctan2(lip[0] * seam[1] - lip[1] * seam[0], lip @ seam)
    inner = (turn if clockwise else -turn) % (2 * np.pi)
    angle = np.pi + min(max(inner - np.pi / 2, 0), inner / 2)
    angle = angle if clockwise else -angle
    return _unit(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ lip)


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
    inset = share * sheet.front.inset[front.sample] + (1 - share) * sheet.back.inset[back.sample]
    return Offsets(beyond, heading / np.maximum((heading * heading).sum(1, keepdims=True), 0.25), along, across, inset)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
