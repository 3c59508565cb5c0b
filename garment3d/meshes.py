"""Mesh files read as one trimesh: GLB, glTF, OBJ, PLY and STL, with texture or vertex colours where they have them.

Whatever a file holds several of (nodes, parts, materials) becomes one; colours become linear, as everywhere inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from .errors import MeshError
from .images import colour_map
from .texels import srgb_to_linear

if TYPE_CHECKING:
    import trimesh

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
SRGB_COLOURS = (".obj", ".ply")
"""Formats whose vertex colours are sRGB by custom; glTF's are linear by its specification."""


class MeshFile(NamedTuple):
    """What a mesh file holds."""

    mesh: trimesh.Trimesh
    """In the file's own frame and unit; uv and texture, or vertex colours in linear light, where it has them."""
    warnings: tuple[str, ...]
    """Sentences for the person."""


def read_mesh(path: str | Path) -> MeshFile:
    """The MeshFile at `path`; one sentence as MeshError where there is none, or no triangle in it that can be used."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise MeshError(f"{path.name} is no mesh file that can be read: give one of {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise MeshError(f"There is no file {path}: check the name of the mesh.")
    parts = _parts(path)
    if not parts:
        raise MeshError(f"{path.name} holds no triangles: export the model as a mesh, not as points or lines.")
    _check_corners(parts, path.name)
    pictured = any(_kind(part) == "texture" and colour_map(part.visual) is not None for part in parts)
    mesh = _joined([_in_linear_light(part, path.suffix.lower(), pictured) for part in parts])
    if path.suffix.lower() == ".stl":  # which knows no vertices, only corners
        mesh.merge_vertices()
    broken = int((~np.isfinite(mesh.vertices)).any(1).sum())
    if broken:
        raise MeshError(f"{broken} of {len(mesh.vertices)} vertices in {path.name} are not finite: export it again.")
    return MeshFile(mesh, _warnings(mesh, len(parts), path.name))


def _parts(path: Path) -> list[trimesh.Trimesh]:
    """Every piece of triangles in the file, each where its nodes put it."""
    import trimesh

    try:
        scene = trimesh.load_scene(path, process=False)
        pieces = scene.dump(concatenate=False)
    except Exception as error:  # whatever the reader of that format stumbles over
        raise MeshError(
            f"{path.name} can't be read as {path.suffix[1:].upper()} ({_short(error)}): export the model again."
        ) from error
    return [piece for piece in pieces if isinstance(piece, trimesh.Trimesh) and len(piece.faces)]


def _check_corners(parts: list[trimesh.Trimesh], name: str) -> None:
    """Raises MeshError where a triangle names a vertex that is not there; not every reader looks."""
    for part in parts:
        wrong = part.faces[(part.faces < 0) | (part.faces >= len(part.vertices))]
        if len(wrong):
            raise MeshError(
                f"A triangle in {name} names vertex {wrong[0]}, but there are {len(part.vertices)}: export it again."
            )


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0][:120] if lines else "") or type(error).__name__


def _joined(parts: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    """One mesh of all parts, several textures laid into one picture; where some have none, colours at the vertices."""
    import trimesh

    if len(parts) == 1:
        return parts[0]
    pictures = [_kind(part) == "texture" for part in parts]
    if any(pictures) and not all(pictures):
        parts = [_coloured(part) for part in parts]
    joined: Any = trimesh.util.concatenate(parts)
    return joined


def _kind(part: trimesh.Trimesh) -> str | None:
    """texture, vertex, face, or None for a bare part."""
    return getattr(part.visual, "kind", None)


def _coloured(part: trimesh.Trimesh) -> trimesh.Trimesh:
    """The part with its texture read at the vertices; a part without any colour is white."""
    from trimesh.visual import ColorVisuals

    visual: Any = part.visual
    rgba = np.full((len(part.vertices), 4), 255, np.uint8)
    if visual.kind == "texture":
        rgba = _linear_bytes(np.asarray(visual.to_color().vertex_colors))
    elif visual.kind is not None:
        rgba = np.asarray(visual.vertex_colors)
    bare = part.copy(include_visual=False)
    bare.visual = ColorVisuals(bare, vertex_colors=rgba)
    return bare


def _linear_bytes(rgba: np.ndarray) -> np.ndarray:
    """[N,4] uint8 of linear light from sRGB."""
    return np.concatenate([np.round(255 * _linear(rgba[:, :3])), rgba[:, 3:]], 1).astype(np.uint8)


def _linear(srgb: np.ndarray) -> np.ndarray:
    """[...] float32 linear light in 0..1 of sRGB bytes."""
    return srgb_to_linear(torch.from_numpy(srgb.astype(np.float32) / 255)).numpy()


def _in_linear_light(mesh: trimesh.Trimesh, suffix: str, pictured: bool) -> trimesh.Trimesh:
    """The mesh with vertex colours that are linear; a material without picture becomes the colour of every vertex.

    An OBJ's plain material stays one where other parts are `pictured`: all of them then share one picture.
    """
    from trimesh.visual import ColorVisuals

    visual: Any = mesh.visual
    if visual.kind == "texture":
        plain = None if colour_map(visual) is not None else _plain(visual.material, pictured)
        if plain is not None:
            mesh.visual = ColorVisuals(mesh, vertex_colors=np.tile(plain, (len(mesh.vertices), 1)))
        return mesh
    if visual.kind is not None and suffix in SRGB_COLOURS:
        rgba = np.asarray(visual.vertex_colors)
        mesh.visual = ColorVisuals(mesh, vertex_colors=_linear_bytes(rgba))
        mesh.vertex_attributes["linear_rgb"] = _linear(rgba[:, :3])  # eight bits are too few for dark cloth
    return mesh


def _plain(material: Any, pictured: bool) -> np.ndarray | None:
    """[4] uint8 colour of a material in linear light; None where its file names none."""
    if getattr(material, "baseColorFactor", None) is not None:
        return material.main_color
    if not pictured and "kd" in (getattr(material, "kwargs", None) or {}):
        return _linear_bytes(np.asarray(material.main_color)[None])[0]
    return None


def _warnings(mesh: trimesh.Trimesh, parts: int, name: str) -> tuple[str, ...]:
    told = [f"{name} has {parts} parts, joined into one mesh."] if parts > 1 else []
    uv = getattr(mesh.visual, "uv", None)
    if uv is not None and len(uv) and (np.min(uv) < -1e-4 or np.max(uv) > 1 + 1e-4):
        told.append(f"The uvs of {name} leave the picture, which repeats there; a new texture needs new uvs.")
    return tuple(told)
