"""What a good result of each model looks like in numbers, against the photo and the garment drawn without any model.

Every bound is one that a working model passes with room and that a mirrored, empty or unrelated picture fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..camera import photo_camera
from ..metrics import mask_iou, psnr
from ..render import render

if TYPE_CHECKING:
    import trimesh


class Finding(NamedTuple):
    """One measure and whether it is within its bound."""

    what: str
    value: float
    wanted: str
    good: bool


def at_least(what: str, value: float, bound: float) -> Finding:
    """A Finding that is good from `bound` upwards; NaN is not."""
    return Finding(what, float(value), f"≥ {bound:g}", bool(value >= bound))


def judge_mask(soft: np.ndarray, truth: np.ndarray, bound: float) -> list[Finding]:
    """How a [H,W] mask covers the known one."""
    return [at_least("IoU with the quick mask of this plain photo", mask_iou(soft >= 0.5, truth >= 0.5), bound)]


def judge_turn(right: np.ndarray, drawn_right: np.ndarray, drawn_left: np.ndarray) -> Finding:
    """Whether a picture from +20° is nearer to the garment drawn from there than to the one drawn from −20°, in dB."""
    gain = psnr(right, drawn_right) - psnr(right, drawn_left)
    return at_least("+20° shows what the camera sees from the image's right, dB over the mirrored turn", gain, 0.5)


def judge_front_view(view: np.ndarray, canvas: np.ndarray) -> list[Finding]:
    """Whether the view from azimuth 0, [256,256,3] in 0..1, is the photo's own canvas again."""
    inside = canvas.min(-1) < 0.98
    return [
        at_least("view 0 against the photo inside the garment, dB", psnr(view, canvas, inside), 12.0),
        at_least("silhouette of view 0, IoU", mask_iou(view.min(-1) < 0.95, inside), 0.8),
    ]


def judge_surface(mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray) -> list[Finding]:
    """Whether a canonical mesh stands behind its photo: outline, front on +Z, outside outwards, thinner than wide."""
    front = render(mesh, photo_camera(soft))
    turned = mesh.copy()
    turned.vertices = np.asarray(mesh.vertices) * (-1, 1, -1)
    back = render(turned, photo_camera(soft))
    picture, inside = rgb / np.float32(255), soft >= 0.5
    front_db, back_db = (psnr(p.rgb.numpy(), picture, inside) for p in (front, back))
    extent = np.ptp(np.asarray(mesh.vertices), axis=0)
    return [
        at_least("outline from the photo's camera, IoU", mask_iou(front.alpha.numpy() >= 0.5, inside), 0.8),
        at_least("the front on +Z is nearer to the photo than the back, dB", front_db - back_db, 0.5),
        at_least("volume, canonical units", float(mesh.volume), 1e-4),
        at_least("width over depth", float(extent[0] / max(extent[2], 1e-9)), 1.2),
    ]
