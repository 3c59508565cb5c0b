"""Silhouettes drawn from a few corners, whose openings are known because they were drawn: exact area coverage masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SUBROWS = 8
"""Lines of a pixel row that are measured exactly along x."""


def coverage(polygon: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """[H,W] float32 share of each pixel that a closed polygon [K,2] without crossings covers, either way round."""
    rows = (np.arange(hw[0] * SUBROWS) + 0.5) / SUBROWS
    right_edge = np.arange(1, hw[1] + 1, dtype=np.float32)
    total = np.zeros((len(rows), hw[1]), np.float32)
    for a, b in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        low, high = sorted((a[1], b[1]))
        met = np.flatnonzero((rows >= low) & (rows < high))
        if len(met):
            x = (a[0] + (b[0] - a[0]) * (rows[met] - a[1]) / (b[1] - a[1])).astype(np.float32)
            share = np.clip(right_edge - x[:, None], 0, 1)
            total[met[0] : met[-1] + 1] += share if b[1] > a[1] else -share
    return np.abs(total).reshape(hw[0], SUBROWS, hw[1]).mean(1)


def disc(radius: float, centre: tuple[float, float], hw: tuple[int, int]) -> np.ndarray:
    """[H,W] the coverage of a disc, drawn as a polygon of so many sides that no pixel tells the difference."""
    return coverage(circle(radius, 720, centre), hw)


def circle(radius: float, count: int, centre: tuple[float, float] = (0, 0)) -> np.ndarray:
    """[count,2] points round a circle, counter-clockwise where y points up."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1) + np.array(centre)


def spaced(corners: np.ndarray, spacing: float) -> np.ndarray:
    """[K,2] a closed ring of points `spacing` apart or a little less, its corners kept."""
    sides = []
    for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
        count = int(np.ceil(np.linalg.norm(b - a) / spacing))
        sides.append(a + np.arange(count)[:, None] / count * (b - a))
    return np.concatenate(sides)


def shoelace(polygon: np.ndarray) -> float:
    """Area, positive where the polygon runs counter-clockwise with y up (clockwise on a screen)."""
    x, y = polygon.T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)


class Drawn(NamedTuple):
    """A garment symmetrical about x = 0, its height about 1, y down."""

    garment_class: str
    half: list[tuple[float, float]]
    """From the middle of the neck or waist down the image's left to the middle of the hem or to the crotch."""
    openings: dict[str, tuple[int, int]]
    """Indices into `half` of both ends of each opening on the image's left; the middle ones name their one end."""


GARMENTS = {
    "tee": Drawn(
        "tee",
        [(0, 0.05), (-0.13, 0), (-0.30, 0.06), (-0.52, 0.36), (-0.41, 0.45), (-0.28, 0.31), (-0.28, 1.0), (0, 1.0)],
        {"neck": (1, 1), "cuff": (3, 4), "hem": (6, 6)},
    ),
    "longsleeve_a_pose": Drawn(
        "longsleeve",
        [(0, 0.04), (-0.12, 0), (-0.26, 0.06), (-0.58, 0.80), (-0.48, 0.85), (-0.25, 0.33), (-0.25, 1), (0, 1)],
        {"neck": (1, 1), "cuff": (3, 4), "hem": (6, 6)},
    ),
    "longsleeve_hanging": Drawn(
        "longsleeve",
        [(0, 0.04), (-0.12, 0), (-0.27, 0.07), (-0.44, 0.90), (-0.33, 0.93), (-0.24, 0.33), (-0.24, 1), (0, 1)],
        {"neck": (1, 1), "cuff": (3, 4), "hem": (6, 6)},
    ),
    "dress": Drawn(
        "dress",
        [
            (0, 0.1),
            (-0.08, 0),
            (-0.15, 0.02),
            (-0.145, 0.08),
            (-0.16, 0.15),
            (-0.19, 0.2),
            (-0.16, 0.4),
            (-0.3, 1),
            (0, 1.02),
        ],
        {"neck": (1, 1), "armhole": (2, 5), "hem": (7, 7)},
    ),
    "camisole": Drawn(
        "top",
        [(0, 0.30), (-0.16, 0.22), (-0.19, 0), (-0.23, 0), (-0.22, 0.2), (-0.34, 0.4), (-0.36, 1), (0, 1)],
        {"neck": (2, 2), "armhole": (3, 5), "hem": (6, 6)},
    ),
    "skirt": Drawn("skirt", [(0, 0.0), (-0.22, 0), (-0.40, 1), (0, 1)], {"waist": (1, 1), "hem": (2, 2)}),
    "trousers": Drawn(
        "trousers", [(0, 0.0), (-0.18, 0), (-0.26, 1), (-0.08, 1), (0, 0.35)], {"waist": (1, 1), "leg": (2, 3)}
    ),
    "bell_bottoms": Drawn(  # legs that nearly meet all the way down
        "trousers",
        [(0, 0.0), (-0.17, 0), (-0.20, 0.35), (-0.22, 0.985), (-0.03, 1), (-0.025, 0.45), (0, 0.36)],
        {"waist": (1, 1), "leg": (3, 4)},
    ),
    "shorts": Drawn(
        "trousers", [(0, 0.0), (-0.30, 0), (-0.46, 0.95), (-0.06, 1), (0, 0.6)], {"waist": (1, 1), "leg": (2, 3)}
    ),
}


def outline_of(garment: Drawn, height_px: float, middle_px: tuple[float, float]) -> np.ndarray:
    """[K,2] pixels round the garment, its half first, with y = 0 of the drawing at `middle_px`."""
    half = np.array(garment.half, float)
    whole = np.concatenate([half, (half * [-1, 1])[::-1][1:-1]])
    return whole * height_px + np.array(middle_px)


def mask_of(garment: Drawn, height_px: float, hw: tuple[int, int], shift: tuple[float, float] = (0, 0)) -> np.ndarray:
    """[H,W] the garment's coverage, in the middle of the picture but for `shift`."""
    return coverage(outline_of(garment, height_px, middle(height_px, hw, shift)), hw)


def middle(height_px: float, hw: tuple[int, int], shift: tuple[float, float] = (0, 0)) -> tuple[float, float]:
    """Where the drawing's origin lies in the picture."""
    return hw[1] / 2 + shift[0], (hw[0] - height_px) / 2 + shift[1]


def ends_of(garment: Drawn, height_px: float, middle_px: tuple[float, float]) -> dict[str, np.ndarray]:
    """[2,2] pixels of both ends of each opening under its full name, l and r the wearer's."""
    right = np.array(garment.half, float) * height_px + np.array(middle_px)
    left = np.array(garment.half, float) * [-1, 1] * height_px + np.array(middle_px)
    ends = {}
    for name, (a, b) in garment.openings.items():
        if a == b:
            ends[name] = np.stack([right[a], left[a]])
        else:
            ends[name + "_r"], ends[name + "_l"] = right[[a, b]], left[[a, b]]
    return ends
