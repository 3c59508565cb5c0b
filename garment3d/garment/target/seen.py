"""How much of every face can be seen from far away, on each of its two sides.

Pictures from evenly spread directions are counted pixel by pixel: what no picture shows is inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...data import Camera
from ...raster import cut_pieces, z_buffer

DIRECTIONS = 32
"""Pictures taken, spread evenly over the sphere."""
SIZE_PX = 300
"""Their height and width."""


class Seen(NamedTuple):
    """Per face, the share of what each side would show if nothing stood before it; about 0..1, noisy where small."""

    front: np.ndarray
    """[F] from where the face is wound counter-clockwise."""
    back: np.ndarray
    hits: np.ndarray
    """[F] pixels counted over all pictures, both sides."""


def seen(vertices: np.ndarray, faces: np.ndarray) -> Seen:
    """Seen [F] of the faces [F,3] of a mesh in any frame and unit."""
    low, high = vertices.min(0), vertices.max(0)
    radius = float(np.linalg.norm(high - low)) / 2
    points = (vertices - (low + high) / 2) / radius
    a, b, c = (points[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a) / 2
    counts, expected = np.zeros((2, len(faces))), np.zeros((2, len(faces)))
    scale = SIZE_PX / 2.04
    for direction in spread(DIRECTIONS):
        camera = looking(direction, scale, SIZE_PX)
        pieces = cut_pieces(points, faces, camera, "cpu")
        found = z_buffer(pieces, camera.hw)[0].flatten()
        hit = np.bincount(pieces.face[found[found >= 0]].numpy(), minlength=len(faces))
        facing = normal @ direction
        counts[0] += np.where(facing > 0, hit, 0)
        counts[1] += np.where(facing <= 0, hit, 0)
        expected[0] += np.maximum(facing, 0) * scale**2
        expected[1] += np.maximum(-facing, 0) * scale**2
    share = counts / np.maximum(expected, 1e-9)
    return Seen(share[0], share[1], counts.sum(0))


def spread(count: int) -> np.ndarray:
    """[count,3] unit directions on a Fibonacci lattice, none of them along an axis."""
    k = np.arange(count) + 0.5
    y, angle = 1 - 2 * k / count, np.pi * (1 + np.sqrt(5)) * k
    return np.stack([np.sqrt(1 - y**2) * np.cos(angle), y, np.sqrt(1 - y**2) * np.sin(angle)], 1)


def looking(direction: np.ndarray, focal_px: float, size_px: int) -> Camera:
    """An orthographic camera two units out in `direction` [3] that looks at the origin."""
    across = np.cross([0, 1, 0] if abs(direction[1]) < 0.9 else [1, 0, 0], direction)
    across = across / np.linalg.norm(across)
    c2w = np.eye(4)
    c2w[:3, 0], c2w[:3, 1], c2w[:3, 2], c2w[:3, 3] = across, np.cross(direction, across), direction, 2 * direction
    return Camera("orthographic", focal_px, (size_px / 2, size_px / 2), c2w, (size_px, size_px))
