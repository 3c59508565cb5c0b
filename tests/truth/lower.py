"""Skirt and trousers: a torso from the waist down, with two legs where the class has them."""

from __future__ import annotations

import numpy as np

from .patterns import Cut, Folds, Girth, Pattern, body, bounds, hem_cut, limb_cut, tube
from .sections import Level, Limb, Torso, half_axes
from .sizes import BREADTH_TO_DEPTH, BodySize


def waist_cut(y: float, dip: float, depth: float) -> Cut:
    """A nearly level upper edge that lies `dip` cm lower in front than at the back."""
    return Cut("waist", lambda p: p[:, 1] - (y - dip * (1 + np.clip(p[:, 2] / depth, -1, 1)) / 2))


def skirt(rng: np.random.Generator) -> Pattern:
    """The pattern of a skirt, from a pencil to a gathered circle; y = 0 is the waist."""
    size, exponent, hang = body(rng), rng.uniform(2.1, 2.5), rng.uniform(1.1, 1.5)
    length, flare = rng.uniform(40, 85), rng.choice([rng.uniform(0.95, 1.15), rng.uniform(1.2, 2.2)])
    waist, hip = size.waist + rng.uniform(1, 4), size.hip + 4 + 14 * max(flare - 1, 0)
    hem = hip * flare
    sway = rng.uniform(-0.8, 0.8)
    rows = [
        ("waist", 0.0, waist, BREADTH_TO_DEPTH["waist"] * hang, 0.05),
        ("hip", -size.hip_drop, hip, BREADTH_TO_DEPTH["hip"] * hang, -0.05),
        ("hem", -length, hem, BREADTH_TO_DEPTH["hip"] * hang * rng.uniform(0.75, 0.95), 0.0),
    ]
    levels = [Level(y, *half_axes(g, r, b, exponent), sway * (-y / length), 0.0) for _, y, g, r, b in rows]
    top, bottom = levels[0], levels[-1]
    levels.append(top._replace(y=4.0))
    levels.append(Level(-length - 8, bottom.width * 1.04, bottom.front * 1.04, bottom.back * 1.04, sway, 0.0))
    torso = Torso(levels, exponent)
    dip = rng.uniform(0.5, 2.5)
    cuts = (waist_cut(0, dip, top.front), hem_cut("hem", -length, rng.uniform(-0.015, 0.015), rng.uniform(0, 1), 12))
    gathers = 0.3 if flare < 1.2 else rng.uniform(0.9, 2.2)
    folds = Folds(int(rng.integers(3, 9)), rng.uniform(0.2, 0.6), gathers, int(rng.integers(11, 24)), -3.0, 0.0)
    girths = tuple(Girth(name, g, 0, y) for name, y, g, _, _ in rows[1:])
    low, high = bounds(torso, [], -length - 3)
    return Pattern(torso, (), cuts, girths, folds, low, high, 1.0, False, float("nan"))


def legs(
    rng: np.random.Generator, size: BodySize, hip: Level, rise: float, extra_deg: float
) -> tuple[list[Limb], float]:
    """Left and right leg and the planned knee girth in cm: skinny, straight or wide, long or cropped."""
    ease, flat = rng.uniform(2, 9), rng.uniform(1.05, 1.3)
    knee = size.knee + ease + rng.uniform(0, 6)
    ankle = max(
        size.ankle + 6, knee * rng.choice([rng.uniform(0.62, 0.8), rng.uniform(0.9, 1.0), rng.uniform(1.1, 1.35)])
    )
    length = size.inseam * rng.choice(
        [rng.uniform(0.93, 1.02), rng.uniform(0.93, 1.02), rng.uniform(0.8, 0.95), rng.uniform(0.15, 0.4)]
    )
    thigh = tube(size.thigh + ease, flat)
    result = []
    for side in (1, -1):
        angle = np.radians(rng.uniform(1.0, 4.0) + extra_deg)
        top = np.array([side * hip.width * 0.47, -rise + 4, hip.z])
        end = top + np.array([side * np.sin(angle), -np.cos(angle), 0]) * (length + 4)
        end[2] += rng.uniform(-2, 1)
        middle = (top + end) / 2 + np.array([side * rng.uniform(-0.5, 1.0), 0, rng.uniform(0, 2)])
        at_knee = 0.45 * size.inseam / length
        knots, axes = [0, 0.18], [(hip.width * 0.53, (hip.front + hip.back) * 0.47), thigh]
        if at_knee < 0.85:
            knots, axes = [*knots, at_knee], [*axes, tube(knee, flat)]
        last = ankle if at_knee < 0.85 else (size.thigh + ease) * 0.97
        result.append(Limb(np.array([top, middle, end]), [*knots, 1.0], [*axes, tube(last, flat)], side))
    return result, last


def trousers(rng: np.random.Generator, spread_extra_deg: float) -> Pattern:
    """The pattern of trousers or shorts; y = 0 is the body's waist."""
    size, exponent, hang = body(rng), rng.uniform(2.2, 2.6), rng.uniform(1.05, 1.35)
    top_y, rise = -rng.uniform(0, 5), size.rise + rng.uniform(0, 2)
    waist, hip = size.waist + rng.uniform(2, 5), size.hip + rng.uniform(3, 8)
    levels = [
        Level(4.0, *half_axes(waist, BREADTH_TO_DEPTH["waist"] * hang, 0.0, exponent), 0, 0.3),
        Level(0.0, *half_axes(waist, BREADTH_TO_DEPTH["waist"] * hang, 0.0, exponent), 0, 0.3),
        Level(-size.hip_drop, *half_axes(hip, BREADTH_TO_DEPTH["hip"] * hang, -0.08, exponent), 0, 0.0),
        Level(-rise, *half_axes(hip * 0.91, BREADTH_TO_DEPTH["hip"] * hang * 1.04, -0.05, exponent), 0, -0.3),
    ]
    torso = Torso(levels, exponent, floor_y=-rise)
    limbs, end_girth = legs(rng, size, levels[2], rise, spread_extra_deg)
    cuts = [waist_cut(top_y, rng.uniform(0.5, 3), levels[1].front)]
    cuts += [limb_cut(n, limb, i + 1) for i, (n, limb) in enumerate(zip(("leg_l", "leg_r"), limbs, strict=True))]
    girths = (Girth("hip", hip, 0, -size.hip_drop), Girth("leg", end_girth, 1, 0.985))
    folds = Folds(int(rng.integers(2, 7)), rng.uniform(0.2, 0.5), 0.0, 8, -5.0, rng.uniform(0.2, 0.5))
    low, high = bounds(torso, limbs, -rise)
    return Pattern(torso, tuple(limbs), tuple(cuts), girths, folds, low, high, 4.0, True, float("nan"))
