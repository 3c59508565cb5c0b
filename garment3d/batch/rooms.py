"""What is left of runs that were killed: half-written folders beside the results, finished or thrown away.

`export.folder.staged` fills such a room and moves its files into place at the end; a kill can fall anywhere in that.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..export.folder import OURS
from .journal import Entry

CLOCK_S = 2.0
"""Disks keep times this coarsely."""
_PARTIAL = re.compile(r"\.(batch|index|.*\.photo|.*\.garment|.*\.turn)\.[0-9a-f]{8}\.(csv|html|webp)")


class Found(NamedTuple):
    """A whole result on disk."""

    digest: str
    """SHA-256 of its report.json."""
    report: Mapping[str, Any]


def result_in(folder: Path) -> Found | None:
    """The result that a folder holds, or None where its report or any file named there is missing or empty."""
    try:
        data = (folder / "report.json").read_bytes()
        report = json.loads(data)
        files = [folder / str(name) for name in report["files"]]
        if not all(path.stat().st_size for path in files):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Found(hashlib.sha256(data).hexdigest(), report)


def recover(output: Path, starts: Mapping[str, Sequence[Entry]]) -> None:
    """Finishes or removes what killed runs left in the output folder; only call it where no worker is alive."""
    for entries in starts.values():
        recover_one(output, entries[0])
    for place in (output, output / "thumbs"):
        for path in place.glob(".*") if place.is_dir() else ():
            if _PARTIAL.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def recover_one(output: Path, first: Entry) -> None:
    """Finishes or removes the rooms of one photo that nobody works on; `first` is its first start that did not end.

    A room is ours if a photo was started under its name, it is not older than that, and holds nothing but our files.
    """
    for room in output.glob(f".{glob.escape(first.folder)}.????????"):
        if _is_ours(room, first):
            _finish_swap(room, output / first.folder)
            shutil.rmtree(room, ignore_errors=True)


def sync(folder: Path, files: Iterable[str]) -> None:
    """Waits until the files and their names are on the disk, where a power cut no longer reaches them."""
    paths = [folder / name for name in files]
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    if os.name != "posix":  # Windows opens no folders
        return
    for place in sorted({folder, folder.parent, *(path.parent for path in paths)}):
        handle = os.open(place, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def _is_ours(room: Path, started: Entry) -> bool:
    if not room.is_dir() or not re.fullmatch(r"[0-9a-f]{8}", room.name[-8:]):
        return False
    inside = [path.name for path in room.iterdir()]
    partial = re.compile(r"\..*\.[0-9a-f]{8}(\.\w+)?")
    known = all(name in OURS or name == "old" or partial.fullmatch(name) for name in inside)
    return known and room.stat().st_mtime >= started.time - CLOCK_S


def _finish_swap(room: Path, folder: Path) -> None:
    """Moves on what `staged` had begun to move: all files were written by then, and the photo needs no second run.

    It first moves the old result into "old", from the last name of OURS to the first, then the new one in from the
    first to the last; as long as the room has the first of its files, everything of OURS in the folder is the old one.
    """
    old = room / "old"
    if not old.is_dir() or not folder.is_dir():
        return
    if (room / OURS[0]).exists():
        for name in OURS:
            if (folder / name).exists():
                os.replace(folder / name, old / name)
    for name in OURS:
        if (room / name).exists():
            os.replace(room / name, folder / name)
