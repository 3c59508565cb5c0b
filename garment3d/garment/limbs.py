"""Sleeves, legs and armholes on the image's left half of an outline; a mirrored one gives those on the right.

An end is the best of all pairs of corners: sharp ones, a straight edge between them, facing away from the body.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .outline import Pocket, offsets, turning
from .silhouette import Silhouette, bottom_bay, index_before, width_at


class Sleeve(NamedTuple):
    """Loop indices on the image's left side of an upper garment; outer and inner are the cuff's ends."""

    outer: int
    inner: int
    armpit: int


def sleeve_of(shape: Silhouette, eager: bool = False) -> Sleeve | None:
    """The sleeve on the image's left, or None; `eager` takes a weaker armpit."""
    armpit = _armpit(shape, eager)
    if armpit is None:
        return None
    xy, n = shape.xy, len(shape.xy)
    outer_ends = [i for i in shape.corners if 0 < (armpit - i) % n < 0.45 * n and xy[i, 0] < xy[armpit, 0]]
    inner_ends = [*outer_ends, index_before(armpit, 0.004, n)]  # a short sleeve's underside may be nothing at all
    pairs = [(i, j) for i in outer_ends for j in inner_ends if 0 < (j - i) % n < (armpit - i) % n]
    scores = [_cuff_score(shape, outer, inner, armpit) for outer, inner in pairs]
    if not scores or max(scores) < 1.5:
        return None
    return Sleeve(*pairs[int(np.argmax(scores))], armpit)


def _armpit(shape: Silhouette, eager: bool) -> int | None:
    """The concave corner under the sleeve on the image's left; None for a sleeveless garment."""
    xy, n = shape.xy, len(shape.xy)
    middle = xy[:, 0].min() + shape.width / 2
    concave = np.min([turning(shape.loop, s) for s in (0.012, 0.024)], axis=0)
    bay = bottom_bay(shape)
    bays = [b for b in shape.bays if xy[b.start, 0] < middle and b.depth_px > (0.03 if eager else 0.05) * shape.height]
    bays += [bay] if bay is not None else []
    best, chosen = 0.2 if eager else 0.35, None
    for b in bays:
        arc = shape.loop.arc(b.start, b.end)
        arc = arc[xy[arc, 0] < middle]
        if not len(arc):
            continue
        deepest = arc[np.argmin(concave[arc])]
        outward = xy[index_before(deepest, 0.03, n), 0] < xy[deepest, 0]
        if -concave[deepest] > best and outward and xy[deepest, 1] > xy[:, 1].min() + 0.08 * shape.height:
            best, chosen = -concave[deepest], int(deepest)
    return chosen


def _cuff_score(shape: Silhouette, outer: int, inner: int, armpit: int) -> float:
    """How well the chord outer→inner ends a sleeve that leaves the body at the armpit; -inf where it can't."""
    xy, n = shape.xy, len(shape.xy)
    underside = (armpit - inner) % n
    normal = _normal(xy[inner] - xy[outer])
    walls = [_unit(xy[outer] - xy[(outer - max(underside, round(0.03 * n))) % n])]
    walls += [_unit(xy[inner] - xy[armpit])] if underside > 0.02 * n else []
    facing = float(np.mean([normal @ wall for wall in walls]))
    reach = float(np.linalg.norm((xy[outer] + xy[inner]) / 2 - xy[armpit])) / shape.height
    return _end_score(shape, outer, inner) + 1.5 * facing + 1.5 * reach


def _end_score(shape: Silhouette, a: int, b: int) -> float:
    """How well the chord a→b ends a tube: sharp corners, a straight edge, not facing up; -inf where it can't."""
    xy, n = shape.xy, len(shape.xy)
    length = float(np.linalg.norm(xy[b] - xy[a]))
    normal = _normal(xy[b] - xy[a])
    if not 0.03 * shape.height < length < 0.5 * shape.height or normal[1] < 0.2:
        return -np.inf
    wander = (b - a) % n * float(np.linalg.norm(xy[1] - xy[0])) / length - 1
    sharp = min(shape.turn[a], 1.4) + min(max(shape.turn[b], 0.3), 1.4)
    return sharp + 0.8 * float(normal[1]) - 2.5 * wander


def leg(shape: Silhouette, crotch: Pocket) -> tuple[int, int]:
    """Loop indices of the end of the leg on the image's left, outer corner first; one point twice where it has none."""
    xy, n = shape.xy, len(shape.xy)
    arc = shape.loop.arc(crotch.start, crotch.end)
    deepest = arc[np.argmax(offsets(xy[arc], xy[crotch.start], xy[crotch.end]))]
    low = [i for i in shape.corners if xy[i, 1] > xy[:, 1].max() - 0.15 * shape.height]
    low = [i for i in low if xy[i, 0] < xy[deepest, 0] + 0.02 * shape.width]
    pairs = [(i, j) for i in low for j in low if 0 < (j - i) % n < 0.3 * n]
    return max(pairs, key=lambda pair: _end_score(shape, *pair), default=(crotch.start, crotch.start))


def armhole(shape: Silhouette, neck: int, hem_end: int) -> tuple[int, int]:
    """Loop indices of a sleeveless armhole on the image's left: shoulder or strap end, then underarm."""
    xy, n = shape.xy, len(shape.xy)
    tip_reach = [i for i in shape.corners if 0 < (i - neck) % n < 0.12 * n and shape.turn[i] > 0.45]
    tip_reach = [i for i in tip_reach if xy[i, 1] < xy[neck, 1] + 0.1 * shape.height]
    tip = max(tip_reach, key=lambda i: shape.turn[i], default=(neck + round(0.004 * n)) % n)
    reach = min(shape.height, 1.4 * shape.width)
    chest = max(width_at(shape, xy[tip, 1] + share * reach) for share in (0.1, 0.2, 0.3, 0.4))
    side = shape.loop.arc(tip, hem_end)
    drop = xy[side, 1] - xy[tip, 1]
    window = side[(drop > 0.3 * chest) & (drop < 0.75 * chest)]
    if not len(window):
        return tip, int(side[len(side) // 3])
    usual = np.abs(xy[window, 1] - xy[tip, 1] - 0.5 * chest) / chest
    return tip, int(window[np.argmax(turning(shape.loop, 0.03)[window] - 0.4 * usual)])


def _normal(chord: np.ndarray) -> np.ndarray:
    """Unit normal of a forward chord, out of the garment."""
    return _unit(np.array([-chord[1], chord[0]]))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
