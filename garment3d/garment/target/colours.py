"""Colours of a mesh as they would be printed: sRGB at the vertices, from its texture or its vertex colours.

Only the vertices asked for are looked up, so a mesh of millions of triangles costs no more than its light twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ...images import colour_map
from ...texels import linear_to_srgb

if TYPE_CHECKING:
    import trimesh


def colours_at(mesh: trimesh.Trimesh, index: np.ndarray) -> np.ndarray | None:
    """[N,3] float32 sRGB in 0..1 at the vertices [N]; None where the mesh has neither texture nor colours of its own.

    UV outside 0..1 wraps, as everywhere a texture is drawn. Vertex colours are linear, as glTF has them.
    """
    fine = mesh.vertex_attributes.get("linear_rgb")
    image, uv = _texture(mesh)
    if image is not None and uv is not None:
        return _texels(image, uv[index])
    if fine is not None and len(fine) == len(mesh.vertices):
        return _printed(np.asarray(fine, np.float32)[index, :3])
    if getattr(mesh.visual, "kind", None) in ("vertex", "face"):
        own = np.asarray(getattr(mesh.visual, "vertex_colors", None))
        return _printed(own[index, :3].astype(np.float32) / 255)
    return None


def _printed(linear: np.ndarray) -> np.ndarray:
    return linear_to_srgb(torch.from_numpy(np.clip(np.nan_to_num(linear), 0, 1))).numpy()


def _texture(mesh: trimesh.Trimesh) -> tuple[np.ndarray | None, np.ndarray | None]:
    """[H,W,3] uint8 texture and [V,2] uv with the origin at the bottom left, or None and None."""
    uv = getattr(mesh.visual, "uv", None)
    image = colour_map(mesh.visual)
    if uv is None or image is None or len(uv) != len(mesh.vertices):
        return None, None
    return np.asarray(image.convert("RGB")), np.asarray(uv, np.float64)[:, :2]


def _texels(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """[N,3] float32 in 0..1, the nearest texel of each wrapped uv; NaN counts as 0."""
    wrapped = np.nan_to_num(uv, posinf=0, neginf=0)
    wrapped = np.where((wrapped < 0) | (wrapped > 1), wrapped - np.floor(wrapped), wrapped)
    height, width = image.shape[:2]
    column = np.clip((wrapped[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - wrapped[:, 1]) * height).astype(int), 0, height - 1)
    return image[row, column].astype(np.float32) / 255
