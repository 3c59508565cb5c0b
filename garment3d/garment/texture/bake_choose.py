"""Which source each face shows: few views, each measured against what lies under it, in regions that stay whole.

A view must earn its place: where it differs from plain cloth by no more than its own error, the cloth stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .bake_base import FROM_BACK, FROM_FILL, FROM_PHOTO, Under
from .bake_cut import STEP_SCALE, Choice, chosen
from .bake_lens import Lens, Look, astray_by, facing, look, outline_astray_px, px_per_unit, sight_at
from .bake_skin import CORNERS, Skin, spread_over_faces
from .sources import Source

PREFERRED_DEG = (90.0, 180.0, 270.0)
NEAR_DEG = 45.0
"""A view further than this from a wanted azimuth does not stand for it."""
MOST_EXTRA, LEAST_GAIN = 4, 0.004
"""Further views are taken while each adds at least such a share of the area."""
EXTRA_ERROR = 6.0
"""8-bit steps that a view counts as worse when it is not one of the preferred ones."""
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
"""Over so many times the length that a view lies astray it is compared with the cloth."""
FAR_ERROR = 1.5
"""8-bit steps of error per pixel astray: who draws the outline wrongly does so with the cloth."""
REACH = 0.025
"""Length over which errors are averaged."""


class Seen(NamedTuple):
    """What one view shows of every face."""

    colors: np.ndarray
    """[F,3] mean where it is seen."""
    sight: np.ndarray
    """[F] 0 to 1, the least of the places looked at."""
    cos: np.ndarray
    """[F]."""
    difference: np.ndarray
    """[F] squared 8-bit difference per channel from what lies under it, as far as it can be told."""
    error: float
    """Squared 8-bit error that the view is expected to have."""
    astray: np.ndarray
    """[F] squared 8-bit error more because it does not lie exactly on the mesh."""


class Chosen(NamedTuple):
    """The sources of the faces: label 0 is what lies under the views, label 1 + i is `lenses[i]`."""

    lenses: tuple[Lens, ...]
    labels: np.ndarray
    """[F]."""
    colors: np.ndarray
    """[1 + L,F,3] each face's mean colour by each label, NaN where it has none."""
    anchored: np.ndarray
    """[F] share of the face that shows a photo."""


def choose(
    skin: Skin,
    beneath: Under,
    sources: Sequence[Source],
    lens: Callable[[int], Lens],
    azimuths_deg: tuple[float, ...] | None,
) -> Chosen:
    """The Chosen sources of all faces.

    Args:
        skin: The mesh.
        beneath: The layer under the views at the skin's `spots`.
        sources: The views.
        lens: Makes the Lens of one of them; called for those only that may be used.
        azimuths_deg: Which come first; None is PREFERRED_DEG.
    """
    points, normals = at_spots(skin)
    under_rgb = beneath.colors.float().numpy().reshape(-1, len(CORNERS), 3)
    preferred = _preferred(sources, azimuths_deg)
    picked = _picked(skin, sources, lens, preferred)
    lenses, looks = [one for _, one, _ in picked], [view for _, _, view in picked]
    astray = _astray(beneath, lenses, looks)
    kept = tuple(astray_by(one, far) for one, far in zip(lenses, astray, strict=True))
    seen = [_seen(skin, one, look(one, points, normals), under_rgb, far) for one, far in zip(kept, astray, strict=True)]
    extra = np.array([0.0 if i in preferred else EXTRA_ERROR for i, _, _ in picked])
    # What the photo sees through the neck is the cloth's other side: a view of this side may know better.
    code = torch.where(beneath.inside, FROM_FILL, beneath.code).numpy().reshape(-1, len(CORNERS))
    cost = _costs(skin, code, seen, extra)
    colors = np.stack([under_rgb.mean(1), *(np.where(s.sight[:, None] > 0, s.colors, np.nan) for s in seen)])
    labels = chosen(Choice(cost, colors, skin.area, skin.pairs, skin.lengths))
    return Chosen(kept, labels, colors, ((code == FROM_PHOTO) | (code == FROM_BACK)).mean(1))


def at_spots(skin: Skin) -> tuple[torch.Tensor, torch.Tensor]:
    """[4F,3] canonical points and outward normals of the places at which every face is looked at."""
    weights = CORNERS[None]
    points = (weights @ skin.points[skin.faces]).reshape(-1, 3)
    normals = (weights @ skin.normals[skin.faces]).reshape(-1, 3)
    return torch.as_tensor(points), torch.as_tensor(normals, dtype=torch.float32)


def _preferred(sources: Sequence[Source], azimuths_deg: tuple[float, ...] | None) -> list[int]:
    """The views nearest to the wanted azimuths."""
    wanted = PREFERRED_DEG if azimuths_deg is None else azimuths_deg
    found: list[int] = []
    for azimuth in wanted:
        away = [abs((one.azimuth_deg - azimuth + 180) % 360 - 180) + min(one.error, 99.0) / 10 for one in sources]
        best = int(np.argmin(away))
        if away[best] <= NEAR_DEG and best not in found:
            found.append(best)
    return found


