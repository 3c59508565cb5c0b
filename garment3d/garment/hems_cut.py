"""A mesh split where a value crosses zero, new vertices on the crossing only; what a vertex carries goes with it.

Values belong to positions, not to vertices, so that both sides of a uv seam are split at the same place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .hems_carry import Origin

WELD = 1e-5
"""Vertices nearer than this share of the longest side are one."""
PINCHES = 5
"""Rounds in which places where a rim meets itself are cleared."""
NEAR = 0.25
"""A crossing nearer than this share of an edge to its end goes through that end: no slivers."""


class Cut(NamedTuple):
    """What is left of a mesh."""

    origin: Origin
    faces: np.ndarray
    """[M,3] between the vertices that are left."""
    place: np.ndarray
    """[N] number of the position of each vertex; both sides of a uv seam have the same."""
    rim: np.ndarray
    """[N] the cut on which a vertex lies, -1 elsewhere."""


def weld(vertices: np.ndarray) -> np.ndarray:
    """[V] number of the place of every canonical vertex, the same for vertices that differ by rounding only."""
    # By the garment's size, not the mesh's: a stray vertex far away must not make the cells larger than its sleeves.
    half = 1 << 19
    cells = np.rint(np.clip(vertices / WELD, -half, half - 1)).astype(np.int64) + half
    key = (cells[:, 0] * (2 * half) + cells[:, 1]) * (2 * half) + cells[:, 2]
    return np.unique(key, return_inverse=True)[1].reshape(-1)


def parts(faces: np.ndarray, count: int) -> np.ndarray:
    """[count] connected piece of every place, for [F,3] faces between places."""
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def uncut(faces: np.ndarray, place: np.ndarray) -> Cut:
    """The Cut that is all of a mesh of [F,3] faces but the crushed ones; `place` [V] is each vertex's position."""
    count, at = len(place), place[faces]
    whole = np.flatnonzero((at != np.roll(at, 1, 1)).all(1))
    return Cut(Origin(sparse.identity(count, format="csr"), whole), faces[whole], place, np.full(count, -1))


def cut_off(cut: Cut, value: np.ndarray, number: int) -> Cut:
    """The Cut without what lies where `value` is positive; it has one value for each vertex before any cut."""
    at = cut.origin.weights @ value
    first = np.unique(cut.place, return_index=True)
    by_place = np.full(int(cut.place.max()) + 1, -1.0)
    by_place[first[0]] = at[first[1]]
    by_place = _snapped(cut.place[cut.faces], by_place)
    split, after = _split(cut, by_place)
    split = split._replace(rim=np.where(after == 0, number, split.rim))
    return kept_faces(split, after[split.faces].sum(1) < 0)


def kept_faces(cut: Cut, kept: np.ndarray) -> Cut:
    """The Cut with the faces marked in [M] bool only, and the vertices they use, in their order."""
    used, faces = np.unique(cut.faces[kept], return_inverse=True)
    origin = Origin(cut.origin.weights[used], cut.origin.face[kept])
    return Cut(origin, faces.reshape(-1, 3), cut.place[used], cut.rim[used])


def _split(cut: Cut, value: np.ndarray) -> tuple[Cut, np.ndarray]:
    """The faces split along value = 0, new vertices after the old ones, and the [N] value; [P] `value` is by place."""
    sign = np.sign(value)[cut.place[cut.faces]]
    mixed = np.flatnonzero((sign.min(1) < 0) & (sign.max(1) > 0))
    corners, sign = cut.faces[mixed], sign[mixed]
    touching = (sign == 0).any(1)
    # The corner that stands alone comes first: the zero corner if there is one, else the odd sign.
    odd = np.argmax(sign == -np.sign(sign.sum(1))[:, None], 1)
    alone = np.where(touching, np.argmax(sign == 0, 1), odd)
    corners = corners[np.arange(len(corners))[:, None], (alone[:, None] + np.arange(3)) % 3]
    a, b, c = corners[touching].T
    d, e, f = corners[~touching].T
    ends = np.concatenate([np.stack(pair, 1) for pair in ((b, c), (d, e), (d, f))])
    ends = np.where((cut.place[ends[:, 0]] > cut.place[ends[:, 1]])[:, None], ends[:, ::-1], ends)
    ends, index = np.unique(ends, axis=0, return_inverse=True)
    m, p, q = np.split(index.reshape(-1) + len(cut.place), [len(a), len(a) + len(d)])
    new = [np.stack(three, 1) for three in ((a, b, m), (a, m, c), (d, p, q), (p, e, f), (p, f, q))]
    whole = np.setdiff1d(np.arange(len(cut.faces)), mixed)
    parents = np.concatenate([whole, *[mixed[touching]] * 2, *[mixed[~touching]] * 3])
    fresh = np.unique(cut.place[ends] @ np.array([len(value), 1]), return_inverse=True)[1].reshape(-1) + len(value)
    result = Cut(
        Origin(_with_means(cut.origin.weights, ends, value[cut.place[ends]]), cut.origin.face[parents]),
        np.concatenate([cut.faces[whole], *new]),
        np.concatenate([cut.place, fresh]),
        np.concatenate([cut.rim, np.full(len(ends), -1)]),
    )
    return result, np.concatenate([value[cut.place], np.zeros(len(ends))])


def _with_means(weights: Any, ends: np.ndarray, value: np.ndarray) -> Any:
    """The rows of `weights`, then one for the zero of `value` [K,2] between the vertices `ends` [K,2]."""
    share = value[:, 0] / (value[:, 0] - value[:, 1])
    near, far = sparse.diags(1 - share), sparse.diags(share)
    return sparse.vstack([weights, near @ weights[ends[:, 0]] + far @ weights[ends[:, 1]]], format="csr")


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


def lone_edges(faces: np.ndarray) -> np.ndarray:
    """[E,2] edges of [M,3] faces between places that have one face."""
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    key = np.minimum(start, end) * (int(faces.max(initial=0)) + 1) + np.maximum(start, end)
    _, index, uses = np.unique(key, return_index=True, return_counts=True)
    index = index[(uses == 1) & (start[index] != end[index])]
    return np.stack([start[index], end[index]], 1)


def unpinched(cut: Cut) -> Cut:
    """The Cut without the smaller fans where a rim meets itself in a point; the rim then runs past them."""
    for _ in range(PINCHES):
        faces = cut.place[cut.faces]
        lone = lone_edges(faces)
        ends = np.bincount(lone.ravel(), minlength=int(cut.place.max()) + 1)
        on_rim = np.zeros(len(ends), bool)
        on_rim[cut.place[cut.rim >= 0]] = True
        kept = np.ones(len(faces), bool)
        for place in np.flatnonzero((ends > 2) & on_rim).tolist():
            around = np.flatnonzero((faces == place).any(1))
            others = faces[around][faces[around] != place].reshape(-1, 2)
            fan = parts(np.column_stack([others, others[:, 1]]), len(ends))[others[:, 0]]
            kept[around[fan != np.bincount(fan).argmax()]] = False
        if kept.all():
            break
        number = np.zeros(len(ends), int)
        number[cut.place] = cut.rim
        bared = np.unique(faces[~kept])
        bared = bared[number[bared] < 0]
        owner = np.where(np.isin(cut.place, bared), cut.rim[np.isin(cut.place, faces[~kept])].max(), cut.rim)
        cut = kept_faces(cut._replace(rim=owner), kept)
    return cut
