"""Which faces of a mesh are the garment: the outside ones, the largest part of what a cut has parted, no caps.

Found on a light copy of the mesh, where looking at it from all sides is quick, and carried over to all of its faces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .hems_cut import Cut, parts
from .target import Outer, Tidied

DUST = 0.005
"""A piece below this share of the largest one's area is dust."""
TURNED = 1e-3
"""A share of faces wound inside out below this is a misjudgement."""


class Skin(NamedTuple):
    """Which faces of a light copy are the outer layer, in the canonical frame."""

    centres: np.ndarray
    """[F,3] of all faces of the light copy, inner ones too."""
    outward: np.ndarray
    """[F,3] unit normals, outward where the face belongs to the outer layer."""
    kept: np.ndarray
    """[F] bool: belongs to the outer layer."""
    turned: bool
    """Some faces are wound inside out."""


def skin_of(light: Tidied, outer: Outer, matrix: np.ndarray) -> Skin:
    """The Skin of a tidied mesh, with its outer layer, that `matrix` [4,4] brings to the canonical frame."""
    points = light.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    mirrored = np.linalg.det(matrix[:3, :3]) < 0
    faces = np.where((outer.flipped != mirrored)[:, None], light.faces[:, ::-1], light.faces)
    corners = points[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    share = float(outer.flipped[outer.kept].mean()) if outer.kept.any() else 0.0
    return Skin(corners.mean(1), _unit(across), outer.kept, share > TURNED)


class Layers(NamedTuple):
    """All faces of the mesh, wound outwards where they are outside."""

    faces: np.ndarray
    """[F,3]"""
    outside: np.ndarray
    """[F] bool"""


def layers_of(points: np.ndarray, faces: np.ndarray, place: np.ndarray, skin: Skin) -> Layers:
    """The Layers of [F,3] faces over [V,3] canonical points, from the nearest faces of the light copy."""
    corners = points[faces]
    nearest = cKDTree(skin.centres, balanced_tree=False, compact_nodes=False).query(corners.mean(1))[1]
    if skin.turned:
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        agreement = (across * skin.outward[nearest]).sum(1) * skin.kept[nearest]
        sheet = _sheets(place[faces])
        wrong = np.bincount(sheet, agreement)[sheet] < 0
        faces = np.where(wrong[:, None], faces[:, ::-1], faces)
    return Layers(faces, skin.kept[nearest])


def _sheets(faces: np.ndarray) -> np.ndarray:
    """[F] label of the faces that are wound alike and hang together by edges."""
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    span = int(faces.max()) + 1
    order = np.argsort(np.minimum(start, end) * span + np.maximum(start, end), kind="stable")
    one, two = order[:-1], order[1:]
    same = (start[one] == end[two]) & (end[one] == start[two])
    links = one[same] // 3, two[same] // 3
    graph = coo_array((np.ones(len(links[0]), bool), links), shape=(len(faces), len(faces)))
    return connected_components(graph, directed=False)[1]


def garment_pieces(cut: Cut, points: np.ndarray, pieces: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """[M] bool, the faces of `cut` that are the garment.

    Args:
        cut: the mesh without its caps.
        points: [N,3] its vertices.
        pieces: [F] connected piece of every face before the cuts.
        outside: [F] bool for the same faces: seen from outside.
    """
    corners = points[cut.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    places = cut.place[cut.faces]
    part = parts(places, int(cut.place.max()) + 1)[places[:, 0]]
    size = np.bincount(part, area)
    cloth = np.bincount(part, area * outside[cut.origin.face]) > 0.5 * size
    # Of what was one piece before the cuts only the largest part is cloth: islands of a sunken cap are not.
    whole = pieces[cut.origin.face]
    largest = np.zeros(int(pieces.max()) + 1)
    np.maximum.at(largest, whole, np.where(cloth[part], size[part], 0))
    return cloth[part] & (size[part] >= largest[whole]) & (size[part] >= DUST * size.max(initial=0))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-300)
