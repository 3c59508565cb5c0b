"""Which faces of a mesh cut through others, and which are turned against the cloth around them.

Vertices are welded by position first, so faces beside a UV seam are the neighbours that they look like.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .nearest import finite_triangles

if TYPE_CHECKING:
    import trimesh

WELD = 1e-6
"""Positions closer than this part of the longest side are one."""
ON_PLANE = 1e-9
"""A corner nearer to a face's plane than this part of the longest side lies on it."""
LEAST_CUT = 1e-7
"""A cut or an overlap not longer than this part of the longest side is a touch."""
AT_ONCE = 1_000_000
"""Pairs of faces looked at together: bounds the memory."""
SHARP_COS = -0.2
"""Neighbours whose normals turn by more than this angle are folded against each other; a box's sides are not."""
SMALL_PART = 0.05
"""A part of the cloth folded against all around it is flipped where it has fewer of the faces than this; a side of a
flat garment is folded against the other side all along, and has half of them."""


class _Cloth(NamedTuple):
    """A welded mesh."""

    faces: np.ndarray
    """[F,3] numbers of places."""
    corners: np.ndarray
    """[F,3,3] the places, exactly equal where faces share one."""
    normals: np.ndarray
    """[F,3] of unit length, 0 where a face has no area."""
    side: float


def crossing_faces(mesh: trimesh.Trimesh) -> np.ndarray:
    """[F] bool, faces that cut through another one or overlap it in one plane; no faces or NaN raises MeshError.

    Touching is not cutting: neighbours count only where they meet beyond the corners they share. Faces of no area
    never count.
    """
    cloth = _cloth(mesh)
    crossing = np.zeros(len(cloth.faces), bool)
    low, high = cloth.corners.min(1), cloth.corners.max(1)
    for pairs in _near_pairs(low, high, _solid(cloth)):
        cut = pairs[_cuts(cloth, pairs)]
        crossing[cut.ravel()] = True
    return crossing


def folded_faces(mesh: trimesh.Trimesh) -> np.ndarray:
    """[F] bool, faces flipped against the cloth around them, alone or in small patches; MeshError as above.

    A sharp ridge with large sides, such as the outline of a garment laid flat, is not a fold.
    """
    cloth = _cloth(mesh)
    count = len(cloth.faces)
    pairs = _edge_pairs(cloth.faces)
    turn = (cloth.normals[pairs[:, 0]] * cloth.normals[pairs[:, 1]]).sum(1)
    flat = ~_solid(cloth)
    linked = (turn > SHARP_COS) | flat[pairs].any(1)
    piece, patch = _groups(count, pairs), _groups(count, pairs[linked])
    small = np.bincount(patch)[patch] < SMALL_PART * np.bincount(piece)[piece]
    # A flipped face may hang on to the cloth by faces that stand on edge: then all that surrounds it decides.
    friend = np.zeros(count, bool)
    friend[pairs[turn > 0.5].ravel()] = True
    around = _around(cloth)
    against = (around * cloth.normals).sum(1) < 0
    decided = np.linalg.norm(around, axis=1) > 0.5
    return (small | (against & decided & ~friend)) & ~flat


def _cloth(mesh: trimesh.Trimesh) -> _Cloth:
    triangles = finite_triangles(mesh)
    points = triangles.reshape(-1, 3)
    side = float(np.ptp(points, axis=0).max()) or 1.0
    cells = np.round(points / (side * WELD)).astype(np.int64)
    _, first, place = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    corners = points[first][place].reshape(-1, 3, 3)
    corners = corners - points.mean(0)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1, keepdims=True)
    longest = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)[:, None]
    real = area > 1e-9 * side * longest
    return _Cloth(place.reshape(-1, 3), corners, np.where(real, cross / np.where(real, area, 1), 0), side)


def _solid(cloth: _Cloth) -> np.ndarray:
    """[F] bool, faces that have an area."""
    return np.abs(cloth.normals).max(1) > 0


