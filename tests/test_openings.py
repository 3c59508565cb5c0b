"""Openings read from outlines: drawn garments with known ends, symmetry and scale, and the ground truth's masks."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import rotate

from garment3d.errors import GarmentError, OutlineError
from garment3d.garment.openings import Outline, Span, class_of, find_openings
from tests.drawn import GARMENTS, coverage, disc, ends_of, mask_of, middle
from tests.truth import CLASSES, make_garment, make_photo, openings_px

HEIGHT = 300.0
HW = (352, 376)
PHOTOS = os.environ.get("GARMENT3D_PHOTOS", "")
SWAP = {"l": "r", "r": "l"}


@cache
def drawn_mask(name: str) -> np.ndarray:
    return mask_of(GARMENTS[name], HEIGHT, HW)


@cache
def found(name: str) -> Outline:
    return find_openings(drawn_mask(name))


def ends(outline: Outline) -> dict[str, np.ndarray]:
    return {s.name: np.array([s.a_px, s.b_px]) for s in outline.spans}


def ends_apart(a: np.ndarray, b: np.ndarray) -> float:
    """The larger distance between two pairs of ends, in whichever order they come."""
    return float(min(np.linalg.norm(a - b, axis=1).max(), np.linalg.norm(a - b[::-1], axis=1).max()))


def swapped(name: str) -> str:
    stem, _, side = name.rpartition("_")
    return f"{stem}_{SWAP[side]}" if side in SWAP else name


@pytest.mark.parametrize("name", GARMENTS)
def test_a_drawn_garment_opens_where_it_was_drawn_to(name: str) -> None:
    outline, drawn = found(name), ends_of(GARMENTS[name], HEIGHT, middle(HEIGHT, HW))
    assert outline.garment_class == GARMENTS[name].garment_class
    assert len(outline.spans) == len(drawn) and {s.name for s in outline.spans} == set(drawn)
    for opening, where in ends(outline).items():
        assert ends_apart(where, drawn[opening]) < 0.03 * HEIGHT, opening


@pytest.mark.parametrize("name", GARMENTS)
def test_a_mirrored_mask_has_mirrored_openings_under_the_other_side_s_names(name: str) -> None:
    mask = mask_of(GARMENTS[name], HEIGHT, HW, shift=(7.3, -4.6))
    straight, mirrored = find_openings(mask), find_openings(mask[:, ::-1].copy())
    assert straight.garment_class == mirrored.garment_class
    other = {swapped(n): w * [-1, 1] + [HW[1], 0] for n, w in ends(mirrored).items()}
    assert set(other) == set(ends(straight))
    for opening, where in ends(straight).items():
        assert ends_apart(where, other[opening]) < 0.015 * HEIGHT, opening


@pytest.mark.parametrize("scale", [0.3, 0.55, 2.4])
@pytest.mark.parametrize("name", ["tee", "longsleeve_hanging", "dress", "camisole", "skirt", "shorts"])
def test_the_size_of_the_photo_does_not_matter(name: str, scale: float) -> None:
    height, hw = scale * HEIGHT, (round(scale * HW[0]), round(scale * HW[1]))
    outline = find_openings(mask_of(GARMENTS[name], height, hw))
    assert outline.garment_class == found(name).garment_class
    drawn = ends_of(GARMENTS[name], height, middle(height, hw))
    assert {s.name for s in outline.spans} == set(drawn)
    for opening, where in ends(outline).items():
        assert ends_apart(where, drawn[opening]) < 0.05 * height, opening  # a strap of few pixels has one end, not two


@pytest.mark.parametrize("name", GARMENTS)
def test_nor_does_the_place_in_it(name: str) -> None:
    moved = find_openings(np.pad(drawn_mask(name), ((60, 3), (0, 110))))
    assert moved.garment_class == found(name).garment_class
    for opening, where in ends(moved).items():
        np.testing.assert_allclose(where - [0, 60], ends(found(name))[opening], atol=1e-6)


@pytest.mark.parametrize("name", GARMENTS)
def test_a_binary_mask_reads_as_the_soft_one_does(name: str) -> None:
    binary = find_openings((drawn_mask(name) >= 0.5).astype(np.float32))
    assert binary.garment_class == found(name).garment_class
    for opening, where in ends(binary).items():
        assert ends_apart(where, ends(found(name))[opening]) < 0.03 * HEIGHT, opening


@pytest.mark.parametrize("name", GARMENTS)
def test_dust_beside_the_garment_and_pinholes_in_it_change_nothing(name: str) -> None:
    mask = drawn_mask(name)
    dusty = np.maximum(mask, disc(2.5, (15, 335), HW)) - disc(1.5, (188.5, 200.5), HW) * mask
    assert find_openings(dusty).garment_class == found(name).garment_class
    assert set(ends(find_openings(dusty))) == set(ends(found(name)))


@pytest.mark.parametrize("name", ["tee", "dress", "trousers"])
def test_a_garment_lying_a_little_askew_keeps_its_openings(name: str) -> None:
    for angle in (-6, 6):
        askew = rotate(drawn_mask(name), angle, order=1, reshape=False)
        outline = find_openings(np.clip(askew, 0, 1))
        assert outline.garment_class == GARMENTS[name].garment_class
        assert set(ends(outline)) == set(ends(found(name)))


@pytest.mark.parametrize("garment_class", CLASSES)
@pytest.mark.parametrize("seed", [0, 1])
def test_ground_truth_garments_open_where_they_do(garment_class: str, seed: int) -> None:
    garment = make_garment(garment_class, seed, step_cm=2.0)
    photo = make_photo(garment, seed, (384, 288), photo=False)
    outline, true = ends(find_openings(photo.soft)), openings_px(garment, photo)
    assert set(outline) == set(true)
    height = np.ptp(np.flatnonzero((photo.soft >= 0.5).any(1)))
    for name, where in outline.items():
        apart = np.linalg.norm(where.mean(0) - np.mean(true[name], 0))
        assert apart < 0.05 * height, name


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_an_empty_mask_has_no_openings_to_find(value: float) -> None:
    with pytest.raises(OutlineError):
        find_openings(np.full((60, 50), value, np.float32))


@pytest.mark.parametrize("seed", range(8))
def test_any_shape_gives_an_outline_or_says_why_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 14))
    angle = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = rng.uniform(10, 90, count)
    mask = coverage(np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None] + 100, (200, 200))
    if (mask >= 0.5).sum() < 20:
        pytest.skip("The random polygon came out as nothing.")
    try:
        outline = find_openings(mask)
    except GarmentError as error:
        assert str(error).endswith(".")
        return
    names = [s.name for s in outline.spans]
    assert len(set(names)) == len(names) >= 2
    assert np.isfinite([[s.a_px, s.b_px] for s in outline.spans]).all()


def named(*names: str) -> tuple[Span, ...]:
    return tuple(Span(name, (0.0, 0.0), (1.0, 0.0)) for name in names)


def test_openings_given_by_a_person_decide_the_class() -> None:
    tee, trousers = (mask_of(GARMENTS[n], 200, (240, 260)) for n in ("tee", "trousers"))
    assert class_of(tee, named("waist", "leg_l", "leg_r")) == "trousers"
    assert class_of(tee, named("waist", "hem")) == "skirt"
    assert class_of(tee, named("neck", "hem", "cuff_l", "cuff_r")) == "tee"
    assert class_of(trousers, named("neck", "hem", "cuff_l", "cuff_r")) == "tee"
    assert class_of(trousers, named("neck", "hem")) == "top"
    assert class_of(np.zeros((40, 40), np.float32), named("neck", "hem")) in ("tee", "top")


@pytest.mark.skipif(not PHOTOS, reason="GARMENT3D_PHOTOS names no folder with real photos and openings.json.")
def test_real_photos_open_where_a_person_marked_them() -> None:
    folder = Path(PHOTOS)
    marked = json.loads((folder / "openings.json").read_text(encoding="utf-8"))
    wrong = [name for name, marks in marked.items() if not agrees(folder / f"{name}.mask.png", marks["openings"])]
    assert len(wrong) <= len(marked) // 6, wrong


def agrees(mask_file: Path, marks: list[dict]) -> bool:
    soft = np.asarray(Image.open(mask_file).convert("L"), np.float32) / 255
    height = np.ptp(np.flatnonzero((soft >= 0.5).any(1)))
    outline, true = ends(find_openings(soft)), {m["name"]: np.mean([m["a"], m["b"]], 0) for m in marks}
    if sorted(outline) != sorted(true) or len(marks) != len(true):
        return False
    return all(np.linalg.norm(outline[name].mean(0) - where) < 0.05 * height for name, where in true.items())


@pytest.mark.parametrize("seed", [8, 13, 16])
def test_a_shape_that_is_no_garment_is_laid_to_the_mask_and_not_to_openings_nobody_gave(seed):
    rng = np.random.default_rng(seed)
    corners = (rng.random((int(rng.integers(6, 12)), 2)) * [180, 220] + 10).tolist()
    picture = Image.new("L", (200, 240))
    ImageDraw.Draw(picture).polygon([tuple(corner) for corner in corners], fill=255)
    with pytest.raises(OutlineError, match=r"would have no width.*check the mask"):
        find_openings(np.asarray(picture) / np.float32(255))
