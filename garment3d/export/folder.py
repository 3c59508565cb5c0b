"""A folder of results that changes as a whole: it is filled out of sight and moved into place when all is there.

A failed or stopped run leaves the folder as it was; a person's own files in it are never touched.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import SaveError

OURS = (
    "mask.png",
    "views",
    "cameras.json",
    "turntable.mp4",
    *(f"garment.{suffix}" for suffix in ("glb", "obj", "mtl", "png", "jpg", "ply", "stl")),
    "surface.glb",
    "sources.png",
    "platforms",
    "dataset",
    "blender",
    "report.json",
    "report.html",
)
"""Everything a run may write, in the order it is moved into place: the report last, so it never describes old files."""


@contextmanager
def staged(folder: str | Path) -> Iterator[Path]:
    """An empty folder beside `folder` to write OURS into; at the end they replace the ones of an earlier run.

    What the disk refuses raises SaveError; then, and after any other exception, `folder` is as it was.
    """
    folder = Path(folder)
    room = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    made: list[Path] = []
    done = False
    try:
        made = _make(folder)
        room.mkdir()
        yield room
        _swap(room, folder)
        done = True
    except (OSError, SaveError) as error:
        refused = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(refused, OSError):
            raise
        # The person knows nothing of the room: name the folder.
        raise SaveError(f"{folder} was not saved: {_reason(folder, refused)}") from refused
    finally:
        shutil.rmtree(room, ignore_errors=True)
        for empty in [] if done else made:
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()


def unique_names(stems: Sequence[str]) -> tuple[str, ...]:
    """One folder name per stem: a stem seen before gets -2, -3, …; case is ignored, as some disks ignore it."""
    used: set[str] = set()
    names: list[str] = []
    for stem in stems:
        name, count = stem, 1
        while name.casefold() in used or (count > 1 and name.casefold() in {s.casefold() for s in stems}):
            count += 1
            name = f"{stem}-{count}"
        used.add(name.casefold())
        names.append(name)
    return tuple(names)


def _make(folder: Path) -> list[Path]:
    """Makes the folder and gives those made, deepest first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _swap(room: Path, folder: Path) -> None:
    """Moves OURS from the room into the folder; an earlier run's go to the room and are deleted with it."""
    old = room / "old"
    old.mkdir()
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        os.replace(source, target)
        moved.append((source, target))

    try:
        for name in reversed(OURS):
            if (folder / name).exists():
                move(folder / name, old / name)
        for name in OURS:
            if (room / name).exists():
                move(room / name, folder / name)
    except BaseException:
        for source, target in reversed(moved):
            os.replace(target, source)
        raise


def _reason(folder: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full; free some space or choose another folder."
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        file = next((place for place in (folder, *folder.parents) if place.is_file()), folder)
        return f"{file} is a file where a folder is needed; choose another folder."
    return f"{error.strerror or error}."
