"""Fabrics and prints as functions of the place on the cloth, so that front and back are known everywhere.

Places are centimetres within a panel (front, back, limbs); everything is drawn from one seed.
"""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates

from .denim import tailor

KINDS = ("solid", "stripes", "pinstripes", "check", "dots", "floral", "knit", "denim", "melange")

PALETTES = (
    "f4f4f2 1f2a44 c8452f",  # white, navy, brick
    "f3efe6 3f5d4c d9a441",  # ecru, bottle green, ochre
    "16171a e9e6df c23b3b",  # black, bone, red
    "191b22 d8a7b1 f2efe9",  # black, rose, white
    "1f2a44 f1efe8 d64f3c",  # navy, white, coral
    "17686b f3d9b1 e8734a",  # teal, cream, orange
    "a7352e f5e6d3 2e2a2b",  # brick, cream, black
    "d9a441 2f2a26 f7f1e3",  # ochre, espresso, cream
    "b9c8d9 2b3f5c f6f3ee",  # ice blue, ink, white
    "d8c5e0 5b3a6b f4e27a",  # lilac, plum, lemon
    "f0c9c4 8c2f39 5d7052",  # blush, wine, sage
    "cfd8c3 445239 e3825b",  # sage, moss, apricot
    "8a8d91 23262b e5e5e3",  # grey, charcoal, pale grey
    "c9b79c 4a3b2c f3ede2",  # camel, brown, cream
    "e8734a fbe9d7 2d4a5e",  # orange, cream, petrol
    "3d6fb4 f5f3ee f2b84b",  # blue, white, amber
    "5a2a3c e7c9c0 c98a3d",  # burgundy, shell, bronze
    "e3c63d 2d3142 fafafa",  # yellow, slate, white
)
"""Base, contrast and accent, sRGB in hex."""


class Place(NamedTuple):
    """Where N samples lie on the garment."""

    panel: np.ndarray
    """[N] 0 front, 1 back, 2… limbs."""
    across: np.ndarray
    """[N] cm across the panel from its middle."""
    up: np.ndarray
    """[N] cm up the cloth."""
    inside: np.ndarray
    """[N] bool, True on the side that touches the wearer."""
    neck_cm: np.ndarray
    """[N] cm to the neck's edge."""
    edge_cm: np.ndarray
    """[N] cm to the nearest other edge."""
    seam_cm: np.ndarray
    """[N] cm to the seam of a sleeve."""


class Fabric(NamedTuple):
    """A cloth; colours are sRGB in 0..1."""

    kind: str
    base: np.ndarray
    second: np.ndarray
    third: np.ndarray
    scale_cm: float
    seed: int
    trim: np.ndarray | None = None
    """Colour of collar and cuffs where it differs."""
    chest: np.ndarray | None = None
    """[h,w,4] float print on the front panel, or None."""
    chest_cm: float = 22.0
    """The print's width."""
    chest_up: float = -26.0
    """The height of the print's middle; a photo sets it to the garment's own."""
    label: bool = True
    jeans: bool = False
    """Fly, pockets and thread on denim trousers."""


def hsv(h: float, s: float, v: float) -> np.ndarray:
    """[3] sRGB in 0..1."""
    return np.array(colorsys.hsv_to_rgb(h % 1, s, v))


def colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A base, a contrast and an accent colour that shops sell, each slightly off its palette."""
    palette = PALETTES[rng.integers(len(PALETTES))]
    chosen = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in palette.split()]) / 255
    return tuple(np.clip(chosen + rng.uniform(-0.02, 0.02, (3, 1)) + rng.uniform(-0.02, 0.02, (3, 3)), 0.03, 0.97))


def make_fabric(garment_class: str, seed: int, white: bool = False) -> Fabric:
    """A cloth for a garment class; `white` gives a plain white one."""
    rng = np.random.default_rng([11, seed])
    if white:
        shade = np.array([0.955, 0.955, 0.95])
        return Fabric("solid", shade, shade * 0.6, shade * 0.8, 4.0, seed)
    weights = np.array([0.24, 0.14, 0.05, 0.1, 0.09, 0.14, 0.08, 0.04, 0.12])
    if garment_class == "trousers":
        weights = np.array([0.3, 0.02, 0.08, 0.1, 0.02, 0.06, 0.02, 0.3, 0.1])
    elif garment_class != "skirt":
        weights[KINDS.index("denim")] = 0
    kind = str(rng.choice(KINDS, p=weights / weights.sum()))
    base, second, third = colours(rng)
    if kind == "denim":
        base = hsv(rng.uniform(0.58, 0.63), rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.6))
    trim = second if garment_class in ("tee", "longsleeve") and rng.uniform() < 0.25 else None
    plain = kind in ("solid", "melange", "knit")
    chest = motif(rng, second, third) if plain and garment_class in ("tee", "longsleeve", "top") else None
    chest = chest if rng.uniform() < 0.65 else None
    width, jeans = float(rng.choice([8.0, 18.0, 24.0])), kind == "denim" and garment_class == "trousers"
    return Fabric(
        kind,
        base,
        second,
        third,
        float(rng.uniform(2, 6)),
        seed,
        trim,
        chest,
        width,
        -27.0,
        garment_class != "skirt",
        jeans,
    )


def motif(rng: np.random.Generator, ink: np.ndarray, accent: np.ndarray, style: int = -1) -> np.ndarray:
    """[512,512,4] float chest print with transparency: a badge (0), a sun over waves (1), a word (2), or any (-1)."""
    image = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    first, second = ((*tuple(int(255 * c) for c in colour), 255) for colour in (ink, accent))
    style = rng.integers(3) if style < 0 else style
    if style == 0:
        draw.ellipse((40, 40, 472, 472), fill=first)
        draw.polygon([(256, 110), (300, 220), (415, 228), (325, 300), (356, 412), (256, 350),
                      (156, 412), (187, 300), (97, 228), (212, 220)], fill=second)  # fmt: skip
    elif style == 1:
        draw.pieslice((66, 66, 446, 446), 180, 360, fill=second)
        for k in range(5):
            wave = [(56 + x, 290 + 42 * k + 12 * np.sin(x / 32 + k)) for x in range(0, 401, 8)]
            draw.line(wave, fill=first, width=20)
    else:
        word = str(rng.choice(["NORTH", "BLOOM", "WAVES", "CLUB 78", "HELLO"]))
        font = ImageFont.load_default(size=118)
        box = draw.textbbox((0, 0), word, font=font)
        draw.text((256 - (box[0] + box[2]) / 2, 180), word, font=font, fill=first)
        draw.rectangle((70, 330, 442, 348), fill=second)
    return np.asarray(image, np.float32) / 255


def table(seed: int, smooth: float) -> np.ndarray:
    """[256,256] tileable noise with mean 0 and standard deviation 1."""
    values = gaussian_filter(np.random.default_rng(seed).normal(size=(256, 256)), smooth, mode="wrap")
    return (values - values.mean()) / values.std()


def noise(place: Place, seed: int, cell_cm: float, smooth: float = 1.0) -> np.ndarray:
    """[N] smooth random values over the cloth, standard deviation 1, one table cell per `cell_cm`."""
    where = np.stack([place.up / cell_cm + 37 * place.panel, place.across / cell_cm + 91 * place.panel])
    return map_coordinates(table(seed, smooth), where, order=1, mode="grid-wrap")


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """[N,3] from first (0) to second (1)."""
    return first + (second - first) * share[:, None]


def band(x: np.ndarray, width: float, soft: float = 0.05) -> np.ndarray:
    """1 in the first `width` share of each unit period, soft-edged."""
    phase = np.abs((x % 1.0) - 0.5)
    return np.clip((phase - (0.5 - width / 2)) / soft + 0.5, 0, 1)


def flowers(fabric: Fabric, place: Place, cell: float, salt: int, leaf: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """[N] petals 0..1 and [N] hearts 0..1 of one flower per cell, each with its own place, size and turn."""
    row = np.floor(place.up / cell + 0.37 * salt).astype(int)
    column = np.floor(place.across / cell + 0.5 * (row % 2) + 0.61 * salt).astype(int)
    key = ((row * 73 + column * 151 + place.panel * 31 + salt * 7 + fabric.seed) % 4096).astype(int)
    random = np.random.default_rng([fabric.seed, salt]).uniform(size=(4096, 4))[key]
    x = place.across / cell + 0.5 * (row % 2) + 0.61 * salt - column - 0.5 - 0.4 * (random[:, 0] - 0.5)
    y = place.up / cell + 0.37 * salt - row - 0.5 - 0.4 * (random[:, 1] - 0.5)
    radius, angle = np.hypot(x, y), np.arctan2(y, x) + 6.28 * random[:, 2]
    size, soft = 0.18 + 0.12 * random[:, 3], 0.1 / cell
    petals = np.abs(np.cos(angle)) ** 4 if leaf else 0.55 + 0.45 * np.sqrt(np.abs(np.cos(2.5 * angle)))
    outline = size * petals
    return np.clip((outline - radius) / soft + 0.5, 0, 1), np.clip((size * 0.28 - radius) / soft + 0.5, 0, 1)


def woven(fabric: Fabric, place: Place) -> np.ndarray:
    """[N,3] the cloth without collar, print and label."""
    base, second, third, size = fabric.base, fabric.second, fabric.third, fabric.scale_cm
    plain = np.broadcast_to(base, (len(place.up), 3))
    if fabric.kind == "stripes":
        return mix(plain, second, band(place.up / size, 0.5))
    if fabric.kind == "pinstripes":
        return mix(plain, second, 0.7 * band(place.across / (size * 0.5), 0.08))
    if fabric.kind == "check":
        a, b = band(place.across / size, 0.5), band(place.up / size, 0.5)
        line = np.maximum(band(place.across / size + 0.25, 0.06), band(place.up / size + 0.25, 0.06))
        return mix(mix(plain, second, 0.38 * (a + b)), third, 0.7 * line)
    if fabric.kind == "dots":
        row = np.floor(place.up / size)
        x = (place.across / size + 0.5 * (row % 2)) % 1 - 0.5
        return mix(plain, second, np.clip((0.2 - np.hypot(x, place.up / size - row - 0.5)) / 0.03 + 0.5, 0, 1))
    if fabric.kind == "floral":
        leaf, _ = flowers(fabric, place, size * 0.9, 1, leaf=True)
        petal, heart = flowers(fabric, place, size * 1.35, 0)
        bud, middle = flowers(fabric, place, size * 0.8, 2)
        ground = mix(plain, second * 0.45 + np.array([0.1, 0.22, 0.12]), leaf)
        ground = mix(mix(ground, 0.5 * third + 0.5 * second, 0.9 * bud), base, middle)
        return mix(mix(ground, second, petal), third, heart)
    if fabric.kind == "knit":
        rib = np.abs(np.sin(place.across * np.pi / 0.55))
        return plain * (0.82 + 0.18 * rib)[:, None]
    if fabric.kind == "denim":
        twill = 0.025 * np.sin((place.across + place.up) * 2 * np.pi / 0.22) + 0.018 * noise(place, 3, 0.1)
        worn = np.exp(-(((np.abs(place.across) - 10) / 7) ** 2)) * np.clip(0.2 + 0.03 * noise(place, 4, 2.0), 0, 1)
        cloth = np.clip(mix(plain, np.array([0.85, 0.89, 0.95]), worn) + twill[:, None], 0, 1)
        if not fabric.jeans:
            return cloth
        sewn = tailor(cloth, place.across, place.up, place.edge_cm, place.panel != 1)
        return np.where(place.inside[:, None], cloth, sewn)
    if fabric.kind == "melange":
        return np.clip(plain * (1 + 0.04 * noise(place, 5, 0.07, 0.6))[:, None], 0, 1)
    return plain


def colour(fabric: Fabric, place: Place) -> np.ndarray:
    """[N,3] sRGB in 0..1 of the cloth at N places, unlit: weave, print, collar, cuffs, seams and label."""
    rgb = woven(fabric, place) * (1 + 0.008 * noise(place, 6, 0.08, 0.6))[:, None]
    outside = ~place.inside
    if fabric.chest is not None:
        h, w = fabric.chest.shape[:2]
        where = [(0.5 - (place.up - fabric.chest_up) / fabric.chest_cm) * h, (0.5 + place.across / fabric.chest_cm) * w]
        layer = [map_coordinates(fabric.chest[..., c], where, order=1, cval=0.0) for c in range(4)]
        rgb = mix(rgb, np.stack(layer[:3], 1), layer[3] * (outside & (place.panel == 0)))
    if fabric.trim is not None:
        limb_end = (place.edge_cm < 2.2) & (place.panel > 1)
        waistband = (place.neck_cm > 98) & (place.edge_cm < 3.0) & (place.up > -8)
        rgb = np.where(((place.neck_cm < 2.0) | limb_end | waistband)[:, None], fabric.trim, rgb)
    stitched = np.maximum(line(place.neck_cm, 2.0), line(place.edge_cm, 2.2))
    stitched = np.maximum(stitched, 1.3 * line(place.seam_cm, 0.0))
    # A folded band stands up a little: lighter in its middle than at its edges.
    band_light = 0.05 * (np.cos((np.minimum(place.neck_cm, 2.0) - 0.9) * 2.2) - 0.6) * (place.neck_cm < 2.0)
    rgb = rgb * (1 - (0.16 * stitched - band_light) * outside)[:, None]
    rgb = np.where(place.inside[:, None], 0.9 * rgb + 0.02, rgb)
    if fabric.label:
        tag = place.inside & (place.panel == 1) & (np.abs(place.across) < 2.3)
        tag &= (place.neck_cm > 0.5) & (place.neck_cm < 2.6)
        ink = (np.abs(place.neck_cm - 1.5) < 0.3) & (np.abs(place.across) < 1.6) & ((place.across * 2.3) % 1 < 0.7)
        dark = fabric.base.mean() > 0.45
        rgb = np.where(tag[:, None], 0.08 if dark else 0.93, rgb)
        rgb = np.where((tag & ink)[:, None], 0.85 if dark else 0.15, rgb)
    return np.clip(rgb, 0, 1)


def line(distance_cm: np.ndarray, at_cm: float) -> np.ndarray:
    """[N] 1 on a stitched line `at_cm` from an edge, fading over a millimetre."""
    return np.clip(1 - np.abs(distance_cm - at_cm) / 0.14, 0, 1)
