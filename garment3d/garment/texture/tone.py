"""Pictures brought to the photo's tones: one colour matrix each, all solved together through what they show in common.

Views that share nothing with the photo, those of the back, reach it through their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from .looks import Look

LEAST_SHARED = 12.0
"""Summed weight of places that two pictures must share to be held against each other."""
NOISE = 0.03
"""Difference of two pictures of one place, sRGB 0..1, that needs no explanation."""
ODD = 0.08
"""A place that differs by so much counts half: one picture shows something else there."""
INDEPENDENT = 30.0
"""Places near each other err alike: so many of them count as one."""
PRIOR_GREY, PRIOR_MIX, PRIOR_OFFSET = 0.06, 0.2, 0.02
"""How far a picture's change of grey, of its channels' mixture and of black may be from none, as one sigma."""
MEAN_DOUBT, NEAR_DOUBT, PATTERN_DOUBT = 0.01, 0.05, 0.2
"""How wrong, as a share of itself, what two pictures show in common may be: on the whole, between neighbourhoods, and
within them, where patterns are."""
CELL = 0.08
"""Size of a neighbourhood, canonical: by so much a pattern may lie elsewhere in a view."""
ROUNDS = 6
LEAST_HALF = 0.25
EVEN = 0.3
"""How much views that differ from each other are taken to err alike, against what all pairs say together."""
MOST_UNSEEN = 0.12
"""A picture that nothing ties to the photo is changed by no more than this."""


class Tone(NamedTuple):
    """How a picture's colours become the photo's."""

    matrix: np.ndarray
    """[3,4] on (r, g, b, 1), sRGB 0..1."""
    error: float
    """RMS difference that is left, in 8-bit steps: against the photo, or through neighbours."""
    tied: bool
    """Whether the picture shares places with the photo, if only through its neighbours."""


class _Pair(NamedTuple):
    """Two pictures of the same places."""

    first: int
    """Index of a view."""
    second: int
    """Index of another view, or -1 for a picture that is right as it is."""
    a: np.ndarray
    """[N,4] colours and 1."""
    b: np.ndarray
    weights: np.ndarray
    cells: np.ndarray
    """[N] int, which neighbourhood a place lies in."""


def tones(points: np.ndarray, fixed: Sequence[Look], views: Sequence[Look]) -> tuple[Tone, ...]:
    """One Tone per view; all looks are at the same [N,3] points, and `fixed` are the photo and what is right as it is.

    Source: gain compensation of Brown and Lowe, Automatic Panoramic Image Stitching (IJCV 2007), with matrices.
    """
    cells = _cells(points)
    pairs = _pairs(cells, fixed, views)
    tied = _tied(pairs, len(views))
    soft = [p for p in _pairs(cells, [f.softened for f in fixed], [v.softened for v in views]) if tied[p.first]]
    matrices = _solved([_ranked(p) for p in soft], len(views))
    for i in np.flatnonzero(~tied).tolist():
        matrices[i] = _from_statistics(fixed, views[i])
    errors = _errors(pairs, matrices)
    return tuple(Tone(m, 255 * float(e), bool(t)) for m, e, t in zip(matrices, errors, tied, strict=True))


def toned(colours: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """[...,3] sRGB 0..1 after a Tone's [3,4] matrix, clipped."""
    return np.clip(colours @ matrix[:, :3].T + matrix[:, 3], 0, 1)


def _cells(points: np.ndarray) -> np.ndarray:
    """[N] int, the same for points of one cube of CELL."""
    index = np.floor(points / CELL).astype(int)
    return np.unique(index, axis=0, return_inverse=True)[1].reshape(-1)


def _ranked(pair: _Pair) -> _Pair:
    """The pair with the colours of each neighbourhood laid to each other in order, darkest to darkest.

    Where a pattern lies a little elsewhere in one of the pictures, place by place stripes would meet gaps, and the
    best match of both would be grey.
    """
    both = np.concatenate([pair.a[:, :3], pair.b[:, :3]])
    axis = np.linalg.eigh(np.cov(both.T))[1][:, -1]
    axis = axis * np.sign(axis.sum() or 1.0)
    # Only colours move within a neighbourhood: weights there are much the same.
    order = np.lexsort((pair.a[:, :3] @ axis, pair.cells))
    other = np.lexsort((pair.b[:, :3] @ axis, pair.cells))
    return pair._replace(a=pair.a[order], b=pair.b[other], weights=pair.weights[order], cells=pair.cells[order])


def _pairs(cells: np.ndarray, fixed: Sequence[Look], views: Sequence[Look]) -> list[_Pair]:
    found = []
    for i, view in enumerate(views):
        others = [(-1, look) for look in fixed] + [(j, views[j]) for j in range(i)]
        for j, other in others:
            weights = view.weights * other.weights
            if weights.sum() >= LEAST_SHARED:
                kept = np.flatnonzero(weights > 0.02)
                a, b = _with_one(view.colours[kept]), _with_one(other.colours[kept])
                found.append(_Pair(i, j, a, b, weights[kept], cells[kept]))
    return found


def _with_one(colours: np.ndarray) -> np.ndarray:
    return np.concatenate([colours, np.ones((len(colours), 1))], 1).astype(float)


def _tied(pairs: list[_Pair], count: int) -> np.ndarray:
    """[V] bool, views from which a chain of pairs leads to a fixed picture."""
    tied = np.zeros(count + 1, bool)
    tied[-1] = True
    for _ in range(count):
        for pair in pairs:
            tied[pair.first] |= tied[pair.second]
            if pair.second >= 0:
                tied[pair.second] |= tied[pair.first]
    return tied[:-1]


