"""The texture of any mesh from its photo and views of it: one source per region, cloth where nothing sees.

Blending many inconsistent pictures ghosts; so each region shows one of them, and borders alone are blended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import trimesh

from ...camera import photo_camera
from ...data import Views
from ...errors import MeshError
from ...images import check_fits
from ...raster import rasterize
from .atlas import PADDING, TEXELS_AT_ONCE, dressed, texels, widened
from .bake_base import EMPTY, FROM_BACK, FROM_FILL, FROM_PHOTO, FROM_VIEW, Base, Under, base_of, under
from .bake_choose import choose
from .bake_flat import flattened, light_of
from .bake_lens import Lens, lens_of
from .bake_level import level
from .bake_map import source_picture
from .bake_over import Overlay, overlaid
from .bake_skin import Skin, skin_of, spots
from .bake_wound import turned
from .light import Light
from .paint import Surface
from .plate import at_most
from .sources import Prepared, view_sources
from .unwrap import unwrap, usable_uv, uv_per_unit

__all__ = ["BakeFigures", "BakeOptions", "Baked", "bake_texture", "source_picture"]

SIZES = (256, 8192)
LEAST_OVERLAP = 0.3
"""IoU of the mesh's outline and the mask below which the two have nothing to do with each other."""
OUTLINE_PX = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BakeOptions:
    """What a person may choose."""

    size: int = 2048
    """Side of the atlas in texels, 256 to 8192."""
    flatten: float = 0.0
    """How much of the photo's light is taken off, 0 to 1."""
    azimuths_deg: tuple[float, ...] | None = None
    """Which views come first; None is 90, 180 and 270. Others help where those see nothing."""


class BakeFigures(NamedTuple):
    """What the texture is made of; shares are of the covered texels."""

    from_photo: float
    from_back: float
    from_views: float
    filled: float
    views: dict[int, float]
    """Share by view, for every view that is used."""
    largest_step: float
    """Greatest difference between neighbouring sources across a border after levelling, in 8-bit steps."""
    photo_px_per_texel: float
    """Below 1 the photo's own resolution limits the front, above 1 the atlas does."""
    atlas_hw: tuple[int, int]


class Baked(NamedTuple):
    """A textured mesh and where its texture comes from."""

    mesh: trimesh.Trimesh
    source: np.ndarray
    """[S,S] uint8, row 0 at the top: 0 empty, 1 photo, 2 back photo, 3 filled, 10 + k view k."""
    figures: BakeFigures
    warnings: tuple[str, ...]


