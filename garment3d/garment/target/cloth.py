"""A surface as the alignment sees it: points with outward normals, and few triangles for its silhouette."""

from __future__ import annotations

from typing import NamedTuple

import fast_simplification
import numpy as np
from scipy.spatial import KDTree

from ..loops import boundary_loops
from .outer import Outer
from .tidy import Tidied

POINTS = 3000
"""Samples on a surface."""
PRINT_POINTS = 30_000
"""Samples of its colours: a letter on a chest is some hundredths of a garment wide."""
LIGHT = 5000
"""Triangles that its silhouette is drawn with."""
TURNED = 0.08
"""How far apart, in canonical units, two points count whose normals stand at right angles, divided by the root of 2."""


class Print(NamedTuple):
    """What is seen on a surface, sampled finely."""

    points: np.ndarray
    """[Q,3] spread evenly over the area."""
    normals: np.ndarray
    """[Q,3] unit, outwards."""
    colours: np.ndarray
    """[Q,3] sRGB in 0..1."""


class Cloth(NamedTuple):
    """A surface in a frame where its longest side is about 1."""

    points: np.ndarray
    """[P,3] spread evenly over the area."""
    normals: np.ndarray
    """[P,3] unit, outwards."""
    print: Print | None
    """Where the mesh has colours."""
    vertices: np.ndarray
    """[V,3] of the light mesh."""
    faces: np.ndarray
    """[F,3] of the light mesh."""


class Frame(NamedTuple):
    """Where a target's own frame was put: centred, its longest side 1."""

    middle: np.ndarray
    side: float


def cloth_of(target: Tidied, outer: Outer) -> tuple[Cloth, Frame]:
    """The outer layer of a target as Cloth, and the Frame it is in."""
    faces = target.faces[outer.kept]
    faces = np.where(outer.flipped[outer.kept][:, None], faces[:, ::-1], faces)
    low, high = (np.quantile(target.vertices[faces.ravel()], q, axis=0) for q in (0.0005, 0.9995))
    frame = Frame((low + high) / 2, float((high - low).max()))
    return _sampled((target.vertices - frame.middle) / frame.side, faces, target.colours), frame


def cloth_of_shell(shell: Tidied) -> Cloth:
    """The shell as Cloth, with a plain cap over each opening, since that is how generators leave them."""
    import trimesh

    vertices, faces = [shell.vertices], [shell.faces]
    directed = {(int(a), int(b)) for a, b in zip(shell.faces.ravel(), np.roll(shell.faces, -1, 1).ravel(), strict=True)}
    count = len(shell.vertices)
    for loop in boundary_loops(trimesh.Trimesh(shell.vertices, shell.faces, process=False)):
        loop = loop[::-1] if (int(loop[0]), int(loop[1])) in directed else loop
        vertices.append(shell.vertices[loop].mean(0, keepdims=True))
        faces.append(np.stack([loop, np.roll(loop, -1), np.full(len(loop), count)], 1))
        count += 1
    return _sampled(np.concatenate(vertices), np.concatenate(faces), None)


def tree_of(cloth: Cloth) -> KDTree:
    """A search tree over places and directions, so that front never meets back."""
    return KDTree(np.concatenate([cloth.points, TURNED * cloth.normals], 1))


def _sampled(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray | None) -> Cloth:
    points, normals, _ = _spots(vertices, faces, POINTS, None)
    own = None
    if colours is not None:
        spots = _spots(vertices, faces, PRINT_POINTS, colours)
        own = None if spots[2] is None else Print(spots[0], spots[1], spots[2])
    light, few = vertices, faces
    if len(faces) > LIGHT:
        light, few = fast_simplification.simplify(
            vertices.astype(np.float32), faces.astype(np.int32), target_reduction=1 - LIGHT / len(faces)
        )
    return Cloth(points, normals, own, np.asarray(light, np.float64), np.asarray(few, np.int64))


def _spots(
    vertices: np.ndarray, faces: np.ndarray, count: int, colours: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """[count,3] points spread evenly over the faces, their normals and their colours."""
    random = np.random.default_rng(0)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    # Stratified along the cumulative area: even with few points.
    at = (np.arange(count) + random.random(count)) / count * area.sum()
    face = np.minimum(np.searchsorted(area.cumsum(), at), len(area) - 1)
    weights = random.dirichlet((1, 1, 1), count)[:, :, None]
    own = None if colours is None else (weights * colours[faces[face]]).sum(1)
    return (weights * vertices[faces[face]]).sum(1), normal[face] / np.maximum(area[face, None], 1e-300), own
