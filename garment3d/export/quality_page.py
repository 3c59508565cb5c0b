"""An assessment for a person to read: the verdict, what was found and where it shows, every view, every platform."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data import Views
from ..garment.platforms import PLATFORMS, BudgetCheck
from ..quality.findings import Finding, Quality, ViewFigures
from .evidence import Evidence, Sight, evidence
from .page_parts import figure, section, table, thumbnail, whole_page

if TYPE_CHECKING:
    import trimesh

THUMBNAIL_PX = 96
LEGEND = (
    '<p class="legend"><span><i class="missing"></i>cloth is missing</span>'
    '<span><i class="extra"></i>cloth is too much</span><span><i class="heat"></i>another colour</span></p>'
)


class Look(NamedTuple):
    """How a verdict is shown."""

    title: str
    strokes: tuple[tuple[tuple[float, float], ...], ...]
    """The mark's lines in a box of 24 × 24."""

    @property
    def path(self) -> str:
        """The mark as an SVG path."""
        return "".join("M" + "L".join(f"{x} {y}" for x, y in stroke) for stroke in self.strokes)


LOOKS: Mapping[str, Look] = {
    "good": Look("Good", (((5, 12.5), (9.6, 17.1), (19, 7.6)),)),
    "check": Look("Take a look", (((12, 6), (12, 13.4)), ((12, 17.8), (12, 18)))),
    "reject": Look("Rejected", (((7, 7), (17, 17)), ((17, 7), (7, 17)))),
}


def quality_html(
    mesh: trimesh.Trimesh,
    rgb: np.ndarray,
    soft: np.ndarray,
    views: Views | None,
    quality: Quality,
    budgets: Sequence[BudgetCheck] = (),
    title: str = "Garment report",
    device: str = "cpu",
) -> str:
    """The text of a page that needs no network: the assessment of a canonical mesh with pictures, and the budgets.

    Args:
        rgb: [H,W,3] uint8, the photo.
        soft: [H,W], its mask.
    """
    shown = evidence(mesh, rgb, soft, views, quality, device)
    lead = f"{len(mesh.faces):,} triangles, {100 * quality.silhouette_iou:.1f} % of the photo's outline"
    sides = section("From all sides", "", f'<div class="sights four">{"".join(map(figure, shown.sides))}</div>')
    body = front_section(shown) + findings_section(quality, shown) + sides + views_section(quality, shown)
    body += f'<section class="two">{figure_tables(quality)}</section>{budgets_section(budgets)}'
    return whole_page(title, lead, banner(quality), body, "")


def banner(quality: Quality) -> str:
    """The verdict, its sentence and what could not be told."""
    look = LOOKS[quality.verdict]
    icon = f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{look.path}"/></svg>'
    notes = "".join(f"<li>{escape(note)}</li>" for note in quality.notes)
    notes = f"<ul>{notes}</ul>" if notes else ""
    said = f"<strong>{look.title}</strong><p>{escape(spoken(quality))}</p>{notes}"
    return f'<div class="verdict {quality.verdict}" role="status">{icon}<div>{said}</div></div>'


def spoken(quality: Quality) -> str:
    """The verdict's sentence without the verdict itself, which stands above it."""
    head, colon, rest = quality.sentence.partition(": ")
    return rest[:1].upper() + rest[1:] if colon and head in ("Good", "Check", "Reject") else quality.sentence


def front_section(shown: Evidence | None) -> str:
    """The photo, the garment and their difference; nothing without pictures."""
    if shown is None:
        return ""
    return section(
        "Against the photo", "", f'<div class="sights three">{"".join(map(figure, shown.front))}</div>{LEGEND}'
    )


def findings_section(quality: Quality, shown: Evidence | None) -> str:
    """Every finding with its pictures where there are some; nothing where nothing was found."""
    rows = shown.findings if shown is not None else ((),) * len(quality.findings)
    fails = sum(finding.severity == "fail" for finding in quality.findings)
    warns = len(quality.findings) - fails
    counts = [*([f"{fails} to mend"] if fails else []), *([f"{warns} to look at"] if warns else [])]
    items = "".join(map(_finding, quality.findings, rows))
    return section("Findings", ", ".join(counts), f'<ol class="findings">{items}</ol>' if items else "")


def _finding(finding: Finding, sights: tuple[Sight, ...]) -> str:
    kind = "mend" if finding.severity == "fail" else "look"
    name = escape(fault_name(finding.fault))
    pictures = "".join(figure(sight, 420) for sight in sights)
    pictures = f'<div class="sights">{pictures}</div>' if pictures else ""
    return (
        f'<li class="card {kind}"><div><h3><b>{name}</b> <span>{escape(finding.where)}</span></h3>'
        f"<p>{escape(finding.sentence)}</p></div>{pictures}</li>"
    )


def fault_name(fault: str) -> str:
    """A fault as a heading: its name in words."""
    words = fault.replace("uv_", "UV ").replace("front_back", "front and back").replace("_", " ")
    return words[:1].upper() + words[1:]


