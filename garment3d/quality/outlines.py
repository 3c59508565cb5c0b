"""How one outline lies on another: agreement, and the shift and scale that would bring them together.

So a picture that was only moved is told from one that shows another shape.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..data import Camera
from ..metrics import mask_iou

SPREAD = 0.2
"""Standard deviation down of a centred outline, as a part of its picture."""


class Placed(NamedTuple):
    """How a [H,W] outline lies on the one it should be."""

    iou: float
    """As they lie, 0..1."""
    iou_together: float
    """Once shift, scale and stretch are undone."""
    shift_px: tuple[float, float]
    """Right and down: how far the middle of the outline lies beside the other's."""
    scale: float
    """It is so many times as high as the other ..."""
    stretch: float = 1.0
    """... and so many times as wide for its height."""


class _Shape(NamedTuple):
    spread: np.ndarray
    """[2] standard deviation down and across, in pixels."""
    middle: np.ndarray
    """[2] row and column."""


def placed(outline: np.ndarray, wanted: np.ndarray) -> Placed:
    """The Placed of a [H,W] binary outline on the `wanted` one; where one of them is empty, IoU 0 and no shift."""
    if not outline.any() or not wanted.any():
        return Placed(float(outline.any() == wanted.any()), 0.0, (0.0, 0.0), 1.0)
    own, other = _shape(outline), _shape(wanted)
    scale = own.spread / other.spread
    down, right = own.middle - other.middle
    together = _moved(outline, scale, own.middle - scale * other.middle)
    agree = mask_iou(outline, wanted), mask_iou(together, wanted)
    return Placed(*agree, (float(right), float(down)), float(scale[0]), float(scale[1] / scale[0]))


def centred(outline: np.ndarray, size: int = 64) -> np.ndarray:
    """[size,size] the outline moved to the middle and spread over it; empty where it is."""
    if not outline.any():
        return np.zeros((size, size), bool)
    own = _shape(outline)
    scale = np.full(2, own.spread[0] / (SPREAD * size))
    return _moved(outline, scale, own.middle - scale * (size - 1) / 2, (size, size))


def smaller(camera: Camera, factor: int) -> Camera:
    """The camera of a picture reduced by a whole factor, its last rows and columns of pixels perhaps partial."""
    hw = (-(-camera.hw[0] // factor), -(-camera.hw[1] // factor))
    center_px = (camera.center_px[0] / factor, camera.center_px[1] / factor)
    return replace(camera, focal_px=camera.focal_px / factor, center_px=center_px, hw=hw)


def _shape(outline: np.ndarray) -> _Shape:
    rows, columns = np.nonzero(outline)
    spread = np.array([rows.std(), columns.std()])
    return _Shape(np.maximum(spread, 0.3), np.array([rows.mean(), columns.mean()]))


def _moved(outline: np.ndarray, scale: np.ndarray, offset: np.ndarray, hw: tuple[int, int] | None = None) -> np.ndarray:
    """[H,W] bool whose pixel p is the outline's pixel scale · p + offset."""
    from scipy.ndimage import affine_transform

    shape = outline.shape if hw is None else hw
    return affine_transform(outline.astype(np.float32), scale, offset, shape, order=1) >= 0.5
