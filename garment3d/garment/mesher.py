"""Even triangles inside a polygon: hexagonal points, Delaunay, and the rules that let two sheets share a seam.

Works on arrays only; what the polygon means (seam, opening, panel) is the shell's business.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay, cKDTree


def inside(points: np.ndarray, rings: list[np.ndarray]) -> np.ndarray:
    """[P] bool by the even-odd rule for [P,2] points and closed rings [K,2]; no ring holds nothing."""
    odd = np.zeros(len(points), bool)
    for ring in rings:
        a, b = ring, np.roll(ring, -1, 0)
        for chunk in np.array_split(np.arange(len(points)), max(1, len(points) * len(ring) // 4_000_000)):
            x, y = points[chunk, 0, None], points[chunk, 1, None]
            spans = (a[:, 1] > y) != (b[:, 1] > y)
            slope = (b[:, 0] - a[:, 0]) / np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
            odd[chunk] ^= (spans & (x < a[:, 0] + slope * (y - a[:, 1]))).sum(1) % 2 == 1
    return odd


def fill(rings: list[np.ndarray], spacing: float) -> np.ndarray:
    """[P,2] points inside the rings: apexes of equal-sided triangles on their edges, then hexagons; may be empty.

    The first row keeps triangles regular along the rim, where a surface made from them is steepest.
    """
    dense = cKDTree(np.concatenate([_densified(ring, spacing / 4) for ring in rings]))
    row, length = (np.concatenate(x) for x in zip(*(_apexes(ring) for ring in rings), strict=True))
    keep = inside(row, rings) & (dense.query(row)[0] > 0.62 * length)
    row, length = row[keep], length[keep]
    order = np.argsort(dense.query(row)[0])
    row = row[_apart(row[order], 0.6 * length[order], order)] if len(row) else row
    corners = np.concatenate(rings)
    low, high = corners.min(0) - spacing, corners.max(0) + spacing
    grid = np.stack(
        np.meshgrid(np.arange(low[0], high[0], spacing), np.arange(low[1], high[1], spacing * np.sqrt(0.75))), -1
    )
    grid[1::2, :, 0] += spacing / 2
    points = grid.reshape(-1, 2)
    points = points[inside(points, rings)]
    points = points[dense.query(points)[0] > spacing] if len(points) else points
    if len(points) and len(row):
        points = points[cKDTree(row).query(points)[0] > 0.65 * spacing]
    return np.concatenate([row, points])


def _apexes(ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[K,2] third corners of equal-sided triangles standing inwards on a ring's edges, and the [K] edge lengths."""
    edge = np.roll(ring, -1, 0) - ring
    inward = np.stack([-edge[:, 1], edge[:, 0]], 1)
    return ring + edge / 2 + np.sqrt(0.75) * inward, np.linalg.norm(edge, axis=1)


def _apart(points: np.ndarray, radius: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Names of those points that no earlier kept point is nearer to than its radius."""
    keep = np.ones(len(points), bool)
    pairs = np.sort(cKDTree(points).query_pairs(float(radius.max()), output_type="ndarray"), 1)
    close = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1) < radius[pairs[:, 1]]
    for first, second in pairs[close][np.lexsort(pairs[close].T)].tolist():
        keep[second] &= not keep[first]
    return names[keep]


def triangulate(points: np.ndarray, rings: list[np.ndarray]) -> np.ndarray:
    """[F,3] counter-clockwise Delaunay triangles inside the rings, whose corners come first in `points`."""
    faces = Delaunay(points).simplices
    a, b = points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    faces = np.where(area[:, None] < 0, faces[:, [0, 2, 1]], faces)
    longest = np.linalg.norm(points[faces] - points[np.roll(faces, 1, 1)], axis=-1).max(1)
    solid = np.abs(area) > 1e-3 * longest**2
    keep = solid & inside(points[faces].mean(1), rings)
    return faces[keep]


def ring_edges(sizes: list[int]) -> np.ndarray:
    """[E,2] edges of closed rings whose vertices are numbered one ring after the other."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.concatenate(
        [np.stack([s + np.arange(n), s + (np.arange(n) + 1) % n], 1) for s, n in zip(starts, sizes, strict=True)]
    )


