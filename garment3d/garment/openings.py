"""Where a garment is open, found on the outline of its mask or, by `openings`, on the boundary loops of a mesh.

The outline is read as a dressmaker would: convex corners end an opening, bays of the hull are armpits and crotch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.signal import find_peaks

from ..errors import OutlineError
from .loops import openings as openings
from .outline import Loop, Pocket, loop_of, offsets, pockets, turning

CORNER_SCALES = (0.008, 0.016)
"""Chord lengths, as shares of the outline, at which a corner is looked for: a strap's end and a rounded hem's."""


class Span(NamedTuple):
    """An opening as the part of the outline between two points; the shorter way round is meant."""

    name: str
    """neck, waist, hem, cuff_l, cuff_r, armhole_l, armhole_r, leg_l or leg_r; l and r are the wearer's."""
    a_px: tuple[float, float]
    b_px: tuple[float, float]


class Outline(NamedTuple):
    """What the outline of a mask says about the garment."""

    garment_class: str
    """tee, longsleeve, top, dress, skirt or trousers."""
    spans: tuple[Span, ...]


class _Shape(NamedTuple):
    """A loop with its corners; `mirrored` swaps image left and right, so that one routine reads both sides."""

    loop: Loop
    turn: np.ndarray
    corners: np.ndarray
    bays: list[Pocket]
    height: float
    width: float

    @property
    def xy(self) -> np.ndarray:
        return self.loop.points

    def mirrored(self) -> _Shape:
        n = len(self.xy)
        bays = [Pocket(n - 1 - b.end, n - 1 - b.start, b.depth_px) for b in self.bays]
        points = (self.xy * np.array([-1.0, 1.0]))[::-1]
        return _Shape(Loop(points), self.turn[::-1], n - 1 - self.corners[::-1], bays, self.height, self.width)


class _Sleeve(NamedTuple):
    """Loop indices down one side of an upper garment; outer and inner are the cuff's ends."""

    outer: int
    inner: int
    armpit: int


def find_openings(soft: np.ndarray) -> Outline:
    """The garment's class and its openings from a [H,W] soft mask; an empty mask raises OutlineError."""
    shape = _read(soft)
    crotch = _crotch(shape)
    if crotch is not None:
        return Outline("trousers", _trousers(shape, crotch))
    return _upper(shape)


def class_of(soft: np.ndarray, spans: tuple[Span, ...]) -> str:
    """The garment's class where a person gave the openings: their names decide, the outline settles the rest."""
    names = {s.name for s in spans}
    if names & {"leg_l", "leg_r"}:
        return "trousers"
    if names == {"waist", "hem"}:
        return "skirt"
    try:
        guess = find_openings(soft).garment_class
    except OutlineError:
        guess = "tee"
    return guess if guess not in ("trousers", "skirt") else "tee" if names & {"cuff_l", "cuff_r"} else "top"


def _read(soft: np.ndarray) -> _Shape:
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
    return _Shape(loop, turn, corners, pockets(loop, 0.02 * height), float(height), float(width))


def _ring_gap(indices: np.ndarray, index: int, count: int) -> int:
    """Steps round a loop of `count` points from `index` to the nearest of `indices`; `count` where there is none."""
    apart = np.abs(indices - index)
    return int(np.minimum(apart, count - apart).min(initial=count))


def _bottom_bay(shape: _Shape) -> Pocket | None:
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


def _floor(shape: _Shape, bay: Pocket) -> tuple[float, int]:
    """How much of a bay's bridge its floor is wide, and how many separate floors it has.

    One narrow floor is a crotch, one wide floor is a hem above hanging sleeves, two are the armpits beside a hem.
    """
    arc = shape.loop.arc(bay.start, bay.end)
    depth = offsets(shape.xy[arc], shape.xy[bay.start], shape.xy[bay.end])
    deep = depth > 0.7 * depth.max()
    runs = int((np.diff(deep.astype(int)) == 1).sum() + deep[0])
    bridge = max(abs(float(shape.xy[bay.end, 0] - shape.xy[bay.start, 0])), 1.0)
    return float(np.ptp(shape.xy[arc[deep], 0])) / bridge, runs


