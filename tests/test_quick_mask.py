"""Quick mask on pictures whose true mask is a formula, then on rendered garments, then on real photos where given."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from garment3d.errors import MaskError, UnclearGarment
from garment3d.images import read_mask, read_photo
from garment3d.mask.clean import cleaned, filled, main_pieces
from garment3d.mask.quick import quick_mask

from .truth import truth_set

HW = (384, 320)


def grid(hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """[H,W] x and y in 0..1 of the longer side, pixel centres."""
    y, x = np.mgrid[: hw[0], : hw[1]] + 0.5
    return x / max(hw), y / max(hw)


def tee(hw: tuple[int, int] = HW) -> np.ndarray:
    """[H,W] float share of each pixel that a T-shirt of straight lines covers."""
    over = 4
    x, y = grid((hw[0] * over, hw[1] * over))
    x = np.abs(x - hw[1] / max(hw) / 2)
    body = (x < 0.2) & (y > 0.2) & (y < 0.85)
    sleeve = (x >= 0.15) & (x < 0.36) & (y > 0.2 + 0.5 * (x - 0.15)) & (y < 0.36 + 0.5 * (x - 0.15))
    neck = np.hypot(x, y - 0.2) < 0.08
    shape = (body | sleeve) & ~neck
    return shape.reshape(hw[0], over, hw[1], over).mean((1, 3))


def camisole(hw: tuple[int, int] = HW) -> np.ndarray:
    """[H,W] float share of a body hung on two strap loops of about 4 px, each around a gap of background."""
    over = 4
    x, y = grid((hw[0] * over, hw[1] * over))
    side = np.abs(x - hw[1] / max(hw) / 2) - 0.14
    body = (np.abs(side + 0.14) < 0.24) & (y > 0.4) & (y < 0.85)
    loop = np.abs(np.hypot(side / 0.035, (y - 0.27) / 0.15) - 1) < 0.14
    return (body | (loop & (y < 0.41))).reshape(hw[0], over, hw[1], over).mean((1, 3))


def photo(share: np.ndarray, cloth: np.ndarray, paper: np.ndarray, noise: float = 0.7, seed: int = 0) -> np.ndarray:
    """[H,W,3] uint8 of cloth over paper, colours in 0..255."""
    rgb = cloth * share[..., None] + paper * (1 - share[..., None])
    rgb = rgb + np.random.default_rng(seed).normal(0, noise, rgb.shape)
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)


def flat(*colour: float) -> np.ndarray:
    return np.array(colour, float) * np.ones((1, 1, 3))


def iou(soft: np.ndarray, share: np.ndarray) -> float:
    a, b = soft >= 0.5, share >= 0.5
    return float((a & b).sum() / (a | b).sum())


def stripes(hw: tuple[int, int], one: tuple[float, ...], two: tuple[float, ...], period_px: int) -> np.ndarray:
    row = (np.arange(hw[0]) // (period_px // 2)) % 2
    return np.where(row[:, None, None] == 0, np.array(one, float), np.array(two, float)) * np.ones((*hw, 1))


def sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 250, text
    return text


# product photos


@pytest.mark.parametrize("paper", [(255, 255, 255), (246, 246, 246), (120, 150, 190), (30, 30, 34)])
@pytest.mark.parametrize("cloth", [(40, 90, 180), (200, 60, 50), (90, 90, 90)])
def test_a_plain_tee_is_found_to_a_pixel(cloth: tuple[int, ...], paper: tuple[int, ...]) -> None:
    soft, confidence = quick_mask(photo(tee(), flat(*cloth), flat(*paper)))
    assert soft.shape == HW and soft.dtype == np.float32 and soft.min() >= 0 and soft.max() <= 1
    assert iou(soft, tee()) > 0.985 and confidence > 0.9


def test_the_edge_is_soft_and_lies_within_half_a_pixel() -> None:
    share = tee()
    soft = quick_mask(photo(share, flat(40, 90, 180), flat(250, 250, 250))).soft
    straight = np.s_[200:300, 60:160]  # the left side of the body, across which coverage adds up to a length
    assert abs((soft - share)[straight].sum(1).mean()) < 0.5
    assert ((soft > 0.02) & (soft < 0.98)).sum() > 500
    far = ndimage.distance_transform_edt((share == 0) | (share == 1)) > 6
    assert np.array_equal(soft[far], share[far].astype(np.float32))


def test_white_on_nearly_white() -> None:
    hw = (768, 640)
    x, y = grid(hw)
    folds = 253 - 1.5 * (1 + np.sin(60 * x + 25 * y))[..., None] * np.ones(3)
    soft, _ = quick_mask(photo(tee(hw), folds, flat(246, 246, 246), noise=0.4))
    assert iou(soft, tee(hw)) > 0.97


def test_uneven_light_on_the_background() -> None:
    x, y = grid(HW)
    light = 245 - 45 * y - 30 * (x - 0.4) ** 2 / 0.16
    soft, _ = quick_mask(photo(tee(), flat(70, 120, 80), light[..., None] * np.ones(3)))
    assert iou(soft, tee()) > 0.985


@pytest.mark.parametrize("cloth", [(200, 70, 90), (128, 128, 132), (35, 35, 35)])
def test_the_shadow_is_dropped(cloth: tuple[int, ...]) -> None:
    share = tee()
    shadow = ndimage.gaussian_filter(np.roll(share, (9, 6), (0, 1)), 7)
    paper = 248 * (1 - 0.3 * shadow)[..., None] * np.ones(3)
    soft, _ = quick_mask(photo(share, flat(*cloth), paper))
    assert iou(soft, share) > 0.97


def test_white_stripes_that_reach_the_outline() -> None:
    hw = (768, 640)
    cloth = stripes(hw, (30, 35, 60), (249, 249, 248), 24)
    soft, _ = quick_mask(photo(tee(hw), cloth, flat(246, 246, 246)))
    assert iou(soft, tee(hw)) > 0.95 and ndimage.label(soft >= 0.5)[1] == 1


def test_a_white_print_is_no_hole() -> None:
    x, y = grid(HW)
    print_ = (np.hypot(x - HW[1] / max(HW) / 2, y - 0.5) < 0.07)[..., None]
    cloth = np.where(print_, 246.0, np.array([30, 30, 34]))
    soft, _ = quick_mask(photo(tee(), cloth, flat(246, 246, 246)))
    assert iou(soft, tee()) > 0.985 and filled(soft >= 0.5).sum() == (soft >= 0.5).sum()


@pytest.mark.parametrize("cloth", [(240, 200, 60), (60, 60, 70)])
def test_thin_straps_stay_and_their_loops_are_open(cloth: tuple[int, ...]) -> None:
    share = camisole()
    soft, _ = quick_mask(photo(share, flat(*cloth), flat(246, 246, 246)))
    holes, count = ndimage.label(ndimage.binary_fill_holes(soft >= 0.5) & (soft < 0.5))
    assert count == 2 and ndimage.label(soft >= 0.5)[1] == 1
    assert iou(soft, share) > 0.96
    assert iou((holes > 0).astype(float), (filled(share >= 0.5) & (share < 0.5)).astype(float)) > 0.8


def test_a_garment_that_touches_one_border() -> None:
    share = tee((480, 320))[:380]
    soft, confidence = quick_mask(photo(share, flat(60, 110, 70), flat(240, 240, 238)))
    assert (share[-1] > 0.5).mean() > 0.4
    assert iou(soft, share) > 0.98 and confidence > 0.5


def test_compression_does_not_fray_the_outline() -> None:
    stream = io.BytesIO()
    Image.fromarray(photo(tee(), flat(180, 30, 60), flat(255, 255, 255))).save(stream, "JPEG", quality=60)
    soft, _ = quick_mask(np.array(Image.open(stream)))
    assert iou(soft, tee()) > 0.98


def test_two_pieces_stay_and_specks_go() -> None:
    x, y = grid(HW)
    top, skirt = (
        (np.abs(x - 0.42) < 0.2) & (np.abs(y - 0.25) < 0.15),
        (np.abs(x - 0.42) < 0.25) & (np.abs(y - 0.72) < 0.2),
    )
    speck = np.hypot(x - 0.75, y - 0.5) < 0.012
    soft, _ = quick_mask(photo((top | skirt | speck).astype(float), flat(50, 80, 120), flat(245, 245, 245)))
    assert ndimage.label(soft >= 0.5)[1] == 2 and iou(soft, (top | skirt).astype(float)) > 0.98


# sizes and kinds of photos


@pytest.mark.parametrize("hw", [(64, 54), (96, 80), (900, 750), (200, 700)])
def test_any_size_gives_a_mask_of_that_size(hw: tuple[int, int]) -> None:
    share = tee(hw) if hw[0] > hw[1] else (np.abs(np.mgrid[: hw[0], : hw[1]][0] - 100) < 60).astype(float)
    if hw == (200, 700):
        share[:, :150] = share[:, 550:] = 0
    soft, _ = quick_mask(photo(share, flat(50, 100, 160), flat(250, 250, 250)))
    assert soft.shape == hw and iou(soft, share) > (0.93 if hw[0] < 100 else 0.98)


def test_8000_px_are_masked_at_full_size_with_a_smooth_edge() -> None:
    share = tee((800, 240))
    share = np.pad(share, ((0, 0), (80, 80)))[:, 40:360]
    rgb = photo(share, flat(50, 100, 160), flat(250, 250, 250), noise=0)
    large = np.asarray(Image.fromarray(rgb).resize((3200, 8000), Image.Resampling.BICUBIC))
    soft, _ = quick_mask(large)
    assert soft.shape == (8000, 3200)
    small = soft.reshape(800, 10, 320, 10).mean((1, 3))
    assert iou(small, share) > 0.98
    edge = np.array([np.flatnonzero(row > 0.5)[0] for row in soft[5000:6500]])
    assert np.abs(np.diff(edge)).max() <= 2  # no staircase of the working size, whose step is 10 px


def test_greyscale_and_rotated_files(tmp_path: Path) -> None:
    rgb = photo(tee(), flat(80, 80, 80), flat(245, 245, 245))
    Image.fromarray(rgb[..., 0]).save(tmp_path / "grey.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(rgb, 1))).save(tmp_path / "turned.png", exif=exif)
    for name in ("grey", "turned"):
        assert iou(quick_mask(read_photo(tmp_path / f"{name}.png").rgb).soft, tee()) > 0.98


def test_a_real_alpha_is_the_mask() -> None:
    alpha = (tee() * 255).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (*HW, 3), np.uint8)
    soft, confidence = quick_mask(noise, alpha)
    assert np.array_equal(soft, alpha.astype(np.float32) / 255) and confidence == 1


def test_an_alpha_over_everything_is_not_taken_for_a_mask() -> None:
    alpha = np.full(HW, 255, np.uint8)
    alpha[:4, :4] = 0  # rounded corners
    soft, _ = quick_mask(photo(tee(), flat(80, 30, 80), flat(245, 245, 245)), alpha)
    assert iou(soft, tee()) > 0.98


# what is refused, and what helps


def test_one_colour_is_refused() -> None:
    with pytest.raises(UnclearGarment) as error:
        quick_mask(np.full((*HW, 3), 200, np.uint8))
    assert "give a mask" in sentence(error) and "box" in sentence(error) and "SAM" in sentence(error)


@pytest.mark.parametrize("seed", range(3))
def test_clutter_is_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patches = np.kron(rng.integers(0, 255, (16, 14, 3)), np.ones((24, 24, 1)))[: HW[0], : HW[1]]
    with pytest.raises(UnclearGarment) as error:
        quick_mask(photo(tee(), flat(40, 90, 180), patches))
    assert "not plain" in sentence(error)


def test_noise_is_refused() -> None:
    with pytest.raises(UnclearGarment) as error:
        quick_mask(np.random.default_rng(0).integers(0, 255, (*HW, 3), np.uint8))
    sentence(error)


def test_a_hardly_visible_garment_is_refused_or_doubted() -> None:
    rgb = photo(tee(), flat(244, 244, 245), flat(246, 246, 246), noise=4)
    try:
        soft, confidence = quick_mask(rgb)
    except UnclearGarment as error:
        assert "give a mask" in str(error)
    else:
        assert iou(soft, tee()) > 0.9 or confidence < 0.5


def test_cloth_around_a_hole_is_refused_or_doubted() -> None:
    rng = np.random.default_rng(0)
    weave = 90 + 25 * ndimage.gaussian_filter(rng.normal(size=(*HW, 1)), (0.7, 0.7, 0)) * np.ones(3)
    x, y = grid(HW)
    hole = (np.hypot(x - 0.42, y - 0.5) < 0.25).astype(float)
    with pytest.raises(UnclearGarment) as error:
        quick_mask(photo(hole, flat(250, 250, 250), weave, noise=0))
    sentence(error)


def test_a_garment_over_the_whole_photo_is_refused() -> None:
    share = np.ones(HW)
    share[:6, :10] = 0
    with pytest.raises(UnclearGarment) as error:
        quick_mask(photo(share, stripes(HW, (30, 35, 60), (200, 40, 40), 50), flat(246, 246, 246)))
    sentence(error)


def person() -> tuple[np.ndarray, np.ndarray]:
    """[H,W,3] uint8 of a figure with head, arms and trousers on grey paper, and its shirt's mask."""
    x, y = grid((480, 320))
    side = np.abs(x - 1 / 3)
    head, hair = np.hypot(side / 0.06, (y - 0.16) / 0.08) < 1, np.hypot(side / 0.075, (y - 0.12) / 0.09) < 1
    neck, legs = (side < 0.03) & (y > 0.2) & (y < 0.28), (side > 0.01) & (side < 0.1) & (y > 0.55) & (y < 0.95)
    shirt = (side < 0.12) & (y > 0.26) & (y < 0.57)
    arms = (side > 0.11) & (side < 0.17) & (y > 0.28) & (y < 0.6)
    rgb = np.full((480, 320, 3), 225.0)
    for where, colour in (
        (hair, (40, 30, 25)),
        (head | neck | arms, (205, 150, 120)),
        (legs, (50, 70, 120)),
        (shirt, (60, 140, 90)),
    ):
        rgb[where] = colour
    return photo(np.ones((480, 320)), rgb, rgb), shirt.astype(float)


