"""The garment's cloth without what is put on it: what the back panel is made of."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from ...data import Camera
from .fill import GRAIN_BLUR, PATCH, blurred, grain, harmonic
from .plate import Plate, at_most, sample
from .prints import Cloth, Found, find_prints
from .shift import RING_PX, best_shift, read, refined

LONGEST_PX = 256
"""Side of the picture in which prints are looked for."""
COLLAR = 0.03
"""Length below a neckline that its ribbing may take, canonical units."""
WAIST = 0.85
"""An opening that is so much of the garment's width is a waist: its band goes round and stays."""
SHADE_BLUR = 0.02
FEATHER = 0.006
"""Over which length filled cloth passes into the photo, canonical units."""


def back_cloth(plate: Plate, inside: torch.Tensor, camera: Camera) -> torch.Tensor:
    """[3,H,W] of the plate's camera: the photo with prints, labels, buttons and the neckline replaced by cloth.

    Args:
        plate: The photo.
        inside: [h,w] bool, where `camera` sees the back panel from inside, through the neck.
        camera: The photo's, at the resolution of `inside`.
    """
    small = at_most(plate.camera, LONGEST_PX)
    cloth = _cloth(plate, small, inside, camera)
    found = find_prints(cloth)
    if not found.remove.any():
        return plate.rgb
    pixels = np.ascontiguousarray(plate.rgb.permute(1, 2, 0).numpy())
    clean = (cloth.deep_px > 0) & ~found.remove
    filler = _from_elsewhere(pixels, cloth, found.remove, clean, plate.camera) if found.patterned else None
    if filler is None:
        filler = _plain(pixels, cloth, found, clean, plate.camera)
    soft = _enlarged(found.remove[..., None].astype(np.float32), plate.camera.hw)
    soft = ndimage.gaussian_filter(soft[..., 0], FEATHER * plate.camera.focal_px)
    weight = np.clip(2 * soft, 0, 1)[..., None]
    return torch.from_numpy((pixels + (filler - pixels) * weight).transpose(2, 0, 1).astype(np.float32).copy())


def _cloth(plate: Plate, small: Camera, inside: torch.Tensor, camera: Camera) -> Cloth:
    """The plate on the grid of `small`."""
    rgb = torch.nn.functional.interpolate(plate.rgb[None], size=small.hw, mode="area")[0]
    places = _centers(small)
    deep = sample(plate.field.values[:1], plate.field.camera, places).view(small.hw).numpy() * small.focal_px
    seen = sample(inside.float()[None], camera, places).view(small.hw).numpy() > 0.5
    # A pixel of the back that shows beside a side seam is no opening.
    seen = ndimage.binary_opening(seen, iterations=2)
    rows, cols = ndimage.distance_transform_edt(deep <= 0, return_distances=False, return_indices=True)
    pixels = rgb.permute(1, 2, 0).numpy()[rows, cols]
    return Cloth(pixels, deep, _collar(seen, deep > 0, COLLAR * small.focal_px))


def _collar(seen: np.ndarray, garment: np.ndarray, reach_px: float) -> np.ndarray:
    """[h,w] bool: the openings seen into and the collar around them; nothing for a waist."""
    label, _ = ndimage.label(seen)
    neck = np.zeros_like(seen)
    for index, box in enumerate(ndimage.find_objects(label), 1):
        rows = garment[box[0]]
        if (box[1].stop - box[1].start) < WAIST * rows.sum(1).max(initial=1):
            neck |= label == index
    if not neck.any():
        return neck
    return ndimage.distance_transform_edt(~neck) <= reach_px


def _plain(pixels: np.ndarray, cloth: Cloth, found: Found, clean: np.ndarray, camera: Camera) -> np.ndarray:
    """[H,W,3] smooth cloth with the grain of the calm places."""
    garment = cloth.deep_px > 0
    scale = camera.focal_px * cloth.rgb.shape[0] / camera.hw[0]
    smooth = blurred(cloth.rgb, clean, SHADE_BLUR * scale)
    rows, cols = ndimage.distance_transform_edt(~garment, return_distances=False, return_indices=True)
    # Beyond the rim the nearest cloth: nothing else may blend into it when it is enlarged.
    shade = _enlarged(harmonic(smooth, clean, garment)[rows, cols], camera.hw)
    full_clean = _enlarged(clean[..., None].astype(np.float32), camera.hw)[..., 0] > 0.99
    rows, cols = np.nonzero(_enlarged(found.remove[..., None].astype(np.float32), camera.hw)[..., 0] > 0)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    detail = pixels - blurred(pixels, full_clean, GRAIN_BLUR * camera.focal_px)
    calm = _enlarged(found.calm[..., None].astype(np.float32), camera.hw)[..., 0] > 0.99
    shade[box] += grain(detail, calm, round(PATCH * camera.focal_px), box)
    return shade


def _from_elsewhere(
    pixels: np.ndarray, cloth: Cloth, hole: np.ndarray, clean: np.ndarray, camera: Camera
) -> np.ndarray | None:
    """[H,W,3] the pattern, moved over each hole from where it fits best; None where it fits nowhere."""
    label, count = ndimage.label(hole & (cloth.deep_px > 0))
    factor = camera.hw[0] / cloth.rgb.shape[0]
    result = pixels.copy()
    for index in range(1, count + 1):
        own = label == index
        shift = best_shift(cloth.rgb, own, clean)
        if shift is None:
            return None
        ring = ndimage.binary_dilation(own, iterations=RING_PX) & clean
        shift = shift._replace(down_px=round(shift.down_px * factor), right_px=round(shift.right_px * factor))
        fine_ring = _enlarged(ring[..., None].astype(np.float32), camera.hw)[..., 0] > 0.99
        moved = read(pixels, refined(pixels, fine_ring, shift, int(np.ceil(factor))))
        reach = (
            _enlarged(ndimage.binary_dilation(own, iterations=4)[..., None].astype(np.float32), camera.hw)[..., 0] > 0
        )
        result[reach] = moved[reach]
    return result


def _centers(camera: Camera) -> torch.Tensor:
    """[N,2] canonical places of the pixels' centres, row by row."""
    height, width = camera.hw
    x = (torch.arange(width) + 0.5 - camera.center_px[0]) / camera.focal_px
    y = (camera.center_px[1] - torch.arange(height) - 0.5) / camera.focal_px
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).view(-1, 2).float()


def _enlarged(values: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """[H,W,C] bilinear."""
    tensor = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1), np.float32))[None]
    return torch.nn.functional.interpolate(tensor, size=hw, mode="bilinear")[0].permute(1, 2, 0).numpy()
