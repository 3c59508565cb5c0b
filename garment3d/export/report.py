"""What was done to a photo and how well it went, as JSON that a script can read.

Keys of report.json; every key is always there, null where it says so:

    generator         "Garment3D <version>"
    photo             file name; size_wh: [width, height] in pixels after turning upright
    garment_class     tee, longsleeve, top, dress, skirt or trousers
    length_cm         vertical extent of the garment in the saved files
    size_cm           [width, height, depth] in the saved files
    engines           what did each stage: mask (file, alpha, quick, sam, clothes, clothes+sam), shell (inflated),
                      texture (photo, photo+back), surface (none, triposr), views (rendered, zero123)
    models            a list of {model, file} for each model that ran, with what repeats its run: resolution and
                      threshold of triposr, steps and seed of zero123
    mask_confidence   0..1, of the mask's engine; null where a mask was given or the engine has no opinion
    openings          a list of {name, anchor}: anchor is the middle of its two ends, [x, y, z] in the canonical frame
    figures           triangles, vertices; components, boundary_loops, non_manifold_edges, non_manifold_vertices,
                      degenerate_faces, inverted_faces, inside_out (all after welding by position);
                      silhouette_iou, front_psnr_db (null if the pictures are identical or nothing can be compared);
                      texture_px, texels_per_photo_px, texture_limit: "photo" or "atlas", whichever limits the
                      front's detail, or "none" without texture
    seconds           one number per stage in the order they ran, and total
    files             names of all files beside the report
    warnings          sentences for the person; empty when all went well
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import NamedTuple

from .. import __version__
from ..data import Opening
from .figures import Figures


class Engines(NamedTuple):
    """What did each stage."""

    mask: str
    """file, alpha, quick, sam, clothes, or clothes+sam where the parser prompted SAM."""
    shell: str = "inflated"
    texture: str = "photo"
    """photo, or photo+back where a back photo was given."""
    surface: str = "none"
    """none, or triposr where its mesh is saved beside the garment."""
    views: str = "rendered"
    """rendered or zero123."""


class ModelUse(NamedTuple):
    """A model that had a part in the garment."""

    model: str
    """sam, clothes, zero123 or triposr."""
    file: str
    """The file's folder and name."""
    settings: Mapping[str, float]
    """What else it takes to do the same again."""


class Report(NamedTuple):
    """The contents of report.json; its docstring lists the keys."""

    photo: str
    photo_hw: tuple[int, int]
    garment_class: str
    length_cm: float
    engines: Engines
    models: tuple[ModelUse, ...]
    mask_confidence: float | None
    openings: tuple[Opening, ...]
    figures: Figures
    seconds: Mapping[str, float]
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def report_json(report: Report) -> str:
    """The text of report.json, with the keys listed above."""
    figures, likeness, detail = report.figures, report.figures.likeness, report.figures.detail
    seconds = {stage: round(spent, 3) for stage, spent in report.seconds.items()}
    whole = {
        "generator": f"Garment3D {__version__}",
        "photo": {"file": report.photo, "size_wh": [report.photo_hw[1], report.photo_hw[0]]},
        "garment_class": report.garment_class,
        "length_cm": report.length_cm,
        "size_cm": list(figures.size_cm),
        "engines": report.engines._asdict(),
        "models": [{"model": m.model, "file": m.file, **m.settings} for m in report.models],
        "mask_confidence": None if report.mask_confidence is None else round(report.mask_confidence, 4),
        "openings": [{"name": o.name, "anchor": [round(float(v), 6) for v in o.anchor]} for o in report.openings],
        "figures": {
            "triangles": figures.triangles,
            "vertices": figures.vertices,
            **figures.checks._asdict(),
            "silhouette_iou": _number(likeness.silhouette_iou, 5),
            "front_psnr_db": _number(likeness.front_psnr_db, 2),
            "texture_px": detail.texture_px,
            "texels_per_photo_px": _number(detail.texels_per_photo_px, 3),
            "texture_limit": detail.limit,
        },
        "seconds": {**seconds, "total": round(sum(report.seconds.values()), 3)},
        "files": list(report.files),
        "warnings": list(report.warnings),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _number(value: float, digits: int) -> float | None:
    # JSON knows neither infinity nor NaN.
    return round(value, digits) if math.isfinite(value) else None
