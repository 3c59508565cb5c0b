"""Mesh files below ComfyUI's input folder, by the names that its menus and uploads give them.

A name such as 3d/x.glb [output] means the output folder, as everywhere in ComfyUI; none may leave its folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ..garment3d.errors import MeshError
from ..garment3d.meshes import SUFFIXES


def names() -> list[str]:
    """Every mesh file below the input folder, subfolders included, with forward slashes."""
    root = Path(folder_paths.get_input_directory())
    found = (Path(folder) / file for folder, _, files in os.walk(root) for file in files)
    return sorted(p.relative_to(root).as_posix() for p in found if p.suffix.lower() in SUFFIXES)


def complaint(name: str | None) -> bool | str:
    """True for a mesh file that is there; else one sentence. A linked name, None, is looked at when it runs."""
    if name is None:
        return True
    if not name:
        return "No mesh file is chosen: put a GLB, glTF, OBJ, PLY or STL file into the input folder, or upload one."
    try:
        found = Path(folder_paths.get_annotated_filepath(name))
    except ValueError:
        return f"{name!r} lies outside ComfyUI's folders: put the mesh into the input folder."
    if found.suffix.lower() not in SUFFIXES:
        return f"{name!r} is no mesh file that can be read: choose one of {', '.join(SUFFIXES)}."
    if not found.is_file():
        return f"There is no file {name!r} in the input folder: upload it, or put it there and refresh."
    return True


def path(name: str) -> Path:
    """The file of a menu entry; a MeshError says what is wrong with it."""
    said = complaint(name)
    if said is not True:
        raise MeshError(str(said))
    return Path(folder_paths.get_annotated_filepath(name))


def fingerprint(name: str) -> str:
    """Changes when the file does; the name alone where there is none."""
    if complaint(name) is not True:
        return name
    state = path(name).stat()
    return f"{name} {state.st_mtime_ns}:{state.st_size}"
