"""Tee, long sleeve, top and dress: a torso with shoulders and a scooped neck, sleeves, straps or armholes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .patterns import Cut, Folds, Girth, Pattern, body, bounds, hem_cut, limb_cut, ramp, tube
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
        below = 3 * np.clip(frame.armpit_y - points[:, 1], 0, None)
        return side * points[:, 0] - (outer_x + (side_x - outer_x) * (1 - up) ** bend) - below

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


def sleeves(
    rng: np.random.Generator, frame: Frame, kind: str, spread_deg: float, fit: float, z: float
) -> tuple[list[Limb], float]:
    """Left and right sleeve, hanging alike, and the cuff's girth in cm; `kind` short, elbow or long."""
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
    return result, cuff


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


def arms_of(rng: np.random.Generator, kind: str) -> str:
    """How the arms go through: short, elbow or long sleeves, straps, or none (armholes)."""
    if kind == "tee":
        return "short"
    if kind == "longsleeve":
        return str(rng.choice(["long", "long", "elbow"]))
    if kind == "top":
        return str(rng.choice(["none", "strap"]))
    return str(rng.choice(["none", "strap", "short", "elbow", "long"], p=[0.3, 0.15, 0.3, 0.1, 0.15]))


class Column(NamedTuple):
    """The torso from the chest down: its sections, their planned girths, and the landmarks."""

    levels: list[Level]
    girths: list[Girth]
    frame: Frame
    exponent: float
    fit: float
    """0 close to the body, 1 boxy."""


def column(rng: np.random.Generator, dress: bool, sleeved: bool) -> Column:
    """A torso from the chest to the hem, straight or waisted, flared below the hip where it is a dress."""
    size = body(rng)
    fit = rng.uniform(0, 0.45) if dress or not sleeved else rng.uniform(0, 1)
    exponent, belly, hang = rng.uniform(2.15, 2.6), rng.uniform(-0.05, 0.12), rng.uniform(1.15, 1.6)
    chest = size.chest + 4 + 16 * fit
    waist = (size.waist + 8) * (1 - fit) + chest * fit
    hip = max(size.hip + 4, (size.hip + 8) * (1 - fit) + chest * fit)
    ratio = {name: value * hang for name, value in BREADTH_TO_DEPTH.items()}
    length = size.back + (rng.uniform(45, 75) if dress else rng.uniform(16, 32) if sleeved else rng.uniform(8, 26))
    frame = frame_of(rng, size, half_axes(chest, ratio["chest"], belly, exponent)[0], sleeved, length)
    sway, curve = rng.uniform(-0.8, 0.8), rng.uniform(0.5, 2)
    levels = [
        level(frame.chest_y, chest, ratio["chest"], belly, exponent, 0, 0),
        level(frame.waist_y, waist, ratio["waist"], belly, exponent, sway * 0.5, -curve),
        level(frame.hip_y, hip, ratio["hip"], belly, exponent, sway, -curve * 0.6),
    ]
    girths = [Girth("chest", chest, 0, frame.chest_y), Girth("waist", waist, 0, frame.waist_y)]
    if frame.hem_y < frame.hip_y - 1:
        girths.append(Girth("hip", hip, 0, frame.hip_y))
    if dress:
        flare, flat = hip * rng.uniform(1.05, 2.0), ratio["hip"] * rng.uniform(0.75, 0.95)
        levels.append(level(frame.hem_y, flare, flat, 0.0, exponent, sway, 0))
        levels.append(level(frame.hem_y - 9, flare * 1.06, flat, 0.0, exponent, sway, 0))
    else:
        levels.append(levels[-1]._replace(y=frame.hip_y - 20))
    return Column(levels, girths, frame, exponent, fit)


