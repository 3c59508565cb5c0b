"""One round of decimation: many collapses of a place into a neighbour that don't touch each other, cheapest first.

Seams and edges of the cloth only shorten along themselves; what would fold, tear or smear the cloth is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..nearest import on_segments
from .decimate_cloth import Cloth, Edges, Faces, areas_2d, edges_of, normals_of, shapes_of
from .decimate_quadric import Quadrics, quadrics_of

TRIED = 3
"""Neighbours a place may go to, the cheapest first."""
AT_ONCE = 0.15
"""Share of the places that a round looks at: fewer is nearer to strict order, and slower."""
MOST_EDGES = 9
"""Of a place that has taken in another."""


class Limits(NamedTuple):
    """What a collapse may do to the faces around it."""

    turn_cos: float
    """Least cosine between a face's normal before and after."""
    shape: float
    """Least shape of a new face, 1 for equal sides and 0 for no area, unless it was worse before."""
    drift: float
    """Largest distance in uv, in units of the cloth, of a seam or an edge from where it was."""


class _Moves(NamedTuple):
    """Collapses of the place `gone` into the place `kept`."""

    gone: np.ndarray
    kept: np.ndarray
    wedge_gone: np.ndarray
    """[2,N] wedges of `gone`, equal but on a seam."""
    wedge_kept: np.ndarray
    """[2,N] what they become."""
    wedge_before: np.ndarray
    """[2,N] the other neighbour along the seam or the edge; the kept one where there is none."""
    cost: np.ndarray
    faces: np.ndarray
    """[N] faces on the edge between the two: those that go."""
    drift: np.ndarray
    """[2,N] bound on how far in uv the seam or the edge then is from where it was."""

    def at(self, index: np.ndarray) -> _Moves:
        return _Moves(*(column[..., index] for column in self))


