"""Tee, long sleeve, top and dress: a torso with shoulders and a scooped neck, sleeves, straps or armholes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .patterns import Cut, Folds, Girth, Pattern, body, hem_cut, limb_cut, ramp, tube
from .sections import Level, Limb, Torso, half_axes
from .sizes import BREADTH_TO_DEPTH, BodySize


class Neckline(NamedTuple):
    """The neck opening's shape: half-width and depths in cm; `power` 1 is a V, 3 a round neck, 8 square."""

    half_width: float
    front: float
    back: float
    power: float


class Frame(NamedTuple):
    """Where the upper garment's landmarks lie; y = 0 is the neck's side point on the shoulder, cm."""

    size: BodySize
    shoulder_x: float
    shoulder_y: float
    armpit_y: float
    chest_y: float
    waist_y: float
    hip_y: float
    hem_y: float


def neckline(rng: np.random.Generator, size: BodySize, kind: str) -> Neckline:
    """A neckline of the kind crew, vee, boat, deep or square, drawn around the body's neck girth."""
    base = size.neck / (2 * np.pi)
    if kind == "crew":
        return Neckline(base + rng.uniform(2.2, 3.4), rng.uniform(7, 9.5), rng.uniform(1.5, 2.5), rng.uniform(2.3, 3))
    if kind == "vee":
        return Neckline(base + rng.uniform(2.5, 4), rng.uniform(13, 19), rng.uniform(1.5, 2.5), rng.uniform(1.1, 1.3))
    if kind == "boat":
        return Neckline(base + rng.uniform(5, 7), rng.uniform(5, 7), rng.uniform(1.5, 2.5), rng.uniform(2.5, 3.5))
    if kind == "square":
        return Neckline(base + rng.uniform(3, 5), rng.uniform(10, 14), rng.uniform(3, 6), rng.uniform(6, 9))
    return Neckline(base + rng.uniform(3.5, 5.5), rng.uniform(11, 16), rng.uniform(3, 6), rng.uniform(2.2, 3))


def neck_cut(neck: Neckline, ridge_z: float) -> Cut:
    """Everything above a saddle that is lower in front than at the back and meets the shoulder at the half-width."""

    def field(points: np.ndarray) -> np.ndarray:
        across = np.abs(points[:, 0]) / neck.half_width
        front = neck.front * (across**neck.power - 1)
        back = neck.back * (across**2.6 - 1)
        share = ramp(points[:, 2] - ridge_z, -2.5, 2.5)
        return points[:, 1] - (back + (front - back) * share)

    return Cut("neck", field)


def armhole_cut(
    side: int, frame: Frame, outer_x: float, top_y: float, side_x: float, power: tuple[float, float]
) -> Cut:
    """Everything outside a curve from the armpit up to `outer_x` at `top_y`; its power differs front and back."""

    def field(points: np.ndarray) -> np.ndarray:
        up = np.clip((points[:, 1] - frame.armpit_y) / (top_y - frame.armpit_y), -0.5, 1)
        share = ramp(points[:, 2], -3, 3)
        bend = power[0] * share + power[1] * (1 - share)
        return side * points[:, 0] - (outer_x + (side_x - outer_x) * (1 - up) ** bend)

    return Cut("armhole_l" if side > 0 else "armhole_r", field)


def level(y: float, girth: float, ratio: float, belly: float, exponent: float, x: float = 0.0, z: float = 0.0) -> Level:
    """A torso section with a planned girth."""
    return Level(y, *half_axes(girth, ratio, belly, exponent), x, z)


def shoulders(frame: Frame, neck: Neckline, chest: Level, lean: float) -> list[Level]:
    """Sections from the armpit up to beyond the neck: as wide as the sloped shoulder line and getting thinner."""
    slope = -frame.shoulder_y / (frame.shoulder_x - neck.half_width)
    depth = (chest.front + chest.back) / 2
    rows = [
        (frame.shoulder_y - 7, frame.shoulder_x * 0.985, 0.86),
        (frame.shoulder_y - 2, frame.shoulder_x, 0.70),
        (frame.shoulder_y, frame.shoulder_x * 0.985, 0.62),
        (frame.shoulder_y / 2, (frame.shoulder_x + neck.half_width) / 2, 0.55),
        (0.0, neck.half_width, 0.5),
        (neck.half_width * slope * 0.97, neck.half_width * 0.03 + 0.3, 0.4),
    ]
    return [Level(y, w, chest.front * s, chest.back * s, chest.x, chest.z - lean * depth * (1 - s)) for y, w, s in rows]


