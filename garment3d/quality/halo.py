"""Does the background show along a garment's outline: how far the cloth there leans to the background's colour.

The rim is held against the cloth just inside of it, place by place: a white collar or a light side is no halo.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..garment.texture.unwrap import uv_camera
from ..raster import rasterize
from .scene import Scene, numbers, outline_of, uv_of

ATLAS_PX = 1024
RIM = 0.004
"""How far inside the outline, as a part of the longest side, the rim ends, ..."""
INNER = ((0.008, 0.02), (0.02, 0.05))
"""... and where the cloth lies that it is held against: near, for a trim's sake, and beyond any wide halo."""
INNER_VIEW = 0.05
CELL = 0.06
"""Length of the places that are compared one by one."""
LEAST_CONTRAST = 0.28
"""Where cloth and background are nearer than this, sRGB in 0..1, no halo can be seen and none is looked for."""
LEAST_CHANGE = 0.07
"""A rim that differs by less than this from the cloth inside is nothing that anybody sees."""
LEAST_ON_CLOTH = 0.2
"""The same of a texture: the photo's shade falls towards the outline, and light cloth is lighter again behind it."""
LEAST_PLACES = 0.3
"""Share of the places along the outline that must have the contrast."""
LEAST_SAMPLES = 12
"""Per place, of the rim and of the cloth inside."""


class _Cells(NamedTuple):
    count: np.ndarray
    mean: np.ndarray


class _Look(NamedTuple):
    """How closely one looks."""

    least_change: float
    share: float
    """The lean that this share of the places stays below counts for all."""


ON_CLOTH = _Look(LEAST_ON_CLOTH, 1 / 3)
"""A halo is everywhere along the outline, the light stripes of a pattern are not."""
IN_VIEW = _Look(LEAST_CHANGE, 0.5)


def lean(rim: np.ndarray, inner: np.ndarray, background: np.ndarray, least_change: float = LEAST_CHANGE) -> np.ndarray:
    """[N] how far [N,3] colours have gone from `inner` to the background, 0 not at all, 1 all the way; nan unseen."""
    way = background - inner
    length = np.linalg.norm(way, axis=-1)
    share = ((rim - inner) * way).sum(-1) / np.maximum(length, 1e-6) ** 2
    share = np.where(share * length >= least_change, share, np.minimum(share, 0))
    return np.where(length >= LEAST_CONTRAST, share, np.nan)


def texture_halo(scene: Scene) -> float:
    """How far the texture leans to the photo's background all along the outline, front, back and flanks; 0 for none.

    What a third of the places stay below counts, as a halo is everywhere and the light stripes of a pattern are not;
    0 too where cloth and background are too much alike to tell.
    """
    from scipy.ndimage import distance_transform_edt, map_coordinates

    outside = ~scene.solid
    if not outside.any() or scene.model.texture is None:
        return 0.0
    background = np.median(scene.rgb[outside], 0)
    point, colour, towards = _texels(scene)
    focal, (cx, cy) = scene.camera.focal_px, scene.camera.center_px
    depth = distance_transform_edt(outline_of(scene.front)) - 0.5
    where = np.stack([cy - point[:, 1] * focal - 0.5, cx + point[:, 0] * focal - 0.5])
    depth = map_coordinates(depth, where, order=1, mode="nearest") / focal
    cell = np.floor(point[:, :2] / CELL).astype(int) + 64
    key = (cell[:, 0] * 256 + cell[:, 1]) * 2 + (towards > 0)
    return max(_typical(key, depth, colour, background, RIM, inner, ON_CLOTH) for inner in INNER)


def mask_halo(scene: Scene) -> float:
    """The same of the photo itself: a mask drawn wide takes background in, which a texture may hide under its fill."""
    outside = ~scene.solid
    if not outside.any() or not scene.solid.any():
        return 0.0
    return picture_halo(scene.rgb, scene.solid, np.median(scene.rgb[outside], 0), scene.camera.focal_px, ON_CLOTH)


def picture_halo(
    rgb: np.ndarray, solid: np.ndarray, background: np.ndarray, unit_px: float, look: _Look = IN_VIEW
) -> float:
    """The same of a [H,W,3] picture whose garment is `solid` and `unit_px` pixels long: of a view, the median."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(solid)
    row, column = np.nonzero((depth > 0) & (depth <= INNER_VIEW * unit_px + 2))
    side = max(CELL * unit_px, 4.0)
    key = (row / side).astype(int) * 4096 + (column / side).astype(int)
    rim, inner = max(RIM * unit_px, 2.0), (4.0, max(INNER_VIEW * unit_px, 8.0))
    return _typical(key, depth[row, column], rgb[row, column], background, rim, inner, look)


def _typical(
    key: np.ndarray,
    depth: np.ndarray,
    colour: np.ndarray,
    background: np.ndarray,
    rim: float,
    inner: tuple[float, float],
    look: _Look,
) -> float:
    """The lean over the places (keys) that have samples of both rim and inner cloth; 0 where there are none."""
    _, place = np.unique(key, return_inverse=True)
    size = int(place.max(initial=-1)) + 1
    outer = _means(place, colour, depth <= rim, size)
    within = _means(place, colour, (depth >= inner[0]) & (depth <= inner[1]), size)
    both = (outer.count >= LEAST_SAMPLES) & (within.count >= LEAST_SAMPLES)
    found = lean(outer.mean[both], within.mean[both], background, look.least_change)
    known = found[~np.isnan(found)]
    return float(np.quantile(known, look.share)) if len(known) > LEAST_PLACES * len(found) else 0.0


def _means(place: np.ndarray, colour: np.ndarray, chosen: np.ndarray, size: int) -> _Cells:
    count = np.bincount(place[chosen], minlength=size)
    total = np.stack([np.bincount(place[chosen], channel[chosen], size) for channel in colour.T], 1)
    return _Cells(count, total / np.maximum(count, 1)[:, None])


def _texels(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[N,3] canonical points, [N,3] colours in 0..1 and [N] z of the face normals of the covered texels."""
    model, uv = scene.model, uv_of(scene)
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], 1)
    seen = rasterize(flat, model.faces, uv_camera(ATLAS_PX))
    face, bary = numbers(seen.face), numbers(seen.bary)
    row, column = np.nonzero(face >= 0)
    face, bary = face[row, column], bary[row, column]
    corners = model.vertices[model.faces]
    point = (corners[face] * bary[..., None]).sum(1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return point, _picked(scene, row, column), normal[face, 2]


def _picked(scene: Scene, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """[N,3] colours of the texture at places of a picture of ATLAS_PX."""
    texture = scene.model.texture
    assert texture is not None
    width, height = texture.wh[0].tolist()
    x, y = ((column + 0.5) * width / ATLAS_PX).astype(int), ((row + 0.5) * height / ATLAS_PX).astype(int)
    rgba = numbers(texture.texels[: width * height]).view(np.uint8).reshape(height, width, 4)
    return rgba[y, x, :3] / np.float32(255)