def _picked(
    skin: Skin, sources: Sequence[Source], lens: Callable[[int], Lens], preferred: list[int]
) -> list[tuple[int, Lens, Look]]:
    """The preferred views and those that see most of what these miss.

    What faces a view bounds what it sees; only where that promises enough is it looked at (lazy greedy cover).
    """
    points, normals = at_spots(skin)
    middle = torch.arange(0, len(points), len(CORNERS))
    ramps = [sight_at(facing(one.camera, points[middle], normals[middle])).numpy() for one in sources]
    views = {i: lens(i) for i in preferred}
    looks = {i: look(one, points, normals) for i, one in views.items()}
    known = {i: _least_sight(view) for i, view in looks.items()}
    picked, covered = list(preferred), np.zeros(len(skin.faces))
    for i in preferred:
        covered = np.maximum(covered, known[i])
    while len(picked) < len(preferred) + MOST_EXTRA:
        gain = [float((np.maximum(known.get(i, r) - covered, 0) * skin.area).mean()) for i, r in enumerate(ramps)]
        best = int(np.argmax(gain))
        if gain[best] < LEAST_GAIN:
            break
        if best not in known:
            views[best] = lens(best)
            looks[best] = look(views[best], points, normals)
            known[best] = _least_sight(looks[best])
            continue
        picked.append(best)
        covered = np.maximum(covered, known[best])
    return [(i, views[i], looks[i]) for i in picked]


def _least_sight(view: Look) -> np.ndarray:
    """[F] the least at the places looked at."""
    return view.sight.cpu().numpy().reshape(-1, len(CORNERS)).min(1)


def _astray(beneath: Under, lenses: Sequence[Lens], looks: Sequence[Look]) -> list[float]:
    """How far each picture's cloth lies from the mesh's in its pixels: what explains its differences from the photo.

    A view that shares too little with the photo is taken for as bad as the others; outlines apart make it worse.
    """
    photo = (beneath.code == FROM_PHOTO) & ~beneath.inside
    rgb = beneath.colors.float()
    measured = []
    for lens, view in zip(lenses, looks, strict=True):
        both = photo & (view.sight.cpu() > 0.5)
        apart = (view.colors.cpu()[both] - rgb[both]).square().mean(1).clamp(max=MOST_ERROR**2).sum()
        slope = view.astray.cpu()[both].sum() + NOISE**2 * both.sum()
        far = max(float(apart / slope.clamp(min=1e-6)) - SAMPLED_PX**2, 0.0) ** 0.5
        measured.append(far / px_per_unit(lens.source.camera) if int(both.sum()) >= LEAST_SPOTS else np.nan)
    known = [far for far in measured if not np.isnan(far)]
    usual = float(np.median(known)) if known else 0.0
    return [
        max(outline_astray_px(lens.source), (usual if np.isnan(far) else far) * px_per_unit(lens.source.camera))
        for lens, far in zip(lenses, measured, strict=True)
    ]


def _seen(skin: Skin, lens: Lens, view: Look, under_rgb: np.ndarray, far_px: float) -> Seen:
    count = len(CORNERS)
    rgb, sight = view.colors.cpu().numpy().reshape(-1, count, 3), view.sight.cpu().numpy().reshape(-1, count)
    weight = (sight / np.maximum(sight.sum(1, keepdims=True), 1e-9))[..., None]
    # Where patterns lie astray, their means over a wider piece still tell one cloth from another.
    over = WIDER * far_px / px_per_unit(lens.source.camera)
    apart = spread_over_faces(skin, ((rgb - under_rgb) * weight).sum(1), sight.min(1) * skin.area, over)
    return Seen(
        (rgb * weight).sum(1),
        sight.min(1),
        view.cos.cpu().numpy().reshape(-1, count).mean(1),
        np.square(apart).mean(1),
        lens.source.error**2 + (FAR_ERROR * far_px) ** 2,
        (view.astray.cpu().numpy().reshape(-1, count, 1) * weight).sum((1, 2)),
    )


def _costs(skin: Skin, code: np.ndarray, seen: Sequence[Seen], extra: np.ndarray) -> np.ndarray:
    """[1 + L,F] expected squared errors in units of STEP_SCALE squared; inf where a view sees nothing."""
    photo, back = (code == FROM_PHOTO).mean(1), (code == FROM_BACK).mean(1)
    steep = np.maximum(np.abs(skin.normals[skin.faces].mean(1)[:, 2]), 0.05)
    astray = np.stack([np.where(one.sight > 0, one.astray, np.inf) for one in seen])
    least = np.where(np.isinf(astray.min(0)), 0, astray.min(0))
    # A pattern astray costs cloth as much as the best view, the photo nothing: the least of it is taken off all.
    photographed = photo * (PHOTO_ERROR / steep) ** 2 + back * (BACK_ERROR / steep) ** 2 - (photo + back) * least
    rows = [photographed + (1 - photo - back) * _fill_error(skin, seen)]
    for one, more, far in zip(seen, extra, astray, strict=True):
        cost = one.error + (VIEW_ERROR / np.maximum(one.cos, 0.05)) ** 2 + more**2 + far - least
        rows.append(np.where(one.sight > 0, cost, np.inf))
    return np.where(np.isinf(rows), np.inf, np.clip(rows, -(MOST_ERROR**2), MOST_ERROR**2) / STEP_SCALE**2)


def _fill_error(skin: Skin, seen: Sequence[Seen]) -> np.ndarray:
    """[F] squared error of the cloth without views: what it differs from them by more than they themselves are wrong.

    Both are the truth plus an error of their own, so the squares of the errors add up to that of the difference.
    """
    total, weight = np.zeros(len(skin.faces)), np.zeros(len(skin.faces))
    for one in seen:
        trust = one.sight * skin.area / (one.error + one.astray + 9.0)
        total += trust * (one.difference - one.error)
        weight += trust
    mean = spread_over_faces(skin, total / np.maximum(weight, 1e-12), weight / max(float(weight.max()), 1e-12), REACH)
    return FILL_ERROR**2 + np.maximum(mean, 0)