def test_a_person_is_refused_with_the_ways_out() -> None:
    with pytest.raises(UnclearGarment) as error:
        quick_mask(person()[0])
    assert all(word in sentence(error) for word in ("person", "mask", "box", "clothes parser"))


def test_a_box_around_the_shirt_of_a_person() -> None:
    rgb, shirt = person()
    soft, confidence = quick_mask(rgb, box=(94, 118, 226, 282))
    assert iou(soft, shirt) > 0.9 and confidence < 0.5


def test_cloth_of_skin_colour_is_no_person() -> None:
    soft, _ = quick_mask(photo(tee(), flat(215, 160, 130), flat(250, 250, 250)))
    assert iou(soft, tee()) > 0.98


def test_a_box_keeps_everything_outside_it_out() -> None:
    share = np.hstack([tee(), tee()])
    rgb = photo(share, flat(60, 110, 70), flat(240, 240, 238))
    soft, _ = quick_mask(rgb, box=(5, 60, 315, 340))
    assert iou(soft[:, :320], tee()) > 0.98 and not soft[:, 320:].any()


def test_a_box_in_clutter() -> None:
    rng = np.random.default_rng(4)
    patches = np.kron(rng.integers(90, 255, (16, 14, 3)), np.ones((24, 24, 1)))[: HW[0], : HW[1]]
    soft, confidence = quick_mask(photo(tee(), flat(20, 30, 60), patches), box=(20, 70, 300, 332))
    assert iou(soft, tee()) > 0.9 and confidence < 0.5


