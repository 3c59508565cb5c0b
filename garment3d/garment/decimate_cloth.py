"""A mesh as decimation sees it: places (positions), wedges (a place with its uv), and which edges must stay.

Source: wedges, Hoppe, "New quadric metric for simplifying meshes with appearance attributes", IEEE Visualization 1999.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import trimesh
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from trimesh.visual import TextureVisuals

from ..errors import MeshError

WELD = 1e-6
"""Positions, and uvs, closer than this part of the longest side are one."""


class Cloth(NamedTuple):
    """What of a mesh never changes while it is decimated."""

    points: np.ndarray
    """[P,3] distinct positions, centred, the longest side 1."""
    uv: np.ndarray | None
    """[W,2] of the wedges, scaled so that lengths are those on the cloth; None where there is none."""
    place: np.ndarray
    """[W] the position of each wedge."""
    vertex: np.ndarray
    """[W] the mesh's vertex that each wedge is."""
    locked: np.ndarray
    """[P] bool, places where the mesh is no sheet: they stay."""
    uv_scale: float
    """`uv` per uv of the mesh."""
    side: float
    """Longest side of the mesh in its own unit."""


class Faces(NamedTuple):
    """What is left of the mesh."""

    places: np.ndarray
    """[F,3]."""
    wedges: np.ndarray
    """[F,3]."""
    origin: np.ndarray
    """[F] the mesh's face that each one was."""


class Edges(NamedTuple):
    """Undirected edges from a to b; side 0 is the face that runs that way, side 1 the one that runs back."""

    a: np.ndarray
    b: np.ndarray
    wedge_a: np.ndarray
    """[2,E] wedge of a on either side, equal where there is no seam; an open edge repeats side 0."""
    wedge_b: np.ndarray
    open: np.ndarray
    """[E] bool: one face only."""
    seam: np.ndarray
    """[E] bool: the uv is cut here."""
    wrong: np.ndarray
    """[E] bool: three faces or more, or two wound against each other."""


def cloth_of(mesh: trimesh.Trimesh) -> tuple[Cloth, Faces]:
    """The Cloth and its Faces without doubled and collapsed ones; no faces or values that aren't finite: MeshError."""
    vertices, corners = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    _check(vertices, corners)
    side = float(np.ptp(vertices[corners.ravel()], axis=0).max()) or 1.0
    points, place = _welded(vertices, corners, side)
    uv = _uv_of(mesh)
    # Where the uvs are equal too, vertices were split for their normals only: that is no seam.
    cells = place[:, None] if uv is None else np.concatenate([place[:, None], np.round(uv / WELD)], 1)
    _, vertex, wedge = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    wedges = wedge.reshape(-1)[corners]
    faces = _without_doubles(Faces(place[corners], wedges, np.arange(len(corners))))
    if not len(faces.places):
        raise MeshError(f"None of the mesh's {len(corners)} faces has an area: there is nothing to decimate.")
    scale = 1.0 if uv is None else _uv_scale(points, faces, uv[vertex])
    cloth = Cloth(
        points,
        None if uv is None else uv[vertex] * scale,
        place[vertex],
        vertex,
        _locked(faces.places, len(points)),
        scale,
        side,
    )
    return cloth, faces


def _check(vertices: np.ndarray, corners: np.ndarray) -> None:
    if not len(corners):
        raise MeshError(f"A mesh of {len(vertices)} vertices and no faces can't be decimated: give one with faces.")
    broken = int((~np.isfinite(vertices[corners.ravel()])).any(1).sum())
    if broken:
        raise MeshError(f"{broken} corners of the mesh's {len(corners)} faces are not finite: export the mesh again.")