def _near_pairs(low: np.ndarray, high: np.ndarray, wanted: np.ndarray) -> Iterator[np.ndarray]:
    """[N,2] pairs of faces whose boxes [F,3] touch, each pair once, some at a time.

    Faces are sorted by size into octaves. Each octave has a grid with cells as large as its largest face, so that a
    face of it, or of a smaller octave, lies in at most eight cells.
    """
    extent = (high - low).max(1)
    octave = np.ceil(np.log2(np.maximum(extent, extent.max() * 1e-6) / max(extent.max(), 1e-300))).astype(int)
    lowest = low.min(0)
    for level in np.unique(octave[wanted]):
        cell = extent.max() * 2.0**level * (1 + 1e-9)
        mine = np.flatnonzero(wanted & (octave == level))
        reach = low[mine].min(0) - cell, high[mine].max(0) + cell
        others = np.flatnonzero(wanted & (octave <= level) & (high >= reach[0]).all(1) & (low <= reach[1]).all(1))
        first, last = (np.floor((box - lowest) / cell).astype(np.int64) for box in (low, high))
        size = last.max(0) + 1
        owner, key = _cells(first[mine], last[mine], size)
        order = np.argsort(key, kind="stable")
        owner, key = mine[owner[order]], key[order]
        for start in range(0, len(others), AT_ONCE // 50):
            part = others[start : start + AT_ONCE // 50]
            asks, asked = _cells(first[part], last[part], size)
            from_, to = np.searchsorted(key, asked, "left"), np.searchsorted(key, asked, "right")
            asks, asked, from_, count = part[asks], asked, from_, to - from_
            yield from _matched(owner, asks, asked, from_, count, _Boxes(low, high, first, size, octave))


class _Boxes(NamedTuple):
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    """[F,3] cell of the low corner."""
    size: np.ndarray
    octave: np.ndarray


def _cells(first: np.ndarray, last: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N] which box, and [N] key of a cell it lies in, for every cell from first to last, at most two along an axis."""
    owners, keys = [], []
    for corner in np.ndindex(2, 2, 2):
        cell = first + np.array(corner)
        inside = np.flatnonzero((cell <= last).all(1))
        owners.append(inside)
        keys.append((cell[inside, 0] * size[1] + cell[inside, 1]) * size[2] + cell[inside, 2])
    return np.concatenate(owners), np.concatenate(keys)


def _matched(
    owner: np.ndarray, asks: np.ndarray, asked: np.ndarray, start: np.ndarray, count: np.ndarray, boxes: _Boxes
) -> Iterator[np.ndarray]:
    """Pairs of the faces that ask in a cell with those that lie there, where the boxes touch."""
    ends = np.cumsum(count)
    begin = 0
    while begin < len(count):
        stop = int(np.searchsorted(ends, (ends[begin - 1] if begin else 0) + AT_ONCE, "right"))
        stop = max(stop, begin + 1)
        chunk = slice(begin, stop)
        begin = stop
        number = np.repeat(np.arange(chunk.start, min(chunk.stop, len(count))), count[chunk])
        offset = np.arange(len(number)) - np.repeat(np.cumsum(count[chunk]) - count[chunk], count[chunk])
        one, two = asks[number], owner[start[number] + offset]
        # Within an octave each pair is met from both sides.
        once = (boxes.octave[one] < boxes.octave[two]) | (one < two)
        touch = once & (boxes.low[one] <= boxes.high[two]).all(1) & (boxes.low[two] <= boxes.high[one]).all(1)
        one, two, number = one[touch], two[touch], number[touch]
        # Boxes may meet in several cells; the one with the low corner of what they share speaks for all.
        cell = np.maximum(boxes.first[one], boxes.first[two])
        speaks = (cell[:, 0] * boxes.size[1] + cell[:, 1]) * boxes.size[2] + cell[:, 2] == asked[number]
        if speaks.any():
            yield np.stack([one[speaks], two[speaks]], 1)


def _cuts(cloth: _Cloth, pairs: np.ndarray) -> np.ndarray:
    """[N] bool, pairs of faces that cut or overlap."""
    result = np.zeros(len(pairs), bool)
    index = np.arange(len(pairs))
    away = []
    for one, two in ((0, 1), (1, 0)):
        plane, corners = pairs[index, one], cloth.corners[pairs[index, two]]
        off = ((corners - cloth.corners[plane, :1]) * cloth.normals[plane, None]).sum(2)
        off[np.abs(off) <= ON_PLANE * cloth.side] = 0
        # A corner on the plane counts as above it: a sheet pierced along its own edge is then pierced on one side.
        mixed = ((off >= 0).any(1) & (off < 0).any(1)) | ~off.any(1)
        index, away = index[mixed], [*(a[mixed] for a in away), off[mixed]]
    of_two, of_one = away
    level = ~of_one.any(1) | ~of_two.any(1)
    plain = index[level]
    result[plain] = _overlap(cloth, pairs[plain])
    # Two edges on each other are a seam that was not welded, not a cut.
    seam = ((of_one == 0).sum(1) > 1) & ((of_two == 0).sum(1) > 1)
    rest = ~level & ~seam
    index = index[rest]
    if len(index):
        result[index] = _transverse(cloth, pairs[index], of_one[rest], of_two[rest])
    return result


def _transverse(cloth: _Cloth, pairs: np.ndarray, of_one: np.ndarray, of_two: np.ndarray) -> np.ndarray:
    """[N] bool, pairs whose stretches on the line where their planes meet overlap.

    Source: Möller, A fast triangle-triangle intersection test, Journal of Graphics Tools 1997.
    """
    one, two = cloth.corners[pairs[:, 0]], cloth.corners[pairs[:, 1]]
    line = np.cross(cloth.normals[pairs[:, 0]], cloth.normals[pairs[:, 1]])
    line /= np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-300)
    middle = one[:, :1]
    first = _stretch(((one - middle) * line[:, None]).sum(2), of_one)
    second = _stretch(((two - middle) * line[:, None]).sum(2), of_two)
    shared = np.minimum(first[:, 1], second[:, 1]) - np.maximum(first[:, 0], second[:, 0])
    return shared > LEAST_CUT * cloth.side


def _stretch(along: np.ndarray, off: np.ndarray) -> np.ndarray:
    """[N,2] where faces with corners at [N,3] along a line and [N,3] off a plane through it enter and leave it."""
    below = off < 0
    alone = np.where(below.sum(1) == 1, below.argmax(1), (~below).argmax(1))
    row = np.arange(len(off))
    ends = []
    for step in (1, 2):
        other = (alone + step) % 3
        share = off[row, alone] / (off[row, alone] - off[row, other])
        ends.append(along[row, alone] + share * (along[row, other] - along[row, alone]))
    return np.sort(np.stack(ends, 1), axis=1)


def _overlap(cloth: _Cloth, pairs: np.ndarray) -> np.ndarray:
    """[N] bool, pairs in one plane that share more than an edge: none of their six edges separates them."""
    normal = cloth.normals[pairs[:, 0]]
    one, two = cloth.corners[pairs[:, 0]], cloth.corners[pairs[:, 1]]
    result = np.ones(len(pairs), bool)
    for corners in (one, two):
        for i in range(3):
            across = np.cross(normal, corners[:, (i + 1) % 3] - corners[:, i])
            across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
            a, b = (((c - one[:, :1]) * across[:, None]).sum(2) for c in (one, two))
            shared = np.minimum(a.max(1), b.max(1)) - np.maximum(a.min(1), b.min(1))
            result &= shared > LEAST_CUT * cloth.side
    return result


def _edge_pairs(faces: np.ndarray) -> np.ndarray:
    """[N,2] faces on both sides of every edge that has two."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    key = edges[:, 0] * (faces.max(initial=0) + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    _, first, count = np.unique(key[order], return_index=True, return_counts=True)
    return order[first[count == 2][:, None] + np.arange(2)] // 3


def _groups(count: int, links: np.ndarray) -> np.ndarray:
    """[count] label of the connected group of every node, for [N,2] links."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _around(cloth: _Cloth) -> np.ndarray:
    """[F,3] mean normal, by area, of the faces that share a corner with each face, itself left out; length 0..1."""
    a, b, c = cloth.corners.transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    places = int(cloth.faces.max()) + 1
    weighted = np.concatenate([cloth.normals * area[:, None], area[:, None]], 1)
    at = [np.bincount(cloth.faces.ravel(), np.repeat(column, 3), places) for column in weighted.T]
    total = np.stack([column[cloth.faces].sum(1) for column in at], 1) - 3 * weighted
    return total[:, :3] / np.maximum(total[:, 3:], 1e-300)
