"""Folders of views: the pack's own with its cameras, and anyone's named by azimuth, by number or by nothing."""

import json

import numpy as np
import pytest

from garment3d.camera import orbit, orbit_camera
from garment3d.data import Camera, Orbit
from garment3d.errors import GarmentError, MaskError, PhotoError, UnclearGarment, ViewsError
from garment3d.export.cameras import cameras_json, view_names
from garment3d.images import save_jpg, save_png
from garment3d.views.folder import read_views

HW = (48, 40)


def picture(grey: int, hw=HW) -> np.ndarray:
    """[H,W,4] uint8: a transparent frame around a box of one grey."""
    rgba = np.zeros((*hw, 4), np.uint8)
    rgba[8:-8, 8:-8] = (grey, grey, grey, 255)
    return rgba


def fill(folder, names, hw=HW):
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        save_png(folder / name, picture(10 * i + 10, hw))
    return folder


def greys(views) -> list[int]:
    """Which picture stands at each place."""
    return (views.images[:, HW[0] // 2, HW[1] // 2, 0] * 255).round().int().tolist()


def saved(folder, cameras: Orbit):
    """A folder as the pack saves it."""
    names = [f"views/{name}" for name in view_names(cameras.azimuths_deg)]
    fill(folder, [])
    fill(folder / "views", [name.split("/")[1] for name in names], cameras.cameras[0].hw)
    (folder / "cameras.json").write_text(cameras_json(cameras, names, None, np.eye(4)), "utf-8")
    return folder


def assert_same_camera(a: Camera, b: Camera):
    assert (a.projection, a.hw) == (b.projection, b.hw)
    np.testing.assert_allclose(a.c2w, b.c2w, atol=1e-8)
    np.testing.assert_allclose([a.focal_px, *a.center_px], [b.focal_px, *b.center_px], rtol=1e-9)


@pytest.mark.parametrize("inside", ["", "views"])
def test_a_folder_this_pack_saved_gives_its_own_cameras_and_masks(tmp_path, inside):
    own = orbit(azimuths_deg=(90, 0, 22.5), elevation_deg=15, radius=1.7, fov_deg=35, hw=HW)
    views = read_views(saved(tmp_path / "out", own) / inside)
    assert views.orbit.azimuths_deg == (90, 0, 22.5) and greys(views) == [10, 20, 30]
    assert views.orbit.elevation_deg == 15 and views.orbit.radius == pytest.approx(1.7)
    for mine, theirs in zip(views.orbit.cameras, own.cameras, strict=True):
        assert_same_camera(mine, theirs)
    expected = np.zeros(HW)
    expected[8:-8, 8:-8] = 1
    np.testing.assert_array_equal(views.masks[0], expected)


def test_the_folder_one_stands_in_has_its_cameras_too(tmp_path, monkeypatch):
    own = orbit(azimuths_deg=(90, 0, 22.5), radius=1.7, hw=HW)
    monkeypatch.chdir(saved(tmp_path / "out", own) / "views")
    views = read_views(".")
    assert views.orbit.azimuths_deg == (90, 0, 22.5) and views.orbit.radius == pytest.approx(1.7)


def test_orthographic_cameras_come_back_too(tmp_path):
    flat = Camera("orthographic", 33.0, (20.5, 23.0), orbit_camera(180, 0, 2, 40, HW).c2w, HW)
    views = read_views(saved(tmp_path / "out", Orbit((flat,), (180.0,), 0.0, 2.0)))
    assert_same_camera(views.orbit.cameras[0], flat)


def test_pictures_made_smaller_keep_their_place_in_space(tmp_path):
    own = orbit(azimuths_deg=(0, 180), hw=(96, 80))
    folder = saved(tmp_path / "out", own)
    fill(folder / "views", ["000.png", "180.png"])
    camera = read_views(folder).orbit.cameras[1]
    assert camera.hw == HW and camera.focal_px == pytest.approx(own.cameras[1].focal_px / 2)


@pytest.mark.parametrize(
    ("names", "azimuths", "order"),
    [
        (["000.png", "340.png", "020.png"], (0, 20, 340), [10, 30, 20]),
        (["view_040.png", "view_200.png"], (40, 200), [10, 20]),
        (["shirt 2 az 022.5.png", "shirt 2 az 180.png"], (22.5, 180), [10, 20]),
        (["270.png"], (270,), [10]),
        (["shirt_front.png", "shirt_left.png", "shirt_Back.png"], (180, 0, 90), [30, 10, 20]),
        (["right.png", "back 2.png"], (270, 180), [10, 20]),
        (["v_100.png", "v_90.png", "v_8.png"], (8, 90, 100), [30, 20, 10]),
    ],
)
def test_angles_in_the_names_are_the_azimuths(tmp_path, names, azimuths, order):
    views = read_views(fill(tmp_path / "in", names))
    assert views.orbit.azimuths_deg == azimuths and greys(views) == order
    expected = orbit(azimuths_deg=azimuths, hw=HW)
    for mine, theirs in zip(views.orbit.cameras, expected.cameras, strict=True):
        assert_same_camera(mine, theirs)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["frame_0003.png", "frame_0001.png", "frame_0002.png", "frame_0004.png"], [20, 30, 10, 40]),
        ([f"f{i}.png" for i in (10, 0, *range(1, 10))], [20, *range(30, 120, 10), 10]),
        (["v_12.png", "v_10.png", "v_11.png"], [20, 30, 10]),
        (["2.png", "1.png"], [20, 10]),
        (["d.png", "a.png", "c.png", "b.png"], [20, 40, 30, 10]),
        (["back_a.png", "back_b.png"], [10, 20]),
        (["a_500.png", "a_600.png", "a_700.png", "a_800.png"], [10, 20, 30, 40]),
    ],
)
def test_names_without_angles_go_evenly_around_in_natural_order(tmp_path, names, order):
    views = read_views(fill(tmp_path / "in", names))
    np.testing.assert_allclose(views.orbit.azimuths_deg, np.arange(len(names)) * 360 / len(names))
    assert greys(views) == order


