"""The garment's shape and colour by whatever there is: its outline, a surface from anywhere, views, a back photo.

A surface or views that nobody asked for and that can't be used are a warning; the garment is whole without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .data import Photo, Views
from .errors import MeshError, UnclearGarment, ViewsError
from .export.report import Fitting, TextureShares
from .garment.openings import Span
from .garment.texture import texture_garment
from .images import read_photo
from .mask.quick import quick_mask

if TYPE_CHECKING:
    import trimesh

    from .engines import Tell
    from .garment.fit import Fitted
    from .garment.hems import Opened
    from .garment.target import Alignment


@dataclass(frozen=True)
class ShapeOptions:
    """How a surface becomes the garment's shape."""

    engine: str = "auto"
    """auto, inflated, fitted or opened; auto fits the shell where there is a surface."""
    front: str = "auto"
    """Which way the surface's front faces: auto, +Z, -Z, +X, -X, +Y or -Y."""
    smoothness: float = 0.5
    """0..1: how little of the surface's unevenness the fitted shell takes."""
    symmetry: float = 0.0
    """0..1: how far left and right are made alike."""
    keep_silhouette: bool = True
    """The outline stays the photo's."""


@dataclass(frozen=True)
class ColourOptions:
    """Where the garment's colours come from beside the photo."""

    back: Path | None = None
    """Photo of the garment's back on a plain or transparent background."""
    size_px: int = 2048
    """Side of the texture."""
    flatten: float = 0.0
    """0..1: how much of the photo's light is taken out of the texture."""


class Target(NamedTuple):
    """A surface that the shell may be fitted to."""

    mesh: trimesh.Trimesh
    name: str
    """A file's name, or triposr."""
    asked: bool
    """False where it is only there: then its failure is a warning."""


class Shape(NamedTuple):
    """The garment's shape, not yet coloured."""

    mesh: trimesh.Trimesh
    engine: str
    """inflated, fitted or opened."""
    fitting: Fitting | None
    warnings: tuple[str, ...]


class Colour(NamedTuple):
    """The garment with its texture."""

    mesh: trimesh.Trimesh
    engine: str
    """photo, and what else gave colours, as photo+back+views."""
    shares: TextureShares
    sources: np.ndarray | None
    """[S,S,3] uint8 picture of where each texel comes from, or None where the plain texture needed no map."""
    warnings: tuple[str, ...]


def check_shape(engine: str, has_target: bool) -> None:
    """Raises MeshError where a shell's engine needs a surface and there is none."""
    if engine in ("fitted", "opened") and not has_target:
        raise MeshError(
            f"The shell can't be {engine} without a surface: give a mesh file with --mesh, or TripoSR with --models."
        )


def shape_of(
    shell: trimesh.Trimesh,
    photo: Photo,
    soft: np.ndarray,
    spans: tuple[Span, ...],
    target: Target | None,
    options: ShapeOptions,
    tell: Tell | None = None,
) -> Shape:
    """The Shape: the shell as it is, fitted to the target, or the target itself with its hems opened."""
    check_shape(options.engine, target is not None)
    if target is None or options.engine == "inflated":
        return Shape(shell, "inflated", None, ())
    try:
        if options.engine == "opened":
            return _opened(photo, soft, spans, target, options)
        return _fitted(shell, photo, soft, target, options, tell)
    except MeshError as error:
        if target.asked:
            raise
        return Shape(shell, "inflated", None, (f"The shell is not fitted to {target.name}: {error}",))


def _fitted(
    shell: trimesh.Trimesh, photo: Photo, soft: np.ndarray, target: Target, options: ShapeOptions, tell: Tell | None
) -> Shape:
    from .garment.fit import FitOptions, fit_shell

    chosen = FitOptions(options.front, options.smoothness, options.symmetry, options.keep_silhouette)
    found = fit_shell(shell, target.mesh, soft, photo.rgb, chosen, tell)
    before, after = found.figures.distance_before, found.figures.distance_after
    return Shape(found.mesh, "fitted", _fitting(target, found.alignment, before, after), _told(found))


def _opened(photo: Photo, soft: np.ndarray, spans: tuple[Span, ...], target: Target, options: ShapeOptions) -> Shape:
    from .garment.hems import open_hems

    found = open_hems(target.mesh, soft, photo.rgb, spans, options.front)
    return Shape(found.mesh, "opened", _fitting(target, found.alignment), _told(found))


def _told(found: Fitted | Opened) -> tuple[str, ...]:
    """The warnings of the alignment and of what followed it, each once."""
    return tuple(dict.fromkeys([*found.alignment.warnings, *found.warnings]))


def _fitting(target: Target, found: Alignment, before: float | None = None, after: float | None = None) -> Fitting:
    return Fitting(
        target.name,
        found.front,
        found.mirrored,
        found.scale,
        found.offset,
        found.turn_deg,
        found.iou,
        before,
        after,
    )


def colour_of(
    shape: Shape,
    photo: Photo,
    soft: np.ndarray,
    views: Views | None,
    options: ColourOptions,
    device: str = "cpu",
    tell: Tell | None = None,
    asked: bool = True,
) -> Colour:
    """The Colour of a shape from its photo, and where there are, views all around and a photo of the back.

    Views that can't be used are left out with a warning where they were not `asked` for.
    """
    try:
        return _coloured(shape, photo, soft, views, options, device, tell)
    except ViewsError as error:
        if asked:
            raise
        plain = _coloured(shape, photo, soft, None, options, device, tell)
        return plain._replace(warnings=(*plain.warnings, f"The views give the garment no colours: {error}"))


def _coloured(
    shape: Shape,
    photo: Photo,
    soft: np.ndarray,
    views: Views | None,
    options: ColourOptions,
    device: str,
    tell: Tell | None,
) -> Colour:
    back = options.back
    rgb, back_soft = (None, None) if back is None else _cut_back(back)
    engine = "+".join(["photo", *(["back"] if back else []), *(["views"] if views else [])])
    if views is None and not options.flatten and shape.engine != "opened":
        done = texture_garment(shape.mesh, photo.rgb, soft, rgb, back_soft, options.size_px, device)
        seen, behind, filled = done.figures[:3]
        shares = TextureShares(seen, behind if back else 0.0, 0.0, filled if back else behind + filled)
        return Colour(done.mesh, engine, shares, None, ())
    from .garment.texture.bake import BakeOptions, bake_texture, source_picture

    chosen = BakeOptions(size=options.size_px, flatten=options.flatten)
    baked = bake_texture(shape.mesh, photo.rgb, soft, views, rgb, back_soft, chosen, device, tell)
    picture = source_picture(baked.source, () if views is None else views.orbit.azimuths_deg)
    return Colour(baked.mesh, engine, _shares(baked.source), picture, baked.warnings)


def _shares(source: np.ndarray) -> TextureShares:
    """Of the covered texels: photo, back photo, filled, and from code 10 on the views."""
    count = np.bincount(source.ravel(), minlength=11).astype(float)
    whole = max(count[1:].sum(), 1.0)
    return TextureShares(*(float(n / whole) for n in (count[1], count[2], count[10:].sum(), count[3])))


def _cut_back(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The photo of the back and its mask."""
    back = read_photo(path)
    try:
        return back.rgb, quick_mask(back.rgb, back.alpha).soft
    except UnclearGarment as error:
        ways = f"give the back photo {path.name} a transparent or plain background"
        raise UnclearGarment(f"The garment's back can't be cut out of its photo: {ways}.") from error
