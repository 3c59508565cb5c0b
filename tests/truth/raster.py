"""An orthographic z-buffer in plain numpy, with no code in common with the library's own renderer.

Triangles become rows and rows become samples, so the cost follows the covered area, not the bounding boxes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Fragments(NamedTuple):
    """The nearest surface under each covered sample, N samples in row-major order."""

    index: np.ndarray
    """[N] flat sample index into the [H,W] picture."""
    face: np.ndarray
    """[N] the face seen."""
    weights: np.ndarray
    """[N,3] barycentric weights of the face's corners."""
    depth: np.ndarray
    """[N] towards the viewer, in the vertices' unit."""
    hw: tuple[int, int]


def _spans(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of sum(count) items: the span it belongs to, and its position in that span."""
    owner = np.repeat(np.arange(len(count)), count)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)


def rasterise(points: np.ndarray, faces: np.ndarray, hw: tuple[int, int]) -> Fragments:
    """What is seen of [V,3] points: x right and y down in samples, z towards the viewer; centres lie at +0.5."""
    corner = points[faces]
    x, y, z = corner[..., 0], corner[..., 1], corner[..., 2]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    first = np.clip(np.ceil(y.min(1) - 0.5), 0, hw[0]).astype(int)
    last = np.clip(np.ceil(y.max(1) - 0.5), 0, hw[0]).astype(int)
    count = np.where(np.abs(area) > 1e-9, np.maximum(last - first, 0), 0)
    face, row = _spans(count)
    row = row + first[face]
    left, right = _crossings(x[face], y[face], row + 0.5)
    start = np.clip(np.ceil(left - 0.5), 0, hw[1]).astype(int)
    stop = np.clip(np.ceil(right - 0.5), 0, hw[1]).astype(int)
    span, column = _spans(np.maximum(stop - start, 0))
    column = column + start[span]
    face, row = face[span], row[span]
    # Depth is a plane over the picture: three numbers per face instead of weights per sample.
    u, v = _slopes(x, y, area)
    across, down = (u * (z[:, 1:] - z[:, :1])).sum(1), (v * (z[:, 1:] - z[:, :1])).sum(1)
    level = z[:, 0] - across * (x[:, 0] - 0.5) - down * (y[:, 0] - 0.5)
    depth = level[face] + across[face] * column + down[face] * row
    index = row * hw[1] + column
    nearest = np.full(hw[0] * hw[1], -np.inf)
    np.maximum.at(nearest, index, depth)
    winner = np.full(hw[0] * hw[1], -1)
    seen = np.flatnonzero(depth == nearest[index])
    winner[index[seen]] = seen
    index = np.flatnonzero(winner >= 0)
    seen = winner[index]
    face = face[seen]
    right, below = column[seen] + 0.5 - x[face, 0], row[seen] + 0.5 - y[face, 0]
    second = u[face, 0] * right + v[face, 0] * below
    third = u[face, 1] * right + v[face, 1] * below
    return Fragments(index, face, np.stack([1 - second - third, second, third], 1), depth[seen], hw)


def _slopes(x: np.ndarray, y: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[F,2] change per sample to the right, and downwards, of the weights of the second and third corner."""
    safe = np.where(np.abs(area) > 1e-9, area, 1.0)[:, None]
    u = np.stack([y[:, 2] - y[:, 0], y[:, 0] - y[:, 1]], 1) / safe
    v = np.stack([x[:, 0] - x[:, 2], x[:, 1] - x[:, 0]], 1) / safe
    return u, v


def _crossings(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the triangles' edges cross the horizontal lines `at`: the leftmost and the rightmost x."""
    left, right = np.full(len(at), np.inf), np.full(len(at), -np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        crosses = (y[:, i] <= at) != (y[:, j] <= at)
        with np.errstate(divide="ignore", invalid="ignore"):
            hit = x[:, i] + (at - y[:, i]) / (y[:, j] - y[:, i]) * (x[:, j] - x[:, i])
        left = np.where(crosses, np.minimum(left, hit), left)
        right = np.where(crosses, np.maximum(right, hit), right)
    none = left > right
    return np.where(none, 0, left), np.where(none, 0, right)
