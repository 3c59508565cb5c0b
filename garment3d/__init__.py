"""Garment3D, the library: one front photo of a garment in, a textured, open 3D garment with views out.

 photo ─▶ mask ─┬─▶ shell ─┬──────────▶ fit ─▶ texture ─▶ assess ─▶ save
 rgb      soft  │   mesh   │            mesh   mesh+uv    verdict   GLB OBJ PLY STL, cameras, turntable, report,
                │          │                                        platforms' versions, Blender package
                ├─▶ surface: TripoSR, or any mesh file; without one the shell stays as it is
                └─▶ orbit: Views by Zero123, or a folder's, for the texture; else drawn from the garment

`run` walks the whole route and `save` writes the folder; every stage before them can be called by itself.
Names are looked up when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch.options import BatchOptions as BatchOptions
    from .batch.run import run_batch as run_batch
    from .camera import orbit as orbit
    from .camera import photo_camera as photo_camera
    from .compare import compare_meshes as compare_meshes
    from .data import Camera as Camera
    from .data import Opening as Opening
    from .data import Orbit as Orbit
    from .data import Photo as Photo
    from .data import Views as Views
    from .engines import Models as Models
    from .errors import GarmentError as GarmentError
    from .export.blender import blender_files as blender_files
    from .export.camera_files import camera_files as camera_files
    from .export.cameras import cameras_json as cameras_json
    from .export.extras import Extras as Extras
    from .export.figures import figures as figures
    from .export.mesh import mesh_files as mesh_files
    from .export.platform import platform_files as platform_files
    from .export.result import Result as Result
    from .export.result import save as save
    from .export.turntable import save_mp4 as save_mp4
    from .garment.decimate import decimate as decimate
    from .garment.decimate import levels as levels
    from .garment.fit import FitOptions as FitOptions
    from .garment.fit import fit_shell as fit_shell
    from .garment.hems import open_hems as open_hems
    from .garment.openings import find_openings as find_openings
    from .garment.openings import openings as openings
    from .garment.platforms import budget_checks as budget_checks
    from .garment.platforms import platform as platform
    from .garment.prepare import prepare as prepare
    from .garment.shell import garment_shell as garment_shell
    from .garment.solidify import solidify as solidify
    from .garment.texture import texture_garment as texture_garment
    from .garment.texture.bake import BakeOptions as BakeOptions
    from .garment.texture.bake import bake_texture as bake_texture
    from .images import read_mask as read_mask
    from .images import read_photo as read_photo
    from .mask.clothes import clothes_mask as clothes_mask
    from .mask.clothes import load_parser as load_parser
    from .mask.clothes import parse as parse
    from .mask.prompts import Prompt as Prompt
    from .mask.quick import quick_mask as quick_mask
    from .mask.sam import embed as embed
    from .mask.sam import sam_mask as sam_mask
    from .mask.sam_auto import auto_prompt as auto_prompt
    from .mask.sam_checkpoint import load_sam as load_sam
    from .meshes import read_mesh as read_mesh
    from .pipeline import Settings as Settings
    from .pipeline import run as run
    from .quality.assess import assess as assess
    from .quality.redo import redo_worst as redo_worst
    from .stages import ShapeOptions as ShapeOptions
    from .surface.triposr.checkpoint import load_triposr as load_triposr
    from .surface.triposr.mesh import triposr_mesh as triposr_mesh
    from .surface.triposr.render import render_scene as render_scene
    from .surface.triposr.scene import triposr_scene as triposr_scene
    from .views.folder import read_views as read_views
    from .views.pictures import views_from_images as views_from_images
    from .views.rendered import rendered_orbit as rendered_orbit
    from .views.zero123 import zero123_orbit as zero123_orbit
    from .views.zero123_checkpoint import load_zero123 as load_zero123
    from .views.zero123_sampler import Sampling as Sampling

__version__ = "0.1.0"

_HOMES = {
    # photo
    "read_photo": "images",
    "Photo": "data",
    # mask
    "read_mask": "images",
    "quick_mask": "mask.quick",
    "load_sam": "mask.sam_checkpoint",
    "embed": "mask.sam",
    "Prompt": "mask.prompts",
    "auto_prompt": "mask.sam_auto",
    "sam_mask": "mask.sam",
    "load_parser": "mask.clothes",
    "parse": "mask.clothes",
    "clothes_mask": "mask.clothes",
    # shell
    "find_openings": "garment.openings",
    "photo_camera": "camera",
    "garment_shell": "garment.shell",
    "openings": "garment.openings",
    "Opening": "data",
    # surface
    "load_triposr": "surface.triposr.checkpoint",
    "triposr_scene": "surface.triposr.scene",
    "triposr_mesh": "surface.triposr.mesh",
    "render_scene": "surface.triposr.render",
    "read_mesh": "meshes",
    # fit
    "FitOptions": "garment.fit",
    "fit_shell": "garment.fit",
    "open_hems": "garment.hems",
    "solidify": "garment.solidify",
    # texture
    "texture_garment": "garment.texture",
    "BakeOptions": "garment.texture.bake",
    "bake_texture": "garment.texture.bake",
    # views
    "Camera": "data",
    "Orbit": "data",
    "orbit": "camera",
    "rendered_orbit": "views.rendered",
    "views_from_images": "views.pictures",
    "read_views": "views.folder",
    "load_zero123": "views.zero123_checkpoint",
    "Sampling": "views.zero123_sampler",
    "zero123_orbit": "views.zero123",
    "Views": "data",
    # judge
    "assess": "quality.assess",
    "redo_worst": "quality.redo",
    "compare_meshes": "compare",
    # platforms
    "platform": "garment.platforms",
    "budget_checks": "garment.platforms",
    "decimate": "garment.decimate",
    "levels": "garment.decimate",
    "prepare": "garment.prepare",
    # save
    "figures": "export.figures",
    "mesh_files": "export.mesh",
    "platform_files": "export.platform",
    "cameras_json": "export.cameras",
    "camera_files": "export.camera_files",
    "blender_files": "export.blender",
    "save_mp4": "export.turntable",
    # the whole route
    "Models": "engines",
    "Settings": "pipeline",
    "ShapeOptions": "stages",
    "run": "pipeline",
    "Result": "export.result",
    "Extras": "export.extras",
    "save": "export.result",
    "BatchOptions": "batch.options",
    "run_batch": "batch.run",
    "GarmentError": "errors",
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