def _welded(vertices: np.ndarray, corners: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """[P,3] distinct positions, centred and scaled, and [V] the place of every vertex."""
    used = vertices[corners.ravel()]
    centred = (np.nan_to_num(vertices) - (used.min(0) + used.max(0)) / 2) / side
    _, first, place = np.unique(np.round(centred / WELD), axis=0, return_index=True, return_inverse=True)
    return centred[first], place.reshape(-1)


def _uv_of(mesh: trimesh.Trimesh) -> np.ndarray | None:
    visual: Any = mesh.visual
    if not isinstance(visual, TextureVisuals) or visual.uv is None or len(visual.uv) != len(mesh.vertices):
        return None
    uv = np.asarray(visual.uv, float)
    if not np.isfinite(uv[np.asarray(mesh.faces).ravel()]).all():
        raise MeshError("Some of the mesh's uvs are not finite: unwrap it again, or take its texture off.")
    return np.nan_to_num(uv)


def _without_doubles(faces: Faces) -> Faces:
    """Faces with three places, each once, whichever way round."""
    whole = (faces.places != np.roll(faces.places, 1, 1)).all(1)
    _, first = np.unique(np.sort(faces.places, 1), axis=0, return_index=True)
    once = np.zeros(len(whole), bool)
    once[first] = True
    return Faces(*(column[whole & once] for column in faces))


def _uv_scale(points: np.ndarray, faces: Faces, uv: np.ndarray) -> float:
    a, b, c = points[faces.places].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    flat = np.abs(areas_2d(uv[faces.wedges])).sum()
    return float(np.sqrt(area / flat)) if flat > 1e-12 else 1.0


def areas_2d(corners: np.ndarray) -> np.ndarray:
    """[F] twice the signed area of [F,3,2] triangles."""
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def normals_of(corners: np.ndarray) -> np.ndarray:
    """[F,3] normals of [F,3,3] triangles, as long as twice their area."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def shapes_of(corners: np.ndarray, double_area: np.ndarray) -> np.ndarray:
    """[F] 1 for a triangle with equal sides, 0 for one without area."""
    sides = corners - np.roll(corners, 1, 1)
    return 2 * np.sqrt(3) * double_area / np.maximum((sides**2).sum((1, 2)), 1e-300)


def _locked(places: np.ndarray, count: int) -> np.ndarray:
    """[P] bool, where more than one fan of faces meets."""
    start, end = places.ravel(), np.roll(places, -1, 1).ravel()
    key = np.minimum(start, end) * count + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    _, first, uses = np.unique(key[order], return_index=True, return_counts=True)
    one, two = order[first[uses == 2]], order[first[uses == 2] + 1]
    agree = start[one] != start[two]
    one, two = one[agree], two[agree]
    links = np.concatenate([np.stack([one, _next(two)], 1), np.stack([_next(one), two], 1)])
    graph = sparse.coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(len(start), len(start)))
    fan = connected_components(graph, directed=False)[1]
    of_fan = np.zeros(fan.max() + 1, np.int64)
    of_fan[fan] = start
    return np.bincount(of_fan, minlength=count) > 1


def _next(corner: np.ndarray) -> np.ndarray:
    return corner - corner % 3 + (corner + 1) % 3


def edges_of(faces: Faces, count: int) -> Edges:
    """The Edges of faces over `count` places."""
    start, end = faces.places.ravel(), np.roll(faces.places, -1, 1).ravel()
    key = np.minimum(start, end) * count + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    uses = np.diff(first, append=len(key))
    one = order[first]
    two = np.where(uses > 1, order[np.minimum(first + 1, len(key) - 1)], one)
    wedge, wedge_end = faces.wedges.ravel(), np.roll(faces.wedges, -1, 1).ravel()
    lone = uses == 1
    wedge_a = np.stack([wedge[one], np.where(lone, wedge[one], wedge_end[two])])
    wedge_b = np.stack([wedge_end[one], np.where(lone, wedge_end[one], wedge[two])])
    wrong = (uses > 2) | ((uses == 2) & (start[one] == start[two]))
    seam = (uses == 2) & ((wedge_a[0] != wedge_a[1]) | (wedge_b[0] != wedge_b[1]))
    return Edges(start[one], end[one], wedge_a, wedge_b, lone, seam, wrong)
