"""How much a mask looks like one garment in a photo, so that an engine's many candidates can be ranked.

Networks score how sure they are of an outline, not what it holds: a print, a person and a wall can all be sharp.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from .person import shows_person, skin_coloured
from .trust import border_share

WORK_PX = 256
"""Candidates are judged at this longest side: what matters is larger than a button."""
_AREA = ((0.0, 0.0), (0.01, 0.1), (0.05, 0.6), (0.12, 0.95), (0.2, 1.0), (0.55, 1.0), (0.8, 0.3), (0.97, 0.0))
"""Worth of a mask by the part of the photo it covers."""
_SOLID = ((0.0, 0.0), (0.35, 0.3), (0.6, 1.0), (1.0, 1.0))
"""Worth by the part of its convex hull it fills; trousers apart fill 0.6, a picture frame or scattered bits less."""
_HOLES = ((0.0, 1.0), (0.03, 1.0), (0.3, 0.2), (1.0, 0.0))
"""Worth by the part of the filled outline that is holes; loops of straps are small."""
_PIECES = ((0.0, 0.0), (0.5, 0.75), (0.9, 0.9), (1.0, 1.0))
"""Worth by the largest piece's part of the area; a bag may cross a garment."""
_ASIDE = ((0.0, 1.0), (0.25, 0.95), (0.5, 0.3), (0.71, 0.1))
"""Worth by how far the middle of the area lies from the photo's, in the photo's sides."""
_EDGE = ((0.0, 0.1), (0.5, 0.4), (0.9, 1.0), (1.0, 1.0))
"""Worth by the part of the outline at which the photo changes its colour."""
_ROUND = ((0.0, 0.35), (0.15, 0.5), (0.6, 0.9), (1.0, 1.0))
"""Worth by the part of the outline with the photo's background beyond: little of a print's, half of a worn tee's."""
_WALL = ((0.0, 1.0), (0.5, 1.0), (0.95, 0.6), (1.0, 0.5))
"""Worth by the part of the mask that has the background's colours: a white tee on white is still a tee."""
_SKIN = ((0.0, 1.0), (0.1, 1.0), (0.35, 0.6), (1.0, 0.4))
"""Worth by the part that could be skin: most of an arm, some of a person, all of a beige coat."""
_PERSON = 0.3
_REACH_PX = 3
"""How far to both sides of the outline colours are compared."""
_CHANGE = 5.0
"""Least difference of Lab colours across an outline, about what a shadow's rim has."""
_FAINT_CHANGE = 1.5
"""What counts half for cloth of the background's own colour: white on white hardly shows its rim."""


def plausibility(binary: np.ndarray, rgb: np.ndarray) -> float:
    """0..1 for a mask [H,W] on its photo [H,W,3] uint8: 1 = surely one whole garment; an empty or full mask gives 0."""
    if not binary.any() or binary.all():
        return 0.0
    mask, lab = _reduced(binary, rgb)
    if not mask.any():
        return 0.0
    return float(np.prod([*_shape(mask), *_content(mask, lab)]))


def _shape(mask: np.ndarray) -> tuple[float, ...]:
    """What the outline alone says: size, pieces, holes, compactness, place."""
    area = np.count_nonzero(mask)
    labels, _ = ndimage.label(mask)
    largest = np.bincount(labels.ravel())[1:].max()
    whole = ndimage.binary_fill_holes(mask)
    middle = np.array(ndimage.center_of_mass(mask)) / mask.shape - 0.5
    return (
        _worth(_AREA, area / mask.size),
        _worth(_PIECES, largest / area),
        _worth(_HOLES, 1 - area / np.count_nonzero(whole)),
        _worth(_SOLID, np.count_nonzero(whole) / max(area, _hull_area(mask))),
        _worth(_ASIDE, float(np.hypot(*middle))),
        (1 - border_share(mask)) ** 2,
    )


