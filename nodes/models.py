"""Where model files lie in ComfyUI's folders, as a loader's menu; and the downloads that are a choice in that menu.

Nothing is downloaded but by an entry that says so, chosen and queued by a person.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..garment3d import weights
from ..garment3d.errors import MissingWeights
from ..garment3d.weights import ModelFolders, WeightFile
from . import convert

PACK = "garment3d"
"""The pack's own key in folder_paths and in extra_model_paths.yaml: models/garment3d."""
NONE = "none found: choose a download, or add a file"
_ENDINGS = {".ckpt", ".pt", ".pth", ".bin", ".safetensors"}
_KEYS = {"sam": ("sams", PACK), "zero123": ("checkpoints", PACK, "diffusers"), "triposr": (PACK, "checkpoints"),
         "clothes": (PACK, "diffusers")}  # fmt: skip
"""The folders of each model, in the order in which ComfyUI users keep them."""


def register_folders() -> None:
    """Tells ComfyUI of models/garment3d and models/sams; what a person or another pack said of them stays."""
    for key in (PACK, "sams"):
        folder_paths.add_model_folder_path(key, os.path.join(folder_paths.models_dir, key))
        paths, endings = folder_paths.folder_names_and_paths[key]
        if not endings:
            folder_paths.folder_names_and_paths[key] = (paths, set(_ENDINGS))


def menu(model: str, tooltip: str) -> io.Combo.Input:
    """The loader's file menu: likely files, the folders' other files, then the downloads with size and licence."""
    likely = list(_likely(model))
    names = dict.fromkeys([*likely, *_others(model), *([] if likely else [NONE]), *_downloads(model)])
    return io.Combo.Input("file", list(names), default=likely[0] if likely else NONE, tooltip=tooltip)


def complaint(model: str, name: str | None) -> bool | str:
    """True for a menu entry that can be loaded or downloaded, else the sentence that says what to do."""
    if name is None or name in _downloads(model) or _path(model, name) is not None:
        return True
    same = (line for line, e in _downloads(model).items() if name and Path(name).name in {p.file for p in e.files})
    entry = next(same, next(iter(_downloads(model))))
    found = "No file is chosen" if name == NONE else f"{name} is not in ComfyUI's model folders"
    return f'{found}: put the official file into models/{_KEYS[model][0]}, or choose "{entry}" in the menu.'


def fingerprint(model: str, name: str) -> str:
    """Changes when the file does, so that a replaced file is read again."""
    path = _path(model, name)
    if path is None:
        return name
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return f"{path} " + " ".join(f"{p.stat().st_mtime_ns}:{p.stat().st_size}" for p in files)


def file(model: str, name: str) -> Path:
    """The file or folder of a menu entry; a download entry is fetched first unless it is there already."""
    entry = _downloads(model).get(name)
    if entry:
        root = Path(folder_paths.get_folder_paths(entry.folder)[0])
        return weights.download(entry, root / entry.subfolder, convert.progress())
    path = _path(model, name)
    if path is None:
        raise MissingWeights(str(complaint(model, name)))
    return path


def _downloads(model: str) -> dict[str, WeightFile]:
    return {weights.menu_line(e): e for e in weights.OFFICIAL if e.model == model}


def _folders() -> ModelFolders:
    def paths(key: str) -> tuple[Path, ...]:
        return tuple(Path(p) for p in folder_paths.get_folder_paths(key))

    return ModelFolders(paths("sams"), paths("checkpoints"), paths("diffusers"), paths(PACK))


def _roots(model: str) -> list[Path]:
    return [Path(p) for key in _KEYS[model] for p in folder_paths.get_folder_paths(key)]


def _likely(model: str) -> dict[str, Path]:
    """Menu names of what looks like that model, best first; of two with one name the first folder's is meant."""
    named: dict[str, Path] = {}
    for path in weights.find(model, _folders()):
        named.setdefault(_name(path, _roots(model)), path)
    return named


def _others(model: str) -> Iterator[str]:
    """Names of the other files in the model's folders, for a file that was renamed beyond recognition."""
    if model == "clothes":  # a parser is a folder; without its config.json it can't be read
        return
    elsewhere = {e.subfolder for e in weights.OFFICIAL if e.model != model}
    for key in _KEYS[model]:
        if key != "diffusers":
            names = (Path(name).as_posix() for name in folder_paths.get_filename_list(key))
            yield from (name for name in names if name.partition("/")[0] not in elsewhere)


def _name(path: Path, roots: list[Path]) -> str:
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    cached = next((i for i, part in enumerate(path.parts) if part.startswith("models--")), None)
    if cached is None:
        return path.as_posix()
    repo = path.parts[cached].removeprefix("models--").replace("--", "/")
    return "/".join(["huggingface:" + repo, *path.parts[cached + 3 :]])


def _path(model: str, name: str) -> Path | None:
    """A workflow from another computer may keep the file in another subfolder: its name alone is enough."""
    likely = _likely(model)
    if name in likely:
        return likely[name]
    for root in _roots(model):
        path = root / name
        if path.exists() and path != root and folder_paths.is_within_directory(str(root), str(path)):
            return path
    same = [p for n, p in likely.items() if n.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]]
    return same[0] if len(same) == 1 else None
