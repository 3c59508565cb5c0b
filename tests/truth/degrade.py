"""Exact views made as bad as Zero123's: small, soft, off in colour and scale, of another shape behind, with a halo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from skimage.color import hsv2rgb, rgb2hsv
from torch.nn.functional import interpolate

from garment3d.data import Camera, Views

SIDE = 256
"""Pixels of a picture's side; the lengths below are given for it."""
WARP_PX, WARP_LENGTH_PX = 4.0, 28.0
"""Rms displacement straight behind the garment, and the length over which it changes."""
SHIFT_PX = 4.0
BLUR_PX = 0.8
HALO_PX = (1.0, 3.0)


def degraded(
    views: Views, seed: int, side: int = SIDE, colour: float = 0.08, scale: float = 0.05, halo: bool = True
) -> Views:
    """The Views as Zero123 makes them, [V,side,side]; the picture at azimuth 0 is only resized.

    Each other picture has its own hue (± `colour` of the colour circle) and gain per channel (± `colour`), its own
    scale (± `scale`) and shift, and a slight blur. From 90° to 180° a smooth warp grows that changes the silhouette.
    With `halo` a rim of 1 to 3 pixels is mixed with the white behind, and the mask takes in up to two pixels of it.
    """
    images, masks = (_resized(t, side) for t in (views.images, views.masks[..., None]))
    drawn = [(images[k], masks[k, ..., 0]) for k in range(len(images))]
    for k, azimuth in enumerate(views.orbit.azimuths_deg):
        away = abs((azimuth + 180) % 360 - 180)
        if away > 1e-6:
            rng = np.random.default_rng([23, seed, k])
            drawn[k] = _redrawn(*drawn[k], away, rng, colour, scale, halo)
    rgb, soft = (np.stack(column).astype(np.float32) for column in zip(*drawn, strict=True))
    cameras = tuple(_smaller(camera, side) for camera in views.orbit.cameras)
    return Views(torch.from_numpy(rgb), torch.from_numpy(soft), views.orbit._replace(cameras=cameras))


def _redrawn(
    rgb: np.ndarray,
    soft: np.ndarray,
    away_deg: float,
    rng: np.random.Generator,
    colour: float,
    scale: float,
    halo: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """[H,W,3] picture over white and [H,W] mask of one view, `away_deg` from the photo's."""
    unit = len(rgb) / SIDE
    where = _places(len(rgb), away_deg, rng, scale)
    cloth, soft = _extended(rgb, soft), np.clip(map_coordinates(soft, where, order=1), 0, 1)
    cloth = np.stack(
        [map_coordinates(channel, where, order=1, mode="nearest") for channel in np.moveaxis(cloth, 2, 0)], 2
    )
    cloth = rgb2hsv(np.clip(cloth, 0, 1))
    cloth[..., 0] = (cloth[..., 0] + rng.uniform(-colour, colour)) % 1
    cloth = np.clip(hsv2rgb(cloth) * rng.uniform(1 - colour, 1 + colour, 3), 0, 1)
    rim = rng.uniform(*HALO_PX) * unit if halo else 0.0
    kept = min(rng.uniform(0, 1) * rim, 2.0 * unit)
    depth = distance_transform_edt(soft >= 0.5) - distance_transform_edt(soft < 0.5)
    alpha = np.clip((depth - 0.5) / max(rim, 1) + 0.5 * (not halo), 0, 1)
    picture = cloth * alpha[..., None] + (1 - alpha[..., None])
    picture = gaussian_filter(picture, (BLUR_PX * unit, BLUR_PX * unit, 0))
    mask = np.clip(depth - (rim - kept) / 2 + 0.5, 0, 1)
    return picture, gaussian_filter(mask, 0.5 * unit)


def _places(side: int, away_deg: float, rng: np.random.Generator, scale: float) -> np.ndarray:
    """[2,H,W] rows and columns that the redrawn picture takes its pixels from."""
    unit, middle = side / SIDE, (side - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij")).astype(float)
    shift = rng.uniform(-SHIFT_PX, SHIFT_PX, 2)[:, None, None] * unit
    where = (grid - middle - shift) / (1 + rng.uniform(-scale, scale)) + middle
    noise = np.stack([gaussian_filter(n, WARP_LENGTH_PX * unit) for n in rng.normal(size=(2, side, side))])
    noise *= WARP_PX * unit / np.sqrt((noise**2).mean())
    return where + noise * np.clip((away_deg - 90) / 90, 0, 1)


def _extended(rgb: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """[H,W,3] the cloth without its background, its own edge's colours carried outwards."""
    solid = soft > 0.98
    nearest = distance_transform_edt(~solid, return_distances=False, return_indices=True)
    return rgb[nearest[0], nearest[1]]


def _resized(pictures: torch.Tensor, side: int) -> np.ndarray:
    """[V,side,side,C] area means of [V,H,W,C] pictures."""
    if pictures.shape[1:3] == (side, side):
        return pictures.numpy().copy()
    small = interpolate(pictures.permute(0, 3, 1, 2), size=(side, side), mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1).numpy()


def _smaller(camera: Camera, side: int) -> Camera:
    factor = side / camera.hw[0]
    center = (camera.center_px[0] * factor, camera.center_px[1] * factor)
    return replace(camera, focal_px=camera.focal_px * factor, center_px=center, hw=(side, side))
