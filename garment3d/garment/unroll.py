"""A panel spread so that steps in the plane are about steps on the cloth: where its triangles are laid out.

Unlike a flattening this never overlaps: a seam moves outwards by no more than its share of the gap beside it.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from .flatten import signed_areas
from .inflate import diffused
from .mesher import crossings, rim_rings

CIRCLE_EXCESS = np.pi / 2 - 1
"""How much longer a quarter of a circle is than its radius, in radii."""


def unrolled(xy: np.ndarray, faces: np.ndarray, height: np.ndarray, seam: np.ndarray, share: float = 1.0) -> np.ndarray:
    """[N,2] places for [N,2] photo positions of a sheet with [N] heights; `seam` [N] is True where it is sewn.

    `share` 0 leaves every vertex at its photo position, 1 goes all the way.

    A sheet without seams, or of no height, stays where it is.
    """
    if share == 0:
        return xy
    rings = rim_rings(faces)
    push = _uncrossed(xy, _pushes(xy, faces, height, seam, rings), rings)
    rim = np.concatenate(rings)
    place = _spread(xy, faces, height, rim, xy[rim] + share * push[rim])
    return place if (signed_areas(place, faces) <= 0).mean() < 0.01 else xy


def _uncrossed(xy: np.ndarray, push: np.ndarray, rings: list[np.ndarray]) -> np.ndarray:
    """`push` halved around the places where the rim would cross itself, until it does not."""
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(r, -1) for r in rings])
    push = push.copy()
    for _ in range(8):
        place = xy + push
        hit = crossings(np.stack([place[starts], place[ends]], 1))
        if not hit.any():
            return push
        near = cKDTree(xy[starts[hit]]).query(xy[starts])[0] < 0.03
        push[starts[near]] *= 0.5
    return np.zeros_like(push)


def _pushes(
    xy: np.ndarray, faces: np.ndarray, height: np.ndarray, seam: np.ndarray, rings: list[np.ndarray]
) -> np.ndarray:
    """[N,2] outward displacement of the rim: the cloth's extra length, within the gap, fading along lips."""
    ridge = diffused(xy, faces, height, height**4 + 1e-12, 0.03)
    gap = _gaps(xy, rings)
    push = np.zeros_like(xy)
    for ring in rings:
        ahead, behind = np.roll(xy[ring], -1, 0), np.roll(xy[ring], 1, 0)
        normal = (ahead - behind)[:, ::-1] * np.array([1.0, -1.0])
        normal = gaussian_filter1d(
            normal / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None], 2, axis=0, mode="wrap"
        )
        room = minimum_filter1d(gap[ring], 7, mode="wrap")
        size = np.minimum(np.where(seam[ring], CIRCLE_EXCESS * ridge[ring], 0.0), 0.25 * room)
        size = np.minimum(gaussian_filter1d(size, 2, mode="wrap"), 0.3 * room)
        push[ring] = _along_lips(normal * size[:, None], seam[ring])
    return push


def _along_lips(push: np.ndarray, seam: np.ndarray) -> np.ndarray:
    """The ring's pushes with each lip's taken linearly between its two ends."""
    at = np.flatnonzero(seam)
    if not len(at):
        return push
    order = np.arange(len(seam))
    knots = np.concatenate([[at[-1] - len(seam)], at, [at[0] + len(seam)]])
    return np.stack([np.interp(order, knots, push[knots % len(seam), k]) for k in range(2)], 1)


def _gaps(xy: np.ndarray, rings: list[np.ndarray]) -> np.ndarray:
    """[N] distance outwards from the rim to another part of it; inf where nothing is near."""
    rim = np.concatenate(rings)
    owner = np.concatenate([np.full(len(r), i) for i, r in enumerate(rings)])
    arc, total, outward = [], [], []
    for ring in rings:
        step = np.linalg.norm(np.roll(xy[ring], -1, 0) - xy[ring], axis=1)
        arc.append(np.cumsum(step) - step)
        total.append(np.full(len(ring), step.sum()))
        outward.append((np.roll(xy[ring], -1, 0) - np.roll(xy[ring], 1, 0))[:, ::-1] * np.array([1.0, -1.0]))
    arc, total, outward = np.concatenate(arc), np.concatenate(total), np.concatenate(outward)
    outward /= np.maximum(np.linalg.norm(outward, axis=1), 1e-12)[:, None]
    points = xy[rim]
    i, j = cKDTree(points).query_pairs(0.25, output_type="ndarray").T
    i, j = np.concatenate([i, j]), np.concatenate([j, i])
    across = points[j] - points[i]
    distance = np.linalg.norm(across, axis=1)
    apart = np.abs(arc[i] - arc[j])
    along = np.where(owner[i] == owner[j], np.minimum(apart, total[i] - apart), np.inf)
    facing = (along > 1.3 * distance) & ((across * outward[i]).sum(1) > 0.1 * distance)
    gap = np.full(len(xy), np.inf)
    np.minimum.at(gap, rim[i[facing]], distance[facing])
    return gap


def _spread(xy: np.ndarray, faces: np.ndarray, height: np.ndarray, rim: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[N,2] the harmonic map of the sheet in space whose rim lies at `target`; weights are kept positive."""
    points = np.column_stack([xy, height])
    rows, columns, values = [], [], []
    for i in range(3):
        a, b, c = faces[:, i], faces[:, (i + 1) % 3], faces[:, (i + 2) % 3]
        u, v = points[b] - points[a], points[c] - points[a]
        weight = (u * v).sum(1) / np.maximum(np.linalg.norm(np.cross(u, v), axis=1), 1e-12)
        rows += [b, c]
        columns += [c, b]
        values += [weight, weight]
    size = (len(xy), len(xy))
    weights = csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=size)
    weights.data = np.maximum(weights.data, 0.01)
    matrix = csr_matrix((np.asarray(weights.sum(1)).ravel(), (range(len(xy)), range(len(xy)))), shape=size) - weights
    free = np.setdiff1d(np.arange(len(xy)), rim)
    place = xy.copy()
    place[rim] = target
    if len(free):
        right = -matrix[free][:, rim] @ target
        place[free] = splu(matrix[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A").solve(right)
    return place
