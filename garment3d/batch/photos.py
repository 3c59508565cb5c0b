"""Which photos a folder holds, what lies beside each of them, and what each one's own folder is called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import PhotoError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
MASK_ENDS = (".mask", "_mask")
BACK_ENDS = (".back", "_back", "-back")
TAKEN = ("thumbs", "batch.csv", "batch.jsonl", "index.html")
"""Names in the output folder that are the batch's own."""


class BatchPhoto(NamedTuple):
    """A photo of the folder."""

    path: Path
    name: str
    """From the folder on, with / between: what the photo is called in the journal and the table."""
    folder: str
    """The name of its own folder in the output."""
    mask: Path | None = None
    back: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that its result is made from."""
        return tuple(path for path in (self.path, self.mask, self.back) if path is not None)


def find_photos(
    folder: Path,
    output: Path,
    recursive: bool = False,
    masks: Path | None = None,
    backs: Path | None = None,
    known: Mapping[str, str] | None = None,
) -> tuple[BatchPhoto, ...]:
    """The photos of a folder by name; the output's own pictures, hidden files, masks and backs are none.

    Args:
        masks: a folder of masks, named like their photos; as in `beside`.
        backs: the same for photos of the back.
        known: folder names that photos were given before; they keep them.

    Raises:
        PhotoError: no folder, or no photo in it.
    """
    if not folder.is_dir():
        raise PhotoError(f"{folder} is no folder; give one with photos in it.")
    paths = sorted(_files(folder, output.resolve(), recursive), key=lambda path: path.as_posix().casefold())
    ends = (*MASK_ENDS, *(BACK_ENDS if backs is not None else ()))
    paths = [path for path in paths if not path.stem.lower().endswith(ends)]
    if not paths:
        deeper = "" if recursive else "; --recursive looks into its folders too"
        raise PhotoError(f"The folder {folder} holds no photos ({', '.join(PHOTO_SUFFIXES)}){deeper}.")
    names = [path.relative_to(folder).as_posix() for path in paths]
    return tuple(
        BatchPhoto(path, name, own, beside(path, masks, MASK_ENDS), beside(path, backs, BACK_ENDS))
        for path, name, own in zip(paths, names, folder_names(names, known or {}), strict=True)
    )


def beside(photo: Path, folder: Path | None, ends: Sequence[str]) -> Path | None:
    """The picture in `folder` that is named like the photo, with one of the ends or, in another folder, without."""
    if folder is None:
        return None
    plain = ("",) if folder.resolve() != photo.parent.resolve() else ()
    tried = [folder / f"{photo.stem}{end}{suffix}" for end in (*ends, *plain) for suffix in (".png", *PHOTO_SUFFIXES)]
    return next((path for path in tried if path.is_file()), None)


def folder_names(names: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """One folder name per photo, different in more than case; a photo that has one keeps it."""
    used = {taken.casefold() for taken in (*TAKEN, *known.values())}
    given: list[str] = []
    for name in names:
        if name not in known:
            stem = "-".join(name.rsplit(".", 1)[0].split("/")).rstrip(". ") or "photo"  # Windows drops dots at the end
            tried = (stem if count == 1 else f"{stem}-{count}" for count in range(1, len(used) + 2))
            own = next(candidate for candidate in tried if candidate.casefold() not in used)
            used.add(own.casefold())
        else:
            own = known[name]
        given.append(own)
    return tuple(given)


def _files(folder: Path, output: Path, recursive: bool) -> Iterator[Path]:
    for place, below, files in os.walk(folder):
        inside = Path(place)
        below[:] = [name for name in below if recursive and not _is_made(inside / name, output)]
        for name in files:
            if Path(name).suffix.lower() in PHOTO_SUFFIXES and not name.startswith("."):
                yield inside / name


def _is_made(folder: Path, output: Path) -> bool:
    """Whether a folder is hidden, the output, or a result's: its pictures are no photos."""
    thumbs = folder.name == TAKEN[0] and (folder.parent / "batch.jsonl").exists()
    return folder.name.startswith(".") or folder.resolve() == output or thumbs or (folder / "report.json").exists()
