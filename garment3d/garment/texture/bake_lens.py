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
SAME_PX = 0.35
"""Outlines that lie so close to each other are the same."""
MOST_ASTRAY_PX = 12.0
ASTRAY = 2.8
"""How far a place may be astray, for a mean distance of 1 between the outlines: those show one direction of two."""


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
    """[5,H,W] float32: colours, trust, and the squared 8-bit error of colours that lie astray (by a pixel at first)."""


class Look(NamedTuple):
    """What a view shows of points."""

    colors: torch.Tensor
    """[N,3] float32 0..255."""
    sight: torch.Tensor
    """[N] float32: 0 where it does not see them, 1 where it sees them well."""
    cos: torch.Tensor
    """[N] float32 cosine of the angle at which they are seen."""
    astray: torch.Tensor
    """[N] float32 squared 8-bit error expected because the picture does not lie exactly on the mesh."""


def lens_of(source: Source, view: int, points: np.ndarray, faces: np.ndarray, device: str | torch.device) -> Lens:
    """The Lens of a source on a welded mesh."""
    finer = max(1, -(-DEPTH_PX // min(source.camera.hw)))
    depth = rasterize(points, faces, source.camera, finer, device).depth
    far = _pooled(torch.where(depth.isinf(), -torch.inf, depth), 1)
    reach = max(1, round(NEAR_STEP * px_per_unit(source.camera) * finer))
    before = -_pooled(-depth, reach)
    rgb, trust = source.rgb.float().to(device), source.trust.float().to(device)
    values = torch.cat([rgb, trust[None], _slope(rgb, trust)[None]])
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
    rest = torch.nn.functional.grid_sample(lens.values[None, 3:], grid[None, None], mode="bilinear", **read)[0, :, 0]
    sight = open_ * sight_at(cos) * (2 * rest[0] - 1).clamp(0, 1)
    return Look(colors.T.clamp(0, 255), sight, cos, rest[1])


def outline_astray_px(source: Source) -> float:
    """How far the picture's cloth may lie from the mesh's, in its own pixels, from how far the outlines do."""
    shown = source.trust.float().cpu() > 0
    inner = -_pooled(-shown.float(), 1) > 0
    edge = int(shown.sum()) - int(inner.sum())
    apart = (1 - source.agreement) * int(shown.sum()) / max(edge, 1)
    return ASTRAY * max(apart - SAME_PX, 0.0)


def astray_by(lens: Lens, sigma_px: float) -> Lens:
    """The Lens of a picture whose cloth lies about `sigma_px` of its pixels from the mesh's."""
    far = min(sigma_px, MOST_ASTRAY_PX)
    error = _astray(lens.values[:3], lens.values[3], far)
    # So close to its outline the picture may show another part of the garment than the mesh has there.
    trust = -_pooled(-lens.values[3], round(far))
    return lens._replace(values=torch.cat([lens.values[:3], trust[None], error[None]]))


def _slope(rgb: torch.Tensor, trust: torch.Tensor) -> torch.Tensor:
    """[H,W] mean squared difference per channel from one pixel to the next, inside the cloth."""
    down, right = torch.gradient(rgb, dim=(1, 2))
    return (down.square() + right.square()).mean(0) * (-_pooled(-trust, 2) > 0)


def _astray(rgb: torch.Tensor, trust: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """[H,W] mean squared difference per channel between the cloth at a place and about `sigma_px` away."""
    if sigma_px < 0.3:
        return torch.zeros_like(trust)
    solid = (trust > 0).float()
    parts = torch.cat([rgb * solid, rgb.square() * solid, solid[None]])
    parts = _blurred(parts, sigma_px) / _blurred(solid[None], sigma_px).clamp(min=1e-3)
    return 2 * (parts[3:6] - parts[:3].square()).clamp(min=0).mean(0)


def _blurred(values: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """[C,H,W] Gaussian means."""
    reach = max(1, round(3 * sigma_px))
    steps = torch.arange(-reach, reach + 1, device=values.device, dtype=values.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    rows = torch.nn.functional.conv2d(values[:, None], kernel[None, None, :, None], padding=(reach, 0))
    return torch.nn.functional.conv2d(rows, kernel[None, None, None], padding=(0, reach))[:, 0]


def facing(camera: Camera, points: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    """[N] float32 cosine between the outward normals and the way to the camera."""
    c2w = torch.as_tensor(camera.c2w, dtype=torch.float32)
    points, normals = points.cpu().float(), torch.nn.functional.normalize(normals.cpu().float(), dim=1)
    if camera.projection == "orthographic":
        return normals @ c2w[:3, 2]
    return (normals * torch.nn.functional.normalize(c2w[:3, 3] - points, dim=1)).sum(1)


def sight_at(cos: torch.Tensor) -> torch.Tensor:
    """[N] in 0..1, how well cloth is seen at that [N] cosine."""
    return ((cos - LEAST_COS) / (FULL_COS - LEAST_COS)).clamp(0, 1)


def px_per_unit(camera: Camera) -> float:
    """Pixels of a canonical length at the origin."""
    away = float(np.linalg.norm(camera.c2w[:3, 3])) if camera.projection == "perspective" else 1.0
    return camera.focal_px / max(away, 1e-6)


def _pooled(values: torch.Tensor, reach: int) -> torch.Tensor:
    """[h,w] the greatest within `reach` pixels along both axes."""
    size = 2 * reach + 1
    return torch.nn.functional.max_pool2d(values[None, None], size, 1, reach)[0, 0]
