"""Ways a target may stand in its own frame: 24 axis rotations, plain or mirrored, held against the photo's silhouette.

A silhouette along an axis is that along the opposite one mirrored, so three pictures answer for all 48.
"""

from __future__ import annotations

from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from .contour import GRID_PX, Silhouette, mesh_silhouette, overlap

AXES = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")


class Pose(NamedTuple):
    """A similarity from a target's frame to the canonical one: linear @ point + shift."""

    linear: np.ndarray
    """[3,3] scale times a rotation, or times a reflection where mirrored."""
    shift: np.ndarray
    """[3]"""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """[...,3] points in the canonical frame."""
        return points @ self.linear.T + self.shift

    @property
    def scale(self) -> float:
        """Canonical units per unit of the target."""
        return float(abs(np.linalg.det(self.linear)) ** (1 / 3))

    @property
    def mirrored(self) -> bool:
        """Whether it turns left into right."""
        return bool(np.linalg.det(self.linear) < 0)

    @property
    def turn(self) -> np.ndarray:
        """[3,3] rotation or reflection without the scale."""
        return self.linear / self.scale


class Guess(NamedTuple):
    """A pose along axes and the IoU of its silhouette with the photo's."""

    pose: Pose
    iou: float


def axis_turns(front: str = "auto") -> list[np.ndarray]:
    """[3,3] rotations that bring the axis `front` of the target (any for "auto") to +Z, the likeliest first."""
    turns = []
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        turn = np.zeros((3, 3))
        turn[range(3), order] = signs
        if np.linalg.det(turn) > 0 and front in ("auto", front_of(turn)):
            turns.append(turn)
    # Upright ones first, the one nearest to where it stands already first of all.
    return sorted(turns, key=lambda turn: (-turn[1, 1], -np.trace(turn)))


def front_of(turn: np.ndarray) -> str:
    """Which axis of the target a [3,3] turn brings to +Z."""
    return AXES[2 * int(np.abs(turn[2]).argmax()) + int(turn[2, np.abs(turn[2]).argmax()] < 0)]


def plain_turn(pose: Pose) -> np.ndarray:
    """[3,3] the rotation of a pose, canonical x reflected back where it is mirrored."""
    return np.diag([-1.0 if pose.mirrored else 1.0, 1.0, 1.0]) @ pose.turn


def facing(pose: Pose) -> str:
    """The axis of the target that a pose turns towards the photo's camera."""
    return front_of(nearest_turn(plain_turn(pose)))


def nearest_turn(turn: np.ndarray) -> np.ndarray:
    """The axis rotation [3,3] nearest to a rotation."""
    return max(axis_turns(), key=lambda axes: float((axes * turn).sum()))


def guesses(vertices: np.ndarray, faces: np.ndarray, photo: Silhouette, front: str) -> list[Guess]:
    """A Guess per axis rotation and its mirror image, in the order of `axis_turns`, plain before mirrored.

    Vertices are centred with their longest side 1. Sizes and places are matched by area and centroid.
    """
    pictures: dict[int, Silhouette] = {}
    found = []
    for turn, mirror in product(axis_turns(front), (1.0, -1.0)):
        linear = np.diag([mirror, 1.0, 1.0]) @ turn
        axis = int(np.abs(linear[2]).argmax())
        if axis not in pictures:
            pictures[axis] = mesh_silhouette(vertices @ _towards(axis).T, faces)
        plane = linear[:2] @ _towards(axis).T  # [2,3]: from the picture's axes to the photo's
        found.append(_matched(linear, plane[:, :2], pictures[axis], photo))
    return found


def _towards(axis: int) -> np.ndarray:
    """[3,3] the cyclic rotation that brings an axis to +Z."""
    return np.eye(3)[[(axis + 1) % 3, (axis + 2) % 3, axis]]


def _matched(linear: np.ndarray, plane: np.ndarray, picture: Silhouette, photo: Silhouette) -> Guess:
    if not picture.solid.any():
        return Guess(Pose(linear, np.zeros(3)), 0.0)
    scale = float(np.sqrt(photo.area / picture.area))
    shift = photo.middle - scale * plane @ picture.middle
    row, column = np.nonzero(np.ones_like(photo.solid))
    half = photo.solid.shape[0] / 2
    place = (np.stack([column + 0.5 - half, half - row - 0.5], 1) / GRID_PX - shift) @ plane / scale
    at = np.floor(np.stack([half - place[:, 1] * GRID_PX, half + place[:, 0] * GRID_PX], 1)).astype(int)
    inside = ((at >= 0) & (at < 2 * half)).all(1)
    shown = np.zeros(photo.solid.size, bool)
    shown[inside] = picture.solid[tuple(at[inside].T)]
    iou = overlap(shown.reshape(photo.solid.shape), photo.solid)
    return Guess(Pose(scale * linear, np.append(shift, 0.0)), iou)