def _hem_in_bay(shape: _Shape) -> bool:
    """True where sleeves hang below the hem and lie against it, so that the hem's ends are the armpits."""
    bay = _bottom_bay(shape)
    return bay is not None and _floor(shape, bay)[0] > 0.5 and _floor(shape, bay)[1] == 1


def _crotch(shape: _Shape) -> Pocket | None:
    bay = _bottom_bay(shape)
    if bay is None:
        return None
    width, floors = _floor(shape, bay)
    bridge = abs(shape.xy[bay.end, 0] - shape.xy[bay.start, 0])
    return bay if floors == 1 and width < 0.6 and bay.depth_px > 0.4 * bridge else None


def _trousers(shape: _Shape, crotch: Pocket) -> tuple[Span, ...]:
    def leg(side: _Shape, bay: Pocket) -> tuple[int, int]:
        arc = side.loop.arc(bay.start, bay.end)
        deepest = arc[np.argmax(offsets(side.xy[arc], side.xy[bay.start], side.xy[bay.end]))]
        low = [i for i in side.corners if side.xy[i, 1] > side.xy[:, 1].max() - 0.15 * side.height]
        low = [i for i in low if side.xy[i, 0] < side.xy[deepest, 0] + 0.02 * side.width]
        pairs = [(i, j) for i in low for j in low if 0 < (j - i) % len(side.xy) < 0.3 * len(side.xy)]
        return max(pairs, key=lambda pair: _end_score(side, *pair), default=(bay.start, bay.start))

    def waist(side: _Shape) -> int:
        top = side.xy[:, 1].min()
        middle = side.xy[:, 0].min() + side.width / 2
        high = [i for i in side.corners if side.xy[i, 1] < top + 0.15 * side.height and side.xy[i, 0] < middle]
        return max(high, key=lambda i: min(side.turn[i], 1.2) - 4 * (side.xy[i, 1] - top) / side.height, default=0)

    mirror, last = shape.mirrored(), len(shape.xy) - 1
    right, left = leg(shape, crotch), leg(mirror, Pocket(last - crotch.end, last - crotch.start, crotch.depth_px))
    return (
        _span(shape, "waist", last - waist(mirror), waist(shape)),
        _span(shape, "leg_r", *right),
        _span(shape, "leg_l", last - left[1], last - left[0]),
    )


def _upper(shape: _Shape) -> Outline:
    mirror, last = shape.mirrored(), len(shape.xy) - 1
    right, left = _sleeve(shape), _sleeve(mirror)
    if (right is None) != (left is None):  # one armpit may be hidden by a fold; the other side then decides
        right, left = right or _sleeve(shape, eager=True), left or _sleeve(mirror, eager=True)
    hem_r, hem_l = _hem_end(shape, right), last - _hem_end(mirror, left)
    hem = _span(shape, "hem", hem_r, hem_l)
    if right is None and left is None and _flat_top(shape):
        waist = _span(shape, "waist", last - _top_corner(mirror), _top_corner(shape))
        return Outline("skirt", (waist, hem))
    neck_l, neck_r = _neck(shape, right, last - left.outer if left else None)
    spans = [_span(shape, "neck", neck_l, neck_r)]
    for side, sleeve, neck, hem_end, suffix in (
        (shape, right, neck_r, hem_r, "_r"),
        (mirror, left, last - neck_l, last - hem_l, "_l"),
    ):
        found = (
            [("armhole", *_armhole(side, neck, hem_end))] if sleeve is None else _sleeve_openings(side, neck, sleeve)
        )
        for name, a, b in found:
            spans.append(_span(shape, name + suffix, *((a, b) if side is shape else (last - b, last - a))))
    return Outline(_upper_class(shape, right, left, (hem_r, hem_l), spans), (*spans, hem))


