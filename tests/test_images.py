"""Photos, masks, canvases and files: every odd file gives a photo or one clear sentence."""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from garment3d.errors import MaskError, PhotoError, SaveError
from garment3d.images import (
    canvas,
    from_canvas,
    jpg_bytes,
    png_bytes,
    read_mask,
    read_photo,
    replace_file,
    replacing,
    save_jpg,
    save_png,
    to_uint8,
)


def picture(hw: tuple[int, int] = (48, 64)) -> np.ndarray:
    """[H,W,3] uint8 whose four corners differ, so that a turned or mirrored copy shows."""
    y, x = np.meshgrid(np.linspace(0, 255, hw[0]), np.linspace(0, 255, hw[1]), indexing="ij")
    return np.stack([x, y, (255 - x) * y / 255], -1).astype(np.uint8)


def sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 250, text
    return text


# what is read


def test_a_png_comes_back_as_it_was(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", picture())
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(photo.rgb, picture()) and photo.alpha is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = picture()
    ways = [
        lambda a: a,
        lambda a: a[:, ::-1],
        lambda a: a[::-1, ::-1],
        lambda a: a[::-1],
        lambda a: a.swapaxes(0, 1),
        lambda a: np.rot90(a, 1),
        lambda a: a[::-1, ::-1].swapaxes(0, 1),
        lambda a: np.rot90(a, -1),
    ]
    stored = np.ascontiguousarray(ways[orientation - 1](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "a.png").rgb, upright)


def test_only_a_real_alpha_counts(tmp_path: Path) -> None:
    alpha = np.full((48, 64), 255, np.uint8)
    save_png(tmp_path / "full.png", np.dstack([picture(), alpha]))
    assert read_photo(tmp_path / "full.png").alpha is None
    alpha[:10] = 7
    save_png(tmp_path / "real.png", np.dstack([picture(), alpha]))
    assert np.array_equal(read_photo(tmp_path / "real.png").alpha, alpha)


def test_a_transparent_palette_colour_is_alpha(tmp_path: Path) -> None:
    indices = np.zeros((40, 40), np.uint8)
    indices[10:30, 10:30] = 1
    image = Image.fromarray(indices, "P")
    image.putpalette([255, 255, 255, 200, 30, 40])
    image.save(tmp_path / "a.png", transparency=0)
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(photo.alpha == 255, indices == 1)
    assert tuple(photo.rgb[20, 20]) == (200, 30, 40)


def test_greyscale_and_16_bits(tmp_path: Path) -> None:
    grey = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    save_png(tmp_path / "grey.png", grey)
    assert np.array_equal(read_photo(tmp_path / "grey.png").rgb, np.repeat(grey[..., None], 3, -1))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(read_photo(tmp_path / "deep.png").rgb[..., 1], grey)


def png16(rgb: np.ndarray) -> bytes:
    """A 16-bit RGB PNG file, written by hand: Pillow reads but does not write them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = rgb.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_16_bit_colour(tmp_path: Path) -> None:
    replace_file(tmp_path / "a.png", png16(picture().astype(np.uint16) * 257))
    assert np.abs(read_photo(tmp_path / "a.png").rgb.astype(int) - picture()).max() <= 1


def swapped_profile() -> bytes:
    """A valid RGB profile whose red and green primaries are swapped, so that conversion is seen."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data = data.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")
    return bytes(data.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")))


def test_an_embedded_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "a.png", icc_profile=swapped_profile())
    assert np.abs(read_photo(tmp_path / "a.png").rgb[5, 5].astype(int) - [0, 255, 0]).max() <= 3


def test_a_broken_profile_is_ignored(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=b"nonsense")
    assert np.array_equal(read_photo(tmp_path / "a.png").rgb, picture())


@pytest.mark.parametrize("hw", [(64, 48), (33, 8000)])
def test_small_and_long_photos_are_read(tmp_path: Path, hw: tuple[int, int]) -> None:
    save_png(tmp_path / "a.png", np.zeros((*hw, 3), np.uint8))
    assert read_photo(tmp_path / "a.png").rgb.shape == (*hw, 3)


def test_a_phone_picture_with_a_preview_frame_is_a_photo(tmp_path: Path) -> None:
    first, second = Image.fromarray(picture()), Image.fromarray(picture((40, 40)))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    assert read_photo(tmp_path / "a.jpg").rgb.shape == (48, 64, 3)


# what is refused


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    for name, word in (("none.jpg", "does not exist"), ("", "is a folder"), ("empty.jpg", "empty file")):
        with pytest.raises(PhotoError) as error:
            read_photo(tmp_path / name)
        assert word in sentence(error)


