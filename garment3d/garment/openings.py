"""Where a garment is open, found on the outline of its mask or, by `openings`, on the boundary loops of a mesh.

Trousers have a crotch, a skirt a level top and no armpits; what is left is an upper garment with a neck.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..errors import OutlineError
from .limbs import Sleeve, armhole, leg, sleeve_of
from .loops import openings as openings
from .outline import Pocket, offsets
from .silhouette import Silhouette, crotch_of, hem_in_bay, silhouette

LEAST_WIDTH = 0.005
"""Of an opening, as a part of the outline's longest side; a narrower one has both its ends at one place."""


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


def find_openings(soft: np.ndarray) -> Outline:
    """The garment's class and its openings from a [H,W] soft mask; an empty mask raises OutlineError.

    An outline that reads as no garment, its openings one on top of the other, is taken for a skirt: open at its upper
    and lower edge. OutlineError too where an opening would have no width even so.
    """
    shape = silhouette(soft)
    crotch = crotch_of(shape)
    outline = _upper(shape) if crotch is None else Outline("trousers", _trousers(shape, crotch))
    outline = _tube(shape) if _overlap(shape, outline.spans) else outline
    side = float(np.ptp(shape.xy, axis=0).max())
    for span in outline.spans:
        if math.dist(span.a_px, span.b_px) < LEAST_WIDTH * side:
            raise OutlineError(
                f"The mask's outline is no garment's that can be read ({span.name} would have no width): "
                "check the mask, or give the openings yourself."
            )
    return outline


def _overlap(shape: Silhouette, spans: tuple[Span, ...]) -> bool:
    """True where more than a fiftieth of the outline belongs to two openings."""
    count = len(shape.xy)
    owners = np.zeros(count, int)
    for span in spans:
        a, b = (int(np.linalg.norm(shape.xy - np.array(end), axis=1).argmin()) for end in (span.a_px, span.b_px))
        a, b = (a, b) if (b - a) % count <= count / 2 else (b, a)
        owners[shape.loop.arc(a, b)] += 1
    return bool((owners > 1).mean() > 0.02)


def _tube(shape: Silhouette) -> Outline:
    """Open along the top, between its two corners, and along the bottom."""
    mirror, last = shape.mirrored(), len(shape.xy) - 1
    waist = _span(shape, "waist", last - _top_corner(mirror), _top_corner(shape))
    low = [int(np.argmax(s.xy[:, 1] - 0.35 * s.xy[:, 0])) for s in (shape, mirror)]
    return Outline("skirt", (waist, _span(shape, "hem", low[0], last - low[1])))


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


def _trousers(shape: Silhouette, crotch: Pocket) -> tuple[Span, ...]:
    mirror, last = shape.mirrored(), len(shape.xy) - 1
    right, left = leg(shape, crotch), leg(mirror, Pocket(last - crotch.end, last - crotch.start, crotch.depth_px))
    return (
        _span(shape, "waist", last - _waist_end(mirror), _waist_end(shape)),
        _span(shape, "leg_r", *right),
        _span(shape, "leg_l", last - left[1], last - left[0]),
    )


def _waist_end(shape: Silhouette) -> int:
    """The sharpest and highest corner of the image's left top."""
    xy, top = shape.xy, shape.xy[:, 1].min()
    middle = xy[:, 0].min() + shape.width / 2
    high = [i for i in shape.corners if xy[i, 1] < top + 0.15 * shape.height and xy[i, 0] < middle]
    return max(high, key=lambda i: min(shape.turn[i], 1.2) - 4 * (xy[i, 1] - top) / shape.height, default=0)


def _upper(shape: Silhouette) -> Outline:
    mirror, last = shape.mirrored(), len(shape.xy) - 1
    right, left = sleeve_of(shape), sleeve_of(mirror)
    if (right is None) != (left is None):  # one armpit may be hidden by a fold; the other side then decides
        right, left = right or sleeve_of(shape, eager=True), left or sleeve_of(mirror, eager=True)
    hem_r, hem_l = _hem_end(shape, right), last - _hem_end(mirror, left)
    hem = _span(shape, "hem", hem_r, hem_l)
    if right is None and left is None and _flat_top(shape):
        waist = _span(shape, "waist", last - _top_corner(mirror), _top_corner(shape))
        return Outline("skirt", (waist, hem))
    neck_l, neck_r = _neck(shape, right, last - left.outer if left else None)
    spans = [_span(shape, "neck", neck_l, neck_r)]
    sides = (
        (shape, right, neck_r, hem_r, "_r"),
        (mirror, left, last - neck_l, last - hem_l, "_l"),
    )
    bare = [_bare_shoulder(side, neck, sleeve) for side, sleeve, neck, _, _ in sides]
    for (side, sleeve, neck, hem_end, suffix), bay in zip(sides, bare, strict=True):
        found = [("armhole", *armhole(side, neck, hem_end))] if sleeve is None else []
        if sleeve is not None:
            found += [("armhole", bay.start, bay.end)] if bay is not None and None not in bare else []
            found += [("cuff", sleeve.outer, sleeve.inner)]
        for name, a, b in found:
            spans.append(_span(shape, name + suffix, *((a, b) if side is shape else (last - b, last - a))))
    return Outline(_upper_class(shape, right, left, (hem_r, hem_l), spans), (*spans, hem))


