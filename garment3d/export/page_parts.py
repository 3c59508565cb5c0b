"""Pieces that the pages are put together from: pictures inside the page, figures in tables, the page around a body."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from .. import __version__
from .evidence import Sight

SIGHT_PX = 640
_TEMPLATE = Path(__file__).with_name("page.html")


def whole_page(title: str, lead: str, banner: str, body: str, foot: str, view_aspect: str = "1") -> str:
    """A page in light or dark as the reader's system asks; `banner`, `body` and `foot` are HTML, the rest is text."""
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        lead=escape(lead),
        banner=banner,
        body=body,
        foot=foot,
        view_aspect=view_aspect,
        generator=f"Garment3D {__version__}",
    )


def section(title: str, small: str, inside: str) -> str:
    """A section with its heading, both text; nothing where nothing is inside."""
    remark = f" <small>{escape(small)}</small>" if small else ""
    return f"<section><h2>{escape(title)}{remark}</h2>{inside}</section>" if inside else ""


def table(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and values, both text."""
    return (
        f"<table>{''.join(f'<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)}</table>"
    )


def figure(sight: Sight, longest_px: int = SIGHT_PX, kind: str = "") -> str:
    """A card with a picture and its caption; `kind` is a further class."""
    image = Image.fromarray(sight.pixels)
    if max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.BOX)
    text = escape(sight.caption)
    source = uri(encoded(image, "WEBP", quality=84, method=2), "image/webp")
    size = f'width="{image.width}" height="{image.height}"'
    return (
        f'<figure class="card {kind}"><img alt="{text}" {size} src="{source}"><figcaption>{text}</figcaption></figure>'
    )


def encoded(image: Image.Image, form: str, **options: int) -> bytes:
    """The picture as a file of that form."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def uri(data: bytes, mime: str) -> str:
    """An address that is the data itself."""
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def thumbnail(pixels: np.ndarray, side_px: int, alt: str) -> str:
    """A small picture without a card."""
    image = Image.fromarray(pixels)
    image.thumbnail((side_px, side_px), Image.Resampling.BOX)
    source = uri(encoded(image, "WEBP", quality=82, method=1), "image/webp")
    return f'<img alt="{escape(alt)}" width="{image.width}" height="{image.height}" src="{source}">'
