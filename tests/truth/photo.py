"""Product photos of ground-truth garments, and the geometry that each photo's mask pins down.

The photo is orthographic, along −Z; `canonical_mesh` puts the garment where `garment3d.camera.photo_camera` says it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import trimesh

from garment3d.camera import photo_camera

from .fabric import Fabric, make_fabric
from .garments import CLASSES, STEP_CM, TrueGarment, make_garment
from .raster import Fragments, rasterise
from .studio import BACKGROUNDS, finish, lit

SAMPLES = 2
"""Samples per pixel side."""


class TruePhoto(NamedTuple):
    """A front (or back) photo of a garment and how it was taken."""

    rgb: np.ndarray | None
    """[H,W,3] uint8, or None where only the mask was asked for."""
    soft: np.ndarray
    """[H,W] float32 share of each pixel that the garment covers."""
    px_per_cm: float
    origin_px: tuple[float, float]
    """Where the garment's own origin lies, from the top-left corner."""
    fabric: Fabric | None
    background: str | None
    side: Literal["front", "back"]


class Truth(NamedTuple):
    """One row of the truth set."""

    garment: TrueGarment
    photo: TruePhoto


def framing(garment: TrueGarment, rng: np.random.Generator, hw: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """Pixels per cm and the origin's pixel, so that the garment fills most of the picture near its middle."""
    low, high = garment.mesh.bounds[:, :2]
    room = np.array([hw[1], hw[0]]) * rng.uniform(0.8, 0.9)
    scale = float((room / (high - low)).min())
    spare = np.array([hw[1], hw[0]]) - scale * (high - low)
    corner = spare * rng.uniform(0.42, 0.58, 2)
    return scale, (float(corner[0] - scale * low[0]), float(corner[1] + scale * high[1]))


def look(garment: TrueGarment, scale: float, origin: tuple[float, float], hw: tuple[int, int], sign: int) -> Fragments:
    """What the camera sees at SAMPLES² samples per pixel; `sign` 1 looks at the front, -1 at the back."""
    points = np.asarray(garment.mesh.vertices)
    picture = np.stack(
        [
            (origin[0] + sign * scale * points[:, 0]) * SAMPLES,
            (origin[1] - scale * points[:, 1]) * SAMPLES,
            sign * points[:, 2],
        ],
        1,
    )
    return rasterise(picture, np.asarray(garment.mesh.faces), (hw[0] * SAMPLES, hw[1] * SAMPLES))


def make_photo(
    garment: TrueGarment,
    seed: int,
    hw: tuple[int, int] = (768, 576),
    background: str | None = None,
    fabric: Fabric | None = None,
    photo: bool = True,
    side: Literal["front", "back"] = "front",
) -> TruePhoto:
    """A product photo; with `photo=False` only its mask. The back photo of the same seed shows the same cloth."""
    rng = np.random.default_rng([7, seed])
    scale, origin = framing(garment, rng, hw)
    sign = 1 if side == "front" else -1
    if sign < 0:
        low, high = garment.mesh.bounds[:, 0] * scale
        origin = (origin[0] + low + high, origin[1])
    seen = look(garment, scale, origin, hw, sign)
    soft = np.zeros(seen.hw[0] * seen.hw[1], np.float32)
    soft[seen.index] = 1
    soft = soft.reshape(hw[0], SAMPLES, hw[1], SAMPLES).mean((1, 3))
    if not photo:
        return TruePhoto(None, soft, scale, origin, None, None, side)
    fabric = fabric or make_fabric(garment.garment_class, seed)
    fabric = fabric._replace(chest_up=garment.pattern.chest_y)
    background = background or str(rng.choice(BACKGROUNDS))
    cloth = lit(garment, fabric, seen, scale, sign, rng)
    rgb = finish(cloth, soft, background, rng)
    return TruePhoto(rgb, soft, scale, origin, fabric, background, side)


def canonical(points: np.ndarray, garment: TrueGarment, photo: TruePhoto) -> np.ndarray:
    """[...,3] the garment's points in the canonical frame of the photo's mask; z about the middle of its range."""
    camera = photo_camera(photo.soft)
    low, high = garment.mesh.bounds[:, 2]
    x = photo.origin_px[0] + photo.px_per_cm * points[..., 0] - camera.center_px[0]
    y = photo.origin_px[1] - photo.px_per_cm * points[..., 1] - camera.center_px[1]
    z = photo.px_per_cm * (points[..., 2] - (low + high) / 2)
    return np.stack([x, -y, z], -1) / camera.focal_px


def canonical_mesh(garment: TrueGarment, photo: TruePhoto) -> trimesh.Trimesh:
    """The true mesh in the canonical frame that a front photo's mask defines."""
    points = canonical(np.asarray(garment.mesh.vertices), garment, photo)
    return trimesh.Trimesh(points, garment.mesh.faces, process=False)


def canonical_loops(garment: TrueGarment, photo: TruePhoto) -> dict[str, np.ndarray]:
    """[K,3] true boundary loops in the canonical frame, by name."""
    points = canonical(np.asarray(garment.mesh.vertices), garment, photo)
    return {name: points[loop] for name, loop in garment.loops.items()}


def pixels(garment: TrueGarment, photo: TruePhoto) -> np.ndarray:
    """[V,2] where the garment's vertices lie in a front photo."""
    points = np.asarray(garment.mesh.vertices)
    return np.stack(
        [photo.origin_px[0] + photo.px_per_cm * points[:, 0], photo.origin_px[1] - photo.px_per_cm * points[:, 1]], 1
    )


def loop_ends(name: str, points: np.ndarray) -> tuple[int, int]:
    """Which two of a loop's [K,2] pixels are its ends on the outline: left and right, for armholes top and bottom."""
    if name.startswith(("cuff", "leg")):
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
        first, second = np.unravel_index(apart.argmax(), apart.shape)
        return (int(first), int(second)) if points[first, 0] < points[second, 0] else (int(second), int(first))
    if name.startswith("armhole"):
        return int(points[:, 1].argmin()), int(points[:, 1].argmax())
    if name == "neck":
        # Beside straps the loop runs straight down: its end is the highest place near the extreme.
        share = (points[:, 0] - points[:, 0].min()) / np.ptp(points[:, 0])
        left, right = (np.where(near, points[:, 1], np.inf).argmin() for near in (share < 0.05, share > 0.95))
        return int(left), int(right)
    return int(points[:, 0].argmin()), int(points[:, 0].argmax())


def openings_px(garment: TrueGarment, photo: TruePhoto) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each opening's two outline ends in pixels: left then right in the picture, for armholes top then bottom."""
    place = pixels(garment, photo)
    ends = {name: loop_ends(name, place[loop]) for name, loop in garment.loops.items()}
    return {name: (place[garment.loops[name][a]], place[garment.loops[name][b]]) for name, (a, b) in ends.items()}


def neckline_px(garment: TrueGarment, photo: TruePhoto) -> np.ndarray:
    """[K,2] the front edge of the neck or waist opening in pixels, from left to right."""
    name = "neck" if "neck" in garment.loops else "waist"
    loop, place = garment.loops[name], pixels(garment, photo)
    left, right = loop_ends(name, place[loop])
    loop = np.roll(loop, -left)
    right = (right - left) % len(loop)
    halves = [loop[: right + 1], np.append(loop[right:], loop[0])[::-1]]
    front = max(halves, key=lambda half: np.asarray(garment.mesh.vertices)[half, 2].mean())
    return place[front]


def truth_set(
    n: int = 60, photo: bool = True, hw: tuple[int, int] = (768, 576), step_cm: float = STEP_CM
) -> Iterator[Truth]:
    """`n` garments with fixed seeds, the classes in turn; every tenth is white on white or nearly white."""
    for i in range(n):
        garment = make_garment(CLASSES[i % len(CLASSES)], i // len(CLASSES), step_cm=step_cm)
        white = i % 10 == 3
        fabric = make_fabric(garment.garment_class, i, white=True) if white else None
        background = ("near_white", "white")[(i // 10) % 2] if white else None
        yield Truth(garment, make_photo(garment, i, hw, background, fabric, photo))
