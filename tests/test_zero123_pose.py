"""The pose Zero123 is told: the signs of its authors' viewer, relative for two families and absolute for the third."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from garment3d.camera import orbit_camera
from garment3d.errors import GarmentError
from garment3d.views.zero123_pose import pose_vectors

PRESETS = json.loads((Path(__file__).parent / "fixtures" / "zero123_presets.json").read_text())
"""The buttons of the authors' demo as its own source has them, and where its own function puts their cameras."""


def test_all_five_buttons_were_found():
    assert {name: preset["angles"] for name, preset in PRESETS.items()} == {
        "left": [0, -90, 0],
        "right": [0, 90, 0],
        "behind": [0, 180, 0],
        "above": [-90, 0, 0],
        "below": [90, 0, 0],
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_camera_of_ours_at_their_button_stands_where_they_draw_it(name):
    polar, azimuth, _ = PRESETS[name]["angles"]
    towards_viewer, right, up = PRESETS[name]["position"]
    ours = orbit_camera(azimuth, -polar, 1.0, 50.0, (256, 256)).c2w[:3, 3]
    np.testing.assert_allclose(ours, [right, up, towards_viewer], atol=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_the_vector_of_that_camera_is_their_buttons(name):
    polar, azimuth, radius = (float(value) for value in PRESETS[name]["angles"])
    theirs = [math.radians(polar), math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth)), radius]
    ours = pose_vectors("zero123", [azimuth], -polar, radius)
    assert torch.equal(ours, torch.tensor([theirs]))


@pytest.mark.parametrize("family", ["zero123", "stable"])
def test_only_the_difference_to_the_photos_elevation_counts_for_the_first_value(family):
    here = pose_vectors(family, [0, 20, 340], 12, photo_elevation_deg=12)
    above = pose_vectors(family, [0, 20, 340], 30, photo_elevation_deg=12)
    assert here.shape == (3, 4) and here.dtype == torch.float32
    assert torch.all(here[:, 0] == 0)
    torch.testing.assert_close(above[:, 0], torch.full((3,), -math.radians(18)))
    torch.testing.assert_close(here[0, 1:3], torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(here[1, 1:3] * torch.tensor([-1.0, 1.0]), here[2, 1:3])


def test_stable_zero123_gets_the_photos_angle_from_the_zenith():
    level, raised = (pose_vectors("stable", [0], 0, photo_elevation_deg=photo)[0, 3] for photo in (0, 20))
    assert float(level) == pytest.approx(math.pi / 2)
    assert float(raised) == pytest.approx(math.radians(70))


def test_only_the_original_can_change_the_distance():
    assert float(pose_vectors("zero123", [0], 0, radius_offset=-0.3)[0, 3]) == pytest.approx(-0.3)
    with pytest.raises(GarmentError, match=r"radius offset 0\.2 .*Zero123-XL\.$"):
        pose_vectors("stable", [0], 0, radius_offset=0.2)


def test_no_azimuths_give_no_vectors():
    assert pose_vectors("zero123", [], 0).shape == (0, 4)
