"""What each view is worth on each face: how well it lies on the photo, and whether it shows what cloth can't explain.

A view that the photo proves right goes before cloth wherever it sees; any other must contradict the cloth in the large.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .bake_base import FROM_BACK, FROM_PHOTO, Under
from .bake_cut import STEP_SCALE
from .bake_lens import Lens, Look, outline_astray_px, px_per_unit
from .bake_skin import CORNERS, Skin, spread_over_faces
from .sources import UNKNOWN_ERROR

PHOTO_ERROR, VIEW_ERROR, FILL_ERROR, BACK_ERROR = 2.0, 3.0, 5.0, 3.0
"""8-bit steps by which a source is surely wrong where it is seen straight on."""
MOST_ERROR = 80.0
LEAST_SPOTS = 400
"""Places that a view must share with the photo to be measured by it."""
NOISE = 3.0
"""8-bit steps from pixel to pixel that say nothing of place."""
SAMPLED_PX = 0.7
"""What reading one picture on the other's grid costs looks like cloth so far astray."""
WIDER = 3.0
"""Over so many times the length that a view lies astray it is compared with the cloth,"""
PATTERN = 0.04
"""and over at least this length: more than most patterns repeat in."""
FAR_ERROR = 1.5
"""8-bit steps of error per pixel astray: who draws the outline wrongly does so with the cloth."""
STRICT, STRICT_PX = 15.0, 5.0
"""8-bit steps of contradiction, and more of them per pixel astray, that a view that is not sure is not believed."""
MOST_DRIFT = 40.0
"""8-bit steps by which a view that is not sure may differ from the cloth everywhere: that is its tone."""
REACH = 0.025
"""Length over which errors are averaged."""
SURE_ERROR, SURE_PX, BLURRED = (6.0, 9.0), (0.6, 0.9), (0.12, 0.18)
"""A view that errs, lies astray or lacks a share of the photo's contrast by the first is sure, by the second not."""
ERROR_SHARE = 0.2
"""Of the photo's contrast, in which a view may err the more: no picture is read quite at its place."""
LEAST_DETAIL = 2.0
"""Contrast in 8-bit steps below which nothing can be said of sharpness."""
SURE_LEAD, INSIDE_LEAD = 60.0, 30.0
"""8-bit steps that cloth, and the cloth's inside as the photo shows it, count as wrong where such a view sees."""
LEAST_ISLAND, ISLAND_REACH, WHOLE = 0.01, 0.02, 0.7
"""Regions of views that are not sure must have such a share of the area, and somewhere fill such a share nearby."""


class Trial(NamedTuple):
    """How a view compares with the photo where both see the cloth."""

    far_px: float
    """How far its cloth lies from the mesh's, in its pixels."""
    sure: float
    """0 to 1: whether it shows the cloth as the photo does."""


class Seen(NamedTuple):
    """What one view shows of every face."""

    colors: np.ndarray
    """[F,3] mean where it is seen."""
    sight: np.ndarray
    """[F] 0 to 1, the least of the places looked at."""
    cos: np.ndarray
    """[F]."""
    evidence: np.ndarray
    """[F] squared 8-bit error of what lies under it, as far as this view can tell."""
    error: float
    """Squared 8-bit error that the view is expected to have."""
    astray: np.ndarray
    """[F] squared 8-bit error more because it does not lie exactly on the mesh."""
    sure: float
    tied: bool
    """Whether anything is known of its error."""