def bake_texture(
    mesh: trimesh.Trimesh,
    rgb: np.ndarray,
    soft: np.ndarray,
    views: Views | None = None,
    back_rgb: np.ndarray | None = None,
    back_soft: np.ndarray | None = None,
    options: BakeOptions | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Baked:
    """The mesh with one sRGB atlas of `options.size`² and a map of its sources; positions and faces' order stay.

    Args:
        mesh: In the canonical frame of `photo_camera(soft)`; usable uvs of its own are kept, else `unwrap`'s.
        rgb: [H,W,3] uint8 photo.
        soft: [H,W] mask of the garment in it.
        views: Pictures of the same garment; None fills with cloth whatever the photo does not show.
        back_rgb: [H',W',3] uint8 photo of the back with its mask `back_soft`.
        progress: Told the steps done and their total; may raise to stop.

    Raises:
        MeshError, MaskError, ViewsError: a mesh, a mask or views that can't be used.
    """
    options = options or BakeOptions()
    check(mesh, rgb, soft, options)
    flip = turned(np.asarray(mesh.vertices, float), np.asarray(mesh.faces))[:, None]
    mesh = _wound(mesh, flip)
    mesh = mesh if usable_uv(mesh) else unwrap(mesh)
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    uv = np.asarray(mesh.visual.uv, float)  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    texels_per_unit = options.size * uv_per_unit(vertices, faces, uv)
    surface = Surface(vertices, faces, uv, texels_per_unit / options.size)
    back = None if back_rgb is None else (back_rgb, back_soft)
    base = base_of(surface, rgb, soft, back, texels_per_unit)
    skin = skin_of(vertices, faces)
    beneath = under(base, surface, *spots(skin))
    overlay, warnings = None, ()
    if views is not None:
        back_views = None if back_rgb is None or back_soft is None else (back_rgb, back_soft)
        prepared = view_sources(mesh, views, rgb, soft, back_views, device)
        overlay, warnings = _overlay(skin, beneath, prepared, views, options, device), prepared.warnings
    light = light_of(skin, beneath) if options.flatten > 0 else None
    atlas, source = _painted(_Layers(surface, base, skin, overlay, light), options, device, progress)
    step = overlay.levelled.largest_step if overlay else 0.0
    figures = _figures(source, step, photo_camera(soft).focal_px / texels_per_unit)
    as_given = np.where(flip, faces[:, ::-1], faces)
    return Baked(dressed(vertices, as_given, uv, atlas), source, figures, warnings)


def _wound(mesh: trimesh.Trimesh, flip: np.ndarray) -> trimesh.Trimesh:
    """The mesh with the [F,1] faces turned, its uv kept."""
    if not flip.any():
        return mesh
    faces = np.where(flip, np.asarray(mesh.faces)[:, ::-1], np.asarray(mesh.faces))
    visual = None if mesh.visual is None else mesh.visual.copy()
    return trimesh.Trimesh(mesh.vertices, faces, visual=visual, process=False)


class _Layers(NamedTuple):
    """All that a texel's colour depends on."""

    surface: Surface
    base: Base
    skin: Skin
    overlay: Overlay | None
    light: Light | None


def check(mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, options: BakeOptions) -> None:
    """Raises what is wrong with the inputs, in one sentence."""
    if not SIZES[0] <= options.size <= SIZES[1]:
        raise ValueError(f"The texture size is {options.size}; it must be {SIZES[0]} to {SIZES[1]}.")
    if not 0 <= options.flatten <= 1:
        raise ValueError(f"The flattening is {options.flatten}; it must be 0 to 1.")
    check_fits(soft, rgb)
    if len(mesh.faces) < 2 or not np.isfinite(mesh.vertices).all() or not mesh.area > 0:
        raise MeshError(
            f"A mesh of {len(mesh.vertices)} vertices, {len(mesh.faces)} faces and area {mesh.area:.3g} "
            "can't be textured; give one with faces and finite vertices."
        )
    camera = at_most(photo_camera(soft), OUTLINE_PX)
    outline = (rasterize(np.asarray(mesh.vertices), np.asarray(mesh.faces), camera).face >= 0).float()
    given = torch.nn.functional.interpolate(torch.as_tensor(soft)[None, None].float(), size=camera.hw, mode="area")
    both = float(torch.minimum(outline, given[0, 0]).sum() / torch.maximum(outline, given[0, 0]).sum())
    if both < LEAST_OVERLAP:
        raise MeshError(
            f"The mesh has no overlap with the photo to speak of ({both:.0%} of both outlines): give the photo and "
            "mask that it was made from, and the mesh in the canonical frame (longest side 1, centred, front +Z)."
        )


def _overlay(
    skin: Skin, beneath: Under, prepared: Prepared, views: Views, options: BakeOptions, device: str | torch.device
) -> Overlay:
    """The views over the base: which faces show which, and how they meet."""
    sources, numbers = prepared.sources, _numbers(prepared, views)

    def lens(index: int) -> Lens:
        return lens_of(sources[index], numbers[index], skin.points, skin.faces, device)

    chosen = choose(skin, beneath, sources, lens, options.azimuths_deg)
    return Overlay(skin, chosen, level(skin, chosen))


def _numbers(prepared: Prepared, views: Views) -> list[int]:
    """Which of the views each source is: sources keep their order, and views of nothing are left out."""
    numbers, azimuths = [], views.orbit.azimuths_deg
    following = 0
    for source in prepared.sources:
        following = next(k for k in range(following, len(azimuths)) if azimuths[k] == source.azimuth_deg)
        numbers.append(following)
        following += 1
    return numbers


def _painted(
    layers: _Layers, options: BakeOptions, device: str | torch.device, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """[S,S,3] uint8 atlas and [S,S] uint8 source map."""
    size, (surface, base, skin, overlay, light) = options.size, layers
    atlas, source = np.zeros((size * size, 3), np.uint8), np.full(size * size, EMPTY, np.uint8)
    total = -(-size // max(1, TEXELS_AT_ONCE // size))
    for done, band in enumerate(texels(surface.uv, surface.faces, size, device), 1):
        index = band.index.cpu().numpy()
        face, bary = band.face.cpu(), band.bary.cpu()
        shown = under(base, surface, face, bary)
        if overlay is not None:
            shown = overlaid(overlay, shown, face, bary)
        if light is not None:
            shown = flattened(light, options.flatten, skin, shown, face, bary)
        atlas[index], source[index] = shown.colors.numpy(), shown.code.numpy()
        if progress is not None:
            progress(done, total)
    source = source.reshape(size, size)
    return widened(atlas.reshape(size, size, 3), source != EMPTY, round(PADDING * size)), source


def _figures(source: np.ndarray, largest_step: float, photo_px_per_texel: float) -> BakeFigures:
    count = np.bincount(source.ravel(), minlength=256)
    share = count / max(int(count[FROM_PHOTO:].sum()), 1)
    views = {k: float(share[FROM_VIEW + k]) for k in range(256 - FROM_VIEW) if share[FROM_VIEW + k] > 0}
    return BakeFigures(
        float(share[FROM_PHOTO]),
        float(share[FROM_BACK]),
        sum(views.values()),
        float(share[FROM_FILL]),
        views,
        largest_step,
        photo_px_per_texel,
        source.shape,
    )
