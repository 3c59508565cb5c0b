"""Coloured balls at known places and pictures of them: where a ball's centroid lies in a saved PNG is the truth that
every camera format has to hit."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import trimesh
from PIL import Image

from garment3d.camera import orbit
from garment3d.data import Orbit, Views
from garment3d.export.camera_files import CAMERA_FORMATS, camera_files
from garment3d.export.mesh import File
from garment3d.views.rendered import rendered_orbit

RADIUS = 0.028
LENGTH_CM = 82.0
COLOURS = np.array([[(i >> bit) & 1 for bit in range(3)] for i in range(8)]) * 255
"""The corners of the colour cube: linear and sRGB alike."""
PLACES = np.array(
    [
        [-0.48, 0.31, 0.02], [0.33, 0.47, -0.11], [0.05, -0.05, 0.24], [-0.21, -0.44, -0.19],
        [0.47, -0.28, 0.16], [-0.05, 0.22, -0.26], [0.19, -0.41, 0.21], [-0.36, -0.09, 0.1],
    ]
)  # fmt: skip
"""[8,3] canonical centres, one per colour."""


class Colmap:
    """The text model by COLMAP's format page: world to camera, +Z ahead, y down, (0, 0) the corner of a pixel."""

    def __init__(self, folder: Path):
        read = {name: (folder / f"sparse/0/{name}.txt").read_text().split("\n") for name in ("cameras", "images")}
        self.cameras = {line.split()[0]: line.split()[1:] for line in read["cameras"] if line and line[0] != "#"}
        lines = [line for line in read["images"] if not line.startswith("#")][:-1]
        self.images = [line.split() for line in lines[::2]]
        self.seen = [np.array(line.split(), float).reshape(-1, 3) for line in lines[1::2]]
        points = (folder / "sparse/0/points3D.txt").read_text().split("\n")
        self.points = [line.split() for line in points if line and line[0] != "#"]

    def pixels(self, view: int, points: np.ndarray) -> np.ndarray:
        """Where the picture of a view has [N,3] metres."""
        line = self.images[view]
        w, x, y, z, *t = map(float, line[1:8])
        assert math.isclose(w * w + x * x + y * y + z * z, 1, abs_tol=1e-9)
        turn = np.array(
            [
                [1 - 2 * y * y - 2 * z * z, 2 * x * y - 2 * w * z, 2 * x * z + 2 * w * y],
                [2 * x * y + 2 * w * z, 1 - 2 * x * x - 2 * z * z, 2 * y * z - 2 * w * x],
                [2 * x * z - 2 * w * y, 2 * y * z + 2 * w * x, 1 - 2 * x * x - 2 * y * y],
            ]
        )
        model, _, _, fx, fy, cx, cy = self.cameras[line[8]]
        assert model == "PINHOLE"
        local = points @ turn.T + t
        return local[:, :2] / local[:, 2:] * [float(fx), float(fy)] + [float(cx), float(cy)]


class Dot(NamedTuple):
    """A ball as a saved picture shows it."""

    view: int
    ball: int
    xy_px: np.ndarray


def balls() -> trimesh.Trimesh:
    """One mesh of all balls, in their colours."""
    parts = []
    for place, colour in zip(PLACES, COLOURS, strict=True):
        ball = trimesh.creation.icosphere(3, RADIUS)
        ball.apply_translation(place)
        ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=np.tile([*colour, 255], (len(ball.vertices), 1)))
        parts.append(ball)
    return trimesh.util.concatenate(parts)


def metres(points: np.ndarray) -> np.ndarray:
    """Where the saved garment has canonical points: on the floor, in the middle, LENGTH_CM high; by hand."""
    low, high = PLACES.min(0) - RADIUS, PLACES.max(0) + RADIUS
    foot = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    return (points - foot) * (LENGTH_CM / 100 / (high[1] - low[1]))