def bare_arm_cuts(
    rng: np.random.Generator, frame: Frame, neck: Neckline, chest_width: float, straps: bool
) -> list[Cut]:
    """Left and right armhole: beside thin straps, or below a shoulder that is a few cm wide."""
    if straps:
        outer, top = neck.half_width + rng.uniform(1.0, 1.8), -neck.back - rng.uniform(0, 2)
        power = (rng.uniform(1.1, 1.6),) * 2
        return [armhole_cut(s, frame, outer, top, chest_width, power) for s in (1, -1)]
    outer = neck.half_width + rng.uniform(4.0, max(4.5, frame.shoulder_x - neck.half_width))
    outer = min(outer, frame.shoulder_x - rng.uniform(2.5, 4))
    power = (rng.uniform(2.2, 3.0), rng.uniform(1.8, 2.6))
    return [armhole_cut(s, frame, outer, frame.shoulder_y + 1.0, chest_width + 1.0, power) for s in (1, -1)]


def neck_of(rng: np.random.Generator, frame: Frame, arms: str) -> Neckline:
    """A neckline that suits the way the arms go through; between straps it runs along the top edge."""
    if arms == "strap":
        depth = -frame.armpit_y - rng.uniform(7, 11)
        half_width, power = rng.uniform(8.5, 11.5), rng.uniform(2.5, 9)
        return Neckline(half_width, depth + rng.uniform(0, 4), depth + rng.uniform(0, 2), power)
    sleeved = arms != "none"
    kind = rng.choice(["crew", "crew", "vee", "boat", "deep", "square"] if sleeved else ["crew", "vee", "deep"])
    return neckline(rng, frame.size, str(kind))


def folds_of(rng: np.random.Generator, frame: Frame, dress: bool) -> Folds:
    """Wrinkles all over; deep folds from the waist down on a dress, shallow ones from the chest down on a top."""
    return Folds(
        creases=int(rng.integers(7, 16)),
        depth=rng.uniform(0.25, 0.8),
        gathers=rng.uniform(0.9, 2.2) if dress else rng.uniform(0.1, 0.7),
        count=int(rng.integers(11, 24)) if dress else int(rng.integers(5, 10)),
        top_y=frame.waist_y + 2 if dress else frame.chest_y,
        limb_depth=rng.uniform(0.2, 0.6),
    )


def upper(rng: np.random.Generator, kind: str, spread_extra_deg: float) -> Pattern:
    """The pattern of a tee, longsleeve, top or dress."""
    arms, dress = arms_of(rng, kind), kind == "dress"
    sleeved = arms not in ("none", "strap")
    levels, girths, frame, exponent, fit = column(rng, dress, sleeved)
    neck = neck_of(rng, frame, arms)
    torso = Torso(levels + shoulders(frame, neck, levels[0], rng.uniform(0, 0.25)), exponent)
    ridge_z = float(torso.at(np.array(0.0))[4])
    tilt, back_drop = rng.uniform(-0.015, 0.015), rng.uniform(-0.3, 1.5)
    cuts = [neck_cut(neck, ridge_z), hem_cut("hem", frame.hem_y, tilt, back_drop, levels[0].front)]
    limbs: list[Limb] = []
    if sleeved:
        spread = (rng.uniform(15, 40) if arms == "long" else rng.uniform(28, 60)) + spread_extra_deg
        limbs, cuff = sleeves(rng, frame, arms, spread, fit, float(torso.at(np.array(frame.shoulder_y))[4]))
        cuts += [limb_cut(n, limb, i + 1) for i, (n, limb) in enumerate(zip(("cuff_l", "cuff_r"), limbs, strict=True))]
        girths.append(Girth("cuff", cuff, 1, 0.985))
    else:
        cuts += bare_arm_cuts(rng, frame, neck, levels[0].width, arms == "strap")
    low, high = bounds(torso, limbs, frame.hem_y - 3.5)
    chest_y = -neck.front - 0.22 * (-neck.front - frame.hem_y)
    folds = folds_of(rng, frame, dress)
    return Pattern(torso, tuple(limbs), tuple(cuts), tuple(girths), folds, low, high, 2.0, False, chest_y)
