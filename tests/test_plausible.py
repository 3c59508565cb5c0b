"""Which mask of a photo looks most like a whole garment; the garments were drawn, so the answer is known."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from garment3d.mask.plausible import plausibility
from tests.drawn import GARMENTS, disc, mask_of

HW = (300, 260)


def photo_of(soft, cloth=(40, 90, 160), wall=(235, 232, 228)):
    rgb = soft[..., None] * np.array(cloth, float) + (1 - soft[..., None]) * np.array(wall, float)
    return rgb.round().astype(np.uint8)


def halves(binary):
    rows, cols = (int(np.median(i)) for i in np.nonzero(binary))
    parts = {"top": np.s_[rows:], "bottom": np.s_[:rows], "left": np.s_[:, cols:], "right": np.s_[:, :cols]}
    for name, gone in parts.items():
        half = binary.copy()
        half[gone] = False
        yield name, half


@pytest.fixture(scope="module")
def tee():
    soft = mask_of(GARMENTS["tee"], 220, HW)
    return soft >= 0.5, photo_of(soft)


@pytest.mark.parametrize("name", GARMENTS)
def test_a_whole_drawn_garment_is_plausible_and_beats_its_halves(name):
    soft = mask_of(GARMENTS[name], 220, HW)
    binary, rgb = soft >= 0.5, photo_of(soft)
    whole = plausibility(binary, rgb)
    assert 0.7 < whole <= 1
    assert all(plausibility(half, rgb) < whole for _, half in halves(binary))


def test_nothing_everything_and_the_background_are_not(tee):
    binary, rgb = tee
    assert plausibility(np.zeros(HW, bool), rgb) == 0
    assert plausibility(np.ones(HW, bool), rgb) == 0
    assert plausibility(~binary, rgb) < 0.05


def test_each_fault_costs(tee):
    binary, rgb = tee
    whole = plausibility(binary, rgb)
    print_on_it = disc(18, (130, 150), HW) >= 0.5
    printed = np.where(print_on_it[..., None], np.uint8(250), rgb)
    faults = {
        "print": plausibility(print_on_it, printed),
        "moved off its edge": plausibility(np.roll(binary, (20, 20), (0, 1)), rgb),
        "hole": plausibility(binary & ~(disc(35, (130, 150), HW) >= 0.5), rgb),
        "inner part": plausibility(mask_of(GARMENTS["tee"], 140, HW) >= 0.5, rgb),
        "a frame round the photo": plausibility(~(disc(125, (130, 150), HW) >= 0.5), rgb),
        "scattered": plausibility(binary & (np.add.outer(np.arange(HW[0]) // 6, np.arange(HW[1]) // 6) % 2 > 0), rgb),
    }
    assert {name: score for name, score in faults.items() if score > 0.6 * whole} == {}


def test_one_garment_beats_two_and_the_middle_beats_the_corner():
    first, second = (mask_of(GARMENTS["shorts"], 100, HW, (0, shift)) for shift in (-60, 60))
    rgb = photo_of(np.maximum(first, second))
    assert plausibility(first >= 0.5, rgb) > plausibility((first >= 0.5) | (second >= 0.5), rgb)
    middle, corner = (mask_of(GARMENTS["skirt"], 90, HW, shift) for shift in ((0, 0), (70, 90)))
    assert plausibility(middle >= 0.5, photo_of(middle)) > 1.3 * plausibility(corner >= 0.5, photo_of(corner))


def test_a_person_in_it_loses_to_the_garment_alone():
    dress = mask_of(GARMENTS["dress"], 150, HW, (0, 10))
    head, legs = disc(16, (130, 66), HW), np.maximum(disc(9, (115, 246), HW), disc(9, (145, 246), HW))
    hands = np.maximum(disc(9, (85, 170), HW), disc(9, (175, 170), HW))
    legs[237:275] = np.maximum(legs[237:275], legs[246])
    body = np.maximum.reduce([head, legs, hands])
    rgb = photo_of(dress).astype(float) * (1 - body[..., None]) + body[..., None] * np.array([200, 150, 120])
    rgb, garment, person = rgb.astype(np.uint8), (dress >= 0.5) & (body < 0.5), np.maximum(dress, body) >= 0.5
    assert plausibility(garment, rgb) > 1.5 * plausibility(person, rgb)


def test_the_size_of_the_picture_hardly_matters(tee):
    binary, rgb = tee
    large = plausibility(binary.repeat(4, 0).repeat(4, 1), rgb.repeat(4, 0).repeat(4, 1))
    assert large == pytest.approx(plausibility(binary, rgb), abs=0.06)


def test_nothing_is_changed_by_looking(tee):
    binary, rgb = tee[0].copy(), tee[1].copy()
    plausibility(binary, rgb)
    assert (binary == tee[0]).all() and (rgb == tee[1]).all()


def test_real_photos_rank_the_true_mask_first():
    if "GARMENT3D_PHOTOS" not in os.environ:
        pytest.skip("needs GARMENT3D_PHOTOS, a folder of photos with .mask.png beside them")
    beaten = []
    for path in sorted(Path(os.environ["GARMENT3D_PHOTOS"]).glob("*.mask.png")):
        binary = np.asarray(Image.open(path).convert("L")) > 127
        rgb = np.asarray(Image.open(path.with_name(path.name.replace(".mask.png", ".jpg"))).convert("RGB"))
        others = {"inverse": ~binary, "all": np.ones_like(binary), **dict(halves(binary))}
        whole = plausibility(binary, rgb)
        beaten += [(path.stem, name) for name, other in others.items() if plausibility(other, rgb) >= whole]
    # White on white: half of the outline can't be seen at all, so a cut through a print looks as good.
    assert {photo for photo, _ in beaten} <= {"tee_white_print.mask"}
    assert {"inverse", "all"}.isdisjoint(name for _, name in beaten)
