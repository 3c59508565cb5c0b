"""The one statement of axes, and the cameras built on it.

Canonical frame: right-handed, +Y up, the garment's front faces +Z, so +X is the image's right and the wearer's left.
The garment is centred with its longest side 1, in [-0.5, 0.5]³. Faces are counter-clockwise seen from outside.
The photo's camera is orthographic and looks along −Z; the mask's bounding box defines its scale and its centre.
Azimuth 0 is the photo's side and grows as the camera moves to the image's right (towards +X); elevation grows upwards.
Pixels: x right, y down, pixel (0, 0) covers [0, 1)², its centre is (0.5, 0.5). Depth is distance along the view axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .data import Camera, Orbit
from .errors import MaskError

ZERO123_FOV_DEG = math.degrees(2 * math.atan(16 / 35))
"""35 mm lens on a 32 mm sensor: Zero123's training renders (github.com/cvlab-columbia/zero123)."""
ZERO123_RADIUS = 1 / (2 * math.tan(math.radians(ZERO123_FOV_DEG) / 2) * 0.78)
"""Where a garment of length 1 spans 78 % of the picture, as Zero123's preprocessing leaves it."""


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 in pixels (x1, y1 exclusive) around mask ≥ 0.5; an empty mask raises MaskError."""
    solid = mask >= 0.5
    rows, cols = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    if not len(rows):
        raise MaskError("The mask is empty: paint or select the garment so that it is white in the mask.")
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1


def photo_camera(mask: np.ndarray) -> Camera:
    """The orthographic camera that took the photo, for a [H,W] mask; the mask's longest side becomes length 1."""
    x0, y0, x1, y1 = mask_box(mask)
    c2w = np.eye(4)
    c2w[2, 3] = 2.0
    return Camera("orthographic", float(max(x1 - x0, y1 - y0)), ((x0 + x1) / 2, (y0 + y1) / 2), c2w, mask.shape)


def orbit_camera(
    azimuth_deg: float, elevation_deg: float, radius: float, fov_deg: float, hw: tuple[int, int]
) -> Camera:
    """A perspective camera on a sphere around the origin, looking at it; `fov_deg` spans the shorter image side."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    backward = np.array(
        [math.cos(elevation) * math.sin(azimuth), math.sin(elevation), math.cos(elevation) * math.cos(azimuth)]
    )
    right = np.array([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    c2w = np.eye(4)
    c2w[:3, 0], c2w[:3, 1], c2w[:3, 2], c2w[:3, 3] = right, np.cross(backward, right), backward, backward * radius
    focal_px = min(hw) / (2 * math.tan(math.radians(fov_deg) / 2))
    return Camera("perspective", focal_px, (hw[1] / 2, hw[0] / 2), c2w, hw)


def orbit(
    step_deg: float = 20.0,
    elevation_deg: float = 0.0,
    radius: float = ZERO123_RADIUS,
    fov_deg: float = ZERO123_FOV_DEG,
    hw: tuple[int, int] = (512, 512),
    azimuths_deg: Sequence[float] | None = None,
) -> Orbit:
    """Cameras at azimuth 0, step, 2·step, … below 360, or at `azimuths_deg` when given."""
    if azimuths_deg is None:
        if not 0 < step_deg <= 360:
            raise ValueError(f"The orbit step is {step_deg}°; it must be above 0 and at most 360.")
        azimuths_deg = [i * step_deg for i in range(math.ceil(360 / step_deg - 1e-9))]
    cameras = tuple(orbit_camera(a, elevation_deg, radius, fov_deg, hw) for a in azimuths_deg)
    return Orbit(cameras, tuple(float(a) for a in azimuths_deg), elevation_deg, radius)


def orbit_radius(
    points: np.ndarray,
    elevation_deg: float = 0.0,
    fov_deg: float = ZERO123_FOV_DEG,
    least: float = ZERO123_RADIUS,
    fill: float = 0.96,
) -> float:
    """`least`, or the distance from which every azimuth sees all canonical [N,3] points in `fill` of the picture."""
    slope = fill * math.tan(math.radians(fov_deg) / 2)
    for azimuth_deg in range(0, 360, 5):
        axes = orbit_camera(azimuth_deg, elevation_deg, 1.0, fov_deg, (2, 2)).c2w[:3, :3]
        across, up, towards = (points @ axes).T
        # A point is in the picture where |across| and |up| ≤ slope · (radius − towards).
        least = max(least, float((np.maximum(np.abs(across), np.abs(up)) / slope + towards).max(initial=0)))
    return least


def project(camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[..., 2] pixel positions and [...] depths (positive in front) of canonical [..., 3] points."""
    w2c = np.linalg.inv(camera.c2w)
    points_cam = points @ w2c[:3, :3].T + w2c[:3, 3]
    depth = -points_cam[..., 2]
    scale = camera.focal_px / depth if camera.projection == "perspective" else camera.focal_px
    x_px = camera.center_px[0] + points_cam[..., 0] * scale
    y_px = camera.center_px[1] - points_cam[..., 1] * scale
    return np.stack([x_px, y_px], -1), depth


def unproject(camera: Camera, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Canonical [..., 3] points of [..., 2] pixel positions at [...] depths; the inverse of `project`."""
    depth = np.broadcast_to(np.asarray(depth, float), pixels.shape[:-1])
    scale = depth / camera.focal_px if camera.projection == "perspective" else np.full_like(depth, 1 / camera.focal_px)
    x_cam = (pixels[..., 0] - camera.center_px[0]) * scale
    y_cam = (camera.center_px[1] - pixels[..., 1]) * scale
    return np.stack([x_cam, y_cam, -depth], -1) @ camera.c2w[:3, :3].T + camera.c2w[:3, 3]
