"""What a light mesh lost of a dense one's shape, as a picture: a normal map in the light mesh's own tangent frame.

Every texel's place on the light mesh is led to its place on the dense one; where that can't be told the map is flat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.spatial import KDTree

from ..errors import MeshError
from ..nearest import nearest_on_surface
from ..normals import smooth_normals, tangents, unit, weld
from .texture.atlas import Texels, texels
from .texture.padding import padded

if TYPE_CHECKING:
    import trimesh

REACH = 0.02
"""Of the longest side: how far the dense surface may lie from the light one."""
AGREE_COS = 0.2
"""Least cosine between both surfaces' normals: the other side of the cloth, or an inner fold, is not this cloth."""
SAME_ATLAS = 0.9
"""Share of the light mesh's texels that must lie on the dense mesh's place for the same uv."""
FLAT = (128, 128, 255)
LARGEST_PX = 8192
TEXELS_AT_ONCE = 100_000
"""Between two tellings of progress: under two seconds where places are searched."""


class _Surface(NamedTuple):
    """A mesh with what is interpolated over it."""

    mesh: trimesh.Trimesh
    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    """[V,3] smooth across uv seams."""
    uv: np.ndarray | None
    middles: KDTree
    """Over the faces' centroids."""
    radius: float
    """No corner lies further from its face's centroid."""


def normal_map(
    mesh: trimesh.Trimesh, detail: trimesh.Trimesh, size: int, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """[S,S,3] uint8 normals of `detail` in the tangent frame of `mesh`, x along u, y up the picture, FLAT where alike.

    The frame is MikkTSpace's: normal and tangent interpolated from the vertices and not made unit length per pixel,
    bitangent w · (n × t), as Blender, Unreal and Unity read it. An engine that does make them unit length shows 0.02°
    less or more in the mean and 0.6° at most, measured on garments of 1,200 and 2,500 triangles.
    Where `detail` lies on the same atlas, as before a decimation, uv leads from one to the other, so that light and
    colours keep together; else the place on `detail` straight above or below along the normal is searched.

    Args:
        mesh: light, with uv that do not overlap.
        detail: dense, in the same frame; its uv matter only where they are those of `mesh`.
        progress: told texels done and of how many; may raise to stop.

    Raises:
        MeshError: no uv, no faces, NaN vertices, or a size outside 16 to LARGEST_PX.
    """
    light, dense = _surface(mesh, "light"), _surface(detail, "detailed")
    if light.uv is None:
        raise MeshError("The light mesh has no uv, so no picture can lie on it: give it a texture first.")
    if not 16 <= size <= LARGEST_PX:
        raise MeshError(f"A normal map of {size} pixels can't be made: give 16 to {LARGEST_PX}.")
    frame = tangents(light.vertices, light.faces, light.uv, light.normals)
    reach = REACH * float(np.ptp(light.vertices, axis=0).max())
    shared = _same_atlas(light, dense, reach)
    flat, covered = np.tile(np.array(FLAT, np.uint8), (size * size, 1)), np.zeros(size * size, bool)
    rest = texels(dense.uv, dense.faces, size) if shared and dense.uv is not None else None
    for band in texels(light.uv, light.faces, size):
        covered[band.index.numpy()] = True
        known = _by_uv(band, next(rest), dense, size) if rest is not None else np.zeros((len(band.index), 6))
        for first in range(0, len(band.index), TEXELS_AT_ONCE):
            few = slice(first, first + TEXELS_AT_ONCE)
            part = Texels(*(column[few] for column in band))
            flat[part.index.numpy()] = _encoded(_baked(part, light, frame, dense, known[few], reach))
            if progress is not None:
                progress(int(part.index[-1]) + 1, size * size)
    return padded(flat.reshape(size, size, 3), covered.reshape(size, size), FLAT)


def _surface(mesh: trimesh.Trimesh, which: str) -> _Surface:
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)
    if not len(faces) or not np.isfinite(vertices).all():
        raise MeshError(
            f"The {which} mesh has {len(faces)} faces and {len(vertices)} vertices, some of them not finite; "
            "no normal map can be made of it."
        )
    one = weld(vertices)
    uv = getattr(mesh.visual, "uv", None)
    uv = None if uv is None or len(uv) != len(vertices) else np.asarray(uv, float)[:, :2]
    normals = smooth_normals(vertices[one.first], one.of[faces])[one.of]
    middles = vertices[faces].mean(1)
    radius = float(np.linalg.norm(vertices[faces] - middles[:, None], axis=2).max())
    return _Surface(mesh, vertices, faces, normals, uv, KDTree(middles), radius)


def _at(values: np.ndarray, faces: np.ndarray, band: Texels) -> np.ndarray:
    """[N,C] of [V,C] values of the vertices at the texels."""
    corners = torch.as_tensor(values[faces[band.face.numpy()]], dtype=torch.float64)
    return (corners * band.bary[:, :, None]).sum(1).numpy()


