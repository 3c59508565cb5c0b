"""What a garment's folder holds on request beside the model: platforms' versions, camera files, a Blender package.

Each is a folder of its own, so that it can be handed on whole. The command line reads this before anything heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..garment.platforms import BudgetCheck
    from .mesh import File
    from .result import Result


class Extras(NamedTuple):
    """What else to write."""

    platforms: tuple[str, ...] = ()
    """Ids of `garment.platforms`: each gets platforms/<id>."""
    lods: int | None = None
    """Levels of detail below the first; None takes each platform's own number."""
    cameras: tuple[str, ...] = ()
    """Of CAMERA_FORMATS: they go to dataset/ with the pictures."""
    blender: bool = False
    """blender/ with the garment, the views and build_scene.py."""


NO_EXTRAS = Extras()


class Made(NamedTuple):
    """The files of some extras."""

    files: tuple[File, ...]
    """Named from the garment's folder on."""
    warnings: tuple[str, ...]
    """Sentences for the person."""
    budgets: tuple[BudgetCheck, ...] = ()
    """Of the versions in platforms/, each held against the platform it was made for."""


def extra_files(result: Result, extras: Extras, tell: Callable[[int, int], None] | None = None) -> Made:
    """All that was asked for, ready to be written; an unknown platform raises GarmentError."""
    made: list[Made] = []
    for done, name in enumerate(extras.platforms, 1):
        made.append(_platform(result, name, extras.lods))
        if tell is not None:
            tell(done, len(extras.platforms))
    if extras.cameras:
        made.append(Made(_dataset(result, extras.cameras), ()))
    if extras.blender:
        made.append(Made(_blender(result), ()))
    told = dict.fromkeys(warning for one in made for warning in one.warnings)
    budgets = tuple(check for one in made for check in one.budgets)
    return Made(tuple(file for one in made for file in one.files), tuple(told), budgets)


def _platform(result: Result, name: str, lods: int | None) -> Made:
    from ..garment.platforms import platform
    from ..garment.prepare import prepare
    from .platform import platform_files

    ready = prepare(result.layer, platform(name), result.length_cm, lods=lods)
    files = platform_files(ready, result.openings, result.length_cm, result.garment_class)
    warnings = tuple(f"platforms/{name}: {told}" for told in ready.warnings)
    return Made(_inside(f"platforms/{name}", files), warnings, (ready.checks,))


def _inside(folder: str, files: tuple[File, ...]) -> tuple[File, ...]:
    return tuple(file._replace(name=f"{folder}/{file.name}") for file in files)


def _dataset(result: Result, formats: tuple[str, ...]) -> tuple[File, ...]:
    from ..camera import photo_camera
    from .camera_files import camera_files

    views, photo = result.views, photo_camera(result.soft)
    if result.engines.views == "rendered":
        from ..views.rendered import rendered_orbit

        # The views' light moves with the camera: whoever trains on the pictures needs one colour per point of cloth.
        views = rendered_orbit(result.mesh, views.orbit, shading="unlit")
    listed, opened, kind = ("json", *formats), result.openings, result.garment_class
    return _inside("dataset", camera_files(views, result.mesh, result.length_cm, listed, opened, kind, photo))


def _blender(result: Result) -> tuple[File, ...]:
    from .blender import blender_files

    kind, rgb, soft = result.garment_class, result.photo.rgb, result.soft
    files = blender_files(result.mesh, result.views, result.openings, result.length_cm, kind, rgb=rgb, soft=soft)
    return _inside("blender", files)
