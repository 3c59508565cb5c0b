"""The whole route in one place: a photo in, a textured open garment with views out; saving is a step of its own.

Each stage is one function of the library, used here exactly as anyone else would use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .camera import orbit, orbit_radius
from .data import Opening, Photo, Views
from .engines import MODELS, Cut, Models, cut_out, picks_triposr, picks_zero123, triposr_surface, zero123_views
from .errors import SurfaceError, WeightsError
from .export.clock import Clock, Progress
from .export.figures import Figures, figures
from .export.mesh import class_length_cm
from .export.report import Engines, ModelUse
from .export.result import Result
from .garment.openings import Outline, Span, find_openings, openings
from .garment.shell import garment_shell
from .garment.solidify import solidify
from .images import read_mask, read_photo
from .meshes import read_mesh
from .quality.assess import assess
from .quality.findings import Quality
from .quality.redo import redo_worst
from .quality.verdict import with_warnings
from .stages import ColourOptions, Shape, ShapeOptions, Target, check_shape, colour_of, shape_of
from .views.folder import read_views
from .views.rendered import rendered_orbit

if TYPE_CHECKING:
    import trimesh

UNSURE = 0.5
"""Below this confidence of the mask's engine the person is asked to look at it."""


@dataclass(frozen=True)
class Settings:
    """Everything about a run that a person may choose."""

    mask: Path | None = None
    """Mask file of the photo's size; None cuts the garment out."""
    box: tuple[int, int, int, int] | None = None
    """x0, y0, x1, y1 in pixels around the garment, for the quick mask or SAM."""
    target: Path | None = None
    """Mesh file of this garment from any source, whose shape the shell takes instead of TripoSR's."""
    shape: ShapeOptions = field(default_factory=ShapeOptions)
    """How a surface, from a file or by TripoSR, becomes the garment's shape."""
    views: Path | None = None
    """Folder of pictures from all around, for the texture of the sides and the back."""
    back: Path | None = None
    """Photo of the garment's back on a plain or transparent background."""
    texture_px: int = 2048
    flatten: float = 0.0
    """0..1: how much of the photo's light is taken out of the texture."""
    thickness_mm: float = 0.0
    """Above 0 the cloth gets an inside, so far within."""
    step_deg: float = 20.0
    elevation_deg: float = 0.0
    view_px: int = 512
    triangles: int = 20_000
    length_cm: float | None = None
    """Vertical extent of the garment; None takes the usual length of its class."""
    device: str = "cpu"
    """Where the models run and the pictures are drawn: cpu, cuda, …"""
    models: Path | None = None
    """A ComfyUI models folder; None uses no model files."""
    engine_mask: str = "auto"
    """auto, quick, sam or clothes; auto takes what is on disk."""
    engine_views: str = "auto"
    """auto, rendered or zero123."""
    engine_surface: str = "auto"
    """auto, none or triposr."""
    prompt: str = ""
    """JSON of points and a box for SAM, in pixels of the upright photo."""
    garment: str = ""
    """Which of the worn garments the clothes parser takes: upper, coat, dress, …; empty takes the largest."""
    steps: int = 50
    """Denoising steps of Zero123."""
    seed: int = 0
    """Of Zero123's noise: the same seed gives the same pictures."""
    redo_views: int = 0
    """How often the views that don't fit the garment are painted again, each time with other noise."""
    resolution: int = 256
    """Samples per axis of TripoSR's surface."""
    threshold: float = 25.0
    """Density at which TripoSR's surface is cut."""

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines asked for, in the order of the route; a mask that is given needs none."""
        mask = () if self.mask else (self.engine_mask, "clothes" if self.garment else "auto")
        return (*mask, self.engine_views, self.engine_surface)

    @property
    def asks_for_views(self) -> bool:
        """Whether views that show nothing are an error; else the texture does without them, and says so."""
        return self.views is not None or self.engine_views == "zero123"

    @property
    def colour(self) -> ColourOptions:
        """What the texture's stage takes."""
        return ColourOptions(self.back, self.texture_px, self.flatten)


