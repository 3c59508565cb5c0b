"""The exact nearest point on a triangle surface, for many points at once.

A mesh's triangles are sorted by size; in each class a KD-tree over centroids proposes, and the radius bound decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .errors import MeshError

if TYPE_CHECKING:
    import trimesh
    from scipy.spatial import KDTree


class Nearest(NamedTuple):
    """Where points meet a surface."""

    distance: np.ndarray
    """[P] float64 in the mesh's unit."""
    face: np.ndarray
    """[P] int64."""
    point: np.ndarray
    """[P,3] on that face."""


class _Class(NamedTuple):
    """Triangles of one size."""

    face: np.ndarray
    tree: KDTree
    """Over their centroids."""
    radius: np.ndarray
    """Distance from centroid to farthest corner."""


def nearest_on_surface(points: np.ndarray, mesh: trimesh.Trimesh) -> Nearest:
    """Nearest [P] of [P,3] points on a mesh, exact up to rounding; a mesh without faces raises MeshError."""
    from scipy.spatial import KDTree

    triangles = finite_triangles(mesh)
    centroid = triangles.mean(1)
    radius = np.linalg.norm(triangles - centroid[:, None], axis=2).max(1)
    best = Nearest(np.full(len(points), np.inf), np.zeros(len(points), np.int64), np.zeros((len(points), 3)))
    # A centroid at distance d bounds its triangle's distance from below by d - radius. Within an octave of radii that
    # bound is tight, so a few long triangles don't force a wide search among many short ones.
    octave = np.ceil(np.log2(np.maximum(radius, radius.max() * 1e-6 + 1e-300)))
    # The most numerous class first: its bound spares most of the work on the others.
    sizes, count = np.unique(octave, return_counts=True)
    for size in sizes[np.argsort(-count)]:
        face = np.flatnonzero(octave == size)
        _search(points, triangles, _Class(face, KDTree(centroid[face]), radius[face]), best)
    return best


def finite_triangles(mesh: trimesh.Trimesh) -> np.ndarray:
    """[F,3,3] float64 corners of the faces; no faces or NaN raises MeshError."""
    triangles = np.asarray(mesh.vertices, np.float64)[np.asarray(mesh.faces, np.int64)].reshape(-1, 3, 3)
    if not len(triangles) or not np.isfinite(triangles).all():
        raise MeshError(f"A mesh of {len(triangles)} faces can't be measured; give one with faces and finite vertices.")
    return triangles


def _search(points: np.ndarray, triangles: np.ndarray, members: _Class, best: Nearest) -> None:
    """Improves `best` by one class, asking for more neighbours until no unseen one can be nearer."""
    left, seen, wanted = np.arange(len(points)), 0, 1
    while len(left):
        apart, found = members.tree.query(points[left], k=range(seen + 1, wanted + 1))
        radius = members.radius[np.minimum(found, len(members.face) - 1)]
        row, column = np.nonzero(apart - radius < best.distance[left, None])
        _improve(best, left[row], members.face[found[row, column]], points, triangles)
        undecided = apart[:, -1] - members.radius.max() < best.distance[left]
        left = left[undecided] if wanted < len(members.face) else left[:0]
        seen, wanted = wanted, min(max(2 * wanted, 8), len(members.face))


def _improve(best: Nearest, index: np.ndarray, face: np.ndarray, points: np.ndarray, triangles: np.ndarray) -> None:
    """Takes over the faces [N] that are nearer to the points [N] (index, ascending) than what was known."""
    if not len(index):
        return
    near = closest_points(points[index], triangles[face])
    distance = np.linalg.norm(near - points[index], axis=1)
    runs = np.flatnonzero(np.diff(index, prepend=-1))
    least = np.repeat(np.minimum.reduceat(distance, runs), np.diff(runs, append=len(index)))
    better = np.flatnonzero((distance == least) & (distance < best.distance[index]))
    target = index[better]
    best.distance[target], best.face[target], best.point[target] = distance[better], face[better], near[better]


def closest_points(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """[N,3] the point of each [N,3,3] triangle that is closest to its [N,3] point; zero-area triangles are segments."""
    corner = triangles[:, 0]
    u, v, w = triangles[:, 1] - corner, triangles[:, 2] - corner, points - corner
    uu, uv, vv, uw, vw = ((p * q).sum(1) for p, q in ((u, u), (u, v), (v, v), (u, w), (v, w)))
    area = uu * vv - uv * uv
    flat = area <= 1e-14 * uu * vv
    area = np.where(flat, 1, area)
    s, t = (vv * uw - uv * vw) / area, (uu * vw - uv * uw) / area
    inside = ~flat & (s >= 0) & (t >= 0) & (s + t <= 1)
    result = corner + s[:, None] * u + t[:, None] * v
    outside = np.flatnonzero(~inside)
    ends = triangles[outside]
    on_edges = np.stack([on_segments(points[outside], ends[:, i], ends[:, i - 2]) for i in range(3)])
    nearest = np.linalg.norm(on_edges - points[outside], axis=2).argmin(0)
    result[outside] = on_edges[nearest, np.arange(len(outside))]
    return result


def on_segments(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """[...,3] the points of segments closest to [...,3] points; a segment of no length is its start."""
    run = end - start
    share = ((points - start) * run).sum(-1) / np.maximum((run * run).sum(-1), 1e-300)
    return start + np.clip(share, 0, 1)[..., None] * run