def test_pictures_without_alpha_get_their_masks_from_a_plain_background(tmp_path):
    (tmp_path / "in").mkdir()
    rgb = np.full((64, 64, 3), 255, np.uint8)
    rgb[16:48, 20:44] = (40, 90, 160)
    save_png(tmp_path / "in" / "000.png", rgb)
    save_png(tmp_path / "in" / "090.png", rgb)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    masks = read_views(tmp_path / "in").masks
    assert masks.shape == (2, 64, 64) and masks[0, 32, 32] == 1 and masks[0, 4, 4] == 0
    assert masks[1].sum().item() == pytest.approx(32 * 24, rel=0.1)


def test_what_cannot_be_used_is_one_sentence(tmp_path):
    with pytest.raises(ViewsError, match="is not a folder"):
        read_views(tmp_path / "nowhere")
    with pytest.raises(ViewsError, match="holds no pictures"):
        read_views(tmp_path)
    mixed = fill(tmp_path / "mixed", ["000.png"])
    save_png(mixed / "090.png", picture(50, (60, 40)))
    with pytest.raises(ViewsError, match=r"090\.png is 40×60 px and 000\.png 40×48 px"):
        read_views(mixed)
    broken = fill(tmp_path / "broken", ["000.png"])
    (broken / "090.png").write_bytes(b"no picture")
    with pytest.raises(PhotoError, match=r"090\.png"):
        read_views(broken)
    noisy = fill(tmp_path / "noisy", [])
    save_jpg(noisy / "000.jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    with pytest.raises((UnclearGarment, MaskError)):
        read_views(noisy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda whole: "no json at all", "can't be used"),
        (lambda whole: json.dumps([1, 2]), "can't be used"),
        (lambda whole: json.dumps({**whole, "views": []}), "no views"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "projection": "fisheye"}]}), "fisheye"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "c2w": [[1, 0], [0, 1]]}]}), "c2w"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "focal_px": 0}]}), "focal_px"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "size_wh": None}]}), "can't be used"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "size_wh": [1e999, 9]}]}), "can't be used"),
        (lambda whole: json.dumps({"views": [{"file": "views/000.png"}]}), "projection"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "file": "views/no.png"}]}), "lists views/no.png"),
        (lambda whole: json.dumps({"views": [{**whole["views"][0], "file": "../away.png"}]}), "lists ../away.png"),
    ],
)
def test_a_camera_file_that_cannot_be_used_is_said(tmp_path, change, said):
    folder = saved(tmp_path / "out", orbit(azimuths_deg=(0, 90), hw=HW))
    save_png(tmp_path / "away.png", picture(99))
    file = folder / "cameras.json"
    file.write_text(change(json.loads(file.read_text("utf-8"))), "utf-8")
    with pytest.raises(GarmentError) as caught:
        read_views(folder)
    assert isinstance(caught.value, ViewsError) and said in str(caught.value) and "\n" not in str(caught.value)
