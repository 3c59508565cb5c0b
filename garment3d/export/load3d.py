"""A camera as ComfyUI's LOAD3D_CAMERA, so that its viewers and renderers stand where a view was taken from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..data import Camera
from ..errors import ViewsError

NEAR, FAR = 0.01, 100.0


def load3d_camera(camera: Camera, target: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> dict[str, Any]:
    """position, target, quaternion, fov, aspect, … of ComfyUI's camera_info, in the canonical frame of a MESH.

    `target` is moved onto the view axis, beside itself, because readers take the axis from it; `fov` is the vertical
    field of view, and of an orthographic camera the one that spans its frustum at the target, which is what Render
    Splat goes by (Render Mesh draws every camera as a perspective one). Render Splat takes `fov` for the shorter
    side: in a picture that is higher than wide it shows less. A perspective camera whose principal point is more
    than half a pixel off the middle can't be said here and raises ViewsError.

    Source: Load3DCamera in comfy_api/latest/_io.py (github.com/comfyanonymous/ComfyUI); three.js, PerspectiveCamera.
    """
    from scipy.spatial.transform import Rotation

    height, width = camera.hw
    x, y = camera.center_px
    eye, backward = camera.c2w[:3, 3], camera.c2w[:3, 2]
    distance = float((eye - np.asarray(target, float)) @ backward)
    if distance < NEAR:
        raise ViewsError(f"The target {tuple(target)} lies behind the camera at {_told(eye)}; give one that it sees.")
    perspective = camera.projection == "perspective"
    if perspective and math.dist((x, y), (width / 2, height / 2)) > 0.5:
        raise ViewsError(
            f"The camera's principal point ({x:g}, {y:g}) is not the middle of its {width} × {height} picture; "
            "ComfyUI's viewers can't show that: use an uncropped picture."
        )
    half = height / 2 / camera.focal_px / (1 if perspective else distance)
    info = {
        "position": _xyz(eye),
        "target": _xyz(eye - distance * backward),
        "zoom": 1.0,
        "cameraType": camera.projection,
        "quaternion": _xyz(Rotation.from_matrix(camera.c2w[:3, :3]).as_quat()),
        "fov": math.degrees(2 * math.atan(half)),
        "aspect": width / height,
        "near": NEAR,
        "far": FAR,
    }
    if perspective:
        return info
    sides = {"left": -x, "right": width - x, "top": y, "bottom": y - height}
    return {**info, "frustum": {side: value / camera.focal_px for side, value in sides.items()}}


def _xyz(values: np.ndarray) -> dict[str, float]:
    return {axis: float(value) + 0.0 for axis, value in zip("xyzw", values, strict=False)}


def _told(point: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:.2f}" for v in point) + ")"
