"""The colour of any point of the garment, from the photo, its cloth, or a photo of the back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ...camera import mask_box
from ...data import Camera
from ...errors import MaskError
from .cloth import back_cloth
from .panels import BACK, front_and_back
from .plate import Plate, plate_of, sample
from .project import Sheets, places, sheets
from .unwrap import welded

PHOTO, CLOTH, FILLED = 0, 1, 2
"""What a texel shows: its own place in the photo, the back's cloth or photo, or cloth continued beyond the rim."""
SHEET_PX = 800
"""Longest side of the depth maps that tell which sheet the camera sees."""


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a texel's colour depends on."""

    plate: Plate
    cloth: torch.Tensor
    """[3,H,W] float32 of the plate's camera: the photo without prints and neckline, for the back."""
    sheets: Sheets
    back: torch.Tensor
    """[F] bool, faces of the back panel."""
    back_plate: Plate | None = None
    back_stretch: tuple[float, float] = (1.0, 1.0)
    """Canonical x and y in the back photo per canonical x and y of the garment; x is mirrored."""


def scene_of(vertices: np.ndarray, faces: np.ndarray, plate: Plate) -> Scene:
    """The Scene of a canonical mesh and the plate of its photo."""
    labels = front_and_back(*welded(vertices, faces))
    seen = sheets(vertices, faces, labels, _at_most(plate.field.camera, SHEET_PX))
    cloth = back_cloth(plate, seen)
    return Scene(plate, cloth, seen, torch.from_numpy(labels == BACK))


def with_back_photo(scene: Scene, rgb: np.ndarray, soft: np.ndarray | None, texels_per_unit: float) -> Scene:
    """The Scene with a [H,W,3] photo of the back, mask's box on mask's box; no mask raises MaskError."""
    if soft is None or soft.shape != rgb.shape[:2]:
        raise MaskError("The back photo needs a mask of its own size: cut it out first.")
    plate = plate_of(rgb, soft, texels_per_unit)
    x0, y0, x1, y1 = mask_box(soft)
    longest = max(x1 - x0, y1 - y0)
    half = scene.plate.half_extent
    stretch = ((x1 - x0) / longest / 2 / half[0], (y1 - y0) / longest / 2 / half[1])
    return replace(scene, back_plate=plate, back_stretch=stretch)


def paint(scene: Scene, points: torch.Tensor, face: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[N,3] uint8 sRGB and [N] int64 kinds of canonical [N,3] points on [N] faces."""
    colors, kind = torch.empty(len(points), 3), torch.full((len(points),), FILLED)
    behind = scene.back[face]
    for index, painter in ((~behind, _front), (behind, _back)):
        own = torch.nonzero(index).squeeze(1)
        if len(own):
            colors[own], kind[own] = painter(scene, points[own])
    return colors.round_().clamp_(0, 255).to(torch.uint8), kind


def _front(scene: Scene, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    where = places(scene.plate, scene.sheets.front_z, scene.sheets.camera, points)
    return sample(scene.plate.rgb, scene.plate.camera, where.xy).T, torch.where(where.trusted, PHOTO, FILLED)


def _back(scene: Scene, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cloth or the back photo, but the photo itself where its camera sees the inside of the back."""
    where = places(scene.plate, scene.sheets.back_z, scene.sheets.camera, points)
    colors = _behind(scene, points) if scene.back_plate else sample(scene.cloth, scene.plate.camera, where.xy).T
    seen = sample(scene.sheets.inside, scene.sheets.camera, points[:, :2])[0] * where.trusted
    shown = torch.nonzero(seen > 0).squeeze(1)
    photo = sample(scene.plate.rgb, scene.plate.camera, where.xy[shown]).T
    colors[shown] += (photo - colors[shown]) * seen[shown, None]
    return colors, torch.where(seen > 0.5, PHOTO, CLOTH)


def _behind(scene: Scene, points: torch.Tensor) -> torch.Tensor:
    """[N,3] colours from the photo of the back."""
    assert scene.back_plate is not None
    stretch = torch.tensor([-scene.back_stretch[0], scene.back_stretch[1], 1.0])
    sheets = scene.sheets
    mirrored = replace(
        sheets.camera, center_px=(sheets.camera.hw[1] - sheets.camera.center_px[0], sheets.camera.center_px[1])
    )
    where = places(scene.back_plate, sheets.back_z.flip(2), mirrored, points * stretch)
    return sample(scene.back_plate.rgb, scene.back_plate.camera, where.xy).T


def _at_most(camera: Camera, longest_px: int) -> Camera:
    """The camera at a resolution of at most `longest_px`."""
    scale = min(1.0, longest_px / max(camera.hw))
    hw = (round(camera.hw[0] * scale), round(camera.hw[1] * scale))
    center = (camera.center_px[0] * scale, camera.center_px[1] * scale)
    return replace(camera, focal_px=camera.focal_px * scale, center_px=center, hw=hw)
