"""The photo as a flat field of cloth in canonical units: where it may be trusted, and colours at any place of it.

A place near or beyond the mask's edge is answered from inside the garment, so background can't reach the texture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter, maximum_filter, zoom

from ...camera import mask_box, photo_camera
from ...data import Camera
from .bleed import bleeding

PIXELS_PER_TEXEL = 1.5
"""A larger photo is made smaller to this: one pixel per texel would blur once more when it is read between pixels."""
INSET_PX, INSET = 1.6, 0.0015
"""How far inside the mask's edge the photo is trusted: at least so many of its pixels and so much of its length."""
FIELD_PX = 800
"""Longest side of the distance field."""
MARGIN = 0.04
"""How far the field reaches beyond the mask's box, in canonical units."""
FINER = 1.2
"""The photo is enlarged where the atlas has at least so many texels per pixel."""
BLUR = 0.11
REACH = 0.08
"""Cloth is looked for at most this deep inside the edge."""


@dataclass(frozen=True, eq=False)
class Field:
    """How far inside the garment a place is, and which way is further in."""

    values: torch.Tensor
    """[4,h,w] float32 in canonical units: signed distance to the trusted rim (negative beyond it), inward x and y,
    and how deep the cloth is nearby."""
    camera: Camera


@dataclass(frozen=True, eq=False)
class Plate:
    """The photo cut to the garment, not much finer than the atlas can hold."""

    rgb: torch.Tensor
    """[3,H,W] float32 in 0..255."""
    camera: Camera
    field: Field
    inset: float
    """Canonical distance from the mask's edge to the trusted rim."""
    half_extent: tuple[float, float]
    """Half the width and height of the mask's box in canonical units."""


def plate_of(rgb: np.ndarray, soft: np.ndarray, texels_per_unit: float, camera: Camera | None = None) -> Plate:
    """The Plate of a [H,W,3] uint8 photo and its [H,W] mask; `camera` defaults to the mask's own `photo_camera`."""
    camera = photo_camera(soft) if camera is None else camera
    # Made smaller for the atlas, the photo's background reaches as many of the smaller pixels in.
    inset = max(INSET_PX / min(camera.focal_px, max(texels_per_unit, 1.0)), INSET)
    x0, y0, x1, y1 = _crop(soft, 4 + round(4 / max(texels_per_unit / camera.focal_px, 0.1)))
    scale = min(1.0, PIXELS_PER_TEXEL * texels_per_unit / camera.focal_px)
    hw = (max(int((y1 - y0) * scale), 2), max(int((x1 - x0) * scale), 2))
    crop = Image.fromarray(rgb[y0:y1, x0:x1])
    if hw != (y1 - y0, x1 - x0):
        # A part of a pixel is left off at the ends: whole sizes would scale width and height differently.
        box = (0, 0, min(hw[1] / scale, x1 - x0), min(hw[0] / scale, y1 - y0))
        crop = crop.resize((hw[1], hw[0]), Image.Resampling.LANCZOS, box)
    scaled = _moved(camera, x0, y0, scale, hw)
    pixels = torch.from_numpy(np.asarray(crop, np.float32).transpose(2, 0, 1).copy())
    box = np.array(mask_box(soft)) / camera.focal_px
    half = float(box[2] - box[0]) / 2, float(box[3] - box[1]) / 2
    return Plate(pixels, scaled, _field(rgb, soft, camera, inset), inset, half)


