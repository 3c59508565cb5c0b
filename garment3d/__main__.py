"""The command line: `python -m garment3d photo.jpg` makes a folder of everything from a photo of a garment.

Errors are one sentence each on stderr; heavy libraries are imported after the arguments are understood.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import batch_parser, check_parser, compare_parser, parser, weights_parser
from .errors import GarmentError, MaskError, MissingWeights, OutlineError, PhotoError, SaveError, UnclearGarment

if TYPE_CHECKING:
    from .engines import Models
    from .export.extras import Extras
    from .export.report import Report
    from .pipeline import Settings
    from .stages import ShapeOptions

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
WAYS_OUT = "--mask FILE, --box X0,Y0,X1,Y1, or --engine-mask sam or clothes with --models DIR and --garment NAME"
"""The options that help where the garment can't be told from its photo."""
MASK_NAMES = ("{}.mask.png", "{}_mask.png", "{}.png", "{}.jpg", "{}.webp")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0 if every photo succeeded, 1 if one failed, 2 for wrong arguments, 130 if stopped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that knows no ° or × shows ? instead of failing
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if argv is None else argv)
    commands = {
        "batch": (batch_parser, _batch),
        "weights": (weights_parser, _weights),
        "check": (check_parser, _check_models),
        "compare": (compare_parser, _compare),
    }
    parsed, command = commands.get(next(iter(given), ""), (parser, _run_all))
    arguments = parsed().parse_args(given if command is _run_all else given[1:])
    # Torch's threads otherwise spin while they wait: beside other programs that makes the route five times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return command(arguments)
    except KeyboardInterrupt:
        kept = "what arrived is kept, and the same command goes on from there"
        print(f"Stopped; {kept if command is _weights else 'what was finished is kept'}.", file=sys.stderr)
        return 130
    except Exception as error:  # of a photo's own run it is told there
        return _fail(error, arguments.debug)


def _run_all(arguments: argparse.Namespace) -> int:
    photos, failed = _photos(arguments.photos, arguments.debug)
    _check(arguments, photos)
    from .engines import Models, check_hints
    from .export.folder import unique_names

    check_hints(arguments.engine_mask, arguments.box, arguments.prompt, arguments.garment)
    models = Models(arguments.models, arguments.device, arguments.zero123_family)
    models.require([arguments.engine_mask, arguments.engine_views, arguments.engine_surface])
    models.require(["clothes"] if arguments.garment else [])
    _tell_of_zero123(arguments, models)
    names = unique_names([photo.stem for photo in photos])
    for photo, name in zip(photos, names, strict=True):
        try:
            _run_one(photo, arguments.output / name, arguments, models)
        except Exception as error:  # the next photo may still succeed
            failed += _fail(error, arguments.debug, photo)
    return 1 if failed or not photos else 0


def _run_one(photo: Path, folder: Path, arguments: argparse.Namespace, models: Models) -> None:
    with _Bar(photo.name) as tell:
        from .export.result import save
        from .pipeline import run

        result = run(photo, _settings(arguments, photo), tell, models)
        report = save(
            result, folder, arguments.formats, arguments.turntable, arguments.device, tell, _extras(arguments)
        )
    _tell(report, folder)


def _batch(arguments: argparse.Namespace) -> int:
    from .batch.command import batch_command

    _check(arguments, ())
    if arguments.engine_views == "zero123":
        from .engines import Models

        _tell_of_zero123(arguments, Models(arguments.models, arguments.device, arguments.zero123_family))
    lines = batch_command(arguments, _settings(arguments), _extras(arguments))
    with closing(lines):  # Ctrl-C while a line is printed cleans up
        for line in lines:
            print(line, flush=True)
    return 0


def _tell_of_zero123(arguments: argparse.Namespace, models: Models) -> None:
    """Says before the start what Zero123 costs on a CPU, or that it is left out there unless it is named."""
    if arguments.device != "cpu":
        return
    if arguments.engine_views == "zero123":
        from .camera import orbit
        from .views.zero123_cost import Sampling, cpu_minutes

        views = len(orbit(arguments.step).cameras)
        minutes = max(1, round(cpu_minutes(views, Sampling(steps=arguments.steps))))
        told = f"{minutes} minute{'s' if minutes > 1 else ''}"
        print(f"Zero123 paints {views} views on the CPU: about {told} per photo.", file=sys.stderr)
    elif arguments.engine_views == "auto" and models.has("zero123"):
        way = "--engine-views zero123 uses it, --device cuda makes it quick"
        print(f"Zero123 is on disk but slow on a CPU, so the views are drawn instead ({way}).", file=sys.stderr)


