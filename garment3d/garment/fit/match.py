"""Which place on the target each vertex of the cloth belongs to: the nearest that faces the same way.

A cap over an opening faces along the opening, the cloth beside it across it; what disagrees is left to the bending.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

AGREE = (0.35, 0.8)
"""Cosines between normals from which a match counts at all, and fully."""


class Samples(NamedTuple):
    """Points spread over a target's outside."""

    points: np.ndarray
    """[S,3] canonical."""
    normals: np.ndarray
    """[S,3] unit, outwards."""

    def by_facing(self, turn: float) -> Asked:
        """Ready to be asked, a difference of `turn` in place counting as much as one of 1 between normals."""
        return Asked(self.points, self.normals, turn, cKDTree(np.concatenate([self.points, turn * self.normals], 1)))


class Asked(NamedTuple):
    """Samples with a tree over places and normals together."""

    points: np.ndarray
    normals: np.ndarray
    turn: float
    tree: cKDTree


class Match(NamedTuple):
    """Where cloth vertices belong."""

    point: np.ndarray
    """[N,3] the place on the target's tangent plane."""
    weight: np.ndarray
    """[N] 0..1, 0 where there is none."""
    apart: np.ndarray
    """[N] signed distance along the target's normal, canonical units."""


def samples_of(vertices: np.ndarray, faces: np.ndarray, count: int = 60_000, seed: int = 0) -> Samples:
    """`count` Samples even over the area of a surface of [V,3] and [F,3] with at least one face of some area."""
    random = np.random.default_rng(seed)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    double = np.linalg.norm(normal, axis=1)
    steps = (np.arange(count) + random.random(count)) / count * double.sum()
    face = np.minimum(np.searchsorted(double.cumsum(), steps), len(faces) - 1)
    s, t = random.random((2, count, 1))
    s, t = np.where(s + t > 1, 1 - s, s), np.where(s + t > 1, 1 - t, t)
    points = a[face] + s * (b - a)[face] + t * (c - a)[face]
    return Samples(points, normal[face] / np.maximum(double[face, None], 1e-300))


def matched(points: np.ndarray, normals: np.ndarray, target: Asked, reach: float) -> Match:
    """The Match of [N,3] cloth points with [N,3] normals; nothing farther than `reach` counts."""
    found = target.tree.query(np.concatenate([points, target.turn * normals], 1))[1]
    towards, normal = target.points[found] - points, target.normals[found]
    apart = (towards * normal).sum(1)
    agree = (normals * normal).sum(1)
    weight = np.clip((agree - AGREE[0]) / (AGREE[1] - AGREE[0]), 0, 1)
    distance = np.linalg.norm(towards, axis=1)
    weight = weight * np.clip(2 - 2 * distance / reach, 0, 1)
    return Match(points + apart[:, None] * normal, weight, apart)
