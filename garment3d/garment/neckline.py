"""The front edge of a neck or waist: below it lies the front, above it the inside of the back shows in the photo.

A family of curves between the opening's ends is scored by the colour step across it; the best one is then refined.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from ..images import reduced
from .openings import Span
from .outline import loop_of

STEPS = 72
"""Points along a curve."""
SHAPES = (1.0, 1.5, 2.0, 3.0, 4.5)
"""From a V to a U: the curve drops by 1 − |2t − 1|^shape."""
WIDEST_PX = 400
"""Wider openings are searched at a whole fraction of their size."""
FAINT = 2.4
"""Colour steps below this (CIE Lab units) are no edge."""
CLEAR = 1.9
"""How much stronger than the median curve an edge must be: a pattern has edges everywhere."""
NEARLY = 0.8
"""Edges with this share of the best score are as likely as it."""
RIB = (0.03, 0.15)
"""Narrowest and widest rib along a neck, in widths of the opening."""
PATTERNED = 5.0
"""Cloth whose median curve steps this much is patterned; its edge must also be darker, or lighter, all along."""
ALONE = 5.0
"""What it must be where most curves miss the garment, as between straps, and the median says nothing."""


def front_neckline(rgb: np.ndarray, soft: np.ndarray, span: Span) -> np.ndarray | None:
    """[K,2] pixels from the image's left to its right, or None where the back is hidden or no edge is seen.

    Args:
        rgb: [H,W,3] uint8.
        soft: [H,W] mask in 0..1.
        span: the neck or waist on the outline.
    """
    lip = _lip(soft, span)
    reach = float(np.ptp(lip[:, 0]))
    factor = max(1, round(reach / WIDEST_PX))
    low = np.maximum(lip.min(0) - 0.2 * reach, 0).astype(int)
    high = (lip.max(0) + reach * np.array([0.2, 1.5])).astype(int) + 1
    part = np.s_[low[1] : high[1], low[0] : high[0]]
    if reach < 12:
        return None
    small = reduced(rgb[part], factor), reduced(soft[part], factor)
    found = _search(*small, (lip - low) / factor, span.name)
    return None if found is None else found * factor + low


def _search(rgb: np.ndarray, soft: np.ndarray, lip: np.ndarray, name: str) -> np.ndarray | None:
    """[K,2] the front edge in a cut-out of the photo around the lip [K,2], or None."""
    left, right = _shallow(lip)
    ends = lip[[left, right]]
    width = float(np.linalg.norm(ends[1] - ends[0]))
    if width < 12:
        return None
    lab = _lab(rgb, soft, width)
    curves, drops = _family(ends, width, name)
    steps = _scores(lab, soft, curves, width)
    scores = steps * _likely(drops / width, name)
    best, usual = _edge(scores, drops, width), float(np.median(steps))
    if scores.max() < (max(FAINT, CLEAR * usual) if usual > 0.3 else ALONE):
        return None
    if usual > PATTERNED and not _one_sided(lab, soft, curves[best], width):
        return None
    found = _refined(lab, soft, curves[best], width)
    return np.concatenate([lip[:left], found, lip[right + 1 :]])


def _lip(soft: np.ndarray, span: Span) -> np.ndarray:
    """[K,2] the outline between the opening's ends, from the image's left to its right."""
    loop = loop_of(soft)
    a, b = (int(np.linalg.norm(loop.points - np.array(p), axis=1).argmin()) for p in (span.a_px, span.b_px))
    a, b = (a, b) if (b - a) % len(loop.points) <= len(loop.points) / 2 else (b, a)
    return loop.points[loop.arc(a, b)][::-1]


def _shallow(lip: np.ndarray) -> tuple[int, int]:
    """The part of the lip between straps: indices of the first and last point that is not on a steep end."""
    step = 4
    slope = np.abs(lip[step:, 1] - lip[:-step, 1]) / np.maximum(np.abs(lip[step:, 0] - lip[:-step, 0]), 1e-6)
    flat = np.flatnonzero(slope < 1.4)
    if len(flat) < 8:
        return 0, len(lip) - 1
    left, right = int(flat[0]), int(flat[-1]) + step
    steep = max(lip[left, 1] - lip[0, 1], lip[right, 1] - lip[-1, 1]) > 0.3 * np.ptp(lip[:, 0])
    return (left, right) if steep else (0, len(lip) - 1)


def _lab(rgb: np.ndarray, soft: np.ndarray, width: float) -> np.ndarray:
    """[H,W,3] Lab colours blurred inside the mask only, so that the background leaves no edge."""
    from skimage.color import rgb2lab

    lab = np.asarray(rgb2lab(rgb / np.float32(255)), np.float32)
    weight = (soft >= 0.9).astype(np.float32)
    sigma = max(0.8, width / 150)
    total = np.maximum(gaussian_filter(weight, sigma), 1e-3)
    return np.stack([gaussian_filter(lab[..., k] * weight, sigma) / total for k in range(3)], -1)


def _family(ends: np.ndarray, width: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    """[C,STEPS,2] curves from the left end to the right one and their [C] drops in pixels."""
    t = np.linspace(0, 1, STEPS)
    chord = ends[0] + t[:, None] * (ends[1] - ends[0])
    drops = np.linspace(*((0.08, 1.1) if name == "neck" else (0.015, 0.22)), 44) * width
    shapes = [1 - np.abs(2 * t - 1) ** power for power in SHAPES]
    curves = [chord + np.array([0, drop]) * shape[:, None] for shape in shapes for drop in drops]
    return np.array(curves), np.tile(drops, len(SHAPES))


def _likely(drop: np.ndarray, name: str) -> np.ndarray:
    """[C] in 0..1: how usual a drop of so many widths is; crew and V necks fall by 0.2 to 0.6, waists by 0.05."""
    usual, spread = (0.42, 0.6) if name == "neck" else (0.05, 0.8)
    return np.exp(-0.5 * (np.log(drop / usual) / spread) ** 2)


def _steps(lab: np.ndarray, soft: np.ndarray, points: np.ndarray, normals: np.ndarray, reach: float) -> np.ndarray:
    """[...] colour difference between both sides of each point, 0 where a side lies outside the mask."""
    sides, inside = [], []
    for sign in (-1, 1):
        at = [points + sign * d * reach * normals for d in (0.6, 1.2)]
        sides.append(np.mean([_sample(lab, p) for p in at], 0))
        inside.append(np.min([_sample(soft[..., None], p)[..., 0] for p in at], 0))
    difference = sides[1] - sides[0]
    step = np.linalg.norm(difference, axis=-1) + 0.35 * np.clip(difference[..., 0], -20, 20)
    return np.where(np.minimum(*inside) > 0.9, np.maximum(step, 0), 0)


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[...,C] bilinear samples of [H,W,C] at [...,2] pixel positions."""
    at = [points[..., 1] - 0.5, points[..., 0] - 0.5]
    return np.stack([map_coordinates(image[..., k], at, order=1, mode="nearest") for k in range(image.shape[2])], -1)


