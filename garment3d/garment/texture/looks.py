"""What pictures show at the same places of a garment: points spread over the mesh and their colours in each picture.

Colours are read from pictures shrunk to one resolution, so that a sharp photo and a soft view can be compared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ...camera import project
from ...data import Camera
from ...raster import rasterize, visible
from .plate import at_most

POINTS = 6000
"""Places that are compared, even over the surface."""
COMPARED_PX = 160
"""Longest side of the pictures that colours are read from."""
SOFT_PX = 1.5
"""Sigma of the softened pictures."""
BEHIND = 0.012
"""Canonical depth by which a place may lie behind the nearest surface and still be it."""
FACING = (0.25, 0.7)
"""Cosines between the surface and a camera at which its picture begins to count, and counts whole."""
LEAST_TRUST = 0.5


class Places(NamedTuple):
    """Points of the outside of a mesh."""

    points: np.ndarray
    """[N,3] canonical."""
    normals: np.ndarray
    """[N,3] unit."""


class Depths(NamedTuple):
    """How far the nearest surface is from a camera."""

    camera: Camera
    values: torch.Tensor
    """[h,w] float32, inf where there is none; any multiple of the camera's own pixels."""


class Look(NamedTuple):
    """The places as one picture shows them."""

    colours: np.ndarray
    """[N,3] float32 sRGB 0..1."""
    soft: np.ndarray
    """[N,3] the same out of a picture so soft that it no longer matters how sharp it was."""
    weights: np.ndarray
    """[N] float32, 0 where the picture does not show the place, 1 where it faces the camera."""

    @property
    def softened(self) -> Look:
        """The Look with its soft colours only."""
        return self._replace(colours=self.soft)


def places_on(vertices: np.ndarray, faces: np.ndarray, count: int = POINTS) -> Places:
    """Places [N,3], the same for the same mesh; faces without area get none."""
    rng = np.random.default_rng(0)
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    # Even steps along the summed area leave fewer gaps than free draws do.
    face = np.searchsorted(np.cumsum(area), (np.arange(count) + rng.uniform(size=count)) / count * area.sum())
    face = np.minimum(face, len(faces) - 1)
    u, v = rng.uniform(size=(2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    points = corners[face, 0] * (1 - u - v) + corners[face, 1] * u + corners[face, 2] * v
    return Places(points, cross[face] / np.maximum(area[face, None], 1e-30))


def depths_of(
    vertices: np.ndarray, faces: np.ndarray, camera: Camera, samples: int = 2, device: str | torch.device = "cpu"
) -> Depths:
    """Depths for a camera at the resolution at which colours are compared."""
    small = at_most(camera, COMPARED_PX)
    return Depths(small, rasterize(vertices, faces, small, samples, device).depth.cpu())


def facing(places: Places, camera: Camera) -> np.ndarray:
    """[N] cosines between the places' outsides and the way to the camera."""
    towards = np.broadcast_to(camera.c2w[:3, 2], places.points.shape)
    if camera.projection == "perspective":
        towards = camera.c2w[:3, 3] - places.points
        towards = towards / np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-12)
    return (places.normals * towards).sum(1)


def look(places: Places, depths: Depths, camera: Camera, rgb: torch.Tensor, trust: torch.Tensor) -> Look:
    """The Look of a [3,H,W] picture in 0..255 with its [H,W] trust, taken by `camera`.

    `depths` may be of the camera before its picture was registered: shift and scale hide and show nothing.
    """
    small = at_most(camera, COMPARED_PX)
    over = _shrunk(torch.cat([rgb * (trust / 255), trust[None]]), small.hw)
    xy, _ = project(small, places.points)
    grid = torch.as_tensor(2 * xy / np.array(small.hw[::-1]) - 1, dtype=torch.float32, device=over.device)[None, None]
    read, soft = (
        torch.nn.functional.grid_sample(values, grid, align_corners=False)[0, :, 0].cpu().numpy()
        for values in (over, _softened(over))
    )
    trusted = read[3] >= LEAST_TRUST
    sharp, soft = (np.where(trusted, v[:3] / np.maximum(v[3], 1e-6), 0).T.astype(np.float32) for v in (read, soft))
    return Look(sharp, soft, (shows(places, depths, camera) * trusted).astype(np.float32))


def shows(places: Places, depths: Depths, camera: Camera) -> np.ndarray:
    """[N] 0..1 how well a camera sees the places: 0 where something is before them, 1 where they face it."""
    seen = visible(places.points, depths.camera, depths.values, BEHIND).numpy()
    low, high = FACING
    return np.clip((facing(places, camera) - low) / (high - low), 0, 1) * seen


def softened(picture: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
    """[1,C,h,w] of a [C,H,W] picture, shrunk and as soft as a Look's soft colours are."""
    return _softened(_shrunk(picture, hw))


def _shrunk(picture: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
    return torch.nn.functional.interpolate(picture[None].float(), hw, mode="bilinear", antialias=True)


def _softened(values: torch.Tensor) -> torch.Tensor:
    """[1,C,H,W] after a Gaussian of SOFT_PX."""
    reach = int(np.ceil(3 * SOFT_PX))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device) / SOFT_PX) ** 2)
    kernel = (kernel / kernel.sum())[None, None].expand(values.shape[1], 1, -1)
    across = torch.nn.functional.conv2d(values, kernel[:, :, None], padding=(0, reach), groups=len(kernel))
    return torch.nn.functional.conv2d(across, kernel[..., None], padding=(reach, 0), groups=len(kernel))
