"""How any mesh looks into the photo: by lengths along its welded surface instead of distances in a flat uv.

Closed solids, islands of any number and steep walls then turn back into the photo without stretching it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from .plate import Plate, sample
from .project import RIM_POINTS, Turn, rim

STEEP_COS = 0.25
"""Surface that faces the photo's camera less than this shows it only streaks."""
STEEP_LENGTH = 0.05
"""Turns a missing cosine into a length, to be compared with the distance to the rim."""

STEADY = 20 * RIM_POINTS
"""Rim points, the nearest triangles' own, over which the way inwards is averaged."""


class Rim(NamedTuple):
    """Points along the line on the surface beyond which the photo is not trusted."""

    points: np.ndarray
    """[R,3] canonical."""
    inward: np.ndarray
    """[R,2] unit, the way back into the trusted photo."""


def turn_along(plate: Plate, points: np.ndarray, faces: np.ndarray, xy: np.ndarray) -> Turn:
    """The Turn of a welded mesh, [P,3] points at [P,2] places in the photo; lengths are measured along the surface."""
    place = torch.as_tensor(xy, dtype=torch.float32)
    field = sample(plate.field.values, plate.field.camera, place).numpy()
    steep = STEEP_LENGTH * (np.abs(vertex_normals(points, faces)[:, 2]) - STEEP_COS)
    trusted = np.minimum(field[0], steep)
    line = _rim_of(trusted, field, points, faces, xy)
    own_rim, inward = (t.numpy().copy() for t in rim(plate, place)[:2])
    beyond = -trusted
    if len(line.points):
        near, length = _along(trusted, line, points, faces)
        known = near >= 0
        beyond[known] = np.where(trusted[known] < 0, 1, -1) * length[known]
        own_rim[known], inward[known] = _to_xy(line.points[near[known]], points, xy), line.inward[near[known]]
    columns = np.concatenate([xy, beyond[:, None], own_rim, inward], 1)
    return Turn(torch.as_tensor(columns[faces], dtype=torch.float32))


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[P,3] unit normals, weighted by the faces' areas; zero where there is no area."""
    corners = points[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack([np.bincount(faces.ravel(), np.repeat(cross[:, i], 3), len(points)) for i in range(3)], 1)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-30)


def _to_xy(at: np.ndarray, points: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """[N,2] places in the photo of canonical [N,3] points: the photo may be stretched and mirrored against x and y."""
    low, high = np.argmin(points[:, :2], 0), np.argmax(points[:, :2], 0)
    axes = np.arange(2)
    span = points[high, axes] - points[low, axes]
    scale = (xy[high, axes] - xy[low, axes]) / np.where(span > 0, span, 1)
    return xy[low, axes] + (at[:, :2] - points[low, axes]) * scale


def _rim_of(trusted: np.ndarray, field: np.ndarray, points: np.ndarray, faces: np.ndarray, xy: np.ndarray) -> Rim:
    """The Rim along the zero of the vertices' [P] values; the [4,P] field gives the way inwards at the mask's edge."""
    inside = trusted[faces] >= 0
    crossed = faces[inside.any(1) & ~inside.all(1)]
    inside = trusted[crossed] >= 0
    # The corner that is alone on its side of the rim comes first: the rim crosses the two edges from it.
    alone = np.where(inside.sum(1) == 1, inside.argmax(1), (~inside).argmax(1))
    a, b, c = crossed[np.arange(len(crossed))[:, None], (alone[:, None] + np.arange(3)) % 3].T
    share = [trusted[a] / (trusted[a] - trusted[other]) for other in (b, c)]
    ends = [points[a] + s[:, None] * (points[other] - points[a]) for s, other in zip(share, (b, c), strict=True)]
    steps = (np.arange(RIM_POINTS) + 0.5)[:, None, None] / RIM_POINTS
    line = ends[0] + steps * (ends[1] - ends[0])
    # At a steep wall inside the outline the way back is the way the surface comes from.
    side = np.where(inside[np.arange(len(alone)), alone], 1, -1)[:, None]
    back = side * (xy[a] - 0.5 * (xy[b] + xy[c]))
    back /= np.maximum(np.linalg.norm(back, axis=1, keepdims=True), 1e-9)
    edge = (trusted >= field[0])[np.stack([a, b, c], 1)].any(1)
    inward = np.where(edge[:, None], field[1:3, a].T, back)
    return _steadied(Rim(line.reshape(-1, 3), np.tile(inward, (RIM_POINTS, 1))))


def _steadied(line: Rim) -> Rim:
    """The Rim with the ways inwards averaged along it: each triangle's own is noise that would break stripes."""
    if not len(line.points):  # all of the surface lies inside the rim, or none
        return line
    near = cKDTree(line.points).query(line.points, k=range(1, min(STEADY, len(line.points)) + 1))[1]
    inward = line.inward[near].mean(1)
    return line._replace(inward=inward / np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9))


def _along(trusted: np.ndarray, line: Rim, points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[P] index of the rim point that is nearest along the surface (−1 = none is needed or reached), [P] lengths."""
    inside = trusted[faces] >= 0
    seeds = np.unique(faces[inside.any(1) & ~inside.all(1)])
    distance, index = cKDTree(line.points).query(points[seeds])
    count = len(points)
    edges = surface_edges(points, faces)
    # Trusted places need no length, but for the faces that the rim crosses.
    start = np.isin(np.arange(count), seeds)
    open_ = (trusted < 0) | start
    edges = edges[open_[edges].all(1)]
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    rows = np.concatenate([edges[:, 0], np.full(len(seeds), count)])
    cols = np.concatenate([edges[:, 1], seeds])
    graph = sparse.csr_matrix(
        (np.maximum(np.concatenate([length, distance]), 1e-9), (rows, cols)), shape=(count + 1, count + 1)
    )
    lengths, before = dijkstra(graph, directed=False, indices=count, return_predecessors=True)
    lengths, before = lengths[:count], before[:count]
    root = np.where((before == count) | (before < 0), np.arange(count), before)
    while (root[root] != root).any():
        root = root[root]
    nearest = np.full(count, -1)
    nearest[seeds] = index
    return np.where(np.isfinite(lengths), nearest[root], -1), lengths


def surface_edges(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[E,2] the mesh's edges, and across each edge the line between the corners opposite where it is about flat.

    Paths along edges alone are up to a seventh too long; with the second kind they are within a few hundredths.
    """
    ring = faces[:, [0, 1, 2, 1, 2, 0, 2, 0, 1]].reshape(-1, 3)  # an edge and the corner opposite
    ends = np.sort(ring[:, :2], 1)
    order = np.lexsort(ends.T)
    ends, opposite = ends[order], ring[order, 2]
    same = np.flatnonzero((ends[1:] == ends[:-1]).all(1))
    first = np.ones(len(ends), bool)
    first[same + 1] = False
    across = np.stack([opposite[same], opposite[same + 1]], 1)
    middle = 0.5 * (points[ends[same, 0]] + points[ends[same, 1]])
    straight = np.linalg.norm(points[across[:, 0]] - points[across[:, 1]], axis=1)
    bent = np.linalg.norm(points[across] - middle[:, None], axis=2).sum(1)
    across = across[(bent < 1.1 * straight) & (across[:, 0] != across[:, 1])]
    links = np.sort(np.concatenate([ends[first], across]), 1)
    return np.unique(links, axis=0)
