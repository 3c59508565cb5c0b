"""Two meshes held against each other: the usual measures, and a picture of where they differ.

The picture shows both from four sides, every vertex in the colour of its distance to the other surface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from .camera import orbit, orbit_radius
from .data import Orbit
from .errors import MeshError
from .metrics import (
    SurfaceDistance,
    chamfer,
    f_score,
    nearest_on_surface,
    normal_consistency,
    surface_distance,
)
from .render import draw, upload
from .texels import srgb_to_linear

if TYPE_CHECKING:
    import trimesh

AZIMUTHS_DEG = (0.0, 50.0, 90.0, 180.0)
ELEVATION_DEG = 8.0
MOST_FACES = 200_000
"""A picture of more is a picture of its decimated copy."""
RAMP = np.array([[0.16, 0.22, 0.52], [0.15, 0.56, 0.66], [0.62, 0.80, 0.40], [0.98, 0.76, 0.22], [0.80, 0.16, 0.14]])
"""sRGB from no distance to the scale's end."""
PERCENTILE = 98.0
"""Of the distances, where the scale ends: a few far points don't wash the rest out."""


class Comparison(NamedTuple):
    """How far two surfaces are apart; lengths in the meshes' unit."""

    distance: SurfaceDistance
    chamfer: float
    """Chamfer-L1."""
    f_score: float
    """0..1 at `threshold` of the height."""
    normal_consistency: float
    """Mean |cosine| in 0..1."""
    height: float
    """Vertical extent of the first mesh."""
    heat_map: np.ndarray
    """[H,W,3] uint8: the first mesh above, the second below, from the front, 50°, 90° and the back."""


def compare_meshes(
    a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int = 20_000, threshold: float = 0.01, size_px: int = 384
) -> Comparison:
    """The Comparison of two meshes in one frame; no faces, NaN vertices or a flat first mesh raises MeshError.

    Args:
        samples: points on each surface.
        threshold: of the F-score, as a share of the first mesh's height.
        size_px: side of each picture in the heat map.
    """
    distance = surface_distance(a, b, samples)
    height = float(np.ptp(np.asarray(a.vertices)[:, 1]))
    if not height > 0:
        raise MeshError("The first mesh has no height to compare by: it needs an extent along Y.")
    return Comparison(
        distance,
        chamfer(a, b, samples),
        f_score(a, b, threshold * height, samples),
        normal_consistency(a, b, samples),
        height,
        heat_map(a, b, size_px),
    )


def heat_map(a: trimesh.Trimesh, b: trimesh.Trimesh, size_px: int = 384) -> np.ndarray:
    """[H,W,3] uint8 picture of both meshes, coloured by the distance to the other in per cent of a's height."""
    light_a, light_b = _light(a), _light(b)
    height = float(np.ptp(np.asarray(a.vertices)[:, 1]))
    far_a = nearest_on_surface(np.asarray(light_a.vertices), b).distance
    far_b = nearest_on_surface(np.asarray(light_b.vertices), a).distance
    most = max(float(np.percentile(np.concatenate([far_a, far_b]), PERCENTILE)), 1e-4 * height)
    corners = np.concatenate([np.asarray(mesh.vertices) for mesh in (light_a, light_b)])
    middle, side = (corners.min(0) + corners.max(0)) / 2, float(np.ptp(corners, axis=0).max())
    radius = orbit_radius((corners - middle) / side, ELEVATION_DEG)
    around = orbit(elevation_deg=ELEVATION_DEG, radius=radius, azimuths_deg=AZIMUTHS_DEG, hw=(size_px, size_px))
    rows = []
    for mesh, far in ((light_a, far_a), (light_b, far_b)):
        mesh.apply_translation(-middle).apply_scale(1 / side)
        rows.append(_row(mesh, far / most, around))
    return np.concatenate([*rows, _legend(rows[0].shape[1], 100 * most / height, max(size_px // 10, 20))])


def _light(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The bare mesh with at most MOST_FACES faces."""
    import trimesh

    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces)
    if len(faces) > MOST_FACES:
        import fast_simplification

        share = 1 - MOST_FACES / len(faces)
        vertices, faces = fast_simplification.simplify(vertices.astype(np.float32), faces.astype(np.int32), share)
    return trimesh.Trimesh(vertices, faces, process=False)


def _row(mesh: trimesh.Trimesh, share: np.ndarray, around: Orbit) -> np.ndarray:
    """[H,V·W,3] uint8 of the mesh from all cameras, each vertex in the ramp's colour for its share of the scale."""
    import trimesh

    srgb = torch.from_numpy(_ramp(share))
    colours = np.round(255 * srgb_to_linear(srgb).numpy()).astype(np.uint8)
    model = upload(trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False))
    pictures = [draw(model, camera, shading="soft").rgb.numpy() for camera in around.cameras]
    return np.round(np.concatenate(pictures, 1) * 255).astype(np.uint8)


def _ramp(share: np.ndarray) -> np.ndarray:
    """[N,3] sRGB in 0..1 for [N] shares of the scale."""
    place = np.clip(share, 0, 1) * (len(RAMP) - 1)
    return np.stack([np.interp(place, np.arange(len(RAMP)), channel) for channel in RAMP.T], 1)


def _legend(width: int, end_percent: float, height: int) -> np.ndarray:
    """[height,width,3] uint8: the scale and its ends in per cent of the height."""
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (width, height), "white")
    pen, left, right = ImageDraw.Draw(strip), width // 4, 3 * width // 4
    for x, colour in enumerate((255 * _ramp(np.linspace(0, 1, right - left))).astype(int).tolist(), left):
        pen.line([(x, height // 4), (x, 3 * height // 4)], fill=tuple(colour))
    font = ImageFont.load_default(size=max(height // 2, 10))
    pen.text((left - 8, height // 2), "0", fill="black", font=font, anchor="rm")
    pen.text((right + 8, height // 2), f"{end_percent:.2g} % of the height", fill="black", font=font, anchor="lm")
    return np.asarray(strip)
