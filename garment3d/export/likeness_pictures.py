"""Pictures that show where a garment and a picture of it disagree: quiet where they agree, loud where they don't.

Blue is cloth that is missing, violet is cloth too much, yellow to red another colour. All have their own transparency.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..camera import mask_box, photo_camera
from ..data import Camera
from ..images import to_uint8

MISSING, TOO_MUCH, LINE = (43, 108, 226), (151, 62, 214), (214, 72, 46)
"""sRGB: cloth that is not there, cloth that should not be there, the line along a mask."""
RAMP = np.array([[250, 213, 92], [240, 142, 52], [206, 50, 38], [120, 14, 44]], np.float32)
"""sRGB of colours from just seen to FAR_DELTA_E apart."""
NEAR_DELTA_E, FAR_DELTA_E = 7.0, 45.0
"""CIE76: less is not shown, more is all the same."""
MARGIN = 0.06
"""Of the garment's longest side, around it."""


class Framed(NamedTuple):
    """A photo cut down to its garment and resized, with the camera that takes the same picture."""

    rgb: np.ndarray
    """[H,W,3] uint8."""
    soft: np.ndarray
    """[H,W] float32."""
    camera: Camera


def framed(rgb: np.ndarray, soft: np.ndarray, longest_px: int) -> Framed:
    """The Framed garment of a [H,W,3] uint8 photo and its [H,W] mask, its longer side `longest_px`."""
    x0, y0, x1, y1 = mask_box(soft)
    margin = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    right, bottom = min(x1 + margin, soft.shape[1]), min(y1 + margin, soft.shape[0])
    scale = longest_px / max(right - left, bottom - top)
    size = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
    box = (left, top, left + size[0] / scale, top + size[1] / scale)
    box = (box[0], box[1], min(box[2], soft.shape[1]), min(box[3], soft.shape[0]))
    small = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC, box)
    mask = Image.fromarray(soft.astype(np.float32)).resize(size, Image.Resampling.BILINEAR, box)
    own = photo_camera(soft)
    center_px = (own.center_px[0] - left) * scale, (own.center_px[1] - top) * scale
    camera = replace(own, focal_px=own.focal_px * scale, center_px=center_px, hw=(size[1], size[0]))
    return Framed(np.asarray(small), np.clip(np.asarray(mask), 0, 1), camera)


def cut_out(rgb: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8 of a [H,W,3] picture, uint8 or 0..1 and already without its background, and its [H,W] mask."""
    colours = rgb if rgb.dtype == np.uint8 else to_uint8(rgb)
    return np.dstack([colours, to_uint8(soft)])


def outlined(rgb: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8: a photo in full, pale but for its garment, with a line along the mask's edge."""
    pixels = rgb.astype(np.float32)
    pale = 0.2 * pixels.mean(-1, keepdims=True) + 0.2 * pixels + 148
    pixels = pale + (pixels - pale) * soft[..., None]
    pixels[_edge(soft, max(1, max(soft.shape) // 200))] = LINE
    return cut_out(np.clip(pixels, 0, 255).astype(np.uint8), np.ones(soft.shape))


def difference(seen: np.ndarray, seen_soft: np.ndarray, truth: np.ndarray, truth_soft: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8: what is `seen` [H,W,3] in 0..1 as pale grey, and loud what differs from the `truth`."""
    from skimage.color import rgb2lab

    both = np.minimum(seen_soft, truth_soft)
    apart = np.linalg.norm(rgb2lab(seen) - rgb2lab(truth), axis=-1)
    share = np.clip((_calm(apart) - NEAR_DELTA_E) / (FAR_DELTA_E - NEAR_DELTA_E), 0, 1)
    grey = 196 + 44 * seen.mean(-1, keepdims=True)
    loud = heat(share)
    pixels = grey + (loud - grey) * np.clip(4 * share, 0, 1)[..., None]
    return _with_edges(pixels, both, seen_soft, truth_soft)


def heat(share: np.ndarray) -> np.ndarray:
    """[...,3] colours in 0..255 of shares [...] in 0..1 of what FAR_DELTA_E is."""
    at = np.asarray(share) * (len(RAMP) - 1)
    return np.stack([np.interp(at, np.arange(len(RAMP)), channel) for channel in RAMP.T], -1)


def outlines(seen_soft: np.ndarray, truth_soft: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8: grey where two masks agree, coloured where one has cloth and the other none."""
    both = np.minimum(seen_soft, truth_soft)
    return _with_edges(np.full((*both.shape, 3), 205.0), both, seen_soft, truth_soft)


def _with_edges(pixels: np.ndarray, both: np.ndarray, seen_soft: np.ndarray, truth_soft: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8 of colours in 0..255, and in their own what only one of two masks covers."""
    missing, extra = truth_soft - both, seen_soft - both
    whole = np.maximum(both + missing + extra, 1e-6)[..., None]
    mixed = pixels * both[..., None] + missing[..., None] * np.array(MISSING) + extra[..., None] * np.array(TOO_MUCH)
    return cut_out(np.clip(mixed / whole, 0, 255).astype(np.uint8), np.clip(both + missing + extra, 0, 1))


def _calm(apart: np.ndarray) -> np.ndarray:
    """The differences without those that are a pixel wide: resampling makes them along every edge."""
    from scipy.ndimage import minimum_filter, uniform_filter

    return uniform_filter(np.asarray(minimum_filter(apart, 2)), 2)


def _edge(soft: np.ndarray, width_px: int) -> np.ndarray:
    """[H,W] bool, pixels along the inner edge of a mask."""
    from scipy.ndimage import binary_erosion

    solid = np.pad(soft >= 0.5, 1)
    inner = np.asarray(binary_erosion(solid, iterations=width_px, border_value=1))
    return (solid & ~inner)[1:-1, 1:-1]
