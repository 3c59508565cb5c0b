"""The report as one HTML page to look at: photo, mask, views, turntable, figures and the garment to turn.

Everything but the links to the saved files lies inside the page, so it opens from anywhere and needs no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..camera import mask_box, photo_camera, project
from ..data import Opening
from .evidence import Evidence, Sight
from .page_parts import encoded, figure, section, table, uri, whole_page
from .quality_page import banner, budgets_section, figure_tables, findings_section, front_section, views_section
from .report import Report

PHOTO_PX, VIEW_PX = 900, 300


class Pictures(NamedTuple):
    """What the page shows besides figures."""

    rgb: np.ndarray
    """[H,W,3] uint8, the photo."""
    soft: np.ndarray
    """[H,W] float32, its mask."""
    views: np.ndarray
    """[V,H,W,4] uint8, colours not multiplied by alpha."""
    azimuths_deg: tuple[float, ...]
    viewer: str
    """The HTML page of `viewer_html`."""
    film: bytes | None
    """MP4, or None without a turntable."""
    evidence: Evidence | None = None
    """What the assessment found in pictures; None leaves its words and figures."""


def report_html(report: Report, pictures: Pictures) -> str:
    """The page's text, about three megabytes with a turntable; without an assessment it has no verdict."""
    size = " × ".join(f"{value:.0f}" for value in report.figures.size_cm)
    lead = f"{_class_name(report.garment_class)}, {size} cm, {report.figures.triangles:,} triangles"
    told = banner(report.quality) if report.quality is not None else ""
    body = _hero(report, pictures)
    if report.quality is not None:
        body += front_section(pictures.evidence) + findings_section(report.quality, pictures.evidence)
    body += _strip(report, pictures)
    if report.quality is not None:
        body += views_section(report.quality, pictures.evidence)
    body += _numbers(report, pictures) + budgets_section(report.budgets) + _files(report)
    return whole_page(
        title=Path(report.photo).stem.replace("_", " ").strip() or "garment",
        lead=lead,
        banner=told + _warnings(report.warnings),
        body=body,
        foot="Figures are read from report.json; anchors and cameras are in the frame that cameras.json states.",
        view_aspect=f"{pictures.views.shape[2]} / {pictures.views.shape[1]}",
    )


def _hero(report: Report, pictures: Pictures) -> str:
    """The garment to turn, its photo and its mask."""
    viewer = f'<iframe title="The garment, to turn with the mouse" srcdoc="{escape(pictures.viewer)}"></iframe>'
    photo, overlay = _photo(pictures.rgb), _overlay(pictures.rgb, pictures.soft, report.openings)
    beside = (
        f'<figure class="card">{photo}<figcaption>Photo</figcaption></figure>'
        f'<figure class="card">{overlay}<figcaption>Mask and openings</figcaption></figure>'
    )
    return f'<div class="hero"><div class="card">{viewer}</div><div class="side">{beside}</div></div>'


def _strip(report: Report, pictures: Pictures) -> str:
    """All views side by side, those worth making again marked."""
    cards = (
        figure(Sight(f"{azimuth:g}°", rgba), VIEW_PX, "bad" if _is_bad(k, report, pictures) else "")
        for k, (azimuth, rgba) in enumerate(zip(pictures.azimuths_deg, pictures.views, strict=True))
    )
    small = f"{len(pictures.views)} pictures, calibrated in cameras.json"
    return section("Views", small, f'<div class="strip" tabindex="0">{"".join(cards)}</div>')


def _is_bad(k: int, report: Report, pictures: Pictures) -> bool:
    """Whether the k-th view is worth making again; drawn ones are not, where others were assessed."""
    shown = pictures.evidence
    if report.quality is None or shown is None or k >= min(len(shown.views), len(report.quality.views)):
        return False
    return report.quality.views[k].bad and np.array_equal(shown.views[k].pixels, pictures.views[k])