def sleeves(rng: np.random.Generator, frame: Frame, kind: str, spread_deg: float, fit: float, z: float) -> list[Limb]:
    """Left and right sleeve, hanging at nearly the same angle; `kind` short, elbow or long."""
    size = frame.size
    share = {"short": rng.uniform(0.28, 0.42), "elbow": rng.uniform(0.5, 0.68), "long": rng.uniform(0.95, 1.05)}[kind]
    flat = rng.uniform(1.25, 1.6)
    depth = frame.shoulder_y - frame.armpit_y
    biceps = size.upper_arm + 5 + 9 * fit
    cuff = size.wrist + 5 + 5 * fit if kind == "long" else biceps * rng.uniform(0.88, 1.1)
    bend, forward = rng.uniform(1.0, 4.0) * share, rng.uniform(0.5, 3) * share
    result = []
    for side in (1, -1):
        angle = np.radians(spread_deg + rng.uniform(-2, 2))
        along = np.array([side * np.sin(angle), -np.cos(angle), 0])
        out = np.array([side * np.cos(angle), np.sin(angle), 0])
        axes = [(depth * 0.5, depth * 0.36), tube(biceps, flat), tube((biceps + cuff) / 2, flat), tube(cuff, flat)]
        start = np.array([side * frame.shoulder_x, frame.shoulder_y, z]) - out * axes[0][0] * 1.02
        length = size.arm * share
        end = start + along * length + out * (axes[0][0] - axes[-1][0]) * 0.5 + np.array([0, 0, forward])
        middle = (start + end) / 2 + out * bend + np.array([0, 0, -forward * 0.4])
        result.append(Limb(np.array([start, middle, end]), [0, 0.4 if kind != "long" else 0.25, 0.7, 1], axes))
    return result


def frame_of(rng: np.random.Generator, size: BodySize, chest_width: float, sleeved: bool, length: float) -> Frame:
    """Landmarks for a garment `length` cm from the shoulder down."""
    drop = rng.uniform(0, 3.5) if sleeved else rng.uniform(-0.5, 1.0)
    shoulder_x = size.shoulder / 2 + drop
    if sleeved:
        shoulder_x = max(shoulder_x, 0.93 * chest_width)
    shoulder_y = -(shoulder_x - size.neck / 6.28 - 3) * np.tan(np.radians(rng.uniform(17, 24)))
    armpit_y = shoulder_y - (15.5 + 0.07 * (size.chest - 84) + rng.uniform(0, 3) * sleeved)
    waist_y = -(size.back - 0.5)
    return Frame(size, shoulder_x, shoulder_y, armpit_y, armpit_y - 2.5, waist_y, waist_y - size.hip_drop, -length)


