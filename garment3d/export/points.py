"""Points on the garment's cloth with what each view shows of them: the start of a 3DGS and COLMAP's sparse model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ..camera import project
from ..data import Camera, Views
from ..errors import MeshError
from ..raster import rasterize, visible

if TYPE_CHECKING:
    import trimesh

BEHIND = 0.008
"""Canonical depth within which a point counts as the surface seen: half a centimetre on a shirt."""
SUPERSAMPLE = 2
SOLID = 0.95
"""A view shows a point where its mask is at least this: the rim is mixed with the background."""


class Points(NamedTuple):
    """Points on a surface and who sees them."""

    xyz: np.ndarray
    """[P,3] float64 canonical."""
    rgb: np.ndarray
    """[P,3] uint8 sRGB, the mean of the pictures that show the point."""
    seen: np.ndarray
    """[V,P] bool, one row per view; none at all for points that are only known to be somewhere inside."""
    xy_px: np.ndarray
    """[V,P,2] float64 position in each picture, seen there or not."""


def surface_points(mesh: trimesh.Trimesh, views: Views, count: int = 10_000, seed: int = 0) -> Points:
    """At most `count` Points spread evenly by area over a canonical mesh, those that two views or more show.

    Their colours come from the pictures, as in a model that COLMAP made itself: they fit the views that a 3DGS is
    trained on, painted ones too. A point that a picture's mask leaves out is not seen there. Of a single view all
    that it shows are kept. May be none; a mesh with no area raises MeshError.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    xyz = _spread(vertices, faces, count, seed)
    seen, colours, places = [], [], []
    for camera, image, soft in zip(views.orbit.cameras, views.images, views.masks, strict=True):
        xy_px = project(camera, xyz)[0]
        depth = rasterize(vertices, faces, camera, SUPERSAMPLE).depth
        shown = _looked_up(torch.cat([image, soft[..., None]], -1), xy_px)
        seen.append(visible(xyz, camera, depth, BEHIND).numpy() & (shown[:, 3] >= SOLID) & _framed(camera, xy_px))
        colours.append(shown[:, :3])
        places.append(xy_px)
    known = np.stack(seen)
    weight = known[..., None] / np.maximum(known.sum(0), 1)[:, None]
    rgb = np.round(255 * (np.stack(colours) * weight).sum(0)).clip(0, 255).astype(np.uint8)
    kept = known.sum(0) >= min(2, len(known))
    return Points(xyz[kept], rgb[kept], known[:, kept], np.stack(places)[:, kept])


def hull_points(views: Views, count: int = 10_000, seed: int = 0) -> Points:
    """At most `count` Points inside all silhouettes, for views without a garment: where a 3DGS may start looking.

    They are spread through the visual hull, so no view is said to see them; the colour is the mean of all pictures
    there. Where silhouettes contradict each other there may be none.
    """
    inside = np.random.default_rng(seed).uniform(-0.6, 0.6, (count * 16, 3))
    for camera, soft in zip(views.orbit.cameras, views.masks, strict=True):
        xy_px = project(camera, inside)[0]
        # What a picture cuts off it says nothing about.
        inside = inside[(_looked_up(soft[..., None], xy_px)[:, 0] >= 0.5) | ~_framed(camera, xy_px)]
    xyz = inside[:count]
    places = np.stack([project(camera, xyz)[0] for camera in views.orbit.cameras])
    colours = [_looked_up(image, xy_px) for image, xy_px in zip(views.images, places, strict=True)]
    rgb = np.round(255 * np.mean(colours, axis=0)).clip(0, 255).astype(np.uint8)
    return Points(xyz, rgb, np.zeros((len(places), len(xyz)), bool), places)


def _spread(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    """[count,3] points, one at a random place in each of `count` equal shares of the surface."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    ends = np.linalg.norm(np.cross(b - a, c - a), axis=1).cumsum()
    if not len(ends) or not np.isfinite(ends[-1]) or ends[-1] <= 0:
        raise MeshError(f"The mesh of {len(faces)} faces has no surface to take points from; give one with an area.")
    random = np.random.default_rng(seed)
    # Strata of the running area leave no stretch of faces bare, as independent draws would.
    face = np.searchsorted(ends, (np.arange(count) + random.random(count)) / count * ends[-1], "right")
    face = face.clip(max=len(faces) - 1)
    far, side = np.sqrt(random.random((count, 1))), random.random((count, 1))
    return (1 - far) * a[face] + far * (1 - side) * b[face] + far * side * c[face]


def _looked_up(picture: torch.Tensor, xy_px: np.ndarray) -> np.ndarray:
    """[P,C] bilinear values of a [H,W,C] picture at pixel positions, 0 outside."""
    height, width = picture.shape[:2]
    inside = np.nan_to_num(xy_px / (width, height) * 2 - 1, nan=9.0).clip(-9, 9)
    grid = torch.as_tensor(inside, dtype=torch.float32)[None, None]
    values = torch.nn.functional.grid_sample(picture.float().cpu().permute(2, 0, 1)[None], grid, align_corners=False)
    return values[0, :, 0].T.numpy()


def _framed(camera: Camera, xy_px: np.ndarray) -> np.ndarray:
    return np.all((xy_px >= 0) & (xy_px < (camera.hw[1], camera.hw[0])), axis=1)
