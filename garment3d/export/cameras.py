"""The cameras of the views as one JSON text, so that other tools can stand where the pictures were taken.

Keys of cameras.json:

    frame            the frame of every `c2w`, in words
    camera           how a camera looks in its own frame, in words
    pixels           where pixel coordinates start, in words
    frame_to_file    [4][4]: canonical point → metres in garment.glb, .obj, .ply and .stl
    photo            the orthographic camera of the photo: one entry as in `views`, file null; null if not known
    views            one entry per picture:
        file             path beside cameras.json
        seed             of the noise the view was painted from; null for one that was not painted
        azimuth_deg      0 = the photo's side, positive = towards +X, the wearer's left
        elevation_deg    positive = above
        projection       "perspective" or "orthographic"
        fov_deg          [horizontal, vertical] field of view; null for an orthographic camera
        focal_px         pixels per unit tangent, or per unit length when orthographic
        center_px        [x, y] principal point from the top-left corner
        size_wh          [width, height] of the picture
        c2w              [4][4], camera to canonical frame, row by row
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import Camera, Orbit
from ..errors import ViewsError

FRAME = "canonical: right-handed, +Y up, front +Z, +X the image's right; longest side of the mask's box 1, centre 0"
CAMERA = "looks along its own -Z, +Y up, +X right (the same as Blender, OpenGL, glTF and NeRF)"
PIXELS = "x right, y down, pixel (0, 0) covers [0, 1) x [0, 1)"


def cameras_json(
    orbit: Orbit,
    files: Sequence[str],
    photo: Camera | None,
    frame_to_file: np.ndarray,
    seeds: Sequence[int | None] | None = None,
) -> str:
    """The text of cameras.json for one file name, and where views were painted one seed, per camera of the orbit.

    Its keys are listed above; without seeds each is null.
    """
    elevation_deg = orbit.elevation_deg
    painted = [None] * len(orbit.cameras) if seeds is None else seeds
    views = [
        {"file": file, "seed": seed, "azimuth_deg": azimuth, "elevation_deg": elevation_deg, **_camera(camera)}
        for file, seed, azimuth, camera in zip(files, painted, orbit.azimuths_deg, orbit.cameras, strict=True)
    ]
    whole = {
        "frame": FRAME,
        "camera": CAMERA,
        "pixels": PIXELS,
        "frame_to_file": rows(frame_to_file),
        "photo": photo and {"file": None, "seed": None, "azimuth_deg": 0.0, "elevation_deg": 0.0, **_camera(photo)},
        "views": views,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def view_names(azimuths_deg: Sequence[float]) -> tuple[str, ...]:
    """`000.png`, `020.png`, … by azimuth; whole degrees have three digits, others get their decimals: `022.5.png`."""
    return tuple(f"{_degrees(azimuth)}.png" for azimuth in azimuths_deg)


def placed_c2w(camera: Camera, frame_to_file: np.ndarray) -> np.ndarray:
    """[4,4] rigid, from the camera to the file's metres; a frame that mirrors or stretches raises ViewsError."""
    scale = np.linalg.norm(frame_to_file[:3, 0])
    turn = frame_to_file[:3, :3] / scale
    if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6) or np.linalg.det(turn) < 0:
        raise ViewsError(f"The frame {rows(frame_to_file)} mirrors or stretches; cameras can be turned and moved only.")
    c2w = np.eye(4)
    c2w[:3, :3] = turn @ camera.c2w[:3, :3]
    c2w[:3, 3] = frame_to_file[:3, :3] @ camera.c2w[:3, 3] + frame_to_file[:3, 3]
    return c2w


def rows(matrix: np.ndarray) -> list[list[float]]:
    """A matrix as JSON holds it, row by row, to a billionth."""
    return (np.round(matrix, 9) + 0.0).tolist()


def _degrees(azimuth_deg: float) -> str:
    whole = round(azimuth_deg, 3) % 360
    return f"{whole:03.0f}" if whole == int(whole) else f"{whole:07.3f}".rstrip("0")


def _camera(camera: Camera) -> dict[str, Any]:
    height, width = camera.hw
    fov = None
    if camera.projection == "perspective":
        fov = [round(2 * math.degrees(math.atan(side / 2 / camera.focal_px)), 6) for side in (width, height)]
    return {
        "projection": camera.projection,
        "fov_deg": fov,
        "focal_px": camera.focal_px,
        "center_px": list(camera.center_px),
        "size_wh": [width, height],
        "c2w": rows(camera.c2w),
    }
