"""The garment's mask from a product photo without any network: background fit, minimum cut, soft edge.

What it can't tell apart it says, with the ways out; it never returns nonsense silently.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from ..errors import MaskError, UnclearGarment
from .background import Background, border_ring, fit_background
from .clean import cleaned, filled, main_pieces
from .cut import gradient, regions
from .edge import soft_edge
from .evidence import RINGING, Evidence, gather, gather_colours
from .gaps import gaps_settled, stripes_closed
from .person import shows_person
from .split import split
from .trust import LEAST_CONFIDENCE, WAYS_OUT, confidence, refuse_nonsense

WORK_PX = 768
"""Longest side that the cut works at; the edge is found at the photo's own size."""
LEAST_WORK_PX = 384
"""Smaller photos are enlarged to this."""
LEAST_PLAIN = 0.5
"""Least part of the border that one smooth surface explains, for the background to be called plain."""
LEAST_PLAIN_BOXED = 0.85
"""The same around a box: there may be a wearer's arms and other clothes, which only colours tell apart."""
_PALE = 5.0
"""Most Lab difference from the background of a stripe that may be mistaken for it."""
_GAP_SHADE = 14.0
"""Most lightness that background seen through a gap loses to the garment's shadow."""
_TINT = 0.3
"""Part of the garment's colour that compression spreads over a narrow gap."""
_GAP_SLOPE = 3.0
"""Most change of colour per pixel in it."""


class QuickMask(NamedTuple):
    """A mask and how far to trust it."""

    soft: np.ndarray
    """[H,W] float32 in 0..1, 1 = garment."""
    confidence: float
    """0..1; below 0.5 somebody should look at the mask."""


class _Work(NamedTuple):
    """The photo, or the part of it around the box, at the working size."""

    lab: np.ndarray
    outside: np.ndarray
    """[h,w] bool, where there is background unless the garment reaches the border."""
    beyond: np.ndarray
    """[h,w] bool, outside the user's box: never garment."""
    background: Background


def is_cut_out(alpha: np.ndarray | None) -> bool:
    """Whether an [H,W] uint8 transparency already says what the garment is; None does not."""
    return alpha is not None and bool(0.005 < (alpha >= 128).mean() < 0.95)


def quick_mask(
    rgb: np.ndarray, alpha: np.ndarray | None = None, box: tuple[int, int, int, int] | None = None
) -> QuickMask:
    """[H,W] float32 soft mask of the garment in an [H,W,3] uint8 photo and its confidence, or UnclearGarment.

    Args:
        alpha: [H,W] uint8 transparency; a real cut-out is the mask.
        box: x0, y0, x1, y1 in pixels around the garment; all outside is background.
    """
    if alpha is not None and is_cut_out(alpha):
        return QuickMask(alpha.astype(np.float32) / 255, 1.0)
    window, inner = _window(rgb.shape[:2], box)
    soft = np.zeros(rgb.shape[:2], np.float32)
    soft[window], confidence = _masked(np.ascontiguousarray(rgb[window]), inner)
    return QuickMask(soft, confidence)


def _masked(rgb: np.ndarray, inner: tuple[int, int, int, int] | None) -> tuple[np.ndarray, float]:
    work = _prepared(rgb, inner)
    plain = work.background.plain >= (LEAST_PLAIN if inner is None else LEAST_PLAIN_BOXED)
    if not plain and inner is None:
        share = f"only {work.background.plain:.0%} of the photo's border is one smooth colour"
        raise UnclearGarment(f"The background is not plain ({share}): {WAYS_OUT}, or the clothes parser on a person.")
    slope = gradient(work.lab)
    sure = work.background.sure
    quiet = max(0.25, float(np.percentile(slope[sure], 90)) if sure.any() else 0.0)
    parts = regions(slope, quiet)
    evidence = _evidence(work, slope, quiet, plain)
    cut = split(parts, evidence, slope, quiet, work.outside)
    binary = cut.binary & ~work.beyond
    if plain:
        pale = evidence.excess * work.background.noise.mean() < _PALE
        binary = main_pieces(stripes_closed(binary, pale))
        binary = gaps_settled(binary, *_paper(work, evidence, slope, quiet, binary))
    else:
        binary = filled(main_pieces(binary))
    trust = confidence(parts, cut, binary, work.background.plain) if plain else 0.4
    _refuse(work, binary, slope, trust, inner is not None)
    return cleaned(soft_edge(rgb, binary)), trust


