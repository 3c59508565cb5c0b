"""Words on a picture: wrapped into their room, cut where they can't be, in the one font that Pillow itself brings."""

from __future__ import annotations

import unicodedata
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

PAPER, CARD, INK, SOFT, LINE = (250, 248, 244), (241, 238, 232), (28, 27, 25), (110, 106, 98), (223, 218, 208)
LEADING = 1.34
"""Line height over font size."""
ASIDE = str.maketrans(
    {"×": "x", "−": "-", "–": "-", "—": "-", "≥": ">=", "≤": "<=", "→": "->", "Δ": "d", "≈": "~", "µ": "u", "ß": "ss"}
)
"""Signs that Pillow's own font has not."""
KNOWN = "°·…“”’‘±"


def plain(text: str) -> str:
    """The text in signs that the font has: accents are dropped, what has no like becomes a question mark."""
    simple = unicodedata.normalize("NFKD", " ".join(text.translate(ASIDE).split()).replace("…", "\0"))
    kept = (sign for sign in simple.replace("\0", "…") if not unicodedata.combining(sign))
    return "".join(sign if sign.isascii() or sign in KNOWN else "?" for sign in kept)


def width_of(text: str, size_px: int) -> float:
    """Pixels that a line takes."""
    return _font(size_px).getlength(text)


def wrapped(text: str, size_px: int, room_px: int, most: int = 0) -> list[str]:
    """Lines that fit into the room; a word too long for one is broken, lines beyond `most` are cut with an ellipsis."""
    lines, line = [], ""
    for word in _words(plain(text), size_px, room_px):
        longer = f"{line} {word}" if line else word
        if line and width_of(longer, size_px) > room_px:
            lines.append(line)
            longer = word
        line = longer
    lines += [line] if line else []
    if most and len(lines) > most:
        lines[most - 1 :] = [_cut(" ".join(lines[most - 1 :]), size_px, room_px)]
    return lines


def height_of(lines: int, size_px: int) -> int:
    """Pixels that so many lines take."""
    return round(lines * size_px * LEADING)


def write(
    image: Image.Image,
    at: tuple[int, int],
    text: str,
    size_px: int,
    room_px: int,
    colour: Colour = INK,
    most: int = 0,
    align: str = "left",
) -> int:
    """Writes wrapped text with its upper corner at x, y into a room so wide; gives the height it took.

    Args:
        most: lines at most; 0 for as many as it needs.
        align: left, or right or middle of the room.
    """
    pen = ImageDraw.Draw(image)
    lines = wrapped(text, size_px, room_px, most)
    for k, line in enumerate(lines):
        spare = room_px - width_of(line, size_px)
        x = at[0] + {"left": 0, "right": spare, "middle": spare / 2}[align]
        y = at[1] + round((k + 0.5) * size_px * LEADING)
        pen.text((x, y), line, colour, _font(size_px), anchor="lm")
    return height_of(len(lines), size_px)


def _words(text: str, size_px: int, room_px: int) -> list[str]:
    """The words, those wider than the room in parts that are not."""
    parts = []
    for word in text.split():
        while width_of(word, size_px) > room_px and len(word) > 1:
            count = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or width_of(word[:n], size_px) <= room_px)
            parts.append(word[:count])
            word = word[count:]
        parts.append(word)
    return parts


def _cut(text: str, size_px: int, room_px: int) -> str:
    while text and width_of(f"{text}…", size_px) > room_px:
        text = text[:-1].rstrip()
    return f"{text}…"


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