def _solved(pairs: list[_Pair], count: int) -> np.ndarray:
    """[V,3,4] matrices with the least weighted difference between all pairs, odd places counting ever less."""
    none = np.broadcast_to(np.eye(3, 4), (count, 3, 4))
    matrices = none.copy()
    precision = np.diag([1 / PRIOR_MIX**2] * 3 + [1 / PRIOR_OFFSET**2])
    precision[:3, :3] += 1 / PRIOR_GREY**2
    prior = np.kron(np.eye(count), precision)
    for _ in range(ROUNDS if pairs else 0):
        square, right = _normal_equations(pairs, matrices, count)
        for c in range(3):
            solution = np.linalg.solve(square + prior, right[:, c] + prior @ none[:, c].ravel())
            matrices[:, c] = solution.reshape(count, 4)
    return matrices


def _normal_equations(pairs: list[_Pair], matrices: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """[4V,4V] and [4V,3] of all pairs, the same for each channel."""
    square, right = np.zeros((count, 4, count, 4)), np.zeros((count, 4, 3))
    for pair in pairs:
        i, j = pair.first, pair.second
        apart = np.square(_difference(pair, matrices)).sum(1)
        for a, b in _levels(pair, pair.weights / (1 + apart / ODD**2) ** 2):
            square[i, :, i] += a.T @ a
            if j < 0:
                right[i] += a.T @ b[:, :3]
                continue
            square[j, :, j] += b.T @ b
            square[i, :, j] -= a.T @ b
            square[j, :, i] -= b.T @ a
    return square.reshape(4 * count, 4 * count), right.reshape(4 * count, 3)


def _levels(pair: _Pair, weights: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows [K,4] of both pictures to be made equal, as certain as they are: the mean, the neighbourhoods, the places.

    A picture's mean colour is sure. How far its pattern leaves the mean depends on how sharp it is.
    """
    both = np.concatenate([pair.a, pair.b], 1)
    total = weights.sum()
    shared = np.bincount(pair.cells, weights)
    local = np.stack([np.bincount(pair.cells, column * weights) for column in both.T], 1)
    local /= np.maximum(shared, 1e-9)[:, None]
    mean = shared @ local / total
    spread = NOISE**2 * INDEPENDENT / total
    for rows, share, doubt in (
        (mean[None], np.ones(1), MEAN_DOUBT),
        (local - mean, shared / total, NEAR_DOUBT),
        (both - local[pair.cells], weights / total, PATTERN_DOUBT),
    ):
        colours = np.square(rows[:, :3]).sum(1) @ share
        rows = rows * np.sqrt(share / (doubt**2 * colours + spread))[:, None]
        yield rows[:, :4], rows[:, 4:]


def _difference(pair: _Pair, matrices: np.ndarray) -> np.ndarray:
    """[N,3] how far the two pictures are apart once both are matched."""
    other = pair.b[:, :3] if pair.second < 0 else pair.b @ matrices[pair.second].T
    return pair.a @ matrices[pair.first].T - other


def _errors(pairs: list[_Pair], matrices: np.ndarray) -> np.ndarray:
    """[V] RMS error of the matched views: two that err each for themselves differ by the root of both squares' sum.

    inf where a view shares nothing with any other picture.
    """
    if not pairs:
        return np.full(len(matrices), np.inf)
    apart = np.array([np.average(np.square(_difference(p, matrices)).mean(1), weights=p.weights) for p in pairs])
    shares = np.zeros((len(pairs), len(matrices)))
    for row, pair in zip(shares, pairs, strict=True):
        row[[k for k in (pair.first, pair.second) if k >= 0]] = 1
    weights = np.sqrt([p.weights.sum() for p in pairs])
    # Squares that add up can be given to either view: where nothing tells them apart, each gets its half.
    halves = (shares / shares.sum(1, keepdims=True) * (apart * weights)[:, None]).sum(0)
    halves /= np.maximum((shares * weights[:, None]).sum(0), 1e-9)
    even = EVEN * np.sqrt((shares * weights[:, None] ** 2).sum(0))
    rows = np.concatenate([shares * weights[:, None], np.diag(even)])
    squares = nnls(rows, np.concatenate([apart * weights, halves * even]))[0]
    # No view is without error only because its neighbours can be blamed for all of it.
    return np.where(shares.any(0), np.sqrt(np.maximum(squares, LEAST_HALF * halves)), np.inf)


def _from_statistics(fixed: Sequence[Look], view: Look) -> np.ndarray:
    """[3,4] gains that bring a view's usual colour towards the photo's, its hue only where it is lit otherwise."""
    theirs, own = (
        np.concatenate([_usual(look) for look in fixed if look.weights.any()] or [np.empty((0, 3))]),
        _usual(view),
    )
    if not len(theirs) or not len(own):
        return np.eye(3, 4)
    gains = np.median(theirs, 0) / np.maximum(np.median(own, 0), 0.02)
    if abs(gains.mean() - 1) > MOST_UNSEEN:
        gains = gains / gains.mean()
    return np.diag(np.clip(gains, 1 - MOST_UNSEEN, 1 + MOST_UNSEEN)) @ np.eye(3, 4)


def _usual(look: Look) -> np.ndarray:
    """[N,3] the colours that a picture shows well."""
    return look.colours[look.weights > 0.5]
