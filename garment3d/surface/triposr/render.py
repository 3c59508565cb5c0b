"""Pictures drawn straight from TripoSR's scene by volume rendering: what the network saw, before any mesh is cut.

Frames, sampling and compositing are the original's, so view 0 of its turntable is the photo's side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ...camera import orbit_camera, unproject
from ...data import Camera, Orbit, Views
from .decoder import RADIUS, Decoder, colour, density
from .framing import DISTANCE, FOV_DEG
from .scene import Scene

INSIDE = 0.999
"""How much of the cube rays see, so that no sample falls off the planes."""
SHORTEST = 0.01
"""A shorter way through the cube is no hit, in TripoSR's units."""
UNSEEN = 1e-5
"""What still shines through where a ray is no longer followed: less than a tenth of a picture's grey level."""
SLAB = 8
"""Samples of each ray that are decoded together."""
FEW_RAYS, MANY_RAYS = 1 << 10, 1 << 16
"""Rays that are followed together: what a processor's caches hold, and what keeps a GPU busy."""


class Rays(NamedTuple):
    """Lines of sight in TripoSR's own frame."""

    origins: torch.Tensor
    """[N,3] float32."""
    directions: torch.Tensor
    """[N,3] float32 of length 1."""


def turntable(scene: Scene, azimuths_deg: tuple[float, ...], elevation_deg: float = 0.0, side_px: int = 256) -> Orbit:
    """The original's turntable, cameras of 40° at 1.9 TripoSR units, in this scene's canonical frame."""
    radius = DISTANCE * scene.scale
    cameras = (orbit_camera(a, elevation_deg, radius, FOV_DEG, (side_px, side_px)) for a in azimuths_deg)
    return Orbit(tuple(cameras), azimuths_deg, elevation_deg, radius)


def render_scene(
    scene: Scene,
    orbit: Orbit,
    samples: int = 128,
    chunk: int = 0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Views:
    """Views of the scene over white, masks its opacity, from any cameras; `progress` hears (views done, of how many).

    `chunk` rays are followed together (0 takes what suits the device).

    Source: "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis"; TripoSR's own renderer.
    """
    field = scene.on(device)
    chunk = chunk or (FEW_RAYS if torch.device(device).type == "cpu" else MANY_RAYS)
    images, masks = [], []
    for i, camera in enumerate(orbit.cameras):
        parts = []
        for part in range(0, camera.hw[0] * camera.hw[1], chunk):
            rays = rays_of(scene, camera, part, part + chunk)
            parts.append(_seen(field, Rays(*(t.to(device) for t in rays)), samples).cpu())
        shown = torch.cat(parts).view(*camera.hw, 4)
        images.append(shown[..., :3])
        masks.append(shown[..., 3])
        if progress:
            progress(i + 1, len(orbit.cameras))
    return Views(torch.stack(images).clamp(0, 1), torch.stack(masks).clamp(0, 1), orbit)


def rays_of(scene: Scene, camera: Camera, start: int, stop: int) -> Rays:
    """Rays through the centres of pixels `start` to `stop`, counted row by row, of a camera in the canonical frame."""
    index = np.arange(start, min(stop, camera.hw[0] * camera.hw[1]))
    pixels = np.stack([index % camera.hw[1], index // camera.hw[1]], -1) + 0.5
    near = scene.own(unproject(camera, pixels, np.zeros(len(index))))
    towards = scene.own(unproject(camera, pixels, np.ones(len(index)))) - near
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    return Rays(torch.from_numpy(near.astype(np.float32)), torch.from_numpy(towards.astype(np.float32)))


def _seen(field: tuple[torch.Tensor, Decoder], rays: Rays, samples: int) -> torch.Tensor:
    """[N,4] colour over white and opacity along each ray; a ray that misses the cube is white and 0."""
    near, far = _through_cube(rays)
    hit = torch.nonzero(far - near > SHORTEST)[:, 0]
    through = torch.ones(len(near), device=near.device)
    out = torch.zeros(len(near), 4, device=near.device)
    for first in range(0, samples, SLAB):
        hit = hit[through[hit] > UNSEEN]
        if not len(hit):
            break
        middle = (torch.arange(first, min(first + SLAB, samples), device=near.device) + 0.5) / samples
        distance = near[hit, None] * (1 - middle) + far[hit, None] * middle
        points = rays.origins[hit, None] + distance[..., None] * rays.directions[hit, None]
        shown, left = _slab(field, points, through[hit], samples)
        out[hit] += shown
        through[hit] = left
    out[:, :3] += 1 - out[:, 3:]
    return out


def _slab(
    field: tuple[torch.Tensor, Decoder], points: torch.Tensor, through: torch.Tensor, samples: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """[N,4] light and opacity that [N,S,3] points add, and [N] what shines through them of `through`."""
    planes, decoder = field
    with torch.inference_mode():
        raw_density, raw_colour = decoder(planes, points.view(-1, 3))
    # The original measures the way through the cube as 1, whatever its length, and so are its weights trained.
    alpha = 1 - torch.exp(-density(raw_density) / samples).view(points.shape[:2])
    passed = torch.cumprod(torch.cat([through[:, None], 1 - alpha], 1), 1)
    weight = alpha * passed[:, :-1]
    light = (weight[..., None] * colour(raw_colour).view(points.shape)).sum(1)
    return torch.cat([light, weight.sum(1, keepdim=True)], 1), passed[:, -1]


def _through_cube(rays: Rays) -> tuple[torch.Tensor, torch.Tensor]:
    """[N] distances at which rays enter and leave the cube; one that misses it leaves before it enters."""
    slope = torch.where(rays.directions.abs() < 1e-6, 1e-6, rays.directions)
    walls = torch.stack([(side * INSIDE * RADIUS - rays.origins) / slope for side in (-1, 1)])
    return walls.amin(0).amax(-1).clamp(min=0), walls.amax(0).amin(-1)
