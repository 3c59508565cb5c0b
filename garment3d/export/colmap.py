"""The views' cameras and points on the garment as a COLMAP text model, which every 3DGS trainer starts from.

COLMAP's cameras look along +Z with y down, its poses go from the world to the camera, and its pixel (0, 0) covers
[0, 1)² as ours does. The world is the saved garment's own frame: metres, +Y up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data import Camera, Orbit
from ..errors import ViewsError
from .cameras import placed_c2w
from .mesh import File
from .points import Points

FOLDER = "sparse/0"


def colmap_files(
    orbit: Orbit, files: Sequence[str], frame_to_file: np.ndarray, points: Points | None = None
) -> tuple[File, ...]:
    """cameras.txt, images.txt and points3D.txt under sparse/0/; an orthographic camera raises ViewsError.

    Views with the same lens share one PINHOLE camera. A point's track and each image's POINTS2D name each other as
    COLMAP's own do; without `points` both are empty, which is a valid model of known poses.

    Args:
        files: pictures' paths; COLMAP takes them from its `images` folder, so that folder's name is left out.

    Source: doc/format.rst (github.com/colmap/colmap).
    """
    if points is not None and len(points.seen) != len(orbit.cameras):
        raise ViewsError(f"The points know {len(points.seen)} views and the orbit has {len(orbit.cameras)}.")
    lenses = [_lens(camera) for camera in orbit.cameras]
    distinct = list(dict.fromkeys(lenses))
    cameras = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, fx, fy, cx, cy"]
    cameras += [f"{i} PINHOLE {lens}" for i, lens in enumerate(distinct, 1)]
    seen = np.zeros((len(lenses), 0), bool) if points is None else points.seen
    images = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; then POINTS2D[] as X, Y, POINT3D_ID"]
    for i, (camera, lens, file) in enumerate(zip(orbit.cameras, lenses, files, strict=True)):
        name = file.removeprefix("images/")
        images.append(f"{i + 1} {_pose(camera, frame_to_file)} {distinct.index(lens) + 1} {name}")
        ids = np.flatnonzero(seen[i])
        places = [] if points is None else points.xy_px[i, ids].tolist()
        images.append(" ".join(f"{x:.3f} {y:.3f} {j + 1}" for (x, y), j in zip(places, ids.tolist(), strict=True)))
    texts = {"cameras": cameras, "images": images, "points3D": _points(points, frame_to_file)}
    return tuple(File(f"{FOLDER}/{name}.txt", ("\n".join(lines) + "\n").encode()) for name, lines in texts.items())


def points_ply(points: Points, frame_to_file: np.ndarray) -> bytes:
    """A binary PLY of the points in metres: x, y, z, nx, ny, nz (all 0: not known), red, green, blue; may be of none.

    Trainers that start from no COLMAP model take it: nerfstudio, and 3DGS's reader of synthetic data sets.
    """
    fields = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(name, "u1") for name in ("red", "green", "blue")]
    table = np.zeros(len(points.xyz), fields)
    for name, column in zip("xyz", _placed(points.xyz, frame_to_file).T, strict=True):
        table[name] = column
    for name, column in zip(("red", "green", "blue"), points.rgb.T, strict=True):
        table[name] = column
    kinds = {"<f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    header += [f"property {kinds[kind]} {name}" for name, kind in fields]
    return "\n".join([*header, "end_header\n"]).encode() + table.tobytes()


def _lens(camera: Camera) -> str:
    if camera.projection != "perspective":
        raise ViewsError(
            f"One of the views has an {camera.projection} camera, and COLMAP knows perspective ones only; "
            "choose json or gltf for it."
        )
    (height, width), (x, y) = camera.hw, camera.center_px
    return f"{width} {height} {camera.focal_px:.12g} {camera.focal_px:.12g} {x:.12g} {y:.12g}"


def _pose(camera: Camera, frame_to_file: np.ndarray) -> str:
    """QW QX QY QZ TX TY TZ from the world in metres to a camera that looks along +Z with y down."""
    from scipy.spatial.transform import Rotation

    w2c = np.diag([1.0, -1.0, -1.0, 1.0]) @ np.linalg.inv(placed_c2w(camera, frame_to_file))
    x, y, z, w = Rotation.from_matrix(w2c[:3, :3]).as_quat()
    return " ".join(f"{value + 0.0:.12g}" for value in (w, x, y, z, *w2c[:3, 3]))


def _points(points: Points | None, frame_to_file: np.ndarray) -> list[str]:
    lines = ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as IMAGE_ID, POINT2D_IDX"]
    if points is None:
        return lines
    order = points.seen.cumsum(1) - 1
    for i, (xyz, rgb) in enumerate(zip(_placed(points.xyz, frame_to_file).tolist(), points.rgb.tolist(), strict=True)):
        views = np.flatnonzero(points.seen[:, i])
        track = " ".join(f"{view + 1} {order[view, i]}" for view in views)
        # Nothing was matched: a point of the garment's own has no error, and one that no view sees an unknown one.
        error = 0 if len(views) else -1
        lines.append("{} {:.7g} {:.7g} {:.7g} {} {} {} {} {}".format(i + 1, *xyz, *rgb, error, track).rstrip())
    return lines


def _placed(xyz: np.ndarray, frame_to_file: np.ndarray) -> np.ndarray:
    return xyz @ frame_to_file[:3, :3].T + frame_to_file[:3, 3]
