"""Which triangles are the front of the garment and which the back: a pattern maker's two panels, from geometry alone.

The cut runs where the surface turns away from +Z; folds and noise must leave no crumbs of one panel in the other.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

FRONT, BACK = 0, 1
CUT_COST = 0.05
"""What a cut costs per length against what a wrong triangle costs per area, in mean edge lengths."""
CRUMB = 0.02
"""Pieces below this share of the mesh's area join the panel around them; larger ones become islands of their own."""
CAPACITY = 1e5
"""Integer steps per triangle of mean area in the graph cut."""


class Surface:
    """What the cut needs to know of a welded mesh: areas, how much each face looks to +Z, and shared edges."""

    def __init__(self, points: np.ndarray, faces: np.ndarray) -> None:
        cross = 0.5 * np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
        self.area = np.linalg.norm(cross, axis=1)
        self.facing = cross[:, 2] * _outward(points, faces, cross)
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        order = np.lexsort(edges.T)
        edges, owner = edges[order], np.tile(np.arange(len(faces)), 3)[order]
        same = np.flatnonzero((edges[1:] == edges[:-1]).all(1))
        self.pairs = np.stack([owner[same], owner[same + 1]], 1)
        self.lengths = np.linalg.norm(points[edges[same, 0]] - points[edges[same, 1]], axis=1)
        self.edge = float(np.sqrt(self.area.mean() * 4 / np.sqrt(3))) if len(faces) else 0.0


def front_and_back(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[F] int, FRONT or BACK, each panel free of crumbs; the wrong side out makes no difference.

    Source: Boykov, Jolly, "Interactive Graph Cuts", ICCV 2001, on the faces' adjacency.
    """
    surface = Surface(points, faces)
    return _absorbed(_cut(surface), surface)


def pieces(labels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """[F] int, connected pieces of equal label, numbered from 0."""
    pairs = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
    count = len(labels)
    graph = sparse.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _outward(points: np.ndarray, faces: np.ndarray, cross: np.ndarray) -> float:
    """1, or −1 where the normals look inwards: then the faces that lie in front look back."""
    depth = points[faces].mean(1)[:, 2]
    weight = np.abs(cross[:, 2])
    middle = (depth * weight).sum() / max(weight.sum(), 1e-300)
    return 1.0 if (cross[:, 2] * (depth - middle)).sum() >= 0 else -1.0


def _cut(surface: Surface) -> np.ndarray:
    """[F] labels with the least wrong area plus cut length."""
    count = len(surface.area)
    scale = CAPACITY / max(surface.edge**2, 1e-300)
    data = np.clip(np.round(surface.facing * scale), -1e8, 1e8).astype(np.int32)
    link = np.clip(np.round(CUT_COST * surface.edge * surface.lengths * scale), 0, 1e8).astype(np.int32)
    source, sink = count, count + 1
    ahead, behind = np.flatnonzero(data > 0), np.flatnonzero(data < 0)
    a, b = surface.pairs.T
    rows = np.concatenate([a, b, np.full(len(ahead), source), behind])
    cols = np.concatenate([b, a, ahead, np.full(len(behind), sink)])
    capacity = np.concatenate([link, link, data[ahead], -data[behind]])
    graph = sparse.csr_matrix((capacity, (rows, cols)), shape=(count + 2, count + 2), dtype=np.int32)
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.data = np.maximum(rest.data, 0)
    rest.eliminate_zeros()
    labels = np.full(count + 2, BACK)
    labels[breadth_first_order(rest, source, return_predecessors=False)] = FRONT
    return labels[:count]


def _absorbed(labels: np.ndarray, surface: Surface) -> np.ndarray:
    """`labels` where small pieces have taken the other label, if they touch it."""
    labels = labels.copy()
    for _ in range(8):
        piece = pieces(labels, surface.pairs)
        area = np.bincount(piece, surface.area)
        between = labels[surface.pairs[:, 0]] != labels[surface.pairs[:, 1]]
        touching = np.zeros(len(area), bool)
        touching[piece[surface.pairs[between]]] = True
        largest = np.zeros(len(area), bool)
        for label in (FRONT, BACK):
            mine = np.unique(piece[labels == label])
            largest[mine[np.argmax(area[mine])] if len(mine) else []] = True
        crumbs = np.flatnonzero((area < CRUMB * area.sum()) & touching & ~largest)
        if not len(crumbs):
            break
        # The smallest first: two crumbs side by side must not swap their labels for ever.
        crumbs = crumbs[area[crumbs] <= np.median(area[crumbs])]
        labels[np.isin(piece, crumbs)] ^= 1
    return labels