def run(
    path: str | Path,
    settings: Settings | None = None,
    progress: Progress | None = None,
    models: Models | None = None,
) -> Result:
    """The Result of one photo file; what a stage can't take raises a GarmentError with one sentence.

    Args:
        models: what an earlier photo's run has read already; None reads what this one needs.
    """
    settings = settings or Settings()
    models = models or Models(settings.models, settings.device)
    models.require(settings.engines)  # before the minutes that lead up to the first use
    check_shape(settings.shape.engine, settings.target is not None or picks_triposr(settings.engine_surface, models))
    clock = Clock(progress)
    with clock.stage("read"):
        photo = read_photo(path)
        given = _given(settings)
    with clock.stage("mask"):
        mask = _mask(photo, settings, models)
    with clock.stage("shell"):
        outline = find_openings(mask.soft)
        shell = garment_shell(mask.soft, photo.rgb, outline.spans, settings.triangles)
    surface, no_surface = _surface(photo, mask.soft, given, settings, models, clock)
    shape = _shape(shell, photo, mask.soft, outline.spans, given, surface, settings, clock)
    painted = _painted(photo, mask.soft, shape.mesh, given, settings, models, clock)
    with clock.stage("texture") as tell:
        shown, asked = given.views or painted, settings.asks_for_views
        colour = colour_of(shape, photo, mask.soft, shown, settings.colour, settings.device, tell, asked)
    views = painted or _drawn(colour.mesh, settings, clock)
    checked = _checked(colour.mesh, photo, mask.soft, outline, shown, settings, clock)
    ran = "triposr" if surface else "none", "zero123" if painted else "rendered"
    engines = Engines(mask.engine, shape.engine, colour.engine, *ran)
    found = _warnings(mask, checked.figures, checked.openings, outline.spans)
    warned = (mask.warning, *given.warnings, *shape.warnings, *colour.warnings, *found, no_surface, _unseen(views))
    told = tuple(filter(None, warned))
    return Result(
        name=Path(path).name,
        photo=photo,
        soft=mask.soft,
        mask_confidence=mask.confidence,
        mesh=_with_inside(colour.mesh, settings.thickness_mm, checked.length_cm),
        layer=colour.mesh,
        surface=surface,
        views=views,
        openings=checked.openings,
        garment_class=outline.garment_class,
        length_cm=checked.length_cm,
        engines=engines,
        models=_uses(engines, settings, models),
        fitting=shape.fitting,
        texture_shares=colour.shares,
        texture_sources=colour.sources,
        figures=checked.figures,
        quality=with_warnings(checked.quality, told),
        assessed=shown,
        seconds=clock.seconds,
        warnings=told,
    )


class _Given(NamedTuple):
    """What the person brought beside the photo."""

    target: Target | None
    views: Views | None
    warnings: tuple[str, ...]


def _given(settings: Settings) -> _Given:
    views = None if settings.views is None else read_views(settings.views)
    if settings.target is None:
        return _Given(None, views, ())
    found = read_mesh(settings.target)
    return _Given(Target(found.mesh, settings.target.name, True), views, found.warnings)


def _mask(photo: Photo, settings: Settings, models: Models) -> Cut:
    if settings.mask is not None:
        return Cut(read_mask(settings.mask, (photo.rgb.shape[0], photo.rgb.shape[1])), "file", None)
    return cut_out(photo, settings.engine_mask, models, settings.box, settings.prompt, settings.garment)


def _surface(
    photo: Photo, soft: np.ndarray, given: _Given, settings: Settings, models: Models, clock: Clock
) -> tuple[trimesh.Trimesh | None, str]:
    """TripoSR's mesh, or None and why: without it the garment is whole, so only who asked for it loses the run."""
    asked = settings.engine_surface == "triposr"
    if not picks_triposr(settings.engine_surface, models) or (given.target is not None and not asked):
        return None, ""
    with clock.stage("surface") as tell:
        try:
            return triposr_surface(photo, soft, models, settings.resolution, settings.threshold, tell).mesh, ""
        except (SurfaceError, WeightsError) as error:
            if asked:
                raise
            return None, f"There is no surface by TripoSR: {error}"


def _shape(
    shell: trimesh.Trimesh,
    photo: Photo,
    soft: np.ndarray,
    spans: tuple[Span, ...],
    given: _Given,
    surface: trimesh.Trimesh | None,
    settings: Settings,
    clock: Clock,
) -> Shape:
    """The garment's shape by the given mesh, else by TripoSR's, else the shell's own."""
    target = given.target
    if target is None and surface is not None:
        target = Target(surface, "triposr", settings.shape.engine != "auto")
    if target is None or settings.shape.engine == "inflated":
        return shape_of(shell, photo, soft, spans, None, settings.shape)
    with clock.stage("fit") as tell:
        return shape_of(shell, photo, soft, spans, target, settings.shape, tell)


