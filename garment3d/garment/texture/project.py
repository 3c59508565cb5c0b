"""Where in the photo each texel finds its cloth, and what colour it has there.

The photo itself where it is trusted; towards the side seams, where the photo shows cloth edge-on or background, the
cloth is continued by turning back into the photo at the rim by the length that the surface has gone beyond it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from ...data import Camera
from ...raster import rasterize
from .panels import BACK
from .plate import Plate, sample


class Sheets(NamedTuple):
    """What lies in front and behind at every place of the photo's plane."""

    front_z: torch.Tensor
    """[1,H,W] float32 canonical z of the surface nearest to the photo's camera."""
    back_z: torch.Tensor
    """[1,H,W] of the surface nearest to a camera behind."""
    inside: torch.Tensor
    """[1,H,W] float32 soft, 1 where the camera sees the back panel (from inside, through an opening)."""
    camera: Camera


def sheets(vertices: np.ndarray, faces: np.ndarray, labels: np.ndarray, camera: Camera) -> Sheets:
    """The Sheets of a mesh at the resolution of `camera`."""
    near = rasterize(vertices, faces, camera)
    mirrored = vertices * [1, 1, -1]
    far = rasterize(mirrored, faces, camera)
    distance = float(camera.c2w[2, 3])
    front_z, back_z = distance - near.depth.numpy(), far.depth.numpy() - distance
    empty = ~np.isfinite(front_z)
    if empty.any() and not empty.all():
        rows, cols = distance_transform_edt(empty, return_distances=False, return_indices=True)
        front_z, back_z = front_z[rows, cols], back_z[rows, cols]
    behind = (near.face.numpy() >= 0) & (labels[near.face.numpy().clip(min=0)] == BACK)
    inside = torch.nn.functional.avg_pool2d(torch.from_numpy(behind.astype(np.float32))[None], 5, 1, 2)
    # Zero where the view changes sides, so that the front's edge is not copied onto the inside of the back.
    inside = (2 * inside - 1).clamp(min=0)
    stack = [torch.from_numpy(np.ascontiguousarray(z, np.float32))[None] for z in (front_z, back_z)]
    return Sheets(stack[0], stack[1], inside, camera)


class Places(NamedTuple):
    """Where texels look into the photo."""

    xy: torch.Tensor
    """[N,2] canonical, always inside the trusted rim."""
    trusted: torch.Tensor
    """[N] bool, True where that is the texel's own place."""


def places(plate: Plate, z_maps: torch.Tensor, camera: Camera, points: torch.Tensor) -> Places:
    """[N,2] places in the photo for canonical [N,3] points on one sheet, whose z the map [1,H,W] of `camera` gives."""
    xy = points[:, :2]
    field = sample(plate.field.values[:1], plate.field.camera, xy)[0]
    trusted = field >= 0
    band = torch.nonzero(~trusted).squeeze(1)
    result = xy.clone()
    if len(band):
        result[band] = _turned_back(plate, z_maps, camera, points[band])
    return Places(result, trusted)


def _turned_back(plate: Plate, z_map: torch.Tensor, camera: Camera, points: torch.Tensor) -> torch.Tensor:
    """[N,2] places inside the rim, as far from it as each point lies beyond it along the surface."""
    rim, inward, deep = _rim(plate, points[:, :2])
    rise = points[:, 2] - sample(z_map, camera, rim)[0]
    run = (points[:, :2] - rim).norm(dim=1)
    # The chord stands for the arc: the band is narrow against the cloth's curvature.
    beyond = torch.sqrt(rise.square() + run.square())
    span = deep.clamp(min=1e-4)
    folded = span - (beyond % (2 * span) - span).abs()
    return _rim(plate, rim + inward * folded[:, None])[0]


def _rim(plate: Plate, xy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[N,2] nearest places on or inside the rim, [N,2] inward directions and [N] depth of the cloth there."""
    for _ in range(4):
        field = sample(plate.field.values, plate.field.camera, xy)
        xy = xy + field[1:3].T * (-field[0]).clamp(min=0)[:, None]
    field = sample(plate.field.values, plate.field.camera, xy)
    return xy, field[1:3].T, field[3]
