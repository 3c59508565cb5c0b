"""Front or back, plain or mirrored: what speaks for each of the four poses that share one silhouette.

Outlines of real garments are a little lopsided, their cut is lower in front, and colours lie where the photo has them;
each is counted in one currency, so that noise in one does not overrule a clear answer of another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from ...camera import photo_camera, project
from .cloth import Cloth
from .contour import grid_camera, mesh_silhouette
from .poses import Pose
from .settle import Settled

OUTLINE, SURFACE, COLOUR = 0.1, 0.03, 0.05
"""Relative change of each that counts as one."""
FINE = 0.002
"""Outlines that agree to this, in canonical units, agree: below it there is only the grid."""
PLAINEST = 0.015
"""Spread of sRGB numbers below which a photo is one colour."""
MIRRORED, FACING = 3.0, 1.0
"""What has to speak for a mirror image, and what speaks for a front along +Z, where generators put it."""
HIDDEN = 0.02
"""A point this far behind the surface that the camera sees is not in the photo."""


class Verdict(NamedTuple):
    """One of the poses and what speaks for it."""

    settled: Settled
    score: float
    """Higher is better; a difference of 1 is about what noise does."""


def judged(settled: Settled, cloth: Cloth, soft: np.ndarray, rgb: np.ndarray | None, facing: bool) -> Verdict:
    """The Verdict on a pose; `facing` where it leaves the front along +Z."""
    score = -np.log(settled.edge + FINE) / OUTLINE - np.log(settled.apart + 1e-4) / SURFACE
    score += FACING * facing - MIRRORED * settled.pose.mirrored
    if rgb is not None and cloth.colours is not None:
        score -= np.log(unlike(settled.pose, cloth, cloth.colours, soft, rgb) + 0.02) / COLOUR
    return Verdict(settled, float(score))


def unlike(pose: Pose, cloth: Cloth, colours: np.ndarray, soft: np.ndarray, rgb: np.ndarray) -> float:
    """Share in 0..1 of the photo's pattern that the target's colours don't explain; 1 where either is plain.

    Each channel may be brighter and of more contrast, as generators bake their own light in.
    """
    points = pose(cloth.points)
    shown = _in_view(points, cloth.normals @ pose.turn.T, pose, cloth)
    camera = photo_camera(soft)
    pixels = project(camera, points[shown])[0]
    size = camera.focal_px / 60  # as coarse as the samples lie
    at = [pixels[:, 1] - 0.5, pixels[:, 0] - 0.5]
    weight = gaussian_filter(np.asarray(soft, np.float32), size)
    photo = [gaussian_filter(rgb[..., i] * np.asarray(soft, np.float32) / 255, size) for i in range(3)]
    cover = map_coordinates(weight, at, order=1)
    inside = cover > 0.5
    if inside.sum() < 50:
        return 1.0
    left, whole = 0.0, 0.0
    for channel, picture in enumerate(photo):
        goal = map_coordinates(picture, at, order=1)[inside] / cover[inside]
        own = colours[shown, channel][inside]
        goal, own = goal - goal.mean(), own - own.mean()
        gain = max(float(goal @ own) / max(float(own @ own), 1e-9), 0.0)
        left += float(((goal - gain * own) ** 2).sum())
        whole += float((goal**2).sum())
    noise = 3 * PLAINEST**2 * inside.sum()
    return (left + noise) / (whole + noise)


def _in_view(points: np.ndarray, normals: np.ndarray, pose: Pose, cloth: Cloth) -> np.ndarray:
    """[P] bool: points that face the photo's camera with nothing before them."""
    depth = mesh_silhouette(pose(cloth.vertices), cloth.faces).depth
    assert depth is not None
    pixels, own = project(grid_camera(), points)
    column, row = np.clip(np.floor(pixels).astype(int), 0, len(depth) - 1).T
    return (normals[:, 2] > 0.2) & (own < depth[row, column] + HIDDEN)
