"""Which views don't belong to the garment, from their figures and the limits: these are worth making again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from . import limits
from .findings import Finding, ViewFigures
from .views import View


class Pair(NamedTuple):
    """Front and back of the views, and of the garment drawn from their cameras."""

    iou: float
    drawn_iou: float


def view_findings(views: Sequence[View], pair: Pair) -> Iterator[Finding]:
    """The Findings on views, in the order of FAULTS; all of them are warnings, as the garment may be sound."""
    cast = cast_of(views)
    named = math.hypot(*cast) > limits.VIEWS_CAST
    for view in views:
        yield from _one(view, cast if named else (0.0, 0.0))
    if pair.drawn_iou - pair.iou > limits.FRONT_BACK:
        told = f"The views of front and back agree to {pair.iou:.1%} once mirrored, the garment itself to "
        told += f"{pair.drawn_iou:.1%}: make the view from 180° again."
        yield Finding("front_back", "warn", "views", pair.iou, pair.drawn_iou - limits.FRONT_BACK, told)
    if named:
        told = f"All views together are off the photo's colour by ΔE {math.hypot(*cast):.1f}: level their colours."
        yield Finding("colour_cast", "warn", "views", math.hypot(*cast), limits.VIEWS_CAST, told)


def view_figures(view: View, bad: bool) -> ViewFigures:
    """The figures of a view for the report."""
    lies = view.placed
    return ViewFigures(view.azimuth_deg, lies.iou, lies.shift_px, lies.scale, view.drift.delta_e, view.seed, bad)


def cast_of(views: Sequence[View]) -> tuple[float, float]:
    """Mean a* and b* by which all views are off; 0 with fewer than three to judge by."""
    known = [view.drift.lab[1:] for view in views if not math.isnan(view.drift.delta_e)]
    if len(known) < 3:
        return (0.0, 0.0)
    a, b = np.median(known, axis=0).tolist()
    return (a, b)


def where(view: View) -> str:
    """Such as "view 140°"."""
    return f"view {view.azimuth_deg:g}°"


def _one(view: View, cast: tuple[float, float]) -> Iterator[Finding]:
    lies, size = view.placed, max(view.size_px, 1.0)
    here, named, again = where(view), f"The view from {view.azimuth_deg:g}°", "make it again"
    if not lies.iou_together:
        yield Finding("empty_view", "warn", here, 0.0, 1.0, f"{named} shows no garment: {again}.")
        return
    far = math.hypot(*lies.shift_px) / size
    if far > limits.VIEW_SHIFT:
        told = f"{named} shows the garment {far:.1%} of its size beside its place: {again}."
        yield Finding("shifted_view", "warn", here, far, limits.VIEW_SHIFT, told)
    if abs(lies.scale - 1) > limits.VIEW_SCALE:
        told = f"{named} shows the garment {lies.scale:.3f} times as large as it is: {again}."
        yield Finding("scaled_view", "warn", here, lies.scale - 1, limits.VIEW_SCALE, told)
    if lies.iou_together < limits.VIEW_IOU:
        told = f"{named} shows another shape (outline {lies.iou_together:.1%} alike): {again}."
        yield Finding("wrong_view", "warn", here, lies.iou_together, limits.VIEW_IOU, told)
    elif abs(lies.stretch - 1) > limits.VIEW_STRETCH + limits.VIEW_DEPTH * abs(
        math.sin(math.radians(view.azimuth_deg))
    ):
        told = f"{named} shows the garment {lies.stretch:.3f} times as wide as it is for its height: {again}."
        yield Finding("wrong_view", "warn", here, lies.stretch - 1, limits.VIEW_STRETCH, told)
    elif view.like_iou - view.own_iou > limits.VIEW_LIKE:
        told = f"{named} looks as if it were from {view.like_deg:g}°: {again}."
        yield Finding("wrong_view", "warn", here, view.like_iou - view.own_iou, limits.VIEW_LIKE, told)
    if view.halo > limits.VIEW_HALO:
        told = f"{named} has a rim that takes {view.halo:.0%} of the background's colour: {again}."
        yield Finding("white_halo", "warn", here, view.halo, limits.VIEW_HALO, told)
    yield from _colour(view, cast)


def _colour(view: View, cast: tuple[float, float]) -> Iterator[Finding]:
    lightness, a, b = view.drift.lab
    off = math.hypot(lightness, a - cast[0], b - cast[1])
    if not math.isnan(view.drift.delta_e) and off > limits.VIEW_DRIFT:
        told = f"The view from {view.azimuth_deg:g}° shows the cloth in another colour (ΔE {off:.1f}): make it again."
        yield Finding("colour_drift", "warn", where(view), off, limits.VIEW_DRIFT, told)
