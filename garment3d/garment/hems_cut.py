"""A mesh split where a value crosses zero, new vertices on the crossing only; what a vertex carries goes with it.

Values belong to positions, not to vertices, so that both sides of a uv seam are split at the same place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .hems_carry import Origin

WELD = 1e-5
"""Vertices nearer than this share of the longest side are one."""
NEAR = 0.25
"""A crossing nearer than this share of an edge to its end goes through that end: no slivers."""


class Split(NamedTuple):
    """What a mesh becomes."""

    origin: Origin
    faces: np.ndarray
    """[M,3] over the old vertices, in their order, and the new ones after them."""
    value: np.ndarray
    """[N] zero on the crossing."""
    place: np.ndarray
    """[N] which of the distinct positions each vertex has."""


def weld(vertices: np.ndarray) -> np.ndarray:
    """[V] number of the place of every vertex, the same for vertices that differ by rounding only."""
    low, side = vertices.min(0), float(np.ptp(vertices, axis=0).max()) or 1.0
    cells = np.rint((vertices - low) / (WELD * side)).astype(np.int64)
    key = (cells[:, 0] * (1 << 20) + cells[:, 1]) * (1 << 20) + cells[:, 2]
    return np.unique(key, return_inverse=True)[1].reshape(-1)


def parts(faces: np.ndarray, count: int) -> np.ndarray:
    """[count] connected piece of every place, for [F,3] faces between places."""
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def split(faces: np.ndarray, place: np.ndarray, value: np.ndarray) -> Split:
    """The [F,3] faces split along value = 0; `place` [V] is each vertex's position and `value` [P] is one per place."""
    value = _snapped(place[faces], value)
    sign = np.sign(value)[place[faces]]
    mixed = np.flatnonzero((sign.min(1) < 0) & (sign.max(1) > 0))
    cut, sign = faces[mixed], sign[mixed]
    touching = (sign == 0).any(1)
    # The corner that stands alone comes first: the zero corner if there is one, else the odd sign.
    odd = np.argmax(sign == -np.sign(sign.sum(1))[:, None], 1)
    alone = np.where(touching, np.argmax(sign == 0, 1), odd)
    cut = cut[np.arange(len(cut))[:, None], (alone[:, None] + np.arange(3)) % 3]
    a, b, c = cut[touching].T
    d, e, f = cut[~touching].T
    ends = np.concatenate([np.stack(pair, 1) for pair in ((b, c), (d, e), (d, f))])
    ends = np.where((place[ends[:, 0]] > place[ends[:, 1]])[:, None], ends[:, ::-1], ends)
    ends, index = np.unique(ends, axis=0, return_inverse=True)
    at = value[place[ends]]
    share = at[:, 0] / (at[:, 0] - at[:, 1])
    count = len(place)
    m, p, q = np.split(index.reshape(-1) + count, [len(a), len(a) + len(d)])
    new = [np.stack(corners, 1) for corners in ((a, b, m), (a, m, c), (d, p, q), (p, e, f), (p, f, q))]
    whole = np.setdiff1d(np.arange(len(faces)), mixed)
    parents = [whole, *[mixed[touching]] * 2, *[mixed[~touching]] * 3]
    old = np.arange(count)
    origin = Origin(
        np.concatenate([np.stack([old, old], 1), ends]),
        np.concatenate([np.zeros(count), share]),
        np.concatenate(parents),
    )
    key = place[ends] @ np.array([len(value), 1])
    fresh = np.unique(key, return_inverse=True)[1].reshape(-1) + len(value)
    return Split(
        origin,
        np.concatenate([faces[whole], *new]),
        np.concatenate([value[place], np.zeros(len(ends))]),
        np.concatenate([place, fresh]),
    )


def _snapped(faces: np.ndarray, value: np.ndarray) -> np.ndarray:
    """[P] the value, zero where the crossing passes near a place; no face gets zeros at all of its corners."""
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    crossed = value[start] * value[end] < 0
    start, end = start[crossed], end[crossed]
    share = value[start] / (value[start] - value[end])
    close = np.concatenate([start[share < NEAR], end[share > 1 - NEAR]])
    result = value.copy()
    result[close] = 0
    for _ in range(20):
        flat = np.flatnonzero((result[faces] == 0).all(1))
        if not len(flat):
            break
        corners = faces[flat]
        back = corners[np.arange(len(flat)), np.abs(value[corners]).argmax(1)]
        result[back] = np.where(value[back] == 0, -1e-12, value[back])
    return result


def compacted(cut: Split, kept: np.ndarray) -> Split:
    """The Split with the faces marked in [M] bool only, and the vertices they use, in their order."""
    used, faces = np.unique(cut.faces[kept], return_inverse=True)
    origin = Origin(cut.origin.ends[used], cut.origin.share[used], cut.origin.face[kept])
    return Split(origin, faces.reshape(-1, 3), cut.value[used], cut.place[used])
