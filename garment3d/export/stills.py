"""Pictures of the finished garment for files: cut-out orbit views and the frames of a turntable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..camera import orbit, orbit_radius
from ..data import Camera, Views
from ..images import to_uint8

if TYPE_CHECKING:
    import trimesh

PAPER = (241 / 255, 238 / 255, 232 / 255)
"""Warm off-white behind the turntable, the report page's card colour: white garments still show."""
FOV_DEG = 28.0
"""A long lens, as product photos are taken with: a sleeve that comes near does not grow."""


def cutouts(views: Views, background: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """[V,H,W,4] uint8 with the `background` the views stand on taken out of their soft edges.

    Colours are not multiplied by alpha, and black where alpha is 0.
    """
    alpha = views.masks[..., None]
    behind = torch.tensor(background, dtype=views.images.dtype, device=views.images.device)
    rgb = (views.images - (1 - alpha) * behind) / alpha.clamp(min=1e-4)
    rgb = torch.where(alpha > 0, rgb.clamp(0, 1), 0)
    return to_uint8(torch.cat([rgb, alpha], -1).cpu().numpy())


def turntable_frames(
    mesh: trimesh.Trimesh,
    count: int = 72,
    size_px: int = 512,
    elevation_deg: float = 4.0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[np.ndarray]:
    """[S,S,3] uint8 frames of one whole turn over PAPER, softly lit, drawn a few ahead of who takes them."""
    from ..render import draw, upload

    model = upload(mesh, device)
    radius = orbit_radius(np.asarray(mesh.vertices), elevation_deg, FOV_DEG, 0.0, 0.93)
    cameras = orbit(360 / count, elevation_deg, radius, FOV_DEG, (size_px, size_px)).cameras

    def frame(camera: Camera) -> np.ndarray:
        return to_uint8(draw(model, camera, PAPER, "soft").rgb.cpu().numpy())

    with ThreadPoolExecutor(2) as pool:
        ahead = [pool.submit(frame, camera) for camera in cameras[:4]]
        for done in range(1, count + 1):
            yield ahead.pop(0).result()
            if progress is not None:
                progress(done, count)
            ahead += [pool.submit(frame, camera) for camera in cameras[done + 3 : done + 4]]
