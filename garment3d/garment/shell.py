"""The open shell of a garment: front and back panel inflated from the outline, sewn along their common seam.

Front and back keep the photo's x and y, so the photo lies on the front as it was taken; only the depth is modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ..camera import photo_camera
from .depth import DepthModel, depths
from .flatten import signed_areas
from .mesher import rim_rings, split_inner_edges
from .neckline import front_neckline
from .openings import Outline, Span, class_of, find_openings
from .panels import Panel, RaggedOutline, Ring, panels, pieces_of, sampled
from .unroll import unrolled

if TYPE_CHECKING:
    import trimesh


SMALLEST_HOLE = 6.0
"""Holes with a rim shorter than this many edges are filled: they could not be told from a triangle."""


class Sheet(NamedTuple):
    """A panel and how far it stands off the photo's plane."""

    panel: Panel
    depth: np.ndarray
    """[N] canonical units, 0 on the seam."""


def garment_shell(
    soft: np.ndarray,
    rgb: np.ndarray | None = None,
    spans: tuple[Span, ...] | None = None,
    triangles: int = 20_000,
    model: DepthModel = "garment",
) -> trimesh.Trimesh:
    """An open one-layer mesh in the canonical frame of `photo_camera(soft)`, about `triangles` faces, no uv.

    Args:
        soft: [H,W] mask in 0..1.
        rgb: [H,W,3] uint8 photo, read for the front neckline; without it the front is as high as the back.
        spans: openings on the outline; found from it when None, none at all when empty.
        triangles: faces wanted, met within about a tenth.
        model: "garment" for a garment's proportions, "poisson" for plain open inflation, the benchmark's baseline.

    Raises:
        MaskError, OutlineError: the mask is empty, or its outline gives no garment.
    """
    import trimesh

    outline = find_openings(soft) if spans is None else Outline(class_of(soft, spans), spans)
    spans = outline.spans
    top = next((s for s in spans if s.name in ("neck", "waist")), None)
    neckline = front_neckline(rgb, soft, top) if rgb is not None and top is not None else None
    coarse = _coarse(soft, outline, neckline, triangles, model)
    vertices, faces = sewn(*_evened(coarse, triangles))
    # Rounded as files and ComfyUI's MESH hold them, so that a shell that went through either gets the same texture.
    return trimesh.Trimesh(vertices.astype(np.float32), faces, process=False)


def sewn(front: Sheet, back: Sheet) -> tuple[np.ndarray, np.ndarray]:
    """[N,3] vertices and [F,3] outward faces of both sheets with their seam vertices made one."""
    seams = 1 + int(max(front.panel.seam.max(), back.panel.seam.max()))
    vertices = [np.zeros((seams, 3))]
    faces, count = [], seams
    for sheet, sign in ((front, 1), (back, -1)):
        shared = sheet.panel.seam >= 0
        number = np.where(shared, sheet.panel.seam, count - 1 + np.cumsum(~shared))
        points = np.column_stack([sheet.panel.xy, sign * sheet.depth])
        vertices[0][number[shared]] = points[shared]
        vertices.append(points[~shared])
        faces.append(number[sheet.panel.faces if sign > 0 else sheet.panel.faces[:, ::-1]])
        count += int((~shared).sum())
    return np.concatenate(vertices), np.concatenate(faces)


def _coarse(
    soft: np.ndarray, outline: Outline, neckline: np.ndarray | None, triangles: int, model: DepthModel
) -> list[Sheet]:
    """Both sheets with triangles even in the photo; an outline that crosses itself is made simpler."""
    spacing = _first_spacing(soft, triangles)
    ragged = RaggedOutline("The outline of the mask can't be meshed.")
    for blur_px, front, holes in ((0.7, neckline, True), (0.7, None, True), (2.0, None, True), (4.0, None, False)):
        rings = pieces_of(soft, photo_camera(soft), outline.spans, front, blur_px)
        rings = [rings[0], *(r for r in rings[1:] if holes and _length(r[0].back) > SMALLEST_HOLE * spacing)]
        try:
            pair = panels(*sampled(rings, spacing), spacing)
        except RaggedOutline as error:
            ragged = error
            continue
        # No triangle may have its three corners on the seam, where all depth is zero.
        sheets = [_with_split_edges(panel)[0] for panel in pair]
        return [Sheet(p, depths(p.xy, p.faces, p.seam >= 0, outline.garment_class, model)) for p in sheets]
    raise ragged