def _normals(curves: np.ndarray) -> np.ndarray:
    """[...,STEPS,2] unit normals, pointing down on a curve that runs to the right."""
    d = np.gradient(curves, axis=-2)
    n = np.stack([-d[..., 1], d[..., 0]], -1)
    return n / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9)


def _scores(lab: np.ndarray, soft: np.ndarray, curves: np.ndarray, width: float) -> np.ndarray:
    """[C] how strong and how unbroken the colour step along each curve is."""
    normals = _normals(curves)
    edge = np.sqrt(np.minimum(_steps(lab, soft, curves, normals, _reach(width)), 30))
    edge = np.median(_parts(edge), axis=2)
    cloth = np.sqrt(np.minimum(_contrast(lab, soft, curves, normals, width), 30))
    score = 0.5 * _steady(edge) + 0.5 * _steady(cloth)
    return score**2


def _parts(values: np.ndarray) -> np.ndarray:
    """[C,8,...] values along the curves in eighths, the ends left out: labels and buttons fill one eighth, not all."""
    middle = values[:, STEPS // 9 : -STEPS // 9]
    return middle.reshape(len(values), 8, -1, *values.shape[2:])


def _steady(parts: np.ndarray) -> np.ndarray:
    """[C] mean over the eighths, held down by the weakest of them."""
    mean, weak = parts.mean(1), np.sort(parts, 1)[:, 1:3].mean(1)
    return (0.6 * mean + 0.4 * weak) * np.clip(weak / np.maximum(0.4 * mean, 1e-9), 0, 1)


def _edge(scores: np.ndarray, drops: np.ndarray, width: float) -> int:
    """The curve to take among those that score nearly best: the deepest, for the collar of the back has edges too.

    Where a rib runs along the neck its lower edge is deepest, so an edge a rib's width above that is preferred.
    """
    depths = np.unique(drops)
    at_depth = np.array([scores[drops == d].max() for d in depths])
    peaks = [
        i for i, s in enumerate(at_depth) if s >= max(NEARLY * at_depth.max(), at_depth[max(i - 2, 0) : i + 3].max())
    ]
    chosen = peaks[-1]
    above = [i for i in peaks if RIB[0] * width < depths[chosen] - depths[i] < RIB[1] * width]
    depth = depths[above[-1] if above else chosen]
    return int(np.argmax(np.where(drops == depth, scores, -np.inf)))


def _contrast(lab: np.ndarray, soft: np.ndarray, curves: np.ndarray, normals: np.ndarray, width: float) -> np.ndarray:
    """[C,8] colour difference between the bands above and below each eighth: stripes and checks average out."""
    difference, inside = _bands(lab, soft, curves, normals, width)
    step = np.linalg.norm(difference, axis=-1) + 0.35 * np.clip(difference[..., 0], -20, 20)
    return np.where(inside, np.maximum(step, 0), 0)


def _one_sided(lab: np.ndarray, soft: np.ndarray, curve: np.ndarray, width: float) -> bool:
    """True where the same side of the curve is the darker one in all eighths."""
    lightness = _bands(lab, soft, curve[None], _normals(curve[None]), width)[0][0, :, 0]
    return bool((lightness > 0).all() or (lightness < 0).all())


def _bands(
    lab: np.ndarray, soft: np.ndarray, curves: np.ndarray, normals: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """[C,8,3] mean colour below minus above each eighth, and [C,8] whether both bands lie on the garment."""
    means, inside = [], []
    for sign in (-1, 1):
        points = [curves + sign * d * width * normals for d in (0.03, 0.06, 0.09, 0.12)]
        weights = np.stack([_sample(soft[..., None], p)[..., 0] > 0.9 for p in points], -1).astype(float)
        colours = np.stack([_sample(lab, p) for p in points], -2)
        total = _parts(weights).sum((2, 3))
        means.append(_parts(weights[..., None] * colours).sum((2, 3)) / np.maximum(total, 1e-9)[..., None])
        inside.append(total > 0.3 * 4 * (STEPS - 2 * (STEPS // 9)) / 8)
    return means[1] - means[0], inside[0] & inside[1]


def _reach(width: float) -> float:
    return max(2.0, 0.02 * width)


def _refined(lab: np.ndarray, soft: np.ndarray, curve: np.ndarray, width: float) -> np.ndarray:
    """The curve moved along its normals to the strongest step, smoothly: dynamic programming over offsets."""
    normals, reach = _normals(curve), _reach(width)
    offsets = np.linspace(-0.07, 0.07, 29) * width
    fade = np.sin(np.linspace(0, np.pi, STEPS)) ** 0.5  # the ends stay where the opening ends
    points = curve[:, None] + (fade[:, None] * offsets)[..., None] * normals[:, None]
    steps = np.minimum(_steps(lab, soft, points, np.broadcast_to(normals[:, None], points.shape), reach), 40)
    jumps = np.abs(np.arange(29)[:, None] - np.arange(29)[None]) ** 2 * 1.5
    total, back = steps[0] - 0.02 * np.abs(offsets), []
    for row in steps[1:]:
        choice = total[None] - jumps
        back.append(choice.argmax(1))
        total = row + choice.max(1)
    path = [int(total.argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    moved = points[np.arange(STEPS), path[::-1]]
    smooth = moved.copy()
    for _ in range(3):
        smooth[1:-1] = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
    return smooth
