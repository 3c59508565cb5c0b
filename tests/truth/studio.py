"""Light, shade, background and camera of the product photos."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from .fabric import Fabric, Place, colour
from .garments import TrueGarment
from .raster import Fragments

BACKGROUNDS = ("white", "near_white", "near_white", "light_grey", "gradient", "colour")


def interpolate(values: np.ndarray, seen: Fragments, faces: np.ndarray) -> np.ndarray:
    """[N] or [N,C] per-vertex values at the samples."""
    corners = faces[seen.face]
    weights = seen.weights if values.ndim == 1 else seen.weights[..., None]
    return sum(values[corners[:, i]] * weights[:, i] for i in range(3))


def lit(
    garment: TrueGarment, fabric: Fabric, seen: Fragments, px_per_cm: float, sign: int, rng: np.random.Generator
) -> np.ndarray:
    """[H,W,3] float cloth colours times light, premultiplied by coverage, averaged to whole pixels."""
    faces = np.asarray(garment.mesh.faces)
    normal = interpolate(np.asarray(garment.mesh.vertex_normals), seen, faces)
    normal *= np.array([sign, 1, sign]) / np.sqrt(np.einsum("ij,ij->i", normal, normal) + 1e-12)[:, None]
    inside = np.asarray(garment.mesh.face_normals)[seen.face, 2] * sign < 0
    normal = np.where(inside[:, None], -normal, normal)
    spot = sum(garment.cloth[seen.face, i] * seen.weights[:, i, None] for i in range(3))
    edge = interpolate(garment.edge, seen, faces)
    place = Place(garment.panel[seen.face], spot[:, 0], spot[:, 1], inside, *edge.T)
    base = colour(fabric, place)
    key = np.array([rng.uniform(-0.55, 0.55), rng.uniform(0.35, 0.7), 0.8])
    diffuse = np.clip(normal @ (key / np.linalg.norm(key)), 0, 1)
    sky = 0.5 + 0.5 * normal[:, 1]
    light = 0.28 + 0.66 * diffuse + 0.14 * sky
    light *= np.where(inside, 0.78, 1.0) * occlusion(seen, px_per_cm, normal[:, 2])
    linear = base**2.2 * light[:, None]
    image = np.zeros((seen.hw[0] * seen.hw[1], 3), np.float32)
    image[seen.index] = np.clip(linear, 0, 1) ** (1 / 2.2)
    return image.reshape(seen.hw[0] // 2, 2, seen.hw[1] // 2, 2, 3).mean((1, 3))


def occlusion(seen: Fragments, px_per_cm: float, normal_z: np.ndarray) -> np.ndarray:
    """[N] in 0.5..1: darker where the garment around lies nearer to the viewer, in creases and inside the collar."""
    depth = np.zeros(seen.hw[0] * seen.hw[1], np.float32)
    there = np.zeros_like(depth)
    depth[seen.index], there[seen.index] = seen.depth, 1
    depth, there = (a.reshape(seen.hw[0] // 4, 4, seen.hw[1] // 4, 4).sum((1, 3)) for a in (depth, there))
    mean = depth / np.maximum(there, 1)
    shade = np.zeros_like(depth)
    for radius_cm, strength in ((0.7, 0.2), (2.2, 0.06), (6.0, 0.02)):
        sigma = radius_cm * px_per_cm / 2
        around = gaussian_filter(depth, sigma) / np.maximum(gaussian_filter(there, sigma), 1e-3)
        shade += strength * np.clip(around - mean, 0, 6)
    row, column = np.divmod(seen.index, seen.hw[1])
    # A surface that turns away at the outline is lower than its neighbours, yet open to the light.
    facing = np.clip((np.abs(normal_z) - 0.15) / 0.5, 0, 1)
    return np.clip(1 - shade[row // 4, column // 4] * facing, 0.5, 1)


def backdrop(kind: str, hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """[H,W,3] float background of one of BACKGROUNDS."""
    y, x = np.meshgrid(np.linspace(-1, 1, hw[0]), np.linspace(-1, 1, hw[1]), indexing="ij")
    grey = {"white": 1.0, "near_white": 0.961, "light_grey": rng.uniform(0.86, 0.93)}
    if kind in grey:
        return np.full((*hw, 3), grey[kind])
    if kind == "gradient":
        low, high = rng.uniform(0.72, 0.85), rng.uniform(0.9, 0.97)
        across = np.clip(0.5 + 0.5 * (rng.uniform(-0.6, 0.6) * x + rng.uniform(0.4, 1) * y), 0, 1)
        vignette = 0.06 * (x**2 + y**2)
        return np.repeat((high + (low - high) * across - vignette)[..., None], 3, -1)
    tint = np.array([rng.uniform(0.6, 0.95) for _ in range(3)])
    return np.clip(tint * (1 - 0.05 * (x**2 + y**2))[..., None], 0, 1)


def finish(cloth: np.ndarray, soft: np.ndarray, background: str, rng: np.random.Generator) -> np.ndarray:
    """[H,W,3] uint8: cloth over its background, with a soft shadow on some, camera noise, and JPEG on most."""
    scene = backdrop(background, soft.shape, rng)
    if rng.uniform() < 0.5:
        reach, strength = rng.uniform(0.006, 0.02) * max(soft.shape), rng.uniform(0.08, 0.3)
        offset = (int(reach * rng.uniform(0.3, 1.2)), int(reach * rng.uniform(-0.8, 0.8)))
        shadow = gaussian_filter(np.roll(soft, offset, (0, 1)), reach)
        scene = scene * (1 - strength * shadow[..., None])
    image = cloth + scene * (1 - soft[..., None])
    image = image + rng.normal(0, rng.uniform(0.5, 2) / 255, image.shape)
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.8:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(86, 97)))
        pixels = np.array(Image.open(buffer))
    return pixels