def _sleeve(shape: _Shape, eager: bool = False) -> _Sleeve | None:
    """The sleeve on the image's left, or None; `eager` takes a weaker armpit."""
    armpit = _armpit(shape, eager)
    if armpit is None:
        return None
    xy, n = shape.xy, len(shape.xy)
    outer_ends = [i for i in shape.corners if 0 < (armpit - i) % n < 0.45 * n and xy[i, 0] < xy[armpit, 0]]
    inner_ends = [*outer_ends, loop_before(armpit, 0.004, n)]  # a short sleeve's underside may be nothing at all
    pairs = [(i, j) for i in outer_ends for j in inner_ends if 0 < (j - i) % n < (armpit - i) % n]
    scores = [_cuff_score(shape, outer, inner, armpit) for outer, inner in pairs]
    if not scores or max(scores) < 1.5:
        return None
    return _Sleeve(*pairs[int(np.argmax(scores))], armpit)


def _sleeve_openings(shape: _Shape, neck: int, sleeve: _Sleeve) -> list[tuple[str, int, int]]:
    """The cuff, and the armhole of a strap-held top whose sleeve begins below the shoulder."""
    n = len(shape.xy)
    reach = (sleeve.outer - neck) % n
    bays = [b for b in shape.bays if (b.start - neck) % n < 0.03 * n and (b.end - neck) % n <= reach]
    bare = [("armhole", b.start, b.end) for b in bays[:1] if b.depth_px > 0.06 * shape.height]
    return [*bare, ("cuff", sleeve.outer, sleeve.inner)]


def _cuff_score(shape: _Shape, outer: int, inner: int, armpit: int) -> float:
    """How well the chord outer→inner ends a sleeve that leaves the body at the armpit; -inf where it can't."""
    xy, n = shape.xy, len(shape.xy)
    underside = (armpit - inner) % n
    normal = _normal(xy[inner] - xy[outer])
    walls = [_unit(xy[outer] - xy[(outer - max(underside, round(0.03 * n))) % n])]
    walls += [_unit(xy[inner] - xy[armpit])] if underside > 0.02 * n else []
    facing = float(np.mean([normal @ wall for wall in walls]))
    reach = float(np.linalg.norm((xy[outer] + xy[inner]) / 2 - xy[armpit])) / shape.height
    return _end_score(shape, outer, inner) + 1.5 * facing + 1.5 * reach


def _end_score(shape: _Shape, a: int, b: int) -> float:
    """How well the chord a→b ends a tube: sharp corners, a straight edge, not facing up; -inf where it can't."""
    xy, n = shape.xy, len(shape.xy)
    length = float(np.linalg.norm(xy[b] - xy[a]))
    normal = _normal(xy[b] - xy[a])
    if not 0.03 * shape.height < length < 0.5 * shape.height or normal[1] < 0.2:
        return -np.inf
    wander = (b - a) % n * float(np.linalg.norm(xy[1] - xy[0])) / length - 1
    sharp = min(shape.turn[a], 1.4) + min(max(shape.turn[b], 0.3), 1.4)
    return sharp + 0.8 * float(normal[1]) - 2.5 * wander


