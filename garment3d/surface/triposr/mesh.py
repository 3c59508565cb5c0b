"""From a scene to a mesh: the surface where density passes a threshold, with the network's colours on its vertices.

Only this runs again when threshold or resolution change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...errors import SurfaceError
from ...texels import srgb_to_linear
from ..isosurface import Figures, extract
from .decoder import RADIUS, colour, density
from .grid import GridDensity
from .scene import Scene

if TYPE_CHECKING:
    import trimesh

THRESHOLD, RESOLUTION = 25.0, 256
"""The original's density threshold and grid points per side."""
CHUNK = 1 << 14
"""Points that are decoded together."""
PROBE = 64
"""Grid points per side where a scene without a surface is searched for its densities."""
SUGGESTED = 0.97
"""Share of the probed cube that a suggested threshold leaves empty."""


class Surface(NamedTuple):
    """A closed surface as a network sees it: outer skin only, in the canonical frame."""

    mesh: trimesh.Trimesh
    """Counter-clockwise faces, vertex colours as linear 8-bit RGBA."""
    colours: np.ndarray
    """[V,3] float32 linear in 0..1."""
    figures: Figures
    """What the extraction cost."""


def triposr_mesh(
    scene: Scene,
    resolution: int = RESOLUTION,
    threshold: float = THRESHOLD,
    chunk: int = 0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Surface:
    """The surface where density passes `threshold` on a grid of `resolution`³, +Y up and front +Z.

    `chunk` points are decoded together (0 takes the default); no surface at that threshold raises SurfaceError.
    """
    import trimesh

    found = extract(GridDensity(scene, resolution, device, chunk), resolution, threshold, progress=progress)
    if not len(found.faces):
        raise SurfaceError(_no_surface(scene, threshold, device))
    own = found.vertices * (2 * RADIUS / (resolution - 1)) - RADIUS
    colours = srgb_to_linear(torch.from_numpy(colours_at(scene, own, chunk, device))).numpy()
    rgba = np.full((len(own), 4), 255, np.uint8)
    rgba[:, :3] = np.round(colours * 255)
    mesh = trimesh.Trimesh(scene.canonical(own), found.faces, vertex_colors=rgba, process=False)
    mesh.vertex_attributes["linear_rgb"] = colours  # eight bits are too few for dark cloth in linear colours
    return Surface(mesh, colours, found.figures)


def colours_at(scene: Scene, points: np.ndarray, chunk: int = 0, device: str | torch.device = "cpu") -> np.ndarray:
    """[N,3] float32 sRGB in 0..1 at [N,3] points in TripoSR's own frame."""
    return _queried(scene, points, chunk, device)[1]


def densities_at(scene: Scene, points: np.ndarray, chunk: int = 0, device: str | torch.device = "cpu") -> np.ndarray:
    """[N] float32 densities at [N,3] points in TripoSR's own frame."""
    return _queried(scene, points, chunk, device)[0]


def _queried(scene: Scene, points: np.ndarray, chunk: int, device: str | torch.device) -> tuple[np.ndarray, np.ndarray]:
    planes, decoder = scene.on(device)
    densities, colours = np.empty(len(points), np.float32), np.empty((len(points), 3), np.float32)
    step = chunk or CHUNK
    with torch.inference_mode():
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            places = torch.from_numpy(np.ascontiguousarray(points[part], np.float32)).to(device)
            raw_density, raw_colour = decoder(planes, places)
            densities[part], colours[part] = density(raw_density).cpu().numpy(), colour(raw_colour).cpu().numpy()
    return densities, colours


def _no_surface(scene: Scene, threshold: float, device: str | torch.device) -> str:
    axis = np.linspace(-RADIUS, RADIUS, PROBE, dtype=np.float32)
    values = densities_at(scene, np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3), 0, device)
    low, high = float(values.min()), float(values.max())
    told = f"The scene has no surface at threshold {threshold:g}: its densities go from {low:.3g} to {high:.3g}"
    if high - low < 1e-6 * max(1.0, high):
        return f"{told}, so no threshold gives one; look at the mask and use another photo."
    level = float(np.quantile(values, SUGGESTED))
    return f"{told}; try {level if low < level < high else (low + high) / 2:.3g}, or another mask."
