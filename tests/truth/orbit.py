"""Pictures of ground-truth garments whose albedo is known at every point: the photo and the views around it, unlit.

Colours are averaged as sRGB numbers, as the library's own are. Nothing goes through a texture, so a bake can be judged.
"""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from garment3d.data import Camera, Orbit, Views
from garment3d.nearest import nearest_on_surface
from garment3d.raster import rasterize

from .degrade import degraded
from .fabric import Fabric, Place, colour, make_fabric
from .garments import TrueGarment
from .photo import TruePhoto, Truth, canonical_mesh
from .raster import rasterise

__all__ = ["albedo", "albedo_near", "degraded", "exact_photo", "exact_views", "fabric_of", "unlit"]

SAMPLES = 3
"""Samples per pixel side."""
BACKGROUND = 0.965
"""The exact photo's plain background, sRGB."""
INSIDE_SHADE = 0.78


def fabric_of(entry: Truth) -> Fabric:
    """The cloth of a row, also of one that was made without its photo."""
    fabric = entry.photo.fabric or make_fabric(entry.garment.garment_class, entry.garment.seed)
    return fabric._replace(chest_up=entry.garment.pattern.chest_y)


def albedo(
    garment: TrueGarment, fabric: Fabric, face: np.ndarray, bary: np.ndarray, inside: np.ndarray | None = None
) -> np.ndarray:
    """[N,3] sRGB in 0..1 of the cloth at [N] faces and [N,3] weights of their corners, outside or `inside` [N]."""
    face, bary = np.asarray(face), np.asarray(bary, float)
    spot = (garment.cloth[face] * bary[..., None]).sum(1)
    edge = (garment.edge[np.asarray(garment.mesh.faces)[face]] * bary[..., None]).sum(1)
    inside = np.zeros(len(face), bool) if inside is None else np.asarray(inside, bool)
    return colour(fabric, Place(garment.panel[face], spot[:, 0], spot[:, 1], inside, *edge.T))


def albedo_near(entry: Truth, points: np.ndarray) -> np.ndarray:
    """[N,3] sRGB in 0..1 of the cloth's outside where the true garment is nearest to canonical [N,3] points."""
    truth = canonical_mesh(entry.garment, entry.photo)
    near = nearest_on_surface(points, truth)
    bary = trimesh.triangles.points_to_barycentric(np.asarray(truth.triangles)[near.face], near.point)
    return albedo(entry.garment, fabric_of(entry), near.face, np.clip(np.nan_to_num(bary, nan=1 / 3), 0, 1))


def exact_photo(entry: Truth, hw: tuple[int, int] | None = None, samples: int = SAMPLES) -> TruePhoto:
    """The row's front photo without light, anti-aliased on a plain background, as a TruePhoto of `hw` with its mask.

    Framed as the row's own photo is. `canonical_mesh(entry.garment, photo)` lies in this photo's frame; see `unlit`.
    """
    own, garment, fabric = entry.photo, entry.garment, fabric_of(entry)
    hw = own.soft.shape if hw is None else hw
    grown = min(hw[0] / own.soft.shape[0], hw[1] / own.soft.shape[1])
    scale = own.px_per_cm * grown
    origin = tuple(
        (at - old / 2) * grown + new / 2
        for at, old, new in zip(own.origin_px, own.soft.shape[::-1], hw[::-1], strict=True)
    )
    points = np.asarray(garment.mesh.vertices)
    picture = np.stack([origin[0] + scale * points[:, 0], origin[1] - scale * points[:, 1], points[:, 2]], 1)
    picture[:, :2] *= samples
    seen = rasterise(picture, np.asarray(garment.mesh.faces), (hw[0] * samples, hw[1] * samples))
    inside = np.asarray(garment.mesh.face_normals)[seen.face, 2] < 0
    cloth = albedo(garment, fabric, seen.face, seen.weights, inside)
    rgb, soft = _averaged(seen.index, cloth, hw, samples)
    rgb = rgb + BACKGROUND * (1 - soft[..., None])
    return TruePhoto(
        np.clip(rgb * 255 + 0.5, 0, 255).astype(np.uint8), soft, scale, origin, fabric, "near_white", "front"
    )


def unlit(entry: Truth, hw: tuple[int, int] | None = None) -> Truth:
    """The row with its exact photo: its canonical mesh, its views and its mask all lie in that photo's frame."""
    return entry._replace(photo=exact_photo(entry, hw))


def exact_views(entry: Truth, orbit: Orbit, lit: bool = False, samples: int = SAMPLES) -> Views:
    """Views of the row's true garment over white, drawn from its albedo; `lit` by one light that stays with it."""
    mesh = canonical_mesh(entry.garment, entry.photo)
    drawn = [_view(entry, mesh, camera, lit, samples) for camera in orbit.cameras]
    images, masks = (np.stack(column).astype(np.float32) for column in zip(*drawn, strict=True))
    return Views(torch.from_numpy(images), torch.from_numpy(masks), orbit)


def _view(
    entry: Truth, mesh: trimesh.Trimesh, camera: Camera, lit: bool, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """[H,W,3] picture over white and [H,W] soft mask."""
    seen = rasterize(np.asarray(mesh.vertices), np.asarray(mesh.faces), camera, samples)
    index = np.flatnonzero(seen.face.numpy().ravel() >= 0)
    face, bary = seen.face.numpy().ravel()[index], seen.bary.numpy().reshape(-1, 3)[index]
    normal, corner = np.asarray(mesh.face_normals)[face], np.asarray(mesh.triangles)[face, 0]
    towards = camera.c2w[:3, 3] - corner if camera.projection == "perspective" else camera.c2w[:3, 2]
    inside = (normal * towards).sum(1) < 0
    cloth = albedo(entry.garment, fabric_of(entry), face, bary, inside)
    if lit:
        smooth = (np.asarray(mesh.vertex_normals)[np.asarray(mesh.faces)[face]] * bary[..., None]).sum(1)
        cloth = shaded(cloth, np.where(inside[:, None], -smooth, smooth), inside)
    rgb, soft = _averaged(index, cloth, camera.hw, samples)
    return rgb + (1 - soft[..., None]), soft


def shaded(cloth: np.ndarray, normal: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """[N,3] sRGB of [N,3] cloth under a light from above the photographer's left shoulder, sky and ground."""
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    key = np.array([-0.35, 0.5, 0.8])
    light = 0.34 + 0.6 * np.clip(normal @ (key / np.linalg.norm(key)), 0, 1) + 0.07 * (1 + normal[:, 1])
    return np.clip(cloth**2.2 * (light * np.where(inside, INSIDE_SHADE, 1))[:, None], 0, 1) ** (1 / 2.2)


def _averaged(index: np.ndarray, cloth: np.ndarray, hw: tuple[int, int], samples: int) -> tuple[np.ndarray, np.ndarray]:
    """[H,W,3] colours premultiplied by coverage and [H,W] coverage, from [N] samples of a picture `samples`² finer."""
    row, column = np.divmod(index, hw[1] * samples)
    pixel = row // samples * hw[1] + column // samples
    size = hw[0] * hw[1]
    rgb = np.stack([np.bincount(pixel, channel, minlength=size) for channel in cloth.T], 1) / samples**2
    soft = np.bincount(pixel, minlength=size).reshape(hw) / samples**2
    return rgb.reshape(*hw, 3).astype(np.float32), soft.astype(np.float32)
