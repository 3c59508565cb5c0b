"""Folds and wrinkles: how far each vertex of a plain garment moves, as a smooth function of where it lies."""

from __future__ import annotations

import numpy as np

from .patterns import Pattern, ramp


def ridge(x: np.ndarray) -> np.ndarray:
    """A crease's profile: a rounded ridge between two shallow valleys, height 1, width about 1."""
    return (1 - 2 * x**2) * np.exp(-(x**2))


def creases(rng: np.random.Generator, pattern: Pattern, points: np.ndarray, fine: bool) -> np.ndarray:
    """[N] cm: slanted wrinkles over the front and back of the torso, not the same on both; `fine` ones are short."""
    low, high = pattern.low[1] + 8, min(pattern.folds.top_y, -10.0)
    reach = float(np.median(pattern.torso.levels[:, 1]))
    height = np.zeros(len(points))
    for facing in (1, -1):
        near = ramp(facing * points[:, 2], -3, 5)
        for _ in range(pattern.folds.creases * (1 + fine)):
            x, y = rng.uniform(-reach, reach), rng.uniform(low, high)
            # Drag lines run from the sides up and outwards, as cloth hangs from shoulders and hips.
            angle = np.radians(rng.uniform(15, 75)) * np.sign(x)
            dx, dy = points[:, 0] - x, points[:, 1] - y
            along, across = dx * np.sin(angle) + dy * np.cos(angle), dx * np.cos(angle) - dy * np.sin(angle)
            long, wide = rng.uniform(5, 14), rng.uniform(1.4, 3.2)
            long, wide = (long * 0.45, 0.9 + wide * 0.25) if fine else (long, wide)
            across = across + 0.02 * along**2 * rng.uniform(-1, 1)
            height += near * rng.uniform(0.3, 1) * np.exp(-((along / long) ** 2)) * ridge(across / wide)
    return height * pattern.folds.depth * (0.3 if fine else 1.0)


def gathers(rng: np.random.Generator, pattern: Pattern, points: np.ndarray) -> np.ndarray:
    """[N] cm: vertical folds around the hem, growing downwards from the fold's own start."""
    u, v, section = pattern.torso.local(points)
    angle = np.arctan2(u / section[:, 0], v / np.where(v > 0, section[:, 1], section[:, 2]))
    down = np.clip((pattern.folds.top_y - points[:, 1]) / (pattern.folds.top_y - pattern.low[1]), 0, 1)
    n = pattern.folds.count
    phase = rng.uniform(0, 2 * np.pi, 3)
    wobble = 0.9 * np.sin(angle + phase[0]) + 0.5 * np.sin(2 * angle + phase[1] + 1.5 * down)
    wave = np.cos(n * angle + 2.2 * wobble) + 0.35 * np.cos((n // 2) * angle + phase[2])
    swell = 0.65 + 0.35 * np.sin(3 * angle + phase[1])
    return pattern.folds.gathers * down**1.2 * swell * (wave - 0.2 * wave**2)


def limb_folds(rng: np.random.Generator, pattern: Pattern, index: int, points: np.ndarray) -> np.ndarray:
    """[N] cm: slanted rings around a sleeve or leg, denser at the elbow or knee and above the cuff."""
    limb = pattern.limbs[index]
    t, u, v, _ = limb.local(points)
    angle, along = np.arctan2(v, u), t * limb.length
    height = np.zeros(len(points))
    for centre in np.concatenate([rng.normal(0.5, 0.1, 4), rng.normal(0.9, 0.05, 2), rng.uniform(0.3, 0.9, 2)]):
        around = rng.uniform(-np.pi, np.pi)
        side = ramp(np.cos(angle - around), -0.6, 0.8)
        slant = rng.uniform(1, 4) * np.sin(angle - around)
        height += rng.uniform(0.3, 1) * side * ridge((along - centre * limb.length + slant) / rng.uniform(1.6, 3.2))
    return height * pattern.folds.limb_depth


def displacement(
    rng: np.random.Generator, pattern: Pattern, points: np.ndarray, torso_minus_limbs: list[np.ndarray]
) -> np.ndarray:
    """[N] cm outwards for each vertex; folds of torso and limbs fade into each other over 4 cm at the seam."""
    torso_share = np.ones(len(points))
    limb_height = np.zeros(len(points))
    for index, gap in enumerate(torso_minus_limbs):
        share = ramp(gap, -1, 3)
        # Legs stay smooth where they nearly touch, or their folds would run into each other.
        share = share * ramp(np.abs(points[:, 0]), 1, 6) if pattern.flat_cloth else share
        limb_height += share * limb_folds(rng, pattern, index, points)
        torso_share *= 1 - share
    wrinkles = creases(rng, pattern, points, False) + creases(rng, pattern, points, True)
    return torso_share * (wrinkles + gathers(rng, pattern, points)) + limb_height
