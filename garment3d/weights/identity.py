"""Is this file the official one? By its hash where that is known, by its exact size else.

A report that someone pastes into an issue says so in one line.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from .table import OFFICIAL, Part, WeightFile

_CHUNK = 1 << 22


def identify(model: str, path: Path) -> str:
    """One line: which official file it is and how that is known, or its size and sha256; a folder is named only."""
    if path.is_dir():
        return f"folder {path.name}: {sum(1 for file in path.rglob('*') if file.is_file())} files, no official hash"
    size = path.stat().st_size
    digest = sha256_of(path)
    for entry, part in _parts(model):
        if part.sha256 == digest:
            return f"{entry.title}: the official file, its sha256 agrees"
    for entry, part in _parts(model):
        if part.file.lower() == path.name.lower() and part.sha256 is not None:
            return f"NOT the official {entry.title}: {size:,} bytes, sha256 {digest}"
    return f"{path.name}: no official hash is known; {size:,} bytes, sha256 {digest}"


def sha256_of(path: Path) -> str:
    """The hexadecimal digest of a file, read in small pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _parts(model: str) -> list[tuple[WeightFile, Part]]:
    return [(entry, part) for entry in OFFICIAL if entry.model == model for part in entry.files]
