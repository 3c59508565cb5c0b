"""Where in the photo each point of the garment finds its cloth.

Its own place where the photo is trusted; beyond the rim of that, towards the side seams, the photo shows cloth edge-on
or background: there the cloth goes on by turning back into the photo, as far as the surface has gone beyond the rim.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree

from .plate import Plate, sample

RIM_POINTS = 8
"""Per triangle that the rim crosses."""
FAR = 4.0
"""Rim points further away in the photo than so many insets belong to another part of the garment."""


class Turn(NamedTuple):
    """How the corners of each face look into the photo; linear on the face."""

    corners: torch.Tensor
    """[F,3,7] float32: own x and y, length beyond the rim (negative inside it), the rim's x and y, inward x and y."""


class Places(NamedTuple):
    """Where texels look into the photo."""

    xy: torch.Tensor
    """[N,2] canonical, always inside the trusted rim."""
    trusted: torch.Tensor
    """[N] bool, True where that is the texel's own place."""
    beyond: torch.Tensor
    """[N] canonical length along the cloth past the trusted rim, negative inside it."""


def turn_of(plate: Plate, xy: np.ndarray, faces: np.ndarray, uv: np.ndarray, uv_per_unit: float) -> Turn:
    """The Turn of vertices at canonical [V,2] places; lengths along the surface are taken from its [V,2] uv."""
    place = torch.as_tensor(xy, dtype=torch.float32)
    field = sample(plate.field.values, plate.field.camera, place).numpy()
    rim_xy, rim_uv = _rim_points(field[0], xy, uv, faces)
    own_rim, inward = (t.numpy() for t in rim(plate, place)[:2])
    beyond = -field[0]
    near = np.unique(faces[(field[0][faces] < 0).any(1)])
    if len(near) and len(rim_uv):
        distance, index = cKDTree(rim_uv).query(uv[near])
        same = np.linalg.norm(rim_xy[index] - xy[near], axis=1) < FAR * plate.inset + np.abs(field[0][near])
        near, index, distance = near[same], index[same], distance[same]
        beyond[near] = np.where(field[0][near] < 0, 1, -1) * distance / uv_per_unit
        own_rim[near] = rim_xy[index]
        inward[near] = sample(plate.field.values[1:3], plate.field.camera, torch.from_numpy(own_rim[near])).numpy().T
    columns = np.concatenate([xy, beyond[:, None], own_rim, inward], 1)
    return Turn(torch.as_tensor(columns[faces], dtype=torch.float32))


def places(plate: Plate, turn: Turn, face: torch.Tensor, bary: torch.Tensor) -> Places:
    """[N,2] places in the photo of points given by their [N] faces and [N,3] barycentrics."""
    values = torch.einsum("nij,ni->nj", turn.corners[face], bary)
    xy, beyond = values[:, :2].contiguous(), values[:, 2]
    trusted = (beyond <= 0) & (sample(plate.field.values[:1], plate.field.camera, xy)[0] > -0.5 * plate.inset)
    band = torch.nonzero(~trusted).squeeze(1)
    if len(band):
        at_rim, inward = values[band, 3:5].contiguous(), values[band, 5:7]
        span = sample(plate.field.values[3:], plate.field.camera, at_rim)[0].clamp(min=1e-4)
        # A strap is narrower than its own seam is long: go to and fro on it.
        folded = span - (beyond[band].abs() % (2 * span) - span).abs()
        xy[band] = rim(plate, at_rim + inward * folded[:, None])[0]
    return Places(xy, trusted, beyond)


def rim(plate: Plate, xy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[N,2] nearest places on or inside the rim, and the [N,2] inward directions there."""
    for _ in range(4):
        field = sample(plate.field.values[:3], plate.field.camera, xy)
        xy = xy + field[1:3].T * (-field[0]).clamp(min=0)[:, None]
    return xy, field[1:3].T


def _rim_points(field: np.ndarray, xy: np.ndarray, uv: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[R,2] canonical and [R,2] uv places along the line where the vertices' [V] field is 0."""
    inside = field[faces] >= 0
    crossed = faces[inside.any(1) & ~inside.all(1)]
    inside = field[crossed] >= 0
    # The corner that is alone on its side of the rim comes first: the rim crosses the two edges from it.
    alone = np.where(inside.sum(1) == 1, inside.argmax(1), (~inside).argmax(1))
    a, b, c = crossed[np.arange(len(crossed))[:, None], (alone[:, None] + np.arange(3)) % 3].T
    both = np.concatenate([xy, uv], 1)
    ends = []
    for other in (b, c):
        share = field[a] / (field[a] - field[other])
        ends.append(both[a] + share[:, None] * (both[other] - both[a]))
    steps = (np.arange(RIM_POINTS) + 0.5)[:, None, None] / RIM_POINTS
    points = (ends[0] + steps * (ends[1] - ends[0])).reshape(-1, 4)
    return points[:, :2].astype(np.float32), points[:, 2:]
