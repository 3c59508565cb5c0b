"""The worst views made again with other noise: a diffusion model that drew a sleeve wrong often draws it right next.

Only the pictures that an assessment calls bad are painted anew, and a new one stays only where it is the better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..data import Views
from ..errors import ViewsError
from ..views.replaced import at_azimuths, replaced
from .findings import Quality, ViewFigures

Paint = Callable[[tuple[float, ...], int], Views]
"""Views at these azimuths from the noise of a seed; may raise to stop."""
Judge = Callable[[Views], Quality]

SEEDS = 2**64
"""Seeds are counted up from the one given and begin again at 0 here, where graph editors end."""
DRIFT_WEIGHT = 0.01
"""A colour one ΔE off weighs as much as this much of the silhouette's IoU: both are just seen."""


class Redone(NamedTuple):
    """An orbit after its worst views were painted again."""

    views: Views
    """With the better picture at each azimuth; `seeds` say what each was painted from."""
    quality: Quality
    """Of these views."""
    redone: tuple[float, ...]
    """Azimuths whose picture is another than before, in the orbit's order."""


def redo_worst(
    views: Views,
    quality: Quality,
    paint: Paint,
    judge: Judge,
    tries: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Redone:
    """The Redone orbit after up to `tries` rounds that paint what is still bad with a seed it never had before.

    Views that were not painted, as the photo's own, are left alone where others were. Stops when none is bad; then,
    without tries, the views come back as they are. Every round costs one `paint` of the worst and one `judge`.

    Args:
        paint: given the azimuths and a seed; its views may have no `seeds`.
        judge: assesses all views, in their order.
        seed: the first one to try.
        progress: told rounds done and `tries`; may raise to stop, as paint and judge may.
    """
    if len(quality.views) != len(views.images):
        raise ViewsError(
            f"The assessment is of {len(quality.views)} views but there are {len(views.images)}; assess these views."
        )
    best, figures, judged = views, quality.views, quality
    used = {azimuth: {own} for azimuth, own in zip(views.orbit.azimuths_deg, _seeds(views), strict=True)}
    for done in range(tries):
        worst = _worst(best, figures)
        if not worst:
            break
        chosen = _unused(seed, [used[azimuth] for azimuth in worst])
        for azimuth in worst:
            used[azimuth].add(chosen)
        painted = _seeded(paint(worst, chosen), chosen)
        tried = judge(replaced(best, painted))
        better = [_better(new, old) for old, new in zip(figures, tried.views, strict=True)]
        taken = tuple(a for a, yes in zip(best.orbit.azimuths_deg, better, strict=True) if yes and a in worst)
        if taken:
            best = replaced(best, at_azimuths(painted, taken))
            at = best.orbit.azimuths_deg
            figures = tuple(n if a in taken else o for a, o, n in zip(at, figures, tried.views, strict=True))
            judged = tried if set(taken) == set(worst) else None
        if progress is not None:
            progress(done + 1, tries)
    return Redone(best, judged or judge(best), _changed(views, best))


def _worst(views: Views, figures: Sequence[ViewFigures]) -> tuple[float, ...]:
    """Azimuths to paint again, the worst first."""
    painted = [own is not None or views.seeds is None for own in _seeds(views)]
    rows = zip(views.orbit.azimuths_deg, figures, painted, strict=True)
    bad = [(_loss(view), azimuth) for azimuth, view, own in rows if view.bad and own]
    return tuple(dict.fromkeys(azimuth for _, azimuth in sorted(bad, reverse=True)))


def _better(new: ViewFigures, old: ViewFigures) -> bool:
    """No longer bad, or of less loss; not the other way round."""
    return (new.bad, _loss(new)) < (old.bad, _loss(old))


def _loss(view: ViewFigures) -> float:
    """How wrong a view is, 0 for a perfect one; one that can't be measured is the worst."""
    loss = 1 - view.silhouette_iou + DRIFT_WEIGHT * view.colour_drift
    return loss if math.isfinite(loss) else math.inf


def _unused(seed: int, used: list[set[int | None]]) -> int:
    """The first seed from `seed` on that none of the azimuths was painted from."""
    gone = set().union(*used)
    return next(chosen for step in range(len(gone) + 1) if (chosen := (seed + step) % SEEDS) not in gone)


def _seeds(views: Views) -> tuple[int | None, ...]:
    return views.seeds or (None,) * len(views.images)


def _seeded(painted: Views, seed: int) -> Views:
    return painted if painted.seeds else replace(painted, seeds=(seed,) * len(painted.images))


def _changed(before: Views, after: Views) -> tuple[float, ...]:
    """Azimuths whose seed is another than before: every new picture has a seed that its azimuth never had."""
    pairs = zip(before.orbit.azimuths_deg, _seeds(before), _seeds(after), strict=True)
    return tuple(azimuth for azimuth, old, new in pairs if old != new)
