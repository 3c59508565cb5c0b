"""The page that shows a whole batch: every photo beside its garment, to sort, filter and look through.

It needs no network; the small pictures lie beside it in thumbs/ and are read when they come into sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from .. import __version__
from .rows import VERDICTS, Row
from .thumbs import FRAME_PX, FRAMES

_TEMPLATE = Path(__file__).with_name("index.html")
_TITLES = {"good": "Good", "check": "Check", "reject": "Reject", "failed": "Failed", "waiting": "Waiting"}
_WORST_FIRST = {verdict: rank for rank, verdict in enumerate(("failed", "reject", "check", "good", "waiting"))}


def index_html(rows: Sequence[Row], title: str) -> str:
    """The page's text; cards stand from the worst verdict to the best, and by name within one."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}
    places = {row.photo: place for place, row in enumerate(rows)}
    ordered = sorted(rows, key=lambda row: (_WORST_FIRST[row.verdict], places[row.photo]))
    some = {verdict: count for verdict, count in counts.items() if count}
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        lead=escape(_lead(rows)),
        bar="".join(f'<i class="{verdict}" style="flex:{count}"></i>' for verdict, count in some.items()),
        bar_told=escape(", ".join(f"{count} {verdict}" for verdict, count in some.items())),
        chips="".join(_chip(verdict, count) for verdict, count in some.items()),
        total=len(rows),
        cards="\n".join(_card(row, places[row.photo]) for row in ordered),
        frames=FRAMES,
        frame_w=FRAME_PX[0],
        frame_h=FRAME_PX[1],
        generator=f"Garment3D {__version__}",
    )


def _lead(rows: Sequence[Row]) -> str:
    made = [row for row in rows if row.status == "done"]
    ious = sorted(row.silhouette_iou for row in made if row.silhouette_iou is not None)
    parts = [f"{len(made)} of {len(rows)} photos became garments" if len(made) < len(rows) else f"{len(rows)} photos"]
    if ious:
        parts.append(f"outlines agree to {100 * ious[len(ious) // 2]:.1f} % in the median")
    return ", ".join(parts)


def _chip(verdict: str, count: int) -> str:
    dot = f'<b class="{verdict}"></b>'
    return f'<button data-show="{verdict}" aria-pressed="false">{dot}{_TITLES[verdict]} {count}</button>'


def _card(row: Row, place: int) -> str:
    told = "" if row.verdict == "good" else row.sentence or " ".join(row.warnings)
    name = Path(row.photo).stem
    iou = "" if row.silhouette_iou is None else f"{row.silhouette_iou:.5f}"
    spent = "" if row.seconds is None else f"{row.seconds:.2f}"
    order = _WORST_FIRST[row.verdict]
    keys = f'data-v="{row.verdict}" data-o="{order}" data-n="{place}" data-i="{iou}" data-t="{spent}"'
    verdict = f'<span class="verdict {row.verdict}">{_TITLES[row.verdict]}</span>'
    head = f'<header><h2 title="{escape(row.photo)}">{escape(name)}</h2>{verdict}</header>'
    below = f'<p class="told" title="{escape(told)}">{escape(told)}</p>' if told else ""
    inside = f'{_pictures(row, name)}<div class="text">{head}{_facts(row)}{below}</div>'
    link = f'<a href="{quote(row.folder)}/report.html">{inside}</a>' if row.status == "done" else f"<div>{inside}</div>"
    return f'<li class="card" {keys}>{link}</li>'


def _pictures(row: Row, name: str) -> str:
    base = f"thumbs/{quote(row.folder)}"
    photo = _picture(f"{base}.photo.webp", f"Photo of {name}")
    if row.status == "done":
        garment = _picture(f"{base}.garment.webp", f"Garment of {name}")
        right = f'<span class="turn" data-turn="{base}.turn.webp">{garment}</span>'
    else:
        right = f'<span class="none">{"no garment" if row.status == "failed" else "not yet done"}</span>'
    return f'<div class="pair"><span>{photo}</span>{right}</div>'


def _picture(source: str, alt: str) -> str:
    gone = "this.parentNode.className = 'none'; this.replaceWith('no picture')"
    return f'<img loading="lazy" decoding="async" alt="{escape(alt)}" src="{source}" onerror="{gone}">'


def _facts(row: Row) -> str:
    """Class, outline and seconds, those that are known."""
    facts = [row.garment_class.capitalize()] if row.garment_class else []
    facts += [f"outline {100 * row.silhouette_iou:.1f} %"] if row.silhouette_iou is not None else []
    facts += [f"{row.seconds:.1f} s"] if row.seconds is not None and row.status == "done" else []
    return f'<p class="facts">{" · ".join(map(escape, facts))}</p>' if facts else ""
