"""What the background of a product photo looks like: a smooth colour surface and its noise, fitted from the border.

A seamless paper or wall is one colour under uneven light; once it is known, whatever differs from it is the garment.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

RING = 0.025
"""Width of the border ring that is taken for background, as a part of the shorter side."""
NOISE_FLOOR = 0.45
"""Least noise in L, a and b: about one 8-bit step, below which a difference means nothing."""
_ROUGH = 4.0
"""Most noise that a plain background may have; cobbles or leaves vary more and are no surface."""
_STRIDE = 3
"""The surface is smooth, so it is fitted on every third pixel."""


class Background(NamedTuple):
    """The fitted background, all at the size of the picture it was fitted to."""

    surface: np.ndarray
    """[H,W,3] float32 Lab, what the photo would show without the garment."""
    noise: np.ndarray
    """[3] robust standard deviation of L, a, b around the surface."""
    plain: float
    """Part of the ring that the surface explains, 0..1; a cluttered photo has little."""
    sure: np.ndarray
    """[H,W] bool, reached from the ring through pixels that match the surface."""


def border_ring(hw: tuple[int, int]) -> np.ndarray:
    """[H,W] bool, True along the four borders."""
    width = max(2, round(RING * min(hw)))
    ring = np.ones(hw, bool)
    ring[width:-width, width:-width] = False
    return ring


def fit_background(lab: np.ndarray, ring: np.ndarray) -> Background:
    """The background of an [H,W,3] Lab picture from the pixels of `ring` [H,W] bool; an even light gives a constant."""
    few, few_ring = lab[::_STRIDE, ::_STRIDE], ring[::_STRIDE, ::_STRIDE]
    terms = _terms(few.shape[:2])
    surface = _robust_surface(few, terms, few_ring, rounds=12)
    noise = _noise(few - surface, few_ring)
    for _ in range(2):
        sure = _reached(few - surface, noise, few_ring)
        surface = _robust_surface(few, terms, sure if sure.any() else few_ring, rounds=5)
        noise = _noise(few - surface, sure & few_ring)
    sure = _reached(few - surface, noise, few_ring)
    surface = _follow(few, surface, sure)
    noise = _noise(few - surface, sure & few_ring)
    matches = distance(few - surface, np.minimum(noise, _ROUGH))[few_ring] < 4
    sure = _reached(few - surface, noise, few_ring)
    whole = np.repeat(np.repeat(sure, _STRIDE, 0), _STRIDE, 1)[: lab.shape[0], : lab.shape[1]]
    return Background(enlarged(surface, lab.shape[:2]), noise, float(matches.mean()), whole)


def distance(residual: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """[...] distance of [...,3] Lab differences from 0 in units of noise."""
    return np.sqrt(np.square(residual / noise).sum(-1))


def enlarged(picture: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """[H,W,C] float32 of a smooth, smaller [h,w,C] picture, bilinear."""
    planes = np.moveaxis(picture.astype(np.float32), -1, 0)
    size = (hw[1], hw[0])
    return np.stack([np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BILINEAR)) for p in planes], -1)


def _terms(hw: tuple[int, int]) -> np.ndarray:
    """[6,H,W] polynomial terms of degree 2: light that falls off across a wall is close to that."""
    y, x = np.meshgrid(np.linspace(-1, 1, hw[0]), np.linspace(-1, 1, hw[1]), indexing="ij")
    return np.stack([np.ones(hw), x, y, x * x, x * y, y * y]).astype(np.float32)


def _robust_surface(lab: np.ndarray, terms: np.ndarray, where: np.ndarray, rounds: int) -> np.ndarray:
    """[H,W,3] least absolute deviation surface through `where`, by reweighting: part of the ring may be garment."""
    rows, cols = np.nonzero(where)
    step = max(1, len(rows) // 4000)
    rows, cols = rows[::step], cols[::step]
    design, values = terms[:, rows, cols].T.astype(float), lab[rows, cols].astype(float)
    weights = np.ones(len(rows))
    ridge = np.diag([0, *[1e-4 * len(rows)] * 5])
    coefficients = np.zeros((6, 3))
    for i in range(rounds):
        weighted = design * weights[:, None]
        normal = weighted.T @ design + ridge * weights.mean() + 1e-9 * np.eye(6)
        coefficients = np.linalg.solve(normal, weighted.T @ values)
        deviation = np.linalg.norm(values - design @ coefficients, axis=1)
        weights = 1 / np.maximum(deviation, 0.3) ** (1 if i < rounds - 3 else 1.6)
    return np.tensordot(terms, coefficients.astype(np.float32), (0, 0))


def _noise(residual: np.ndarray, where: np.ndarray) -> np.ndarray:
    if not where.any():
        return np.full(3, NOISE_FLOOR, np.float32)
    return np.maximum(1.4826 * np.median(np.abs(residual[where]), axis=0), NOISE_FLOOR).astype(np.float32)


def _reached(residual: np.ndarray, noise: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Matching pixels that connect to the ring, kept away from what does not match."""
    close = distance(residual, noise) < 3.5
    close = ndimage.binary_erosion(ndimage.binary_opening(close, border_value=1), border_value=1)
    labels, count = ndimage.label(close)
    keep = np.zeros(count + 1, bool)
    keep[np.unique(labels[ring])] = True
    keep[0] = False
    return keep[labels]


def _follow(lab: np.ndarray, surface: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """The surface bent towards the sure background near it: vignettes and paper rolls are not quadratic."""
    reach = 0.06 * min(sure.shape)
    weight = ndimage.gaussian_filter(sure.astype(np.float32), reach, truncate=2.5)
    bend = np.where(sure[..., None], lab - surface, 0).astype(np.float32)
    bend = ndimage.gaussian_filter(bend, (reach, reach, 0), truncate=2.5)
    return (surface + bend / (weight[..., None] + 0.05)).astype(np.float32)