def test_text_named_jpg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("this is not a picture")
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / "a.jpg")
    assert "a.jpg is not a picture" in sentence(error)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_truncated_file(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    replace_file(tmp_path / f"a.{suffix}", stream.getvalue()[: len(stream.getvalue()) // 2])
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / f"a.{suffix}")
    assert f"a.{suffix}" in sentence(error)


def test_damaged_bytes_are_a_photo_or_a_photo_error(tmp_path: Path) -> None:
    """Wherever a file is hit, header, page list or pixels: nothing but a PhotoError comes out."""
    random = np.random.default_rng(4)
    refused = 0
    for form in ("TIFF", "GIF", "PNG"):
        stream = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (40, 48, 3), np.uint8)).save(stream, form)
        for _ in range(60):
            data = np.frombuffer(stream.getvalue(), np.uint8).copy()
            data[random.integers(0, len(data), 8)] = random.integers(0, 255, 8)
            ends = np.r_[:60, len(data) - 200 : len(data)]  # where the formats keep their structure
            data[random.choice(ends, 4)] = random.integers(0, 255, 4)
            (tmp_path / "a.bin").write_bytes(data.tobytes())
            try:
                assert read_photo(tmp_path / "a.bin").rgb.dtype == np.uint8
            except PhotoError:
                refused += 1
    assert 0 < refused < 180


def test_one_pixel(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / "a.png")
    assert "1×1 px" in sentence(error)


def test_20000_by_20000_is_refused_before_decoding(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    ihdr = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    idat = b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    replace_file(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + ihdr + idat)
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / "a.png")
    assert "at most 8192 px" in sentence(error) or "20000×20000 px" in sentence(error)


def test_a_long_side_is_refused_with_its_size(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", np.zeros((40, 9000), np.uint8))
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / "a.png")
    assert "9000×40 px" in sentence(error)


def test_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((40, 40, 3), v, np.uint8)) for v in (0, 90, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / "a.gif")
    assert "animation of 3 frames" in sentence(error)


def test_cmyk_without_a_profile(tmp_path: Path) -> None:
    Image.new("CMYK", (40, 40), (0, 200, 200, 0)).save(tmp_path / "a.jpg")
    with pytest.raises(PhotoError) as error:
        read_photo(tmp_path / "a.jpg")
    assert "CMYK" in sentence(error)


# masks


def test_a_mask_is_brightness_or_transparency(tmp_path: Path) -> None:
    disc = np.hypot(*np.mgrid[-24:24, -32:32]) < 15
    save_png(tmp_path / "grey.png", (disc * 255).astype(np.uint8))
    save_png(tmp_path / "cut.png", np.dstack([np.zeros((48, 64, 3), np.uint8), (disc * 255).astype(np.uint8)]))
    Image.fromarray(disc).save(tmp_path / "bits.png")
    Image.fromarray(disc.astype(np.uint8)).save(tmp_path / "ones.png")
    Image.fromarray(disc.astype(np.uint16) * 65535).save(tmp_path / "deep.png")
    for name in ("grey", "cut", "bits", "ones", "deep"):
        soft = read_mask(tmp_path / f"{name}.png", (48, 64))
        assert soft.dtype == np.float32 and np.array_equal(soft, disc.astype(np.float32)), name


@pytest.mark.parametrize(
    ("values", "hw", "word"),
    [
        (np.zeros((48, 64), np.uint8), (48, 64), "is empty"),
        (np.full((48, 64), 255, np.uint8), (48, 64), "whole photo"),
        (np.eye(48, 64, dtype=np.uint8) * 255, (50, 64), "64×48 px but the photo is 64×50 px"),
    ],
)
def test_masks_that_cannot_be_used(tmp_path: Path, values: np.ndarray, hw: tuple[int, int], word: str) -> None:
    save_png(tmp_path / "m.png", values)
    with pytest.raises(MaskError) as error:
        read_mask(tmp_path / "m.png", hw)
    assert word in sentence(error)


def test_a_mask_file_that_cannot_be_read_is_a_mask_error(tmp_path: Path) -> None:
    with pytest.raises(MaskError) as error:
        read_mask(tmp_path / "none.png", (10, 10))
    assert "does not exist" in sentence(error)


# the canvas


