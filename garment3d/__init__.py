"""Garment3D, the library: one front photo of a garment in, a textured, open 3D garment with views out.

 photo ─▶ mask ─▶ shell ─▶ texture ─▶ views ─▶ save
 rgb      soft    mesh     mesh+uv    Views    GLB OBJ PLY STL, cameras, turntable, report

`run` walks the whole route and `save` writes the folder; every stage before them can be called by itself.
Names are looked up when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .camera import orbit as orbit
    from .camera import photo_camera as photo_camera
    from .data import Camera as Camera
    from .data import Opening as Opening
    from .data import Orbit as Orbit
    from .data import Photo as Photo
    from .data import Views as Views
    from .errors import GarmentError as GarmentError
    from .export.cameras import cameras_json as cameras_json
    from .export.figures import figures as figures
    from .export.mesh import mesh_files as mesh_files
    from .export.result import Result as Result
    from .export.result import save as save
    from .export.turntable import save_mp4 as save_mp4
    from .garment.openings import find_openings as find_openings
    from .garment.openings import openings as openings
    from .garment.shell import garment_shell as garment_shell
    from .garment.texture import texture_garment as texture_garment
    from .images import read_mask as read_mask
    from .images import read_photo as read_photo
    from .mask.quick import quick_mask as quick_mask
    from .pipeline import Settings as Settings
    from .pipeline import run as run
    from .views.pictures import views_from_images as views_from_images
    from .views.rendered import rendered_orbit as rendered_orbit

__version__ = "0.1.0"

_HOMES = {
    # photo
    "read_photo": "images",
    "Photo": "data",
    # mask
    "read_mask": "images",
    "quick_mask": "mask.quick",
    # shell
    "find_openings": "garment.openings",
    "photo_camera": "camera",
    "garment_shell": "garment.shell",
    "openings": "garment.openings",
    "Opening": "data",
    # texture
    "texture_garment": "garment.texture",
    # views
    "Camera": "data",
    "Orbit": "data",
    "orbit": "camera",
    "rendered_orbit": "views.rendered",
    "views_from_images": "views.pictures",
    "Views": "data",
    # save
    "figures": "export.figures",
    "mesh_files": "export.mesh",
    "cameras_json": "export.cameras",
    "save_mp4": "export.turntable",
    # the whole route
    "Settings": "pipeline",
    "run": "pipeline",
    "Result": "export.result",
    "save": "export.result",
    "GarmentError": "errors",
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
