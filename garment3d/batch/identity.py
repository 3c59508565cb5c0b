"""Whether a result still belongs to its photo and to what was chosen: by content, so that copying changes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import PhotoError

if TYPE_CHECKING:
    from ..engines import Models
    from ..pipeline import Settings
    from .options import BatchOptions

Stamp = tuple[tuple[str, int, int], ...]


def stamp(files: Sequence[Path]) -> Stamp:
    """Name, bytes and time of change of each file; PhotoError for one that can't be looked at."""
    try:
        told = [(path.name, path.stat()) for path in files]
    except OSError as error:
        raise PhotoError(f"{error.filename} can't be read ({error.strerror}).") from error
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in told)


def content(files: Sequence[Path]) -> str:
    """SHA-256 over the bytes of the files, in their order; PhotoError for one that can't be read."""
    whole = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    whole.update(block)
        except OSError as error:
            raise PhotoError(f"{path} can't be read ({error.strerror}).") from error
        whole.update(b"\0")
    return whole.hexdigest()


def choices(settings: Settings, options: BatchOptions, models: Models) -> dict[str, Any]:
    """Everything that was chosen and bears on the results, by name, as JSON holds it.

    Files that come with each photo are told by their content there; models by their names and sizes, wherever they lie.
    """
    chosen = {name: value for name, value in _flat(dataclasses.asdict(settings)).items() if name != "models"}
    for name, value in chosen.items():
        if isinstance(value, Path):
            inside = sorted(p for p in value.rglob("*") if p.is_file()) if name == "views" else [value]
            by_photo = name in ("mask", "back") and value.is_dir()
            chosen[name] = "one per photo" if by_photo else [str(value.resolve()), *map(list, stamp(inside))]
    saved = {"formats": list(options.formats), "turntable": options.turntable, **options.extras._asdict()}
    saved["version"] = __version__
    found = {f"model {name}": file for name, file in model_files(models).items()}
    return json.loads(json.dumps({**chosen, **saved, **found, "zero123_family": options.zero123_family}))


def model_files(models: Models) -> dict[str, str]:
    """The file and bytes of each model on disk, by its name."""
    from ..engines import MODELS

    return {name: f"{models.file(name)}, {model_bytes(models, name)} bytes" for name in MODELS if models.has(name)}


def model_bytes(models: Models, name: str) -> int:
    """Bytes of a model's file or of its folder's; 0 where there is none."""
    path = models.path(name) if models.has(name) else None
    if path is None:
        return 0
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def choices_id(chosen: Mapping[str, Any]) -> str:
    """Sixteen digits that differ where any choice does."""
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def difference(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    """What was chosen differently, in words: "texture_px was 1024"; "" where that is not known."""
    if before is None:
        return ""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} was {_short(before.get(name))}" for name in names[:3]) + (", …" if len(names) > 3 else "")


def _short(value: Any) -> str:
    text = "none" if value is None else str(value[0] if isinstance(value, list) and value else value)
    return text if len(text) <= 40 else f"…{text[-39:]}"


def _flat(whole: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in whole.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat
