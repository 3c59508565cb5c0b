"""The views in figures: each held against the garment drawn from its own camera, in outline and in colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from ..camera import project, unproject
from ..data import Camera, Views
from ..metrics import mask_iou
from ..raster import visible
from ..render import Picture, draw
from .colour import Drift, drift
from .halo import picture_halo
from .outlines import Placed, centred, placed, smaller
from .scene import Scene, colours_of, numbers, outline_of

VIEW_PX = 256
"""Views are compared at about this size."""
SURE = 0.98
"""Mask above which a pixel is all cloth."""
RIM_PX = 2
FRONT_RIM = 0.02
"""Cloth nearer to the photo's outline than this part of the longest side is not compared in colour."""
BIAS = 0.012
LEAST_SHARE = 0.15
"""Of a view's cloth, that the photo has to see for it to be the one to compare with."""


class View(NamedTuple):
    """What was measured of one view."""

    azimuth_deg: float
    seed: int | None
    placed: Placed
    """Its outline on the garment's, in pixels of the view itself."""
    size_px: float
    """Longest side of the garment in it."""
    like_deg: float
    """Azimuth of the orbit from where the garment's outline is most like the view's, wherever it lies ..."""
    like_iou: float
    own_iou: float
    """... and how like they are there and at the view's own azimuth."""
    drift: Drift
    halo: float


class _Small(NamedTuple):
    """A view and the garment from the same camera, both small."""

    rgb: np.ndarray
    soft: np.ndarray
    drawn: Picture
    camera: Camera
    factor: int


def views_of(scene: Scene, views: Views, progress: Callable[[int, int], None] | None = None) -> tuple[View, ...]:
    """One View per picture, in the orbit's order."""
    count = len(views.orbit.cameras)
    smalls = []
    for i in range(count):
        smalls.append(_small(scene, views, i))
        if progress is not None:
            progress(i + 1, count)
    likeness = _likeness(smalls)
    return tuple(_view(scene, views, i, small, likeness) for i, small in enumerate(smalls))


def mirrored_iou(views: Views) -> float:
    """IoU of the view from the front and the mirrored one from the back; nan where one of them is not there."""
    azimuths = [a % 360 for a in views.orbit.azimuths_deg]
    if 0.0 not in azimuths or 180.0 not in azimuths:
        return float("nan")
    front, back = (numbers(views.masks[azimuths.index(a)]) >= 0.5 for a in (0.0, 180.0))
    return mask_iou(front, back[:, ::-1])


def drawn_mirrored_iou(scene: Scene, views: Views) -> float:
    """The same of the garment drawn from those cameras: what perspective leaves."""
    azimuths = [a % 360 for a in views.orbit.azimuths_deg]
    if 0.0 not in azimuths or 180.0 not in azimuths:
        return float("nan")
    cameras = [views.orbit.cameras[azimuths.index(a)] for a in (0.0, 180.0)]
    front, back = (outline_of(draw(scene.model, smaller(c, _factor(c.hw)), supersample=1)) for c in cameras)
    return mask_iou(front, back[:, ::-1])


def _factor(hw: tuple[int, int]) -> int:
    return max(round(max(hw) / VIEW_PX), 1)


def _small(scene: Scene, views: Views, index: int) -> _Small:
    camera = views.orbit.cameras[index]
    factor = _factor(camera.hw)
    rgb, soft = _pooled(views.images[index], factor), _pooled(views.masks[index][..., None], factor)[..., 0]
    camera = smaller(camera, factor)
    return _Small(rgb, soft, draw(scene.model, camera, supersample=1), camera, factor)


def _pooled(picture: torch.Tensor, factor: int) -> np.ndarray:
    """[h,w,C] means of factor × factor pixels of [H,W,C]; the last row and column may be of fewer."""
    channels = picture.detach().float().permute(2, 0, 1)[None]
    small = avg_pool2d(channels, factor, ceil_mode=True, count_include_pad=False) if factor > 1 else channels
    return numbers(small[0].permute(1, 2, 0)).copy()


def _likeness(smalls: list[_Small]) -> np.ndarray:
    """[V,V] IoU of each view's outline with the garment's from every azimuth, size and place apart."""
    seen, wanted = (
        np.stack([centred(o).ravel() for o in outlines]).astype(np.float32)
        for outlines in ([s.soft >= 0.5 for s in smalls], [outline_of(s.drawn) for s in smalls])
    )
    shared = seen @ wanted.T
    return shared / np.maximum(seen.sum(1)[:, None] + wanted.sum(1) - shared, 1)


def _view(scene: Scene, views: Views, index: int, small: _Small, likeness: np.ndarray) -> View:
    solid, wanted = small.soft >= 0.5, outline_of(small.drawn)
    lies = placed(solid, wanted)
    shift_px = (lies.shift_px[0] * small.factor, lies.shift_px[1] * small.factor)
    extent = [np.ptp(np.nonzero(wanted)[k]) + 1 if wanted.any() else 0 for k in (0, 1)]
    best = int(likeness[index].argmax())
    away = small.soft <= 1 - SURE
    background = np.median(small.rgb[away], 0) if away.any() else np.ones(3)
    return View(
        azimuth_deg=views.orbit.azimuths_deg[index],
        seed=None if views.seeds is None else views.seeds[index],
        placed=lies._replace(shift_px=shift_px),
        size_px=float(max(extent)) * small.factor,
        like_deg=views.orbit.azimuths_deg[best],
        like_iou=float(likeness[index, best]),
        own_iou=float(likeness[index, index]),
        drift=_drift(scene, small),
        halo=_halo(small, background, float(max(extent))),
    )


def _halo(small: _Small, background: np.ndarray, unit_px: float) -> float:
    """How far the view's rim leans to its background; 0 before a darker one, where a round side's shade does the same.

    A picture that was cut out has black around it.
    """
    cloth = small.soft >= SURE
    if not cloth.any() or background.mean() < small.rgb[cloth].mean():
        return 0.0
    return picture_halo(small.rgb, cloth, background, unit_px)


def _drift(scene: Scene, small: _Small) -> Drift:
    """The view's colour against the photo's where both see the front, else against the garment's own."""
    from scipy.ndimage import binary_erosion

    both = binary_erosion((small.soft >= SURE) & outline_of(small.drawn), iterations=RIM_PX)
    row, column = np.nonzero(both)
    if not len(row):
        return Drift(float("nan"), (0.0, 0.0, 0.0))
    depth = numbers(small.drawn.depth)[row, column]
    points = unproject(small.camera, np.stack([column, row], 1) + 0.5, depth)
    seen = visible(points, scene.camera, scene.front.depth, BIAS).cpu().numpy()
    at, _ = project(scene.camera, points)
    x, y = np.floor(at).astype(int).T
    seen &= (x >= 0) & (y >= 0) & (x < scene.solid.shape[1]) & (y < scene.solid.shape[0])
    inner = binary_erosion(scene.solid, iterations=max(round(FRONT_RIM * scene.camera.focal_px), 1))
    seen[seen] = inner[y[seen], x[seen]]
    if seen.mean() >= LEAST_SHARE:
        return drift(small.rgb[row[seen], column[seen]], scene.rgb[y[seen], x[seen]])
    if not scene.textured:
        return Drift(float("nan"), (0.0, 0.0, 0.0))
    return drift(small.rgb[row, column], colours_of(small.drawn)[row, column])