class Stars(NamedTuple):
    """The faces around every place, one after the other."""

    first: np.ndarray
    count: np.ndarray
    face: np.ndarray

    def around(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index into `places` and face, for every face around each of them."""
        count = self.count[places]
        owner = np.repeat(np.arange(len(places)), count)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        return owner, self.face[self.first[places][owner] + step]


class State(NamedTuple):
    """How far decimation has come."""

    faces: Faces
    quadrics: Quadrics
    drift: np.ndarray
    """[W] bound on the distance in uv between what is left of seams and edges beside a wedge, and where they were."""
    stands: np.ndarray
    """[P] the place that stands for each place of the mesh now."""


def start_of(cloth: Cloth, faces: Faces) -> State:
    """The State of a mesh that nothing is taken away of yet."""
    quadrics = quadrics_of(cloth, faces, edges_of(faces, len(cloth.points)))
    return State(faces, quadrics, np.zeros(len(cloth.place)), np.arange(len(cloth.points)))


def collapsed(cloth: Cloth, state: State, most: int, limits: Limits, held: np.ndarray) -> State | None:
    """The State after one round that takes away at most `most` faces, or None where nothing may go.

    Args:
        held: [P] bool, places that stay.
    """
    count = len(cloth.points)
    edges = edges_of(state.faces, count)
    moves = _moves(cloth, state, edges, limits, held)
    if not len(moves.gone):
        return None
    stars, neighbours = stars_of(state.faces, count), _Neighbours(edges, count)
    best = _chosen(cloth, state.faces, stars, moves, neighbours, limits, AT_ONCE)
    if not len(best.gone):  # all that is cheap is forbidden
        best = _chosen(cloth, state.faces, stars, moves, neighbours, limits, 1.0)
    moves = _apart(state.faces, stars, best, count)
    moves = moves.at(np.flatnonzero(np.cumsum(moves.faces) <= most))
    return _applied(cloth, state, moves) if len(moves.gone) else None


def _moves(cloth: Cloth, state: State, edges: Edges, limits: Limits, held: np.ndarray) -> _Moves:
    """Every collapse that seams, edges, locks and the limit of drift allow."""
    kinds = [kind & ~held for kind in _kinds(cloth, state.faces, edges)]
    both = _around(cloth, edges)
    back = Edges(edges.b, edges.a, edges.wedge_b, edges.wedge_a, edges.open, edges.seam, edges.wrong)
    ways = [_one_way(cloth, state, way, kinds, both) for way in (edges, back)]
    moves = _Moves(*(np.concatenate(columns, -1) for columns in zip(*ways, strict=True)))
    return moves.at(moves.drift.max(0) <= limits.drift * cloth.uv_scale)


def _one_way(cloth: Cloth, state: State, edges: Edges, kinds: list[np.ndarray], both: np.ndarray) -> _Moves:
    """Collapses of each edge's a into its b."""
    free, on_seam, on_edge = (kind[edges.a] for kind in kinds)
    may = free | (on_seam & edges.seam) | (on_edge & edges.open)
    chosen = np.flatnonzero(may & ~edges.wrong)
    gone, kept = edges.wedge_a[:, chosen], edges.wedge_b[:, chosen]
    cost = state.quadrics.cost(gone[0], kept[0])
    seam = np.flatnonzero(edges.seam[chosen])
    cost[seam] += state.quadrics.cost(gone[1, seam], kept[1, seam])
    before, drift = kept.copy(), np.zeros(kept.shape)
    along = np.flatnonzero((edges.seam | edges.open)[chosen] & ~free[chosen])
    before[:, along] = both[gone[:, along]] - kept[:, along]
    if cloth.uv is not None:
        at, one, two = (cloth.uv[wedge[:, along]] for wedge in (gone, before, kept))
        off = np.linalg.norm(on_segments(at, one, two) - at, axis=2)
        drift[:, along] = state.drift[gone[:, along]] + off
    faces = np.where(edges.open[chosen], 1, 2)
    return _Moves(edges.a[chosen], edges.b[chosen], gone, kept, before, cost, faces, drift)


def _around(cloth: Cloth, edges: Edges) -> np.ndarray:
    """[W] sum of the wedges at the other ends of a wedge's seams or open edges: two of them along a seam."""
    total = np.zeros(len(cloth.place), np.int64)
    for chosen, sides in ((edges.open, (0,)), (edges.seam, (0, 1))):
        for side in sides:
            a, b = edges.wedge_a[side, chosen], edges.wedge_b[side, chosen]
            np.add.at(total, a, b)
            np.add.at(total, b, a)
    return total


def _kinds(cloth: Cloth, faces: Faces, edges: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[P] bool each: places inside the cloth, along one seam, along one edge; the rest is locked."""
    count = len(cloth.points)

    def touching(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(edges.a[chosen], minlength=count) + np.bincount(edges.b[chosen], minlength=count)

    seams, opens = touching(edges.seam), touching(edges.open)
    wedges = np.bincount(cloth.place[np.unique(faces.wedges)], minlength=count)
    loose = ~cloth.locked & (touching(edges.wrong) == 0)
    return (
        loose & (seams == 0) & (opens == 0) & (wedges == 1),
        loose & (seams == 2) & (opens == 0) & (wedges == 2),
        loose & (seams == 0) & (opens == 2) & (wedges == 1),
    )


def stars_of(faces: Faces, count: int) -> Stars:
    """The Stars of faces over `count` places."""
    order = np.argsort(faces.places.ravel(), kind="stable")
    uses = np.bincount(faces.places.ravel(), minlength=count)
    return Stars(np.cumsum(uses) - uses, uses, order // 3)


class _Neighbours:
    """Which places share an edge."""

    def __init__(self, edges: Edges, count: int) -> None:
        ends = np.concatenate([edges.a, edges.b]), np.concatenate([edges.b, edges.a])
        self._graph = sparse.csr_array((np.ones(len(ends[0]), np.int32), ends), shape=(count, count))
        self.count = np.diff(self._graph.indptr)

    def common(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """[N] how many neighbours places have in common."""
        return np.asarray(self._graph[one].multiply(self._graph[two]).sum(1)).reshape(-1)


def _chosen(
    cloth: Cloth,
    faces: Faces,
    stars: Stars,
    moves: _Moves,
    neighbours: _Neighbours,
    limits: Limits,
    share: float,
) -> _Moves:
    """The cheapest collapse of each place that may be done, among the cheapest share of places, by rising cost."""
    order = np.lexsort([moves.cost, moves.gone])
    first = np.flatnonzero(np.diff(moves.gone[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    cheapest = np.sort(moves.cost[order[first]])
    bound = cheapest[min(len(cheapest) - 1, int(share * len(cheapest)) + 50)]
    done = np.zeros(len(cloth.points), bool)
    found: list[np.ndarray] = []
    for turn in range(TRIED):
        tried = order[(rank == turn) & (moves.cost[order] <= bound)]
        tried = tried[~done[moves.gone[tried]]]
        some = moves.at(tried)
        fine = _keeps_sheet(stars, some, neighbours)
        fine[fine] = _keeps_faces(cloth, faces, stars, some.at(np.flatnonzero(fine)), limits)
        done[some.gone[fine]] = True
        found.append(tried[fine])
    index = np.concatenate(found)
    return moves.at(index[np.argsort(moves.cost[index], kind="stable")])


def _keeps_sheet(stars: Stars, moves: _Moves, neighbours: _Neighbours) -> np.ndarray:
    """[N] bool: nothing tears or closes: the two share no neighbour but across their faces (the link condition)."""
    gone, kept = neighbours.count[moves.gone], neighbours.count[moves.kept]
    closes = (gone == 3) & (kept == 3) & (moves.faces == 2)
    slim = gone + kept - 2 - moves.faces <= np.maximum(MOST_EDGES, np.maximum(gone, kept))
    fine = slim & ~closes & (stars.count[moves.gone] > moves.faces)
    fine[fine] = neighbours.common(moves.gone[fine], moves.kept[fine]) == moves.faces[fine]
    return fine


def _keeps_faces(cloth: Cloth, faces: Faces, stars: Stars, moves: _Moves, limits: Limits) -> np.ndarray:
    """[N] bool: no face around turns over, in space or in uv, or becomes a sliver."""
    owner, face = stars.around(moves.gone)
    stays = (faces.places[face] != moves.kept[owner][:, None]).all(1)
    owner, face = owner[stays], face[stays]
    wedges = faces.wedges[face]
    moved = wedges.copy()
    for side in (1, 0):
        moved = np.where(
            wedges == moves.wedge_gone[side, owner][:, None], moves.wedge_kept[side, owner][:, None], moved
        )
    before, after = cloth.points[cloth.place[wedges]], cloth.points[cloth.place[moved]]
    old, new = normals_of(before), normals_of(after)
    length_old, length_new = np.linalg.norm(old, axis=1), np.linalg.norm(new, axis=1)
    turn = (old * new).sum(1)
    bad = (turn < limits.turn_cos * length_old * length_new) | (length_new <= 1e-14)
    bad |= (moved == wedges).all(1)
    shape_new, shape_old = shapes_of(after, length_new), shapes_of(before, length_old)
    worst = np.full(len(moves.gone), np.inf)
    np.minimum.at(worst, owner, shape_old)
    bad |= shape_new < np.minimum(limits.shape, worst[owner])
    if cloth.uv is not None:
        flat_old, flat_new = areas_2d(cloth.uv[wedges]), areas_2d(cloth.uv[moved])
        # A face as large on the cloth as in uv has a ratio of 1; what comes near 0 is about to turn over.
        smeared = np.sign(flat_old) * flat_new < 0.2 * np.minimum(
            length_new, np.abs(flat_old) * length_new / np.maximum(length_old, 1e-300)
        )
        bad |= smeared & (np.abs(flat_old) > 1e-14)
    fine = np.ones(len(moves.gone), bool)
    fine[owner[bad]] = False
    return fine


def _apart(faces: Faces, stars: Stars, moves: _Moves, count: int) -> _Moves:
    """The collapses, cheapest first, whose neighbourhoods no cheaper one changes.

    New edges come from `kept`: two collapses may share a neighbour, but not one that either of them ends in.
    """
    owner, face = stars.around(moves.gone)
    owner, ring = np.repeat(owner, 3), faces.places[face].ravel()
    rank = np.arange(len(moves.gone))
    nearest, hard = np.full(count, len(rank)), np.full(count, len(rank))
    np.minimum.at(nearest, ring, owner)
    for end in (moves.gone, moves.kept):
        np.minimum.at(hard, end, rank)
    fine = (nearest[moves.gone] >= rank) & (nearest[moves.kept] >= rank)
    fine[owner[hard[ring] < owner]] = False
    return moves.at(np.flatnonzero(fine))


def _applied(cloth: Cloth, state: State, moves: _Moves) -> State:
    place, wedge, drift = np.arange(len(cloth.points)), np.arange(len(cloth.place)), state.drift.copy()
    place[moves.gone] = moves.kept
    for side in (1, 0):
        wedge[moves.wedge_gone[side]] = moves.wedge_kept[side]
        for end in (moves.wedge_kept, moves.wedge_before):
            np.maximum.at(drift, end[side], moves.drift[side])
    other = moves.wedge_gone[0] != moves.wedge_gone[1]
    gone, kept = (np.concatenate([w[0], w[1, other]]) for w in (moves.wedge_gone, moves.wedge_kept))
    places, wedges = place[state.faces.places], wedge[state.faces.wedges]
    whole = (places != np.roll(places, 1, 1)).all(1)
    faces = Faces(places[whole], wedges[whole], state.faces.origin[whole])
    return State(faces, state.quadrics.merged(gone, kept), drift, place[state.stands])