def _numbers(report: Report, pictures: Pictures) -> str:
    """The turntable, all figures, the assessment's too, and the seconds."""
    total = sum(report.seconds.values())
    seconds = "".join(_second(stage, spent, total) for stage, spent in report.seconds.items())
    clock = f"<h2>Seconds <small>{total:.1f} in all</small></h2><table>{seconds}</table>"
    rows = _rows(report)[2 if report.quality is not None else 0 :]  # the assessment's tables begin with the first two
    stack = f"<div><h2>Figures</h2>{table(rows)}</div><div>{clock}</div>"
    more = "" if report.quality is None else f'<section class="two">{figure_tables(report.quality)}</section>'
    shares = section("Where the colours come from", "share of the texels in use", _shares(report))
    return f'{shares}{more}<section class="two">{_turntable(pictures.film)}<div class="stack">{stack}</div></section>'


def _shares(report: Report) -> str:
    """One bar of the texels' sources, and what its colours mean."""
    kinds = {"photo": "photo", "back_photo": "back", "views": "seen", "filled": "filled"}
    names = {
        "photo": "the photo",
        "back_photo": "a photo of the back",
        "views": "the views",
        "filled": "continued cloth",
    }
    rows = [(kinds[name], names[name], share) for name, share in report.texture_shares._asdict().items()]
    rows = [row for row in rows if row[2] >= 0.0005]
    bar = "".join(f'<i class="{kind}" style="flex:{share:.4f}"></i>' for kind, _, share in rows)
    key = "".join(f'<li><i class="{kind}"></i>{name}, {100 * share:.1f} %</li>' for kind, name, share in rows)
    return f'<div class="shares">{bar}</div><ul class="key">{key}</ul>' if rows else ""


def _files(report: Report) -> str:
    shown = [name for name in report.files if not name.endswith(".png") or "/" not in name]
    links = "".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in shown)
    return section("Files", "", f'<div class="files">{links}</div>')


def _class_name(garment_class: str) -> str:
    return {"tee": "T-shirt", "longsleeve": "Long sleeve", "top": "Top"}.get(garment_class, garment_class.capitalize())


def _rows(report: Report) -> list[tuple[str, str]]:
    figures, likeness, detail = report.figures, report.figures.likeness, report.figures.detail
    limit = {"photo": "the photo's own", "atlas": "limited by the atlas", "none": "no texture"}[detail.limit]
    faults = sum(figures.checks) - figures.checks.components - figures.checks.boundary_loops
    mask = report.engines.mask
    if report.mask_confidence is not None:
        mask += f", confidence {report.mask_confidence:.2f}"
    return [
        ("Outline on the photo's mask", f"{100 * likeness.silhouette_iou:.1f} % IoU"),
        ("Front against the photo", f"{likeness.front_psnr_db:.1f} dB PSNR"),
        ("Front detail", f"{limit}, {detail.texels_per_photo_px:.2f} texels per pixel"),
        ("Texture", f"{detail.texture_px} × {detail.texture_px} px"),
        ("Triangles, vertices", f"{figures.triangles:,}, {figures.vertices:,}"),
        ("Pieces of cloth", str(figures.checks.components)),
        ("Openings", f"{', '.join(o.name for o in report.openings)} ({figures.checks.boundary_loops} loops)"),
        ("Faulty edges, vertices, faces", str(faults)),
        ("Length", f"{report.length_cm:g} cm"),
        ("Mask", mask),
        ("Views", {"rendered": "drawn from the garment", "zero123": "imagined by Zero123"}[report.engines.views]),
        *_shape_rows(report),
        *([("Surface", "TripoSR, surface.glb")] if report.engines.surface == "triposr" else []),
    ]


def _shape_rows(report: Report) -> list[tuple[str, str]]:
    """What surface gave the garment its shape and how it stood; nothing for an inflated shell."""
    fitting = report.fitting
    if fitting is None:
        return []
    mirrored = ", un-mirrored" if fitting.mirrored else ""
    stood = f"front {fitting.front}, turned {fitting.turn_deg:.1f}°, scale {fitting.scale:.4g}{mirrored}"
    rows = [("Shape", f"{report.engines.shell}: {fitting.target}"), ("The surface stood", stood)]
    if fitting.distance_before is not None and fitting.distance_after is not None:
        before, after = 100 * fitting.distance_before, 100 * fitting.distance_after
        rows.append(("Distance to the surface", f"{after:.2f} % of the height, before {before:.2f} %"))
    return rows


