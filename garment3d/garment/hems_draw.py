"""The rim of a cut drawn out to its lip and evened along its length; the cloth behind it goes along, ever less.

The cut runs a little inside of where the outline says, so that no rounded cap stays; the garment keeps its length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import spsolve

from .hems_cut import Cut, lone_edges
from .hems_sheet import RAY, Sheet, offsets

BAND = 0.06
"""How far behind the rim the cloth goes along, in canonical units over the cloth, and at least…"""
GENTLE = 2.5
"""…so many times as far as the rim moves: cloth must not be torn out."""
ASIDE = 0.03
"""How far beside the end of a lip the drawing fades out."""
ROUNDS = 3
EVEN = 0.018
"""Waves of a rim shorter than about six times this are evened out, in canonical units…"""
SHARE = 0.05
"""…but at most six times this share of the rim's length: a narrow cuff stays as wide as it is."""
END, HELD = 0.012, 30.0
"""So near to a lip's end, the corner of the outline, a rim is held in its place so many times as strongly."""


class Rim(NamedTuple):
    """A rim that a cut has left."""

    sheet: Sheet
    places: np.ndarray
    """[R] numbers of its points."""
    edges: np.ndarray
    """[E,2] its edges, between rows of `places`."""


def drawn(points: np.ndarray, cut: Cut, sheets: tuple[Sheet, ...]) -> np.ndarray:
    """[N,3] the canonical points of a cut mesh, each rim on its sheet and even, the cloth behind it drawn along."""
    first, number = np.unique(cut.place, return_index=True, return_inverse=True)[1:]
    number = number.reshape(-1)
    before, joined = points[first], number[cut.faces]
    goal, fixed = before.copy(), np.zeros(len(before), bool)
    for rim in _rims(joined, cut.rim[first], sheets):
        goal[rim.places] = _on_sheet(before[rim.places], rim)
        fixed[rim.places] = True
    if not fixed.any():
        return before[number]
    # All vertices of a place lie in one point: where they differ by rounding, a crushed face between them is gone.
    return (before + _spread(before, joined, fixed, goal - before))[number]


def _rims(faces: np.ndarray, owner: np.ndarray, sheets: tuple[Sheet, ...]) -> list[Rim]:
    lone = lone_edges(faces)
    result = []
    for k, sheet in enumerate(sheets):
        edges = lone[(owner[lone] == k).all(1)]
        places, edges = np.unique(edges, return_inverse=True)
        if len(places):
            result.append(Rim(sheet, places, edges.reshape(-1, 2)))
    return result


def _on_sheet(points: np.ndarray, rim: Rim) -> np.ndarray:
    """[R,3] where the rim's [R,3] points go: onto the sheet, but for those beside the lip, and even along the rim."""
    off = offsets(rim.sheet, points)
    length = RAY / (rim.sheet.back.along[-1] - 1)
    fade = np.clip(1.5 - np.maximum(-off.along, off.along - 1) * length / ASIDE, 0, 1)
    left = off.beyond * (1 - fade)
    end = np.minimum(np.abs(off.along), np.abs(off.along - 1)) * length
    held = 1 + HELD * np.clip(1 - end / END, 0, 1)
    return _placed(_even(_placed(points, rim.sheet, left), rim.edges, held), rim.sheet, left)


def _placed(points: np.ndarray, sheet: Sheet, beyond: np.ndarray) -> np.ndarray:
    """[R,3] the points moved in the photo's plane until they lie `beyond` [R] off the sheet."""
    result = points.copy()
    for _ in range(ROUNDS):
        off = offsets(sheet, result)
        result[:, :2] += (beyond - off.beyond)[:, None] * off.heading
    return result


def _even(points: np.ndarray, edges: np.ndarray, held: np.ndarray) -> np.ndarray:
    """[R,3] points without short waves along [E,2] edges; long ones, and with them the rim's width, stay.

    Each wave is divided by 1 + (its wave number · EVEN)⁴, the least squares of a bending rod on springs.
    """
    length = np.maximum(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1), 1e-5)
    mass = np.bincount(edges.ravel(), np.repeat(length, 2) / 2, minlength=len(points))
    stiff = _laplacian(edges, 1 / length, len(points))
    reach = min(EVEN, SHARE * float(length.sum()))
    springs = sparse.diags(held * mass)
    system = springs + reach**4 * stiff @ sparse.diags(1 / mass) @ stiff
    return np.asarray(spsolve(system.tocsc(), springs @ points))


def _spread(points: np.ndarray, faces: np.ndarray, fixed: np.ndarray, move: np.ndarray) -> np.ndarray:
    """[N,3] `move` where `fixed`, carried on into the cloth evenly and faded out over a band; 0 farther off.

    Along the cloth, not through the air: what only passes near a rim, as a body below a cuff, does not move.
    """
    edges = np.unique(np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), 1), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    length = np.maximum(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1), 1e-6)
    band = max(BAND, GENTLE * float(np.linalg.norm(move, axis=1).max()))
    graph = sparse.coo_array((length, (edges[:, 0], edges[:, 1])), shape=(len(points), len(points))).tocsr()
    far = np.asarray(dijkstra(graph, directed=False, indices=np.flatnonzero(fixed), limit=band, min_only=True))
    near = np.isfinite(far)
    number = np.cumsum(near) - 1
    edges, length = edges[near[edges].all(1)], length[near[edges].all(1)]
    stiff = _laplacian(number[edges], 1 / length, int(near.sum()))
    known = fixed[near]
    field = move[near]
    if not known.all():
        free, given = stiff[~known], field[known]
        field[~known] = spsolve(free[:, ~known].tocsc(), -free[:, known] @ given, permc_spec="MMD_AT_PLUS_A")
    share = 1 - far[near] / band
    result = np.zeros_like(points)
    result[near] = field * (share**2 * (3 - 2 * share))[:, None]
    return result


def _laplacian(edges: np.ndarray, weight: np.ndarray, count: int) -> sparse.csr_matrix:
    """[count,count] of a graph with [E,2] edges."""
    start, end = edges.T
    links = sparse.csr_matrix((np.tile(weight, 2), (np.r_[start, end], np.r_[end, start])), (count, count))
    return sparse.csr_matrix(sparse.diags(np.asarray(links.sum(1)).ravel()) - links)