def upper(rng: np.random.Generator, kind: str, spread_extra_deg: float) -> Pattern:
    """The pattern of a tee, longsleeve, top or dress."""
    size, dress = body(rng), kind == "dress"
    arms = {"tee": "short", "longsleeve": rng.choice(["long", "long", "elbow"])}.get(kind, "none")
    arms = rng.choice(["none", "strap", "short", "elbow", "long"], p=[0.3, 0.15, 0.3, 0.1, 0.15]) if dress else arms
    arms = rng.choice(["none", "strap"]) if kind == "top" else arms
    sleeved = arms not in ("none", "strap")
    fit = rng.uniform(0, 0.45) if dress or not sleeved else rng.uniform(0, 1)
    exponent, belly, hang = rng.uniform(2.15, 2.6), rng.uniform(-0.05, 0.12), rng.uniform(1.15, 1.6)
    girth = {"chest": size.chest + 4 + 16 * fit}
    girth["waist"] = (size.waist + 8) * (1 - fit) + girth["chest"] * fit
    girth["hip"] = max(size.hip + 4, (size.hip + 8) * (1 - fit) + girth["chest"] * fit)
    ratio = {name: BREADTH_TO_DEPTH[name] * hang for name in girth}
    length = size.back + (rng.uniform(45, 75) if dress else rng.uniform(16, 32) if sleeved else rng.uniform(8, 26))
    chest_width = half_axes(girth["chest"], ratio["chest"], belly, exponent)[0]
    frame = frame_of(rng, size, chest_width, sleeved, length)
    sway, curve = rng.uniform(-0.8, 0.8), rng.uniform(0.5, 2)
    levels = [
        level(frame.chest_y, girth["chest"], ratio["chest"], belly, exponent, 0, 0),
        level(frame.waist_y, girth["waist"], ratio["waist"], belly, exponent, sway * 0.5, -curve),
        level(frame.hip_y, girth["hip"], ratio["hip"], belly, exponent, sway, -curve * 0.6),
    ]
    girths = [Girth(n, girth[n], 0, y) for n, y in [("chest", frame.chest_y), ("waist", frame.waist_y)]]
    girths += [Girth("hip", girth["hip"], 0, frame.hip_y)] if frame.hem_y < frame.hip_y - 1 else []
    if dress:
        flare = girth["hip"] * rng.uniform(1.05, 2.0)
        hem = level(frame.hem_y, flare, ratio["hip"] * rng.uniform(0.75, 0.95), 0.0, exponent, sway, 0)
        beyond = level(frame.hem_y - 9, flare * 1.06, ratio["hip"] * 0.8, 0.0, exponent, sway, 0)
        levels += [hem, beyond]
        girths.append(Girth("hem", flare, 0, frame.hem_y))
    else:
        levels.append(levels[-1]._replace(y=frame.hip_y - 20))
    neck_kind = rng.choice(["crew", "crew", "vee", "boat", "deep", "square"] if sleeved else ["crew", "vee", "deep"])
    neck = neckline(rng, size, neck_kind)
    if arms == "strap":
        top_y = frame.armpit_y + rng.uniform(5, 9)
        neck = Neckline(
            rng.uniform(7.0, 8.5), -top_y + rng.uniform(0, 4), -top_y + rng.uniform(2, 4), rng.uniform(3, 9)
        )
    torso = Torso(levels + shoulders(frame, neck, levels[0], rng.uniform(0, 0.25)), exponent)
    ridge_z = float(torso.at(np.array(0.0))[4])
    tilt, back_drop = rng.uniform(-0.015, 0.015), rng.uniform(-0.3, 1.5)
    cuts = [neck_cut(neck, ridge_z), hem_cut("hem", frame.hem_y, tilt, back_drop, levels[0].front)]
    limbs: list[Limb] = []
    if sleeved:
        spread = (rng.uniform(15, 40) if arms == "long" else rng.uniform(28, 60)) + spread_extra_deg
        limbs = sleeves(rng, frame, arms, spread, fit, float(torso.at(np.array(frame.shoulder_y))[4]))
        cuts += [limb_cut(n, limb, i + 1) for i, (n, limb) in enumerate(zip(("cuff_l", "cuff_r"), limbs, strict=True))]
    else:
        strap = (
            rng.uniform(1.0, 1.8) if arms == "strap" else rng.uniform(4.0, max(4.5, frame.shoulder_x - neck.half_width))
        )
        top = frame.armpit_y + rng.uniform(5, 9) if arms == "strap" else frame.shoulder_y + 1.0
        power = (rng.uniform(2.2, 3.0), rng.uniform(1.8, 2.6))
        outer = (
            min(neck.half_width + strap, frame.shoulder_x - rng.uniform(2.5, 4))
            if arms == "none"
            else neck.half_width + strap
        )
        cuts += [armhole_cut(s, frame, outer, top, chest_width + 1.0, power) for s in (1, -1)]
    reach = max([abs(limb.control[:, 0]).max() + 6 for limb in limbs] + [torso.levels[:, 1].max() + 3])
    depth = torso.levels[:, 2:4].max() + 5
    low_y = min([frame.hem_y - 3.5] + [limb.control[:, 1].min() - 10 for limb in limbs])
    folds = Folds(
        creases=int(rng.integers(7, 16)),
        depth=rng.uniform(0.2, 0.55),
        gathers=rng.uniform(0.8, 2.0) if dress else rng.uniform(0.1, 0.7),
        count=int(rng.integers(8, 18)) if dress else int(rng.integers(5, 10)),
        top_y=frame.waist_y + 2 if dress else frame.chest_y,
        limb_depth=rng.uniform(0.15, 0.5),
    )
    low, high = np.array([-reach, low_y, -depth]), np.array([reach, 2.5, depth])
    chest_y = frame.chest_y * 0.55 - 0.45 * neck.front - 6
    return Pattern(torso, tuple(limbs), tuple(cuts), tuple(girths), folds, low, high, 2.0, False, chest_y)
