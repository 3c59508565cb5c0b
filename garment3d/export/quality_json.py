"""An assessment as JSON that a script can read: alone for who has no more, and as two keys of report.json.

Keys; every key is always there. A number that could not be measured, or is infinite, is null, as JSON has neither:

    quality           null where nothing was assessed
        verdict           good, check (a person should look) or reject
        sentence          the verdict in words
        findings          a list of {fault, severity, where, value, limit, sentence}, the worst first; severity is fail
                          or warn, where such as "front", "view 140°", "atlas", "mesh"
        notes             sentences on what could not be told
        silhouette_iou    0..1, of the garment drawn from the photo's camera and the photo's mask
        shape             crossing_faces, folded_faces, unexpected_loops (holes), missing_openings (a list of names),
                          mirrored_iou (0..1, outline in front against the mirrored one behind), size_error
        texture           uv_overlap, uv_outside, atlas_use, halo (0..1), density_ratio, front_psnr_db,
                          mirrored_psnr_db
        views             a list of {azimuth_deg, silhouette_iou, shift_px, scale, colour_drift, seed, bad}; shift_px is
                          [right, down]; the same seed and azimuth give the same view again, null if it was not painted
        worst             azimuths in degrees of the views worth making again, the worst first
    budgets           a list of {platform, met, triangles, texture_mb, materials, budget, told}, one per platform;
                      budget is {triangles, texture_mb, materials}, null where there is no bound; told is a sentence
    repeat            what repeats the views and is not in them, such as model, steps and guidance; of the block alone
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..quality.findings import Quality

if TYPE_CHECKING:
    from ..garment.platforms import BudgetCheck

DIGITS = 6
"""Significant ones of a measured number."""


def quality_json(
    quality: Quality | None, budgets: Sequence[BudgetCheck] = (), repeat: Mapping[str, float | str] | None = None
) -> str:
    """The text of an assessment alone, with the keys listed above."""
    whole = {
        **quality_keys(quality, budgets),
        "repeat": {name: _plain(value) for name, value in (repeat or {}).items()},
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def quality_keys(quality: Quality | None, budgets: Sequence[BudgetCheck]) -> dict[str, Any]:
    """The keys `quality` and `budgets`, of plain values only."""
    return {"quality": None if quality is None else _quality(quality), "budgets": [_budget(check) for check in budgets]}


def _quality(quality: Quality) -> dict[str, Any]:
    return {
        "verdict": quality.verdict,
        "sentence": quality.sentence,
        "findings": [_plain(finding) for finding in quality.findings],
        "notes": list(quality.notes),
        "silhouette_iou": _plain(quality.silhouette_iou),
        "shape": _plain(quality.shape),
        "texture": _plain(quality.texture),
        "views": [_plain(view) for view in quality.views],
        "worst": _plain(quality.worst),
    }


def _budget(check: BudgetCheck) -> dict[str, Any]:
    load, budget = check.load, check.budget
    return {
        "platform": check.platform,
        "met": bool(check.met),
        "triangles": _plain(load.triangles),
        "texture_mb": _plain(load.texture_mb),
        "materials": _plain(load.materials),
        "budget": {
            "triangles": _plain(budget.triangles),
            "texture_mb": _plain(budget.texture_mb),
            "materials": _plain(budget.materials),
        },
        "told": check.told,
    }


def _plain(value: Any) -> Any:
    """The value as JSON holds it: named tuples become keys, other tuples lists, numbers without a value null."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, (bool, int)):
        return number
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None
