"""Front and back panel of a garment in the photo's plane: one seam that both share, and each panel's own lips.

A panel is a set of rings (the outline, and holes that show background) with evenly spaced vertices, then triangles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from ..data import Camera
from ..errors import OutlineError
from .mesher import crossings, fill, missing_edges, ring_edges, triangulate
from .openings import Span
from .outline import polygons
from .straps import Piece, parted

TIGHT = 0.7
"""Vertices stand at most this share of the local width apart, so that a strap keeps its shape."""


RAGGED = "The outline is too thin or too ragged to be meshed: smooth the mask or use a larger photo."


class RaggedOutline(OutlineError):
    """The outline can't be meshed at this size."""


class Ring(NamedTuple):
    """A closed ring of a panel's vertices."""

    xy: np.ndarray
    """[K,2] canonical units."""
    place: np.ndarray
    """[K,2] where the panel is triangulated: the photo's plane first, the flattened panel later."""
    seam: np.ndarray
    """[K] number of the seam vertex that both panels share, or -1 on a lip."""


class Panel(NamedTuple):
    """A triangulated panel; ring vertices come first, ring after ring."""

    xy: np.ndarray
    """[N,2] canonical units."""
    place: np.ndarray
    """[N,2] as in Ring."""
    faces: np.ndarray
    """[F,3] counter-clockwise as the photo shows them."""
    seam: np.ndarray
    """[N] number of the shared seam vertex, or -1."""


def pieces_of(
    soft: np.ndarray,
    camera: Camera,
    spans: tuple[Span, ...],
    neckline_px: np.ndarray | None = None,
    blur_px: float = 0.7,
) -> list[list[Piece]]:
    """Rings of pieces, the outer one first; `neckline_px` [K,2] replaces the neck's outline on the front panel."""
    outer, holes = polygons(soft, blur_px=blur_px)
    outer = gaussian_filter1d(outer, 1.0, axis=0, mode="wrap")
    rings = [_cut(outer, camera, spans, neckline_px)]
    for hole in holes:
        line = to_canonical(camera, np.vstack([hole, hole[:1]]))
        rings.append([Piece(line, line, None)])
    return parted(rings)


def to_canonical(camera: Camera, points_px: np.ndarray) -> np.ndarray:
    """[K,2] canonical x, y of pixel positions in the orthographic photo."""
    return (points_px - np.array(camera.center_px)) * np.array([1.0, -1.0]) / camera.focal_px


def _cut(outer: np.ndarray, camera: Camera, spans: tuple[Span, ...], neckline_px: np.ndarray | None) -> list[Piece]:
    """The outer polygon cut at the ends of the openings, in order."""
    count = len(outer)
    tree = cKDTree(outer)
    arcs = []
    for span in spans:
        ends = np.array([span.a_px, span.b_px])
        a, b = tree.query(ends)[1].tolist() if np.isfinite(ends).all() else (0, 0)
        if a == b:
            raise OutlineError(f"The opening {span.name} has both ends at one place of the outline: move them apart.")
        a, b = (a, b) if (b - a) % count <= count / 2 else (b, a)
        arcs.append((a, b, span.name))
    arcs = _apart(sorted(arcs), count)
    if not arcs:
        line = to_canonical(camera, np.vstack([outer, outer[:1]]))
        return [Piece(line, line, None)]
    pieces = []
    for (_, end, _), (a, b, name) in zip(arcs, arcs[1:] + arcs[:1], strict=True):
        seam = to_canonical(camera, _walk(outer, end, a))
        back = to_canonical(camera, _walk(outer, a, b))
        cut = neckline_px if name in ("neck", "waist") else None
        front = back if cut is None else _joined(back, to_canonical(camera, cut))
        pieces += [Piece(seam, seam, None), Piece(front, back, name)]
    return pieces


