"""Faces wound one way and outwards: generators leave patches and parts of a mesh inside out."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .unwrap import welded


def turned(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[F] bool, faces to be wound the other way round so that all look outwards; a Möbius band is left as it is.

    Each face is two nodes, as it is and turned; an edge of two faces joins what agrees, so that the two halves of a
    part fall apart, and the half that encloses a volume, seen from its middle, is the one that looks outwards.
    """
    points, joined = welded(vertices, faces)
    count = len(faces)
    start, end = joined.ravel(), np.roll(joined, -1, 1).ravel()
    key = np.minimum(start, end) * len(points) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    _, first, edges = np.unique(key[order], return_index=True, return_counts=True)
    one, two = order[first[edges == 2][:, None] + np.arange(2)].reshape(-1, 2).T
    agree = start[one] != start[two]
    one, two = one // 3, two // 3
    same, other = np.where(agree, two, two + count), np.where(agree, two + count, two)
    rows, cols = np.concatenate([one, one + count]), np.concatenate([same, other])
    graph = coo_array((np.ones(len(rows), bool), (rows, cols)), shape=(2 * count, 2 * count))
    group = connected_components(graph, directed=False)[1]
    part = np.minimum(group[:count], group[count:])
    flip = group[:count] != part
    outwards = _outwards(points[joined], part, flip)
    return flip ^ (outwards[part] < 0)


def _outwards(corners: np.ndarray, part: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """[G] above 0 where the faces of a part look away from its middle, by [F,3,3] corners."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area, middle = np.linalg.norm(cross, axis=1), corners.mean(1)
    size = int(part.max(initial=-1)) + 1
    total = np.maximum(np.bincount(part, area, size), 1e-300)
    center = np.stack([np.bincount(part, area * middle[:, i], size) / total for i in range(3)], 1)
    signs = np.where(flip, -1.0, 1.0)
    return np.bincount(part, signs * (cross * (middle - center[part])).sum(1), size)
