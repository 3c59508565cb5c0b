"""One source per region: every face takes the label that is cheap for it and for its borders together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

ROUNDS = 2
CAPACITY = 1000.0
"""Integer steps per unit of cost."""
MOST = 1e6
STEP_SCALE = 20.0
"""A difference of so many 8-bit steps at a border costs as much as the border's bare length."""
UNSEEN_STEP = 40.0
BORDER = 1.2
"""What a border costs per mean edge length, against squared errors in units of the scale above per mean face area."""


class Choice(NamedTuple):
    """What the labels cost."""

    cost: np.ndarray
    """[L,F] for a face of mean area; inf where a label can't be."""
    colors: np.ndarray
    """[L,F,3] the face's colour by each label, NaN where there is none."""
    area: np.ndarray
    """[F], 1 on average."""
    pairs: np.ndarray
    """[E,2] neighbours."""
    lengths: np.ndarray
    """[E] of the edges between them, 1 on average."""


def chosen(choice: Choice) -> np.ndarray:
    """[F] labels of about least cost.

    Source: Boykov, Veksler, Zabih, "Fast Approximate Energy Minimization via Graph Cuts", PAMI 2001 (expansion moves);
    Waechter, Moehrle, Goesele, "Let There Be Color!", ECCV 2014 (views as labels of faces).
    """
    labels = np.argmin(choice.cost, 0)
    for _ in range(ROUNDS):
        before = labels
        for label in range(len(choice.cost)):
            if np.isfinite(choice.cost[label]).any():
                labels = _expanded(choice, labels, label)
        if (labels == before).all():
            break
    return labels


def _expanded(choice: Choice, labels: np.ndarray, label: int) -> np.ndarray:
    """[F] labels after the best move in which any faces take `label`."""
    free = np.isfinite(choice.cost[label]) & (labels != label)
    if not free.any():
        return labels
    index = np.cumsum(free) - 1
    count = int(free.sum())
    own = np.flatnonzero(free)
    keep = choice.cost[labels[own], own] * choice.area[own]
    take = choice.cost[label, own] * choice.area[own]
    touched = free[choice.pairs].any(1)
    (p, q), lengths = choice.pairs[touched].T, choice.lengths[touched]
    now = _border(choice, p, q, labels[p], labels[q], lengths)
    p_takes = _border(choice, p, q, np.full(len(p), label), labels[q], lengths)
    q_takes = _border(choice, p, q, labels[p], np.full(len(p), label), lengths)
    both = free[p] & free[q]
    take = take + _sums(index[p[both]], (p_takes - now)[both], count) + _sums(index[q[both]], -p_takes[both], count)
    for one, other, cost in ((p, q, p_takes), (q, p, q_takes)):
        alone = free[one] & ~free[other]
        take = take + _sums(index[one[alone]], (cost - now)[alone], count)
    link = np.maximum(p_takes + q_takes - now, 0)[both]
    taken = _cut(take - keep, index[p[both]], index[q[both]], link)
    labels = labels.copy()
    labels[own[taken]] = label
    return labels


def _cut(gain: np.ndarray, p: np.ndarray, q: np.ndarray, link: np.ndarray) -> np.ndarray:
    """[N] bool, nodes that take the new label: it costs `gain` more, and `link` where q takes it and p does not."""
    count = len(gain)
    data = np.clip(np.round(gain * CAPACITY), -MOST, MOST).astype(np.int32)
    weight = np.clip(np.round(link * CAPACITY), 0, MOST).astype(np.int32)
    source, sink = count, count + 1
    dear, cheap = np.flatnonzero(data > 0), np.flatnonzero(data < 0)
    rows = np.concatenate([p, np.full(len(dear), source), cheap])
    cols = np.concatenate([q, dear, np.full(len(cheap), sink)])
    graph = sparse.csr_matrix(
        (np.concatenate([weight, data[dear], -data[cheap]]), (rows, cols)), shape=(count + 2, count + 2), dtype=np.int32
    )
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.data = np.maximum(rest.data, 0)
    rest.eliminate_zeros()
    kept = np.zeros(count + 2, bool)
    kept[breadth_first_order(rest, source, return_predecessors=False)] = True
    return ~kept[:count]


def _border(
    choice: Choice, p: np.ndarray, q: np.ndarray, first: np.ndarray, second: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """[E] cost of the edges between faces p with `first` and q with `second`: 0 where the labels are one.

    Source: Kwatra et al., "Graphcut Textures", SIGGRAPH 2003: a border is cheap where both sources agree.
    """
    step = np.zeros(len(p))
    for face in (p, q):
        apart = np.linalg.norm(choice.colors[first, face] - choice.colors[second, face], axis=1)
        step += np.where(np.isnan(apart), UNSEEN_STEP, apart)
    return np.where(first == second, 0.0, BORDER * lengths * (1 + 0.5 * step / STEP_SCALE))


def _sums(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(index, values, count)
