"""A folder from which Blender builds a scene to model in: the garment at true size, and cameras that took its views.

The script in it is the same for every garment; what differs is in scene.json, in Blender's own terms: metres, +Z up,
the front towards -Y, cameras by lens and sensor.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import __version__
from ..camera import mask_box, photo_camera
from ..data import Camera, Opening, Orbit, Views
from ..errors import ViewsError
from ..images import check_fits, png_bytes, reduced, to_uint8
from .blender_groups import Ring, outer_layer, pin, rings, seams
from .cameras import rows, view_names
from .folder import unique_names
from .mesh import File, Placement, mesh_files, placement
from .parts import weld
from .stills import cutouts

if TYPE_CHECKING:
    import trimesh

SCRIPT = Path(__file__).with_name("blender_scene.py")
TO_BLENDER = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""From +Y up, front +Z, to Blender's +Z up, front -Y."""
SENSOR_MM = 32.0
"""Width of the sensor: Zero123's cameras then have its training renders' 35 mm lens."""
PHOTO_RATIO = 0.9
"""Share of the photo's picture that the garment fills."""
PHOTO_SIDE_PX = 2048
"""The photo's picture is made smaller until its garment is below this."""
SIDES = (("front", 0.0), ("left", 90.0), ("back", 180.0), ("right", 270.0))
"""Pictures that stand behind the garment in orthographic views, by the wearer's sides."""


class Lens(NamedTuple):
    """A camera as Blender describes it, its sensor fitted to the picture's width."""

    matrix_world: np.ndarray
    """[4,4]; it looks along its own -Z, +Y up."""
    lens_mm: float | None
    """On a sensor of SENSOR_MM; None where it is orthographic."""
    ortho_scale_m: float | None
    """Metres across the picture; None where it is a perspective camera."""
    shift_xy: tuple[float, float]
    """How far the picture's middle lies to the right of and above the axis, in picture widths."""
    distance_m: float
    """To the middle of the canonical frame."""


def blender_files(
    mesh: trimesh.Trimesh,
    views: Views,
    openings: Sequence[Opening],
    length_cm: float,
    garment_class: str = "",
    name: str = "garment",
    rgb: np.ndarray | None = None,
    soft: np.ndarray | None = None,
) -> tuple[File, ...]:
    """The package's files, names with / for folders: mesh, texture, views/*.png, scene.json and build_scene.py.

    Vertex colours are not carried; a mesh with no faces raises MeshError, views that are none ViewsError, a mask
    of another size than the photo MaskError.

    Args:
        length_cm: vertical extent of the garment in the scene.
        rgb: [H,W,3] uint8 photo; with `soft`, its [H,W] mask, there is an orthographic camera `photo` too.
    """
    if not views.orbit.cameras:
        raise ViewsError("There are no views for Blender's cameras; give views of at least one azimuth.")
    placed = placement(np.asarray(mesh.vertices), length_cm)
    solid = mesh_files(mesh, openings, length_cm, ("obj",), garment_class, name, at=placed)
    names = tuple(f"view_{stem}" for stem in unique_names([n[:-4] for n in view_names(views.orbit.azimuths_deg)]))
    files = tuple(f"views/{stem.removeprefix('view_')}.png" for stem in names)
    pictures = [File(file, png_bytes(picture)) for file, picture in zip(files, cutouts(views), strict=True)]
    cameras = _orbit_entries(views.orbit, names, files, placed)
    planes = _planes(views.orbit, files, placed)
    if rgb is not None and soft is not None:
        check_fits(soft, rgb)
        hw = views.orbit.cameras[0].hw
        photo, pixels = photo_picture(rgb, soft, hw[1] / hw[0])
        pictures.append(File("views/photo.png", png_bytes(pixels)))
        cameras.append(_entry("photo", "views/photo.png", photo, placed, (0.0, 0.0), 0))
        planes = [plane for plane in planes if plane["name"] != "reference_front"]
        planes.insert(0, _plane("reference_photo", "views/photo.png", photo, placed))
    scene = {
        "made_by": f"Garment3D {__version__}",
        "name": name,
        "garment_class": garment_class,
        "length_cm": float(length_cm),
        "mesh": f"{name}.obj",
        **_textures(solid),
        **_marked(mesh, openings, placed),
        "size_wh": list(views.orbit.cameras[0].hw[::-1]),
        "cameras": cameras,
        "planes": planes,
    }
    text = json.dumps(scene, separators=(",", ":")).encode()
    return (*solid, *pictures, File("scene.json", text), File("build_scene.py", SCRIPT.read_bytes()))


