"""The garment's texture in figures: how its front agrees with the photo, whether mirrored too, and the uv layout."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from ..garment.texture.unwrap import density, uv_camera
from ..images import reduced
from ..metrics import psnr
from ..raster import rasterize
from ..render import Model, draw
from .halo import mask_halo, texture_halo
from .outlines import smaller
from .scene import Scene, colours_of, outline_of, uv_of

ATLAS_PX = 512
BLUR_PX = 1.0
"""Pictures are compared this soft: a seam may lie a pixel aside."""
RIM_PX = 3
"""Pixels along the outline that are not compared."""
NEAR, SMALLER = 0.025, 4
"""Part of the garment's size by which a mirrored texture may lie aside, and how much smaller that is looked for."""
OUTSIDE = 1e-4
WAYS = {"mirrored left to right": (True, False), "upside down": (False, True), "turned by 180°": (True, True)}
"""Ways to lay a whole texture wrongly: flipped along u, along v."""


class Layout(NamedTuple):
    """The texture on the mesh, apart from its colours."""

    overlap: float
    """Share of the covered texels that more than one triangle covers."""
    outside: float
    """Share of the uv coordinates outside [0, 1]²."""
    density_ratio: float
    """99.9th over 0.1th percentile of texels per area."""
    use: float
    """Share of the atlas that is covered."""


class Front(NamedTuple):
    """The front against the photo, dB; nan where nothing can be compared."""

    psnr_db: float
    mirrored_db: float
    """Against the mirrored photo."""
    near_db: float
    """As psnr_db, small and moved by up to NEAR, wherever it fits best ..."""
    near_mirrored_db: float
    """... and so the mirrored photo: a texture mirrored island by island lies a little aside."""
    way: str
    """How the texture must be laid to show the photo, a key of WAYS; "" where no other way is better."""
    way_db: float
    own_way_db: float
    """Of that way and of the one it is laid, both measured alike."""


class Texture(NamedTuple):
    """What was measured of a textured mesh."""

    layout: Layout
    front: Front
    halo: float
    mask_halo: float
    """How far the photo along the inside of its mask's outline leans to the background, 0 none, 1 all of it."""


def texture_of(scene: Scene) -> Texture | None:
    """The Texture of a scene's mesh, or None where it has none."""
    if not scene.textured:
        return None
    return Texture(layout_of(scene), front_of(scene), texture_halo(scene), mask_halo(scene))


def layout_of(scene: Scene) -> Layout:
    """The Layout of a textured mesh."""
    uv, faces = uv_of(scene), np.asarray(scene.mesh.faces)
    single = np.arange(len(faces) * 3).reshape(-1, 3)
    order = np.repeat(np.arange(len(faces)) / len(faces), 3)[:, None] * 0.5
    corners = uv[faces].reshape(-1, 2)
    first, last = (
        rasterize(np.concatenate([corners, z], 1), single, uv_camera(ATLAS_PX)).face for z in (order, -order)
    )
    covered = int((first >= 0).sum())
    dense = density(scene.model.vertices, faces, uv)
    low, high = np.percentile(dense, [0.1, 99.9]) if len(dense) else (0.0, 0.0)
    return Layout(
        overlap=int((first != last).sum()) / max(covered, 1),
        outside=float(((uv < -OUTSIDE) | (uv > 1 + OUTSIDE)).any(1).mean()),
        density_ratio=float(high / max(low, 1e-6)),
        use=covered / ATLAS_PX**2,
    )


def front_of(scene: Scene) -> Front:
    """The Front of a textured mesh."""
    from scipy.ndimage import binary_erosion

    inside = binary_erosion(scene.solid & outline_of(scene.front), iterations=RIM_PX)
    inside &= _mirror(inside, scene)
    if not inside.any():
        nan = float("nan")
        return Front(nan, nan, nan, nan, "", nan, nan)
    drawn, photo = _soft(colours_of(scene.front)), _soft(scene.rgb)
    mirror = _mirror(photo, scene)
    own, mirrored = psnr(drawn, photo, inside), psnr(drawn, mirror, inside)
    ways = _ways(scene)
    way = max(ways, key=lambda name: ways[name])
    near, near_mirrored = (_near_db(drawn, other, inside, scene.camera.focal_px) for other in (photo, mirror))
    return Front(own, mirrored, near, near_mirrored, way, ways[way], ways[""])


def _near_db(drawn: np.ndarray, photo: np.ndarray, inside: np.ndarray, length_px: float) -> float:
    """PSNR of [H,W,3] pictures where `inside`, at a quarter of their size, the photo moved by up to NEAR to fit."""
    drawn, photo = reduced(drawn, SMALLER), reduced(photo, SMALLER)
    rows, columns = np.nonzero(reduced(inside.astype(np.float32), SMALLER) >= 0.99)
    if not len(rows):
        return float("nan")
    reach, own, errors = max(round(NEAR * length_px / SMALLER), 1), drawn[rows, columns], []
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            y, x = np.clip(rows + down, 0, photo.shape[0] - 1), np.clip(columns + right, 0, photo.shape[1] - 1)
            errors.append(float(((photo[y, x] - own) ** 2).mean()))
    return -10 * math.log10(max(min(errors), 1e-10))


def _ways(scene: Scene) -> dict[str, float]:
    """PSNR of the front against the photo for every one of WAYS and for the way it is laid, "", at half the size."""
    from scipy.ndimage import binary_erosion

    camera = smaller(scene.camera, 2)
    photo, inside = _soft(reduced(scene.rgb, 2)), reduced(scene.solid.astype(np.float32), 2) >= 0.5
    inside = binary_erosion(inside, iterations=RIM_PX)
    found = {}
    for way, flips in {"": (False, False), **WAYS}.items():
        picture = draw(_relaid(scene.model, *flips), camera, supersample=1)
        shown = inside & outline_of(picture)
        found[way] = psnr(_soft(colours_of(picture)), photo, shown) if shown.any() else 0.0
    return found


def _relaid(model: Model, u: bool, v: bool) -> Model:
    assert model.uv is not None
    uv = model.uv
    return model._replace(
        uv=torch.stack([1 - uv[..., 0] if u else uv[..., 0], 1 - uv[..., 1] if v else uv[..., 1]], -1)
    )


def _mirror(picture: np.ndarray, scene: Scene) -> np.ndarray:
    """The picture mirrored about the middle of the garment; its edge is held where nothing comes from."""
    width = picture.shape[1]
    column = np.round(2 * scene.camera.center_px[0] - 1 - np.arange(width)).astype(int)
    return picture[:, np.clip(column, 0, width - 1)]


def _soft(picture: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(picture, (BLUR_PX, BLUR_PX, 0))