def views_section(quality: Quality, shown: Evidence | None) -> str:
    """A row per view, the ones worth making again marked; nothing without views."""
    if not quality.views:
        return ""
    bad = sum(view.bad for view in quality.views)
    small = f"{bad} of {len(quality.views)} worth making again" if bad else f"all {len(quality.views)} agree"
    pictures = [sight.pixels for sight in shown.views] if shown is not None else []
    pictures = pictures if len(pictures) == len(quality.views) else [None] * len(quality.views)
    rows = [_view(view, pixels) for view, pixels in zip(quality.views, pictures, strict=True)]
    head = "<tr><th>View</th><th>Outline</th><th>Shift</th><th>Scale</th><th>Colour</th><th>Seed</th></tr>"
    half = -(-len(rows) // 2)
    halves = [rows[:half], rows[half:]] if len(rows) > 6 else [rows]
    tables = "".join(f'<table class="views">{head}{"".join(part)}</table>' for part in halves if part)
    return section("Every view", small, f'<div class="pair">{tables}</div>')


def _view(view: ViewFigures, pixels: np.ndarray | None) -> str:
    name = f"{view.azimuth_deg:g}°"
    picture = "" if pixels is None else thumbnail(pixels, THUMBNAIL_PX, f"View from {name}")
    iou = view.silhouette_iou if math.isfinite(view.silhouette_iou) else 0.0
    # Below half an outline is lost: the bar spends its length where views differ.
    bar = f'<i><u style="width:{100 * min(max(2 * iou - 1, 0.02), 1):.0f}%"></u></i>'
    right, down = view.shift_px
    cells = [
        f"{bar}{number(100 * view.silhouette_iou, 1)} %",
        f"{number(math.hypot(right, down), 1)} px",
        f"× {number(view.scale, 3)}",
        f"ΔE {number(view.colour_drift, 1)}",
        "–" if view.seed is None else str(view.seed),
    ]
    marked = ' class="bad"' if view.bad else ""
    return f"<tr{marked}><th>{picture}<b>{name}</b></th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def figure_tables(quality: Quality) -> str:
    """Shape and texture in figures, a table each."""
    shape, texture = _shape_rows(quality), _texture_rows(quality)
    return f"<div><h2>Shape</h2>{table(shape)}</div><div><h2>Texture</h2>{table(texture)}</div>"


def _shape_rows(quality: Quality) -> list[tuple[str, str]]:
    shape = quality.shape
    behind = [("Outline in front and behind", percent(shape.mirrored_iou))] if math.isfinite(shape.mirrored_iou) else []
    return [
        ("Outline on the photo's mask", percent(quality.silhouette_iou)),
        *behind,
        ("Longest side", f"{100 * shape.size_error:+.1f} %" if math.isfinite(shape.size_error) else "–"),
        ("Holes", str(shape.unexpected_loops)),
        ("Openings missing", ", ".join(shape.missing_openings) or "none"),
        ("Faces that cut through cloth", f"{shape.crossing_faces:,}"),
        ("Faces folded over", f"{shape.folded_faces:,}"),
    ]


def _texture_rows(quality: Quality) -> list[tuple[str, str]]:
    texture = quality.texture
    return [
        ("Front against the photo", f"{number(texture.front_psnr_db, 1)} dB"),
        ("The same, photo mirrored", f"{number(texture.mirrored_psnr_db, 1)} dB"),
        ("Background along the outline", percent(max(texture.halo, 0.0))),
        ("Atlas in use", percent(texture.atlas_use)),
        ("Places shared in the atlas", percent(texture.uv_overlap)),
        ("Outside the atlas", percent(texture.uv_outside)),
        ("Finest to coarsest detail", f"{number(texture.density_ratio, 1)} to 1"),
    ]


def budgets_section(budgets: Sequence[BudgetCheck]) -> str:
    """A row per platform that sets a bound, the others in one line; nothing without budgets."""
    bounded = [check for check in budgets if check.budget.triangles is not None or check.budget.texture_mb is not None]
    free = [_title(check) for check in budgets if check not in bounded]
    head = "<tr><th>Platform</th><th>Triangles</th><th>Texture</th><th>Materials</th><th></th></tr>"
    rows = "".join(map(_budget, bounded))
    inside = f'<table class="budgets">{head}{rows}</table>' if rows else ""
    inside += f'<p class="free">No bound: {escape(", ".join(free))}.</p>' if free else ""
    met = sum(check.met for check in bounded)
    small = f"{met} of {len(bounded)} met, beside what one garment may take of an avatar's budget" if bounded else ""
    return section("Platforms", small, inside)


def _budget(check: BudgetCheck) -> str:
    row = PLATFORMS.get(check.platform)
    whole, load = check.budget, check.load
    triangles = f"{load.triangles:,} / {row.triangles:,}" if row else f"{load.triangles:,}"
    share_mb = row.texture_mb if row and row.texture_mb is not None else whole.texture_mb
    texture = f"{load.texture_mb:.1f}" + (f" / {share_mb:.1f} MiB" if share_mb is not None else " MiB")
    materials = f"{load.materials}" + (f" / {whole.materials}" if whole.materials is not None else "")
    mark, path = ("met", LOOKS["good"].path) if check.met else ("over", LOOKS["reject"].path)
    icon = f'<svg viewBox="0 0 24 24" role="img" aria-label="{mark}"><path d="{path}"/></svg>'
    cells = "".join(f"<td>{text}</td>" for text in (triangles, texture, materials, icon))
    return f'<tr class="{mark}" title="{escape(check.told)}"><th>{escape(_title(check))}</th>{cells}</tr>'


def _title(check: BudgetCheck) -> str:
    row = PLATFORMS.get(check.platform)
    return row.title if row else check.platform


def percent(share: float) -> str:
    """Per cent with one digit; a dash for what could not be measured."""
    return f"{number(100 * share, 1)} %" if math.isfinite(share) else "–"


def number(value: float, digits: int) -> str:
    """The number with so many digits behind the point; a dash for what could not be measured."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
