"""Texture lookups in plain torch: an image pyramid and the level each face needs, so that small pictures don't sparkle.

Colours are averaged as sRGB numbers, as every image resizer does, so a drawn photo compares with a resized one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate

from .raster import Pieces

SHARPER = 0.3
"""Levels finer than one texel per pixel: a trilinear lookup is a box and a tent together and blurs more than a pixel's
own mean; with this a photo drawn through a texture twice or three times as fine loses about half as much."""


class Pyramid(NamedTuple):
    """An image and its halvings down to one pixel, laid end to end."""

    texels: torch.Tensor
    """[N] int32, each the four bytes of one RGBA texel: a quarter of the lookups of separate channels."""
    first: torch.Tensor
    """[L] int64, where each level begins in `texels`."""
    wh: torch.Tensor
    """[L,2] int64 width and height of each level."""


def pyramid(rgb: torch.Tensor, tint: np.ndarray | None = None) -> Pyramid:
    """The Pyramid of a [H,W,3] uint8 sRGB image, times a linear [3] `tint`."""
    level = rgb
    if tint is not None and not np.allclose(tint, 1):
        factor = torch.as_tensor(tint, dtype=torch.float32, device=rgb.device)
        level = linear_to_srgb(srgb_to_linear(rgb / 255) * factor) * 255
    levels, sizes = [], []
    while True:
        height, width = level.shape[:2]
        rgba = torch.full((height, width, 4), 255, dtype=torch.uint8, device=rgb.device)
        rgba[..., :3] = level.round() if level.is_floating_point() else level
        levels.append(rgba.view(torch.int32).flatten())
        sizes.append((width, height))
        if height == width == 1:
            break
        level = _half(level)
    wh = torch.tensor(sizes, device=rgb.device)
    return Pyramid(torch.cat(levels), wh.prod(1).cumsum(0) - wh.prod(1), wh)


def _half(level: torch.Tensor) -> torch.Tensor:
    """[H/2,W/2,3] float32 area means of a [H,W,3] image; odd sizes round down, but not to 0."""
    height, width = level.shape[:2]
    if height % 2 or width % 2:
        channels = level.permute(2, 0, 1)[None].float()
        means = interpolate(channels, size=(max(height // 2, 1), max(width // 2, 1)), mode="area")
        return means[0].permute(1, 2, 0)
    wide = torch.int16 if level.dtype == torch.uint8 else level.dtype
    rows = level[0::2].to(wide) + level[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]).float() / 4


def footprint(pieces: Pieces, uv: torch.Tensor, texture: Pyramid) -> torch.Tensor:
    """[T] float32 pyramid level at which a pixel's step on each piece is about one texel; negative on larger texels."""
    corner = uv[pieces.face] if pieces.weights is None else pieces.weights @ uv[pieces.face]
    corner = corner * texture.wh[0]
    u, v = pieces.xy_px[:, 1] - pieces.xy_px[:, 0], pieces.xy_px[:, 2] - pieces.xy_px[:, 0]
    area = (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])[:, None]
    s, t = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    across, down = (s * v[:, 1:] - t * u[:, 1:]) / area, (t * u[:, :1] - s * v[:, :1]) / area
    size = (across.square() + down.square()).sum(1)
    minor_major = (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]).abs()
    major = ((size + (size.square() - 4 * minor_major.square()).clamp(min=0).sqrt()) / 2).sqrt()
    texels = torch.maximum(minor_major.sqrt(), major / 2)
    return texels.nan_to_num(1, 1, 1).clamp(1e-6, 1e6).log2() - SHARPER


def sample(texture: Pyramid, uv: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """[P,3] float32 sRGB in 0..1 at [P,2] uv (origin bottom-left, repeating outside 0..1), trilinear at [P] levels."""
    uv = torch.where((uv < 0) | (uv > 1), uv - uv.floor(), uv).nan_to_num(0)
    uv = torch.stack([uv[:, 0], 1 - uv[:, 1]], 1)
    level = level.clamp(0, len(texture.first) - 1)
    base = level.floor().long()
    part = level - base
    rgb = _bilinear(texture, uv, base)
    between = torch.nonzero(part > 0).squeeze(1)
    if len(between):
        coarse = _bilinear(texture, uv[between], base[between] + 1)
        rgb[between] = torch.lerp(rgb[between], coarse, part[between, None])
    return rgb / 255


def _bilinear(texture: Pyramid, uv: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """[P,3] in 0..255 at [P,2] uv with the origin at the top left, edge texels held."""
    wh, first = texture.wh.index_select(0, level), texture.first.index_select(0, level)
    xy = uv * wh - 0.5
    low = xy.floor()
    fx, fy = (xy - low).unsqueeze(-1).unbind(1)
    zero = torch.zeros_like(wh)
    x0, y0 = low.long().clamp(min=zero, max=wh - 1).unbind(1)
    x1, y1 = (low.long() + 1).clamp(min=zero, max=wh - 1).unbind(1)

    def texel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return texture.texels.index_select(0, first + y * wh[:, 0] + x).view(torch.uint8).view(-1, 4)[:, :3].float()

    top = torch.lerp(texel(x0, y0), texel(x1, y0), fx)
    return torch.lerp(top, torch.lerp(texel(x0, y1), texel(x1, y1), fx), fy)


def srgb_to_linear(srgb: torch.Tensor) -> torch.Tensor:
    """Linear light of sRGB numbers in 0..1, same shape (IEC 61966-2-1)."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: torch.Tensor) -> torch.Tensor:
    """The sRGB numbers of linear light in 0..1, same shape (IEC 61966-2-1)."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)
