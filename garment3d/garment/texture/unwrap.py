"""UV in two islands, a front and a back panel as a pattern maker would lay them out, from geometry alone.

Works on any open shell, a decimated one too; what can't be laid out as two panels goes to xatlas.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import trimesh
from trimesh.visual import TextureVisuals

from ...data import Camera
from ...errors import MeshError
from ...raster import rasterize
from ..flatten import flatten, signed_areas
from .panels import FRONT, Surface, front_and_back, pieces

GUTTER = 8 / 2048
"""Space around each island as a share of the atlas."""
OVERLAP_HW = (512, 512)
MOST_OVERLAP = 5e-3
"""Share of an island's area that may be covered twice before it is relaxed."""
DENSITY_BAND = 3.0
FEW_FACES, MOST_ISLANDS = 50, 24
"""Flakes below so many faces are laid out as they are; more islands than this make no pattern."""


class Island(NamedTuple):
    """Faces that lie together in the atlas."""

    faces: np.ndarray
    """[K] int, indices into the mesh's faces."""
    vertices: np.ndarray
    """[M] int, the welded vertices they use."""
    uv: np.ndarray
    """[M,2] in canonical units, counter-clockwise as seen from outside."""


def unwrap(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with uv in [0, 1]², origin bottom-left, front panel left of the back panel, both upright in one scale.

    Positions and the order of faces stay; vertices on the cut are doubled and equal ones elsewhere welded. A mesh that
    does not come apart into panels within the density band is unwrapped by xatlas; one without faces raises MeshError.
    """
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    if not len(faces) or not np.isfinite(vertices).all():
        raise MeshError(f"A mesh of {len(vertices)} vertices and {len(faces)} faces can't be unwrapped.")
    points, joined = welded(vertices, faces)
    islands = _panels(points, joined)
    if islands is None:
        return _xatlas(vertices, faces)
    return _cut_open(points, joined, islands, _packed(islands))


def welded(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[P,3] distinct positions and [F,3] faces over them."""
    points, place = np.unique(vertices, axis=0, return_inverse=True)
    return points, place.reshape(-1)[faces]


def overlap(uv: np.ndarray, faces: np.ndarray) -> float:
    """Share of the covered area that two triangles or more cover, measured on a grid."""
    low, high = uv.min(0), uv.max(0)
    corners = (uv - low)[faces].reshape(-1, 2) / max(float((high - low).max()), 1e-300)
    single = np.arange(len(faces) * 3).reshape(-1, 3)
    order = np.repeat(np.arange(len(faces)) / len(faces), 3)[:, None] * 0.5
    first, last = (
        rasterize(np.concatenate([corners, z], 1), single, uv_camera(OVERLAP_HW[0])).face for z in (order, -order)
    )
    covered = int((first >= 0).sum())
    return int((first != last).sum()) / max(covered, 1)


def uv_camera(size: int, first_row: int = 0, rows: int | None = None) -> Camera:
    """Looks down on the atlas: (u, v, 0) lands on the pixel of a `size`² image, v up; optionally some rows of it."""
    c2w = np.eye(4)
    c2w[2, 3] = 1.0
    height = size if rows is None else rows
    return Camera("orthographic", float(size), (0.0, float(size - first_row)), c2w, (height, size))


def density(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """[F] uv area per surface area, 1 on average; faces without area are left out."""
    a, b = vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]
    area, flat = 0.5 * np.linalg.norm(np.cross(a, b), axis=1), np.abs(signed_areas(uv, faces))
    solid = area > 1e-4 * area.mean()
    return flat[solid] / area[solid] * (area.sum() / max(float(flat.sum()), 1e-300))


def usable_uv(mesh: trimesh.Trimesh) -> bool:
    """True where uvs lie in the atlas, have an area and don't lie on each other."""
    uv = getattr(mesh.visual, "uv", None)
    if uv is None or len(uv) != len(mesh.vertices) or not np.isfinite(uv).all():
        return False
    if uv.min() < -1e-6 or uv.max() > 1 + 1e-6:
        return False
    flat = np.abs(signed_areas(uv, mesh.faces))
    return flat.sum() > 0.01 and float((flat <= 0).mean()) < 0.01 and overlap(uv, mesh.faces) < MOST_OVERLAP


def uv_per_unit(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> float:
    """Length in uv of a canonical length of 1, on average."""
    a, b = vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]
    area = 0.5 * np.linalg.norm(np.cross(a, b), axis=1).sum()
    return float(np.sqrt(np.abs(signed_areas(uv, faces)).sum() / max(area, 1e-300)))


def _panels(points: np.ndarray, faces: np.ndarray) -> list[Island] | None:
    """Front islands before back islands, the largest of each first; None where the mesh makes no panels."""
    labels = front_and_back(points, faces)
    surface = Surface(points, faces)
    piece = pieces(labels, surface.pairs)
    area = np.bincount(piece, surface.area)
    label = np.zeros(len(area), int)
    label[piece] = labels
    islands = []
    for index in np.lexsort([-area, label]):
        island = _island(points, faces, np.flatnonzero(piece == index), bool(label[index] == FRONT))
        if island is None:
            return None
        islands.append(island)
    return islands if len(islands) <= MOST_ISLANDS else None


def _island(points: np.ndarray, faces: np.ndarray, own: np.ndarray, front: bool) -> Island | None:
    """One panel laid flat; None where it overlaps itself or its density leaves the band."""
    used, local = np.unique(faces[own], return_inverse=True)
    local = local.reshape(-1, 3)
    planar = points[used, :2] * (1 if front else -1, 1)
    uv = flatten(points[used], local, planar)
    low, high = np.percentile(density(points[used], local, uv), [1, 99])
    if len(own) >= FEW_FACES and (high / low > DENSITY_BAND or overlap(uv, local) > MOST_OVERLAP):
        return None
    return Island(own, used, uv)


def _packed(islands: list[Island]) -> list[np.ndarray]:
    """Each island's [M,2] uv: columns side by side from the left, centred, with a gutter around each island."""
    sizes = np.array([np.ptp(island.uv, axis=0) for island in islands])
    columns = _columns(sizes)
    most = max(len(column) for column in columns)
    widths = np.array([sizes[column, 0].max() for column in columns])
    heights = np.array([sizes[column, 1].sum() for column in columns])
    room = 1 - GUTTER * (len(columns) + 1), 1 - GUTTER * (most + 1)
    scale = min(room[0] / max(widths.sum(), 1e-300), room[1] / max(heights.max(), 1e-300))
    packed: list[np.ndarray] = [island.uv for island in islands]
    left = (1 - scale * widths.sum() - GUTTER * (len(columns) - 1)) / 2
    for column, width, height in zip(columns, widths, heights, strict=True):
        bottom = (1 - scale * height - GUTTER * (len(column) - 1)) / 2
        for index in column:
            packed[index] = (islands[index].uv - islands[index].uv.min(0)) * scale + [left, bottom]
            bottom += scale * sizes[index, 1] + GUTTER
        left += scale * width + GUTTER
    return packed


def _columns(sizes: np.ndarray) -> list[list[int]]:
    """Islands that share a column: panels stand alone, flakes are piled up no higher than the tallest panel."""
    columns: list[list[int]] = []
    pile: list[int] = []
    for index, size in enumerate(sizes):
        if size[1] > 0.5 * sizes[:, 1].max():
            columns.append([index])
        elif pile and sizes[pile, 1].sum() + size[1] <= 0.8 * sizes[:, 1].max():
            pile.append(index)
        else:
            pile = [index]
            columns.append(pile)
    return columns


def _cut_open(
    points: np.ndarray, faces: np.ndarray, islands: list[Island], packed: list[np.ndarray]
) -> trimesh.Trimesh:
    """The mesh with one vertex per island that uses it."""
    cut = np.zeros_like(faces)
    first = 0
    for island in islands:
        index = np.zeros(len(points), int)
        index[island.vertices] = first + np.arange(len(island.vertices))
        cut[island.faces] = index[faces[island.faces]]
        first += len(island.vertices)
    vertices = points[np.concatenate([island.vertices for island in islands])]
    return _with_uv(vertices, cut, np.concatenate(packed))


def _xatlas(vertices: np.ndarray, faces: np.ndarray) -> trimesh.Trimesh:
    """Many islands, for meshes that are no garment shell.

    Source: github.com/jpcy/xatlas.
    """
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices.astype(np.float32), faces.astype(np.uint32))
    options = xatlas.PackOptions()
    options.padding, options.resolution, options.bilinear = 8, 2048, True
    atlas.generate(pack_options=options)
    source, cut, uv = atlas[0]
    return _with_uv(vertices[source], cut.astype(np.int64), uv.astype(float))


def _with_uv(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, faces, visual=TextureVisuals(uv=uv), process=False)
