"""A tool that reads cameras.json by its own words lands on the pixels that the library's cameras land on."""

import json

import numpy as np
import pytest

from garment3d.camera import orbit, photo_camera, project
from garment3d.export import cameras
from garment3d.export.cameras import cameras_json, view_names
from garment3d.export.mesh import placement
from garment3d.images import save_png
from garment3d.views.folder import read_views


def read_back(step=40.0, elevation=15.0, hw=(200, 300)):
    mask = np.zeros((90, 120), np.float32)
    mask[10:80, 20:60] = 1
    around = orbit(step, elevation, hw=hw)
    placed = placement(np.array([[-0.5, -0.5, -0.1], [0.5, 0.5, 0.3]]), 70)
    names = view_names(around.azimuths_deg)
    return around, photo_camera(mask), placed, json.loads(
        cameras_json(around, names, photo_camera(mask), placed.matrix())
    )  # fmt: skip


def by_the_words(entry, points):
    """Pixels of canonical points as cameras.json's own text describes a camera."""
    c2w = np.array(entry["c2w"])
    local = (points - c2w[:3, 3]) @ c2w[:3, :3]
    scale = entry["focal_px"] / (-local[:, 2] if entry["projection"] == "perspective" else 1)
    x, y = entry["center_px"]
    return np.stack([x + local[:, 0] * scale, y - local[:, 1] * scale], 1)


def test_pixels_by_the_files_words_are_the_cameras_pixels():
    around, photo, _, whole = read_back()
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (40, 3))
    for camera, entry in [*zip(around.cameras, whole["views"], strict=True), (photo, whole["photo"])]:
        assert np.allclose(by_the_words(entry, points), project(camera, points)[0], atol=1e-5)


def test_the_field_of_view_spans_the_picture():
    _, _, _, whole = read_back()
    entry = whole["views"][2]
    c2w = np.array(entry["c2w"])
    for axis, side in enumerate(entry["size_wh"]):
        ray = np.zeros(3)
        ray[axis], ray[2] = np.tan(np.radians(entry["fov_deg"][axis] / 2)), -1
        at = by_the_words(entry, (c2w[:3, :3] @ ray + c2w[:3, 3])[None])[0]
        assert np.isclose(at[axis], side if axis == 0 else 0, atol=1e-3)
    assert whole["photo"]["fov_deg"] is None and whole["photo"]["size_wh"] == [120, 90]


def test_the_matrix_takes_canonical_points_to_the_files():
    _, _, placed, whole = read_back()
    matrix = np.array(whole["frame_to_file"])
    assert np.allclose(matrix @ (0, -0.5, 0.1, 1), (0, 0, 0, 1))
    assert np.allclose(matrix @ (0.5, 0.5, 0.3, 1), (0.35, 0.7, 0.14, 1))
    assert np.allclose(matrix[:3, 3], placed.offset_m)


def test_a_photo_that_is_not_known_is_null():
    around = orbit(180)
    whole = json.loads(cameras_json(around, ["a.png", "b.png"], None, np.eye(4)))
    assert whole["photo"] is None and [view["file"] for view in whole["views"]] == ["a.png", "b.png"]


def test_views_are_named_by_azimuth():
    assert view_names([0, 20, 340]) == ("000.png", "020.png", "340.png")
    assert view_names([-1e-9, 359.99999, -0.5]) == ("000.png", "000.png", "359.5.png")
    assert view_names([22.5, -20, 360, 7.125]) == ("022.5.png", "340.png", "000.png", "007.125.png")


def test_every_key_in_the_file_is_explained_and_every_explained_key_is_there():
    _, _, _, whole = read_back()
    explained = {line.split()[0] for line in (cameras.__doc__ or "").splitlines() if line.startswith("    ")}
    assert set(whole) | set(whole["views"][0]) == {key for key in explained if key[0].isalpha()}


@pytest.mark.parametrize(
    ("seeds", "listed", "back"),
    [
        ((None, 7, 2**64 - 1), [None, 7, 2**64 - 1], (None, 7, 2**64 - 1)),
        ((None, None, None), [None] * 3, None),
        (None, [None] * 3, None),
    ],
)
def test_seeds_are_listed_and_read_back(tmp_path, seeds, listed, back):
    around = orbit(120, hw=(40, 40))
    names = view_names(around.azimuths_deg)
    text = cameras_json(around, names, photo_camera(np.ones((9, 9))), np.eye(4), seeds)
    whole = json.loads(text)
    assert [view["seed"] for view in whole["views"]] == listed and whole["photo"]["seed"] is None
    cut_out = np.zeros((40, 40, 4), np.uint8)
    cut_out[9:30, 9:30] = 200
    for name in names:
        save_png(tmp_path / name, cut_out)
    (tmp_path / "cameras.json").write_text(text, "utf-8")
    assert read_views(tmp_path).seeds == back


def test_a_file_of_before_has_no_seeds_and_odd_ones_are_none(tmp_path):
    around = orbit(120, hw=(40, 40))
    whole = json.loads(cameras_json(around, view_names(around.azimuths_deg), None, np.eye(4), (1, 2, 3)))
    cut_out = np.zeros((40, 40, 4), np.uint8)
    cut_out[9:30, 9:30] = 200
    for view, odd in zip(whole["views"], ("one", True, 4), strict=True):
        view["seed"] = odd
        save_png(tmp_path / view["file"], cut_out)
    (tmp_path / "cameras.json").write_text(json.dumps(whole), "utf-8")
    assert read_views(tmp_path).seeds == (None, None, 4)
    for view in whole["views"]:
        del view["seed"]
    (tmp_path / "cameras.json").write_text(json.dumps(whole), "utf-8")
    assert read_views(tmp_path).seeds is None
