"""Pictures in and out: reading a photo or mask from a file, framing it on a canvas and back, writing files whole.

Every odd file is met here once, so that the stages see upright sRGB uint8 photos and soft float masks only.
"""

from __future__ import annotations

import errno
import io
import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from .camera import mask_box
from .data import Photo
from .errors import MaskError, PhotoError, SaveError

MIN_SIDE_PX = 32
MAX_SIDE_PX = 8192
_ANIMATIONS = {"GIF", "WEBP", "PNG", "AVIF"}
"""Formats whose further frames are an animation; in MPO (phones) and TIFF they are previews or pages."""


class CanvasBox(NamedTuple):
    """The square of the photo that a canvas shows; it may reach beyond the photo."""

    x0_px: float
    y0_px: float
    side_px: float


class Canvas(NamedTuple):
    """A garment framed for an engine."""

    pixels: np.ndarray
    """[S,S,3] float32 sRGB in 0..1, the garment composited over the background."""
    box: CanvasBox
    """Where the canvas lies in the photo; `from_canvas` takes results back through it."""


def read_photo(path: str | Path) -> Photo:
    """Upright sRGB [H,W,3] uint8 and its alpha if any pixel is transparent; a file that is no photo raises PhotoError.

    Sides must be 32 to 8192 px, checked before decoding. Embedded colour profiles are converted to sRGB.
    """
    path = Path(path)
    image = _decoded(path)
    alpha = _real_alpha(image)
    return Photo(_srgb(image, path), alpha)


def read_mask(path: str | Path, hw: tuple[int, int]) -> np.ndarray:
    """[H,W] float32 soft, 1 = garment: the file's transparency if it has any, else its brightness.

    A file that can't be read, of another size than `hw`, empty or all white raises MaskError.
    """
    path = Path(path)
    try:
        image = _decoded(path)
        alpha = _real_alpha(image)
        values = alpha if alpha is not None else _eight_bits(image, path).max(-1)
    except PhotoError as error:
        raise MaskError(f"The mask can't be used: {error}") from error
    if values.shape != tuple(hw):
        sizes = f"{_size(values.shape)} px but the photo is {_size(hw)} px"
        raise MaskError(f"The mask {path.name} is {sizes}; give a mask of the photo's size.")
    if values.max() == 1:  # written as 0 and 1 instead of 0 and 255
        values = values * np.uint8(255)
    return checked_mask(values.astype(np.float32) / 255, f"The mask {path.name}")


def checked_mask(soft: np.ndarray, name: str = "The mask") -> np.ndarray:
    """The same [H,W] mask if something in it is ≥ 0.5 and something is not; otherwise MaskError."""
    inside = np.count_nonzero(soft >= 0.5)
    if inside == 0:
        raise MaskError(f"{name} is empty: paint or select the garment so that it is white in the mask.")
    if inside == soft.size:
        raise MaskError(f"{name} covers the whole photo: leave the background black.")
    return soft


def check_fits(soft: np.ndarray, rgb: np.ndarray) -> None:
    """MaskError where a [H,W] mask is not as large as its [H,W,3] photo."""
    if soft.shape != rgb.shape[:2]:
        raise MaskError(
            f"The mask is {soft.shape[1]} × {soft.shape[0]} px but the photo {rgb.shape[1]} × {rgb.shape[0]}; "
            "give a mask of the photo's size."
        )


