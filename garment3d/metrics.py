"""How far two surfaces, two loops, two masks or two pictures are apart, each with its unit.

Surfaces are compared by points on one and the exact distance to the other, never vertex to vertex.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from .errors import MaskError
from .nearest import Nearest, finite_triangles, nearest_on_surface, on_segments
from .soundness import MeshChecks, mesh_checks

if TYPE_CHECKING:
    import trimesh

__all__ = [
    "MeshChecks", "Nearest", "SurfaceDistance", "chamfer", "f_score", "loop_distance", "mask_iou", "mesh_checks",
    "nearest_on_surface", "normal_consistency", "psnr", "surface_distance",
]  # fmt: skip

LOOP_POINTS = 512
"""Points along a loop when it is held against another one."""


class SurfaceDistance(NamedTuple):
    """Distances between two surfaces in the meshes' unit."""

    a_to_b: float
    """Mean distance of points on a to the surface b."""
    b_to_a: float
    symmetric: float
    """Mean of the two."""
    farthest: float
    """Largest distance of any sampled point, from below the Hausdorff distance."""


def surface_distance(a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int = 20_000, seed: int = 0) -> SurfaceDistance:
    """SurfaceDistance in the meshes' unit, by `samples` points on each, even over area; no faces raises MeshError."""
    to_b = nearest_on_surface(_points_on(a, samples, seed).points, b).distance
    to_a = nearest_on_surface(_points_on(b, samples, seed).points, a).distance
    forth, back = float(to_b.mean()), float(to_a.mean())
    return SurfaceDistance(forth, back, (forth + back) / 2, float(max(to_b.max(), to_a.max())))


def chamfer(a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int = 20_000, seed: int = 0) -> float:
    """Chamfer-L1 in the meshes' unit: mean distance between nearest sampled points, averaged over both directions.

    Never 0 for equal surfaces, as the samples differ: `surface_distance` is the measure without that floor.
    Source: Mescheder et al., Occupancy Networks, CVPR 2019.
    """
    to_b, to_a = _point_distances(a, b, samples, seed)
    return float(to_b.mean() + to_a.mean()) / 2


def f_score(a: trimesh.Trimesh, b: trimesh.Trimesh, threshold: float, samples: int = 20_000, seed: int = 0) -> float:
    """F-score in 0..1: harmonic mean of the shares of each surface that lie within `threshold` of the other.

    Source: Knapitsch et al., Tanks and Temples, SIGGRAPH 2017; distances here are to the surface, not to samples.
    """
    precision = float((nearest_on_surface(_points_on(a, samples, seed).points, b).distance <= threshold).mean())
    recall = float((nearest_on_surface(_points_on(b, samples, seed).points, a).distance <= threshold).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def normal_consistency(a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int = 20_000, seed: int = 0) -> float:
    """Mean |cosine| in 0..1 between the face normals at points of each surface and the nearest ones of the other.

    Source: Mescheder et al., Occupancy Networks, CVPR 2019.
    """
    normals_a, normals_b = _face_normals(a), _face_normals(b)
    on_a, on_b = _points_on(a, samples, seed), _points_on(b, samples, seed)
    forth = (normals_a[on_a.faces] * normals_b[nearest_on_surface(on_a.points, b).face]).sum(1)
    back = (normals_b[on_b.faces] * normals_a[nearest_on_surface(on_b.points, a).face]).sum(1)
    return float(np.abs(forth).mean() + np.abs(back).mean()) / 2


class _Samples(NamedTuple):
    points: np.ndarray
    faces: np.ndarray


def _points_on(mesh: trimesh.Trimesh, count: int, seed: int) -> _Samples:
    """[count,3] points spread evenly over the area, and their faces; all area 0 spreads them over the faces."""
    triangles = finite_triangles(mesh)
    random = np.random.default_rng(seed)
    a, b, c = triangles.transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    area = area if area.sum() > 0 else np.ones(len(area))
    # Stratified along the cumulative area: less noise than independent draws.
    steps = (np.arange(count) + random.random(count)) / count * area.sum()
    face = np.minimum(np.searchsorted(area.cumsum(), steps), len(area) - 1)
    s, t = random.random((2, count, 1))
    s, t = np.where(s + t > 1, 1 - s, s), np.where(s + t > 1, 1 - t, t)
    return _Samples(a[face] + s * (b - a)[face] + t * (c - a)[face], face)


def _point_distances(a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import KDTree

    on_a, on_b = _points_on(a, samples, seed).points, _points_on(b, samples, seed + 1).points
    return KDTree(on_b).query(on_a)[0], KDTree(on_a).query(on_b)[0]


def _face_normals(mesh: trimesh.Trimesh) -> np.ndarray:
    a, b, c = finite_triangles(mesh).transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)


def loop_distance(loop_a: np.ndarray, loop_b: np.ndarray) -> float:
    """Mean distance between two closed polylines [K,3] and [L,3] in their unit, even over length, both directions."""
    forth, back = _to_loop(_along(loop_a), loop_b), _to_loop(_along(loop_b), loop_a)
    return float(forth.mean() + back.mean()) / 2


def _along(loop: np.ndarray) -> np.ndarray:
    """[LOOP_POINTS,3] points evenly along a closed polyline; a loop of no length is its first point."""
    closed = np.concatenate([loop, loop[:1]]).astype(np.float64)
    length = np.concatenate([[0], np.linalg.norm(np.diff(closed, axis=0), axis=1).cumsum()])
    at = (np.arange(LOOP_POINTS) + 0.5) / LOOP_POINTS * length[-1]
    return np.stack([np.interp(at, length, closed[:, axis]) for axis in range(closed.shape[1])], 1)


def _to_loop(points: np.ndarray, loop: np.ndarray) -> np.ndarray:
    near = on_segments(points[:, None], np.asarray(loop, np.float64), np.roll(loop, -1, 0).astype(np.float64))
    return np.linalg.norm(near - points[:, None], axis=2).min(1)


def mask_iou(a: np.ndarray | torch.Tensor, b: np.ndarray | torch.Tensor) -> float:
    """Intersection over union in 0..1 of two soft or binary masks of one shape; two empty masks agree: 1."""
    x, y = _numbers(a), _numbers(b)
    if x.shape != y.shape:
        raise MaskError(f"Masks of the shapes {x.shape} and {y.shape} can't be compared; give two of one size.")
    union = np.maximum(x, y).sum()
    return float(np.minimum(x, y).sum() / union) if union else 1.0


def psnr(
    a: np.ndarray | torch.Tensor, b: np.ndarray | torch.Tensor, mask: np.ndarray | torch.Tensor | None = None
) -> float:
    """PSNR in dB of two [...,H,W,C] pictures, uint8 or 0..1, where mask ≥ 0.5; inf for equal ones."""
    x, y = _numbers(a), _numbers(b)
    if x.shape != y.shape:
        raise ValueError(f"Pictures of the shapes {x.shape} and {y.shape} can't be compared; give two of one size.")
    error = (x - y) ** 2
    if mask is not None:
        solid = _numbers(mask) >= 0.5
        if solid.shape != error.shape[:-1] or not solid.any():
            raise MaskError(
                f"The mask of shape {solid.shape} leaves nothing of pictures of shape {x.shape} to compare."
            )
        error = error[solid]
    return -10 * math.log10(error.mean()) if error.any() else math.inf


def _numbers(values: np.ndarray | torch.Tensor) -> np.ndarray:
    """Float64 in 0..1; uint8 is divided by 255, booleans are 0 and 1."""
    array = np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    return array / 255 if array.dtype == np.uint8 else array.astype(np.float64)
