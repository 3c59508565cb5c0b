"""The assessment of a garment: against its photo, in itself, and against its views; a verdict and named faults.

Only the garment can be rejected. What is wrong with views is a warning, as they can be made again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data import Views
from ..errors import OutlineError
from ..garment.openings import find_openings
from .findings import Finding, Quality, ShapeFigures, TextureFigures
from .judge_garment import garment_findings
from .judge_texture import texture_findings, texture_notes
from .judge_views import Pair, view_figures, view_findings, where
from .scene import scene_of
from .shape import Shape, shape_of
from .texture import Texture, texture_of
from .verdict import ordered, sentence_of, verdict_of
from .views import drawn_mirrored_iou, mirrored_iou, views_of

if TYPE_CHECKING:
    import trimesh


def assess(
    mesh: trimesh.Trimesh,
    rgb: np.ndarray,
    soft: np.ndarray,
    views: Views | None = None,
    expected: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    device: str = "cpu",
) -> Quality:
    """The Quality of a canonical mesh made from an [H,W,3] uint8 photo and its [H,W] mask.

    Args:
        mesh: as it is before it gets an inside; a thick one is measured too, but its openings can only be counted.
        views: pictures of this garment; None leaves them out, as where they were drawn from this very mesh.
        expected: names of the openings it should have; None takes those that the mask's outline shows.
        progress: told the steps done and their total; it may raise to stop.

    Raises:
        MeshError: no faces, or vertices that are not finite.
        MaskError: an empty mask, or one of another size than the photo.
    """
    count = 0 if views is None else len(views.orbit.cameras)
    told = _steps(progress, 3 + count)
    scene = scene_of(mesh, rgb, soft, device)
    told(1)
    shape = shape_of(scene, _expected(soft) if expected is None else tuple(expected))
    told(2)
    texture = texture_of(scene)
    told(3)
    seen = () if views is None else views_of(scene, views, lambda done, _: told(3 + done))
    pair = Pair(float("nan"), float("nan"))
    if views is not None:
        pair = Pair(mirrored_iou(views), drawn_mirrored_iou(scene, views))
    on_cloth = [*garment_findings(shape), *texture_findings(texture, shape.loops.thick)]
    findings = ordered([*on_cloth, *view_findings(seen, pair)])
    bad = {finding.where for finding in findings}
    return Quality(
        verdict=verdict_of(findings),
        sentence=sentence_of(findings, shape, texture, count),
        findings=findings,
        silhouette_iou=shape.on_photo.iou,
        shape=_shape_figures(shape, pair),
        texture=_texture_figures(texture),
        views=tuple(view_figures(view, where(view) in bad) for view in seen),
        notes=tuple(texture_notes(texture)),
    )


def _steps(progress: Callable[[int, int], None] | None, total: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if progress is not None:
            progress(done, total)

    return told


def _expected(soft: np.ndarray) -> tuple[str, ...] | None:
    """Names of the openings that the mask's outline shows, None where it reads as no garment."""
    try:
        return tuple(span.name for span in find_openings(soft).spans)
    except OutlineError:
        return None


def _shape_figures(shape: Shape, pair: Pair) -> ShapeFigures:
    return ShapeFigures(
        crossing_faces=shape.crossing,
        folded_faces=shape.folded,
        unexpected_loops=len(shape.loops.holes),
        missing_openings=shape.loops.missing,
        mirrored_iou=pair.iou,
        size_error=shape.longest - 1,
    )


def _texture_figures(texture: Texture | None) -> TextureFigures:
    if texture is None:
        return TextureFigures(0.0, 0.0, float("nan"), 0.0, float("nan"), float("nan"), 0.0)
    layout, front = texture.layout, texture.front
    return TextureFigures(
        uv_overlap=layout.overlap,
        uv_outside=layout.outside,
        density_ratio=layout.density_ratio,
        atlas_use=layout.use,
        front_psnr_db=front.psnr_db,
        mirrored_psnr_db=front.mirrored_db,
        halo=texture.halo,
    )


__all__ = ["Finding", "Quality", "assess"]
