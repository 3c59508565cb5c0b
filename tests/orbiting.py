"""A painted garment, its photo and its orbit, to be disturbed by known amounts: the truth that sources are held to."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from scipy.ndimage import affine_transform

from garment3d.camera import orbit, photo_camera
from garment3d.data import Views
from garment3d.render import draw, upload
from garment3d.views.rendered import rendered_orbit
from tests.truth import canonical_mesh, make_garment, make_photo

SIDE = 256


class Painted(NamedTuple):
    mesh: trimesh.Trimesh
    rgb: np.ndarray
    """[H,W,3] uint8 photo, unlit, on white."""
    soft: np.ndarray
    views: Views
    """Every 30°, unlit, on white, SIDE²."""


def paint(points: np.ndarray) -> np.ndarray:
    """[N,3] sRGB in 0..1: a teal that turns to sand and brick around the garment, nothing symmetrical."""
    x, y, z = points.T
    mix = np.stack([0.5 + 0.5 * np.sin(5 * x + 2 * y), 0.5 + 0.5 * np.sin(4 * y - 3 * z + 1)], 1)[:, :, None]
    teal, sand, brick = np.array([[0.15, 0.45, 0.5], [0.8, 0.7, 0.45], [0.6, 0.25, 0.2]])
    return teal + mix[:, 0] * (sand - teal) * 0.7 + mix[:, 1] * (brick - teal) * 0.3


@cache
def painted() -> Painted:
    """A tee of about 10 k faces; what is made of it must not be changed."""
    garment = make_garment("tee", 0, step_cm=1.6)
    shot = make_photo(garment, 0, photo=False)
    mesh = canonical_mesh(garment, shot)
    linear = paint(np.asarray(mesh.vertices)) ** 2.2
    mesh = trimesh.Trimesh(
        mesh.vertices, mesh.faces, vertex_colors=(linear * 255).round().astype(np.uint8), process=False
    )
    front = draw(upload(mesh), photo_camera(shot.soft))
    rgb = (front.rgb * 255).round().to(torch.uint8).numpy()
    return Painted(mesh, rgb, front.alpha.numpy(), rendered_orbit(mesh, orbit(30, hw=(SIDE, SIDE)), shading="unlit"))


def some(views: Views, azimuths_deg) -> Views:
    """The views at these azimuths."""
    index = [views.orbit.azimuths_deg.index(a) for a in azimuths_deg]
    kept = views.orbit._replace(
        cameras=tuple(views.orbit.cameras[i] for i in index), azimuths_deg=tuple(float(a) for a in azimuths_deg)
    )
    return Views(views.images[index], views.masks[index], kept)


def shifted(picture: np.ndarray, scale: float, right_px: float, down_px: float, beyond: float) -> np.ndarray:
    """[H,W] scaled about the middle of the picture and shifted, `beyond` where it was not."""
    middle = (np.array(picture.shape) - 1) / 2
    offset = middle - (middle + np.array([down_px, right_px])) / scale
    return np.clip(affine_transform(picture, [1 / scale] * 2, offset, order=3, cval=beyond), 0, 1)


def moved(views: Views, moves) -> Views:
    """Every picture and mask scaled and shifted by its own (scale, right, down)."""
    images, masks = [], []
    for image, mask, move in zip(views.images.numpy(), views.masks.numpy(), moves, strict=True):
        images.append(np.stack([shifted(image[..., c], *move, beyond=1) for c in range(3)], 2))
        masks.append(shifted(mask, *move, beyond=0))
    return Views(torch.tensor(np.stack(images)), torch.tensor(np.stack(masks)), views.orbit)
