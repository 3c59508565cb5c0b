"""A view of the wrong shape bent until its outline is the mesh's: so cloth, not background, meets the mesh's edge.

Painted views get the far side's shape wrong by a few hundredths. The outline tells how far, across itself only, and
other pictures tell more inside; what moves the rest is the smoothest field that explains both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
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
COLOUR_NOISE = 0.17
"""How exact one place's colour is, 0..1, if all places erred each for itself; near ones err alike."""
ODD = 0.15
"""A place whose colour is off by so much counts a quarter."""
ALONG = 0.5
"""Least cosine between both outlines' directions."""


class Hints(NamedTuple):
    """What the inside of a picture should show, as far as other pictures know it."""

    picture: np.ndarray
    """[4,h,w] float32: colours 0..1 times trust, and trust, before any bending."""
    at: np.ndarray
    """[N,2] places (row, column) in it, as the mesh puts them."""
    wanted: np.ndarray
    """[N,3] their colours."""
    weights: np.ndarray
    """[N] 0..1."""


def bend(drawn: np.ndarray, mask: np.ndarray, hints: Hints | None = None) -> np.ndarray:
    """[2,h,w] float64 pixels (down, right) to go in the picture from each place of the mesh's silhouette `drawn`.

    Both are [h,w] soft and already laid to each other; all 0 where one of them is empty.
    Source: regression by a Gaussian process with inducing points (Quiñonero-Candela and Rasmussen, JMLR 2005) on the
    outline's normal displacements, and on colours as optical flow is (Lucas and Kanade, IJCAI 1981).
    """
    points, normals = _outline(drawn)
    solid = mask >= 0.5
    if len(points) < 8 or not solid.any():
        return np.zeros((2, *drawn.shape))
    side = float(np.ptp(points, axis=0).max())
    distance = gaussian_filter(signed_distance(solid), 0.7)
    outline = _Outline(points, normals, distance, np.stack(np.gradient(distance)), MOST * side)
    net = _Net(_nodes(drawn, LENGTH * side / 1.5), LENGTH * side, SIGMA * side)
    at_points, pull = net.at(points), np.zeros(2 * len(net.nodes))
    for _ in range(ROUNDS):
        pull = _solved(net, [_outline_rows(outline, at_points, pull)])
    if hints is not None and len(hints.at):
        at_places = net.at(hints.at)
        for _ in range(ROUNDS):
            rows = [_outline_rows(outline, at_points, pull), _colour_rows(hints, at_places, pull)]
            pull = _solved(net, rows)
    return net.field(pull, drawn.shape)


class _Outline(NamedTuple):
    """The mesh's outline, and how far the picture's is from anywhere."""

    points: np.ndarray
    normals: np.ndarray
    distance: np.ndarray
    slope: np.ndarray
    most_px: float


class _Rows(NamedTuple):
    """Linear conditions on a net's pulls."""

    slopes: np.ndarray
    """[K,2M]."""
    values: np.ndarray
    weights: np.ndarray


class _Net(NamedTuple):
    """A smooth field given by pulls at nodes: both its parts are Gaussian processes of one length and sigma."""

    nodes: np.ndarray
    """[M,2] row, column."""
    length: float
    sigma: float

    def at(self, points: np.ndarray) -> np.ndarray:
        """[N,M] how much each node moves [N,2] places."""
        apart = np.square(points[:, None] - self.nodes).sum(2)
        return self.sigma**2 * np.exp(-0.5 * apart / self.length**2)

    def field(self, pull: np.ndarray, hw: tuple[int, ...]) -> np.ndarray:
        """[2,h,w] the field in every pixel."""
        rows, columns = (
            np.exp(-0.5 * ((np.arange(n)[:, None] - self.nodes[:, i]) / self.length) ** 2) for i, n in enumerate(hw)
        )
        return self.sigma**2 * np.stack([(rows * part) @ columns.T for part in pull.reshape(2, -1)])


def _nodes(drawn: np.ndarray, spacing: float) -> np.ndarray:
    rows, columns = np.nonzero(drawn >= 0.5)
    ticks = [np.arange(n.min() - spacing / 2, n.max() + spacing, spacing) for n in (rows, columns)]
    return np.stack(np.meshgrid(*ticks, indexing="ij"), -1).reshape(-1, 2)


def _solved(net: _Net, conditions: list[_Rows]) -> np.ndarray:
    """[2M] the likeliest pulls."""
    prior = net.at(net.nodes) + 1e-6 * net.sigma**2 * np.eye(len(net.nodes))
    square, right = np.kron(np.eye(2), prior), np.zeros(2 * len(net.nodes))
    for rows in conditions:
        weighted = rows.slopes * rows.weights[:, None]
        square += weighted.T @ rows.slopes
        right += weighted.T @ rows.values
    return np.linalg.solve(square, right)


def _moves(at: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """[N,2] how far a net moves the places of `at`."""
    return np.stack([at @ part for part in pull.reshape(2, -1)], 1)


def _outline_rows(outline: _Outline, at: np.ndarray, pull: np.ndarray) -> _Rows:
    """The mesh's outline goes to the picture's, across it."""
    moves = _moves(at, pull)
    moved = outline.points + moves
    off, towards = _at(outline.distance[None], moved)[:, 0], _at(outline.slope, moved)
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-6)
    kept = (np.abs(off) < outline.most_px) & ((towards * outline.normals).sum(1) > ALONG)
    slopes = np.concatenate([at * towards[:, :1], at * towards[:, 1:]], 1)
    values = (moves * towards).sum(1) - off
    return _Rows(slopes[kept], values[kept], np.full(int(kept.sum()), 1 / NOISE_PX**2))


def _colour_rows(hints: Hints, at: np.ndarray, pull: np.ndarray) -> _Rows:
    """Places go where the picture has their colours, by its slope where they are now."""
    moves = _moves(at, pull)
    trust = np.maximum(hints.picture[3], 1e-3)
    colours = hints.picture[:3] / trust
    moved = hints.at + moves
    left = hints.wanted - _at(colours, moved)
    # A place whose colour is nowhere near belongs to a print or a shade that only one picture has.
    weights = hints.weights * (_at(trust[None], moved)[:, 0] > 0.5) / (1 + np.square(left).sum(1) / ODD**2) ** 2
    slopes, values = [], []
    for channel, apart in zip(colours, left.T, strict=True):
        towards = _at(np.stack(np.gradient(channel)), moved)
        slopes.append(np.concatenate([at * towards[:, :1], at * towards[:, 1:]], 1))
        values.append(apart + (towards * moves).sum(1))
    return _Rows(np.concatenate(slopes), np.concatenate(values), np.tile(weights / COLOUR_NOISE**2, 3))


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
