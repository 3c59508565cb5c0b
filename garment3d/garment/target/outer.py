"""The cloth of a target: the faces seen from outside, turned so that they all face outwards.

Generators leave a second layer inside, caps, shells of both windings; only what an onlooker sees is the garment.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from .seen import seen

HIDDEN = 0.06
"""A face seen less than this is rather inside, alone."""
SURE = 0.25
"""How much more it must be seen for a full vote."""
WALL = 0.04
"""Thickest double wall, as a share of the longest side."""
UNSURE, CLEAR, BETTER = 0.75, 0.5, 1.4
"""The inner side of such a wall is seen less than the first, its outer side more than the second and so much better."""
ROUNDS = 30
"""Steps over which a decision spreads to neighbours."""
ISLAND = 0.015
"""A patch below this share of the whole area goes with what surrounds it."""


class Outer(NamedTuple):
    """The faces seen from outside and those of them that are wound inside out."""

    kept: np.ndarray
    """[F] bool."""
    flipped: np.ndarray
    """[F] bool, among the kept."""


class _Pairs(NamedTuple):
    """Faces on both sides of an edge; an edge of many faces pairs them in turn."""

    faces: np.ndarray
    """[E,2]"""
    agree: np.ndarray
    """[E] bool: both are wound alike."""
    clean: np.ndarray
    """[E] bool: no third face shares the edge."""


def outer_layer(vertices: np.ndarray, faces: np.ndarray) -> Outer:
    """Outer of the welded [F,3] faces between [V,3] vertices, whether closed, open, layered or wound at random."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1) / 2
    normal /= np.maximum(2 * area, 1e-300)[:, None]
    pairs = _pairs(faces)
    view = seen(vertices, faces)
    turned = _turned(area * (view.front - view.back), pairs)
    normal = np.where(turned[:, None], -normal, normal)
    own = np.where(turned, view.back, view.front)
    vote = np.clip((own - HIDDEN) / SURE, -1, 1)
    vote[_inner_walls((a + b + c) / 3, normal, own, WALL * np.ptp(vertices, axis=0).max())] = -1
    smooth = np.clip((normal[pairs.faces[:, 0]] * normal[pairs.faces[:, 1]]).sum(1), 0.02, 1)
    belief = _spread(vote, area, pairs.faces, smooth)
    kept = _without_islands(belief > 0, area, pairs.faces)
    return Outer(kept, turned & kept)


def _pairs(faces: np.ndarray) -> _Pairs:
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    key = np.minimum(start, end) * (faces.max() + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    one, two = order[:-1][same], order[1:][same]
    before, after = np.append(False, same[:-1])[same], np.append(same[1:], False)[same]
    return _Pairs(np.stack([one // 3, two // 3], 1), start[one] != start[two], ~before & ~after)


def _turned(evidence: np.ndarray, pairs: _Pairs) -> np.ndarray:
    """[F] bool: faces to turn so that neighbours agree and each sheet shows its front, by [F] evidence for the front.

    Each face is two nodes, as it is and turned, as in `soundness`; a sheet with no consistent winding is settled face
    by face with its neighbours.
    """
    count = len(evidence)
    one, two = pairs.faces[pairs.clean].T
    agree = pairs.agree[pairs.clean]
    same, other = np.where(agree, two, two + count), np.where(agree, two + count, two)
    rows, columns = np.concatenate([one, one + count]), np.concatenate([same, other])
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(2 * count, 2 * count))
    half = connected_components(graph, directed=False)[1]
    score = np.bincount(half, np.concatenate([evidence, -evidence]))
    turned = score[half[count:]] > score[half[:count]]
    twisted = half[:count] == half[count:]
    if twisted.any():
        sign = np.where(pairs.agree, 1.0, -1.0)
        belief = _spread(np.sign(evidence), np.abs(evidence), pairs.faces, np.ones(len(sign)), sign)
        turned = np.where(twisted, belief < 0, turned)
    return turned


def _inner_walls(centre: np.ndarray, normal: np.ndarray, own: np.ndarray, thickness: float) -> np.ndarray:
    """[N] faces that lie close behind ones that are seen far better and face the other way."""
    unsure, clear = np.flatnonzero((own > 0) & (own < UNSURE)), np.flatnonzero(own > CLEAR)
    if not len(unsure) or not len(clear):
        return unsure[:0]
    # Directions are part of the key, so that a wall's back is met and not the next face of the same wall.
    keys = np.concatenate([centre[clear], thickness * normal[clear]], 1)
    asked = np.concatenate([centre[unsure], -thickness * normal[unsure]], 1)
    apart, nearest = KDTree(keys).query(asked, distance_upper_bound=1.5 * thickness)
    met = np.isfinite(apart)
    unsure, behind = unsure[met], clear[nearest[met]]
    offset = centre[behind] - centre[unsure]
    apart = np.linalg.norm(offset, axis=1)
    hides = ((offset * normal[unsure]).sum(1) < -0.5 * apart) & (apart < thickness)
    opposite = (normal[behind] * normal[unsure]).sum(1) < -0.5
    return unsure[hides & opposite & (own[behind] > BETTER * own[unsure])]


def _spread(
    vote: np.ndarray, weight: np.ndarray, pairs: np.ndarray, share: np.ndarray, sign: np.ndarray | float = 1.0
) -> np.ndarray:
    """[F] votes averaged over neighbours round by round, each edge letting through its [E] share of them."""
    count = len(vote)
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    shape = (count, count)
    plain = csr_array((np.tile(share, 2), (rows, columns)), shape=shape)
    signed = csr_array((np.tile(share * sign, 2), (rows, columns)), shape=shape)
    total, mass = weight * vote, weight.copy()
    for _ in range(ROUNDS):
        total, mass = total * 0.5 + signed @ total / 6, mass * 0.5 + plain @ mass / 6
        total, mass = total + 0.1 * weight * vote, mass + 0.1 * weight
    return total / np.maximum(mass, 1e-300)


def _without_islands(kept: np.ndarray, area: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """[F] bool with patches too small to be a layer of their own given to what surrounds them."""
    for chosen in (False, True):  # holes first: a small hole must not cut a neck of cloth in two
        inside = pairs[kept[pairs[:, 0]] == kept[pairs[:, 1]]]
        graph = coo_array((np.ones(len(inside), bool), tuple(inside.T)), shape=(len(kept), len(kept)))
        patch = connected_components(graph, directed=False)[1]
        small = np.bincount(patch, area) < ISLAND * area.sum()
        across = pairs[kept[pairs[:, 0]] != kept[pairs[:, 1]]]
        enclosed = np.isin(np.arange(len(small)), patch[across])
        kept = np.where((small & enclosed)[patch] & (kept == chosen), not chosen, kept)
    return kept
