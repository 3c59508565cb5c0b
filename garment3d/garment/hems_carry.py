"""What rides on a mesh, taken along when its faces are cut, doubled or dropped: uv, texture, colours, attributes.

Every new vertex is a mean of old ones, so all that vertices carry is averaged the same way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import trimesh
from scipy import sparse
from trimesh.visual import ColorVisuals, TextureVisuals


class Origin(NamedTuple):
    """Where the vertices and faces of a new mesh come from."""

    weights: Any
    """[N,V] sparse, rows sum to 1: each new vertex as a mean of old ones."""
    face: np.ndarray
    """[M] the old face that each new face is a part of."""


def kept_vertices(vertices: np.ndarray, count: int, face: np.ndarray) -> Origin:
    """The Origin of old vertices [N] of `count` and old faces [M] taken as they are."""
    rows = np.arange(len(vertices))
    return Origin(sparse.csr_matrix((np.ones(len(rows)), (rows, vertices)), shape=(len(rows), count)), face)


def carried(mesh: trimesh.Trimesh, vertices: np.ndarray, faces: np.ndarray, origin: Origin) -> trimesh.Trimesh:
    """A new mesh of [N,3] vertices and [M,3] faces with `mesh`'s material, and its uv, colours and attributes."""
    result = trimesh.Trimesh(vertices, faces, process=False)
    for name, values in mesh.vertex_attributes.items():
        result.vertex_attributes[name] = _mean(values, origin)
    visual = mesh.visual
    if isinstance(visual, TextureVisuals):
        uv = None if visual.uv is None else _mean(visual.uv, origin)
        result.visual = TextureVisuals(uv=uv, material=visual.material)
    elif visual is not None and visual.kind == "vertex":
        result.visual = ColorVisuals(mesh=result, vertex_colors=_mean(visual.vertex_colors, origin))
    elif visual is not None and visual.kind == "face":
        result.visual = ColorVisuals(mesh=result, face_colors=np.asarray(visual.face_colors)[origin.face])
    return result


def _mean(values: np.ndarray, origin: Origin) -> np.ndarray:
    """[N,...] means in the dtype the values had; whole numbers are rounded."""
    values = np.asarray(values)
    mixed = (origin.weights @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])
    return (np.round(mixed) if values.dtype.kind in "iu" else mixed).astype(values.dtype)