def trials_of(beneath: Under, lenses: Sequence[Lens], looks: Sequence[Look]) -> list[Trial]:
    """A Trial of each view against the photo in the layer under the views.

    A view that shares too little with the photo is taken for as far astray, and as little sure, as the others.
    """
    photo = (beneath.code == FROM_PHOTO) & ~beneath.inside
    rgb = beneath.colors.float()
    far, sharp, detail = [], [], []
    for lens, view in zip(lenses, looks, strict=True):
        both = photo & (view.sight.cpu() > 0.5)
        enough = int(both.sum()) >= LEAST_SPOTS
        apart = (view.colors.cpu()[both] - rgb[both]).square().mean(1).clamp(max=MOST_ERROR**2).sum()
        slope = view.astray.cpu()[both].sum() + NOISE**2 * both.sum()
        px = max(float(apart / slope.clamp(min=1e-6)) - SAMPLED_PX**2, 0.0) ** 0.5
        far.append(px / px_per_unit(lens.source.camera) if enough else np.nan)
        whole = both.reshape(-1, len(CORNERS)).all(1).numpy()
        own, given = (_detail(v.numpy().reshape(-1, len(CORNERS), 3)[whole]) for v in (view.colors.cpu(), rgb))
        sharp.append(own / given if enough and given > LEAST_DETAIL else np.nan)
        detail.append(given)
    far, sharp = _known(far), _known(sharp)
    return [_trial(*each) for each in zip(lenses, far, sharp, detail, strict=True)]


def _known(values: Sequence[float]) -> list[float]:
    """The values, their median for NaNs; 0 where nothing is known."""
    usual = 0.0 if np.isnan(values).all() else float(np.nanmedian(values))
    return [usual if np.isnan(one) else one for one in values]


def _detail(rgb: np.ndarray) -> float:
    """Contrast inside faces in 8-bit steps, of [F,4,3] colours."""
    return float(rgb.var(1).mean()) ** 0.5 if len(rgb) else 0.0


def _trial(lens: Lens, far: float, sharp: float, detail: float) -> Trial:
    px = max(outline_astray_px(lens.source), far * px_per_unit(lens.source.camera))
    parts = zip((lens.source.error - ERROR_SHARE * detail, px, 1 - sharp), (SURE_ERROR, SURE_PX, BLURRED), strict=True)
    sure = min(float(np.clip((most - one) / (most - least), 0, 1)) for one, (least, most) in parts)
    return Trial(px, sure)


def seen_of(skin: Skin, lens: Lens, view: Look, trial: Trial, under_rgb: np.ndarray) -> Seen:
    """What a view shows of the faces, against [F,4,3] colours of what lies under it."""
    count = len(CORNERS)
    rgb, sight = view.colors.cpu().numpy().reshape(-1, count, 3), view.sight.cpu().numpy().reshape(-1, count)
    weight = (sight / np.maximum(sight.sum(1, keepdims=True), 1e-9))[..., None]
    rest = rgb - (1 - trial.sure) * _drift(rgb, under_rgb, weight, sight.min(1) * skin.area)
    over = max(WIDER * trial.far_px / px_per_unit(lens.source.camera), (1 - trial.sure) * PATTERN)
    error = lens.source.error**2 + (FAR_ERROR * trial.far_px) ** 2
    doubted = (1 - trial.sure) * (STRICT + STRICT_PX * trial.far_px) ** 2
    return Seen(
        (rgb * weight).sum(1),
        sight.min(1),
        view.cos.cpu().numpy().reshape(-1, count).mean(1),
        _evidence(skin, rest, under_rgb, weight, sight.min(1), over) - error - doubted,
        error,
        (view.astray.cpu().numpy().reshape(-1, count, 1) * weight).sum((1, 2)),
        trial.sure,
        lens.source.error < UNKNOWN_ERROR,
    )


def _drift(rgb: np.ndarray, under_rgb: np.ndarray, weight: np.ndarray, area: np.ndarray) -> np.ndarray:
    """[3] how a view's colours differ from what lies under it on most of what it sees."""
    seen = area > 0
    if not seen.any():
        return np.zeros(3)
    apart, area = ((rgb - under_rgb) * weight).sum(1)[seen], area[seen]
    order = np.argsort(apart, 0)
    passed = np.cumsum(area[order], 0) >= 0.5 * area.sum()
    middle = order[passed.argmax(0), np.arange(3)]
    return apart[middle, np.arange(3)].clip(-MOST_DRIFT, MOST_DRIFT)