def _length(line: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _first_spacing(soft: np.ndarray, triangles: int) -> float:
    """Edge length that gives about `triangles` on a shell of 1.3 times the mask's two sides."""
    camera = photo_camera(soft)
    area = 2 * 1.3 * float((soft >= 0.5).sum()) / camera.focal_px**2
    return float(np.sqrt(4 / np.sqrt(3) * area / triangles))


def _evened(coarse: list[Sheet], triangles: int) -> tuple[Sheet, Sheet]:
    """Both sheets with new triangles of even size on the cloth; where unrolling leaves no room, less even ones."""
    ragged = RaggedOutline("The outline of the mask can't be meshed.")
    for share in (1.0, 0.5, 0.0):
        flat = [unrolled(s.panel.xy, s.panel.faces, s.depth, s.panel.seam >= 0, share) for s in coarse]
        area = sum(signed_areas(place, s.panel.faces).sum() for place, s in zip(flat, coarse, strict=True))
        spacing = float(np.sqrt(4 / np.sqrt(3) * area / triangles))
        try:
            rings = [_moved(s.panel, place, spacing) for s, place in zip(coarse, flat, strict=True)]
            even = panels(rings[0], rings[1], spacing)
        except RaggedOutline as error:
            ragged = error
            continue
        front, back = (_back_to_photo(p, s, f) for p, s, f in zip(even, coarse, flat, strict=True))
        return front, back
    raise ragged


def _moved(panel: Panel, place: np.ndarray, spacing: float) -> list[Ring]:
    """The panel's rings at their new places, the lips' vertices spread evenly along the cloth."""
    return [_with_even_lips(Ring(panel.xy[r], place[r], panel.seam[r]), spacing) for r in rim_rings(panel.faces)]


def _with_even_lips(ring: Ring, spacing: float) -> Ring:
    """The ring, which begins on a seam, with new vertices on each run that belongs to no seam."""
    count = len(ring.seam)
    parts: list[Ring] = []
    k = 0
    while k < count:
        end = k + 1
        while end < count and ring.seam[end] < 0:
            end += 1
        run = np.arange(k, end + 1) % count
        parts.append(Ring(ring.xy[run[:-1]], ring.place[run[:-1]], ring.seam[run[:-1]]))
        if len(run) > 2:
            xy, place = _spread(ring.xy[run], ring.place[run], spacing)
            parts[-1] = Ring(xy, place, np.append(ring.seam[k], np.full(len(xy) - 1, -1)))
        k = end
    return Ring(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _spread(xy: np.ndarray, place: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Photo positions and places of evenly spaced points on a lip from seam to seam, without its last point."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(place, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(4, round(length[-1] / spacing)) + 1)[:-1]
    k = np.clip(np.searchsorted(length, at, side="right") - 1, 0, len(xy) - 2)
    t = ((at - length[k]) / (length[k + 1] - length[k]))[:, None]
    even = place[k] + t * (place[k + 1] - place[k])
    # The lip rises from the seam as the root of the distance, so even steps on the cloth are squared in the photo.
    t = np.where(k[:, None] == 0, t**2, np.where(k[:, None] == len(xy) - 2, 1 - (1 - t) ** 2, t))
    return xy[k] + t * (xy[k + 1] - xy[k]), even


def _back_to_photo(panel: Panel, sheet: Sheet, place: np.ndarray) -> Sheet:
    """`panel`, triangulated on the unrolled sheet, at its photo positions and depths."""
    panel, split = _with_split_edges(panel)
    xy = panel.xy.copy()
    own = panel.seam < 0
    triangle, weights = _located(panel.place[own], place[sheet.panel.faces])
    corners = sheet.panel.faces[triangle]
    depth = np.zeros(len(xy))
    depth[own] = (weights * sheet.depth[corners]).sum(1)
    # Between two seam vertices the sheets must part, however little: a strap is a tube, not a fin.
    across = np.linalg.norm(panel.xy[split[:, 0]] - panel.xy[split[:, 1]], axis=1)
    middles = slice(len(xy) - len(split), len(xy))
    depth[middles] = np.maximum(depth[middles], 0.25 * across)
    loose = weights * (sheet.depth[corners] > 0)
    share = loose.sum(1, keepdims=True)
    # Depth grows with the root of the distance from the seam: even steps up the cloth are squared steps in the photo.
    weights = np.where(share < 1 - 1e-9, loose * share + (weights - loose) * (1 + share), weights)
    xy[own] = (weights[..., None] * sheet.panel.xy[corners]).sum(1)
    return Sheet(panel._replace(xy=xy), depth)


def _with_split_edges(panel: Panel) -> tuple[Panel, np.ndarray]:
    """The panel with a vertex, last in order, in the middle of each inner edge between seam vertices; those edges."""
    faces, split = split_inner_edges(panel.faces, panel.seam >= 0, len(panel.xy))
    xy, place = (np.concatenate([points, points[split].mean(1)]) for points in (panel.xy, panel.place))
    return Panel(xy, place, faces, np.concatenate([panel.seam, np.full(len(split), -1)])), split


def _located(points: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[P] triangle that holds each of the [P,2] points, the nearest where none does, and its [P,3] weights."""
    tree = cKDTree(corners.mean(1))
    triangle, weights = np.zeros(len(points), int), np.full((len(points), 3), -np.inf)
    for count in (8, 64, 512):  # long thin triangles may have many nearer centroids than their own
        lost = np.flatnonzero(weights.min(1) < -1e-6)
        near = np.atleast_2d(tree.query(points[lost], k=min(count, len(corners)))[1].T).T
        tried = _barycentric(points[lost, None], corners[near])
        best = np.argmax(tried.min(-1), 1)
        triangle[lost], weights[lost] = near[np.arange(len(lost)), best], tried[np.arange(len(lost)), best]
    weights = np.clip(weights, 0, None)
    return triangle, weights / weights.sum(1, keepdims=True)


def _barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[...,3] weights of [...,2] points in [...,3,2] triangles, negative outside."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]

    def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    whole = cross(b - a, c - a)
    whole = np.where(np.abs(whole) < 1e-15, 1e-15, whole)
    v, w = cross(points - a, c - a) / whole, cross(b - a, points - a) / whole
    return np.stack([1 - v - w, v, w], -1)
