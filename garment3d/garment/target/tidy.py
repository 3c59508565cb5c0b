"""Whatever a generator hands over, as one light mesh: welded, without dust, few enough triangles to work on.

Nothing is refused that can be read as a surface; what was dropped or thinned out is said in a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import fast_simplification
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from ...errors import MeshError
from .colours import colours_at

if TYPE_CHECKING:
    import trimesh

WELD = 1e-5
"""Vertices nearer than this share of the longest side are one, as for the boundary loops."""
CELLS = 2**20 - 1
"""Cells each way from the middle that are told apart, ten sides of the mesh; beyond, all strays fall together."""
NO_AREA = 1e-12
"""A face below this part of the longest side squared has no area."""
DUST = 0.005
"""A part below this share of the largest part's area is dust…"""
MOST_DUST = 0.1
"""…as long as all dust together is no more than this share of the whole area."""
MANY = 5
"""A mesh with more than this times the faces wanted is first gathered into cells, about this many."""


class Tidied(NamedTuple):
    """A mesh to measure against: one vertex per place, no face twice."""

    vertices: np.ndarray
    """[V,3] float64 in the mesh's own frame and unit."""
    faces: np.ndarray
    """[F,3] int64."""
    colours: np.ndarray | None
    """[V,3] float32 sRGB in 0..1, or None where the mesh has none."""
    warnings: tuple[str, ...]


def tidy(mesh: trimesh.Trimesh, most_faces: int = 200_000) -> Tidied:
    """The Tidied mesh of at most about `most_faces` faces, which may still be closed, layered or wound at random.

    Raises:
        MeshError: vertices that are not finite, fewer than 4 faces that have an area, or no extent.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces)
    _check(vertices, faces)
    side = _side(vertices, faces)
    first, faces = _welded(vertices, faces, WELD * side)
    points = vertices[first]
    faces = _whole(points, faces, side)
    faces, warnings = _without_dust(points, faces)
    if len(faces) > most_faces:
        light, faces = _thinned(points, faces, most_faces, side)
        nearest = KDTree(points, balanced_tree=False, compact_nodes=False).query(light)[1]
        first, points = first[nearest], light
        faces = _whole(points, faces, side)
        warnings += (f"The mesh's {len(mesh.faces):,} triangles were thinned out to {len(faces):,} for the fit.",)
    used, faces = np.unique(faces, return_inverse=True)
    points, faces = points[used], faces.reshape(-1, 3)
    return Tidied(points, faces, colours_at(mesh, first[used]), warnings)


def _check(vertices: np.ndarray, faces: np.ndarray) -> None:
    if len(faces) < 4:
        raise MeshError(
            f"The mesh has {len(faces)} triangle{'s' * (len(faces) != 1)}, too few for a garment: give a whole one."
        )
    bad = int((~np.isfinite(vertices)).any(1).sum())
    if bad:
        raise MeshError(
            f"{bad:,} of the mesh's {len(vertices):,} vertices are not finite numbers (NaN or infinite): "
            "export it again from where it was made."
        )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise MeshError(
            f"A triangle of the mesh names vertex {faces.max() if faces.min() >= 0 else faces.min()}, "
            f"but there are {len(vertices):,}: export it again from where it was made."
        )
    if not _side(vertices, faces) > 0:
        raise MeshError("The mesh has no extent: all of its triangles lie in one point.")


def _side(vertices: np.ndarray, faces: np.ndarray) -> float:
    """The longest side of the box that holds all faces but a few strays."""
    some = vertices[faces[:: 1 + len(faces) // 100_000].ravel()]
    low, high = np.quantile(some, [0.01, 0.99], axis=0)
    return float((high - low).max()) or float(np.ptp(some, axis=0).max())


def _welded(vertices: np.ndarray, faces: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """[P] the first vertex of each cell that holds any, and the [F,3] int64 faces between three of them."""
    first, place = _cells(vertices, cell)
    faces = place[faces]
    return first, faces[(faces != np.roll(faces, 1, 1)).all(1)]


def _cells(vertices: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """[P] the first vertex in each cell that holds any, and [V] int64 the number of each vertex's cell."""
    middle = np.median(vertices[:: 1 + len(vertices) // 100_000], axis=0)
    key = np.zeros(len(vertices), np.int64)
    for axis in range(3):  # one number for the three cells: sorting it is many times faster than sorting rows
        number = np.rint(np.clip((vertices[:, axis] - middle[axis]) / cell, -CELLS, CELLS)).astype(np.int64)
        key = key * (2 * CELLS + 1) + number + CELLS
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    return first, place.reshape(-1).astype(np.int64)


def _whole(points: np.ndarray, faces: np.ndarray, side: float) -> np.ndarray:
    """The faces that have an area, each once however it is wound; fewer than 4 raise MeshError."""
    faces = faces[_areas(points, faces) > NO_AREA * side**2]
    low, middle, high = np.sort(faces, 1).T
    order = np.lexsort((high, middle, low))
    again = np.zeros(len(faces), bool)
    again[order[1:]] = np.all([np.diff(corner[order]) == 0 for corner in (low, middle, high)], 0)
    if (~again).sum() < 4:
        raise MeshError(
            f"The mesh has {int((~again).sum())} triangles of any area, too few for a garment: give a whole one."
        )
    return faces[~again]


def _areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a = points[faces[:, 0]]
    return np.linalg.norm(np.cross(points[faces[:, 1]] - a, points[faces[:, 2]] - a), axis=1) / 2


def _without_dust(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The faces without parts too small to be cloth, and a sentence where there were any."""
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(len(points), len(points)))
    part = np.unique(connected_components(graph, directed=False)[1][faces[:, 0]], return_inverse=True)[1]
    area = np.bincount(part, _areas(points, faces))
    order = np.argsort(area)
    dust = (area[order] < DUST * area.max()) & (np.cumsum(area[order]) <= MOST_DUST * area.sum())
    if not dust.any():
        return faces, ()
    gone = order[dust]
    share = area[gone].sum() / area.sum()
    warning = f"{len(gone):,} loose specks of the mesh, {share:.2%} of its area, were left out."
    return faces[~np.isin(part, gone)], (warning,)


def _thinned(points: np.ndarray, faces: np.ndarray, most: int, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces after quadric edge collapses; its thresholds are absolute, so it gets a mesh of side 1.

    Source: Garland & Heckbert, SIGGRAPH 1997, as fast-simplification has it; gathering into cells before that is
    Rossignac & Borrel, 1993.
    """
    if len(faces) > MANY * most:
        points, faces = _gathered(points, faces, MANY * most)
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    middle = points[used].mean(0)
    light, faces = fast_simplification.simplify(
        ((points[used] - middle) / side).astype(np.float32),
        faces.astype(np.int32),
        target_reduction=max(1 - most / len(faces), 0),
    )
    return np.asarray(light, np.float64) * side + middle, np.asarray(faces, np.int64)


def _gathered(points: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """About `most` faces between the means of the points in each cell of a grid; detail below a cell is averaged."""
    # A plane through a grid of cells of side 1 meets about 1.5 of them per unit of area, each a vertex with two faces.
    cell = float(np.sqrt(3 * _areas(points, faces).sum() / most))
    number, gathered = np.unique(faces, return_inverse=True)
    place = _cells(points[number], cell)[1]
    mean = [np.bincount(place, points[number, axis]) / np.bincount(place) for axis in range(3)]
    faces = place[gathered.reshape(-1, 3)]
    faces = faces[(faces != np.roll(faces, 1, 1)).all(1)]
    return np.stack(mean, 1), faces