def _bare_shoulder(shape: Silhouette, neck: int, sleeve: Sleeve | None) -> Pocket | None:
    """The bay between a strap and a sleeve that begins below the shoulder; None where the sleeve is set in."""
    if sleeve is None:
        return None
    n = len(shape.xy)
    reach = (sleeve.outer - neck) % n
    bays = [b for b in shape.bays if (b.start - neck) % n < 0.03 * n and (b.end - neck) % n <= reach]
    return bays[0] if bays and bays[0].depth_px > 0.06 * shape.height else None


def _hem_end(shape: Silhouette, sleeve: Sleeve | None) -> int:
    """The hem's end on the image's left."""
    xy, n = shape.xy, len(shape.xy)
    middle = xy[:, 0].min() + shape.width / 2
    if sleeve is not None and hem_in_bay(shape):
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


def _neck(shape: Silhouette, right: Sleeve | None, left_outer: int | None) -> tuple[int, int]:
    """Loop indices of the neck's ends, image right then image left; OutlineError where the top has no two corners."""
    xy = shape.xy
    high = [i for i in shape.corners if xy[i, 1] < xy[:, 1].min() + 0.3 * shape.height]
    if right is not None and left_outer is not None:
        between = set(shape.loop.arc(left_outer, right.outer).tolist()) - {left_outer, right.outer}
        high = [i for i in high if i in between]
    wide = [(i, j) for i in high for j in high if 0.06 < (xy[i, 0] - xy[j, 0]) / shape.width < 0.9]
    if not wide:
        raise OutlineError(
            "No neck was found at the top of the outline: give the openings yourself, or check the mask."
        )
    return max(wide, key=lambda pair: _neck_score(shape, *pair))


def _neck_score(shape: Silhouette, i: int, j: int) -> float:
    """How well the lip between two corners opens a neck: in the middle, high, level, sharp at its ends, not wide."""
    xy = shape.xy
    top, centre = xy[:, 1].min(), xy[:, 0].min() + shape.width / 2
    width = (xy[i, 0] - xy[j, 0]) / shape.width
    skew = abs((xy[i, 0] + xy[j, 0]) / 2 - centre) / shape.width
    drop = (xy[i, 1] + xy[j, 1] - 2 * top) / 2 / shape.height
    tilt = abs(xy[i, 1] - xy[j, 1]) / shape.height
    sharp = min(shape.turn[i], 0.9) + min(shape.turn[j], 0.9)
    lip = xy[shape.loop.arc(i, j)]
    dip = float((lip[:, 1] - (xy[i, 1] + xy[j, 1]) / 2).max()) / (width * shape.width)
    straps = dip > 0.2  # only straps hold up a neck as wide as the shoulders
    return sharp - 6 * skew - 10 * drop - 5 * tilt - 1.5 * width - (0 if straps else 4 * max(width - 0.5, 0))


def _flat_top(shape: Silhouette) -> bool:
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


def _falls(shape: Silhouette, corner: int) -> bool:
    step = shape.xy[(corner + round(0.03 * len(shape.xy))) % len(shape.xy)] - shape.xy[corner]
    return bool(step[1] > 0.6 * abs(step[0]))


def _top_corner(shape: Silhouette) -> int:
    xy = shape.xy
    return int(np.argmax(-xy[:, 1] - 0.35 * xy[:, 0]))


def _upper_class(
    shape: Silhouette, right: Sleeve | None, left: Sleeve | None, hem_ends: tuple[int, int], spans: list[Span]
) -> str:
    xy, last = shape.xy, len(shape.xy) - 1
    neck_y = (spans[0].a_px[1] + spans[0].b_px[1]) / 2
    length = (xy[hem_ends[0], 1] + xy[hem_ends[1], 1]) / 2 - neck_y
    if right and left:
        ends = xy[[right.armpit, last - left.armpit]]
        neck = np.array(spans[0].a_px), np.array(spans[0].b_px)
        reach = [np.linalg.norm(xy[last - left.outer] - neck[0]), np.linalg.norm(xy[right.outer] - neck[1])]
        long = float(np.mean(reach)) > 0.65 * length
    else:
        ends, long = np.array([spans[1].b_px, spans[2].a_px]), False  # the underarms
    if length > 2.2 * abs(ends[1, 0] - ends[0, 0]):
        return "dress"
    return "longsleeve" if long else "tee" if right and left else "top"


def _span(shape: Silhouette, name: str, a: int, b: int) -> Span:
    return Span(name, (float(shape.xy[a, 0]), float(shape.xy[a, 1])), (float(shape.xy[b, 0]), float(shape.xy[b, 1])))
