"""What SAM is told where nobody clicked: box and points from a mask that need not be exact, only rightly placed.

Points lie as deep as the garment's parts allow, so a mask that is off by a few percent still tells the truth.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..camera import mask_box
from ..errors import MaskError
from ..images import checked_mask, reduced
from .clean import main_pieces
from .prompts import Prompt
from .quick import quick_mask

WORK_PX = 384
"""Longest side at which depths are measured."""
POSITIVE, NEGATIVE = 5, 4
"""Most points of each kind."""
_MARGIN = 0.015
"""How much larger than the mask the box is, by its longest side: SAM takes a box that touches for one that cuts."""
_LEAST_DEPTH = 0.035
"""How deep in the garment a point has to be, by the box's longest side: deeper than straps, whose edges are unsure."""
_LEAST_AWAY = 0.03
_FULL_DEPTH = 0.07
"""From here on a deeper point is no better: a sleeve counts as much as the body."""
_FARTHEST = 0.09
"""Points beside the garment are no farther than this: what is next to it is what SAM may mistake for it."""
_BEYOND_BOX = 0.5
"""Worth of a point beside the garment that lies outside the box, which excludes it already."""
_SPREAD = 0.15
"""Points nearer to each other than this tell nothing new."""


def auto_prompt(rgb: np.ndarray, alpha: np.ndarray | None = None, rough: np.ndarray | None = None) -> Prompt:
    """Box, points on the garment and points beside it for an [H,W,3] uint8 photo, from its quick mask or `rough`.

    Args:
        alpha: [H,W] uint8; a real cut-out is the mask.
        rough: [H,W] soft mask by a parser or by hand, in place of the quick mask.

    Raises:
        UnclearGarment: there is no rough mask and the quick one can't tell.
        MaskError: the rough mask is empty, full or of another size.
    """
    if rough is None:
        return prompt_from_mask(quick_mask(rgb, alpha).soft)
    if rough.shape != rgb.shape[:2]:
        sizes = f"{rough.shape[1]}×{rough.shape[0]} px but the photo is {rgb.shape[1]}×{rgb.shape[0]} px"
        raise MaskError(f"The rough mask is {sizes}; give one of the photo's size.")
    return prompt_from_mask(rough)


def prompt_from_mask(soft: np.ndarray) -> Prompt:
    """Box, points on and points beside what an [H,W] soft mask shows; an empty or full mask raises MaskError."""
    checked_mask(soft, "The rough mask")
    step = max(1, round(max(soft.shape) / WORK_PX))
    binary = reduced(soft, step) >= 0.5
    pieces = main_pieces(binary) if binary.any() else binary
    if not pieces.any():  # too thin for the smaller picture
        return Prompt(box=_box(mask_box(soft), 1, soft.shape))
    box_small = mask_box(pieces)
    longest = max(box_small[2] - box_small[0], box_small[3] - box_small[1])
    on = _full_size(_deep_points(pieces, longest), step, soft >= 0.5)
    beside = _full_size(_points_beside(binary, box_small, longest), step, soft < 0.5)
    labels = (1,) * len(on) + (0,) * len(beside)
    return Prompt((*on, *beside), labels, _box(box_small, step, soft.shape))


def _box(box: tuple[int, int, int, int], step: int, hw: tuple[int, ...]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (side * step for side in box)
    margin = round(_MARGIN * max(x1 - x0, y1 - y0)) + step
    return (
        float(max(0, x0 - margin)),
        float(max(0, y0 - margin)),
        float(min(hw[1], x1 + margin)),
        float(min(hw[0], y1 + margin)),
    )


def _deep_points(pieces: np.ndarray, longest: int) -> np.ndarray:
    """[N,2] (y, x): the deepest place, then into body, sleeves and legs, far from each other; always one at least."""
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(pieces, 1)))[1:-1, 1:-1]
    deep = depth >= min(float(depth.max()), _LEAST_DEPTH * longest)
    return _far_apart(np.argwhere(deep), depth[deep] / (_FULL_DEPTH * longest), longest, POSITIVE)


def _points_beside(binary: np.ndarray, box: tuple[int, int, int, int], longest: int) -> np.ndarray:
    """[N,2] (y, x) in the background next to the garment and in its gaps, far from each other; none where none fit."""
    away = np.asarray(ndimage.distance_transform_edt(~binary))
    y, x = np.indices(binary.shape)
    x0, y0, x1, y1 = box
    outside = np.maximum.reduce([x0 - x, x - x1 + 1, y0 - y, y - y1 + 1])
    near = (away >= max(3.0, _LEAST_AWAY * longest)) & (away <= _FARTHEST * longest) & (outside < _FARTHEST * longest)
    if not near.any():
        return np.zeros((0, 2), int)
    worth = away[near] / (_FULL_DEPTH * longest) * np.where(outside[near] > 0, _BEYOND_BOX, 1)
    return _far_apart(np.argwhere(near), worth, longest, NEGATIVE)


def _far_apart(places: np.ndarray, worth: np.ndarray, longest: int, count: int) -> np.ndarray:
    """[≤ count,2] of the places: the worthiest, then always the one farthest from all before; worth counts up to 1."""
    taken = [int(worth.argmax())]
    gap = np.full(len(places), np.inf)
    while len(taken) < count:
        gap = np.minimum(gap, np.linalg.norm(places - places[taken[-1]], axis=-1))
        best = int((gap * np.minimum(worth, 1)).argmax())
        if gap[best] < _SPREAD * longest:
            break
        taken.append(best)
    return places[taken]


def _full_size(places: np.ndarray, step: int, allowed: np.ndarray) -> tuple[tuple[float, float], ...]:
    """The middles of the working pixels as (x, y) of the photo, where the mask there says the same."""
    rows, cols = np.minimum(places * step + step // 2, np.array(allowed.shape) - 1).T.reshape(2, -1)
    return tuple((float(x), float(y)) for y, x in zip(rows, cols, strict=True) if allowed[y, x])
