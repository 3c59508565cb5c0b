"""Where a saved garment goes on disk and what it is called; the library makes the bytes.

ComfyUI numbers files by their prefix, so every file of one garment starts with the same number.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import folder_paths
import numpy as np

from ..garment3d.data import Opening, Views
from ..garment3d.errors import SaveError
from .sockets import AS_IT_IS

if TYPE_CHECKING:
    import trimesh

    from ..garment3d.export.mesh import File, Placement
    from ..garment3d.garment.platforms import Platform
    from .jobs import ReportJob
    from .report import Judged


class Saved(NamedTuple):
    """A garment on disk."""

    name: str
    """Of its GLB, inside the folder."""
    to_file: np.ndarray
    """[4,4] from the canonical frame to the file's metres."""
    told: str
    """How it keeps within the platform's budget; empty without a platform."""


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
    platform: str
    """One of the platforms, or as it is."""
    metadata: Mapping[str, str]
    """What ComfyUI writes into its files, so that one dropped onto the canvas brings its workflow back."""


class Sized(NamedTuple):
    """What a garment is and how long it is in the files."""

    openings: tuple[Opening, ...]
    """From the top down."""
    garment_class: str
    length_cm: float


def sized(mesh: trimesh.Trimesh | None, garment_class: str, length_cm: float) -> Sized:
    """The garment's openings, its class where that is auto, its usual length where that is 0; 70 cm without a mesh."""
    from ..garment3d.export.mesh import class_length_cm
    from ..garment3d.garment.openings import openings

    if mesh is None:
        return Sized((), "", length_cm or class_length_cm(""))
    found = tuple(sorted(openings(mesh), key=lambda o: -o.anchor[1]))
    kind = likely_class(mesh, {o.name for o in found}) if garment_class == "auto" else garment_class
    return Sized(found, kind, length_cm or class_length_cm(kind))


def save_garment(
    mesh: trimesh.Trimesh, place: SavePlace, index: int, wanted: Wanted, levels: Sequence[trimesh.Trimesh] = ()
) -> Saved:
    """Writes one garment in all formats, its lighter levels beside it; a SaveError leaves nothing of it."""
    from ..garment3d.export.mesh import File, placement
    from ..garment3d.garment.platforms import budget_check, platform

    size = sized(mesh, wanted.garment_class, wanted.length_cm)
    row = None if wanted.platform == AS_IT_IS else platform(wanted.platform)
    stance = () if row is None else (row.facing, row.origin)
    at = placement(np.asarray(mesh.vertices), size.length_cm, *stance)
    stem = place.stem(index)
    if row is None:
        files = _plain_files(mesh, levels, wanted.formats, size, stem, at)
    else:
        others = [name for name in wanted.formats if name not in row.formats]
        files = _platform_files(mesh, levels, row, size, stem) + _plain_files(mesh, (), others, size, stem, at)
    told = wanted.metadata
    write_all(place.folder, [File(n, with_metadata(d, told) if n.endswith(".glb") else d) for n, d in files])
    return Saved(f"{stem}.glb", at.matrix(), "" if row is None else budget_check(mesh, row).told)


def _plain_files(
    mesh: trimesh.Trimesh,
    levels: Sequence[trimesh.Trimesh],
    formats: Sequence[str],
    size: Sized,
    stem: str,
    at: Placement,
) -> list[File]:
    """The garment in these formats, and its levels as GLBs that stand where it does."""
    from ..garment3d.export.mesh import mesh_files

    found, kind, length_cm = size
    made = list(mesh_files(mesh, found, length_cm, formats, kind, stem, at=at))
    for number, level in enumerate(levels, 1):
        made += mesh_files(level, found, length_cm, ("glb",), kind, f"{stem}LOD{number}", at=at)
    return made


def _platform_files(
    mesh: trimesh.Trimesh, levels: Sequence[trimesh.Trimesh], row: Platform, size: Sized, stem: str
) -> list[File]:
    """The files that a platform wants of a garment as it is; the stem's own underscore divides a level's name."""
    from ..garment3d.export.platform import platform_files
    from ..garment3d.garment.platforms import budget_check
    from ..garment3d.garment.prepare import PreparedGarment

    found, kind, length_cm = size
    ready = PreparedGarment(mesh, tuple(levels), row, budget_check(mesh, row), ())
    made = platform_files(ready, found, length_cm, kind, stem)
    return [file._replace(name=file.name.replace(f"{stem}_LOD", f"{stem}LOD")) for file in made]


def write_all(folder: Path, files: Sequence[File]) -> None:
    """Writes new files, names with / for folders; where one fails those before it are taken away again."""
    from ..garment3d.images import replace_file

    made: list[Path] = []
    try:
        for name, data in files:
            replace_file(folder / name, data)
            made.append(folder / name)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def save_folder(place: SavePlace, files: Sequence[File]) -> Path:
    """The folder of all files, new under the place's number; a SaveError leaves nothing of it."""
    folder = place.folder / f"{place.prefix}_{place.counter:05}"
    room = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        for name, data in files:
            (room / name).parent.mkdir(parents=True, exist_ok=True)
            (room / name).write_bytes(data)
        room.rename(folder)
    except OSError as error:
        raise SaveError(
            f"{folder} was not saved ({error.strerror}): choose another folder or free some space."
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return folder


def save_reports(place: SavePlace, todo: Sequence[ReportJob], done: Sequence[Judged]) -> None:
    """Writes one page per garment, with the picture and the JSON beside it; a SaveError leaves none of them."""
    from ..garment3d.export.mesh import File
    from ..garment3d.export.quality_json import quality_json
    from ..garment3d.export.quality_page import quality_html
    from ..garment3d.images import png_bytes

    files: list[File] = []
    for index, (job, (quality, budgets, card)) in enumerate(zip(todo, done, strict=True)):
        stem = place.stem(index)
        files.append(File(f"{stem}.png", png_bytes(card)))
        files.append(File(f"{stem}.json", quality_json(quality, budgets).encode()))
        files.append(File(f"{stem}.html", quality_html(*job, quality, budgets).encode()))
    write_all(place.folder, files)


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
    from ..garment3d.export.mesh import File
    from ..garment3d.export.stills import cutouts
    from ..garment3d.images import png_bytes

    names = view_names(views.orbit.azimuths_deg)
    files = [File(n, png_bytes(pixels)) for n, pixels in zip(names, cutouts(over_white(views)), strict=True)]
    text = cameras_json(views.orbit, names, None, to_file, views.seeds)
    write_all(place.folder / f"{place.stem(0)}views", [*files, File("cameras.json", text.encode())])


def over_white(views: Views) -> Views:
    """The same views on white, from whatever plain colour they stand on; any other background stays in soft edges."""
    alpha = views.masks[..., None]
    outside = views.images[views.masks == 0]
    plain = len(outside) > 0 and float((outside.amax(0) - outside.amin(0)).max()) < 1 / 255
    rgb = views.images + (1 - alpha) * (1 - outside[0]) if plain else views.images * alpha + 1 - alpha
    return dataclasses.replace(views, images=rgb.clamp(0, 1))


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