def finer(pixels: torch.Tensor, camera: Camera, texels_per_unit: float) -> tuple[torch.Tensor, Camera]:
    """[3,2H,2W] and its camera, from which texels and the renderer after them read the photo's own values back.

    Each of the two lookups is linear and blurs; their joint blur is about `1 + BLUR` times the Laplacian, whose
    inverse is applied first (three terms of its series). Nothing is done where the atlas is not finer than the photo.
    """
    if texels_per_unit < FINER * camera.focal_px:
        return pixels, camera
    kernel = torch.tensor([[0.0, -BLUR, 0], [-BLUR, 4 * BLUR, -BLUR], [0, -BLUR, 0]]).expand(3, 1, 3, 3)
    detail, sharp = pixels[None], pixels[None]
    for _ in range(3):
        detail = torch.nn.functional.conv2d(
            torch.nn.functional.pad(detail, (1, 1, 1, 1), "replicate"), kernel, groups=3
        )
        sharp = sharp + detail
    image = Image.fromarray(sharp[0].clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
    hw = (2 * camera.hw[0], 2 * camera.hw[1])
    image = image.resize((hw[1], hw[0]), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy()), _moved(camera, 0, 0, 2.0, hw)


def grid(camera: Camera, xy: torch.Tensor) -> torch.Tensor:
    """[1,1,N,2] for `grid_sample(align_corners=False)` at canonical [N,2] places, of an orthographic front camera."""
    height, width = camera.hw
    scale = torch.tensor([2 * camera.focal_px / width, -2 * camera.focal_px / height], dtype=xy.dtype, device=xy.device)
    shift = torch.tensor(
        [2 * camera.center_px[0] / width - 1, 2 * camera.center_px[1] / height - 1], dtype=xy.dtype, device=xy.device
    )
    return (xy * scale + shift)[None, None]


def sample(values: torch.Tensor, camera: Camera, xy: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """[C,N] of [C,h,w] at canonical [N,2] places, the border's values beyond it."""
    where = grid(camera, xy)
    return torch.nn.functional.grid_sample(values[None], where, mode=mode, padding_mode="border", align_corners=False)[
        0, :, 0
    ]


def at_most(camera: Camera, longest_px: int) -> Camera:
    """The camera at a resolution of at most `longest_px`."""
    scale = min(1.0, longest_px / max(camera.hw))
    hw = (max(round(camera.hw[0] * scale), 1), max(round(camera.hw[1] * scale), 1))
    return _moved(camera, 0, 0, scale, hw)


def _crop(soft: np.ndarray, margin: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = mask_box(soft)
    return max(x0 - margin, 0), max(y0 - margin, 0), min(x1 + margin, soft.shape[1]), min(y1 + margin, soft.shape[0])


def _moved(camera: Camera, x0: float, y0: float, scale: float, hw: tuple[int, int]) -> Camera:
    """The camera of a crop at (x0, y0), enlarged."""
    center = ((camera.center_px[0] - x0) * scale, (camera.center_px[1] - y0) * scale)
    return replace(camera, focal_px=camera.focal_px * scale, center_px=center, hw=hw)


def _field(rgb: np.ndarray, soft: np.ndarray, camera: Camera, inset: float) -> Field:
    x0, y0, x1, y1 = mask_box(soft)
    step = max(1, -(-max(x1 - x0, y1 - y0) // FIELD_PX))
    pad = int(np.ceil(MARGIN * camera.focal_px / step)) * step
    solid = _reduced(soft[y0:y1, x0:x1], step, pad, "constant") >= 0.5
    distance = distance_transform_edt(solid) - distance_transform_edt(~solid)  # type: ignore[operator]
    # Half a pixel between the two transforms, and the staircase smoothed, so that the gradient is a direction.
    distance = gaussian_filter(distance - 0.5 * np.sign(distance), 1.0).astype(np.float32)
    inward = np.stack(np.gradient(gaussian_filter(distance, 3.0)))
    inward /= np.maximum(np.linalg.norm(inward, axis=0), 1e-9)
    distance -= bleeding(_reduced(rgb[y0:y1, x0:x1], step, pad, "edge"), distance, inward)
    distance *= step / camera.focal_px
    depth = _depth_nearby(distance, REACH * camera.focal_px / step)
    values = np.stack([distance - inset, inward[1], -inward[0], depth - inset]).astype(np.float32)
    return Field(torch.from_numpy(values), _moved(camera, x0 - pad, y0 - pad, 1 / step, solid.shape))


def _reduced(image: np.ndarray, step: int, pad: int, mode: Literal["constant", "edge"]) -> np.ndarray:
    """[h,w] or [h,w,C] float32 means of step² blocks, with `pad` pixels of the original around."""
    padded = np.pad(image, ((pad, pad), (pad, pad), *[(0, 0)] * (image.ndim - 2)), mode=mode)
    height, width = padded.shape[0] // step, padded.shape[1] // step
    blocks = padded[: height * step, : width * step].reshape(height, step, width, step, *image.shape[2:])
    return blocks.mean((1, 3), dtype=np.float32)


def _depth_nearby(distance: np.ndarray, radius_px: float) -> np.ndarray:
    """The largest distance within a radius, at a quarter of the resolution."""
    quarter = maximum_filter(distance[::4, ::4], 2 * max(round(radius_px / 4), 1) + 1)
    quarter = gaussian_filter(quarter, 1.0)
    return zoom(quarter, np.array(distance.shape) / quarter.shape, order=1, grid_mode=True, mode="nearest")