def missing_edges(faces: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """[K] indices of wanted undirected edges that are no boundary edge of the faces."""
    edges, count = _edges(faces)
    boundary = {tuple(e) for e in edges[count == 1].tolist()}
    return np.array([i for i, e in enumerate(np.sort(wanted, 1).tolist()) if tuple(e) not in boundary], int)


def rim(faces: np.ndarray) -> np.ndarray:
    """[E,2] directed edges with one face, the face on their left."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, index, uses = np.unique(_keys(edges), return_index=True, return_counts=True)
    return edges[index[uses == 1]]


def rim_rings(faces: np.ndarray) -> list[np.ndarray]:
    """Vertex indices round each closed ring of the rim, each beginning with its lowest; empty for a closed mesh."""
    after = dict(rim(faces).tolist())
    rings = []
    while after:
        ring = [min(after)]
        while (following := after.pop(ring[-1])) != ring[0]:
            ring.append(following)
        rings.append(np.array(ring))
    return rings


def crossings(segments: np.ndarray) -> np.ndarray:
    """[E] True for those of the [E,2,2] segments that another one crosses; touching ends do not count."""
    a, b = segments[:, 0], segments[:, 1]

    def side(p: np.ndarray) -> np.ndarray:
        d, e = (b - a)[:, None], p[None] - a[:, None]
        return d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0]

    apart = side(a) * side(b) < 0
    return (apart & apart.T).any(1)


def split_inner_edges(faces: np.ndarray, shared: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces after every inner edge between two `shared` [N] vertices got a midpoint, and the [K,2] edges split.

    New vertices are numbered from `count` on, in the order of the edges. Two sheets that share those vertices would
    otherwise share the edge as well, which four faces would then meet.
    """
    edges, uses = _edges(faces)
    split = edges[(uses == 2) & shared[edges].all(1)]
    middle = {tuple(e): count + i for i, e in enumerate(split.tolist())}
    near = shared[faces].sum(1) >= 2
    out: list[list[int]] = []
    for face in faces[near].tolist():
        edges = zip(face, face[1:] + face[:1], strict=True)
        out += _cut(face, [middle.get((min(a, b), max(a, b)), -1) for a, b in edges])
    return np.concatenate([faces[~near], np.array(out, int).reshape(-1, 3)]), split


def _cut(face: list[int], middles: list[int]) -> list[list[int]]:
    """Counter-clockwise triangles that replace a face whose edges 01, 12, 20 have midpoints, or -1 for none."""
    hit = [i for i, m in enumerate(middles) if m >= 0]
    if not hit:
        return [face]
    k = hit[0] if len(hit) != 2 else next(i for i in range(3) if middles[i] >= 0 and middles[i - 1] < 0)
    a, b, c = (face[(k + i) % 3] for i in range(3))
    ab, bc, ca = (middles[(k + i) % 3] for i in range(3))
    if len(hit) == 1:
        return [[a, ab, c], [ab, b, c]]
    if len(hit) == 2:
        return [[ab, b, bc], [a, ab, bc], [a, bc, c]]
    return [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[E,2] undirected edges and [E] how many faces use each."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    _, index, uses = np.unique(_keys(edges), return_index=True, return_counts=True)
    return edges[index], uses


def _keys(edges: np.ndarray) -> np.ndarray:
    """[E] one number per undirected edge, in the order of its vertices: far quicker to sort than pairs."""
    ends = np.sort(edges, 1).astype(np.int64)
    return ends[:, 0] * (int(ends.max(initial=0)) + 1) + ends[:, 1]


def _densified(ring: np.ndarray, spacing: float) -> np.ndarray:
    """[K,2] points on a closed ring, no further apart than `spacing`."""
    steps = np.roll(ring, -1, 0) - ring
    parts = np.maximum(np.ceil(np.linalg.norm(steps, axis=1) / spacing).astype(int), 1)
    start = np.repeat(np.arange(len(ring)), parts)
    share = np.concatenate([np.arange(n) / n for n in parts])
    return ring[start] + share[:, None] * steps[start]
