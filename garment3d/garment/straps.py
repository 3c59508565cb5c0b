"""Background seen between a front and a back strap: each panel keeps its own strap, and the hole is gone.

The strap on the neck's side belongs to the front, the one on the armhole's side to the back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

STRAP = 0.06
"""Widest strap, in canonical units."""
STEP = 0.002
"""Sampling of a lip led round a strap, in canonical units."""
EASE = 0.12
"""How far its corners are rounded, in lengths of the hole."""


class Piece(NamedTuple):
    """A stretch of the outline between two ends of openings, as a dense polyline [K,2] in canonical units."""

    front: np.ndarray
    back: np.ndarray
    """The same array where the panels are sewn together."""
    name: str | None
    """The opening's name, or None for a seam."""


def parted(rings: list[list[Piece]]) -> list[list[Piece]]:
    """Rings without the holes that lie between a neck and an armhole; those openings go round one strap each."""
    outer, kept = list(rings[0]), []
    for ring in rings[1:]:
        hole = ring[0].back[:-1]
        neck = _beside(outer, hole, "neck")
        armhole = _beside(outer, hole, "armhole")
        front = _around(outer[armhole].front, hole) if neck is not None and armhole is not None else None
        back = _around(outer[neck].back, hole) if neck is not None and front is not None else None
        if neck is None or armhole is None or front is None or back is None:
            kept.append(ring)
            continue
        outer[armhole] = outer[armhole]._replace(front=front)
        outer[neck] = outer[neck]._replace(back=back)
    return [outer, *kept]


def _beside(pieces: list[Piece], hole: np.ndarray, name: str) -> int | None:
    """The opening of that name that passes within a strap's width of the hole; None where there is none."""
    near = [
        (float(cKDTree(p.back).query(hole)[0].min()), i)
        for i, p in enumerate(pieces)
        if p.name is not None and p.name.startswith(name)
    ]
    return min(near)[1] if near and min(near)[0] < STRAP else None


def _around(lip: np.ndarray, hole: np.ndarray) -> np.ndarray | None:
    """The lip led along the hole's far side instead of past it; None where it does not pass from end to end."""
    ends = int(hole[:, 1].argmax()), int(hole[:, 1].argmin())
    at = [int(np.linalg.norm(lip - hole[end], axis=1).argmin()) for end in ends]
    if at[0] > at[1]:
        ends, at = ends[::-1], at[::-1]
    if at[1] - at[0] < 3:
        return None
    at = [max(at[0], 1), min(at[1], len(lip) - 2)]
    count = len(hole)
    sides = [
        hole[np.arange(ends[0], ends[0] + (ends[1] - ends[0]) % count + 1) % count],
        hole[np.arange(ends[1], ends[1] + (ends[0] - ends[1]) % count + 1) % count][::-1],
    ]
    tree = cKDTree(lip)
    far = max(sides, key=lambda side: float(tree.query(side)[0].mean()))
    return _eased(np.concatenate([lip[: at[0]], far, lip[at[1] + 1 :]]), far[[0, -1]], EASE * float(np.ptp(hole[:, 1])))


def _eased(line: np.ndarray, joints: np.ndarray, reach: float) -> np.ndarray:
    """The polyline evenly sampled, rounded over `reach` where its parts were joined; its ends stay."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(8, int(length[-1] / STEP)))
    even = np.stack([np.interp(at, length, line[:, k]) for k in range(2)], 1)
    smooth = gaussian_filter1d(even, reach / STEP, axis=0, mode="nearest")
    near = np.exp(-((cKDTree(joints).query(even)[0] / (2 * reach)) ** 2))[:, None]
    near[[0, -1]] = 0
    return even + near * (smooth - even)
