"""The garment as TripoSR wants to see it: cut out over mid grey, centred, its longest side 85 % of 512 pixels.

The frame follows the mask's bounding box, so that what comes out lies in the mask's canonical frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from ...camera import mask_box
from ...errors import MaskError
from ...images import CanvasBox
from .network import IMAGE_PX

RATIO = 0.85
GREY = 127
"""Half of 255, cut off as the original's conversion to bytes does."""
DISTANCE, FOV_DEG = 1.9, 40.0
"""The camera that TripoSR takes every photo to be from, in its own units."""


class Frame(NamedTuple):
    """Where the square picture lies in the photo, and how large TripoSR's world is in it."""

    box: CanvasBox
    scale: float
    """Canonical units per TripoSR unit: the mask's longest side is 1, the picture spans the view at the origin."""


def frame_of(soft: np.ndarray, ratio: float = RATIO, padding_px: int = 0) -> Frame:
    """The square around the [H,W] mask's box, grown by `padding_px` and then divided by `ratio`, and its scale.

    An empty mask, or one that such numbers leave no room, raises MaskError.
    """
    x0, y0, x1, y1 = mask_box(soft)
    longest = max(x1 - x0, y1 - y0)
    if not 0 < ratio <= 1 or longest + 2 * padding_px < 1:
        told = f"a foreground ratio of {ratio:g} and a padding of {padding_px} px around a mask of {longest} px"
        raise MaskError(f"No picture can be framed with {told}; the ratio is above 0 and at most 1.")
    side = (longest + 2 * padding_px) / ratio
    span = 2 * DISTANCE * math.tan(math.radians(FOV_DEG) / 2)
    return Frame(CanvasBox((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side), side / longest / span)


def framed(rgb: np.ndarray, soft: np.ndarray, ratio: float = RATIO, padding_px: int = 0) -> torch.Tensor:
    """[1,3,512,512] float32 sRGB in 0..1 of a [H,W,3] uint8 photo and its [H,W] mask; an empty mask raises MaskError.

    As the original: mixed with grey 0.5, cut to bytes, resized bilinearly with antialiasing. It differs in one thing:
    the frame is centred on the mask's box to the fraction of a pixel, where the original leaves out the box's last
    row and column and rounds its margins to whole pixels.
    """
    box = frame_of(soft, ratio, padding_px).box
    across, down = _Stretch.of(box.x0_px, box.side_px, rgb.shape[1]), _Stretch.of(box.y0_px, box.side_px, rgb.shape[0])
    inner = (across.inner[0], down.inner[0], across.inner[1], down.inner[1])
    share = soft[down.photo, across.photo].astype(np.float32)
    pixels = np.full((1, 3, IMAGE_PX, IMAGE_PX), GREY / 255, np.float32)
    for i, channel in enumerate(np.moveaxis(rgb[down.photo, across.photo], -1, 0)):
        mixed = channel.astype(np.float32) / 255 * share + (1 - share) * np.float32(0.5)
        window = np.full((down.length, across.length), GREY, np.uint8)
        window[down.place, across.place] = (mixed * 255).astype(np.uint8)
        plane = Image.fromarray(window.astype(np.float32) / 255)
        wh = (across.out.stop - across.out.start, down.out.stop - down.out.start)
        resized = plane.resize(wh, Image.Resampling.BILINEAR, box=inner)
        pixels[0, i, down.out, across.out] = np.asarray(resized)
    return torch.from_numpy(pixels)


class _Stretch(NamedTuple):
    """Along one axis: the part of the picture that the photo reaches and where its pixels come from."""

    out: slice
    """Pixels of the picture."""
    photo: slice
    """Pixels of the photo."""
    length: int
    """Of the window that is resized: the photo's pixels with grey around them."""
    place: slice
    """The photo's pixels in the window."""
    inner: tuple[float, float]
    """What of the window becomes `out`."""

    @classmethod
    def of(cls, start: float, side: float, photo_px: int) -> _Stretch:
        step = side / IMAGE_PX
        reach = 2 + math.ceil(1 / step)  # beyond these the filter sees grey alone
        first = max(0, math.floor(-start / step) - reach)
        last = min(IMAGE_PX, math.ceil((photo_px - start) / step) + reach)
        low, high = start + first * step, start + last * step
        origin, end = math.floor(low), math.ceil(high)
        photo = slice(max(0, origin), min(photo_px, end))
        place = slice(photo.start - origin, photo.stop - origin)
        return cls(slice(first, last), photo, end - origin, place, (low - origin, high - origin))
