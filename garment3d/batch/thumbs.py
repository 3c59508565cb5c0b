"""Small pictures of a photo and its garment for the index page, made from what lies on the disk."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import PIL.Image as PIL
from PIL import Image, ImageOps

from ..images import replace_file

SIDE_PX = (240, 280)
"""Width and height that a picture fits into."""
MAX_BYTES = 15_000
FRAMES = 12
FRAME_PX = (150, 170)
"""Width and height of one of them, as large as the page shows the garment."""


def save_thumbs(photo: Path, output: Path, folder: str) -> None:
    """Writes thumbs/<folder>.photo.webp, .garment.webp and .turn.webp, as many as can be made.

    The last holds FRAMES views side by side, for turning the garment under the mouse.
    """
    views = sorted((output / folder / "views").glob("*.png"))
    kinds = {"photo": lambda: _photo(photo), "garment": lambda: _garment(views[0]), "turn": lambda: _turning(views)}
    for kind, make in kinds.items():
        if kind != "photo" and not views:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files
            try:
                image = make()
            except (OSError, ValueError, SyntaxError, PIL.DecompressionBombError):  # no picture that can be shown
                continue
        limit = MAX_BYTES if kind != "turn" else 4 * MAX_BYTES
        replace_file(output / "thumbs" / f"{folder}.{kind}.webp", _webp(image, limit))


def _photo(path: Path) -> Image.Image:
    with PIL.open(path) as image:
        image.draft("RGB", (2 * SIDE_PX[0], 2 * SIDE_PX[1]))  # JPEG decodes at an eighth of its size at no cost
        upright = ImageOps.exif_transpose(image)
        shown = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    shown.thumbnail(SIDE_PX, PIL.Resampling.LANCZOS, reducing_gap=2.0)
    return shown


def _garment(view: Path) -> Image.Image:
    with PIL.open(view) as image:
        shown = image.convert("RGBA")
    shown = shown.crop(shown.getchannel("A").getbbox())
    shown.thumbnail(SIDE_PX, PIL.Resampling.LANCZOS)
    return shown


def _turning(views: list[Path]) -> Image.Image:
    """FRAMES views side by side, all cut by one box so that the garment turns in its place."""
    chosen = [views[i * len(views) // FRAMES] for i in range(FRAMES)]
    frames = [PIL.open(path).convert("RGBA") for path in chosen]
    covered = np.max([np.asarray(frame.getchannel("A")) for frame in frames], 0)
    box = PIL.fromarray(covered).getbbox()
    strip = PIL.new("RGBA", (FRAMES * FRAME_PX[0], FRAME_PX[1]))
    for i, frame in enumerate(frames):
        small = frame.crop(box)
        small.thumbnail(FRAME_PX, PIL.Resampling.LANCZOS)
        strip.paste(small, (i * FRAME_PX[0] + (FRAME_PX[0] - small.width) // 2, (FRAME_PX[1] - small.height) // 2))
    return strip


def _webp(image: Image.Image, limit: int) -> bytes:
    """The picture at the best quality whose file stays below the limit."""
    data = b""
    for quality in (80, 65, 50, 30, 10):
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=4)
        data = file.getvalue()
        if len(data) <= limit:
            break
    return data
