"""What an assessment of a garment says: figures, findings with a name each, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Severity = Literal["fail", "warn"]
Verdict = Literal["good", "check", "reject"]

FAULTS: Mapping[str, str] = {
    # of the mesh
    "flipped_normals": "Faces look inwards, or against the cloth around them: they vanish or turn black in an engine.",
    "hole": "The cloth has a hole that is no opening.",
    "missing_opening": "The outline shows an opening that the mesh has not: nobody can wear it there.",
    "wrong_scale": "The garment is larger or smaller than it has to be.",
    "misplaced": "The garment lies beside its photo.",
    "wrong_outline": "Seen from the front, the garment has another outline than in the photo.",
    "self_intersection": "The cloth cuts through itself.",
    "non_manifold": "Three faces or more meet in one edge, or two sheets in one point.",
    "degenerate": "Faces of no area.",
    "loose_piece": "The garment is in more than one piece.",
    "wrong_mask": "The mask takes in background: it is another photo's, a box, or drawn far too wide.",
    "warned": "The run itself had a warning.",
    # of its texture
    "mirrored_texture": "The texture is the wrong way round: a print reads mirrored, or front and back are exchanged.",
    "wrong_texture": "The front does not show what the photo shows.",
    "no_texture": "The garment has no texture.",
    "white_halo": "The background shows along the garment's outline, on its texture or in a view.",
    "uv_overlap": "Two parts of the cloth share one place in the texture.",
    "uv_outside": "Parts of the cloth lie outside the texture.",
    "uv_stretched": "Some cloth has far fewer texels than the rest.",
    "atlas_waste": "Most of the texture is empty.",
    # of its views
    "shifted_view": "A view shows the garment beside its place.",
    "scaled_view": "A view shows the garment too large or too small.",
    "wrong_view": "A view shows another shape, or the garment from another side.",
    "empty_view": "A view shows no garment.",
    "front_back": "The views of front and back have outlines that can't belong together.",
    "colour_drift": "A view shows the cloth in another colour.",
    "colour_cast": "All views together show the cloth in another colour than the photo.",
}
"""What each fault's name means, in the order of the assessment: mesh, texture, views."""


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

    @property
    def of_views(self) -> bool:
        """Whether a view is meant, or all of them, and not the garment."""
        return self.where.startswith("view")


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
    notes: tuple[str, ...] = ()
    """What could not be told, and why; such as a mirrored texture on cloth that looks the same both ways."""

    @property
    def garment_findings(self) -> tuple[Finding, ...]:
        """The findings on the garment itself; those on its views can be mended without it."""
        return tuple(finding for finding in self.findings if not finding.of_views)

    @property
    def worst(self) -> tuple[float, ...]:
        """Azimuths of the views worth making again, the worst first."""
        bad = [view for view in self.views if view.bad]
        return tuple(view.azimuth_deg for view in sorted(bad, key=lambda view: view.silhouette_iou))