def _content(mask: np.ndarray, lab: np.ndarray) -> tuple[float, ...]:
    """What the photo adds: edges along the outline, background around it and not inside, no bare person."""
    inner, outer = _beside(mask)
    if not len(inner):
        return (0.0,)
    away = np.linalg.norm(lab[tuple(inner.T)] - lab[tuple(outer.T)], axis=-1)
    wall = _like_border(mask, lab)
    faint = wall[tuple(inner.T)] & (away > _FAINT_CHANGE)
    return (
        _worth(_EDGE, float(np.maximum(away > _CHANGE, 0.5 * faint).mean())),
        _worth(_ROUND, float(wall[tuple(outer.T)].mean())),
        _worth(_WALL, float(wall[mask].mean())),
        _worth(_SKIN, float(skin_coloured(lab)[mask].mean())),
        _PERSON if shows_person(lab, mask) else 1.0,
    )


def _beside(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N,2] and [N,2] positions (y, x) straight inside and outside of the outline, without the photo's border."""
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    depth = ndimage.gaussian_filter(np.asarray(inside) - np.asarray(outside), 1.0)
    slope = np.stack(np.gradient(depth), -1)
    rim = np.argwhere(mask & ndimage.binary_dilation(~mask))
    inward = slope[tuple(rim.T)]
    inward = inward / np.maximum(np.linalg.norm(inward, axis=-1, keepdims=True), 1e-6)
    limit = np.array(mask.shape) - 1
    first, second = (np.rint(rim + side * _REACH_PX * inward).astype(int) for side in (0.67, -1))
    seen = ((second >= 0) & (second <= limit)).all(-1)
    return np.clip(first[seen], 0, limit), second[seen]


def _like_border(mask: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """[H,W] bool where the colour is one of those along the photo's border, where the mask leaves any of it free."""
    height, width = mask.shape
    ring = np.ones(mask.shape, bool)
    ring[4 : height - 4, 4 : width - 4] = False
    free = ring & ~ndimage.binary_dilation(mask, iterations=2)
    if np.count_nonzero(free) < 0.05 * np.count_nonzero(ring):
        return np.zeros(mask.shape, bool)
    step = np.array([8, 5, 5])  # shadows and lamps change the lightness of a wall more than its hue
    cells = np.clip(np.floor(lab / step).astype(int) + np.array([0, 30, 30]), 0, 63)
    counts = np.zeros((64, 64, 64), np.int32)
    np.add.at(counts, tuple(cells[free].T), 1)
    common = counts > 0.002 * np.count_nonzero(free)
    return ndimage.binary_dilation(common, np.ones((3, 3, 3)))[tuple(np.moveaxis(cells, -1, 0))]


def _hull_area(mask: np.ndarray) -> float:
    from scipy.spatial import ConvexHull, QhullError

    rows, cols = np.nonzero(mask & ~ndimage.binary_erosion(mask))
    corners = np.concatenate([np.stack([rows + dy, cols + dx], -1) for dy in (0, 1) for dx in (0, 1)])
    try:
        return float(ConvexHull(corners).volume)
    except QhullError:  # pragma: no cover - corners of a pixel never lie on one line
        return 0.0


def _worth(curve: tuple[tuple[float, float], ...], value: float) -> float:
    at, worth = zip(*curve, strict=True)
    return float(np.interp(value, at, worth))


def _reduced(binary: np.ndarray, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mask and the photo's Lab colours [h,w,3] at the working size."""
    from skimage.color import rgb2lab

    scale = min(1.0, WORK_PX / max(binary.shape))
    wh = (max(1, round(binary.shape[1] * scale)), max(1, round(binary.shape[0] * scale)))
    small = Image.fromarray(binary.astype(np.uint8) * 255).resize(wh, Image.Resampling.BOX)
    colours = Image.fromarray(rgb).resize(wh, Image.Resampling.BOX)
    return np.asarray(small) >= 128, rgb2lab(np.asarray(colours)).astype(np.float32)
