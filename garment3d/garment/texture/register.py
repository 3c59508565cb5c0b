"""A view's picture laid to the mesh: the shift and scale by which their silhouettes agree, kept in the camera.

Shift and scale of a picture about its principal point are the camera's principal point and focal length, so the mesh
is drawn once for a view and only its silhouette is moved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import affine_transform, gaussian_filter

from ...data import Camera
from .looks import Depths

MOST_SCALE, MOST_SHIFT = 0.12, 0.08
"""Bounds of the search: change of scale, and shift in picture sides."""
BLURS_PX = (2.5, 0.8)
"""Coarse to fine."""
WELL = 0.97
"""Silhouettes that agree so well need no further start."""
STEPS = 12
"""Most steps at each blur."""


class Moved(NamedTuple):
    """How a view's picture lies against the mesh drawn by the view's own camera."""

    right_px: float
    """In the view's pixels."""
    down_px: float
    scale: float
    """Above 1 where the picture shows the garment larger."""


class Registered(NamedTuple):
    """A view's camera as its picture tells it."""

    camera: Camera
    """With the picture's shift and scale."""
    moved: Moved
    agreement: float
    """Soft IoU of the mask and the mesh's silhouette, as registered."""
    drawn: np.ndarray
    """[h,w] float32 the mesh's silhouette where the picture shows it, at the depths' resolution."""
    mask: np.ndarray
    """[h,w] float32 the mask at that resolution."""


def register(depths: Depths, camera: Camera, soft: np.ndarray) -> Registered:
    """The Registered camera of a view's [H,W] mask; unmoved where moving makes the silhouettes agree no better.

    `depths` are the mesh's, drawn by the same camera at any resolution.
    """
    small = depths.camera
    drawn, mask = silhouette(depths), shrunk(soft, small.hw)
    center = np.array([small.center_px[1], small.center_px[0]])
    still = np.array([1.0, 0.0, 0.0])
    best, agreement = still, overlap(drawn, mask)
    starts = [_by_boxes(drawn, mask, center), still] if drawn.any() and mask.any() else []
    for start in starts:
        if agreement > WELL:
            break
        found = _refined(drawn, mask, center, start)
        iou = overlap(_laid(drawn, center, found), mask)
        if iou > agreement + 1e-4:
            best, agreement = found, iou
    unit = camera.hw[0] / small.hw[0]
    moved = Moved(float(best[2] * unit), float(best[1] * unit), float(best[0]))
    return Registered(moved_camera(camera, moved), moved, agreement, _laid(drawn, center, best), mask)


def moved_camera(camera: Camera, moved: Moved) -> Camera:
    """The camera whose picture of the mesh is the old one's, moved."""
    center = (camera.center_px[0] + moved.right_px, camera.center_px[1] + moved.down_px)
    return replace(camera, focal_px=camera.focal_px * moved.scale, center_px=center)


def silhouette(depths: Depths) -> np.ndarray:
    """[h,w] float32 share of each pixel of the depths' camera that the mesh covers."""
    covered = torch.isfinite(depths.values).float()
    return torch.nn.functional.avg_pool2d(covered[None], covered.shape[0] // depths.camera.hw[0])[0].numpy()


def shrunk(soft: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """[h,w] float32 area means of a [H,W] mask."""
    values = torch.from_numpy(np.asarray(soft, np.float32).copy())[None, None]
    return torch.nn.functional.interpolate(values, hw, mode="bilinear", antialias=True)[0, 0].numpy()


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Soft IoU of two masks of one size, 0 where both are empty."""
    whole = float(np.maximum(a, b).sum())
    return float(np.minimum(a, b).sum()) / whole if whole else 0.0


def _laid(drawn: np.ndarray, center: np.ndarray, move: np.ndarray) -> np.ndarray:
    """[h,w] the drawn silhouette scaled about its principal point and shifted by (rows, columns)."""
    middle = center - 0.5
    offset = middle - (middle + move[1:]) / move[0]
    return affine_transform(drawn, np.full(2, 1 / move[0]), offset, order=1)


def _by_boxes(drawn: np.ndarray, mask: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Scale and shift that lay the middles and areas of both silhouettes on each other."""
    scale = np.clip(np.sqrt(mask.sum() / drawn.sum()), 1 - MOST_SCALE, 1 + MOST_SCALE)
    middles = [_middle(soft) for soft in (drawn, mask)]
    shift = middles[1] - (center + (middles[0] - center) * scale)
    most = MOST_SHIFT * max(drawn.shape)
    return np.array([scale, *np.clip(shift, -most, most)])


def _middle(soft: np.ndarray) -> np.ndarray:
    """[2] row and column between the ends of a mask."""
    solid = soft >= 0.5 * soft.max()
    ends = [np.flatnonzero(solid.any(axis)) for axis in (1, 0)]
    return np.array([(end[0] + end[-1] + 1) / 2 for end in ends])


def _refined(drawn: np.ndarray, mask: np.ndarray, center: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Scale and shift with the least squared difference of the silhouettes, coarse to fine, by Gauss-Newton."""
    side = max(drawn.shape)
    most = np.array([MOST_SCALE, MOST_SHIFT * side, MOST_SHIFT * side])
    still = np.array([1.0, 0.0, 0.0])
    move = np.clip(start, still - most, still + most)
    rows, columns = (np.arange(n)[:, None] - c + 0.5 for n, c in zip(drawn.shape, center, strict=True))
    for blur in BLURS_PX:
        soft, target = gaussian_filter(drawn, blur), gaussian_filter(mask, blur)
        for _ in range(STEPS):
            laid = _laid(soft, center, move)
            down, right = np.gradient(laid)
            grown = (down * (rows - move[1]) + right * (columns.T - move[2])) / move[0]
            slopes = np.stack([-grown.ravel(), -down.ravel(), -right.ravel()], 1)
            step = np.linalg.lstsq(slopes.T @ slopes, slopes.T @ (target - laid).ravel(), rcond=1e-9)[0]
            move = np.clip(move + step, still - most, still + most)
            if np.abs(step * [side, 1, 1]).max() < 0.01:
                break
    return move