def _evidence(
    skin: Skin, rgb: np.ndarray, under_rgb: np.ndarray, weight: np.ndarray, sight: np.ndarray, over: float
) -> np.ndarray:
    """[F] squared 8-bit difference of a view's statistics, over a length, from those of what lies under it.

    Where patterns lie astray their mean over a wider piece still tells one cloth from another; less contrast than the
    cloth has is blur and tells nothing, more is something that the cloth lacks.
    """
    both = [((v * weight).sum(1), (np.square(v) * weight).sum(1)) for v in (rgb, under_rgb)]
    columns = spread_over_faces(skin, np.concatenate([c for pair in both for c in pair], 1), sight * skin.area, over)
    mean, square, under_mean, under_square = np.split(columns, 4, 1)
    contrast, own = (np.sqrt(np.maximum(s - m**2, 0).mean(1)) for s, m in ((square, mean), (under_square, under_mean)))
    return np.square(mean - under_mean).mean(1) + np.square(np.maximum(contrast - own, 0))


def costs(skin: Skin, code: np.ndarray, inside: np.ndarray, seen: Sequence[Seen], extra: np.ndarray) -> np.ndarray:
    """[1 + L,F] expected squared errors in units of STEP_SCALE squared; inf where a view sees nothing.

    Args:
        code: [F,4] codes of what lies under the views.
        inside: [F] share that the photo sees from the cloth's other side.
        extra: [L] 8-bit steps that a view counts as worse.
    """
    photo, back = (code == FROM_PHOTO).mean(1) - inside, (code == FROM_BACK).mean(1)
    steep = np.maximum(np.abs(skin.normals[skin.faces].mean(1)[:, 2]), 0.05)
    fill = _fill_error(skin, seen)
    wrong = fill + np.max([(one.tied & (one.sight > 0)) * INSIDE_LEAD**2 for one in seen], 0)
    rows = [photo * (PHOTO_ERROR / steep) ** 2 + back * (BACK_ERROR / steep) ** 2]
    rows[0] += (1 - photo - back - inside) * fill + inside * wrong
    for one, more in zip(seen, extra, strict=True):
        cost = one.error + (VIEW_ERROR / np.maximum(one.cos, 0.05)) ** 2 + more**2 + one.astray
        rows.append(np.where(one.sight > 0, cost, np.inf))
    return np.where(np.isinf(rows), np.inf, np.clip(rows, -(MOST_ERROR**2), MOST_ERROR**2) / STEP_SCALE**2)


def _fill_error(skin: Skin, seen: Sequence[Seen]) -> np.ndarray:
    """[F] squared error of the cloth without views: what it differs from them by more than they themselves are wrong.

    Both are the truth plus an error of their own, so the squares of the errors add up to that of the difference.
    """
    total, weight = np.zeros(len(skin.faces)), np.zeros(len(skin.faces))
    lead = np.zeros(len(skin.faces))
    for one in seen:
        trust = one.sight * skin.area / (one.error + one.astray + 9.0)
        total += trust * one.evidence
        weight += trust
        lead = np.maximum(lead, one.sure * (one.sight > 0) * SURE_LEAD**2)
    mean = spread_over_faces(skin, total / np.maximum(weight, 1e-12), weight / max(float(weight.max()), 1e-12), REACH)
    return FILL_ERROR**2 + np.maximum(mean, 0) + lead


def without_islands(skin: Skin, labels: np.ndarray, seen: Sequence[Seen]) -> np.ndarray:
    """[F] labels, 0 in small or narrow regions of views that are not sure: such patches look worse than cloth."""
    sure = np.array([1.0, *(one.sure for one in seen)])[labels] > 0.5
    shown = labels > 0
    joined = skin.pairs[shown[skin.pairs].all(1)]
    size = len(labels)
    graph = sparse.coo_matrix((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(size, size))
    region = connected_components(graph, directed=False)[1]
    filled = spread_over_faces(skin, shown.astype(float), skin.area, ISLAND_REACH)
    area = np.bincount(region, skin.area * shown)
    deep = np.zeros(len(area))
    np.maximum.at(deep, region, filled * shown)
    proved = np.bincount(region, skin.area * (shown & sure)) > 0
    kept = proved | ((area >= LEAST_ISLAND * skin.area.sum()) & (deep >= WHOLE))
    return np.where(kept[region], labels, 0)
