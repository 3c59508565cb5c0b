"""An assessment as one picture for a person: the verdict, the garment beside its photo, every view, what was found.

It is stacked from blocks that each paint a picture of their own, so nothing can lie over anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ..data import Views
from ..garment.platforms import PLATFORMS, BudgetCheck
from ..quality.findings import Quality, ViewFigures
from .card_parts import bar, beside, ground, icon, mixed, place, stacked
from .card_text import CARD, INK, LINE, PAPER, SOFT, Colour, height_of, plain, width_of, wrapped, write
from .evidence import Evidence, Sight, evidence
from .likeness_pictures import MISSING, TOO_MUCH, heat
from .quality_page import LOOKS, fault_name, number, percent, spoken

if TYPE_CHECKING:
    import trimesh

WIDTH_PX, MARGIN_PX, GAP_PX = 1600, 48, 20
INNER_PX = WIDTH_PX - 2 * MARGIN_PX
TONES: dict[str, Colour] = {"good": (45, 122, 80), "check": (169, 107, 12), "reject": (194, 69, 45)}
SEVERITIES: dict[str, Colour] = {"fail": TONES["reject"], "warn": TONES["check"]}
MOST_FINDINGS = 8
VIEWS_A_ROW = 9


def quality_card(
    mesh: trimesh.Trimesh,
    rgb: np.ndarray,
    soft: np.ndarray,
    views: Views | None,
    quality: Quality,
    budgets: Sequence[BudgetCheck] = (),
    device: str = "cpu",
) -> np.ndarray:
    """[H,1600,3] uint8: the assessment of a canonical mesh in one picture, as high as it needs; views may be None.

    Args:
        rgb: [H,W,3] uint8, the photo.
        soft: [H,W], its mask.
    """
    return card_of(evidence(mesh, rgb, soft, views, quality, device), quality, budgets)


def card_of(shown: Evidence, quality: Quality, budgets: Sequence[BudgetCheck] = ()) -> np.ndarray:
    """[H,1600,3] uint8 as `quality_card`, of pictures that are there already."""
    blocks = [
        _banner(quality),
        _row(shown.front, 540),
        _legend(),
        _row(shown.sides, 330),
        *([_heading("Views", INNER_PX), _views(shown.views, quality.views)] if quality.views else []),
        _found(shown, quality),
        *([_heading("Platforms", INNER_PX), _chips(budgets)] if budgets else []),
    ]
    inner = stacked(blocks, INNER_PX)
    whole = Image.new("RGB", (WIDTH_PX, inner.height + 2 * MARGIN_PX), PAPER)
    whole.paste(inner, (MARGIN_PX, MARGIN_PX))
    return np.asarray(whole)


def _banner(quality: Quality) -> Image.Image:
    look, tone = LOOKS[quality.verdict], TONES[quality.verdict]
    left, room = 128, INNER_PX - 128 - 32
    sentence = spoken(quality)
    said = wrapped(sentence, 26, room)
    notes = [wrapped(note, 19, room) for note in quality.notes]
    height = 26 + height_of(1, 40) + height_of(len(said), 26) + sum(height_of(len(n), 19) + 6 for n in notes) + 26
    image = ground(INNER_PX, max(height, 124), mixed(tone, PAPER, 0.13))
    icon(image, (32, 26), 72, look.strokes, tone)
    y = 26 + write(image, (left, 22), look.title, 40, room, tone)
    y += write(image, (left, y), sentence, 26, room)
    for note in quality.notes:
        y += 6 + write(image, (left, y + 6), note, 19, room, SOFT)
    return image


def _row(sights: Sequence[Sight], most_px: int) -> Image.Image:
    """Cards of one width side by side, as high as the highest picture needs, but `most_px` at most."""
    if not sights:
        return Image.new("RGB", (INNER_PX, 0), PAPER)
    width = (INNER_PX - GAP_PX * (len(sights) - 1)) // len(sights)
    inner = width - 32
    height = min(max(round(inner * s.pixels.shape[0] / s.pixels.shape[1]) for s in sights), most_px)
    image = Image.new("RGB", (INNER_PX, height + 32 + 36), PAPER)
    for k, sight in enumerate(sights):
        card = ground(width, image.height, CARD)
        place(card, sight.pixels, (16, 16, width - 16, 16 + height))
        write(card, (18, height + 26), sight.caption, 19, width - 36, SOFT, most=1)
        image.paste(card, (k * (width + GAP_PX), 0))
    return image


def _legend() -> Image.Image:
    """What the colours of the difference mean."""
    image = Image.new("RGB", (INNER_PX, 26), PAPER)
    pen, x = ImageDraw.Draw(image), 2
    for colours, text in (
        ([MISSING], "cloth is missing"),
        ([TOO_MUCH], "cloth is too much"),
        (heat(np.linspace(0, 1, 24)).astype(int).tolist(), "another colour"),
    ):
        wide = 16 if len(colours) == 1 else 2
        for colour in colours:
            pen.rectangle((x, 6, x + wide - 1, 20), fill=tuple(colour))
            x += wide
        write(image, (x + 8, 1), text, 18, 200, SOFT, most=1)
        x += 8 + round(width_of(text, 18)) + 32
    return image


def _views(sights: Sequence[Sight], rows: Sequence[ViewFigures]) -> Image.Image:
    """All views in rows, each with its outline's agreement, the ones worth making again framed."""
    width = (INNER_PX - 12 * (VIEWS_A_ROW - 1)) // VIEWS_A_ROW
    height = width + 62
    lines = -(-len(rows) // VIEWS_A_ROW)
    image = Image.new("RGB", (INNER_PX, lines * (height + 12) - 12), PAPER)
    for k, row in enumerate(rows):
        pixels = sights[k].pixels if len(sights) == len(rows) else None
        down, across = divmod(k, VIEWS_A_ROW)
        image.paste(_view(row, pixels, (height, width)), (across * (width + 12), down * (height + 12)))
    return image


def _view(row: ViewFigures, pixels: np.ndarray | None, hw: tuple[int, int]) -> Image.Image:
    height, width = hw
    tone = TONES["reject"] if row.bad else INK
    tinted = mixed(tone, PAPER, 0.13)
    card = ground(width, height, tinted, frame=tone) if row.bad else ground(width, height, CARD)
    if pixels is not None:
        place(card, pixels, (8, 8, width - 8, width - 4))
    half = (width - 24) // 2
    write(card, (12, width - 2), f"{row.azimuth_deg:g}°", 19, half, tone, most=1)
    write(card, (12 + half, width - 2), percent(row.silhouette_iou), 19, half, tone, 1, "right")
    # Below half an outline is lost: the bar spends its length where views differ.
    share = 2 * float(np.nan_to_num(row.silhouette_iou)) - 1
    bar(card, (12, width + 29, width - 12, width + 36), share, TONES["reject" if row.bad else "good"], LINE)
    seed = "" if row.seed is None else f"seed {row.seed}"
    write(card, (12, width + 38), seed, 15, width - 24, SOFT, most=1)
    return card


def _found(shown: Evidence, quality: Quality) -> Image.Image:
    """The findings with the figures beside them; the figures alone in two columns where nothing was found."""
    rows = _rows(quality)
    if not quality.findings:
        half, width = len(rows) // 2, (INNER_PX - 48) // 2
        both = beside(_figures(rows[:half], width), _figures(rows[half:], width), INNER_PX)
        return stacked([_heading("Figures", INNER_PX), both], INNER_PX)
    left = stacked([_heading("Findings", 912), _findings(shown, quality, 912)], 912)
    return beside(left, stacked([_heading("Figures", 552), _figures(rows, 552)], 552), INNER_PX)


def _findings(shown: Evidence, quality: Quality, width: int) -> Image.Image:
    found = quality.findings[:MOST_FINDINGS]
    blocks = []
    for finding, sights in zip(found, shown.findings, strict=False):
        picture = _telling(sights)
        room = width - 28 - (150 if picture is not None else 20)
        title, lines = fault_name(finding.fault), len(wrapped(finding.sentence, 20, room))
        height = height_of(1, 24) + height_of(lines, 20) + 30
        block = ground(width, max(height, 136 if picture is not None else 0), CARD, SEVERITIES[finding.severity])
        y = 12 + write(block, (28, 10), title, 24, room // 2, most=1)
        aside = 28 + min(round(width_of(title, 24)), room // 2) + 14
        write(block, (aside, 14), finding.where, 18, 28 + room - aside, SOFT, most=1)
        write(block, (28, y), finding.sentence, 20, room)
        if picture is not None:
            place(block, picture, (width - 132, 8, width - 12, block.height - 8))
        blocks.append(block)
    rest = len(quality.findings) - len(found)
    if rest:
        blocks.append(_line(f"and {rest} more", width))
    return stacked(blocks, width, 12)


def _telling(sights: Sequence[Sight]) -> np.ndarray | None:
    """The one picture that says most: where things differ, a close look, the garment, else the first."""
    for begins in ("Where", "A close", "The garment", ""):
        for sight in sights:
            if sight.caption.startswith(begins):
                return sight.pixels
    return None


def _figures(rows: Sequence[tuple[str, str]], width: int) -> Image.Image:
    """A line for each figure."""
    image = Image.new("RGB", (width, 42 * len(rows)), PAPER)
    pen = ImageDraw.Draw(image)
    for k, (name, value) in enumerate(rows):
        split = round(0.62 * width)
        write(image, (0, 42 * k + 7), name, 20, split - 12, SOFT, most=1)
        write(image, (split, 42 * k + 7), value, 20, width - split, most=1, align="right")
        pen.line((0, 42 * k + 41, width, 42 * k + 41), LINE)
    return image


def _rows(quality: Quality) -> list[tuple[str, str]]:
    shape, texture = quality.shape, quality.texture
    return [
        ("Outline on the photo's mask", percent(quality.silhouette_iou)),
        ("Front against the photo", f"{number(texture.front_psnr_db, 1)} dB"),
        ("Outline in front and behind", percent(shape.mirrored_iou)),
        ("Size", f"{number(100 * shape.size_error, 1)} % off"),
        ("Holes", str(shape.unexpected_loops)),
        ("Openings missing", ", ".join(shape.missing_openings) or "none"),
        ("Faces that cut through cloth", f"{shape.crossing_faces:,}"),
        ("Faces folded over", f"{shape.folded_faces:,}"),
        ("Background along the outline", percent(max(texture.halo, 0.0))),
        ("Atlas in use", percent(texture.atlas_use)),
        ("Places shared in the atlas", percent(texture.uv_overlap)),
        ("Finest to coarsest detail", f"{number(texture.density_ratio, 1)} to 1"),
    ]


def _chips(budgets: Sequence[BudgetCheck]) -> Image.Image:
    """A chip per platform that sets a bound with a tick or a cross, in as many lines as they need."""
    bounded = [check for check in budgets if check.budget.triangles is not None or check.budget.texture_mb is not None]
    names = [PLATFORMS[check.platform].title if check.platform in PLATFORMS else check.platform for check in bounded]
    widths = [min(round(width_of(plain(name), 19)) + 62, INNER_PX) for name in names]
    places, x, y = [], 0, 0
    for width in widths:
        x, y = (0, y + 52) if x and x + width > INNER_PX else (x, y)
        places.append((x, y))
        x += width + 12
    image = Image.new("RGB", (INNER_PX, y + 42 if bounded else 0), PAPER)
    for check, name, width, at in zip(bounded, names, widths, places, strict=True):
        chip = ground(width, 42, CARD)
        tone = TONES["good" if check.met else "reject"]
        icon(chip, (9, 9), 24, LOOKS["good" if check.met else "reject"].strokes, tone)
        write(chip, (42, 8), name, 19, width - 54, most=1)
        image.paste(chip, at)
    return image


def _heading(text: str, width: int) -> Image.Image:
    image = Image.new("RGB", (width, 40), PAPER)
    write(image, (0, 6), text, 26, width, most=1)
    return image


def _line(text: str, width: int) -> Image.Image:
    image = Image.new("RGB", (width, height_of(1, 20) + 4), PAPER)
    write(image, (0, 0), text, 20, width, SOFT, most=1)
    return image
