"""How much each pixel looks like garment or background: likelihoods learned from the photo itself.

The border shows what background looks like, to the last grey level; the inside of a first cut shows the garment.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .background import NOISE_FLOOR, Background

_LIGHTNESS = np.array([-60, -40, -25, -15, -9, -5, -2.5, -1.2, -0.4, 0.4, 1.2, 2.5, 5])
_CHROMA = np.array([0.4, 1, 2, 4, 8, 16, 32])
_SLOPE = np.array([0.1, 0.3, 0.8, 2])
_SHAPE = (len(_LIGHTNESS) + 1, len(_CHROMA) + 1, len(_SLOPE) + 1)
_LEVELS = 8
"""Bins per Lab channel where the background is not one surface and only colours can be compared."""
RINGING = 0.03
"""JPEG ringing and bleeding, as a part of the contrast within one block."""
_BLOCK_PX = 17
"""Two JPEG blocks and a pixel: chroma is stored at half size."""


class Evidence(NamedTuple):
    """What speaks for the garment, per pixel at the working size."""

    code: np.ndarray
    """[H,W] int, which bin of the look (for a plain background lightness, chroma and gradient against it)."""
    shape: tuple[int, int, int]
    """How many bins along each axis of the look."""
    excess: np.ndarray
    """[H,W] largest Lab difference from the background in units of noise."""
    ringing: np.ndarray
    """[H,W] how much of `excess` compression alone may cause here."""
    shade: np.ndarray
    """[H,W] bool, the background's own colour, darker: a shadow has it, and so may grey cloth."""
    background: np.ndarray
    """[H,W] likelihood of what is seen, if this is background."""


def gather(lab: np.ndarray, slope: np.ndarray, quiet: float, fit: Background, outside: np.ndarray) -> Evidence:
    """Evidence from an [H,W,3] Lab picture, its gradient, and pixels `outside` [H,W] bool that are background."""
    residual = lab - fit.surface
    excess = np.abs(residual / fit.noise).max(-1)
    contrast = ndimage.maximum_filter(np.abs(residual).max(-1), _BLOCK_PX)
    ringing = RINGING * contrast / float(fit.noise.mean())
    relative = residual / fit.noise * NOISE_FLOOR
    lightness, chroma = relative[..., 0], np.hypot(relative[..., 1], relative[..., 2])
    rough = slope / quiet * NOISE_FLOOR
    code = np.digitize(lightness, _LIGHTNESS) * _SHAPE[1] + np.digitize(chroma, _CHROMA)
    code = code * _SHAPE[2] + np.digitize(rough, _SLOPE)
    shade = _shade(lab, fit, 0.5 * ringing * float(fit.noise.mean()))
    likelihood = _background_likelihood(code, excess, ringing, np.where(shade, lightness, -np.inf), rough, outside)
    return Evidence(code, _SHAPE, excess, ringing, shade, likelihood)


def gather_colours(lab: np.ndarray, outside: np.ndarray) -> Evidence:
    """Evidence from colours alone, for a cluttered [H,W,3] Lab picture of which `outside` [H,W] bool is background."""
    code = np.zeros(lab.shape[:2], int)
    for channel in np.moveaxis(lab, -1, 0):
        edges = np.quantile(channel[::4, ::4], np.linspace(0, 1, _LEVELS + 1)[1:-1])
        code = code * _LEVELS + np.digitize(channel, edges)
    shape = (_LEVELS, _LEVELS, _LEVELS)
    still = np.zeros(code.shape)
    colours = Evidence(code, shape, still + 99, still, still > 0, still)
    return colours._replace(background=learned(colours, outside)[code])


def uniform(evidence: Evidence) -> np.ndarray:
    """[bins] likelihood of a garment of which nothing is known."""
    bins = int(np.prod(evidence.shape))
    return np.full(bins, 1 / bins)


def learned(evidence: Evidence, inside: np.ndarray) -> np.ndarray:
    """[bins] likelihood of what the pixels of `inside` [H,W] bool show; nothing inside gives the uniform one."""
    flat = uniform(evidence)
    if not inside.any():
        return flat
    counts = np.bincount(evidence.code[inside], minlength=len(flat)).reshape(evidence.shape).astype(float)
    counts = ndimage.gaussian_filter(counts, 0.7).ravel()
    return 0.8 * counts / counts.sum() + 0.2 * flat


def log_ratio(evidence: Evidence, garment: np.ndarray) -> np.ndarray:
    """[H,W] in -1..1, positive where the [bins] garment likelihood explains the pixel better than the background."""
    ratio = np.clip(np.log(garment[evidence.code] / evidence.background), -4, 4) / 4
    # Beside strong edges a match says less, and a difference no larger than the ringing says nothing.
    weaker = ratio / (1 + 0.5 * np.log1p(evidence.ringing))
    drowned = np.where(evidence.excess < 1 + evidence.ringing, ratio / (1 + np.square(evidence.ringing)), ratio)
    return np.where(ratio < 0, weaker, drowned)


def _shade(lab: np.ndarray, fit: Background, bleeding: np.ndarray) -> np.ndarray:
    """[H,W] bool: light scaled by one factor scales L + 16, a and b alike (CIE 1976), whatever the background's hue."""
    factor = (lab[..., 0] + 16) / (fit.surface[..., 0] + 16)
    off = np.linalg.norm(lab[..., 1:] - fit.surface[..., 1:] * factor[..., None], axis=-1)
    darker = fit.surface[..., 0] - lab[..., 0]
    return (
        (darker > -1.5 * fit.noise[0])
        & (factor > 0.5)
        & (off < 2 + 2 * fit.noise[1:].mean() + 0.06 * darker + bleeding)
    )


def _background_likelihood(
    code: np.ndarray,
    excess: np.ndarray,
    ringing: np.ndarray,
    shaded: np.ndarray,
    rough: np.ndarray,
    outside: np.ndarray,
) -> np.ndarray:
    """What the border shows, plus what it does not: ringing near edges, shadow, and a faint step of a pasted photo."""
    counts = np.bincount(code[outside], minlength=int(np.prod(_SHAPE))) + 0.05
    seen = (counts / counts.sum())[code]
    near_edge = 0.5 * ringing / (1 + ringing)
    halo = 0.02 * np.exp(-excess / (1 + ringing))
    shadow = np.where(shaded < -0.4, 0.02 * np.exp(np.maximum(shaded, -60) / 12), 0)
    step = np.where(rough < 0.11, 0.05 * np.exp(-np.square(excess / 2.5)), 0)
    return (0.9 - near_edge) * seen + near_edge * halo + 0.05 * shadow + 0.05 * step