def over_white(rgb: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """[H,W,3] uint8 of the photo laid over white; without alpha the photo itself."""
    if alpha is None:
        return rgb
    photo = Image.fromarray(rgb)
    return np.asarray(Image.composite(photo, Image.new("RGB", photo.size, "white"), Image.fromarray(alpha)))


def canvas(
    image: np.ndarray, mask: np.ndarray, ratio: float, background: tuple[float, float, float] | float, size: int
) -> Canvas:
    """[size,size,3] float32 of the garment centred over a colour, its longest side `ratio` of the canvas, and the box.

    The box depends on the mask alone, so every engine with this ratio sees one frame; an empty mask raises MaskError.

    Args:
        image: [H,W,3] uint8.
        mask: [H,W] soft.
        background: sRGB 0..1, one value or three.
    """
    x0, y0, x1, y1 = mask_box(mask)
    side = max(x1 - x0, y1 - y0) / ratio
    box = CanvasBox((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side)
    colour = np.broadcast_to(np.asarray(background, np.float32), (3,))
    top, left = max(0, int(box.y0_px)), max(0, int(box.x0_px))
    window = np.s_[top : int(np.ceil(box.y0_px + side)), left : int(np.ceil(box.x0_px + side))]
    soft = mask[window].astype(np.float32)[..., None]
    # Mixing before resizing keeps the photo's own background out of the edge pixels.
    over = image[window].astype(np.float32) / 255 * soft + colour * (1 - soft)
    framed = CanvasBox(box.x0_px - left, box.y0_px - top, side)
    return Canvas(np.clip(_resample(over, framed, (size, size), colour), 0, 1), box)


def from_canvas(pixels: np.ndarray, box: CanvasBox, hw: tuple[int, int]) -> np.ndarray:
    """[H,W,...] float32 in photo space of a [S,S,...] canvas-space picture; 0 where the canvas does not reach."""
    scale = pixels.shape[0] / box.side_px
    left, top = max(0, int(np.ceil(box.x0_px - 0.5))), max(0, int(np.ceil(box.y0_px - 0.5)))
    right = min(hw[1], int(np.floor(box.x0_px + box.side_px + 0.5)))
    bottom = min(hw[0], int(np.floor(box.y0_px + box.side_px + 0.5)))
    out = np.zeros((*hw, *pixels.shape[2:]), np.float32)
    if right <= left or bottom <= top:
        return out
    # The photo's window is a rectangle of the canvas: sample it at the photo's pixel size.
    source = ((left - box.x0_px) * scale, (top - box.y0_px) * scale)
    extent = ((right - left) * scale, (bottom - top) * scale)
    out[top:bottom, left:right] = _resize(pixels.astype(np.float32), source, extent, (bottom - top, right - left), None)
    return out


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """[h,w] or [h,w,C] float32 means of factor×factor blocks; the last block of a row or column may be partly edge."""
    if factor == 1:
        return image.astype(np.float32)
    rest = [(0, -side % factor) for side in image.shape[:2]]
    padded = np.pad(image, [*rest, *[(0, 0)] * (image.ndim - 2)], mode="edge")
    h, w = padded.shape[0] // factor, padded.shape[1] // factor
    blocks = padded.reshape(h, factor, w, factor, *image.shape[2:])
    return blocks.mean((1, 3), dtype=np.float32)


def colour_map(visual: object) -> Image.Image | None:
    """The picture with the colours of a mesh's visual, whichever kind of material holds it; None where it has none."""
    material = getattr(visual, "material", None)
    return getattr(material, "baseColorTexture", None) or getattr(material, "image", None)


def to_uint8(values: np.ndarray) -> np.ndarray:
    """The same shape as uint8, 0..1 becoming 0..255 rounded; values outside are clipped."""
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to, renamed over it at the end; if anything fails the old file stays.

    The folder is made when it is missing; what the disk refuses raises SaveError.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise SaveError(_why_not_saved(path, error)) from error
    finally:
        with suppress(OSError):  # a name too long to be written can't be removed either
            partial.unlink()


def replace_file(path: str | Path, data: bytes) -> None:
    """Writes `data` as the whole file, or raises SaveError and leaves what was there."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def png_bytes(pixels: np.ndarray) -> bytes:
    """PNG file of [H,W], [H,W,3] or [H,W,4] uint8."""
    return _encoded(pixels, format="PNG", compress_level=4)


def jpg_bytes(pixels: np.ndarray, quality: int = 92) -> bytes:
    """JPEG file of [H,W] or [H,W,3] uint8."""
    return _encoded(pixels, format="JPEG", quality=quality, subsampling=0)


def save_png(path: str | Path, pixels: np.ndarray) -> None:
    """Writes [H,W], [H,W,3] or [H,W,4] uint8 as PNG; SaveError leaves the old file."""
    replace_file(path, png_bytes(pixels))


def save_jpg(path: str | Path, pixels: np.ndarray, quality: int = 92) -> None:
    """Writes [H,W] or [H,W,3] uint8 as JPEG; SaveError leaves the old file."""
    replace_file(path, jpg_bytes(pixels, quality))


def _decoded(path: Path) -> Image.Image:
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files: sizes are checked here, damage is raised
        return _opened(path)


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{path.name} has too many pixels; each side must be at most {MAX_SIDE_PX} px.") from error
    except Exception as error:  # OSError for what is no picture, anything for a damaged header
        raise PhotoError(f"{path.name} is not a picture that can be read; save it as JPEG, PNG or WebP.") from error
    with image:
        _check_header(image, path)
        try:
            image.load()
            return ImageOps.exif_transpose(image)
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, …
            raise PhotoError(f"{path.name} is damaged or cut off ({error}); get a complete copy of it.") from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise PhotoError(f"{path} is a folder; give a picture file.")
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise PhotoError(f"{path} does not exist or can't be opened ({error.strerror}).") from error
    if size_bytes == 0:
        raise PhotoError(f"{path.name} is an empty file of 0 bytes; get a complete copy of it.")


def _check_header(image: Image.Image, path: Path) -> None:
    if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in image.size):
        limits = f"each side must be {MIN_SIDE_PX} to {MAX_SIDE_PX} px"
        raise PhotoError(f"{path.name} is {image.width}×{image.height} px; {limits}.")
    frames = getattr(image, "n_frames", 1) if image.format in _ANIMATIONS else 1
    if frames > 1:
        raise PhotoError(f"{path.name} is an animation of {frames} frames; save the one you want as PNG or JPEG.")
    if image.mode == "CMYK" and not image.info.get("icc_profile"):
        raise PhotoError(f"{path.name} is CMYK without a colour profile; save it as sRGB JPEG or PNG.")


def _real_alpha(image: Image.Image) -> np.ndarray | None:
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    return alpha if alpha.min() < 255 else None


def _srgb(image: Image.Image, path: Path) -> np.ndarray:
    profile = image.info.get("icc_profile")
    if profile:
        plain = image if image.mode in ("RGB", "L", "CMYK") else image.convert("L" if image.mode == "LA" else "RGB")
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if image.mode != "CMYK" and ImageCms.getProfileDescription(source).startswith("sRGB"):
                return _eight_bits(image, path)
            converted = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return np.array(converted)
        except (ImageCms.PyCMSError, OSError) as error:
            if image.mode == "CMYK":
                raise PhotoError(f"{path.name} is CMYK with a broken colour profile; save it as sRGB.") from error
    return _eight_bits(image, path)


def _eight_bits(image: Image.Image, path: Path) -> np.ndarray:
    if image.mode.startswith("I"):  # 16-bit greyscale; old Pillow opens it as 32-bit integers
        grey = np.clip((np.asarray(image).astype(np.int64) * 255 + 32767) // 65535, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, -1)
    if image.mode == "F":
        raise PhotoError(f"{path.name} holds floating-point values; save it with 8 or 16 bits per channel.")
    try:
        return np.array(image.convert("RGB"))
    except ValueError as error:
        raise PhotoError(f"{path.name} has the colour mode {image.mode}; save it as sRGB JPEG or PNG.") from error


def _resample(pixels: np.ndarray, box: CanvasBox, hw: tuple[int, int], fill: np.ndarray) -> np.ndarray:
    return _resize(pixels, (box.x0_px, box.y0_px), (box.side_px, box.side_px), hw, fill)


def _resize(
    pixels: np.ndarray,
    start: tuple[float, float],
    extent: tuple[float, float],
    hw: tuple[int, int],
    fill: np.ndarray | None,
) -> np.ndarray:
    """The rectangle at `start` (x, y) of size `extent`, antialiased to `hw`; beyond the picture `fill` or its edge."""
    high = [max(0, int(np.ceil(s + e - n))) + 1 for s, e, n in zip(start, extent, pixels.shape[1::-1], strict=True)]
    low = [max(0, int(np.ceil(-s))) + 1 for s in start]
    planes = []
    for i, plane in enumerate(np.moveaxis(pixels.reshape(*pixels.shape[:2], -1), -1, 0)):
        margins = ((low[1], high[1]), (low[0], high[0]))
        padded = np.pad(plane, margins, "edge") if fill is None else np.pad(plane, margins, constant_values=fill[i])
        x0, y0 = start[0] + low[0], start[1] + low[1]
        rectangle = (x0, y0, x0 + extent[0], y0 + extent[1])
        resized = Image.fromarray(padded).resize((hw[1], hw[0]), Image.Resampling.LANCZOS, box=rectangle)
        planes.append(np.asarray(resized))
    return np.stack(planes, -1).reshape(*hw, *pixels.shape[2:])


def _encoded(pixels: np.ndarray, **options: str | int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, **options)  # pyright: ignore[reportArgumentType]
    return stream.getvalue()


def _why_not_saved(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"{path.name} was not saved: the disk of {path.parent} is full; free some space and run again."
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{path.name} was not saved: {path.parent} is a file where a folder is needed; choose another folder."
    return f"{path.name} was not saved in {path.parent}: {error.strerror or error}."


def _size(hw: tuple[int, ...]) -> str:
    return f"{hw[1]}×{hw[0]}"
