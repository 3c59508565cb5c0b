"""Cloth put where something was taken away: its shade continued as smoothly as can be, under its own grain."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

GRAIN_BLUR = 0.012
"""Finer than this (canonical units) is grain, coarser is shade."""
PATCH = 0.05
"""Side of the pieces of grain, canonical units."""


def harmonic(values: np.ndarray, known: np.ndarray, region: np.ndarray) -> np.ndarray:
    """[h,w,C]: `values` where `known`, elsewhere in `region` the smoothest continuation; outside 0 or as known.

    A part of the region without known places gets the mean of the known ones.
    """
    unknown = region & ~known
    result = np.where(known[..., None], values, 0.0)
    if not unknown.any() or not known.any():
        return result
    index = np.full(region.shape, -1)
    index[unknown] = np.arange(unknown.sum())
    rows, cols = [], []
    degree, right = np.zeros(unknown.sum()), np.zeros((unknown.sum(), values.shape[-1]))
    for axis in (0, 1):
        for a, b in (_neighbours(axis), _neighbours(axis)[::-1]):
            free = index[a] >= 0
            both, rim = free & (index[b] >= 0), free & known[b]
            rows.append(index[a][both])
            cols.append(index[b][both])
            degree += np.bincount(np.concatenate([index[a][both], index[a][rim]]), minlength=len(degree))
            np.add.at(right, index[a][rim], values[b][rim])
    mean = values[known].mean(0)
    # A weak pull to the mean keeps parts without a known rim solvable.
    pull = 1e-6
    rows_, cols_ = np.concatenate(rows), np.concatenate(cols)
    matrix = sparse.csr_matrix((-np.ones(len(rows_)), (rows_, cols_)), shape=(len(degree),) * 2)
    solver = splu((matrix + sparse.diags(degree + pull)).tocsc(), "MMD_AT_PLUS_A", 0.0, options={"SymmetricMode": True})
    result[unknown] = solver.solve(right + pull * mean)
    return result


def _neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Two views of a grid whose entries are neighbours along an axis."""
    low, high = [slice(None)] * 2, [slice(None)] * 2
    low[axis], high[axis] = slice(0, -1), slice(1, None)
    return tuple(low), tuple(high)


def blurred(values: np.ndarray, weight: np.ndarray, sigma_px: float) -> np.ndarray:
    """[h,w,C] Gaussian mean of the places with a weight."""
    total = ndimage.gaussian_filter(weight.astype(np.float32), sigma_px)
    parts = [ndimage.gaussian_filter(channel * weight, sigma_px) for channel in np.moveaxis(values, -1, 0)]
    return np.stack(parts, -1) / np.maximum(total, 1e-4)[..., None]


def grain(detail: np.ndarray, clean: np.ndarray, patch_px: int, box: tuple[slice, slice]) -> np.ndarray:
    """[h,w,C] over the box: pieces of `detail` from `clean` places, laid over each other at random.

    Zero where no piece of a quarter of the size finds a clean place.
    """
    height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
    result = np.zeros((height, width, detail.shape[-1]), np.float32)
    for size in (patch_px, patch_px // 2, patch_px // 4):
        half = max(size // 2, 1)
        free = ndimage.minimum_filter(clean, 2 * half + 1, mode="constant")
        sources = np.argwhere(free)
        if len(sources):
            break
    else:
        return result
    random = np.random.default_rng(0)
    window = np.sin(np.pi * (np.arange(2 * half) + 0.5) / (2 * half)) ** 2
    window = (window[:, None] * window)[..., None].astype(np.float32)
    power = np.zeros((height, width, 1), np.float32)
    for y in range(-half, height, half):
        for x in range(-half, width, half):
            cy, cx = sources[random.integers(len(sources))] - half
            y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + 2 * half, height), min(x + 2 * half, width)
            part = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
            piece = detail[cy : cy + 2 * half, cx : cx + 2 * half]
            result[y0:y1, x0:x1] += (window * piece)[part]
            power[y0:y1, x0:x1] += (window**2)[part]
    # Overlaid at random, pieces add in power: this keeps the grain as strong as it was.
    return result / np.sqrt(np.maximum(power, 1e-6))