def ellipse(hw: tuple[int, int], center: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[: hw[0], : hw[1]] + 0.5
    return np.hypot((x - center[0]) / radii[0], (y - center[1]) / radii[1]) < 1


@pytest.mark.parametrize("center", [(150.0, 100.0), (60.0, 100.0), (240.0, 40.0)])
def test_a_canvas_centres_the_garment_at_its_ratio(center: tuple[float, float]) -> None:
    mask = ellipse((200, 300), center, (40, 90)).astype(np.float32)
    rgb = np.full((200, 300, 3), 40, np.uint8)
    pixels, box = canvas(rgb, mask, 0.78, (1.0, 1.0, 1.0), 256)
    dark = pixels[..., 0] < 0.5
    rows, cols = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    tall, wide = mask.any(1).sum(), mask.any(0).sum()
    expected = 0.78 * 256 / max(tall, wide)
    assert abs(np.ptp(rows) + 1 - tall * expected) <= 2 and abs(np.ptp(cols) + 1 - wide * expected) <= 2
    assert abs(rows.mean() - 127.5) <= 1 and abs(cols.mean() - 127.5) <= 1
    assert np.allclose(pixels[0], 1) and pixels.min() >= 0 and pixels.max() <= 1
    assert box.side_px == pytest.approx(max(tall, wide) / 0.78)


def test_the_box_depends_on_the_mask_alone() -> None:
    mask = ellipse((80, 80), (40, 40), (20, 30)).astype(np.float32)
    black, noise = np.zeros((80, 80, 3), np.uint8), np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    assert canvas(black, mask, 0.85, 0.5, 64).box == canvas(noise, mask, 0.85, 1.0, 512).box


def test_a_canvas_and_back_is_the_photo() -> None:
    mask = ellipse((200, 300), (130, 90), (60, 70)).astype(np.float32)
    smooth = picture((200, 300))
    pixels, box = canvas(smooth, np.maximum(mask, 1e-9), 0.9, 0.0, 512)
    pixels = canvas(smooth, mask, 0.9, 0.0, 512).pixels
    back = from_canvas(pixels, box, (200, 300))
    inside = ellipse((200, 300), (130, 90), (55, 65))
    assert back.shape == (200, 300, 3) and np.abs(back - smooth / 255)[inside].max() < 0.02
    y, x = np.mgrid[:512, :512] + 0.5
    ramp = np.stack([x, y], -1) / 512 * box.side_px + [box.x0_px, box.y0_px]
    places = from_canvas(ramp, box, (200, 300))[20:160, 70:190]
    true = np.stack(np.meshgrid(np.arange(70, 190) + 0.5, np.arange(20, 160) + 0.5), -1)
    assert np.abs(places - true).max() < 0.02


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    mask = np.zeros((1024, 1024), np.float32)
    mask[64:960, 64:960] = 1
    pixels = canvas(stripes, mask, 0.9, 0.5, 128).pixels
    assert np.abs(pixels[20:108, 20:108] - 0.5).max() < 0.02


def test_an_empty_mask_has_no_canvas() -> None:
    with pytest.raises(MaskError):
        canvas(picture(), np.zeros((48, 64), np.float32), 0.8, 1.0, 64)


def test_inputs_are_not_changed() -> None:
    rgb, mask = picture(), ellipse((48, 64), (30, 20), (10, 12)).astype(np.float32)
    before = rgb.copy(), mask.copy()
    canvas(rgb, mask, 0.8, 1.0, 64)
    assert np.array_equal(rgb, before[0]) and np.array_equal(mask, before[1])


# files


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder" / "a.bin"
    replace_file(target, b"one")
    replace_file(target, b"two")
    assert target.read_bytes() == b"two" and [p.name for p in target.parent.iterdir()] == ["a.bin"]


def test_a_name_too_long_for_the_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"was not saved .*too long"):
        replace_file(tmp_path / f"{'x' * 250}.glb", b"")
    assert not any(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "a.bin", b"old")

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SaveError) as error:
        replace_file(tmp_path / "a.bin", b"new")
    assert "disk" in sentence(error) and "full" in sentence(error)
    assert (tmp_path / "a.bin").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_failing_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.bin") as partial:
        partial.write_bytes(b"half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SaveError) as error:
        replace_file(tmp_path / "out" / "a.bin", b"data")
    assert "is a file where a folder is needed" in sentence(error)
    assert (tmp_path / "out").read_text() == "a file"


def test_encoders_keep_the_pixels(tmp_path: Path) -> None:
    for pixels in (picture(), picture()[..., 0], np.dstack([picture(), picture()[..., 0]])):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(pixels)))), pixels)
    save_jpg(tmp_path / "a.jpg", picture())
    assert np.abs(read_photo(tmp_path / "a.jpg").rgb.astype(int) - picture()).mean() < 2
    assert jpg_bytes(picture())[:2] == b"\xff\xd8"


def test_floats_become_bytes_rounded_and_clipped() -> None:
    assert to_uint8(np.array([-1, 0, 0.5, 1, 2])).tolist() == [0, 0, 128, 255, 255]