def _apart(arcs: list[tuple[int, int, str]], count: int) -> list[tuple[int, int, str]]:
    """Openings with a few pixels of seam between them, so that the panels hold together; overlaps are an error."""
    gap = max(3, count // 800)
    out = list(arcs)
    for i in range(len(out)):
        j = (i + 1) % len(out)
        between = (out[j][0] - out[i][1]) % count
        if len(out) > 1 and (between < gap or between > count / 2):
            overlap = gap - between if between < gap else gap + count - between
            if overlap > 0.05 * count:
                raise OutlineError(
                    f"The openings {out[i][2]} and {out[j][2]} overlap on the outline: move their ends apart."
                )
            half = -(-overlap // 2)
            out[i] = (out[i][0], (out[i][1] - half) % count, out[i][2])
            out[j] = ((out[j][0] + half) % count, out[j][1], out[j][2])
    return out


def _walk(outer: np.ndarray, a: int, b: int) -> np.ndarray:
    return outer[np.arange(a, a + (b - a) % len(outer) + 1) % len(outer)]


def _joined(back: np.ndarray, neckline: np.ndarray) -> np.ndarray:
    """The front neckline running the same way as the back lip and between the same two ends."""
    if np.linalg.norm(neckline[0] - back[0]) > np.linalg.norm(neckline[-1] - back[0]):
        neckline = neckline[::-1]
    return np.vstack([back[:1], neckline[1:-1], back[-1:]])


def sampled(rings: list[list[Piece]], spacing: float) -> tuple[list[Ring], list[Ring]]:
    """Front and back rings with vertices about `spacing` apart, closer where the garment is narrow."""
    widths = _local_widths(rings, spacing)
    front, back, seams = [], [], 0
    for ring in rings:
        lines: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        numbers: list[np.ndarray] = []
        for piece in ring:  # a ring begins with a seam, and seams and openings take turns
            sides = [_spaced(line, widths, spacing, 2 if piece.name is None else 4) for line in piece[:2]]
            if piece.name is None:
                sides[1] = sides[0]
                numbers.append(np.arange(seams, seams + len(sides[0]) - 1))
                seams += len(sides[0]) - (len(ring) == 1)
            for line, side in zip(lines, sides, strict=True):
                line.append(side[:-1])
        for target, line in zip((front, back), lines, strict=True):
            ids = [_numbers(line, numbers, k) for k in range(len(ring))]
            xy = np.concatenate(line)
            target.append(Ring(xy, xy, np.concatenate(ids)))
    return front, back


def _numbers(lines: list[np.ndarray], seams: list[np.ndarray], piece: int) -> np.ndarray:
    """Seam numbers of one piece's vertices: all of a seam's, only the first of an opening's."""
    if piece % 2 == 0:
        return seams[piece // 2]
    ids = np.full(len(lines[piece]), -1)
    ids[0] = seams[piece // 2][-1] + 1
    return ids


class _Widths(NamedTuple):
    """How wide the garment, or the gap beside it, is at points of the outline; only where it is narrow."""

    tree: cKDTree
    width: np.ndarray


def _local_widths(rings: list[list[Piece]], spacing: float) -> _Widths:
    points, ring_of, at, lengths = [], [], [], []
    for number, ring in enumerate(rings):
        line = np.concatenate([p.back[:-1] for p in ring] + [ring[-1].back[-1:]])
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        here = np.arange(0, length[-1], spacing / 5)
        points.append(np.stack([np.interp(here, length, line[:, k]) for k in range(2)], 1))
        ring_of.append(np.full(len(here), number))
        at.append(here)
        lengths.append(np.full(len(here), length[-1]))
    xy, owner, arc, total = (np.concatenate(x) for x in (points, ring_of, at, lengths))
    i, j = cKDTree(xy).query_pairs(1.5 * spacing, output_type="ndarray").T
    apart = np.abs(arc[i] - arc[j])
    along = np.where(owner[i] == owner[j], np.minimum(apart, total[i] - apart), np.inf)
    across = np.linalg.norm(xy[i] - xy[j], axis=1)
    facing = along > 2.5 * across
    width = np.full(len(xy), np.inf)
    np.minimum.at(width, i[facing], across[facing])
    np.minimum.at(width, j[facing], across[facing])
    narrow = np.isfinite(width)
    return _Widths(
        cKDTree(xy[narrow] if narrow.any() else np.full((1, 2), 1e9)), width[narrow] if narrow.any() else np.ones(1)
    )


def _spaced(line: np.ndarray, widths: _Widths, spacing: float, least: int) -> np.ndarray:
    """[K,2] points along a polyline, ends kept, at least `least` segments, `spacing` or TIGHT local widths apart."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    near, index = widths.tree.query(line)
    step = np.clip(TIGHT * widths.width[index] + 0.4 * np.maximum(near - spacing / 5, 0), spacing / 8, spacing)
    density = np.concatenate([[0.0], np.cumsum(np.diff(length) * 0.5 * (1 / step[1:] + 1 / step[:-1]))])
    count = max(least, int(np.ceil(density[-1])))
    at = np.interp(np.linspace(0, density[-1], count + 1), density, length)
    return np.stack([np.interp(at, length, line[:, k]) for k in range(2)], 1)


def panels(front: list[Ring], back: list[Ring], spacing: float) -> tuple[Panel, Panel]:
    """Both panels triangulated at their rings' places; ring vertices are added where the outline would be cut short."""
    for side in (front, back):
        ends = [np.stack([r.place, np.roll(r.place, -1, 0)], 1) for r in side]
        if crossings(np.concatenate(ends)).any():
            raise RaggedOutline(RAGGED)
    most = 2 * sum(len(ring.xy) for ring in front)
    while sum(len(ring.xy) for ring in front) <= most:
        pair = _triangulated(front, spacing), _triangulated(back, spacing)
        if not pair[0][1] and not pair[1][1]:
            return pair[0][0], pair[1][0]
        front, back = _halved(front, back, pair[0][1], pair[1][1])
    raise RaggedOutline(RAGGED)


def _triangulated(rings: list[Ring], spacing: float) -> tuple[Panel, list[tuple[int, int]]]:
    """The panel, and (ring, vertex) of ring edges that its triangles miss."""
    borders = [r.place for r in rings]
    inner = fill(borders, spacing)
    place = np.concatenate([*borders, inner])
    faces = triangulate(place, borders)
    sizes = [len(b) for b in borders]
    missing = missing_edges(faces, ring_edges(sizes))
    starts = np.cumsum([0, *sizes])
    where = [(int(np.searchsorted(starts, e, side="right")) - 1, int(e)) for e in missing]
    xy = np.concatenate([*[r.xy for r in rings], inner])
    seam = np.concatenate([*[r.seam for r in rings], np.full(len(inner), -1)])
    return Panel(xy, place, faces, seam), [(r, e - int(starts[r])) for r, e in where]


def _halved(
    front: list[Ring], back: list[Ring], front_missing: list[tuple[int, int]], back_missing: list[tuple[int, int]]
) -> tuple[list[Ring], list[Ring]]:
    """Rings with a vertex in the middle of the missed edges; on a seam both panels get it."""
    fresh = 1 + max(int(r.seam.max()) for r in front)
    asked: tuple[dict, dict] = ({}, {})
    for own, other, rings, partner, missing in (
        (asked[0], asked[1], front, back, front_missing),
        (asked[1], asked[0], back, front, back_missing),
    ):
        for ring, k in missing:
            a, b = rings[ring].seam[[k, (k + 1) % len(rings[ring].seam)]]
            if (ring, k) in own:
                continue
            twin = _edge_at(partner[ring], int(a), int(b)) if a >= 0 and b >= 0 else None
            if twin is None:
                own[ring, k] = -1
            else:
                own[ring, k] = other[ring, twin] = fresh
                fresh += 1
    return (
        [_with_middles(r, {k: v for (n, k), v in asked[0].items() if n == i}) for i, r in enumerate(front)],
        [_with_middles(r, {k: v for (n, k), v in asked[1].items() if n == i}) for i, r in enumerate(back)],
    )


def _edge_at(ring: Ring, a: int, b: int) -> int | None:
    """Index of the ring edge between two seam vertices, or None where a lip lies between them."""
    for k in np.flatnonzero(ring.seam == a):
        if ring.seam[(k + 1) % len(ring.seam)] == b:
            return int(k)
    return None


def _with_middles(ring: Ring, middles: dict[int, int]) -> Ring:
    at = np.array(sorted(middles), int)
    ends = (at + 1) % len(ring.seam)
    xy, place = ((x[at] + x[ends]) / 2 for x in (ring.xy, ring.place))
    return Ring(
        np.insert(ring.xy, at + 1, xy, 0),
        np.insert(ring.place, at + 1, place, 0),
        np.insert(ring.seam, at + 1, [middles[k] for k in at.tolist()]),
    )