def _normal(chord: np.ndarray) -> np.ndarray:
    """Unit normal of a forward chord, out of the garment."""
    return _unit(np.array([-chord[1], chord[0]]))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _armpit(shape: _Shape, eager: bool) -> int | None:
    """The concave corner under the sleeve on the image's left; None for a sleeveless garment."""
    xy, n = shape.xy, len(shape.xy)
    middle = xy[:, 0].min() + shape.width / 2
    concave = np.min([turning(shape.loop, s) for s in (0.012, 0.024)], axis=0)
    bay = _bottom_bay(shape)
    bays = [b for b in shape.bays if xy[b.start, 0] < middle and b.depth_px > (0.03 if eager else 0.05) * shape.height]
    bays += [bay] if bay is not None else []
    best, chosen = 0.2 if eager else 0.35, None
    for b in bays:
        arc = shape.loop.arc(b.start, b.end)
        arc = arc[xy[arc, 0] < middle]
        if not len(arc):
            continue
        deepest = arc[np.argmin(concave[arc])]
        outward = xy[loop_before(deepest, 0.03, n), 0] < xy[deepest, 0]
        if -concave[deepest] > best and outward and xy[deepest, 1] > xy[:, 1].min() + 0.08 * shape.height:
            best, chosen = -concave[deepest], int(deepest)
    return chosen


def loop_before(index: int, share: float, count: int) -> int:
    """The index `share` of the loop before `index`."""
    return (index - round(share * count)) % count


def _hem_end(shape: _Shape, sleeve: _Sleeve | None) -> int:
    """The hem's end on the image's left."""
    xy, n = shape.xy, len(shape.xy)
    middle = xy[:, 0].min() + shape.width / 2
    if sleeve is not None and _hem_in_bay(shape):
        return sleeve.armpit
    corners = [i for i in shape.corners if xy[i, 0] < middle and xy[i, 1] > xy[:, 1].min() + 0.5 * shape.height]
    if sleeve is not None:
        corners = [i for i in corners if 0.02 * n < (i - sleeve.armpit) % n < 0.5 * n]
    left, bottom = min((xy[i, 0] for i in corners), default=0.0), xy[:, 1].max()
    return max(
        corners,
        key=lambda i: (
            min(shape.turn[i], 1.3) - 4 * (bottom - xy[i, 1]) / shape.height - 3 * (xy[i, 0] - left) / shape.width
        ),
        default=int(np.argmax(xy[:, 1] - xy[:, 0])),
    )


def _neck(shape: _Shape, right: _Sleeve | None, left_outer: int | None) -> tuple[int, int]:
    """Loop indices of the neck's ends, image right then image left; OutlineError where the top has no two corners."""
    xy = shape.xy
    top, centre = xy[:, 1].min(), xy[:, 0].min() + shape.width / 2
    high = [i for i in shape.corners if xy[i, 1] < top + 0.3 * shape.height]
    if right is not None and left_outer is not None:
        between = set(shape.loop.arc(left_outer, right.outer).tolist()) - {left_outer, right.outer}
        high = [i for i in high if i in between]
    best, chosen = -np.inf, None
    for i in high:
        for j in high:
            width = (xy[i, 0] - xy[j, 0]) / shape.width
            if 0.06 < width < 0.9:
                skew = abs((xy[i, 0] + xy[j, 0]) / 2 - centre) / shape.width
                drop = (xy[i, 1] + xy[j, 1] - 2 * top) / 2 / shape.height
                tilt = abs(xy[i, 1] - xy[j, 1]) / shape.height
                sharp = min(shape.turn[i], 0.9) + min(shape.turn[j], 0.9)
                lip = xy[shape.loop.arc(i, j)]
                dip = float((lip[:, 1] - (xy[i, 1] + xy[j, 1]) / 2).max()) / (width * shape.width)
                straps = dip > 0.2  # only straps hold up a neck as wide as the shoulders
                score = (
                    sharp - 6 * skew - 10 * drop - 5 * tilt - 1.5 * width - (0 if straps else 4 * max(width - 0.5, 0))
                )
                if score > best:
                    best, chosen = score, (i, j)
    if chosen is None:
        raise OutlineError(
            "No neck was found at the top of the outline: give the openings yourself, or check the mask."
        )
    return chosen