def _same_atlas(light: _Surface, dense: _Surface, reach: float) -> bool:
    """Whether the same uv mean the same place on both meshes."""
    if light.uv is None or dense.uv is None:
        return False
    size = 256
    here, there = next(texels(light.uv, light.faces, size)), next(texels(dense.uv, dense.faces, size))
    if not len(here.index):
        return False
    known = _by_uv(here, there, dense, size)
    apart = np.linalg.norm(known[:, :3] - _at(light.vertices, light.faces, here), axis=1)
    return float(((apart < reach) & known[:, 3:].any(1)).mean()) >= SAME_ATLAS


def _by_uv(band: Texels, other: Texels, dense: _Surface, size: int) -> np.ndarray:
    """[N,6] place and normal of the dense mesh at the light one's texels; normal 0 where it has no such uv."""
    there = np.concatenate([_at(dense.vertices, dense.faces, other), _at(dense.normals, dense.faces, other)], 1)
    row = np.full(size * size, -1)
    row[other.index.numpy()] = np.arange(len(other.index))
    mine = row[band.index.numpy()]
    return np.where(mine[:, None] >= 0, np.concatenate([there, np.zeros((1, 6))])[mine], 0.0)


def _baked(
    band: Texels, light: _Surface, frame: np.ndarray, dense: _Surface, known: np.ndarray, reach: float
) -> np.ndarray:
    """[N,3] unit normals of the dense mesh in the tangent frame at each texel."""
    point, normal = _at(light.vertices, light.faces, band), _at(light.normals, light.faces, band)
    tangent = _at(frame, light.faces, band)
    up = unit(normal)
    fits = _fits(known[:, :3], known[:, 3:], point, up, reach)
    found = np.where(fits[:, None], known[:, 3:], 0.0)
    # An exact search far from any surface takes long, and its answer is thrown away.
    apart = dense.middles.query(point[~fits], distance_upper_bound=2 * reach + dense.radius)[0]
    near = np.zeros(len(point), bool)
    near[~fits] = np.isfinite(apart)
    for height in (0.0, 0.5 * reach, reach):  # from further outside, where the cloth's other side is no nearer
        left = np.flatnonzero(~found.any(1) & near)
        if len(left):
            found[left] = _searched(point[left], up[left], height, dense, reach)
    missing = ~found.any(1)
    found[missing] = up[missing]
    return _solved(tangent, normal, unit(found))


def _fits(place: np.ndarray, normal: np.ndarray, point: np.ndarray, up: np.ndarray, reach: float) -> np.ndarray:
    """[N] bool: places and normals that can be the same cloth's as the points of the light mesh."""
    return (np.linalg.norm(place - point, axis=1) < reach) & ((unit(normal) * up).sum(1) > AGREE_COS)


def _searched(point: np.ndarray, up: np.ndarray, height: float, dense: _Surface, reach: float) -> np.ndarray:
    """[N,3] dense normals along `up` through the points, searched from `height` above them; 0 where there is none."""
    start = point + height * up
    for _ in range(2):  # the nearest place, then the nearest to where its height lies on the line along the normal
        hit = nearest_on_surface(start, dense.mesh)
        along = ((hit.point - point) * up).sum(1)
        start = point + along[:, None] * up
    corners = dense.vertices[dense.faces[hit.face]]
    weights = _weights(hit.point, corners)
    normal = (dense.normals[dense.faces[hit.face]] * weights[:, :, None]).sum(1)
    return np.where(_fits(hit.point, normal, point, up, reach)[:, None], normal, 0.0)


def _weights(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[N,3] barycentrics of points on their triangles [N,3,3]."""
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], point - corners[:, 0]
    uu, uv, vv, uw, vw = ((a * b).sum(1) for a, b in ((u, u), (u, v), (v, v), (u, w), (v, w)))
    area = np.maximum(uu * vv - uv * uv, 1e-300)
    s, t = np.clip((vv * uw - uv * vw) / area, 0, 1), np.clip((uu * vw - uv * uw) / area, 0, 1)
    return np.stack([np.maximum(1 - s - t, 0), s, t], 1)


def _solved(tangent: np.ndarray, normal: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """[N,3] how tangent, bitangent and normal must be weighed to point as `wanted`; z where they lie in a plane."""
    along = tangent[:, :3]
    across = np.sign(tangent[:, 3:]) * np.cross(normal, along)
    dual = np.stack([np.cross(across, normal), np.cross(normal, along), np.cross(along, across)], 1)
    volume = (dual[:, 0] * along).sum(1)
    result = unit(np.einsum("nij,nj->ni", dual, wanted) * np.sign(volume)[:, None])
    result[np.abs(volume) < 1e-6] = (0.0, 0.0, 1.0)
    return result


def _encoded(normals: np.ndarray) -> np.ndarray:
    """[N,3] uint8 of unit vectors: 0 becomes 128, as 127.5 can't be said."""
    return np.clip(np.round(normals * 127.5 + 127.5 + 1e-9), 0, 255).astype(np.uint8)
