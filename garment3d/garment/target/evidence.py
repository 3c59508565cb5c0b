"""Front or back, plain or mirrored: what speaks for each of the four poses that share one silhouette.

Outlines of real garments are a little lopsided, their cut is lower in front, and colours lie where the photo has them;
each is counted in one currency, so that noise in one does not overrule a clear answer of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from ...camera import photo_camera, project
from .cloth import Cloth, Print
from .contour import grid_camera, mesh_silhouette
from .poses import Pose
from .settle import Settled

OUTLINE, SURFACE, COLOUR = 0.1, 0.03, 0.03
"""Relative change of each that counts as one."""
FINE = 0.002
"""Outlines that agree to this, in canonical units, agree: below it there is only the grid."""
PLAINEST = 0.015
"""Spread of sRGB numbers below which a photo is one colour."""
MIRRORED, FACING = 2.0, 1.0
"""What has to speak for a mirror image, and what speaks for a front along +Z, where generators put it."""
GRAIN = 200
"""Details of a print, along the garment's longest side, that its samples can show."""
SLACK = 0.005
"""Canonical units by which a print may lie beside its place, each way: checks and dots agree or not by chance."""
FEWEST = 50
"""With fewer samples in the photo nothing is said."""
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
    if rgb is not None and cloth.print is not None:
        score -= np.log(unlike(settled.pose, cloth, cloth.print, soft, rgb) + 0.02) / COLOUR
    return Verdict(settled, float(score))


def unlike(pose: Pose, cloth: Cloth, shown: Print, soft: np.ndarray, rgb: np.ndarray) -> float:
    """Share in 0..1 of the photo's pattern that the target's colours don't explain; 1 where either is plain.

    Each channel may be brighter and of more contrast, as generators bake their own light in, and lie a little off.
    """
    points = pose(shown.points)
    met = _in_view(points, shown.normals @ pose.turn.T, pose, cloth)
    return min(_unexplained(goal, shown.colours[met]) for goal in _photo_near(points[met], soft, rgb))


def _unexplained(goal: np.ndarray, own: np.ndarray) -> float:
    known = np.isfinite(goal).all(1)
    if known.sum() < FEWEST:
        return 1.0
    goal, own = goal[known], own[known]
    goal, own = goal - goal.mean(0), own - own.mean(0)
    gain = np.maximum((goal * own).sum(0) / np.maximum((own * own).sum(0), 1e-9), 0)
    noise = goal.size * PLAINEST**2
    return float((((goal - gain * own) ** 2).sum() + noise) / ((goal**2).sum() + noise))


def _photo_near(points: np.ndarray, soft: np.ndarray, rgb: np.ndarray) -> Iterator[np.ndarray]:
    """[P,3] sRGB in 0..1 of the photo at canonical points and a step beside, as coarse as a print; NaN off the garment.

    Yields nine of them, the points' own place first.
    """
    camera = photo_camera(soft)
    pixels = project(camera, points)[0]
    size = camera.focal_px / GRAIN
    weight = np.asarray(soft, np.float32)
    channels = [np.asarray(rgb[..., i], np.float32) / 255 * weight for i in range(3)]
    smooth = [gaussian_filter(picture, size) for picture in (weight, *channels)]
    for down, right in product((0, -1, 1), repeat=2):
        step = SLACK * camera.focal_px
        at = [pixels[:, 1] - 0.5 + down * step, pixels[:, 0] - 0.5 + right * step]
        cover, *colours = (map_coordinates(picture, at, order=1) for picture in smooth)
        yield np.where(cover[:, None] > 0.5, np.stack(colours, 1) / np.maximum(cover, 1e-6)[:, None], np.nan)


def _in_view(points: np.ndarray, normals: np.ndarray, pose: Pose, cloth: Cloth) -> np.ndarray:
    """[P] bool: points that face the photo's camera with nothing before them."""
    depth = mesh_silhouette(pose(cloth.vertices), cloth.faces).depth
    assert depth is not None
    pixels, own = project(grid_camera(), points)
    column, row = np.clip(np.floor(pixels).astype(int), 0, len(depth) - 1).T
    return (normals[:, 2] > 0.2) & (own < depth[row, column] + HIDDEN)