def _armhole(shape: _Shape, neck: int, hem_end: int) -> tuple[int, int]:
    """Loop indices of a sleeveless armhole on the image's left: shoulder or strap end, then underarm."""
    xy, n = shape.xy, len(shape.xy)
    tip_reach = [i for i in shape.corners if 0 < (i - neck) % n < 0.12 * n and shape.turn[i] > 0.45]
    tip_reach = [i for i in tip_reach if xy[i, 1] < xy[neck, 1] + 0.1 * shape.height]
    tip = max(tip_reach, key=lambda i: shape.turn[i], default=(neck + round(0.004 * n)) % n)
    chest = _width_at(shape, xy[tip, 1] + 0.35 * abs(2 * (xy[neck, 0] - xy[tip, 0])) + 0.06 * shape.height)
    side = shape.loop.arc(tip, hem_end)
    drop = xy[side, 1] - xy[tip, 1]
    window = side[(drop > 0.3 * chest) & (drop < 0.75 * chest)]
    if not len(window):
        return tip, int(side[len(side) // 3])
    usual = np.abs(xy[window, 1] - xy[tip, 1] - 0.5 * chest) / chest
    return tip, int(window[np.argmax(turning(shape.loop, 0.03)[window] - 0.4 * usual)])


def _width_at(shape: _Shape, y_px: float) -> float:
    """Pixels from the outline's leftmost to its rightmost point near a height; the full width where there is none."""
    near = np.abs(shape.xy[:, 1] - y_px) < 0.02 * shape.height
    return float(np.ptp(shape.xy[near, 0])) if near.sum() > 1 else shape.width


def _flat_top(shape: _Shape) -> bool:
    """True for a waistband: a level top edge whose ends are also where the sides begin."""
    xy, mirror, last = shape.xy, shape.mirrored(), len(shape.xy) - 1
    left, right = _top_corner(shape), last - _top_corner(mirror)
    edge = xy[shape.loop.arc(right, left)]
    wide = float(xy[right, 0] - xy[left, 0])
    level = np.abs(offsets(edge, xy[right], xy[left])).max() < 0.09 * wide
    falls = [_falls(shape, left), _falls(mirror, last - right)]  # below a waistband the sides go down, not to shoulders
    within = 0.12 * len(edge)
    bent = any(shape.turn[i] > 0.35 for i in shape.corners if within < (i - right) % len(xy) < len(edge) - within)
    return bool(level and all(falls) and not bent and wide > 0.2 * shape.width)


def _falls(shape: _Shape, corner: int) -> bool:
    step = shape.xy[(corner + round(0.03 * len(shape.xy))) % len(shape.xy)] - shape.xy[corner]
    return bool(step[1] > 0.6 * abs(step[0]))


def _top_corner(shape: _Shape) -> int:
    xy = shape.xy
    return int(np.argmax(-xy[:, 1] - 0.35 * xy[:, 0]))


def _upper_class(
    shape: _Shape, right: _Sleeve | None, left: _Sleeve | None, hem_ends: tuple[int, int], spans: list[Span]
) -> str:
    xy, last = shape.xy, len(shape.xy) - 1
    neck_y = (spans[0].a_px[1] + spans[0].b_px[1]) / 2
    length = (xy[hem_ends[0], 1] + xy[hem_ends[1], 1]) / 2 - neck_y
    if right and left:
        ends = xy[[right.armpit, last - left.armpit]]
        sleeve = np.linalg.norm(xy[right.inner] - ends[0]) + np.linalg.norm(xy[last - left.inner] - ends[1])
        long = sleeve / 2 > 0.3 * length
    else:
        ends, long = np.array([spans[1].b_px, spans[2].a_px]), False  # the underarms
    if length > 2.4 * abs(ends[1, 0] - ends[0, 0]):
        return "dress"
    return "longsleeve" if long else "tee" if right and left else "top"


def _span(shape: _Shape, name: str, a: int, b: int) -> Span:
    return Span(name, (float(shape.xy[a, 0]), float(shape.xy[a, 1])), (float(shape.xy[b, 0]), float(shape.xy[b, 1])))
