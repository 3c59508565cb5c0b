"""How the sources pass into each other: narrow ramps at their borders, and tones bent until no border shows.

The photo is the anchor: it stays as it is, and whatever meets it moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from .bake_choose import Chosen
from .bake_skin import Skin, faces_to_points, spread_over_points

BLEND = 0.008
"""Length over which one source passes into the next."""
SMOOTH = 0.02
"""Length over which colours are averaged before they are held against each other."""
MEET, ALONG = 10.0, 1.0
"""How much two sources want to meet at a border, and a tone to stay as it is along the surface."""
HOLD_PHOTO, HOLD_FILL, HOLD_VIEW, HOLD_SURE = 1e4, 3e-2, 1e-4, 0.3
"""How much a source holds to its own tone."""
TONE_STEP = 20.0
"""Steps well above this are no difference of tone."""
ANOTHER_STEP = 60.0
"""Steps above this are of another cloth, and nothing is levelled there."""
MOST_STEP = 48.0


class Levelled(NamedTuple):
    """What the painter needs of the borders, for every welded point and label."""

    weight: np.ndarray
    """[P,L] shares, adding up to 1."""
    offset: np.ndarray
    """[P,L,3] 8-bit steps to be added to a label's colours."""
    largest_step: float
    """What is left between neighbouring sources at a border, in 8-bit steps."""


class Tones(NamedTuple):
    """The labels' colours around every point."""

    tone: np.ndarray
    """[P,L,3]."""
    rough: np.ndarray
    """[P,L] how much they vary nearby, squared 8-bit steps: a pattern, of which a mean says little."""
    known: np.ndarray
    """[P,L] bool."""


def level(skin: Skin, chosen: Chosen) -> Levelled:
    """Weights and offsets of all labels at the skin's points."""
    count, points = len(chosen.colors), len(skin.points)
    around = np.zeros((points, count), np.float32)
    tone = np.zeros((points, count, 3), np.float32)
    rough, known = np.zeros((points, count), np.float32), np.zeros((points, count), bool)
    corner = skin.faces.ravel()
    for label in range(count):
        own = (chosen.labels == label).astype(float) * skin.area
        around[:, label] = np.bincount(corner, np.repeat(own, 3), points)
        valid = ~np.isnan(chosen.colors[label, :, 0])
        colors = np.where(valid[:, None], chosen.colors[label], 0)
        both, total = faces_to_points(skin, np.concatenate([colors, np.square(colors)], 1), skin.area * valid)
        both = spread_over_points(skin, both, (total > 0).astype(float), SMOOTH)
        tone[:, label] = both[:, :3]
        rough[:, label] = np.maximum(both[:, 3:] - np.square(both[:, :3]), 0).sum(1)
        known[:, label] = total > 0
    around /= np.maximum(around.sum(1, keepdims=True), 1e-12)
    weight = spread_over_points(skin, around, np.ones(points), BLEND)
    anchored, _ = faces_to_points(skin, chosen.anchored[:, None], skin.area)
    holds = np.array([HOLD_FILL, *(HOLD_VIEW + chosen.sure * HOLD_SURE)])
    hold = np.where((np.arange(count) == 0) & (anchored > 0.5), HOLD_PHOTO, holds)
    offset, largest = _offsets(skin, Tones(tone, rough, known), around > 0, hold)
    return Levelled(weight / np.maximum(weight.sum(1, keepdims=True), 1e-12), offset, largest)


def _offsets(skin: Skin, tones: Tones, present: np.ndarray, hold: np.ndarray) -> tuple[np.ndarray, float]:
    """[P,L,3] offsets and the largest step that they leave, for [P,L] how much each holds to its own tone.

    Source: Waechter, Moehrle, Goesele, ECCV 2014, section 4 (after Lempitsky, Ivanov, CVPR 2007): one offset per point
    and label, smooth along the surface, that lets the labels meet.
    """
    grown = _grown(skin, present)
    index = np.full(present.shape, -1)
    index[grown] = np.arange(int(grown.sum()))
    rows, cols, weights, steps = _meetings(tones, present & tones.known, index)
    offset = np.zeros((*present.shape, 3), np.float32)
    if not len(rows):
        return offset, 0.0
    size = int(grown.sum())
    edges = np.unique(np.sort(skin.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    a, b = (np.concatenate([index[edges[:, i], k] for k in range(present.shape[1])]) for i in (0, 1))
    along = (a >= 0) & (b >= 0)
    matrix = _laplacian(rows, cols, weights, size) + _laplacian(a[along], b[along], np.full(along.sum(), ALONG), size)
    matrix = matrix + sparse.diags(hold[grown])
    right = np.stack([np.bincount(rows, weights * s, size) - np.bincount(cols, weights * s, size) for s in steps.T], 1)
    solved = splu(matrix.tocsc(), "MMD_AT_PLUS_A", 0.0, options={"SymmetricMode": True}).solve(right)
    tonal = weights > MEET / 3
    largest = float(np.abs((solved[rows] - solved[cols] - steps)[tonal]).max(initial=0))
    offset[grown] = solved.clip(-MOST_STEP, MOST_STEP)
    return offset, largest


def _meetings(tones: Tones, both: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pairs of unknowns that meet at a point: [M] first, [M] second, [M] weights, [M,3] what first must gain more."""
    rows, cols, steps, rough = [], [], [], []
    for first in range(both.shape[1]):
        for second in range(first + 1, both.shape[1]):
            at = np.flatnonzero(both[:, first] & both[:, second])
            rows.append(index[at, first])
            cols.append(index[at, second])
            steps.append(tones.tone[at, second] - tones.tone[at, first])
            rough.append(tones.rough[at, second] + tones.rough[at, first])
    rows, cols, steps = np.concatenate(rows), np.concatenate(cols), np.concatenate(steps)
    # A great step is a pattern that the two show in different places, or another cloth, and no matter of tone: however
    # many points say so, they must not bend a red back towards a blue front.
    apart = np.square(steps).sum(1)
    weights = MEET / (1 + (apart + np.concatenate(rough)) / TONE_STEP**2) * (apart < ANOTHER_STEP**2)
    return rows, cols, weights, steps.astype(float)


def _grown(skin: Skin, present: np.ndarray) -> np.ndarray:
    """[P,L] bool with the points that blending reaches."""
    result = present.copy()
    edges = skin.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    for _ in range(2):
        before = result.copy()
        np.logical_or.at(result, edges[:, 0], before[edges[:, 1]])
        np.logical_or.at(result, edges[:, 1], before[edges[:, 0]])
    return result


def _laplacian(a: np.ndarray, b: np.ndarray, weights: np.ndarray, size: int) -> sparse.csr_matrix:
    """[N,N] of the sum of weights · (x_a − x_b)²."""
    rows, cols = np.concatenate([a, b, a, b]), np.concatenate([b, a, a, b])
    values = np.concatenate([-weights, -weights, weights, weights])
    return sparse.csr_matrix((values, (rows, cols)), shape=(size, size))
