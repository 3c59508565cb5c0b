"""Where people really keep the official files: ComfyUI's folders and their extra paths, and the Hugging Face cache.

Files are known by name or exact size, folders by what is inside; only names and small JSON files are read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath
from typing import Any

from ..errors import WeightsError
from .table import OFFICIAL

_ENDINGS = {".ckpt", ".safetensors", ".pth", ".pt", ".bin"}
_DEPTH = 4
"""Folders below a model folder that are still looked into."""
_YAML = "extra_model_paths.yaml"


@dataclass(frozen=True)
class ModelFolders:
    """Where to look, each in ComfyUI's order; folders that don't exist are no error."""

    sams: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    diffusers: tuple[Path, ...] = ()
    pack: tuple[Path, ...] = ()
    """models/garment3d."""


@dataclass(frozen=True)
class _Look:
    """How a model is looked for."""

    folders: tuple[str, ...]
    """Fields of ModelFolders."""
    best: tuple[str, ...]
    """Patterns of the path below a model folder, lower case, the one to prefer first."""
    repo: str
    """Pattern of repository names in the cache, lower case."""
    never: str = r"(?!)"


_LOOKS = {
    "triposr": _Look(
        ("pack", "checkpoints"),
        (r"tripo[-_ ]?sr[^/]*$", r"tripo[-_ ]?sr[^/]*/(.*/)?model[^/]*$"),
        r"triposr",
    ),
    "zero123": _Look(
        ("checkpoints", "pack", "diffusers"),
        (
            r"zero[-_ ]?123[-_ ]?xl|zero[-_ ]?1to3[-_ ]?xl",
            r"(^|/)105000[^/]*$|zero[-_ ]?123[-_ ]?105000",
            r"(^|/)(165000|230000|300000)[^/]*$|zero[-_ ]?123[-_ ]?165000",
            r"^(?!.*stable).*(zero[-_ ]?123|zero[-_ ]?1to3)",
            r"stable[-_ ]?zero[-_ ]?123[-_ ]?c\b",
            r"zero[-_ ]?123|zero[-_ ]?1to3",
        ),
        r"zero-?123|zero1to3",
        r"zero[-_ ]?123[-_ ]?(plus|pp|\+\+)|/(unet|vae|image_encoder|safety_checker|\w+_projection)/",
    ),
    "sam": _Look(
        ("sams", "pack"),
        (r"sam[-_ ]?vit[-_ ]?h[^/]*$", r"sam[-_ ]?vit[-_ ]?l[^/]*$", r"sam[-_ ]?vit[-_ ]?b[^/]*$"),
        r"sam[-_]?vit|segment[-_]anything",
        r"(hq|mobile|sam2)[^/]*$",
    ),
    "clothes": _Look(("pack", "diffusers"), (r"cloth", r"human", r"fashion", r""), r"segformer"),
}
_SIZES = {part.bytes: entry.model for entry in OFFICIAL for part in entry.files if part.bytes}
_GARMENTS = {"upper-clothes", "dress", "skirt", "pants"}


def find(model: str, folders: ModelFolders) -> tuple[Path, ...]:
    """Files, and folders for diffusers' and transformers' layouts, best first; () where there is none.

    ComfyUI's folders come before the Hugging Face cache for files of one sort.
    """
    look = _LOOKS[model]
    roots = [root for field in look.folders for root in getattr(folders, field)]
    found: dict[Path, tuple[int, int]] = {}
    for place, (root, base) in enumerate([*((root, root) for root in roots), *_cached(look.repo)]):
        for path in _candidates(model, root):
            rank = _rank(look, path, path.relative_to(base).as_posix().lower())
            if rank is None and path.is_file() and _SIZES.get(path.stat().st_size) == model:
                rank = len(look.best)  # TripoSR lies as a bare model.ckpt in many a checkpoints folder
            if rank is None and path.is_dir():
                rank = len(look.best)  # what is inside says what it is, whatever its name
            if rank is not None:
                found.setdefault(path, (rank, place))
    return tuple(sorted(found, key=lambda path: (*found[path], path.as_posix())))


def model_folders(models_dir: Path) -> ModelFolders:
    """The folders of a ComfyUI models folder, or of ComfyUI's own, with those of an extra_model_paths.yaml beside."""
    models_dir = Path(models_dir)
    if not (models_dir / "checkpoints").is_dir() and (models_dir / "models").is_dir():
        models_dir = models_dir / "models"
    names = {field.name: "garment3d" if field.name == "pack" else field.name for field in fields(ModelFolders)}
    folders = ModelFolders(**{field: (models_dir / name,) for field, name in names.items()})
    for file in (models_dir / _YAML, models_dir.parent / _YAML):
        if file.is_file():
            for key, path, first in _extra_paths(file):
                for field in (field for field, name in names.items() if name == key):
                    there = tuple(p for p in getattr(folders, field) if p != path or first)
                    paths = (path, *(p for p in there if p != path)) if first else (*there, path)
                    folders = replace(folders, **{field: paths})
    return folders


