"""The textured garment as GLB, OBJ, PLY and STL files, in metres and standing on the floor.

The canonical frame of `camera.py` is scaled here, once, so that every file format says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data import Opening
from ..errors import MeshError
from ..images import jpg_bytes, png_bytes
from .gltf import glb_bytes
from .parts import Parts, parts

if TYPE_CHECKING:
    import trimesh

FORMATS = ("glb", "obj", "ply", "stl")

CLASS_LENGTH_CM: Mapping[str, float] = MappingProxyType(
    {"tee": 70.0, "longsleeve": 70.0, "top": 60.0, "dress": 110.0, "skirt": 60.0, "trousers": 105.0}
)
"""Vertical extent of a garment of each class when nobody gives it."""


class File(NamedTuple):
    """One file of an export, not yet written."""

    name: str
    data: bytes


class Placement(NamedTuple):
    """How canonical points stand in a file: metres = scale · canonical + offset, axes unchanged.

    The origin is the middle of the garment's bounding box in X and Z, and its lowest point in Y.
    """

    scale: float
    """Metres per canonical unit."""
    offset_m: tuple[float, float, float]

    def points(self, canonical: np.ndarray) -> np.ndarray:
        """[...,3] metres of [...,3] canonical points."""
        return np.asarray(canonical) * self.scale + np.asarray(self.offset_m)

    def matrix(self) -> np.ndarray:
        """[4,4] from the canonical frame to the file's."""
        matrix = np.diag([self.scale, self.scale, self.scale, 1.0])
        matrix[:3, 3] = self.offset_m
        return matrix


def class_length_cm(garment_class: str) -> float:
    """Usual length of a class in centimetres; 70 for a class that is not in CLASS_LENGTH_CM."""
    return CLASS_LENGTH_CM.get(garment_class, 70.0)


def placement(vertices: np.ndarray, length_cm: float) -> Placement:
    """Puts canonical [N,3] vertices on the floor at `length_cm` from top to bottom; a flat sheet raises MeshError."""
    if not len(vertices) or not np.isfinite(vertices).all():
        raise MeshError(f"The mesh has {len(vertices)} vertices, some of them not finite; it can't be saved.")
    low, high = vertices.min(0), vertices.max(0)
    height = high[1] - low[1]
    if height <= 0 or not 0 < length_cm < 100_000:
        raise MeshError(f"A garment {height:.3g} high can't be scaled to {length_cm:g} cm; give a length above 0.")
    scale = length_cm / 100 / height
    middle = (low + high) / 2
    return Placement(float(scale), (float(-middle[0] * scale), float(-low[1] * scale), float(-middle[2] * scale)))


def mesh_files(
    mesh: trimesh.Trimesh,
    openings: Sequence[Opening] = (),
    length_cm: float = 70.0,
    formats: Sequence[str] = ("glb", "obj"),
    garment_class: str = "",
    name: str = "garment",
    jpeg: bool = False,
    at: Placement | None = None,
) -> tuple[File, ...]:
    """The files of a canonical mesh, ready to be written: `name`.glb, .obj with .mtl and .png, .ply, .stl.

    A mesh with no texture is saved without one, one with no faces or with infinite vertices raises MeshError.

    Args:
        length_cm: vertical extent of the garment in the files.
        jpeg: embeds the texture as a JPEG of quality 92, smaller and not exact; OBJ's picture is then JPEG too.
        at: how it stands in the file, for a mesh that belongs beside another; None puts it on the floor.
    """
    unknown = [format for format in formats if format not in FORMATS]
    if unknown:
        raise MeshError(f"Can't save as {', '.join(unknown)}; choose from {', '.join(FORMATS)}.")
    placed = at or placement(np.asarray(mesh.vertices), length_cm)
    solid = parts(mesh, placed.points)
    texture = None
    if solid.pixels is not None and ({"glb", "obj"} & set(formats)):
        texture = jpg_bytes(solid.pixels) if jpeg else png_bytes(solid.pixels)
    files: list[File] = []
    if "glb" in formats:
        anchors = [Opening(o.name, tuple(placed.points(np.asarray(o.anchor)).tolist())) for o in openings]
        files.append(File(f"{name}.glb", glb_bytes(solid, texture, anchors, garment_class, length_cm)))
    if "obj" in formats:
        files += _obj(solid, texture, name, "jpg" if jpeg else "png")
    if "ply" in formats:
        files.append(File(f"{name}.ply", _ply(solid)))
    if "stl" in formats:
        files.append(File(f"{name}.stl", _stl(solid)))
    return tuple(files)


def _obj(solid: Parts, texture: bytes | None, name: str, suffix: str) -> list[File]:
    # trimesh repeats a vertex for each of its uvs, which a modelling program reads as a cut along the side seam;
    # OBJ can index position and uv separately, so the garment stays in one piece.
    corners = solid.welded_faces + 1
    lines = [f"# {name}: metres, +Y up, front +Z", f"mtllib {name}.mtl", f"o {name}"]
    lines += _rows("v", solid.welded_vertices, 7)
    columns = [corners, corners]
    if solid.uv is not None:
        lines += _rows("vt", solid.uv, 6)
        columns.insert(1, solid.faces + 1)
    lines += _rows("vn", solid.welded_normals, 4)
    lines.append(f"usemtl {name}")
    form = "f " + " ".join([("%d/%d/%d" if solid.uv is not None else "%d//%d")] * 3)
    flat = np.stack(columns, -1).reshape(len(corners), -1)
    lines += [form % tuple(row) for row in flat.tolist()]
    material = [f"newmtl {name}", "Ka 1 1 1", "Kd 1 1 1", "Ks 0 0 0", "d 1", "illum 1"]
    files = [File(f"{name}.obj", ("\n".join(lines) + "\n").encode())]
    if texture is not None:
        material.append(f"map_Kd {name}.{suffix}")
        files.append(File(f"{name}.{suffix}", texture))
    files.insert(1, File(f"{name}.mtl", ("\n".join(material) + "\n").encode()))
    return files


def _rows(keyword: str, values: np.ndarray, digits: int) -> list[str]:
    form = f"{keyword} " + " ".join([f"%.{digits}f"] * values.shape[1])
    return [form % tuple(row) for row in values.tolist()]


def _ply(solid: Parts) -> bytes:
    import trimesh
    from PIL import Image
    from trimesh.exchange.ply import export_ply
    from trimesh.visual.color import ColorVisuals, uv_to_interpolated_color

    mesh = trimesh.Trimesh(solid.vertices, solid.faces, vertex_normals=solid.normals, process=False)
    if solid.uv is not None and solid.pixels is not None:
        # PLY knows no texture: its vertices carry the picture's colours instead.
        colours = uv_to_interpolated_color(solid.uv, Image.fromarray(solid.pixels))
        mesh.visual = ColorVisuals(mesh, vertex_colors=colours)
    elif solid.colours is not None:
        mesh.visual = ColorVisuals(mesh, vertex_colors=_bytes(solid.colours))
    return export_ply(mesh, vertex_normal=True)


def _bytes(colours: np.ndarray) -> np.ndarray:
    return np.round(colours * 255).astype(np.uint8)


def _stl(solid: Parts) -> bytes:
    import trimesh
    from trimesh.exchange.stl import export_stl

    return export_stl(trimesh.Trimesh(solid.vertices, solid.faces, process=False))
