"""Cards, marks and stacks that a picture for a person is laid out from, with smooth edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from .card_text import PAPER, Colour

RADIUS_PX = 14
FINER = 4
"""Shapes are drawn so many times larger and averaged: Pillow's own have hard edges."""
Strokes = Sequence[Sequence[tuple[float, float]]]


def ground(
    width: int, height: int, fill: Colour, edge: Colour | None = None, frame: Colour | None = None
) -> Image.Image:
    """A card with round corners on paper; `edge` colours its left side, `frame` draws a line around it."""
    image = Image.new("RGB", (width, height), PAPER)
    shape = _smooth((width, height), lambda pen: pen.rounded_rectangle(_box(width, height), RADIUS_PX * FINER, 255))
    inside = Image.new("RGB", (width, height), fill)
    if edge is not None:
        inside.paste(edge, (0, 0, 6, height))
    image.paste(inside, (0, 0), shape)
    if frame is not None:
        line = _smooth(
            (width, height),
            lambda pen: pen.rounded_rectangle(_box(width, height), RADIUS_PX * FINER, None, 255, 3 * FINER),
        )
        image.paste(frame, (0, 0, width, height), line)
    return image


def icon(image: Image.Image, at: tuple[int, int], side: int, strokes: Strokes, tone: Colour) -> None:
    """A disc with `strokes` of a 24 × 24 box on it in the colour of paper, its upper corner at x, y."""
    scale, wide = side * FINER / 24 * 0.62, max(round(side * FINER * 0.075), 1)
    shift = side * FINER * 0.19

    def lines(pen: ImageDraw.ImageDraw) -> None:
        for stroke in strokes:
            points = [(shift + scale * x, shift + scale * y) for x, y in stroke]
            pen.line(points, 255, wide, joint="curve")
            for x, y in points:
                pen.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), 255)

    disc = _smooth((side, side), lambda pen: pen.ellipse((0, 0, side * FINER - 1, side * FINER - 1), 255))
    image.paste(tone, (at[0], at[1], at[0] + side, at[1] + side), disc)
    image.paste(PAPER, (at[0], at[1], at[0] + side, at[1] + side), _smooth((side, side), lines))


def bar(image: Image.Image, box: tuple[int, int, int, int], share: float, tone: Colour, behind: Colour) -> None:
    """A bar of which a share is filled; a share of nothing shows its round end."""
    width, height = box[2] - box[0], box[3] - box[1]
    filled = max(round(float(np.clip(share, 0, 1)) * width), height)
    for part, colour in ((width, behind), (filled, tone)):
        shape = _smooth((part, height), lambda pen, p=part: pen.rounded_rectangle(_box(p, height), 2 * height, 255))
        image.paste(colour, (box[0], box[1], box[0] + part, box[3]), shape)


def place(image: Image.Image, pixels: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Lays a [H,W,4] picture into the middle of a box, as large as it fits."""
    picture = Image.fromarray(pixels)
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(width / picture.width, height / picture.height)
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    # Colours beside the garment must not bleed into its edge: Pillow resizes RGBA premultiplied.
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    image.paste(picture, (box[0] + (width - size[0]) // 2, box[1] + (height - size[1]) // 2), picture)


def stacked(blocks: Sequence[Image.Image], width: int, gap_px: int = 24) -> Image.Image:
    """The blocks one below the other on paper; those of no height take no gap."""
    blocks = [block for block in blocks if block.height > 0]
    height = sum(block.height for block in blocks) + gap_px * max(len(blocks) - 1, 0)
    image, y = Image.new("RGB", (width, height), PAPER), 0
    for block in blocks:
        image.paste(block, (0, y))
        y += block.height + gap_px
    return image


def beside(left: Image.Image, right: Image.Image, width: int) -> Image.Image:
    """Two blocks side by side on paper, at both ends of the width."""
    image = Image.new("RGB", (width, max(left.height, right.height)), PAPER)
    image.paste(left, (0, 0))
    image.paste(right, (width - right.width, 0))
    return image


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """So much of one colour in another."""
    r, g, b = (round(share * a + (1 - share) * c) for a, c in zip(colour, other, strict=True))
    return r, g, b


def _box(width: int, height: int) -> tuple[int, int, int, int]:
    return 0, 0, width * FINER - 1, height * FINER - 1


def _smooth(size: tuple[int, int], paint: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    """An L picture of that size, painted FINER times larger."""
    large = Image.new("L", (size[0] * FINER, size[1] * FINER), 0)
    paint(ImageDraw.Draw(large))
    return large.reduce(FINER)