def hub_cache() -> Path:
    """The folder of the Hugging Face cache, as its own variables say; it need not exist."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return _expanded(os.environ[variable])
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _expanded(os.environ.get("HF_HOME") or f"{cache}/huggingface") / "hub"


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()


def _rank(look: _Look, path: Path, below: str) -> int | None:
    if re.search(look.never, below):
        return None
    return next((i for i, pattern in enumerate(look.best) if re.search(pattern, below)), None)


def _candidates(model: str, root: Path) -> Iterator[Path]:
    """Weight files and model folders of the right sort below a folder."""
    for folder, names in _walk(root):
        if model == "clothes":
            if _is_parser(folder, names):
                yield folder
        elif model == "zero123" and _is_zero123(folder):
            yield folder
        elif not (model == "zero123" and _is_zero123(folder.parent)):
            yield from (folder / n for n in names if PurePath(n).suffix.lower() in _ENDINGS and (folder / n).exists())


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    for folder, inside, names in os.walk(root, followlinks=True):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEPTH
        inside[:] = [] if deep else sorted(name for name in inside if not name.startswith("."))
        yield here, sorted(names)


def _is_zero123(folder: Path) -> bool:
    """kxic's and threestudio's layouts differ by the name of the projection's folder."""
    projection = next((n for n in ("cc_projection", "clip_camera_projection") if (folder / n).is_dir()), None)
    return projection is not None and all(
        any(path.suffix in (".safetensors", ".bin") for path in (folder / part).glob("*"))
        for part in ("unet", "vae", "image_encoder", projection)
    )


def _is_parser(folder: Path, names: list[str]) -> bool:
    if "config.json" not in names or not any(n.endswith((".safetensors", ".bin")) for n in names):
        return False
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict) or config.get("model_type") != "segformer":
        return False
    labels = config.get("id2label")
    known = {str(label).lower() for label in labels.values()} if isinstance(labels, dict) else set()
    return bool(known & _GARMENTS)


def _cached(pattern: str) -> Iterator[tuple[Path, Path]]:
    """The current snapshot of each cached repository of that name, with the folder its name is in."""
    cache = hub_cache()
    if not cache.is_dir():
        return
    for repo in sorted(cache.glob("models--*")):
        snapshots = [path for path in (repo / "snapshots").glob("*") if path.is_dir()]
        if not snapshots or not re.search(pattern, repo.name.lower()):
            continue
        main = repo / "refs" / "main"
        named = main.read_text("utf-8").strip() if main.is_file() else ""
        latest = max(snapshots, key=lambda path: path.stat().st_mtime)
        yield next((path for path in snapshots if path.name == named), latest), cache


def _extra_paths(file: Path) -> Iterator[tuple[str, Path, bool]]:
    """Folder key, path, and whether it comes first, as ComfyUI reads the file: base_path, several lines, is_default."""
    import yaml

    try:
        config: Any = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{file} can't be read as YAML ({' '.join(str(error).split())}); mend or remove it."
        ) from error
    sections = config.values() if isinstance(config, dict) else ()
    for section in (section for section in sections if isinstance(section, dict)):
        base = os.path.expandvars(os.path.expanduser(str(section.get("base_path", ""))))
        for key, value in section.items():
            if key in ("base_path", "is_default") or not isinstance(value, str):
                continue
            for line in (line for line in value.split("\n") if line):
                path = os.path.normpath(file.resolve().parent / base / line)
                yield key, Path(path), bool(section.get("is_default"))
