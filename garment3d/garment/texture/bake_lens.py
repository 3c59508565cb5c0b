"""What one view sees of the mesh: by depth, by angle, and never at the edge of something that stands before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ...camera import project
from ...data import Camera
from ...raster import rasterize
from .sources import Source

LEAST_COS, FULL_COS = 0.25, 0.4
"""Cloth that faces a view less than the first is not read from it, fully from the second on."""
DEPTH_PX = 512
"""The depth buffer has at least so many pixels a side."""
BEHIND = 0.012
"""How far behind the nearest surface still counts as that surface, canonical."""
STEP, NEAR_STEP = 0.05, 0.012
"""Cloth is not read within the second length of an edge that stands before it by the first: pictures are soft there."""
POINTS_AT_ONCE = 1 << 19


class Lens(NamedTuple):
    """A view and what it can see."""

    source: Source
    view: int
    """Its number among the views that were given."""
    depth: torch.Tensor
    """[h,w] farthest of the nearest surface in 3 × 3 pixels, so that steep cloth does not hide itself; −inf = none."""
    before: torch.Tensor
    """[h,w] nearest depth within NEAR_STEP."""
    values: torch.Tensor
    """[4,H,W] float32: colours and trust."""


class Look(NamedTuple):
    """What a view shows of points."""

    colors: torch.Tensor
    """[N,3] float32 0..255."""
    sight: torch.Tensor
    """[N] float32: 0 where it does not see them, 1 where it sees them well."""
    cos: torch.Tensor
    """[N] float32 cosine of the angle at which they are seen."""


def lens_of(source: Source, view: int, points: np.ndarray, faces: np.ndarray, device: str | torch.device) -> Lens:
    """The Lens of a source on a welded mesh."""
    finer = max(1, -(-DEPTH_PX // min(source.camera.hw)))
    depth = rasterize(points, faces, source.camera, finer, device).depth
    far = _pooled(torch.where(depth.isinf(), -torch.inf, depth), 1)
    reach = max(1, round(NEAR_STEP * _px_per_unit(source.camera) * finer))
    before = -_pooled(-depth, reach)
    values = torch.cat([source.rgb.float(), source.trust.float()[None]]).to(device)
    return Lens(source, view, far, before, values)


def look(lens: Lens, points: torch.Tensor, normals: torch.Tensor) -> Look:
    """The Look at canonical [N,3] points with their outward [N,3] normals; memory is bounded at any N."""
    parts = [
        _look(lens, points[i : i + POINTS_AT_ONCE], normals[i : i + POINTS_AT_ONCE])
        for i in range(0, max(len(points), 1), POINTS_AT_ONCE)
    ]
    return Look(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _look(lens: Lens, points: torch.Tensor, normals: torch.Tensor) -> Look:
    camera, device = lens.source.camera, lens.values.device
    place, depth = project(camera, points.cpu().numpy().astype(np.float64))
    pixels = torch.as_tensor(place, dtype=torch.float32, device=device)
    deep = torch.as_tensor(depth, dtype=torch.float32, device=device)
    height, width = camera.hw
    grid = pixels / torch.tensor([width, height], device=device) * 2 - 1
    cos = facing(camera, points, normals).to(device)
    x = (pixels[:, 0] * (lens.depth.shape[1] / width)).long().clamp(0, lens.depth.shape[1] - 1)
    y = (pixels[:, 1] * (lens.depth.shape[0] / height)).long().clamp(0, lens.depth.shape[0] - 1)
    open_ = (deep <= lens.depth[y, x] + BEHIND) & (deep <= lens.before[y, x] + STEP) & (grid.abs() <= 1).all(1)
    read = {"padding_mode": "border", "align_corners": False}
    colors = torch.nn.functional.grid_sample(lens.values[None, :3], grid[None, None], mode="bicubic", **read)[0, :, 0]
    trust = torch.nn.functional.grid_sample(lens.values[None, 3:], grid[None, None], mode="bilinear", **read)[0, 0, 0]
    ramp = ((cos - LEAST_COS) / (FULL_COS - LEAST_COS)).clamp(0, 1)
    sight = open_ * ramp * (2 * trust - 1).clamp(0, 1)
    return Look(colors.T.clamp(0, 255), sight, cos)


def facing(camera: Camera, points: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    """[N] float32 cosine between the outward normals and the way to the camera."""
    c2w = torch.as_tensor(camera.c2w, dtype=torch.float32)
    points, normals = points.cpu().float(), torch.nn.functional.normalize(normals.cpu().float(), dim=1)
    if camera.projection == "orthographic":
        return normals @ c2w[:3, 2]
    return (normals * torch.nn.functional.normalize(c2w[:3, 3] - points, dim=1)).sum(1)


def _px_per_unit(camera: Camera) -> float:
    """Pixels of a canonical length at the origin."""
    away = float(np.linalg.norm(camera.c2w[:3, 3])) if camera.projection == "perspective" else 1.0
    return camera.focal_px / max(away, 1e-6)


def _pooled(values: torch.Tensor, reach: int) -> torch.Tensor:
    """[h,w] the greatest within `reach` pixels along both axes."""
    size = 2 * reach + 1
    return torch.nn.functional.max_pool2d(values[None, None], size, 1, reach)[0, 0]
