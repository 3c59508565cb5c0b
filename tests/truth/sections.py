"""Torso and limb primitives: stacks of super-ellipses along a spine, whose girths are given in centimetres.

Each gives, at any point, a norm k that is 1 on its surface; the union of several of them is a garment's solid body.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

LIMB_EXPONENT = 2.15


def superellipse(width: float, front: float, back: float, exponent: float, count: int = 720) -> np.ndarray:
    """[count,2] points (x, z) around a section with half-width and separate half-depths in front and back."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    sin, cos = np.sin(angle), np.cos(angle)
    x = width * np.sign(sin) * np.abs(sin) ** (2 / exponent)
    z = np.where(cos > 0, front, back) * np.sign(cos) * np.abs(cos) ** (2 / exponent)
    return np.stack([x, z], 1)


def perimeter(points: np.ndarray) -> float:
    """Length in the points' unit of the closed polygon through [K,2] or [K,3] points."""
    return float(np.linalg.norm(np.roll(points, -1, 0) - points, axis=1).sum())


def half_axes(girth: float, ratio: float, belly: float, exponent: float) -> tuple[float, float, float]:
    """Half-width, front and back half-depth in cm of the section with this girth and breadth:depth ratio.

    `belly` moves depth from the back (negative) to the front (positive) as a share of the half-depth.
    """
    unit = perimeter(superellipse(ratio, 1 + belly, 1 - belly, exponent))
    depth = girth / unit
    return ratio * depth, (1 + belly) * depth, (1 - belly) * depth


class Level(NamedTuple):
    """One torso section: height, half-axes and centre in cm."""

    y: float
    width: float
    front: float
    back: float
    x: float = 0.0
    z: float = 0.0


class Torso:
    """A vertical stack of sections, smooth in between (monotone cubic), constant beyond its ends."""

    def __init__(self, levels: list[Level], exponent: float, floor_y: float | None = None) -> None:
        """`floor_y` closes the stack from below at that height, where limbs take over."""
        self.levels = np.array(sorted(levels))
        self.exponent = exponent
        self.floor_y = floor_y
        self._curves = PchipInterpolator(self.levels[:, 0], self.levels[:, 1:])

    def at(self, y: np.ndarray) -> np.ndarray:
        """[...,5] half-width, front, back, centre x and centre z in cm at heights `y`."""
        return self._curves(np.clip(y, self.levels[0, 0], self.levels[-1, 0]))

    def local(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """u to +X and v to +Z from the section's centre in cm, and the sections [...,5] there."""
        section = self.at(points[..., 1])
        return points[..., 0] - section[..., 3], points[..., 2] - section[..., 4], section

    def norm(self, points: np.ndarray) -> np.ndarray:
        """[...] k, 1 on the surface and below 1 inside."""
        u, v, section = self.local(points)
        depth = np.where(v > 0, section[..., 1], section[..., 2])
        n = self.exponent
        k = (np.abs(u / section[..., 0]) ** n + np.abs(v / depth) ** n) ** (1 / n)
        return k if self.floor_y is None else np.maximum(k, 1 + (self.floor_y - points[..., 1]) / 10)


class Limb:
    """A tube along a quadratic Bezier curve with elliptic sections, rounded where it starts inside the torso."""

    def __init__(
        self, control: np.ndarray, knots: list[float], axes: list[tuple[float, float]], wall: float = 0.0
    ) -> None:
        """`control` [3,3] in cm; `axes` at `knots` in 0..1: half-axes in cm in the picture plane and across it.

        `wall` 1 or -1 keeps a leg on its side of x = 0, with a gap that widens downwards; 0 is no wall.
        """
        self.control = np.asarray(control, float)
        self.exponent = LIMB_EXPONENT
        self.wall = wall
        self._axes = PchipInterpolator(knots, np.array(axes))
        self.length = perimeter_open(self.curve(np.linspace(0, 1, 60)))

    def curve(self, t: np.ndarray) -> np.ndarray:
        """[...,3] points of the axis in cm; straight on beyond t = 1."""
        t = np.asarray(t, float)[..., None]
        s = np.minimum(t, 1)
        start, middle, end = self.control
        return (1 - s) ** 2 * start + 2 * s * (1 - s) * middle + s**2 * end + (t - s) * 2 * (end - middle)

    def tangent(self, t: np.ndarray) -> np.ndarray:
        """[...,3] derivative of the axis by t."""
        s = np.minimum(np.asarray(t, float), 1)[..., None]
        start, middle, end = self.control
        return 2 * (1 - s) * (middle - start) + 2 * s * (end - middle)

    def axes(self, t: np.ndarray) -> np.ndarray:
        """[...,2] half-axes in cm in the picture plane and across it."""
        return self._axes(np.clip(t, 0, 1))

    def locate(self, points: np.ndarray) -> np.ndarray:
        """[...] t of the nearest axis point, 0 at the start and up to 1.2 beyond the end."""
        chord = self.control[2] - self.control[0]
        t = np.clip((points - self.control[0]) @ chord / (chord @ chord), 0, 1.2)
        for _ in range(4):
            slope = self.tangent(t)
            t = np.clip(t + ((points - self.curve(t)) * slope).sum(-1) / (slope**2).sum(-1), 0, 1.2)
        return t

    def local(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """t, then u in the picture plane, v across it and w along the axis, in cm from the nearest axis point."""
        t = self.locate(points)
        along = self.tangent(t)
        along /= np.linalg.norm(along, axis=-1, keepdims=True)
        side = np.stack([-along[..., 1], along[..., 0], np.zeros_like(t)], -1)
        side /= np.linalg.norm(side, axis=-1, keepdims=True)
        across = np.cross(along, side)
        across *= np.where(across[..., 2:] < 0, -1, 1)
        offset = points - self.curve(t)
        return t, (offset * side).sum(-1), (offset * across).sum(-1), (offset * along).sum(-1)

    def norm(self, points: np.ndarray) -> np.ndarray:
        """[...] k, 1 on the surface and below 1 inside."""
        t, u, v, w = self.local(points)
        axes = self.axes(t)
        n = self.exponent
        k = np.abs(u / axes[..., 0]) ** n + np.abs(v / axes[..., 1]) ** n + np.abs(w / axes[..., 1]) ** n
        k = k ** (1 / n)
        if not self.wall:
            return k
        gap = 0.7 + 0.025 * np.maximum(self.control[0, 1] - points[..., 1], 0)
        return np.maximum(k, 1 + (gap - self.wall * points[..., 0]) / 10)


def perimeter_open(points: np.ndarray) -> float:
    """Length of the open polyline through [K,D] points."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
