"""Where a saved garment goes on disk and what it is called; the library makes the bytes.

ComfyUI numbers files by their prefix, so every file of one garment starts with the same number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import folder_paths
import numpy as np
import torch

from ..garment3d.data import Views
from ..garment3d.errors import SaveError

if TYPE_CHECKING:
    import trimesh


class Saved(NamedTuple):
    """A garment on disk."""

    name: str
    """Of its GLB, inside the folder."""
    to_file: np.ndarray
    """[4,4] from the canonical frame to the file's metres."""


class SavePlace(NamedTuple):
    """Where files go: a folder inside the output folder, and how their names start."""

    folder: Path
    subfolder: str
    prefix: str
    counter: int

    def stem(self, index: int) -> str:
        return f"{self.prefix}_{self.counter + index:05}_"


def save_place(filename_prefix: str) -> SavePlace:
    """The first free number for a prefix such as 3d/garment; one that leaves the output folder is a SaveError."""
    root = folder_paths.get_output_directory()
    inside = folder_paths.is_within_directory(root, os.path.join(root, os.path.dirname(filename_prefix)))
    if not inside or not os.path.basename(os.path.normpath(filename_prefix)).strip("."):
        raise SaveError(f"{filename_prefix!r} names no place in the output folder: write one such as 3d/garment.")
    try:
        folder, prefix, counter, subfolder, _ = folder_paths.get_save_image_path(filename_prefix, root)
    except OSError as error:
        raise SaveError(f"{filename_prefix!r} can't be saved to ({error.strerror}): choose another folder.") from None
    return SavePlace(Path(folder), subfolder, prefix, counter)


class Wanted(NamedTuple):
    """What a person asked for."""

    formats: Sequence[str]
    garment_class: str
    """One of the classes, or auto for the likely one."""
    length_cm: float
    """0 for the usual one of the class."""
    metadata: Mapping[str, str]
    """What ComfyUI writes into its files, so that one dropped onto the canvas brings its workflow back."""


def save_garment(mesh: trimesh.Trimesh, place: SavePlace, index: int, wanted: Wanted) -> Saved:
    """Writes one garment in all formats; a SaveError leaves what was there."""
    from ..garment3d.export.mesh import class_length_cm, mesh_files, placement
    from ..garment3d.garment.openings import openings
    from ..garment3d.images import replace_file

    found = sorted(openings(mesh), key=lambda o: -o.anchor[1])
    kind = likely_class(mesh, {o.name for o in found}) if wanted.garment_class == "auto" else wanted.garment_class
    length_cm = wanted.length_cm or class_length_cm(kind)
    files = mesh_files(mesh, found, length_cm, wanted.formats, kind, place.stem(index))
    for file in files:
        data = with_metadata(file.data, wanted.metadata) if file.name.endswith(".glb") else file.data
        replace_file(place.folder / file.name, data)
    return Saved(files[0].name, placement(np.asarray(mesh.vertices), length_cm).matrix())


def with_metadata(glb: bytes, metadata: Mapping[str, str]) -> bytes:
    """The same GLB file with `metadata` in asset.extras, where ComfyUI's own Save 3D Model keeps it."""
    end = 20 + int.from_bytes(glb[12:16], "little")
    tree = json.loads(glb[20:end])
    tree["asset"]["extras"] = dict(metadata)
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = len(text).to_bytes(4, "little") + b"JSON" + text + glb[end:]
    return glb[:8] + (12 + len(body)).to_bytes(4, "little") + body


def save_views(views: Views, place: SavePlace, to_file: np.ndarray) -> None:
    """Writes the pictures as cut-outs, and cameras.json, into a folder beside the first garment."""
    from ..garment3d.export.cameras import cameras_json, view_names
    from ..garment3d.images import replace_file, save_png

    folder = place.folder / f"{place.stem(0)}views"
    names = view_names(views.orbit.azimuths_deg)
    for name, pixels in zip(names, _cutouts(views), strict=True):
        save_png(folder / name, pixels)
    replace_file(folder / "cameras.json", cameras_json(views.orbit, names, None, to_file).encode())


def _cutouts(views: Views) -> np.ndarray:
    """[V,H,W,4] uint8; a plain background is taken out of the soft edges, any other stays in them."""
    from ..garment3d.export.stills import cutouts
    from ..garment3d.images import to_uint8

    outside = views.images[views.masks == 0]
    if len(outside) and float((outside.amax(0) - outside.amin(0)).max()) < 1 / 255:
        return cutouts(views, tuple(outside[0].tolist()))
    return to_uint8(torch.cat([views.images, views.masks[..., None]], -1).numpy())


def likely_class(mesh: trimesh.Trimesh, names: set[str]) -> str:
    """The class that openings and proportions suggest; enough to choose a usual length."""
    if "leg_l" in names or "leg_r" in names:
        return "trousers"
    if "neck" not in names:
        return "skirt"
    height = np.ptp(mesh.vertices[:, 1])
    waist = np.abs(mesh.vertices[:, 1] - mesh.bounds[0, 1] - 0.45 * height) < 0.05 * height
    if waist.any() and height > 2.3 * np.ptp(mesh.vertices[waist, 0]):
        return "dress"
    return "tee" if names & {"cuff_l", "cuff_r"} else "top"
