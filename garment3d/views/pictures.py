"""Views out of pictures that someone else made, one per camera of an orbit, with masks where they bring none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..data import Camera, Orbit, Views
from ..errors import MaskError, PhotoError, UnclearGarment
from .zero123_masks import view_mask

PLAIN = 0.03
"""How far a border may stray from its median colour and still be one plain background (sRGB, 0..1)."""
APART = 0.04
"""A pixel this far from the background's colour is garment, or a mixture with it."""
PAINTED_PX = 384
"""Pictures up to this size whose background is not quite one colour are taken for a diffusion model's."""


def views_from_images(
    images: torch.Tensor,
    orbit: Orbit,
    masks: torch.Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Views:
    """Views of [V,H,W,3] or, with alpha, [V,H,W,4] sRGB pictures in 0..1, the orbit's cameras fitted to their size.

    Masks [V,H,W] are the ones given, else the alpha, else what stands before a plain background; of those that are
    looked for `progress` is told how many are done and their total, and may raise to stop.

    Raises:
        PhotoError: another number of pictures than cameras, another shape of picture, or NaN in one.
        MaskError: masks of another size, or a picture with nothing but background.
        UnclearGarment: no masks, no alpha and no plain background.
    """
    if images.ndim != 4 or images.shape[3] not in (3, 4) or not images.numel():
        raise PhotoError(f"The pictures have the shape {tuple(images.shape)}; give [views, height, width, 3 or 4].")
    if len(images) != len(orbit.cameras):
        raise PhotoError(
            f"There are {len(images)} pictures for an orbit of {len(orbit.cameras)} cameras; give one picture for each."
        )
    images = images.detach().float()
    broken = [
        f"{a:g}°" for a, ok in zip(orbit.azimuths_deg, images.isfinite().flatten(1).all(1), strict=True) if not ok
    ]
    if broken:
        raise PhotoError(f"The pictures at {', '.join(broken)} hold NaN or infinite values: make them again.")
    hw = (images.shape[1], images.shape[2])
    if masks is not None and masks.shape != images.shape[:3]:
        raise MaskError(
            f"The masks have the shape {tuple(masks.shape)}; these pictures need {tuple(images.shape[:3])}."
        )
    if masks is None and images.shape[3] == 4 and bool((images[..., 3] < 1).any()):
        masks = images[..., 3]
    if masks is None:
        masks = _before_backgrounds(images[..., :3], orbit, progress)
    masks = masks.detach().float().clamp(0, 1)
    for azimuth, mask in zip(orbit.azimuths_deg, masks, strict=True):
        if not bool((mask >= 0.5).any()):
            raise MaskError(f"The mask of the view at {azimuth:g}° is empty; every view must show the garment.")
    cameras = tuple(_resized(camera, hw) for camera in orbit.cameras)
    return Views(images[..., :3].clone(), masks.clone(), orbit._replace(cameras=cameras))


def _resized(camera: Camera, hw: tuple[int, int]) -> Camera:
    """The same camera for pictures of another size but the same shape."""
    factor = hw[0] / camera.hw[0]
    if abs(hw[1] - camera.hw[1] * factor) > 0.5:
        raise PhotoError(
            f"The pictures are {hw[1]} × {hw[0]} pixels but the orbit's are {camera.hw[1]} × {camera.hw[0]}; "
            "use an orbit with pictures of the same shape."
        )
    center_px = (camera.center_px[0] * factor, camera.center_px[1] * factor)
    return replace(camera, focal_px=camera.focal_px * factor, center_px=center_px, hw=hw)


def _before_backgrounds(
    images: torch.Tensor, orbit: Orbit, progress: Callable[[int, int], None] | None
) -> torch.Tensor:
    masks: list[torch.Tensor] = []
    for rgb, azimuth in zip(images, orbit.azimuths_deg, strict=True):
        masks.append(_before_background(rgb, azimuth))
        if progress is not None:
            progress(len(masks), len(images))
    return torch.stack(masks)


def _before_background(rgb: torch.Tensor, azimuth_deg: float) -> torch.Tensor:
    """[H,W] soft mask of what differs from the border's plain colour.

    Enclosed parts of exactly that colour belong to a drawn or photographed garment; a model's background is never
    exact, and its white cloth needs more than a threshold.
    """
    pixels = rgb.cpu().numpy()
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    color = np.median(border, axis=0)
    # Hem or sleeve may run out of the picture: half of the border has to be plain, not all of it.
    if np.mean(np.abs(border - color).max(1) <= PLAIN) < 0.5:
        raise UnclearGarment(
            f"The view at {azimuth_deg:g}° has no plain background; give masks or pictures with alpha."
        )
    if max(pixels.shape[:2]) <= PAINTED_PX and _grainy(border):
        return torch.as_tensor(view_mask(pixels), device=rgb.device)
    apart = np.abs(pixels - color).max(2)
    regions = _regions(apart < APART)
    edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    garment = ~np.isin(regions, np.unique(edge[edge > 0]))
    return torch.as_tensor(_feathered(garment, pixels, color), dtype=torch.float32, device=rgb.device)


def _grainy(border: np.ndarray) -> bool:
    """Whether the plain part of a [N,3] border varies by what 8 bits can show, and not by ringing alone."""
    away = np.abs(border - np.median(border, 0)).max(1)
    return bool(np.mean((away > 0.5 / 255) & (away <= PLAIN)) > 0.1)


def _regions(solid: np.ndarray) -> np.ndarray:
    """[H,W] int labels of the connected regions of a binary mask, 0 outside."""
    from scipy import ndimage

    labels = np.zeros(solid.shape, np.int32)
    ndimage.label(solid, output=labels)
    return labels


def _feathered(garment: np.ndarray, pixels: np.ndarray, color: np.ndarray) -> np.ndarray:
    """[H,W] soft mask whose rim is the share of the nearest solid colour in its mixture with the background."""
    from scipy import ndimage

    core = np.asarray(ndimage.binary_erosion(garment, iterations=2), bool)
    rim = np.asarray(ndimage.binary_dilation(garment), bool) & ~np.asarray(ndimage.binary_erosion(garment), bool)
    if not core.any():
        return garment.astype(np.float32)
    rows, columns = np.asarray(ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True))
    toward = pixels[rows, columns] - color
    length = (toward**2).sum(2)
    share = ((pixels - color) * toward).sum(2) / np.maximum(length, (2 * APART) ** 2)
    return np.where(rim & (length > (2 * APART) ** 2), np.clip(share, 0, 1), garment)
