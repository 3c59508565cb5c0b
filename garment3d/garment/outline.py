"""The outline of a mask as a smooth closed polygon, and what its shape says: corners and convex-hull pockets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, grey_closing, label
from scipy.spatial import ConvexHull

from ..errors import OutlineError
from ..images import reduced

SAMPLES = 1200
"""Points on the outer outline; one lies every 3 px on a photo of 800 px."""
LARGEST_PX = 1600
"""Longer masks are read at a whole fraction of their size: the outline is as smooth, found in a tenth of the time."""


class Loop(NamedTuple):
    """A closed polygon around the garment, sampled evenly; the garment lies on its left in a y-up frame."""

    points: np.ndarray
    """[N,2] pixels, x right, y down; counter-clockwise as seen on the screen."""

    def arc(self, a: int, b: int) -> np.ndarray:
        """Indices from a to b inclusive, walking forwards round the loop."""
        n = len(self.points)
        return np.arange(a, a + (b - a) % n + 1) % n


class Pocket(NamedTuple):
    """A bay of the outline under a straight bridge of its convex hull."""

    start: int
    end: int
    """Loop indices of the bridge's ends; the bay is the arc from start to end."""
    depth_px: float


def polygons(
    soft: np.ndarray, min_hole: float = 2e-4, blur_px: float = 0.7
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Outer polygon [N,2] and hole polygons in pixels of the largest piece; holes below `min_hole` of it are filled.

    Gaps of a pixel are closed, `blur_px` rounds what is finer; no piece, or one of a few pixels, raises OutlineError.
    """
    from skimage.measure import find_contours

    factor = max(1, -(-max(soft.shape) // LARGEST_PX))
    if factor > 1:  # block means keep the edge's place within the pixel
        outer, holes = polygons(reduced(soft, factor), min_hole, blur_px)
        return np.minimum(outer * factor, soft.shape[::-1]), tuple(hole * factor for hole in holes)
    pieces, count = label(soft >= 0.5)
    if not count:
        raise OutlineError("The mask is empty, so there is no outline to build a garment from.")
    sizes = np.bincount(pieces.ravel())[1:]
    piece = pieces == 1 + int(sizes.argmax())
    near = gaussian_filter(piece.astype(np.float32), 1.5) > 0.02
    closed = np.maximum(grey_closing(soft, 3), soft) if min(soft.shape) > 200 else soft
    values = gaussian_filter(np.where(near, closed, 0.0).astype(np.float32), blur_px)
    contours = [c[:-1, ::-1] - 0.5 for c in find_contours(np.pad(values, 1), 0.5) if len(c) > 8]
    if not contours:
        raise OutlineError(f"The mask's largest piece has {sizes.max()} px, too few for a garment: mask all of it.")
    areas = [_signed_area(c) for c in contours]
    outer = int(np.argmax(np.abs(areas)))
    inside = np.sign(areas[outer])
    holes = tuple(
        c for c, a in zip(contours, areas, strict=True) if a * inside < 0 and abs(a) > min_hole * abs(areas[outer])
    )
    orient = contours[outer] if areas[outer] < 0 else contours[outer][::-1]
    return orient, tuple(h if _signed_area(h) > 0 else h[::-1] for h in holes)


def resample(polygon: np.ndarray, count: int) -> np.ndarray:
    """[count,2] points evenly spaced along a closed polygon, starting at its first point."""
    closed = np.vstack([polygon, polygon[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count, endpoint=False)
    return np.stack([np.interp(at, length, closed[:, k]) for k in range(2)], 1)


def loop_of(soft: np.ndarray) -> Loop:
    """The outer outline as an evenly sampled loop of SAMPLES points, in pixels."""
    return Loop(resample(polygons(soft)[0], SAMPLES))


def turning(loop: Loop, scale: float) -> np.ndarray:
    """[N] radians turned at each point between the two chords of `scale` of the loop's length; convex is positive."""
    n = len(loop.points)
    reach = max(2, round(scale * n))
    smooth = gaussian_filter1d(loop.points, max(reach / 4, 1), axis=0, mode="wrap")
    before = smooth - np.roll(smooth, reach, 0)
    after = np.roll(smooth, -reach, 0) - smooth
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return -np.arctan2(cross, (before * after).sum(1))


def pockets(loop: Loop, min_depth_px: float) -> list[Pocket]:
    """Bays at least `min_depth_px` deep, deepest first; a convex outline has none."""
    hull = np.sort(ConvexHull(loop.points).vertices)
    found = []
    for start, end in zip(hull, np.roll(hull, -1), strict=True):
        bay = loop.arc(int(start), int(end))
        if len(bay) > 2:
            depth = float(np.abs(offsets(loop.points[bay], loop.points[start], loop.points[end])).max())
            if depth >= min_depth_px:
                found.append(Pocket(int(start), int(end), depth))
    return sorted(found, key=lambda p: -p.depth_px)


def offsets(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[...] signed distances of [...,2] points from the line a→b, positive on the garment's side of a forward chord."""
    d = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
    return (points - a) @ np.array([d[1], -d[0]])


def _signed_area(polygon: np.ndarray) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
