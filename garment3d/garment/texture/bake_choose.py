"""Which source each face shows: few views, each measured against what lies under it, in regions that stay whole.

A view must earn its place: where it differs from plain cloth by no more than its own error, the cloth stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .bake_base import FROM_BACK, FROM_PHOTO, Under
from .bake_cut import Choice, chosen
from .bake_judge import costs, seen_of, trials_of, without_islands
from .bake_lens import Lens, Look, astray_by, facing, look, sight_at
from .bake_skin import CORNERS, Skin
from .sources import Source

PREFERRED_DEG = (90.0, 180.0, 270.0)
NEAR_DEG = 45.0
"""A view further than this from a wanted azimuth does not stand for it."""
MOST_EXTRA, LEAST_GAIN = 4, 0.004
"""Further views are taken while each adds at least such a share of the area."""
EXTRA_ERROR = 6.0
"""8-bit steps that a view counts as worse when it is not one of the preferred ones."""


class Chosen(NamedTuple):
    """The sources of the faces: label 0 is what lies under the views, label 1 + i is `lenses[i]`."""

    lenses: tuple[Lens, ...]
    labels: np.ndarray
    """[F]."""
    colors: np.ndarray
    """[1 + L,F,3] each face's mean colour by each label, NaN where it has none."""
    anchored: np.ndarray
    """[F] share of the face that shows a photo."""
    sure: np.ndarray
    """[L] 0 to 1: views whose tone is the photo's."""


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
    trials = trials_of(beneath, lenses, looks)
    kept = tuple(astray_by(one, trial.far_px) for one, trial in zip(lenses, trials, strict=True))
    looks = [look(one, points, normals) for one in kept]
    seen = [seen_of(skin, *each, under_rgb) for each in zip(kept, looks, trials, strict=True)]
    extra = np.array([0.0 if i in preferred else EXTRA_ERROR for i, _, _ in picked])
    code = beneath.code.numpy().reshape(-1, len(CORNERS))
    inside = beneath.inside.numpy().reshape(-1, len(CORNERS)).mean(1)
    cost = costs(skin, code, inside, seen, extra)
    colors = np.stack([under_rgb.mean(1), *(np.where(s.sight[:, None] > 0, s.colors, np.nan) for s in seen)])
    labels = chosen(Choice(cost, colors, skin.area, skin.pairs, skin.lengths))
    labels = without_islands(skin, labels, seen)
    photo = ((code == FROM_PHOTO) | (code == FROM_BACK)).mean(1) - inside
    return Chosen(kept, labels, colors, photo, np.array([trial.sure for trial in trials]))


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
