"""Openings as JSON that can be edited and fed back.

Text fields are the only place where a person types structured data, so all of its checks are here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..garment3d.errors import GarmentError
from .figures import laid

if TYPE_CHECKING:
    from ..garment3d.garment.hems import Opened
    from ..garment3d.garment.openings import Outline, Span

NAMES = ("neck", "waist", "hem", "cuff_l", "cuff_r", "armhole_l", "armhole_r", "leg_l", "leg_r")


def spans_from_text(text: str) -> tuple[Span, ...] | None:
    """The openings in the openings output, or in a bare list of name, a and b; None for an empty text."""
    from ..garment3d.garment.openings import Span

    if not text.strip():
        return None
    try:
        read = json.loads(text)
    except ValueError as error:
        raise GarmentError(f"The openings are not JSON ({error}): paste the openings output and edit that.") from None
    listed = read.get("openings") if isinstance(read, dict) else read
    if not isinstance(listed, list) or not listed:
        raise GarmentError('The openings hold no list: write [{"name": "neck", "a": [x, y], "b": [x, y]}, …].')
    return tuple(Span(_name(o), _point(o, "a"), _point(o, "b")) for o in listed)


def outline_text(outline: Outline) -> str:
    """JSON of a class and its openings, one opening a line."""
    rows = [
        json.dumps({"name": s.name, "a": [round(v, 1) for v in s.a_px], "b": [round(v, 1) for v in s.b_px]})
        for s in outline.spans
    ]
    return f'{{"class": "{outline.garment_class}", "openings": [\n  ' + ",\n  ".join(rows) + "\n]}"


def opened_text(opened: Opened) -> str:
    """JSON of what was cut open, one opening a line, and how the mesh lay."""
    rows = [json.dumps({"name": o.name, "anchor": [round(float(v), 4) for v in o.anchor]}) for o in opened.openings]
    warnings = list(dict.fromkeys([*opened.alignment.warnings, *opened.warnings]))
    rest = {"lay": laid(opened.alignment), "warnings": warnings}
    return '{"openings": [\n  ' + ",\n  ".join(rows) + "\n],\n" + json.dumps(rest, ensure_ascii=False)[1:]


def _name(opening: Any) -> str:
    name = opening.get("name") if isinstance(opening, dict) else None
    if name not in NAMES:
        raise GarmentError(f"{name!r} is not the name of an opening: choose from {', '.join(NAMES)}.")
    return name


def _point(opening: dict[str, Any], key: str) -> tuple[float, float]:
    try:
        x, y = opening[key]
        return float(x), float(y)
    except (KeyError, TypeError, ValueError):
        where = f"{opening['name']} has no usable point {key}"
        raise GarmentError(f'{where}: write "{key}": [x, y] in pixels of the photo.') from None
