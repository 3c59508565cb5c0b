"""What the command line takes: its options, what they may be, and the help that tells of them.

Wrong arguments end with one sentence, before anything heavy is imported.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from . import __version__

PHOTO = Path(__file__).parents[1] / "workflows" / "inputs" / "tshirt.jpg"
"""The photo that models are tried on."""
FORMATS = ("glb", "obj", "ply", "stl")
ENGINES = {
    "mask": ("auto", "quick", "sam", "clothes"),
    "views": ("auto", "rendered", "zero123"),
    "surface": ("auto", "none", "triposr"),
}
"""Per stage, who may do it; auto takes the models that are on disk."""
_RANKS = ("excellent", "good", "medium", "poor")
PLATFORM_IDS = (
    *(f"vrchat-{kind}-{rank}" for kind in ("mobile", "pc") for rank in _RANKS),
    *("vrm", "vrm0", "godot", "unity", "unreal", "blender", "print"),
)
"""Of garment.platforms, which needs numpy."""
CAMERAS = ("nerf", "colmap", "gltf", "synthetic", "masks")
"""Of export.camera_files: cameras.json is always written."""
SHELLS = ("auto", "inflated", "fitted", "opened")
FRONTS = ("auto", "+Z", "-Z", "+X", "-X", "+Y", "-Y")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, without the usage that hides it."""
        self.exit(2, f"garment3d: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The parser of `python -m garment3d PHOTO …`."""
    made = _Parser(
        prog="python -m garment3d",
        description="Turns a front photo of a garment into a textured, open 3D garment with views all around it.",
        epilog="python -m garment3d batch FOLDER does large folders, and goes on where it was stopped; weights … lists "
        "and downloads model files, check … tries them, compare … holds two meshes against each other. "
        "Each photo gets its own folder; photos of the same name get -2, -3, … A second run replaces the first.",
    )
    made.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photo of a garment, or a folder of them")
    _add_route(made)
    return made


def batch_parser() -> argparse.ArgumentParser:
    """The parser of `python -m garment3d batch FOLDER …`."""
    from .batch.command import add_batch_options

    made = _Parser(
        prog="python -m garment3d batch",
        description="Does a folder of photos, each into a folder of its own, with a table and an index page. Stopped "
        "or killed at any moment, the same command goes on: what is finished is not done again.",
    )
    add_batch_options(made.add_argument, _whole)
    _add_route(made)
    return made


def _add_route(made: argparse.ArgumentParser) -> None:
    """What may be chosen for any photo."""
    add = made.add_argument
    add("-o", "--output", type=Path, default=Path("garment3d_out"), metavar="DIR", help="default garment3d_out")
    add(
        "--mask",
        type=Path,
        metavar="FILE|FOLDER",
        help="white garment on black; in a folder <photo>.mask.png",
    )
    add("--box", type=_box, metavar="X0,Y0,X1,Y1", help="pixels around the garment, where it can't be found without")
    add("--back", type=Path, metavar="FILE", help="photo of the garment's back, for its texture")
    add("--views", type=Path, metavar="DIR", help="pictures from all around, for the sides' and the back's texture")
    add("--step", type=_between(1, 360), default=20.0, metavar="DEG", help="between the views; default 20")
    add(
        "--elevation",
        type=_between(-80, 80),
        default=0.0,
        metavar="DEG",
        help="of the views, from above; default 0",
    )
    add("--view-size", type=_whole(64, 2048), default=512, metavar="PX", help="side of a rendered view; default 512")
    add("--texture-size", type=_whole(256, 8192), default=2048, metavar="PX", help="side of the texture; default 2048")
    add("--length-cm", type=_between(1, 1000), metavar="N", help="top to bottom; default: usual for the class")
    add("--triangles", type=_whole(200, 1_000_000), default=20_000, metavar="N", help="about so many; default 20000")
    add(
        "--format",
        type=_formats,
        default=FORMATS[:2],
        dest="formats",
        metavar="LIST",
        help="of glb,obj,ply,stl; glb,obj",
    )
    _add_shape(made)
    _add_hand_off(made)
    _add_models(made)
    add("--no-turntable", action="store_false", dest="turntable", help="leave the film out, the slowest part")
    add("--device", default="cpu", help="where models run and pictures are drawn, cpu or cuda; default cpu")
    add("--debug", action="store_true", help="show where an error comes from")
    add("--version", action="version", version=f"Garment3D {__version__}")


def _add_shape(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group(
        "shape", "the open shell grows from the outline, and takes its depth from a surface where there is one"
    ).add_argument
    add(
        "--mesh",
        type=Path,
        metavar="FILE",
        help="a mesh of this garment from any generator or sculpt: glb, gltf, obj, …",
    )
    told = (
        "inflated from the outline, fitted to the surface, or opened: the surface itself; default auto, fitted if any"
    )
    add("--engine-shell", choices=SHELLS, default="auto", help=told)
    add("--front", choices=FRONTS, default="auto", help="the mesh's axis that faces the camera, as --front=-X")
    add(
        "--smoothness", type=_between(0, 1), default=0.5, metavar="N", help="how few lumps the shell takes; default 0.5"
    )
    add("--symmetry", type=_between(0, 1), default=0.0, metavar="N", help="how alike left and right get; default 0")
    add("--free-outline", action="store_true", help="follow the mesh's outline, not the photo's")
    add("--thickness-mm", type=_between(0, 50), default=0.0, metavar="N", help="give the cloth an inside; default 0")
    add("--flatten", type=_between(0, 1), default=0.0, metavar="N", help="take the photo's light out; default 0")


def _add_hand_off(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("hand-off", "what else the folder holds, each in a folder of its own").add_argument
    add(
        "--platform",
        type=_platforms,
        default=(),
        metavar="LIST",
        help="versions within a platform's budget: vrchat-mobile-good or -excellent, -medium, -poor, the same for "
        f"vrchat-pc, {', '.join(PLATFORM_IDS[8:])}",
    )
    add("--lods", type=_whole(0, 5), metavar="N", help="levels of detail below; default the platform's own number")
    add(
        "--cameras",
        type=_cameras,
        default=(),
        metavar="LIST",
        help=f"a data set of the views for other tools, of {','.join(CAMERAS)}",
    )
    add("--blender", action="store_true", help="a package that builds the scene in Blender, with cameras and views")


def compare_parser() -> argparse.ArgumentParser:
    """The parser of `python -m garment3d compare …`."""
    made = _Parser(
        prog="python -m garment3d compare",
        description="Says how far two meshes in one frame are apart, and draws where.",
    )
    add = made.add_argument
    add(
        "meshes",
        nargs=2,
        type=Path,
        metavar="MESH",
        help="glb, gltf, obj, ply or stl; lengths are told in shares of the first's height",
    )
    add(
        "--threshold",
        type=_between(1e-6, 1),
        default=0.01,
        metavar="N",
        help="of the F-score; default 0.01 of the height",
    )
    add("--samples", type=_whole(100, 1_000_000), default=20_000, metavar="N", help="points on each; default 20000")
    add("-o", "--output", type=Path, metavar="FILE", help="write the heat map there, a PNG")
    add("--debug", action="store_true", help="show where an error comes from")
    return made


def check_parser() -> argparse.ArgumentParser:
    """The parser of `python -m garment3d check …`."""
    made = _Parser(
        prog="python -m garment3d check",
        description="Runs each model that is on disk on one photo and judges it; exit status 0 if all work.",
    )
    add = made.add_argument
    add("--models", type=Path, required=True, metavar="DIR", help="a ComfyUI models folder")
    add("--photo", type=Path, default=PHOTO, metavar="FILE", help="on a plain background; default the bundled T-shirt")
    add("--steps", type=_whole(3, 999), default=20, metavar="N", help="of Zero123; default 20")
    _add_family(add)
    add("--device", default="cpu", help="where the models run, cpu or cuda; default cpu")
    add("-o", "--output", type=Path, metavar="FILE", help="write the report there too")
    add("--debug", action="store_true", help="show where an error comes from")
    return made


def weights_parser() -> argparse.ArgumentParser:
    """The parser of `python -m garment3d weights …`."""
    made = _Parser(
        prog="python -m garment3d weights",
        description="Lists the official model files with their licences, or downloads one of them.",
    )
    actions = made.add_subparsers(dest="action", required=True)
    listed = actions.add_parser("list", help="what there is, what it may be used for, and what is on disk; no network")
    get = actions.add_parser("get", help="download one; a second call goes on where the first ended")
    get.add_argument("name", metavar="NAME", help="as `weights list` prints it")
    for action in (listed, get):
        action.add_argument("--models", type=Path, metavar="DIR", help="ComfyUI's models folder")
        action.add_argument("--debug", action="store_true", help="show where an error comes from")
    return made


def _add_models(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group(
        "models", "none is needed and none is downloaded unasked; auto takes those that are on disk"
    ).add_argument
    add("--models", type=Path, metavar="DIR", help="a ComfyUI models folder with SAM, Zero123, TripoSR, a parser")
    for stage, engines in ENGINES.items():
        add(f"--engine-{stage}", choices=engines, default="auto", help=f"who makes the {stage}; default auto")
    add("--prompt", default="", metavar="JSON", help='for SAM: {"points": [[x, y, 1], …], "box": [x0, y0, x1, y1]}')
    add("--garment", default="", metavar="NAME", help="for the parser: upper, coat, dress, skirt, …; default largest")
    add("--steps", type=_whole(3, 999), default=50, metavar="N", help="of Zero123 per view; default 50")
    add("--seed", type=_whole(0, 2**63 - 1), default=0, metavar="N", help="of Zero123's views; default 0")
    add(
        "--redo-views", type=_whole(0, 20), default=0, metavar="N", help="paint bad views up to N times more; default 0"
    )
    _add_family(add)
    add("--mc-resolution", type=_whole(32, 1024), default=256, metavar="N", help="of TripoSR's surface; default 256")
    add("--threshold", type=_between(0.1, 1000), default=25.0, metavar="N", help="of TripoSR's density; default 25")


def _add_family(add: Callable[..., object]) -> None:
    told = "of a renamed Zero123 file, which is taken for Stable Zero123 by its name alone; default auto"
    add("--zero123-family", choices=("auto", "zero123", "stable"), default="auto", help=told)


def _between(low: float, high: float) -> Callable[[str], float]:
    return lambda text: float(_within(low, high, text))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = _within(low, high, text)
        if value != int(value):
            raise argparse.ArgumentTypeError(f"{text} is not a whole number")
        return int(value)

    return number


def _within(low: float, high: float, text: str) -> float:
    value = _number(text)
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is not a number from {low:g} to {high:g}")
    return value


def _number(text: str) -> float | None:
    """An int where it is one: a seed may have more digits than a float."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return None


def _box(text: str) -> tuple[int, int, int, int]:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().lstrip("-").isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is not four whole numbers X0,Y0,X1,Y1")
    x0, y0, x1, y1 = (int(part) for part in parts)
    if x1 <= x0 or y1 <= y0:
        raise argparse.ArgumentTypeError(f"{text} is an empty box: X1 must be above X0 and Y1 above Y0")
    return x0, y0, x1, y1


def _formats(text: str) -> tuple[str, ...]:
    return _listed(text, FORMATS)


def _cameras(text: str) -> tuple[str, ...]:
    return _listed(text, CAMERAS)


def _platforms(text: str) -> tuple[str, ...]:
    return _listed(text, PLATFORM_IDS)


def _listed(text: str, choices: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip().lower().lstrip(".") for part in text.split(",") if part.strip()))
    unknown = [part for part in chosen if part not in choices]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"{text} is not a list of {', '.join(choices)}")
    return chosen
