"""The report as one HTML page to look at: photo, mask, views, turntable, figures and the garment to turn.

Everything but the links to the saved files lies inside the page, so it opens from anywhere and needs no network.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
from PIL import Image

from .. import __version__
from ..camera import mask_box, photo_camera, project
from ..data import Opening
from .report import Report

PHOTO_PX, VIEW_PX = 900, 300
_TEMPLATE = Path(__file__).with_name("page.html")


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


def report_html(report: Report, pictures: Pictures) -> str:
    """The page's text, about three megabytes with a turntable."""
    size = " × ".join(f"{value:.0f}" for value in report.figures.size_cm)
    total = sum(report.seconds.values())
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(Path(report.photo).stem.replace("_", " ").strip() or "garment"),
        lead=escape(f"{_class_name(report.garment_class)}, {size} cm, {report.figures.triangles:,} triangles"),
        warnings=_warnings(report.warnings),
        viewer=escape(pictures.viewer),
        photo=_photo(pictures.rgb),
        overlay=_overlay(pictures.rgb, pictures.soft, report.openings),
        views="".join(map(_view, pictures.views, pictures.azimuths_deg)),
        view_aspect=f"{pictures.views.shape[2]} / {pictures.views.shape[1]}",
        view_count=f"{len(pictures.views)} pictures",
        turntable=_turntable(pictures.film),
        figures="".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _rows(report)),
        seconds="".join(_second(stage, spent, total) for stage, spent in report.seconds.items()),
        total_seconds=f"{total:.1f}",
        files="".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in report.files if "/" not in name),
        generator=f"Garment3D {__version__}",
    )


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
        ("Texture from", ", ".join(_share(name, value) for name, value in _named_shares(report) if value >= 0.0005)),
        *_shape_rows(report),
        *([("Surface", "TripoSR, surface.glb")] if report.engines.surface == "triposr" else []),
    ]


def _named_shares(report: Report) -> list[tuple[str, float]]:
    return [(name.replace("_", " "), value) for name, value in report.texture_shares._asdict().items()]


def _share(name: str, value: float) -> str:
    return f"{name} {100 * value:.3g} %"


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
    source = _uri(film, "video/mp4")
    video = f'<video class="card" autoplay loop muted playsinline controls src="{source}"></video>'
    return f"<div><h2>Turntable</h2>{video}</div>"


def _view(rgba: np.ndarray, azimuth_deg: float) -> str:
    image = Image.fromarray(rgba)
    image.thumbnail((VIEW_PX, VIEW_PX), Image.Resampling.BOX)
    label = f"{azimuth_deg:g}°"
    source = _uri(_saved(image, "WEBP", quality=82, method=1), "image/webp")
    return f'<figure class="card"><img alt="View from {label}" src="{source}"><figcaption>{label}</figcaption></figure>'


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
    source = _uri(_saved(image, "JPEG", quality=86), "image/jpeg")
    picture = f'<image href="{source}" width="{image.width}" height="{image.height}"/>'
    return f'<svg viewBox="{box}" role="img">{picture}{labels}</svg>'


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _uri(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
