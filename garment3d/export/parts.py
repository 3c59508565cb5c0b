"""A trimesh taken apart into the plain arrays that file formats hold.

UV islands split vertices, so normals and topology come from the mesh welded by position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import MeshError
from ..images import colour_map
from ..normals import Weld, smooth_normals, tangents, weld

if TYPE_CHECKING:
    import trimesh

__all__ = ["Parts", "Weld", "parts", "smooth_normals", "weld"]


class Parts(NamedTuple):
    """What a file holds of a garment."""

    vertices: np.ndarray
    """[N,3] float64 in the file's frame."""
    faces: np.ndarray
    """[F,3] int64, counter-clockwise from outside."""
    normals: np.ndarray
    """[N,3] unit length, smooth across uv seams."""
    uv: np.ndarray | None
    """[N,2] with the origin bottom-left, or None."""
    pixels: np.ndarray | None
    """[S,S,3] uint8 sRGB texture, or None."""
    colours: np.ndarray | None
    """[N,4] float32 linear RGBA in 0..1 at the vertices of a mesh without texture, or None."""
    welded_vertices: np.ndarray
    """[W,3] in the file's frame, one per position."""
    welded_faces: np.ndarray
    """[F,3] into `welded_vertices`, in the order of `faces`."""
    welded_normals: np.ndarray
    """[W,3] unit length."""
    normal_map: np.ndarray | None = None
    """[S,S,3] uint8 tangent-space normals, +Y up the picture, or None."""
    tangents: np.ndarray | None = None
    """[N,4] where there is a normal map: unit tangents and in w the bitangent's sign."""


def parts(mesh: trimesh.Trimesh, place: Callable[[np.ndarray], np.ndarray] = np.asarray, turned: bool = False) -> Parts:
    """The arrays of a canonical mesh with `place` applied to its positions; no faces or NaN raises MeshError.

    Args:
        turned: whether `place` turns by 180° about +Y, which directions follow.
    """
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)
    if not len(faces) or not np.isfinite(vertices).all():
        raise MeshError(f"The mesh has {len(faces)} faces and {len(vertices)} vertices, some of them not finite.")
    one = weld(vertices)
    normals = smooth_normals(vertices[one.first], one.of[faces])
    uv, pixels, colours = _surface(mesh)
    bumps = None if uv is None or pixels is None else _bumps(mesh)
    frame = None if uv is None or bumps is None else tangents(vertices, faces, uv, normals[one.of])
    if turned:
        normals = normals * (-1, 1, -1)
        frame = None if frame is None else frame * (-1, 1, -1, 1)
    placed = place(vertices)
    welded = placed[one.first], one.of[faces], normals
    return Parts(placed, faces, normals[one.of], uv, pixels, colours, *welded, bumps, frame)


def _surface(mesh: trimesh.Trimesh) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """uv, pixels and vertex colours of a mesh, each None where the mesh has none."""
    visual = mesh.visual
    uv = getattr(visual, "uv", None)
    if uv is None:
        coloured = getattr(visual, "kind", None) in ("vertex", "face")
        return None, None, _colours(mesh) if coloured else None
    image = colour_map(visual)
    uv = np.asarray(uv, float)[:, :2]
    return uv, None if image is None else np.asarray(image.convert("RGB")), None


def _bumps(mesh: trimesh.Trimesh) -> np.ndarray | None:
    picture = getattr(getattr(mesh.visual, "material", None), "normalTexture", None)
    return None if picture is None else np.asarray(picture.convert("RGB"))


def _colours(mesh: trimesh.Trimesh) -> np.ndarray:
    """[N,4] float32 linear RGBA of a coloured mesh: trimesh's own bytes, finer where `linear_rgb` holds them too."""
    rgba = np.asarray(getattr(mesh.visual, "vertex_colors", None), np.float32) / 255
    fine = mesh.vertex_attributes.get("linear_rgb")
    if fine is not None and len(fine) == len(rgba):
        rgba[:, :3] = fine
    return rgba