def _weights(arguments: argparse.Namespace) -> int:
    from .commands import weights_command

    if arguments.action == "list" and arguments.models is not None:  # `get` makes the folder
        _models_folder(arguments.models)
    for line in weights_command(arguments):
        print(line)
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from .commands import compare_command

    for line in compare_command(arguments):
        print(line)
    return 0


def _check_models(arguments: argparse.Namespace) -> int:
    """Tries the models on disk and prints one report: 0 if all that are there work, 1 if one does not or none is."""
    _check_device(arguments.device)
    from .check.run import check
    from .check.text import report_text
    from .engines import Models
    from .images import replace_file

    models = Models(_models_folder(arguments.models), arguments.device, arguments.zero123_family)
    reports = check(models, arguments.photo, arguments.steps, lambda model: print(f"{model} …", file=sys.stderr))
    text = report_text(reports, arguments.device)
    print(text, end="")  # first: it may have taken an hour, and the file may be refused
    if arguments.output is not None:
        replace_file(arguments.output, text.encode())
    ran = [report for report in reports if report.path is not None]
    return 0 if ran and all(report.good for report in ran) else 1


def _tell(report: Report, folder: Path) -> None:
    names = ", ".join(opening.name for opening in report.openings)
    spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report.seconds.items())
    print(f"{report.photo}: {report.garment_class}, {report.figures.triangles} triangles, open at {names or 'nothing'}")
    print(f"  engines: {', '.join(f'{stage} {who}' for stage, who in report.engines._asdict().items())}")
    print(f"  seconds: {spent}; total {sum(report.seconds.values()):.1f}")
    if report.quality is not None:
        print(f"  {report.quality.sentence}")
    for warning in report.warnings:
        print(f"  warning: {warning}")
    print(f"  {folder / 'report.html'}")


def _fail(error: Exception, debug: bool, photo: Path | None = None) -> int:
    """Prints one sentence, or with `debug` the traceback too, and counts as one failure."""
    if debug:
        import traceback

        traceback.print_exception(error)
    text = " ".join(str(error).split())
    if not isinstance(error, GarmentError):
        text = f"something unforeseen went wrong ({type(error).__name__}: {text}); --debug shows where."
    elif photo is not None and photo.name in text:
        photo = None
    if isinstance(error, UnclearGarment) and error.__cause__ is None:  # one that has a cause names its own way out
        text = f"{text.rstrip('.')} ({WAYS_OUT})."
    if isinstance(error, OutlineError):  # openings are for ComfyUI and the library
        text = f"{text.rstrip('.')} (--mask FILE)."
    print(f"garment3d: {f'{photo}: ' if photo else ''}{text}", file=sys.stderr)
    return 1


def _photos(given: Sequence[Path], debug: bool) -> tuple[list[Path], int]:
    """The photos of files and folders, in order, and how many of the folders hold none."""
    photos: list[Path] = []
    failed = 0
    for path in given:
        if not path.is_dir():
            photos.append(path)
            continue
        inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file()]
        inside = [p for p in inside if not p.stem.lower().endswith((".mask", "_mask")) and not p.name.startswith(".")]
        if not inside:
            failed += _fail(PhotoError(f"The folder {path} holds no photos ({', '.join(PHOTO_SUFFIXES)})."), debug)
        photos += inside
    return photos, failed


