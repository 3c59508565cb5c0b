"""The place on a pattern that fits best over a hole in it: one translation for the whole hole, found by correlation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

RING_PX = 8
"""Width of the pattern around the hole that has to fit."""
MISSING = 0.02
"""Share of the hole that may lie outside the garment at the new place."""


class Shift(NamedTuple):
    """Hole places (row, column) are read at (row + down, column + right)."""

    down_px: int
    right_px: int


def best_shift(values: np.ndarray, hole: np.ndarray, clean: np.ndarray) -> Shift | None:
    """The Shift whose [h,w,C] values agree best around the [h,w] hole, from `clean` places only; None if none does."""
    ring = ndimage.binary_dilation(hole, iterations=RING_PX) & clean
    if not hole.any() or not ring.any():
        return None
    height, width = hole.shape
    shape = (2 * height, 2 * width)
    wanted = (ring | hole).astype(float)
    missing = _correlation(wanted, (~clean).astype(float), shape)
    # Beyond the picture nothing is clean: count what falls out of it as missing too.
    missing += wanted.sum() - _correlation(wanted, np.ones_like(wanted), shape)
    error = np.zeros(shape)
    for channel in np.moveaxis(values.astype(float), -1, 0):
        channel = channel - channel[ring].mean()
        error += _correlation(ring.astype(float), channel**2, shape) - 2 * _correlation(ring * channel, channel, shape)
    error[missing > MISSING * hole.sum()] = np.inf
    if not np.isfinite(error).any():
        return None
    down, right = np.unravel_index(np.argmin(error), shape)
    return Shift(int(down if down < height else down - shape[0]), int(right if right < width else right - shape[1]))


def refined(values: np.ndarray, ring: np.ndarray, shift: Shift, reach_px: int) -> Shift:
    """The best of the shifts within `reach_px` of one, by the values on the [H,W] ring."""
    rows, cols = np.nonzero(ring)
    step = max(1, len(rows) // 4000)
    rows, cols = rows[::step], cols[::step]
    here = values[rows, cols]
    best, least = shift, np.inf
    for down in range(shift.down_px - reach_px, shift.down_px + reach_px + 1):
        for right in range(shift.right_px - reach_px, shift.right_px + reach_px + 1):
            there = values[(rows + down).clip(0, len(values) - 1), (cols + right).clip(0, values.shape[1] - 1)]
            error = float(np.square(here - there).sum())
            if error < least:
                best, least = Shift(down, right), error
    return best


def read(values: np.ndarray, shift: Shift) -> np.ndarray:
    """[H,W,C] values at shifted places, the border's beyond it."""
    rows = (np.arange(values.shape[0]) + shift.down_px).clip(0, values.shape[0] - 1)
    cols = (np.arange(values.shape[1]) + shift.right_px).clip(0, values.shape[1] - 1)
    return values[rows][:, cols]


def _correlation(weights: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[2h,2w] sum of weights(x) · values(x + t) over x for every translation t, negative ones at the end."""
    return np.fft.irfft2(np.conj(np.fft.rfft2(weights, shape)) * np.fft.rfft2(values, shape), shape)
