"""What rides on a mesh, taken along when its faces are cut, doubled or dropped: uv, texture, colours, attributes.

Every new vertex is a point on an edge between two old ones, so all that vertices carry is interpolated the same way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import trimesh
from trimesh.visual import ColorVisuals, TextureVisuals


class Origin(NamedTuple):
    """Where the vertices and faces of a new mesh come from."""

    ends: np.ndarray
    """[N,2] old vertices of the edge that each new vertex lies on; twice the same for an old vertex."""
    share: np.ndarray
    """[N] in 0..1, how far along that edge."""
    face: np.ndarray
    """[M] the old face that each new face is a part of."""


def kept_vertices(vertices: np.ndarray, face: np.ndarray) -> Origin:
    """The Origin of old vertices [N] and faces [M] taken as they are."""
    return Origin(np.stack([vertices, vertices], 1), np.zeros(len(vertices)), face)


def carried(mesh: trimesh.Trimesh, vertices: np.ndarray, faces: np.ndarray, origin: Origin) -> trimesh.Trimesh:
    """A new mesh of [N,3] vertices and [M,3] faces with `mesh`'s material, and its uv, colours and attributes."""
    result = trimesh.Trimesh(vertices, faces, process=False)
    for name, values in mesh.vertex_attributes.items():
        result.vertex_attributes[name] = _between(values, origin)
    visual = mesh.visual
    if isinstance(visual, TextureVisuals):
        uv = None if visual.uv is None else _between(visual.uv, origin)
        result.visual = TextureVisuals(uv=uv, material=visual.material)
    elif visual is not None and visual.kind == "vertex":
        result.visual = ColorVisuals(mesh=result, vertex_colors=_between(visual.vertex_colors, origin))
    elif visual is not None and visual.kind == "face":
        result.visual = ColorVisuals(mesh=result, face_colors=np.asarray(visual.face_colors)[origin.face])
    return result


def _between(values: np.ndarray, origin: Origin) -> np.ndarray:
    """[N,...] values on the edges, in the dtype they had; whole numbers are rounded."""
    values = np.asarray(values)
    share = origin.share.reshape(-1, *[1] * (values.ndim - 1))
    if not origin.share.any():
        return values[origin.ends[:, 0]]
    mixed = values[origin.ends[:, 0]] * (1 - share) + values[origin.ends[:, 1]] * share
    return (np.round(mixed) if values.dtype.kind in "iu" else mixed).astype(values.dtype)