def lens(camera: Camera, placed: Placement) -> Lens:
    """A camera of the canonical frame as Blender describes it, for a garment that stands in the scene as `placed`."""
    height, width = camera.hw
    matrix = np.eye(4)
    matrix[:3, :3] = TO_BLENDER[:3, :3] @ camera.c2w[:3, :3]
    matrix[:3, 3] = TO_BLENDER[:3, :3] @ placed.points(camera.c2w[:3, 3])
    shift = ((width / 2 - camera.center_px[0]) / width, (camera.center_px[1] - height / 2) / width)
    flat = camera.projection == "orthographic"
    return Lens(
        matrix_world=matrix,
        lens_mm=None if flat else camera.focal_px / width * SENSOR_MM,
        ortho_scale_m=width / camera.focal_px * placed.scale if flat else None,
        shift_xy=shift,
        distance_m=max(float(np.linalg.norm(camera.c2w[:3, 3])), 1e-3) * placed.scale,
    )


def photo_picture(rgb: np.ndarray, soft: np.ndarray, aspect: float) -> tuple[Camera, np.ndarray]:
    """The photo's camera for a picture of width/height `aspect` around the garment, and that [H,W,4] uint8 cut-out."""
    x0, y0, x1, y1 = mask_box(soft)
    high = round(max(y1 - y0, (x1 - x0) / aspect) / PHOTO_RATIO)
    wide = round(high * aspect)
    left, top = round((x0 + x1 - wide) / 2), round((y0 + y1 - high) / 2)
    pixels = np.zeros((high, wide, 4), np.uint8)
    seen = np.concatenate([rgb, to_uint8(soft)[..., None]], 2)
    down = slice(max(top, 0), min(top + high, rgb.shape[0]))
    along = slice(max(left, 0), min(left + wide, rgb.shape[1]))
    pixels[down.start - top : down.stop - top, along.start - left : along.stop - left] = seen[down, along]
    camera = photo_camera(soft)
    center_px = (camera.center_px[0] - left, camera.center_px[1] - top)
    framed = replace(camera, center_px=center_px, hw=(high, wide))
    factor = -(-max(high, wide) // PHOTO_SIDE_PX)
    return framed, pixels if factor == 1 else to_uint8(reduced(pixels, factor) / 255)


def _entry(
    name: str, file: str, camera: Camera, placed: Placement, angles_deg: tuple[float, float], frame: int
) -> dict[str, Any]:
    seen = lens(camera, placed)
    if seen.ortho_scale_m is None:
        kind = {"type": "PERSP", "lens": seen.lens_mm}
    else:
        kind = {"type": "ORTHO", "ortho_scale": seen.ortho_scale_m}
    return {
        "name": name,
        "file": file,
        "frame": frame,
        "azimuth_deg": angles_deg[0],
        "elevation_deg": angles_deg[1],
        "matrix_world": rows(seen.matrix_world),
        "lens": {  # by the names of bpy.types.Camera
            **kind,
            "sensor_fit": "HORIZONTAL",
            "sensor_width": SENSOR_MM,
            "shift_x": seen.shift_xy[0],
            "shift_y": seen.shift_xy[1],
            "clip_start": seen.distance_m / 100,
            "clip_end": seen.distance_m * 100,
            "display_size": seen.distance_m / 20,
            "passepartout_alpha": 0.7,
        },
    }


def _orbit_entries(orbit: Orbit, names: Sequence[str], files: Sequence[str], placed: Placement) -> list[dict[str, Any]]:
    """One entry per view, frames counted from 1 in the order of the views."""
    every = zip(names, files, orbit.cameras, orbit.azimuths_deg, strict=True)
    return [
        _entry(name, file, camera, placed, (azimuth, orbit.elevation_deg), index + 1)
        for index, (name, file, camera, azimuth) in enumerate(every)
    ]


def _planes(orbit: Orbit, files: Sequence[str], placed: Placement) -> list[dict[str, Any]]:
    """Views from level cameras within 1° of the front, the sides and the back, to stand behind the garment."""
    planes = []
    for side, wanted in SIDES if abs(orbit.elevation_deg) < 1 else ():
        away = [abs((azimuth - wanted + 180) % 360 - 180) for azimuth in orbit.azimuths_deg]
        best = int(np.argmin(away))
        if away[best] < 1:
            planes.append(_plane(f"reference_{side}", files[best], orbit.cameras[best], placed))
    return planes


def _plane(name: str, file: str, camera: Camera, placed: Placement) -> dict[str, Any]:
    """A picture that stands behind the garment, as large as what it shows is in the middle of the garment."""
    height, width = camera.hw
    origin = camera.c2w[:3, 3]
    depth = float(origin @ camera.c2w[:3, 2])
    unit = (depth if camera.projection == "perspective" else 1.0) / camera.focal_px
    across = (width / 2 - camera.center_px[0]) * unit
    up = (camera.center_px[1] - height / 2) * unit
    middle = camera.c2w[:3, :3] @ np.array([across, up, -depth - 0.8]) + origin
    matrix = np.eye(4)
    matrix[:3, :3] = TO_BLENDER[:3, :3] @ camera.c2w[:3, :3]
    matrix[:3, 3] = TO_BLENDER[:3, :3] @ placed.points(middle)
    size_m = max(width, height) * unit * placed.scale
    return {"name": name, "file": file, "size_m": size_m, "matrix_world": rows(matrix)}


def _textures(solid: Sequence[File]) -> dict[str, str | None]:
    """Which of the OBJ's files is the picture of its colours and which its normal map."""
    pictures = [file.name for file in solid if file.name.endswith((".png", ".jpg"))]
    normal = next((file for file in pictures if file.endswith("_normal.png") and len(pictures) > 1), None)
    return {"texture": next((file for file in pictures if file != normal), None), "normal_map": normal}


def _marked(mesh: trimesh.Trimesh, openings: Sequence[Opening], placed: Placement) -> dict[str, Any]:
    """Openings, vertex groups and pins, by the vertex numbers of the OBJ."""
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    one = weld(vertices)
    points = placed.points(vertices[one.first])
    anchors = [Opening(o.name, tuple(placed.points(np.asarray(o.anchor)).tolist())) for o in openings]
    found = rings(points, one.of[faces], anchors)
    if not any(len(ring.vertices) for ring in found):  # closed: cloth with a thickness is open in its outer layer
        found = rings(points, one.of[faces[outer_layer(faces, len(vertices))]], anchors)
    held = pin(points, found)
    groups: dict[str, list[int]] = {}
    for ring in found:
        if len(ring.vertices):
            groups.setdefault(ring.name, []).extend(ring.vertices.tolist())
    return {
        "openings": [_opening(ring) for ring in found if ring.name != "hole"],
        "groups": groups,
        "seams": seams(one.of[faces], faces).tolist(),
        "pin": {"vertices": held.vertices.tolist(), "weights": np.round(held.weights, 3).tolist()},
    }


def _opening(ring: Ring) -> dict[str, Any]:
    """Its place with Z pointing out of the garment."""
    z = ring.outward if ring.outward.any() else np.array([0.0, 1.0, 0.0])
    across = np.cross([0.0, 0.0, 1.0], z)
    x = across / np.linalg.norm(across) if np.linalg.norm(across) > 1e-6 else np.array([1.0, 0.0, 0.0])
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
    matrix[:3, 3] = ring.anchor
    turned = TO_BLENDER @ matrix
    return {
        "name": ring.name,
        "circumference_cm": round(ring.circumference_m * 100, 1),
        "matrix_world": rows(turned),
    }