def _check(arguments: argparse.Namespace, photos: Sequence[Path]) -> None:
    """Raises GarmentError for arguments that can't be meant, before anything is done."""
    output = arguments.output.resolve()
    place = next(place for place in (output, *output.parents) if place.exists())
    if not place.is_dir():
        raise SaveError(f"--output {arguments.output}: {place} is a file where a folder is needed; choose another.")
    for name in ("mask", "back", "mesh", "views"):
        path = getattr(arguments, name)
        if path is not None and not path.exists():
            raise MaskError(f"--{name} {path} does not exist.")
        if path is not None and (path.is_file() or name == "views") and len(photos) > 1:
            ways = "give a folder of masks" if name == "mask" else "run each photo by itself"
            kind = "file" if path.is_file() else "folder"
            raise MaskError(f"--{name} {path} is one {kind} for {len(photos)} photos; {ways}.")
    beside = {"box": None, "prompt": "", "garment": "", "engine_mask": "auto"} if arguments.mask is not None else {}
    for name, unused in beside.items():
        if getattr(arguments, name) != unused:
            option = f"--{name.replace('_', '-')}"
            raise MaskError(f"--mask and {option} can't go together: the mask already says where the garment is.")
    if arguments.mesh is not None and arguments.engine_shell == "inflated":
        raise GarmentError("--mesh and --engine-shell inflated can't go together: an inflated shell takes no mesh.")
    if arguments.lods is not None and not arguments.platform:
        raise GarmentError("--lods makes levels of a platform's version: name it with --platform.")
    if arguments.redo_views and (arguments.models is None or arguments.engine_views == "rendered"):
        raise GarmentError("--redo-views paints Zero123's views again: name its models folder with --models.")
    if arguments.models is not None:
        _models_folder(arguments.models)
    _check_device(arguments.device)


def _check_device(device: str) -> None:
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device).cpu()  # "meta" holds nothing to bring back
    except (RuntimeError, AssertionError) as error:  # the last where torch was built without CUDA
        raise GarmentError(f"--device {device} can't be used here; take --device cpu.") from error


def _models_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise MissingWeights(f"--models {folder} is no folder; give ComfyUI's models folder.")
    return folder


def _settings(arguments: argparse.Namespace, photo: Path | None = None) -> Settings:
    from .pipeline import Settings

    settings = Settings(
        mask=arguments.mask,
        box=arguments.box,
        back=arguments.back,
        step_deg=arguments.step,
        elevation_deg=arguments.elevation,
        view_px=arguments.view_size,
        target=arguments.mesh,
        shape=_shape(arguments),
        views=arguments.views,
        flatten=arguments.flatten,
        thickness_mm=arguments.thickness_mm,
        texture_px=arguments.texture_size,
        triangles=arguments.triangles,
        length_cm=arguments.length_cm,
        device=arguments.device,
        models=arguments.models,
        engine_mask=arguments.engine_mask,
        engine_views=arguments.engine_views,
        engine_surface=arguments.engine_surface,
        prompt=arguments.prompt,
        garment=arguments.garment,
        steps=arguments.steps,
        seed=arguments.seed,
        redo_views=arguments.redo_views,
        resolution=arguments.mc_resolution,
        threshold=arguments.threshold,
    )
    if photo is not None and arguments.mask is not None and arguments.mask.is_dir():
        settings = replace(settings, mask=_mask_in(arguments.mask, photo))
    return settings


def _shape(arguments: argparse.Namespace) -> ShapeOptions:
    from .stages import ShapeOptions

    return ShapeOptions(
        engine=arguments.engine_shell,
        front=arguments.front,
        smoothness=arguments.smoothness,
        symmetry=arguments.symmetry,
        keep_silhouette=not arguments.free_outline,
    )


def _extras(arguments: argparse.Namespace) -> Extras:
    from .export.extras import Extras

    return Extras(arguments.platform, arguments.lods, arguments.cameras, arguments.blender)


def _mask_in(folder: Path, photo: Path) -> Path:
    tried = [folder / name.format(photo.stem) for name in MASK_NAMES]
    found = next((path for path in tried if path.is_file() and path.resolve() != photo.resolve()), None)
    if found is None:
        raise MaskError(f"{folder} holds no mask for {photo.name}; name it {tried[0].name} or {tried[2].name}.")
    return found


class _Bar:
    """A progress bar on a terminal, nothing elsewhere; gives a `Progress`."""

    STAGES = (
        *("read", "mask", "shell", "surface", "fit", "texture", "views", "check"),
        *("save", "extras", "turntable", "report"),
    )

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
        self._bar = tqdm(total=len(self.STAGES), desc=name, bar_format=form, disable=None, leave=False)
        self._bar.set_postfix_str("starting")

    def __enter__(self) -> Callable[[str, float], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _tell(self, stage: str, fraction: float) -> None:
        self._bar.set_postfix_str(stage, refresh=False)
        self._bar.n = self.STAGES.index(stage) + fraction
        self._bar.refresh()


if __name__ == "__main__":
    sys.exit(main())
