"""What on the front is not cloth: prints, labels, buttons; told from an all-over pattern, which is cloth.

A print is what can't be reached from the garment's calm rim without crossing a strong edge. Where a pattern spreads
over the whole garment nothing is taken for a print.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .fill import harmonic

LIGHTNESS, SHADE_LIGHTNESS = 0.7, 0.6
"""Weight of lightness against colour, for edges and for contrast: folds change the first, prints both."""
EDGE = 6.0
"""Weighted Lab difference per pixel that plain cloth and its folds stay below."""
CALM = 5.0
"""Four fifths of a neighbourhood on the rim stay below this where it counts as plain cloth."""
PATTERN = 1.2
"""The mean edge that an all-over pattern has in at least three quarters of the garment's cells."""
CELL_PX = 16
CALM_SHARE = 2.0
"""Grain is taken from places with at most so many times the median edge: no seams, no folds."""
CONTRAST, FAINT = 10.0, 7.0
"""Weighted Lab difference to the cloth around it that makes a print, and a letter or line."""
NEARBY_PX, SEAM = 11, 3.5
"""Where cloths of two colours meet, places between them in colour count by so much less."""
RIM_PX = 6
LETTER, LETTERS = 0.004, 0.04
"""Largest share of the garment for a piece to be a letter, and for all letters: more of them are cloth."""
PICTURE_PX, PICTURE = 7, 0.05
"""Gaps between the edges of a picture, and its least share of the garment."""
CLOSE_PX, GROW_PX = 5, 3
"""Gaps in a print that are taken with it, and how far its soft edge reaches."""


class Cloth(NamedTuple):
    """The garment's front at low resolution."""

    rgb: np.ndarray
    """[h,w,3] float32 in 0..255, background replaced by the nearest cloth."""
    deep_px: np.ndarray
    """[h,w] float32 distance inside the trusted rim, negative beyond it."""
    neck: np.ndarray
    """[h,w] bool, the inside of the back and the collar below it."""


class Found(NamedTuple):
    """What must not go to the back."""

    patterned: bool
    """True where an all-over pattern is part of the cloth."""
    remove: np.ndarray
    """[h,w] bool."""
    calm: np.ndarray
    """[h,w] bool, plain cloth whose grain stands for the rest."""


def find_prints(cloth: Cloth) -> Found:
    """Prints and the neckline on the grid of `cloth`; of a patterned garment the neckline alone."""
    valid = (cloth.deep_px > 0) & ~cloth.neck
    lab = lab_of(cloth.rgb)
    edges = _edges(lab * [LIGHTNESS, 1, 1])
    if _is_patterned(edges, valid):
        return Found(True, cloth.neck, valid)
    reached = _reached(edges, valid, cloth.deep_px)
    remove = cloth.neck | _prints(lab * [SHADE_LIGHTNESS, 1, 1], edges, reached, valid)
    calm = reached & ~remove
    threshold = CALM_SHARE * np.median(edges[calm]) if calm.any() else 0.0
    return Found(False, remove, calm & (ndimage.gaussian_filter(edges, 1.0) <= threshold))


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """[h,w,3] CIE Lab (D65) of sRGB in 0..255."""
    from skimage.color import rgb2lab

    return rgb2lab(np.clip(rgb / 255, 0, 1))


def _edges(lab: np.ndarray) -> np.ndarray:
    """[h,w] length of the colour gradient per pixel."""
    square = np.zeros(lab.shape[:2])
    for channel in np.moveaxis(lab, -1, 0):
        for order in ((0, 1), (1, 0)):
            square += ndimage.gaussian_filter(channel, 1.0, order=order) ** 2
    return np.sqrt(square)


