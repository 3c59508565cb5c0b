"""A whole data set of the views for other tools: pictures and their cameras, in metres beside the saved garment."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..camera import unproject
from ..data import Camera, Opening, Views
from ..errors import MeshError, ViewsError
from ..images import png_bytes
from .camera_readme import how_to
from .cameras import cameras_json, view_names
from .colmap import colmap_files, points_ply
from .gltf_cameras import with_cameras
from .mesh import File, mesh_files, placement
from .nerf import synthetic_files, transforms_json
from .points import Points, hull_points, surface_points
from .stills import cutouts

if TYPE_CHECKING:
    import trimesh

CAMERA_FORMATS = ("nerf", "colmap", "json", "gltf", "synthetic", "masks")
"""transforms.json, sparse/0/*.txt, cameras.json, garment.glb with cameras, transforms_train.json …, masks/*.png"""
POINTS_FILE = "points3d.ply"


def camera_files(
    views: Views,
    mesh: trimesh.Trimesh | None,
    length_cm: float,
    formats: Sequence[str] = ("nerf", "colmap", "json"),
    openings: Sequence[Opening] = (),
    garment_class: str = "",
    photo: Camera | None = None,
    points: int = 10_000,
) -> tuple[File, ...]:
    """images/*.png, cut out with alpha, README.txt and the files of each of CAMERA_FORMATS asked for, all in metres.

    One folder for everybody: `nerf` is read by instant-ngp and nerfstudio, `colmap` by COLMAP, the first 3DGS and the
    trainers after it, `synthetic` by readers of the first NeRF's data sets. No views, or two at one azimuth, raise
    ViewsError, and so does an orthographic one for these three.

    Args:
        mesh: the canonical garment that is saved beside it: frame, size and points. Without it the garment's height
            is read off the view nearest to the photo's side, and the points fill the silhouettes' visual hull.
        length_cm: vertical extent of the garment in the files.
        photo: the photo's own camera, for cameras.json.
        points: how many are spread over the mesh, before those are left out that fewer than two views show.
    """
    _check(views, mesh, formats)
    names = view_names(views.orbit.azimuths_deg)
    files = [f"images/{name}" for name in names]
    extent = _seen_extent(views) if mesh is None else np.asarray(mesh.vertices)
    frame = placement(extent, length_cm).matrix()
    sparse = None
    if {"nerf", "colmap", "synthetic"} & set(formats):
        sparse = hull_points(views, points) if mesh is None else surface_points(mesh, views, points)
    pixels = cutouts(views)
    out = [*_pictures("images", names, pixels)]
    if "masks" in formats:
        out += _pictures("masks", names, pixels[..., 3])
    if mesh is not None and "gltf" in formats:
        (glb,) = mesh_files(mesh, openings, length_cm, ("glb",), garment_class)
        out.append(File(glb.name, with_cameras(glb.data, views.orbit, files, frame)))
    return (*out, *_texts(views, files, frame, formats, sparse, photo))


def _check(views: Views, mesh: trimesh.Trimesh | None, formats: Sequence[str]) -> None:
    unknown = [format for format in formats if format not in CAMERA_FORMATS]
    if unknown:
        raise ViewsError(f"Can't save cameras as {', '.join(unknown)}; choose from {', '.join(CAMERA_FORMATS)}.")
    if not len(views.images):
        raise ViewsError("There are no views to save; draw or paint an orbit first.")
    names = view_names(views.orbit.azimuths_deg)
    twice = sorted({name[:-4] for name in names if names.count(name) > 1})
    if twice:
        raise ViewsError(f"Two views stand at {', '.join(twice)}° and would get one file; leave one of them out.")
    if mesh is None and "gltf" in formats:
        raise MeshError("Cameras go into the garment's GLB, and there is no garment; connect a mesh or leave gltf out.")


def _texts(
    views: Views,
    files: Sequence[str],
    frame: np.ndarray,
    formats: Sequence[str],
    sparse: Points | None,
    photo: Camera | None,
) -> list[File]:
    orbit = views.orbit
    out: list[File] = []
    start = POINTS_FILE if sparse is not None and {"nerf", "synthetic"} & set(formats) else None
    if sparse is not None and start is not None:
        out.append(File(start, points_ply(sparse, frame)))
    if "nerf" in formats:
        out.append(File("transforms.json", transforms_json(orbit, files, frame, start).encode()))
    if "synthetic" in formats:
        out += synthetic_files(orbit, files, frame)
    if "colmap" in formats:
        out += colmap_files(orbit, files, frame, sparse)
    if "json" in formats:
        out.append(File("cameras.json", cameras_json(orbit, files, photo, frame, views.seeds).encode()))
    return [*out, File("README.txt", how_to(formats).encode())]


def _pictures(folder: str, names: Sequence[str], pixels: np.ndarray) -> list[File]:
    with ThreadPoolExecutor(2) as pool:  # compression leaves Python free
        return [File(f"{folder}/{name}", data) for name, data in zip(names, pool.map(png_bytes, pixels), strict=True)]


def _seen_extent(views: Views) -> np.ndarray:
    """[2,3] canonical points at the top and the bottom of what the view nearest to azimuth 0 shows."""
    turns = [abs((azimuth + 180) % 360 - 180) for azimuth in views.orbit.azimuths_deg]
    index = int(np.argmin(turns))
    camera, solid = views.orbit.cameras[index], views.masks[index].cpu().numpy() >= 0.5
    rows = np.flatnonzero(solid.any(1))
    if not len(rows):
        raise ViewsError(f"The mask of the view at {views.orbit.azimuths_deg[index]:g}° is empty; give a mesh.")
    ends = np.array([[camera.center_px[0], rows[0]], [camera.center_px[0], rows[-1] + 1]], float)
    return unproject(camera, ends, np.full(2, views.orbit.radius))
