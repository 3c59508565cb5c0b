"""Pictures as Zero123 paints them, of garments whose silhouettes are known: shaded, on white, soft, adrift, grainy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import trimesh
from scipy.ndimage import gaussian_filter

from garment3d.camera import orbit
from garment3d.data import Orbit
from garment3d.render import draw, upload
from tests.truth.garments import make_garment

LEVELS = 1 / 255


class Painted(NamedTuple):
    """One orbit of a garment."""

    images: torch.Tensor
    """[V,256,256,3] float32 in 0..1 as a model would paint them."""
    truth: np.ndarray
    """[V,256,256] exact share of each pixel."""
    orbit: Orbit
    name: str


def canonical_garment(garment_class: str, seed: int) -> trimesh.Trimesh:
    """A garment of the ground truth, its longest side across or up 1, centred."""
    mesh = make_garment(garment_class, seed).mesh
    low, high = np.asarray(mesh.bounds)
    scale = 1 / (high - low)[:2].max()
    return trimesh.Trimesh((mesh.vertices - (low + high) / 2) * scale, mesh.faces, process=False)


def paint(garment_class: str, seed: int, white: bool, around: Orbit) -> Painted:
    """The garment in colour or in white, which reflects 0.90 to 0.97 of the light; a seed gives one set of pictures."""
    mesh = canonical_garment(garment_class, seed)
    rng = np.random.default_rng([31, seed, white, len(garment_class)])
    albedo = _cloth(mesh, white, rng)
    images, truth = [], []
    light = _light(rng)
    for camera, azimuth in zip(around.cameras, around.azimuths_deg, strict=True):
        colors = _shaded(mesh, albedo, light, np.radians(azimuth) if light.follows else 0.0)
        colored = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors, process=False)
        picture = draw(upload(colored), camera, (1, 1, 1), "unlit")
        images.append(_degraded(picture.rgb.numpy(), picture.alpha.numpy(), white, rng))
        truth.append(picture.alpha.numpy())
    name = f"{'white' if white else 'coloured'} {garment_class} {seed}"
    return Painted(torch.tensor(np.stack(images)), np.stack(truth), around, name)


class _Light(NamedTuple):
    direction: np.ndarray
    ambient: float
    key: float
    follows: bool
    """Stands beside the camera instead of beside the garment."""


def _light(rng: np.random.Generator) -> _Light:
    direction = np.array([rng.uniform(-0.7, 0.7), rng.uniform(0.1, 0.9), 0.8])
    ambient = rng.uniform(0.45, 0.8)
    return _Light(direction / np.linalg.norm(direction), ambient, rng.uniform(0.97, 1.12) - ambient, rng.random() < 0.5)


def _shaded(mesh: trimesh.Trimesh, albedo: np.ndarray, light: _Light, turn: float) -> np.ndarray:
    """[V,4] uint8 vertex colours; the renderer takes them as linear."""
    x, y, z = light.direction
    towards = np.array([x * np.cos(turn) + z * np.sin(turn), y, z * np.cos(turn) - x * np.sin(turn)])
    normals = np.asarray(mesh.vertex_normals)
    wrapped = np.clip((normals @ towards + 0.25) / 1.25, 0, 1)
    factor = light.ambient * (0.9 + 0.1 * normals[:, 1]) + light.key * wrapped
    linear = np.clip(albedo**2.2 * factor[:, None], 0, 1)
    return np.concatenate([linear * 255, np.full((len(linear), 1), 255)], 1).round().astype(np.uint8)


def _cloth(mesh: trimesh.Trimesh, white: bool, rng: np.random.Generator) -> np.ndarray:
    """[V,3] sRGB of the cloth: one colour, or stripes."""
    if white:
        return np.broadcast_to(
            (rng.uniform(0.90, 0.97) + rng.uniform(-0.01, 0.01, 3)) ** (1 / 2.2), mesh.vertices.shape
        )
    base, other = rng.uniform(0.1, 0.85, 3), rng.uniform(0.1, 1.0, 3)
    if rng.random() < 0.3:
        other = np.full(3, 0.95)
    stripe = (np.asarray(mesh.vertices)[:, 1] * rng.uniform(8, 20)) % 1 < 0.4
    return np.where((stripe & (rng.random() < 0.5))[:, None], other, base)


def _degraded(rgb: np.ndarray, alpha: np.ndarray, white: bool, rng: np.random.Generator) -> np.ndarray:
    """[256,256,3] float32: softened as by the autoencoder, with its slow drift and grain, and another hue per view."""
    if not white:
        rgb = rgb * (1 + (rng.uniform(-0.06, 0.06, 3) * alpha[..., None]))
    sigma = rng.uniform(0.7, 1.2)
    rgb = gaussian_filter(rgb, (sigma, sigma, 0))
    drift = gaussian_filter(rng.normal(size=rgb.shape), (28, 28, 0), mode="wrap")
    drift = 3 * LEVELS * drift / np.abs(drift).max()
    grain = gaussian_filter(rng.normal(size=rgb.shape), (0.5, 0.5, 0))
    grain = np.clip(grain / grain.std() * LEVELS, -2 * LEVELS, 2 * LEVELS)
    return np.clip(rgb + drift + grain, 0, 1).astype(np.float32)


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Share of the common pixels of two masks cut at one half."""
    a, b = mask >= 0.5, truth >= 0.5
    return float((a & b).sum() / max(1, (a | b).sum()))


def zero123_views(count: int = 18, elevation_deg: float = 0.0) -> Orbit:
    """Zero123's own orbit of that many views."""
    return orbit(step_deg=360 / count, elevation_deg=elevation_deg, hw=(256, 256))