def _is_patterned(edges: np.ndarray, valid: np.ndarray) -> bool:
    height, width = (-(-side // CELL_PX) * CELL_PX for side in edges.shape)
    padding = ((0, height - edges.shape[0]), (0, width - edges.shape[1]))

    def cells(values: np.ndarray) -> np.ndarray:
        blocks = np.pad(values.astype(float), padding).reshape(height // CELL_PX, CELL_PX, -1, CELL_PX)
        return blocks.mean((1, 3)).ravel()

    share = cells(valid)
    filled = share > 0.5
    return bool(filled.any()) and float(np.percentile((cells(edges * valid) / share.clip(1e-9))[filled], 25)) > PATTERN


def _reached(edges: np.ndarray, valid: np.ndarray, deep_px: np.ndarray) -> np.ndarray:
    """[h,w] bool, what a calm rim leads to without a strong edge."""
    from skimage.morphology import reconstruction

    busy = ndimage.percentile_filter(np.where(valid, edges, 0), 80, size=7)
    calm = ndimage.maximum_filter(busy, 3) < CALM
    seeds = valid & (deep_px < RIM_PX) & calm
    level = np.where(valid, edges, 1e3)
    # The least edge that a way from the rim must cross: a reconstruction by erosion.
    return reconstruction(np.where(seeds, level, 1e3), level, method="erosion") <= EDGE


def _prints(lab: np.ndarray, edges: np.ndarray, reached: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """[h,w] bool: of the unreached places those that differ from the cloth around, and what they enclose."""
    unreached = valid & ~reached
    apart = unreached & (_difference(lab, reached, valid) > CONTRAST)
    found = ndimage.binary_dilation(apart) | _where_most(apart, unreached, 0.25) | _letters(lab, reached, valid)
    found |= _pictures(edges, unreached, valid)
    if not found.any():
        return found
    closed = ndimage.binary_fill_holes(_closed(found, CLOSE_PX))
    grown = ndimage.binary_dilation(closed & valid, _disc(GROW_PX))
    # What touches the rim is taken beyond it, where cloth may be read too.
    return grown & valid | ndimage.binary_dilation(grown, iterations=GROW_PX) & ~valid


def _where_most(marked: np.ndarray, pieces: np.ndarray, share: float) -> np.ndarray:
    """[h,w] bool, the connected pieces of which more than a share is marked."""
    label, count = ndimage.label(pieces, np.ones((3, 3)))
    shares = np.zeros(count + 1)
    if count:
        shares[1:] = ndimage.mean(marked, label, np.arange(1, count + 1))
    return (shares > share)[label]


def _pictures(edges: np.ndarray, unreached: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """[h,w] bool: large parts full of edges, though ways between the edges lead into them from the rim."""
    # Opened again, so that a seam beside a print does not become one picture with it.
    full = ~_closed(~_closed(unreached, PICTURE_PX), PICTURE_PX - 1)
    label, count = ndimage.label(full & valid)
    index = np.arange(1, count + 1)
    area, share = np.zeros((2, count + 1))
    if count:
        area[1:], share[1:] = ndimage.sum(label > 0, label, index), ndimage.mean(unreached, label, index)
    large = (area > PICTURE * valid.sum()) & (share > 0.3)
    # Where the rim leads deep into a picture, it has loose parts around it too.
    around = _closed(unreached, 2 * PICTURE_PX) | _closed(valid & (edges > EDGE / 2), PICTURE_PX)
    loose = _where_most((large & (share < 0.75))[label], around & valid, 0.0)
    return large[label] | loose


def _letters(lab: np.ndarray, reached: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """[h,w] bool: small pieces unlike any larger cloth nearby, such as letters that touch the rim; none if many."""
    large = ndimage.median_filter(harmonic(lab, reached, valid)[::4, ::4], (NEARBY_PX, NEARBY_PX, 1))
    bounds = [f(large, (5, 5, 1)).repeat(4, 0).repeat(4, 1) for f in (ndimage.minimum_filter, ndimage.maximum_filter)]
    low, high = (bound[: lab.shape[0], : lab.shape[1]] for bound in bounds)
    differs = valid & (np.linalg.norm(np.maximum(np.maximum(low - lab, lab - high), 0), axis=-1) > FAINT)
    label, _ = ndimage.label(differs)
    letters = differs & (np.bincount(label.ravel())[label] < LETTER * valid.sum())
    return letters if letters.sum() < LETTERS * valid.sum() else np.zeros_like(letters)


def _closed(mask: np.ndarray, radius: int) -> np.ndarray:
    """[h,w] bool, gaps up to twice the radius filled."""
    padded = np.pad(mask, radius)
    away = ndimage.distance_transform_edt(~padded) > radius if padded.any() else ~padded
    return (ndimage.distance_transform_edt(~away) > radius)[radius:-radius, radius:-radius] if away.any() else mask


def _difference(lab: np.ndarray, reached: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """[h,w] how far each place lies outside the colours of the cloth reached nearby, so that a seam between two
    cloths is none; far from all cloth, how far from the cloth's continuation."""
    around = ndimage.binary_erosion(reached)
    low = ndimage.minimum_filter(np.where(around[..., None], lab, np.inf), (NEARBY_PX, NEARBY_PX, 1))
    high = ndimage.maximum_filter(np.where(around[..., None], lab, -np.inf), (NEARBY_PX, NEARBY_PX, 1))
    known = np.isfinite(low).all(-1)
    outside = np.linalg.norm(np.maximum(np.maximum(low - lab, lab - high), 0), axis=-1)
    continued = np.linalg.norm(lab - harmonic(lab, around, valid), axis=-1)
    return np.where(known, np.maximum(outside, continued / SEAM), continued)


def _disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2