def shifted(around: Orbit, x_px: float, y_px: float) -> Orbit:
    """The same cameras with their pictures cropped beside the middle."""
    cameras = [replace(c, center_px=(c.center_px[0] + x_px, c.center_px[1] + y_px)) for c in around.cameras]
    return around._replace(cameras=tuple(cameras))


def orthographic(around: Orbit, focal_px: float) -> Orbit:
    """The same cameras without perspective."""
    cameras = [replace(c, projection="orthographic", focal_px=focal_px) for c in around.cameras]
    return around._replace(cameras=tuple(cameras))


ORBITS = {
    "zero123": orbit(60.0, 0.0, hw=(256, 256)),
    "from above, wide": orbit(elevation_deg=30.0, hw=(200, 330), azimuths_deg=(0.0, 33.5, 187.25, 300.0)),
    "from below, high": orbit(90.0, -20.0, 2.2, 35.0, (330, 200)),
}
CROPPED = shifted(orbit(72.0, 12.0, 1.9, hw=(260, 300)), -21.25, 9.5)
FLAT = shifted(orthographic(orbit(80.0, 10.0, hw=(240, 280)), 200.0), 12.0, -7.5)


def pictures(around: Orbit) -> Views:
    """The balls drawn from an orbit, without light."""
    return rendered_orbit(balls(), around, shading="unlit")


def dots(pictures: Sequence[bytes]) -> list[Dot]:
    """The balls that saved cut-outs show whole: none that another hides or the edge cuts."""
    found = []
    for view, data in enumerate(pictures):
        rgba = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(float)
        alpha = rgba[..., 3] / 255
        nearest = np.round(rgba[..., :3] / 255) @ [1, 2, 4]
        shown = [(nearest == ball) & (alpha > 0) for ball in range(len(COLOURS))]
        covered = [mask for mask in shown if mask.any()]
        for ball, mask in enumerate(shown):
            rows, columns = np.nonzero(mask)
            if len(rows) and _whole(rows, columns, mask, covered):
                weight = alpha[rows, columns] / alpha[rows, columns].sum()
                found.append(Dot(view, ball, np.array([(columns + 0.5) @ weight, (rows + 0.5) @ weight])))
    return found


def _whole(rows: np.ndarray, columns: np.ndarray, mask: np.ndarray, covered: list[np.ndarray]) -> bool:
    """Whether a ball is away from the picture's edge and from all other balls."""
    box = slice(max(rows.min() - 2, 0), rows.max() + 3), slice(max(columns.min() - 2, 0), columns.max() + 3)
    inside = rows.min() > 1 and columns.min() > 1 and rows.max() < len(mask) - 2 and columns.max() < len(mask[0]) - 2
    return bool(inside) and not any((other & ~mask)[box].any() for other in covered)


class Set(NamedTuple):
    """A saved data set."""

    folder: Path
    images: list[str]
    dots: list[Dot]


def data_set(name: str, folder: Path) -> Set:
    """The balls from one of ORBITS, `cropped` or `flat`, written in all formats that can say it."""
    files, found = _made(name)
    write(folder, files)
    return Set(folder, [file.name for file in files if file.name.startswith("images/")], found)


@cache
def _made(name: str) -> tuple[tuple[File, ...], list[Dot]]:
    around = {**ORBITS, "cropped": CROPPED, "flat": FLAT}[name]
    unsaid = {"cropped": {"synthetic"}, "flat": {"nerf", "colmap", "synthetic"}}.get(name, set())
    formats = [format for format in CAMERA_FORMATS if format not in unsaid]
    files = camera_files(pictures(around), balls(), LENGTH_CM, formats, points=1500)
    images = [file for file in files if file.name.startswith("images/")]
    found = dots([file.data for file in images])
    assert len(found) > 4 * len(images)
    return files, found


def write(folder: Path, files: Sequence[File]) -> Sequence[File]:
    """The files, put into the folder."""
    for name, data in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return files
