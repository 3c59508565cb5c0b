"""What an assessment of a garment says: figures, findings with a name each, and the verdict that follows from them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["fail", "warn"]
Verdict = Literal["good", "check", "reject"]


class Finding(NamedTuple):
    """One thing that is wrong, or may be."""

    fault: str
    """One of the names in FAULTS."""
    severity: Severity
    """A fail rejects the garment, a warn asks a person to look."""
    where: str
    """Such as "front", "view 140°", "atlas", "mesh"."""
    value: float
    """What was measured."""
    limit: float
    """What it was held against."""
    sentence: str
    """For a person: what is wrong, with the values, and what to do."""


class ViewFigures(NamedTuple):
    """How one orbit view agrees with the garment drawn from its camera."""

    azimuth_deg: float
    silhouette_iou: float
    shift_px: tuple[float, float]
    """Right and down: how far the view's outline lies beside the garment's, in pixels of the view."""
    scale: float
    """The view's outline is so many times as large as the garment's."""
    colour_drift: float
    """CIE76 ΔE of the view's mean cloth colour from the photo's."""
    seed: int | None
    """Of the noise it was painted from; None for a view that was not painted."""
    bad: bool
    """Worth making again."""


class ShapeFigures(NamedTuple):
    """Counts and sizes of the mesh beside those of `soundness.MeshChecks`."""

    crossing_faces: int
    folded_faces: int
    unexpected_loops: int
    """Boundary loops that are no opening: holes."""
    missing_openings: tuple[str, ...]
    """Openings that the outline shows and the mesh has not."""
    mirrored_iou: float
    """Silhouette from the front against the mirrored one from the back, perspective views if there are, 0..1."""
    size_error: float
    """Longest side over the one it should have, less 1."""


class TextureFigures(NamedTuple):
    """The uv layout and the colours."""

    uv_overlap: float
    """Share of the covered texels that more than one triangle covers."""
    uv_outside: float
    """Share of uv coordinates outside [0, 1]²."""
    density_ratio: float
    """99.9th over 0.1th percentile of texels per area."""
    atlas_use: float
    """Share of the atlas that is covered."""
    front_psnr_db: float
    """The garment drawn from the photo's camera against the photo; nan without texture."""
    mirrored_psnr_db: float
    """The same against the mirrored photo."""
    halo: float
    """How far the cloth along the outline leans to the photo's background colour, 0 none, 1 all of it."""


class Quality(NamedTuple):
    """The assessment of a garment."""

    verdict: Verdict
    sentence: str
    """The verdict in words, with the worst finding first."""
    findings: tuple[Finding, ...]
    """The worst first; empty for a garment without fault."""
    silhouette_iou: float
    """Against the photo's mask."""
    shape: ShapeFigures
    texture: TextureFigures
    views: tuple[ViewFigures, ...]
    """In the orbit's order; empty without views."""

    @property
    def worst(self) -> tuple[float, ...]:
        """Azimuths of the views worth making again, the worst first."""
        bad = [view for view in self.views if view.bad]
        return tuple(view.azimuth_deg for view in sorted(bad, key=lambda view: view.silhouette_iou))
