"""A view of the wrong shape bent until its outline is the mesh's: so cloth, not background, meets the mesh's edge.

Painted views get the far side's shape wrong by a few hundredths. The outline tells how far, across itself only; what
moves the inside is the smoothest field that explains it.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.measure import find_contours

from .trust import signed_distance

LENGTH = 0.25
"""Over which the field changes, in the silhouette's longest side."""
MOST = 0.07
"""A piece of outline farther off than this is of another shape, not a shifted one."""
SIGMA = 0.03
"""How far the field moves things, as one sigma, in the same unit."""
NOISE_PX = 0.6
"""How exact an outline at this resolution is."""
BORDER_PX = 2.5
MOST_POINTS = 240
ROUNDS = 3
ALONG = 0.5
"""Least cosine between both outlines' directions."""


def bend(drawn: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[2,h,w] float64 pixels (down, right) to go in the picture from each place of the mesh's silhouette `drawn`.

    Both are [h,w] soft and already laid to each other; all 0 where one of them is empty.
    Source: regression by a Gaussian process on the outline's normal displacements.
    """
    field = np.zeros((2, *drawn.shape))
    points, normals = _outline(drawn)
    solid = mask >= 0.5
    if len(points) < 8 or not solid.any():
        return field
    side = float(np.ptp(points, axis=0).max())
    distance = gaussian_filter(signed_distance(solid), 0.7)
    slope = np.stack(np.gradient(distance))
    length, sigma = LENGTH * side, SIGMA * side
    for _ in range(ROUNDS):
        moved = points + _at(field, points)
        off, towards = _at(distance[None], moved)[:, 0], _at(slope, moved)
        towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-6)
        kept = (np.abs(off) < MOST * side) & ((towards * normals).sum(1) > ALONG)
        if kept.sum() < 8:
            break
        wanted = ((moved - points) * towards).sum(1) - off
        field = _smoothest(points[kept], towards[kept], wanted[kept], length, sigma, drawn.shape)
    return field


def bent(picture: torch.Tensor, field: np.ndarray) -> torch.Tensor:
    """[C,H,W] picture read where a [2,h,w] field of a smaller picture's pixels points, its edge beyond it."""
    height, width = picture.shape[1:]
    scale = torch.tensor([2 / field.shape[2], 2 / field.shape[1]], dtype=torch.float32)
    shift = torch.as_tensor(field[::-1].copy(), dtype=torch.float32)[None]
    shift = torch.nn.functional.interpolate(shift, (height, width), mode="bicubic")[0].permute(1, 2, 0) * scale
    y, x = (torch.arange(n, dtype=torch.float32).add(0.5).mul(2 / n).sub(1) for n in (height, width))
    grid = torch.stack([x[None].expand(height, -1), y[:, None].expand(-1, width)], -1) + shift
    grid = grid[None].to(picture.device)
    return torch.nn.functional.grid_sample(
        picture[None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )[0]


def _outline(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N,2] places (row, column) along a silhouette's edge and their [N,2] unit directions inwards."""
    rings = find_contours(np.pad(drawn, 1), 0.5)
    points = np.concatenate([ring[:-1] - 1 for ring in rings]) if rings else np.empty((0, 2))
    # A garment that runs out of the picture has no outline there.
    points = points[((points > BORDER_PX) & (points < np.array(drawn.shape) - 1 - BORDER_PX)).all(1)]
    points = points[:: max(1, -(-len(points) // MOST_POINTS))]
    slope = _at(np.stack(np.gradient(gaussian_filter(drawn, 1.5))), points)
    return points, slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)


def _at(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[N,C] of [C,h,w] at [N,2] places."""
    return np.stack([map_coordinates(channel, points.T, order=1, mode="nearest") for channel in values], 1)


def _smoothest(
    points: np.ndarray, towards: np.ndarray, wanted: np.ndarray, length: float, sigma: float, hw: tuple[int, ...]
) -> np.ndarray:
    """[2,h,w] the likeliest field that moves [N,2] points by [N] `wanted` along their [N,2] directions."""
    prior = np.exp(-0.5 * np.square(points[:, None] - points).sum(2) / length**2) * (towards @ towards.T)
    pull = cho_solve(cho_factor(prior * sigma**2 + np.eye(len(points)) * NOISE_PX**2), wanted)
    rows, columns = (np.exp(-0.5 * ((np.arange(n)[:, None] - points[:, i]) / length) ** 2) for i, n in enumerate(hw))
    return sigma**2 * np.stack([(rows * (pull * towards[:, i])) @ columns.T for i in range(2)])
