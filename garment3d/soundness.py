"""Is a mesh sound: components, loops, manifoldness and winding, counted after welding vertices by position.

UV islands split vertices; a seam of a texture is no boundary of the cloth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .nearest import finite_triangles

if TYPE_CHECKING:
    import trimesh

WELD = 1e-6
"""Positions closer than this part of the longest side are one."""
NO_AREA = 1e-12
"""A face below this part of the longest side squared has no area."""


class MeshChecks(NamedTuple):
    """Counts of a mesh after welding; a sound open garment is one component with loops, and zero of all the rest."""

    components: int
    """Parts that share no position."""
    boundary_loops: int
    """Closed runs of edges with one face."""
    non_manifold_edges: int
    """Edges with three or more faces."""
    non_manifold_vertices: int
    """Positions where fans of faces meet in nothing but that point."""
    degenerate_faces: int
    """Faces of no area."""
    inverted_faces: int
    """Faces wound against the majority of their component."""
    inside_out: int
    """Components whose volume, boundary loops capped, is negative: wound clockwise seen from outside."""


def mesh_checks(mesh: trimesh.Trimesh) -> MeshChecks:
    """The MeshChecks of a mesh, welded here and not in place; no faces or NaN vertices raises MeshError."""
    triangles = finite_triangles(mesh)
    side = np.ptp(triangles.reshape(-1, 3), axis=0).max() or 1.0
    _, weld = np.unique(np.round(triangles.reshape(-1, 3) / (side * WELD)), axis=0, return_inverse=True)
    faces = weld.reshape(-1, 3)
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    degenerate = np.linalg.norm(normal, axis=1) / 2 <= NO_AREA * side**2
    whole = (faces != np.roll(faces, 1, 1)).all(1)
    faces, triangles = faces[whole], triangles[whole]
    edges = _edges(faces)
    component = _groups(faces.max(initial=-1) + 1, faces[:, [0, 1]].reshape(-1, 2), faces[:, [1, 2]].reshape(-1, 2))
    part = np.unique(component[faces[:, 0]], return_inverse=True)[1]
    corner_fan, vertex_fans = _fans(faces, edges)
    loop = _groups(corner_fan.max(initial=-1) + 1, corner_fan[edges.open_corners])
    loops = len(np.unique(loop[corner_fan[edges.open_corners]]))
    return MeshChecks(
        int(part.max(initial=-1)) + 1,
        loops,
        edges.crowded,
        int((vertex_fans > 1).sum()),
        int(degenerate.sum()),
        _inverted(len(faces), edges),
        _inside_out(triangles, part, edges, loop[corner_fan]),
    )


class _Edges(NamedTuple):
    """Half-edge i of a face runs from its corner i to corner i + 1; corners are numbered 3·face + i."""

    pairs: np.ndarray
    """[E,2] half-edges of the edges with exactly two faces."""
    agree: np.ndarray
    """[E] bool: the two run against each other, as they should."""
    open_corners: np.ndarray
    """[B,2] corners at the start and the end of half-edges without a partner."""
    crowded: int
    """Edges with three or more faces."""


def _edges(faces: np.ndarray) -> _Edges:
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    key = np.minimum(start, end) * (faces.max(initial=0) + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    _, first, count = np.unique(key[order], return_index=True, return_counts=True)
    pairs = order[first[count == 2][:, None] + np.arange(2)].reshape(-1, 2)
    lone = order[first[count == 1]]
    agree = start[pairs[:, 0]] != start[pairs[:, 1]]
    return _Edges(pairs, agree, np.stack([lone, _next(lone)], 1), int((count > 2).sum()))


def _next(corner: np.ndarray) -> np.ndarray:
    return corner - corner % 3 + (corner + 1) % 3


def _groups(count: int, *links: np.ndarray) -> np.ndarray:
    """[count] label of the connected group of every node, for [N,2] links."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    link = np.concatenate(links)
    graph = coo_array((np.ones(len(link), bool), (link[:, 0], link[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _fans(faces: np.ndarray, edges: _Edges) -> tuple[np.ndarray, np.ndarray]:
    """[3F] the fan every corner belongs to, joined over edges with two faces, and [V] fans at each vertex."""
    one, two = edges.pairs.T
    start, end = np.where(edges.agree, _next(two), two), np.where(edges.agree, two, _next(two))
    fan = _groups(faces.size, np.stack([one, start], 1), np.stack([_next(one), end], 1))
    vertex_of_fan = np.unique(np.stack([fan, faces.ravel()], 1), axis=0)[:, 1]
    return fan, np.bincount(vertex_of_fan)


def _inverted(count: int, edges: _Edges) -> int:
    """Faces to turn so that neighbours agree, the smaller side of every component; a Möbius band counts as it is wound.

    Each face is two nodes, as it is and turned; an edge joins what agrees, so both halves of a component fall apart.
    """
    one, two = edges.pairs.T // 3
    other = np.where(edges.agree, two, two + count)
    turned = np.where(edges.agree, two + count, two)
    group = _groups(2 * count, np.stack([one, other], 1), np.stack([one + count, turned], 1))
    half = np.minimum(group[:count], group[count:])
    total, as_it_is = np.bincount(half), np.bincount(half, group[:count] == half)
    return int(np.minimum(as_it_is, total - as_it_is).sum())


def _inside_out(triangles: np.ndarray, part: np.ndarray, edges: _Edges, loop_of_corner: np.ndarray) -> int:
    """Components whose volume is negative once a fan from each boundary loop's mean closes it."""
    size = int(part.max(initial=-1)) + 1
    corners = triangles.reshape(-1, 3)
    start, end = edges.open_corners.T
    loop = loop_of_corner[start]
    count = np.maximum(np.bincount(loop, minlength=1), 1)
    mean = np.stack([np.bincount(loop, corners[start, i], minlength=1) / count for i in range(3)], 1)
    caps = np.stack([corners[end], corners[start], mean[loop]], 1)
    solid = np.concatenate([triangles, caps])
    owner = np.concatenate([part, part[start // 3]])
    volume = np.bincount(owner, np.linalg.det(solid), minlength=size) / 6
    return int((volume < -1e-9 * np.ptp(corners, axis=0).max(initial=0) ** 3).sum())
