"""What a garment says about itself as text: openings as JSON that can be edited and fed back, figures as lines.

Text fields are the only place where a person types structured data, so all of its checks are here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..garment3d.errors import GarmentError

if TYPE_CHECKING:
    import numpy as np
    import trimesh

    from ..garment3d.compare import Comparison
    from ..garment3d.garment.fit import Fitted
    from ..garment3d.garment.hems import Opened
    from ..garment3d.garment.openings import Outline, Span
    from ..garment3d.garment.target.align import Alignment
    from ..garment3d.mask.clothes import Found

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


def figures_text(figures: Any) -> str:
    """One line per figure of a NamedTuple or dataclass; numbers with four significant digits."""
    names = figures._fields if isinstance(figures, tuple) else [f.name for f in dataclasses.fields(figures)]
    return "\n".join(f"{name}: {_short(getattr(figures, name))}" for name in names)


def with_warnings(figures: str, warnings: Sequence[str]) -> str:
    """The figures, and below them a line per warning."""
    return "\n".join([figures, *(f"warning: {w}" for w in dict.fromkeys(warnings))])


def on_node(lines: Sequence[str], warnings: Sequence[Sequence[str]]) -> str:
    """What stands on the node: a line on the first garment, the warnings of all of them."""
    return "\n".join([lines[0], *dict.fromkeys(w for told in warnings for w in told)])


def fit_line(fitted: Fitted) -> str:
    """How near the shell came, and how the target lay."""
    figures, lay = fitted.figures, fitted.alignment
    mirrored = ", mirrored" if lay.mirrored else ""
    return f"{_percent(figures.distance_after)} of the height from the target, front {lay.front}{mirrored}"


def fit_text(fitted: Fitted) -> str:
    """How the target was laid onto the shell, how far they were and are apart, and what had to be mended."""
    figures, lay = fitted.figures, fitted.alignment
    lines = [
        *_laid(lay),
        f"distance to the target: {_percent(figures.distance_before)} of the height before, "
        f"{_percent(figures.distance_after)} after, {_percent(figures.farthest)} at the farthest point",
        f"crossing faces: {figures.crossing_faces}",
        f"folded faces: {figures.folded_faces}",
        f"faces of the target: {figures.target_faces}",
    ]
    return with_warnings("\n".join(lines), [*lay.warnings, *fitted.warnings])


def opened_text(opened: Opened) -> str:
    """JSON of what was cut open, one opening a line, and how the mesh lay."""
    rows = [json.dumps({"name": o.name, "anchor": [round(float(v), 4) for v in o.anchor]}) for o in opened.openings]
    warnings = list(dict.fromkeys([*opened.alignment.warnings, *opened.warnings]))
    rest = {"lay": _laid(opened.alignment), "warnings": warnings}
    return '{"openings": [\n  ' + ",\n  ".join(rows) + "\n],\n" + json.dumps(rest, ensure_ascii=False)[1:]


def bake_line(source: np.ndarray) -> str:
    """Where the colours come from, as shares of the texels that have one."""
    covered = max(int((source > 0).sum()), 1)
    views = source >= 10
    named = {"photo": source == 1, "back photo": source == 2, "views": views, "filled": source == 3}
    shares = {name: float(found.sum()) / covered for name, found in named.items()}
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share)


def mesh_text(mesh: trimesh.Trimesh) -> str:
    """What a file holds."""
    size = " × ".join(_short(float(v)) for v in mesh.extents)
    return "\n".join(
        [
            f"triangles: {len(mesh.faces)}",
            f"vertices: {len(mesh.vertices)}",
            f"size: {size}",
            f"colours: {_colours(mesh)}",
        ]
    )


def comparison_text(found: Comparison, threshold_percent: float) -> str:
    """The measures of two meshes, lengths in per cent of the first one's height."""
    apart = found.distance
    rows = {
        "first to other": apart.a_to_b,
        "other to first": apart.b_to_a,
        "both ways": apart.symmetric,
        "farthest": apart.farthest,
        "Chamfer-L1": found.chamfer,
    }
    lines = [f"{name}: {_percent(length / found.height)} of the height" for name, length in rows.items()]
    lines.append(f"F-score at {threshold_percent:g} %: {found.f_score:.3f}")
    lines.append(f"normal consistency: {found.normal_consistency:.3f}")
    return "\n".join(lines)


def classes_text(found: Sequence[Found]) -> str:
    """One line per class that a parser saw, the largest first, with its share of the photo."""
    return "\n".join(f"{f.name}: {f.share:.1%}" for f in found)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_short(v) for v in value)
    return str(value)


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


def _laid(lay: Alignment) -> list[str]:
    turned = f"{lay.turn_deg:.1f}° beside it"
    return [
        f"front: {lay.front}, {turned}" + (", mirrored" if lay.mirrored else ""),
        f"scale: {_short(float(lay.scale))}",
        f"offset: {', '.join(_short(float(v)) for v in lay.offset)}",
        f"outline in common with the photo's: {lay.iou:.1%}",
    ]


def _colours(mesh: trimesh.Trimesh) -> str:
    """Texture, vertex colours, uvs alone or none."""
    from ..garment3d.export.parts import parts

    found = parts(mesh)
    if found.pixels is not None:
        return f"texture of {found.pixels.shape[1]} × {found.pixels.shape[0]} px"
    if found.uv is not None:
        return "none, but uvs"
    return "vertex colours" if found.colours is not None else "none"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
