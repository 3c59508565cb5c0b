"""Orbit views without any model: the textured garment, drawn by the library's own rasteriser."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import torch

from ..camera import orbit as default_orbit
from ..data import Orbit, Views
from ..render import draw, upload

AT_ONCE = 2
"""Views drawn side by side: bounds the memory, and an interrupt waits for one pair only."""

if TYPE_CHECKING:
    import trimesh


def rendered_orbit(
    mesh: trimesh.Trimesh,
    orbit: Orbit | None = None,
    background: tuple[float, float, float] = (1, 1, 1),
    shading: Literal["unlit", "soft"] = "soft",
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Views:
    """Views [V,H,W] of a mesh from the orbit's cameras, by default every 20°; a mesh without faces raises MeshError.

    `progress` is told the views done and their total, and may raise to stop.
    """
    orbit = default_orbit() if orbit is None else orbit
    if not orbit.cameras or len({camera.hw for camera in orbit.cameras}) > 1:
        raise ValueError(f"The orbit has {len(orbit.cameras)} cameras; it needs one or more, all of one picture size.")
    model = upload(mesh, device)
    images: list[torch.Tensor] = []
    masks: list[torch.Tensor] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:  # torch leaves Python free, and its own threads share one picture badly
        for start in range(0, len(orbit.cameras), AT_ONCE):
            cameras = orbit.cameras[start : start + AT_ONCE]
            for picture in pool.map(lambda camera: draw(model, camera, background, shading), cameras):
                images.append(picture.rgb)
                masks.append(picture.alpha)
                if progress is not None:
                    progress(len(images), len(orbit.cameras))
    return Views(torch.stack(images), torch.stack(masks), orbit)
