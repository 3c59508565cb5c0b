"""From a binary mask at the working size to a soft edge at the photo's own size.

The outline becomes a 3D silhouette, so it has to follow the photo's pixels and not the steps of a smaller mask.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from .background import enlarged

_BAND_PX = 3.0
"""How far from the binary outline, in working pixels, the edge may move."""
_INSET_PX = 3.0
"""How far inside or outside the outline the pure colours are taken."""
_TILE_PX = 256
_FAINT = 9.0
"""Colour contrast in 8-bit steps below which noise would decide; there the smoothed outline does."""


class _Field(NamedTuple):
    """Smooth pictures at the working size that the edge is computed from."""

    depth: np.ndarray
    """[h,w] signed distance to the outline in working pixels, positive inside."""
    thin: np.ndarray
    """[h,w] 0..1, near 1 on straps: their colours may be the background's, so they are not read from the photo."""
    inward: np.ndarray
    """[h,w,2] unit direction (y, x) towards the inside."""
    garment: np.ndarray
    """[h,w,3] garment colours grown over the outline."""
    background: np.ndarray
    """[h,w,3] background colours grown over the outline."""


def soft_edge(rgb: np.ndarray, binary: np.ndarray) -> np.ndarray:
    """[H,W] float32 soft mask of an [H,W,3] uint8 photo from its smaller [h,w] binary mask; no garment gives zeros.

    Each edge pixel is read as a mixture of the garment's and the background's colour beside it.
    """
    hw = rgb.shape[:2]
    field = _field(_reduced(rgb, binary.shape), binary)
    depth = _resized(field.depth, hw)
    near = np.abs(depth) < _BAND_PX
    soft = (depth > 0).astype(np.float32)
    rows, cols = np.nonzero(near)
    scale = binary.shape[0] / hw[0]
    for start in range(0, len(rows), 1 << 19):  # a 64-megapixel photo has millions of edge pixels
        some = slice(start, start + (1 << 19))
        y, x = rows[some], cols[some]
        place = np.stack([(y + 0.5) * scale - 0.5, (x + 0.5) * binary.shape[1] / hw[1] - 0.5])
        soft[y, x] = _mixture(rgb[y, x].astype(np.float32), place, depth[y, x], field)
    return _smoothed(soft, near, 0.55 / scale)


def _field(rgb: np.ndarray, binary: np.ndarray) -> _Field:
    inside, outside = ndimage.distance_transform_edt(binary), ndimage.distance_transform_edt(~binary)
    steps = (inside - outside).astype(np.float32) + np.where(binary, -0.5, 0.5).astype(np.float32)
    thin = ndimage.maximum_filter(np.where(inside > 0, ndimage.maximum_filter(inside, 7) < 3.5, False), 3)
    # Smoothing the distance of a strap of two pixels would break it.
    depth = np.where(thin, ndimage.gaussian_filter(steps, 0.6) + 0.5, ndimage.gaussian_filter(steps, 0.9))
    slope = np.stack(np.gradient(ndimage.gaussian_filter(depth, 1.0)), -1)
    inward = slope / np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-3)
    pure_in, pure_out = inside > _INSET_PX - 1, outside > _INSET_PX
    garment = _grown(rgb, np.where(pure_in, 1.0, 1e-3 * (inside > 0.5)), 1.2)
    far = np.where(pure_out, 1.0, 1e-3 * (outside > 0.5))
    background = enlarged(_grown(rgb[::2, ::2], far[::2, ::2], 1.5), binary.shape)
    return _Field(
        depth, ndimage.gaussian_filter(thin.astype(np.float32), 0.7), inward.astype(np.float32), garment, background
    )


def _mixture(colours: np.ndarray, place: np.ndarray, depth: np.ndarray, field: _Field) -> np.ndarray:
    """[N] share of garment in [N,3] colours at working positions [2,N]."""
    inward = np.stack([_at(field.inward[..., i], place) for i in range(2)])
    garment_at = place + inward * np.maximum(_INSET_PX - depth, 0)
    background_at = place - inward * np.maximum(_INSET_PX + depth, 0)
    garment = np.stack([_at(field.garment[..., i], garment_at) for i in range(3)], -1)
    background = np.stack([_at(field.background[..., i], background_at) for i in range(3)], -1)
    contrast = garment - background
    power = np.square(contrast).sum(-1)
    share = ((colours - background) * contrast).sum(-1) / np.maximum(power, 1e-6)
    trust = power / (power + 3 * _FAINT**2)
    plain = np.clip(depth / 1.2 + 0.5, 0, 1)
    mixed = trust * np.clip(share, 0, 1) + (1 - trust) * plain
    low, high = np.clip(depth - 0.7, 0, 1), np.clip(depth + 1.7, 0, 1)
    low = np.maximum(low, plain * _at(field.thin, place))
    return np.clip(mixed, low, high).astype(np.float32)


def _smoothed(soft: np.ndarray, near: np.ndarray, sigma_px: float) -> np.ndarray:
    """The mask with its edge evened by a Gaussian, tile by tile: most of a large photo has no edge in it."""
    even = soft.copy()
    margin = int(2.5 * sigma_px) + 2
    for top in range(0, soft.shape[0], _TILE_PX):
        for left in range(0, soft.shape[1], _TILE_PX):
            tile = np.s_[top : top + _TILE_PX, left : left + _TILE_PX]
            if not near[tile].any():
                continue
            y, x = max(0, top - margin), max(0, left - margin)
            around = soft[y : top + _TILE_PX + margin, x : left + _TILE_PX + margin]
            blurred = ndimage.gaussian_filter(around, sigma_px, truncate=2.5)[top - y :, left - x :]
            even[tile] = np.where(near[tile], blurred[:_TILE_PX, :_TILE_PX], soft[tile])
    return np.clip(even, 0, 1, out=even)


def _grown(rgb: np.ndarray, weight: np.ndarray, sigma_px: float) -> np.ndarray:
    """[h,w,3] weighted mean of the colours around each pixel, reaching further where nothing is near."""
    total = np.zeros((*weight.shape, 3), np.float32)
    share = np.zeros(weight.shape, np.float32)
    for wider, importance in ((1, 1.0), (3, 1e-3)):
        blur = ndimage.gaussian_filter(
            np.dstack([rgb * weight[..., None], weight]).astype(np.float32),
            (sigma_px * wider, sigma_px * wider, 0),
            truncate=2.5,
        )
        total += importance * blur[..., :3]
        share += importance * blur[..., 3]
    return total / np.maximum(share, 1e-12)[..., None]


def _at(plane: np.ndarray, place: np.ndarray) -> np.ndarray:
    return ndimage.map_coordinates(plane, place, order=1, mode="nearest")


def _reduced(rgb: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    size = (hw[1], hw[0])
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX), np.float32)


def _resized(plane: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    size = (hw[1], hw[0])
    return np.array(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
