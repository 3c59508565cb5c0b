"""The textured garment as GLB, OBJ, PLY and STL files, in metres and standing on the floor or around the origin.

The canonical frame of `camera.py` is scaled here, once, so that every file format says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data import Opening
from ..errors import MeshError
from ..garment.platforms import Facing, Origin
from ..images import jpg_bytes, png_bytes
from .gltf import Maps, glb_bytes
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
    """How canonical points stand in a file: metres = scale · canonical + offset, turned first where the front is -Z.

    The origin is the middle of the garment's bounding box in X and Z, and in Y its lowest point or its middle.
    """

    scale: float
    """Metres per canonical unit."""
    offset_m: tuple[float, float, float]
    facing: Facing = "+Z"
    """Where the front looks; -Z turns by 180° about +Y."""
    origin: Origin = "floor"

    @property
    def turned(self) -> bool:
        """Whether x and z change their signs."""
        return self.facing == "-Z"

    @property
    def frame(self) -> str:
        """The file's frame in words."""
        lowest = "lowest point in Y" if self.origin == "floor" else "its middle in Y too"
        return (
            f"metres, right-handed, +Y up, front {self.facing}; origin: middle of the bounding box in X and Z, {lowest}"
        )

    def points(self, canonical: np.ndarray) -> np.ndarray:
        """[...,3] metres of [...,3] canonical points."""
        return np.asarray(canonical) * self._scales() + np.asarray(self.offset_m)

    def matrix(self) -> np.ndarray:
        """[4,4] from the canonical frame to the file's."""
        matrix = np.diag([*self._scales(), 1.0])
        matrix[:3, 3] = self.offset_m
        return matrix

    def _scales(self) -> np.ndarray:
        return self.scale * np.array([-1.0, 1.0, -1.0] if self.turned else [1.0, 1.0, 1.0])


def class_length_cm(garment_class: str) -> float:
    """Usual length of a class in centimetres; 70 for a class that is not in CLASS_LENGTH_CM."""
    return CLASS_LENGTH_CM.get(garment_class, 70.0)


def placement(vertices: np.ndarray, length_cm: float, facing: Facing = "+Z", origin: Origin = "floor") -> Placement:
    """Puts canonical [N,3] vertices on the floor at `length_cm` from top to bottom; a flat sheet raises MeshError."""
    if not len(vertices) or not np.isfinite(vertices).all():
        raise MeshError(f"The mesh has {len(vertices)} vertices, some of them not finite; it can't be saved.")
    low, high = vertices.min(0), vertices.max(0)
    height = high[1] - low[1]
    if height <= 0 or not 0 < length_cm < 100_000:
        raise MeshError(f"A garment {height:.3g} high can't be scaled to {length_cm:g} cm; give a length above 0.")
    scale = float(length_cm / 100 / height)
    middle = (low + high) / 2
    fixed = (middle[0], low[1] if origin == "floor" else middle[1], middle[2])
    at = Placement(scale, (0.0, 0.0, 0.0), facing, origin)
    x, y, z = (0.0 - at.points(np.array(fixed))).tolist()
    return at._replace(offset_m=(x, y, z))


def mesh_files(
    mesh: trimesh.Trimesh,
    openings: Sequence[Opening] = (),
    length_cm: float = 70.0,
    formats: Sequence[str] = ("glb", "obj"),
    garment_class: str = "",
    name: str = "garment",
    jpeg: bool = False,
    at: Placement | None = None,
    extras: Mapping[str, object] = MappingProxyType({}),
) -> tuple[File, ...]:
    """The files of a canonical mesh, ready to be written: `name`.glb, .obj with .mtl and .png, .ply, .stl.

    A normal map in the material goes into the GLB, with tangents, and beside the OBJ. A mesh with no texture is saved
    without one, one with no faces or with infinite vertices raises MeshError.

    Args:
        length_cm: vertical extent of the garment in the files.
        jpeg: embeds the texture as a JPEG of quality 92, smaller and not exact; OBJ's picture is then JPEG too.
        at: how it stands in the file, for a mesh that belongs beside another; None puts it on the floor.
        extras: more to say in the GLB's node, beside class, length, frame and openings.
    """
    unknown = [format for format in formats if format not in FORMATS]
    if unknown:
        raise MeshError(f"Can't save as {', '.join(unknown)}; choose from {', '.join(FORMATS)}.")
    placed = at or placement(np.asarray(mesh.vertices), length_cm)
    solid = parts(mesh, placed.points, placed.turned)
    maps = _maps(solid, jpeg) if {"glb", "obj"} & set(formats) else Maps(None, None)
    files: list[File] = []
    if "glb" in formats:
        said = _extras(openings, placed, garment_class, length_cm) | dict(extras)
        files.append(File(f"{name}.glb", glb_bytes(solid, maps, said)))
    if "obj" in formats:
        files += _obj(solid, maps, name, "jpg" if jpeg else "png", placed)
    if "ply" in formats:
        files.append(File(f"{name}.ply", _ply(solid)))
    if "stl" in formats:
        files.append(File(f"{name}.stl", _stl(solid)))
    return tuple(files)


def _maps(solid: Parts, jpeg: bool) -> Maps:
    """The pictures as files; a normal map is never a JPEG, whose blocks would show as dents."""
    colour = None if solid.pixels is None else jpg_bytes(solid.pixels) if jpeg else png_bytes(solid.pixels)
    return Maps(colour, None if solid.normal_map is None else png_bytes(solid.normal_map))


def _extras(openings: Sequence[Opening], at: Placement, garment_class: str, length_cm: float) -> dict[str, object]:
    """What a GLB's node says of the garment; anchors in the file's frame."""
    anchors = [np.round(at.points(np.asarray(o.anchor)), 6) + 0.0 for o in openings]  # + 0.0 turns −0 into 0
    return {
        "garment_class": garment_class,
        "length_cm": length_cm,
        "frame": at.frame,
        "openings": [{"name": o.name, "anchor": a.tolist()} for o, a in zip(openings, anchors, strict=True)],
    }


def _obj(solid: Parts, maps: Maps, name: str, suffix: str, at: Placement) -> list[File]:
    # trimesh repeats a vertex for each of its uvs, which a modelling program reads as a cut along the side seam;
    # OBJ can index position and uv separately, so the garment stays in one piece.
    corners = solid.welded_faces + 1
    lines = [f"# {name}: metres, +Y up, front {at.facing}", f"mtllib {name}.mtl", f"o {name}"]
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
    if maps.colour is not None:
        material.append(f"map_Kd {name}.{suffix}")
        files.append(File(f"{name}.{suffix}", maps.colour))
    if maps.normal is not None:  # `norm` by the format's physically based extension, map_Bump for older readers
        material += [f"norm {name}_normal.png", f"map_Bump -bm 1 {name}_normal.png"]
        files.append(File(f"{name}_normal.png", maps.normal))
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
