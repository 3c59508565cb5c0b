"""What the report says of a result in numbers, measured on the result itself and not taken from the stages.

The picture figures draw the garment from the photo's own camera, unlit, and compare with the mask and the photo.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..camera import photo_camera
from ..metrics import MeshChecks, mask_iou, mesh_checks, psnr
from ..render import render
from .parts import Parts, parts

if TYPE_CHECKING:
    import trimesh

MEASURE_PX = 1200
"""Photos with a longer side are compared at this size: the figures change in the third digit, the time tenfold."""


class Likeness(NamedTuple):
    """How well the garment, drawn from the photo's camera, lies on the photo."""

    silhouette_iou: float
    """Drawn outline against the mask, 0..1."""
    front_psnr_db: float
    """Inside the mask less 2 px; inf for identical pictures, nan where nothing is left of the mask."""


class Detail(NamedTuple):
    """How much of the photo's resolution the texture keeps on the front."""

    texture_px: int
    """Side of the square atlas; 0 for a mesh without texture."""
    texels_per_photo_px: float
    """Linear, over the faces that face the camera; 0 without texture."""
    limit: str
    """"photo" where the texture is at least as fine as the photo, "atlas" where it is coarser, else "none"."""


class Figures(NamedTuple):
    """Everything measured on a result."""

    triangles: int
    vertices: int
    """Positions: UV islands repeat a vertex, which is not counted twice."""
    checks: MeshChecks
    likeness: Likeness
    detail: Detail
    size_cm: tuple[float, float, float]
    """Width, height and depth of the garment in the saved files."""


def figures(mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, length_cm: float) -> Figures:
    """Figures of a canonical mesh made from [H,W,3] uint8 and its [H,W] mask."""
    solid = parts(mesh)
    extent = np.ptp(solid.vertices, axis=0)
    width, height, depth = (extent * length_cm / extent[1]).round(1).tolist()
    return Figures(
        triangles=len(solid.faces),
        vertices=len(solid.welded_vertices),
        checks=mesh_checks(mesh),
        likeness=likeness(mesh, rgb, soft),
        detail=detail(solid, soft),
        size_cm=(width, height, depth),
    )


def likeness(mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray) -> Likeness:
    """Silhouette IoU and front PSNR against [H,W,3] uint8 and its [H,W] mask, at MEASURE_PX at most."""
    from scipy.ndimage import binary_erosion

    step = -(-max(soft.shape) // MEASURE_PX)
    camera = photo_camera(soft)
    if step > 1:
        rgb, soft = _reduced(rgb, step), _reduced(soft.astype(np.float32), step)
        center = (camera.center_px[0] / step, camera.center_px[1] / step)
        camera = replace(camera, focal_px=camera.focal_px / step, center_px=center, hw=soft.shape)
    drawn = render(mesh, camera)
    inside = binary_erosion(soft >= 0.5, iterations=2)
    iou = mask_iou(drawn.alpha.numpy() >= 0.5, soft >= 0.5)
    error = psnr(drawn.rgb.numpy(), rgb / np.float32(255), inside) if inside.any() else float("nan")
    return Likeness(float(iou), float(error))


def detail(solid: Parts, soft: np.ndarray) -> Detail:
    """Compares the texture's resolution on the front with that of the [H,W] mask's photo."""
    if solid.uv is None or solid.pixels is None:
        return Detail(0, 0.0, "none")
    side = solid.pixels.shape[0]
    flat = solid.vertices[solid.faces][:, :, :2] * photo_camera(soft).focal_px
    front = _area(flat)
    seen = front > 0
    texels = np.abs(_area(solid.uv[solid.faces] * side))[seen].sum() / max(front[seen].sum(), 1e-9)
    per_px = float(np.sqrt(texels))
    return Detail(side, per_px, "photo" if per_px >= 0.99 else "atlas")


def _area(corners: np.ndarray) -> np.ndarray:
    """[F] signed areas of [F,3,2] triangles."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


def _reduced(pixels: np.ndarray, step: int) -> np.ndarray:
    """Means of step × step pixels."""
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).reduce(step))
