"""What is wrong with a garment's mesh and its place on the photo, from its figures and the limits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import limits
from .findings import Finding, Severity
from .shape import Shape


def garment_findings(shape: Shape) -> Iterator[Finding]:
    """The Findings on a mesh, in the order of FAULTS."""
    yield from _normals(shape)
    yield from _openings(shape)
    yield from _place(shape)
    yield from _soundness(shape)
    if shape.background > limits.MASK_BACKGROUND:
        told = f"{shape.background:.0%} of the mask shows background: give the mask of this photo, drawn close."
        yield Finding("wrong_mask", "fail", "mask", shape.background, limits.MASK_BACKGROUND, told)


def _severity(fails: bool) -> Severity:
    return "fail" if fails else "warn"


def _normals(shape: Shape) -> Iterator[Finding]:
    checks, name = shape.checks, "flipped_normals"
    if checks.inside_out:
        told = f"{checks.inside_out} of {checks.components} pieces of the garment are wound inside out"
        told += ": turn their faces over (in Blender: Mesh > Normals > Recalculate Outside)."
        yield Finding(name, "fail", "mesh", checks.inside_out, 0, told)
    flipped = max(checks.inverted_faces, shape.folded if shape.folded > limits.FOLDED * shape.faces else 0)
    if flipped:
        told = f"{flipped} of {shape.faces} faces are turned against the cloth around them: turn them over."
        severity = _severity(flipped > limits.FLIPPED_FAIL * shape.faces)
        yield Finding(name, severity, "mesh", flipped, 0, told)
    if shape.against > limits.AGAINST:
        told = f"The stored normals of {shape.against:.0%} of the faces point to their other side: compute them anew."
        yield Finding(name, "fail", "mesh", shape.against, limits.AGAINST, told)


def _openings(shape: Shape) -> Iterator[Finding]:
    for loop in shape.loops.holes:
        length = float(np.linalg.norm(np.roll(loop, -1, 0) - loop, axis=1).sum()) / shape.longest
        place = place_in_words(loop.mean(0) / shape.longest)
        told = f"There is a hole in the cloth at the {place}, {length:.1%} of the garment's size around: fill it."
        yield Finding("hole", _severity(length > 0.05), f"mesh, {place}", length, 0, told)
    if shape.loops.missing:
        names = ", ".join(shape.loops.missing)
        told = f"The garment is closed at its {names}, where the outline shows an opening: cut it open there."
        yield Finding("missing_opening", "fail", "mesh", len(shape.loops.missing), 0, told)


def place_in_words(point: np.ndarray) -> str:
    """Where a canonical [3] point lies, such as "front, lower left of the picture"."""
    x, y, z = point.tolist()
    height = "upper" if y > 0.17 else "lower" if y < -0.17 else "middle"
    side = "right" if x > 0.12 else "left" if x < -0.12 else "centre"
    return f"{'front' if z >= 0 else 'back'}, {height} {side}"


def _place(shape: Shape) -> Iterator[Finding]:
    on, longest, far = shape.on_photo, shape.longest, shape.shift
    size = longest if abs(longest - 1) > limits.SIZE else on.scale
    if abs(size - 1) > limits.SIZE:
        told = f"The garment is {size:.4g} times as large as its photo says (longest side {longest:.4g} instead of 1)"
        yield Finding("wrong_scale", "fail", "mesh", size - 1, limits.SIZE, f"{told}: scale it by {1 / size:.4g}.")
    if far > limits.PLACE:
        told = f"The garment lies {far:.1%} of its size beside its photo: move it to the middle."
        yield Finding("misplaced", _severity(far > 5 * limits.PLACE), "front", far, limits.PLACE, told)
    if on.iou_together < limits.OUTLINE_WARN:
        told = (
            f"From the front the garment covers its mask to {on.iou_together:.1%} only: look at the mask and the shape."
        )
        severity = _severity(on.iou_together < limits.OUTLINE_FAIL)
        yield Finding("wrong_outline", severity, "front", on.iou_together, limits.OUTLINE_WARN, told)


def _soundness(shape: Shape) -> Iterator[Finding]:
    checks, share = shape.checks, shape.crossing / shape.faces
    if share > limits.CROSSING_WARN:
        told = f"{shape.crossing} of {shape.faces} faces cut through other cloth: smooth or move it apart."
        severity = _severity(share > limits.CROSSING_FAIL)
        yield Finding("self_intersection", severity, "mesh", share, limits.CROSSING_WARN, told)
    bad = checks.non_manifold_edges + checks.non_manifold_vertices
    if bad:
        told = f"{checks.non_manifold_edges} edges and {checks.non_manifold_vertices} points are non-manifold: "
        severity = _severity(checks.non_manifold_edges > limits.BAD_EDGES_FAIL * shape.faces)
        yield Finding("non_manifold", severity, "mesh", bad, 0, told + "separate what meets there.")
    if checks.degenerate_faces:
        told = f"{checks.degenerate_faces} faces have no area: dissolve them."
        yield Finding("degenerate", "warn", "mesh", checks.degenerate_faces, 0, told)
    if checks.components > 1:
        told = f"The garment is in {checks.components} pieces: look at the mask, and remove what is not of it."
        yield Finding("loose_piece", "warn", "mesh", checks.components, 1, told)
