"""Where the photo's edge is not cloth: background let in by the mask, or a fringe of shadow and compression."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

FROM_PX, TO_PX = 1.0, 3.2
"""The strip inside the mask's edge that is tested."""
CLOTH_PX, BACKGROUND_PX = 7.0, -3.5
"""Where cloth and background are surely themselves, as distances inside the edge."""
ALONG_PX, PATTERN_PX = 3.0, 10.0
"""How far along the edge colours are averaged, and how far the cloth's pattern is looked at."""
SHARE = 0.12
"""Least share of background in the strip that counts."""
PLAIN = 150.0
"""Variance in squared 8-bit steps below which cloth is plain."""
CERTAIN = 6.0
"""The colour must leave the cloth's by so many times the cloth's own variance: stripes ending at the edge are none."""
EXTRA_PX = 2.0


def bleeding(rgb: np.ndarray, distance_px: np.ndarray, inward: np.ndarray) -> np.ndarray:
    """[h,w] float32 pixels by which the photo is trusted later, 0 to EXTRA_PX.

    Args:
        rgb: [h,w,3] in 0..255.
        distance_px: [h,w], positive inside the mask.
        inward: [2,h,w] unit rows and columns.
    """
    strip = (distance_px > FROM_PX) & (distance_px <= TO_PX)
    rows, cols = np.nonzero(strip)
    if not len(rows):
        return np.zeros(distance_px.shape, np.float32)
    at_edge, cloth, outside = (
        _colors(rgb, rows, cols, inward, step)
        for step in (0.0, CLOTH_PX - distance_px[strip], BACKGROUND_PX - distance_px[strip])
    )

    def averaged(values: np.ndarray, along_px: float = ALONG_PX) -> np.ndarray:
        image = np.zeros(distance_px.shape, np.float32)
        image[rows, cols] = values
        return gaussian_filter(image, along_px)[rows, cols]

    weight = np.maximum(averaged(np.ones(len(rows))), 1e-6)
    far_weight = np.maximum(averaged(np.ones(len(rows)), PATTERN_PX), 1e-6)
    share = averaged(((at_edge - cloth) * (outside - cloth)).sum(1)) / np.maximum(
        averaged(np.square(outside - cloth).sum(1)), 1e-6
    )
    spread, leap = np.zeros(len(rows)), np.zeros(len(rows))
    for channel in range(3):
        far_mean = averaged(cloth[:, channel], PATTERN_PX) / far_weight
        spread += averaged((cloth[:, channel] - far_mean) ** 2, PATTERN_PX) / far_weight
        leap += np.square(averaged(at_edge[:, channel] - cloth[:, channel]) / weight)
    extra = np.zeros(distance_px.shape, np.float32)
    # On plain cloth a darker fringe is as wrong as a paler one: there any leap counts.
    extra[rows, cols] = (leap > CERTAIN * np.maximum(spread, 9.0)) & ((share > SHARE) | (spread < PLAIN))
    near = np.zeros_like(extra)
    near[rows, cols] = 1
    spread_out = gaussian_filter(extra, 2 * ALONG_PX) / np.maximum(gaussian_filter(near, 2 * ALONG_PX), 1e-4)
    return (EXTRA_PX * np.clip(3 * spread_out, 0, 1)).astype(np.float32)


def _colors(
    rgb: np.ndarray, rows: np.ndarray, cols: np.ndarray, inward: np.ndarray, step: np.ndarray | float
) -> np.ndarray:
    """[N,3] a step further in."""
    places = np.stack([rows, cols]) + inward[:, rows, cols] * step
    return np.stack([map_coordinates(rgb[..., c], places, order=1, mode="nearest") for c in range(3)], 1)
