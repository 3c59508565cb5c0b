"""Boundary loops of a mesh, and their names from geometry alone; UV seams don't count, vertices are welded by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..data import Opening

if TYPE_CHECKING:
    import trimesh

WELD = 1e-5
"""Vertices nearer than this share of the longest side are one."""


def boundary_loops(mesh: trimesh.Trimesh) -> list[np.ndarray]:
    """Vertex indices round each boundary loop, longest first; a closed mesh has none."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    first, welded = _welded(vertices)
    edges = welded[faces][:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges = edges[edges[:, 0] != edges[:, 1]]
    _, index, uses = np.unique(np.sort(edges, 1), axis=0, return_index=True, return_counts=True)
    after: dict[int, list[int]] = {}
    for a, b in edges[index[uses == 1]].tolist():
        after.setdefault(a, []).append(b)
    loops = []
    while after:
        start = next(iter(after))
        loop = [start]
        while loop[-1] in after:
            ways = after[loop[-1]]
            following = ways.pop()
            if not ways:
                del after[loop[-1]]
            if following == start:
                break
            loop.append(following)
        loops.append(first[np.array(loop)])
    return sorted((loop for loop in loops if len(loop) > 2), key=lambda loop: -_length(vertices[loop]))


def _welded(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the first vertex at each place, and each vertex's place."""
    side = max(float(np.ptp(vertices, axis=0).max(initial=0)), 1e-12)
    cells = np.round(vertices / (WELD * side)).astype(np.int64)
    _, first, place = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


def _length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.roll(points, -1, 0) - points, axis=1).sum())


def name_loops(loops: list[np.ndarray], bounds: np.ndarray) -> list[str]:
    """A name per loop of [K,3] points from its place in [2,3] bounds; small holes are called hole.

    Two lower loops side by side are legs; otherwise the lowest in the middle is the hem and the highest the neck, or
    the waist where nothing opens at the sides. Side loops are cuffs where they end a sleeve, armholes otherwise.
    """
    centre_x, size = bounds.mean(0)[0], bounds[1] - bounds[0]
    middles = np.array([loop.mean(0) for loop in loops]).reshape(-1, 3)
    names = [""] * len(loops)
    big = [i for i, loop in enumerate(loops) if _length(loop) > 0.08 * size.max()]
    for i in set(range(len(loops))) - set(big):
        names[i] = "hole"
    sides = {i: (middles[i, 0] - centre_x) / size[0] for i in big}
    legs = _legs(big, middles, sides, bounds)
    for i in legs:
        names[i] = "leg_l" if sides[i] > 0 else "leg_r"
    rest = [i for i in big if i not in legs]
    central = [i for i in rest if abs(sides[i]) < 0.2 and _straddles(loops[i], centre_x)]
    top = max(central, key=lambda i: middles[i, 1], default=None)
    low = min(central, key=lambda i: middles[i, 1], default=None)
    lateral = [i for i in rest if i not in (top, low)]
    if top is not None and low is not None and (len(central) > 1 or legs or middles[top, 1] > bounds.mean(0)[1]):
        names[top] = "waist" if legs or (not lateral and _is_waistband(loops[top], size)) else "neck"
    if (low is not None and low != top) or (low is not None and not names[low]):
        names[low] = "hem"
    body = np.abs(loops[low][:, 0] - centre_x).max() if low is not None else np.inf
    for side in (1, -1):
        own = sorted((i for i in lateral if np.sign(sides[i]) == side), key=lambda i: -middles[i, 1])
        for i in own:
            sleeve = (len(own) > 1 and i == own[-1]) or (len(own) == 1 and _ends_sleeve(loops[i], bounds, body))
            names[i] = ("cuff" if sleeve else "armhole") + ("_l" if side > 0 else "_r")
    return names


def _legs(big: list[int], middles: np.ndarray, sides: dict[int, float], bounds: np.ndarray) -> list[int]:
    """The two lowest loops if they lie side by side below everything else, else none."""
    low = sorted(big, key=lambda i: middles[i, 1])[:2]
    height = bounds[1, 1] - bounds[0, 1]
    if len(low) < 2 or len(big) > 3 or sides[low[0]] * sides[low[1]] >= 0:
        return []
    level = abs(middles[low[0], 1] - middles[low[1], 1]) < 0.2 * height
    return low if level and max(middles[i, 1] for i in low) < bounds[0, 1] + 0.35 * height else []


def _straddles(loop: np.ndarray, centre_x: float) -> bool:
    return bool(loop[:, 0].min() < centre_x < loop[:, 0].max())


def _is_waistband(top: np.ndarray, size: np.ndarray) -> bool:
    """True for a waistband rather than a neck: it is level."""
    return bool(np.ptp(top[:, 1]) < 0.12 * size[1])


def _ends_sleeve(loop: np.ndarray, bounds: np.ndarray, body: float) -> bool:
    """True for a cuff, False for an armhole, which reaches up to the shoulder at the side of the body.

    `body` is half the hem's width: the cuff of a sleeve laid out level is as high as the shoulder, but far beside it.
    """
    low = bounds[1, 1] - loop[:, 1].max() > 0.35 * np.ptp(loop[:, 1])
    return bool(low or abs(loop[:, 0].mean() - bounds.mean(0)[0]) > 1.3 * body)


def openings(mesh: trimesh.Trimesh) -> tuple[Opening, ...]:
    """One Opening per boundary loop, longest first; a closed mesh gives ()."""
    vertices = np.asarray(mesh.vertices)
    loops = [vertices[loop] for loop in boundary_loops(mesh)]
    names = name_loops(loops, np.stack([vertices.min(0), vertices.max(0)]))
    anchors = [anchor(loop).tolist() for loop in loops]
    return tuple(Opening(name, (x, y, z)) for name, (x, y, z) in zip(names, anchors, strict=True))


def anchor(loop: np.ndarray) -> np.ndarray:
    """[3] the middle between an opening's two ends, where its [K,3] loop passes from front to back.

    A deep neckline does not pull it down, as it would the loop's mean; a loop without depth has its mean.
    """
    depth = loop[:, 2] - (loop[:, 2].min() + loop[:, 2].max()) / 2
    following = np.roll(depth, -1)
    turns = np.flatnonzero((depth >= 0) != (following >= 0))
    if len(turns) < 2:
        return loop.mean(0)
    share = (depth[turns] / (depth[turns] - following[turns]))[:, None]
    ends = loop[turns] + share * (np.roll(loop, -1, 0)[turns] - loop[turns])
    apart = np.linalg.norm(ends[:, None] - ends[None], axis=-1)
    first, second = np.unravel_index(apart.argmax(), apart.shape)
    return (ends[first] + ends[second]) / 2