def _second(stage: str, spent: float, total: float) -> str:
    width = 140 * spent / max(total, 1e-9)
    return f'<tr><th>{escape(stage)}</th><td><i style="width:{width:.0f}px"></i>{spent:.2f}</td></tr>'


def _warnings(warnings: Sequence[str]) -> str:
    return f'<ul class="warn">{"".join(f"<li>{escape(w)}</li>" for w in warnings)}</ul>' if warnings else ""


def _turntable(film: bytes | None) -> str:
    if film is None:
        return ""
    source = uri(film, "video/mp4")
    video = f'<video class="card" autoplay loop muted playsinline controls src="{source}"></video>'
    return f"<div><h2>Turntable</h2>{video}</div>"


def _photo(rgb: np.ndarray) -> str:
    image = _small(rgb)
    return _svg(image, (0, 0, *image.size))


def _overlay(rgb: np.ndarray, soft: np.ndarray, openings: Sequence[Opening]) -> str:
    """The photo with everything but the garment faded, a line around it, and its openings named."""
    image = _small(rgb)
    mask = np.asarray(Image.fromarray(soft.astype(np.float32)).resize(image.size, Image.Resampling.BOX))
    pixels = np.asarray(image).astype(np.float32)
    faded = 0.16 * pixels.mean(-1, keepdims=True) + 0.16 * pixels + 158
    pixels = faded + (pixels - faded) * mask[..., None]
    pixels[_rim(mask >= 0.5)] = (214, 72, 46)
    centers, _ = project(photo_camera(soft), np.array([o.anchor for o in openings]).reshape(-1, 3))
    scale = image.width / soft.shape[1]
    x0, y0, x1, y1 = (side * scale for side in mask_box(soft))
    margin = 0.12 * max(x1 - x0, y1 - y0)
    shown = (max(x0 - margin, 0), max(y0 - margin, 0), min(x1 + margin, image.width), min(y1 + margin, image.height))
    unit = max(shown[2] - shown[0], shown[3] - shown[1]) / 100
    labels = _labels([o.name for o in openings], centers * scale, unit)
    return _svg(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), shown, labels)


def _labels(names: Sequence[str], places: np.ndarray, unit: float) -> str:
    """A dot at each place and its name above it, or below where another name is already there."""
    out: list[str] = []
    taken: list[tuple[float, float]] = []
    for name, (x, y) in zip(names, places.tolist(), strict=True):
        crowded = any(abs(x - ox) < 17 * unit and abs(y - oy) < 5 * unit for ox, oy in taken)
        taken.append((x, y))
        baseline = y + (6.6 if crowded else -2.4) * unit
        out.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{1.3 * unit:.1f}" stroke-width="{0.4 * unit:.1f}"/>'
            f'<text class="tag" x="{x:.1f}" y="{baseline:.1f}" text-anchor="middle" font-size="{5 * unit:.1f}" '
            f'stroke-width="{unit:.1f}">{escape(name)}</text>'
        )
    return "".join(out)


def _rim(solid: np.ndarray) -> np.ndarray:
    """Two pixels along the inner edge of a mask."""
    from scipy.ndimage import binary_erosion

    return solid & np.logical_not(binary_erosion(solid, iterations=2))


def _small(rgb: np.ndarray) -> Image.Image:
    image = Image.fromarray(rgb)
    factor = max(image.size) // PHOTO_PX
    image = image.reduce(factor) if factor > 1 else image  # a box mean first: quick for twelve megapixels
    image.thumbnail((PHOTO_PX, PHOTO_PX), Image.Resampling.BICUBIC)
    return image


def _svg(image: Image.Image, shown: tuple[float, float, float, float], labels: str = "") -> str:
    """The part x0, y0, x1, y1 of a picture with labels in its pixels."""
    x0, y0, x1, y1 = shown
    box = f"{x0:.0f} {y0:.0f} {x1 - x0:.0f} {y1 - y0:.0f}"
    source = uri(encoded(image, "JPEG", quality=86), "image/jpeg")
    picture = f'<image href="{source}" width="{image.width}" height="{image.height}"/>'
    return f'<svg viewBox="{box}" role="img">{picture}{labels}</svg>'