def _painted(
    photo: Photo,
    soft: np.ndarray,
    mesh: trimesh.Trimesh,
    given: _Given,
    settings: Settings,
    models: Models,
    clock: Clock,
) -> Views | None:
    """The views that Zero123 imagines, or None: where views are given, it paints only if it is named."""
    asked = settings.engine_views == "zero123"
    if not picks_zero123(settings.engine_views, models) or (given.views is not None and not asked):
        return None
    with clock.stage("views") as tell:

        def paint(azimuths_deg: tuple[float, ...] | None, seed: int) -> Views:
            around = orbit(settings.step_deg, settings.elevation_deg, hw=(256, 256), azimuths_deg=azimuths_deg)
            return zero123_views(photo, soft, around, models, settings.steps, seed, tell)

        def judge(views: Views) -> Quality:
            return assess(mesh, photo.rgb, soft, views, device=settings.device)

        views = paint(None, settings.seed)
        if not settings.redo_views:
            return views
        return redo_worst(views, judge(views), paint, judge, settings.redo_views, settings.seed + 1).views


class _Checked(NamedTuple):
    """What was measured on the finished garment."""

    length_cm: float
    openings: tuple[Opening, ...]
    """From the top down."""
    figures: Figures
    quality: Quality


def _checked(
    mesh: trimesh.Trimesh,
    photo: Photo,
    soft: np.ndarray,
    outline: Outline,
    views: Views | None,
    settings: Settings,
    clock: Clock,
) -> _Checked:
    """Measures the garment of one layer; views that were drawn from it tell nothing about it and are left out."""
    with clock.stage("check") as tell:
        length_cm = settings.length_cm or class_length_cm(outline.garment_class)
        named = tuple(sorted(openings(mesh), key=lambda opening: -opening.anchor[1]))
        measured = figures(mesh, photo.rgb, soft, length_cm)
        expected = tuple(span.name for span in outline.spans)
        quality = assess(mesh, photo.rgb, soft, views, expected, tell, settings.device)
    return _Checked(length_cm, named, measured, quality)


def _drawn(mesh: trimesh.Trimesh, settings: Settings, clock: Clock) -> Views:
    with clock.stage("views") as tell:
        radius = orbit_radius(np.asarray(mesh.vertices), settings.elevation_deg)
        around = orbit(settings.step_deg, settings.elevation_deg, radius, hw=(settings.view_px, settings.view_px))
        return rendered_orbit(mesh, around, device=settings.device, progress=tell)


def _with_inside(mesh: trimesh.Trimesh, thickness_mm: float, length_cm: float) -> trimesh.Trimesh:
    """The mesh with an inside, that far within once the garment is `length_cm` high; 0 leaves it one layer."""
    if not thickness_mm:
        return mesh
    return solidify(mesh, thickness_mm / 10 / length_cm * float(np.ptp(np.asarray(mesh.vertices)[:, 1])))


def _unseen(views: Views) -> str:
    """A warning of the views in which no garment could be told from the background, or nothing."""
    empty = [f"{a:g}°" for a, m in zip(views.orbit.azimuths_deg, views.masks, strict=True) if not (m >= 0.5).any()]
    return f"No garment can be told from the background in the views from {', '.join(empty)}." if empty else ""


def _uses(engines: Engines, settings: Settings, models: Models) -> tuple[ModelUse, ...]:
    """The models behind the engines, in the order of the route."""
    repeat = {
        "triposr": {"resolution": settings.resolution, "threshold": settings.threshold},
        "zero123": {"steps": settings.steps, "seed": settings.seed},
    }
    ran = [*engines.mask.split("+"), engines.surface, engines.views]
    return tuple(ModelUse(m, models.file(m), repeat.get(m, {})) for m in ran if m in MODELS)


def _warnings(mask: Cut, measured: Figures, named: Sequence[Opening], spans: Sequence[Span]) -> tuple[str, ...]:
    found = []
    on_mesh, on_outline = (", ".join(sorted(o.name for o in some)) for some in (named, spans))
    if mask.confidence is not None and mask.confidence < UNSURE:
        found.append(f"The mask is unsure ({mask.confidence:.2f}): look at mask.png, or give a mask or a box.")
    if measured.checks.components > 1:
        found.append(f"The garment has {measured.checks.components} pieces instead of one: look at mask.png.")
    if on_mesh != on_outline:
        found.append(f"The outline shows {on_outline or 'no opening'}, but the garment is open at {on_mesh or 'none'}.")
    if measured.likeness.silhouette_iou < 0.97:
        found.append(f"The garment covers its mask to {100 * measured.likeness.silhouette_iou:.1f} % only (IoU).")
    return tuple(found)
