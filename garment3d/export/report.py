"""What was done to a photo and how well it went, as JSON that a script can read.

Keys of report.json; every key is always there, null where it says so:

    generator         "Garment3D <version>"
    photo             file name; size_wh: [width, height] in pixels after turning upright
    garment_class     tee, longsleeve, top, dress, skirt or trousers
    length_cm         vertical extent of the garment in the saved files
    size_cm           [width, height, depth] in the saved files
    engines           what did each stage: mask (file, alpha, quick, sam, clothes, clothes+sam),
                      shell (inflated, fitted to a surface, or opened: the surface itself with its hems cut open),
                      texture (photo, and what else gave it colours: photo+back, photo+views, photo+back+views),
                      surface (none, triposr), views (rendered, zero123)
    models            a list of {model, file} for each model that ran, with what repeats its run: resolution and
                      threshold of triposr, steps and seed of zero123
    mask_confidence   0..1, of the mask's engine; null where a mask was given or the engine has no opinion
    fitting           how the surface was brought to the photo, null for an inflated shell: target (a file, or
                      triposr), front (the axis of the file that faces the camera), mirrored, scale, offset [x, y, z],
                      turn_deg, silhouette_iou; distance_before and distance_after of the shell to the surface as
                      shares of the height, null where the surface itself is the garment
    openings          a list of {name, anchor}: anchor is the middle of its two ends, [x, y, z] in the canonical frame
    figures           triangles, vertices; components, boundary_loops, non_manifold_edges, non_manifold_vertices,
                      degenerate_faces, inverted_faces, inside_out (all after welding by position);
                      silhouette_iou, front_psnr_db (null if the pictures are identical or nothing can be compared);
                      texture_px, texels_per_photo_px, texture_limit: "photo" or "atlas", whichever limits the
                      front's detail, or "none" without texture
    texture_shares    of the texels in use: photo, back_photo, views, and filled (cloth continued where nothing sees it)
    quality           the assessment, null where nothing was assessed: verdict, sentence, findings, notes,
                      silhouette_iou, shape, texture, views, worst; what lies in them is listed in `quality_json.py`
    budgets           a list, one entry per platform: whether the garment keeps its budget; see `quality_json.py`
    seconds           one number per stage in the order they ran, and total
    files             names of all files beside the report
    warnings          sentences for the person; empty when all went well
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__
from ..data import Opening
from ..quality.findings import Quality
from .figures import Figures
from .quality_json import quality_keys

if TYPE_CHECKING:
    from ..garment.platforms import BudgetCheck


class Engines(NamedTuple):
    """What did each stage."""

    mask: str
    """file, alpha, quick, sam, clothes, or clothes+sam where the parser prompted SAM."""
    shell: str = "inflated"
    """inflated, fitted or opened."""
    texture: str = "photo"
    """photo, photo+back, photo+views or photo+back+views."""
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


class Fitting(NamedTuple):
    """How a surface was brought to the photo, and how near the shell came to it."""

    target: str
    """A mesh file's name, or triposr."""
    front: str
    """The surface's own axis that faces the camera: +Z, -Z, +X, -X, +Y or -Y."""
    mirrored: bool
    scale: float
    """Canonical units per unit of the surface."""
    offset: tuple[float, float, float]
    turn_deg: float
    """Beyond the turn of the axes."""
    silhouette_iou: float
    distance_before: float | None
    """Mean from the shell to the surface as a share of the height; None where the surface itself is the garment."""
    distance_after: float | None


class TextureShares(NamedTuple):
    """Shares of the texels in use, together 1."""

    photo: float
    back_photo: float
    views: float
    filled: float
    """Cloth continued where nothing sees it."""


class Report(NamedTuple):
    """The contents of report.json; its docstring lists the keys."""

    photo: str
    photo_hw: tuple[int, int]
    garment_class: str
    length_cm: float
    engines: Engines
    models: tuple[ModelUse, ...]
    mask_confidence: float | None
    fitting: Fitting | None
    openings: tuple[Opening, ...]
    figures: Figures
    texture_shares: TextureShares
    seconds: Mapping[str, float]
    files: tuple[str, ...]
    warnings: tuple[str, ...]
    quality: Quality | None = None
    """The assessment; None where nothing was assessed."""
    budgets: tuple[BudgetCheck, ...] = ()
    """What each platform allows and whether the garment keeps to it."""


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
        "fitting": _fitting(report.fitting),
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
        "texture_shares": {name: round(share, 4) for name, share in report.texture_shares._asdict().items()},
        **quality_keys(report.quality, report.budgets),
        "seconds": {**seconds, "total": round(sum(report.seconds.values()), 3)},
        "files": list(report.files),
        "warnings": list(report.warnings),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _fitting(fitting: Fitting | None) -> dict[str, Any] | None:
    if fitting is None:
        return None
    # A scale may be any power of ten: digits behind the point would leave nothing of that of a mesh in micrometres.
    rounded = {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in fitting._asdict().items()}
    return {**rounded, "offset": [round(float(v), 6) for v in fitting.offset]}


def _number(value: float, digits: int) -> float | None:
    # JSON knows neither infinity nor NaN.
    return round(value, digits) if math.isfinite(value) else None