def _refuse(work: _Work, binary: np.ndarray, slope: np.ndarray, trust: float, boxed: bool) -> None:
    """Raises UnclearGarment where the mask must not be used; a user's box settles what the photo shows."""
    if boxed:
        if not binary.any():
            raise UnclearGarment("Nothing in the box stands out from what is around it: give a mask or another box.")
        return
    refuse_nonsense(binary, slope, work.background.sure)
    if shows_person(work.lab, binary):
        raise UnclearGarment(
            "The photo shows a person, whose outline is not the garment's: "
            "give a mask, draw a box around the garment, or use the clothes parser."
        )
    if trust < LEAST_CONFIDENCE:
        raise UnclearGarment(f"The garment hardly stands out from the background ({trust:.0%} sure): {WAYS_OUT}.")


def _evidence(work: _Work, slope: np.ndarray, quiet: float, plain: bool) -> Evidence:
    if not plain:
        return gather_colours(work.lab, work.outside)
    near = work.background.sure & ndimage.binary_dilation(work.outside, iterations=10)
    return gather(work.lab, slope, quiet, work.background, near if near.any() else work.outside)


def _paper(
    work: _Work, evidence: Evidence, slope: np.ndarray, quiet: float, binary: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Twice [h,w] bool, smooth pixels of the background's colour, lit or shaded; then also tinted by the garment."""
    darker = work.background.surface[..., 0] - work.lab[..., 0]
    paper = evidence.shade & (darker < _GAP_SHADE) & (slope < _GAP_SLOPE + quiet)
    tinted = evidence.excess < _TINT / RINGING * evidence.ringing
    deep = ndimage.binary_erosion(binary, iterations=6)
    return paper, paper | tinted if deep.any() and tinted[deep].mean() < 0.02 else paper


def _prepared(rgb: np.ndarray, inner: tuple[int, int, int, int] | None) -> _Work:
    from skimage.color import rgb2lab

    height, width = rgb.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, LEAST_WORK_PX), WORK_PX) / longest
    hw = (max(48, round(height * scale)), max(48, round(width * scale)))
    way = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(rgb).resize((hw[1], hw[0]), way))
    lab = rgb2lab(small).astype(np.float32)
    beyond = np.zeros(hw, bool)
    if inner is not None:
        rows = (np.arange(hw[0]) + 0.5) / hw[0] * height
        cols = (np.arange(hw[1]) + 0.5) / hw[1] * width
        x0, y0, x1, y1 = inner
        beyond = ~(((rows >= y0) & (rows < y1))[:, None] & ((cols >= x0) & (cols < x1))[None])
    outside = beyond if beyond.mean() > 0.05 else beyond | border_ring(hw)
    return _Work(lab, outside, beyond, fit_background(lab, outside))


def _window(
    hw: tuple[int, int], box: tuple[int, int, int, int] | None
) -> tuple[tuple[slice, slice], tuple[int, int, int, int] | None]:
    """The part of the photo to work on, a margin around the box, and the box within that part."""
    if box is None:
        return np.s_[:, :], None
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), min(hw[1], box[2]), min(hw[0], box[3])
    if x1 - x0 < 8 or y1 - y0 < 8:
        raise MaskError(f"The box {tuple(box)} holds less than 8×8 px of the {hw[1]}×{hw[0]} px photo; draw it larger.")
    margin = round(0.12 * max(x1 - x0, y1 - y0)) + 2
    left, top = max(0, x0 - margin), max(0, y0 - margin)
    return np.s_[top : y1 + margin, left : x1 + margin], (x0 - left, y0 - top, x1 - left, y1 - top)
