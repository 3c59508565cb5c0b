"""Directions at the vertices that light is reckoned with: smooth normals, and the tangents a normal map is read in.

Both follow what engines and modelling programs compute themselves, so that a map baked here looks the same there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WELD_DIGITS = 6
"""Decimals of a canonical coordinate within which two vertices are one: a micrometre on a garment of a metre."""
_TINY = 1e-30


class Weld(NamedTuple):
    """Vertices that share a position, made one."""

    first: np.ndarray
    """[W] index of one original vertex of each."""
    of: np.ndarray
    """[N] welded index of each original vertex."""


def weld(vertices: np.ndarray) -> Weld:
    """Groups canonical [N,3] vertices that lie within a micrometre or so of each other."""
    keys = np.round(vertices, WELD_DIGITS) + 0.0  # + 0.0 turns −0 into 0
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Weld(first, of.reshape(-1))


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[N,3] unit normals, each face weighted by its angle there; +Z at a vertex of no face or of zero-area faces only.

    Source: Thürmer and Wüthrich, Computing vertex normals from polygonal facets, JGT 1998.
    """
    corners = vertices[faces]
    ahead = unit(np.roll(corners, -1, 1) - corners)
    back = unit(np.roll(corners, 1, 1) - corners)
    angle = np.arccos(np.clip((ahead * back).sum(-1), -1, 1))
    own = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    summed = _summed(own[:, None] * angle[..., None], faces, len(vertices))
    normals = unit(summed)
    normals[(np.abs(summed) < 1e-9).all(1)] = (0.0, 0.0, 1.0)
    return normals


def tangents(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """[N,4] unit tangents along growing u, square to the normals, and in w the sign of the bitangent w · (n × t).

    Vertices that share position, normal and uv share a tangent, as on either side of a cut in the vertex list only.
    A vertex between mirrored and unmirrored uv takes the side with the larger angle; one without any uv area gets
    some direction square to its normal and w = 1.

    Args:
        uv: [N,2] with the origin bottom-left, so that w is +1 where the picture is not mirrored.
        normals: [N,3] unit length.

    Source: Mikkelsen, Simulation of Wrinkled Surfaces Revisited, 2008; mikktspace.com.
    """
    along, sign = _face_tangents(vertices[faces], uv[faces])
    normal = normals[faces]
    across = unit(along[:, None] - normal * (normal * along[:, None]).sum(-1, keepdims=True))
    angle = _angles_in_plane(vertices[faces], normal)
    place, count = _shared(vertices, normals, uv)
    # Two rooms per place: mirrored faces and others never mix.
    room = 2 * place[faces] + (sign > 0)[:, None]
    summed = _summed(across * angle[..., None], room, 2 * count)
    weight = np.where(sign == 0, 0.0, 1.0)[:, None] * angle
    upright = np.bincount(faces.ravel(), (weight * sign[:, None]).ravel(), len(vertices)) >= 0
    tangent = unit(summed[2 * place + upright])
    lost = (tangent * tangent).sum(1) < 0.5
    tangent[lost] = _square_to(normals[lost])
    return np.concatenate([tangent, np.where(upright | lost, 1.0, -1.0)[:, None]], 1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same directions at length 1; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)


def _face_tangents(corners: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[F,3] unit direction in which u grows on each face, and the [F] sign of its area in the picture, 0 for none."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    (du, dv), (eu, ev) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    sign = np.sign(du * ev - dv * eu)
    return unit((ev[:, None] * first - dv[:, None] * second) * sign[:, None]), sign


def _angles_in_plane(corners: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """[F,3] angles of the faces' corners, seen along the vertex normals."""

    def flat(edge: np.ndarray) -> np.ndarray:
        return unit(edge - normal * (normal * edge).sum(-1, keepdims=True))

    ahead, back = flat(np.roll(corners, -1, 1) - corners), flat(np.roll(corners, 1, 1) - corners)
    return np.arccos(np.clip((ahead * back).sum(-1), -1, 1))


def _shared(vertices: np.ndarray, normals: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, int]:
    """[N] number of the place of each vertex, and how many there are; equal in float32 is one place."""
    rows = np.ascontiguousarray(np.concatenate([vertices, normals, uv], 1).astype(np.float32) + 0.0)
    _, place = np.unique(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))), return_inverse=True)
    return place.reshape(-1), int(place.max(initial=-1)) + 1


def _summed(values: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """[count,3] sums of [F,3,3] values of the corners by [F,3] index."""
    flat = values.reshape(-1, 3)
    return np.stack([np.bincount(index.ravel(), flat[:, i], count) for i in range(3)], 1)


def _square_to(normals: np.ndarray) -> np.ndarray:
    """[N,3] some unit direction square to each normal."""
    axis = np.eye(3)[np.abs(normals).argmin(1)] if len(normals) else np.zeros((0, 3))
    return unit(axis - normals * (normals * axis).sum(1, keepdims=True))
