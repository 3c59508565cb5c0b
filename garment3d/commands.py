"""The command line's small commands beside the route: `weights list`, `weights get` and `compare`.

A download happens only by the name that a person types; licences are printed where the name is chosen.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path

from .errors import WeightsError
from .weights import OFFICIAL, ModelFolders, WeightFile, download, find, model_folders, official, place, size_text


def weights_command(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines to print for the arguments of `weights_parser`; a download that fails raises a GarmentError."""
    if arguments.action == "list":
        yield from listing(arguments.models)
    else:
        yield from _get(official(arguments.name), arguments.models)


def listing(models_dir: Path | None) -> list[str]:
    """Lines: every official file with size, licence, terms, and its place on disk; then what else was found."""
    folders = ModelFolders() if models_dir is None else model_folders(models_dir)
    found = {model: list(find(model, folders)) for model in dict.fromkeys(entry.model for entry in OFFICIAL)}
    lines = []
    for entry in OFFICIAL:
        there = [path for path in found[entry.model] if _is_entry(path, entry)]
        found[entry.model] = [path for path in found[entry.model] if path not in there]
        limits = "" if entry.commercial is not False else "  NON-COMMERCIAL"
        lines.append(f"{entry.name:20}{entry.title}, {size_text(entry.gigabytes * 1e9)}, {entry.licence}{limits}")
        lines += textwrap.wrap(entry.terms, 96, initial_indent=" " * 20, subsequent_indent=" " * 20)
        lines += [f"{'':20}on disk: {path}" for path in there] or [f"{'':20}not on disk"]
    others = [(model, path) for model, paths in found.items() for path in paths]
    if others:
        lines += ["", "Also found, of other origin or name:", *(f"  {model}: {path}" for model, path in others)]
    if models_dir is None:
        lines += ["", "Only the Hugging Face cache was searched; name ComfyUI's models folder with --models DIR."]
    return lines


def _is_entry(path: Path, entry: WeightFile) -> bool:
    """By name: a file's own and its folder's where it is called just model, a folder's own or its repository's."""
    cached = next((part for part in path.parts if part.startswith("models--")), "")
    if cached and entry.repo and cached.lower() != "models--" + entry.repo.replace("/", "--").lower():
        return False
    if path.is_dir():
        return bool(cached) or (entry.is_folder and path.name.lower() == entry.subfolder.lower())
    if entry.is_folder or path.name.lower() != entry.files[0].file.lower():
        return False
    size = entry.files[0].bytes
    return size is None or size == path.stat().st_size


def _get(entry: WeightFile, models_dir: Path | None) -> Iterator[str]:
    if models_dir is None:
        raise WeightsError("Where to? Name ComfyUI's models folder, or a new one, with --models DIR.")
    from tqdm import tqdm

    yield f"{entry.title}: {size_text(entry.gigabytes * 1e9)}, {entry.licence}. {entry.terms}"
    with tqdm(desc=entry.name, unit="B", unit_scale=True, unit_divisor=1000, disable=None, leave=False) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        path = download(entry, place(entry, models_dir), tell)
    yield str(path)


def compare_command(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines to print for the arguments of `compare_parser`; the heat map is written where it was asked for."""
    from .compare import compare_meshes
    from .images import png_bytes, replace_file
    from .meshes import read_mesh

    first, second = (read_mesh(path) for path in arguments.meshes)
    yield from (*first.warnings, *second.warnings)
    found = compare_meshes(first.mesh, second.mesh, arguments.samples, arguments.threshold)
    percent = 100 / found.height
    forth, back, symmetric, farthest = (value * percent for value in found.distance)
    both = f"{forth:.3f} there, {back:.3f} back, farthest {farthest:.2f}"
    yield f"surface to surface  {symmetric:.3f} % of the height ({both})"
    yield f"Chamfer-L1          {found.chamfer * percent:.3f} % of the height"
    yield f"F-score             {found.f_score:.4f} at {100 * arguments.threshold:g} % of the height"
    yield f"normal consistency  {found.normal_consistency:.4f}"
    if arguments.output is not None:
        replace_file(arguments.output, png_bytes(found.heat_map))
        yield str(arguments.output)