def test_a_box_beside_the_photo() -> None:
    with pytest.raises(MaskError) as error:
        quick_mask(np.zeros((*HW, 3), np.uint8), box=(400, 10, 500, 90))
    assert "box" in sentence(error)


def test_inputs_are_not_changed_and_results_repeat() -> None:
    rgb = photo(tee(), flat(60, 110, 70), flat(240, 240, 238))
    before = rgb.copy()
    one, two = quick_mask(rgb), quick_mask(rgb)
    assert np.array_equal(rgb, before) and np.array_equal(one.soft, two.soft)


# cleaning


def test_cleaning_keeps_the_garment_and_its_holes() -> None:
    share = camisole()
    dirty = share.copy()
    dirty[5:9, 5:9] = 1
    dirty[250, 150] = 0
    assert np.array_equal(cleaned(dirty.astype(np.float32)) >= 0.5, share >= 0.5)
    assert np.array_equal(cleaned(np.zeros(HW, np.float32)), np.zeros(HW))
    assert not main_pieces(np.zeros(HW, bool)).any()


# rendered garments and real photos


def test_rendered_garments() -> None:
    values = []
    for row in truth_set(8, hw=(512, 384), step_cm=2.0):
        soft, confidence = quick_mask(row.photo.rgb)
        values.append((iou(soft, row.photo.soft), confidence))
    assert np.mean([v[0] for v in values]) > 0.97, values
    assert all(value >= 0.9 or confidence < 0.5 for value, confidence in values), values


PHOTOS = Path(os.environ.get("GARMENT3D_PHOTOS", "/nowhere"))
real = pytest.mark.skipif(not PHOTOS.is_dir(), reason="GARMENT3D_PHOTOS names no folder of photos with masks")


@real
def test_real_product_photos() -> None:
    values, seconds = {}, []
    for path in sorted(PHOTOS.glob("*.mask.png")):
        rgb = read_photo(path.with_name(path.name.replace(".mask.png", ".jpg"))).rgb
        started = time.process_time()
        soft = quick_mask(rgb).soft
        seconds.append(time.process_time() - started)
        values[path.name] = iou(soft, read_mask(path, rgb.shape[:2]))
    assert np.mean(list(values.values())) > 0.985 and min(values.values()) > 0.96, values
    assert np.median(seconds) < 1.2


@real
def test_real_photos_of_people_are_refused() -> None:
    for path in sorted(PHOTOS.glob("worn_*.jpg")):
        with pytest.raises(UnclearGarment):
            quick_mask(read_photo(path).rgb)
