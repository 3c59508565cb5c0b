"""What a garment, a fit, a texture or a file says about itself: figures as lines of text, and a line on the node."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import trimesh

    from ..garment3d.compare import Comparison
    from ..garment3d.garment.fit import Fitted
    from ..garment3d.garment.prepare import PreparedGarment
    from ..garment3d.garment.target.align import Alignment
    from ..garment3d.garment.texture.bake import Baked
    from ..garment3d.mask.clothes import Found
    from .report import Judged


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
        *laid(lay),
        f"distance to the target: {_percent(figures.distance_before)} of the height before, "
        f"{_percent(figures.distance_after)} after, {_percent(figures.farthest)} at the farthest point",
        f"crossing faces: {figures.crossing_faces}",
        f"folded faces: {figures.folded_faces}",
        f"faces of the target: {figures.target_faces}",
    ]
    return with_warnings("\n".join(lines), [*lay.warnings, *fitted.warnings])


def laid(lay: Alignment) -> list[str]:
    """How a mesh lay before it was turned into the photo's frame."""
    turned = f"{lay.turn_deg:.1f}° beside it"
    return [
        f"front: {lay.front}, {turned}" + (", mirrored" if lay.mirrored else ""),
        f"scale: {_short(float(lay.scale))}",
        f"offset: {', '.join(_short(float(v)) for v in lay.offset)}",
        f"outline in common with the photo's: {lay.iou:.1%}",
    ]


def bake_line(source: np.ndarray) -> str:
    """Where the colours come from, as shares of the texels that have one."""
    covered = max(int((source > 0).sum()), 1)
    views = source >= 10
    named = {"photo": source == 1, "back photo": source == 2, "views": views, "filled": source == 3}
    shares = {name: float(found.sum()) / covered for name, found in named.items()}
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share)


def bake_text(baked: Baked, azimuths_deg: Sequence[float]) -> str:
    """The figures of a texture, each view by its azimuth."""
    shares = [f"{azimuths_deg[k]:g}° {share:.1%}" for k, share in sorted(baked.figures.views.items())]
    told = figures_text(baked.figures._replace(views=shares or ["none"]))
    return with_warnings(told, baked.warnings)


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


def prepared_text(prepared: PreparedGarment) -> str:
    """What it needs beside what the platform allows, its lighter levels, and warnings."""
    told = prepared.checks.told
    lines = [told] + [f"level {k}: {len(m.faces):,} triangles" for k, m in enumerate(prepared.levels, 1)]
    return with_warnings("\n".join(lines), [w for w in prepared.warnings if w != told])


def verdict_text(done: Sequence[Judged]) -> str:
    """The verdict of each garment, and below it one line per further finding."""
    return "\n\n".join("\n".join([d.quality.sentence, *(f.sentence for f in d.quality.findings[1:])]) for d in done)


def report_text(done: Sequence[Judged]) -> str:
    """JSON of one garment's assessment, or a list of them."""
    from ..garment3d.export.quality_json import quality_json

    texts = [quality_json(d.quality, d.budgets) for d in done]
    return texts[0] if len(texts) == 1 else "[" + ",\n".join(text.strip() for text in texts) + "]\n"


def redo_text(done: Sequence[Judged]) -> str:
    """Such as "140, 160": the views that are worth painting again for any of the garments, the worst first."""
    return ", ".join(f"{azimuth:g}" for azimuth in dict.fromkeys(a for d in done for a in d.quality.worst))


def classes_text(found: Sequence[Found]) -> str:
    """One line per class that a parser saw, the largest first, with its share of the photo."""
    return "\n".join(f"{f.name}: {f.share:.1%}" for f in found)


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


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_short(v) for v in value)
    return str(value)
