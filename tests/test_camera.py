"""Where known points land, then round trips over shapes and cameras."""

import math

import numpy as np
import pytest

from garment3d.camera import (
    ZERO123_FOV_DEG,
    ZERO123_RADIUS,
    mask_box,
    orbit,
    orbit_camera,
    orbit_radius,
    photo_camera,
    project,
    unproject,
)
from garment3d.errors import MaskError


def mask_with_box(hw, x0, y0, x1, y1):
    mask = np.zeros(hw, np.float32)
    mask[y0:y1, x0:x1] = 1
    return mask


def test_the_box_of_a_mask_is_exclusive_at_its_far_end():
    assert mask_box(mask_with_box((40, 60), 5, 7, 25, 38)) == (5, 7, 25, 38)


def test_half_a_pixel_of_softness_counts_and_less_does_not():
    mask = mask_with_box((10, 10), 3, 3, 6, 6)
    mask[3, 6], mask[3, 2] = 0.5, 0.49
    assert mask_box(mask) == (3, 3, 7, 6)


def test_an_empty_mask_is_a_mask_error():
    with pytest.raises(MaskError, match="empty"):
        photo_camera(np.zeros((8, 8)))


def test_the_photo_camera_puts_the_box_into_the_unit_square():
    camera = photo_camera(mask_with_box((400, 300), 100, 50, 200, 250))
    corners = np.array([[-0.25, 0.5, 0], [0.25, 0.5, 0.3], [0.25, -0.5, -0.5], [0, 0, 0]])
    pixels, depth = project(camera, corners)
    np.testing.assert_allclose(pixels, [[100, 50], [200, 50], [200, 250], [150, 150]], atol=1e-9)
    # Depth falls towards the camera, which sits on +Z, and nothing of the garment is behind it.
    assert depth[1] < depth[0] < depth[2] and (depth > 0).all()


def test_the_canonical_centre_is_the_centre_of_every_orbit_picture():
    for camera in orbit(step_deg=45, elevation_deg=30, hw=(200, 300)).cameras:
        pixels, depth = project(camera, np.zeros(3))
        np.testing.assert_allclose(pixels, (150, 100), atol=1e-9)
        assert depth == pytest.approx(ZERO123_RADIUS)


def test_azimuth_grows_towards_the_wearers_left_and_elevation_upwards():
    np.testing.assert_allclose(orbit_camera(0, 0, 2, 50, (64, 64)).c2w[:3, 3], (0, 0, 2), atol=1e-12)
    np.testing.assert_allclose(orbit_camera(90, 0, 2, 50, (64, 64)).c2w[:3, 3], (2, 0, 0), atol=1e-12)
    np.testing.assert_allclose(orbit_camera(0, 90, 2, 50, (64, 64)).c2w[:3, 3], (0, 2, 0), atol=1e-12)


def test_from_the_front_the_wearers_left_is_right_in_the_picture_and_up_is_up():
    front, back = orbit_camera(0, 0, 2, 50, (64, 64)), orbit_camera(180, 0, 2, 50, (64, 64))
    (left, up), _ = project(front, np.array([0.1, 0.2, 0.0]))
    assert left > 32 and up < 32
    assert project(back, np.array([0.1, 0.0, 0.0]))[0][0] < 32


def test_the_field_of_view_spans_the_shorter_side():
    camera = orbit_camera(0, 0, 2, 60, (100, 300))
    edge = 2 * math.tan(math.radians(30))
    np.testing.assert_allclose(project(camera, np.array([0, edge, 0]))[0], (150, 0), atol=1e-9)


def test_a_garment_of_length_one_spans_78_percent_of_zero123s_picture():
    camera = orbit_camera(0, 0, ZERO123_RADIUS, ZERO123_FOV_DEG, (256, 256))
    ends = project(camera, np.array([[0, 0.5, 0], [0, -0.5, 0]]))[0]
    assert abs(ends[0, 1] - ends[1, 1]) == pytest.approx(0.78 * 256)
    assert ZERO123_FOV_DEG == pytest.approx(49.13, abs=0.01)


@pytest.mark.parametrize(("step", "count"), [(20, 18), (45, 8), (360, 1), (50, 8), (0.1, 3600)])
def test_an_orbit_starts_at_the_photo_and_stops_before_it_comes_round(step, count):
    azimuths = orbit(step_deg=step).azimuths_deg
    assert len(azimuths) == count and azimuths[0] == 0 and azimuths[-1] < 360


@pytest.mark.parametrize("step", [0, -20, 361, math.nan])
def test_a_step_that_never_comes_round_is_refused_with_its_value(step):
    with pytest.raises(ValueError, match=f"{step}"):
        orbit(step_deg=step)


def test_given_azimuths_are_kept_in_their_order():
    assert orbit(azimuths_deg=[90, -30, 200]).azimuths_deg == (90.0, -30.0, 200.0)


CAMERAS = [photo_camera(mask_with_box((300, 200), 13, 40, 170, 260))] + [
    orbit_camera(a, e, r, 49.13, hw)
    for a, e, r, hw in [(0, 0, 1.4, (512, 512)), (133, -40, 2.5, (64, 96)), (271, 89, 1.9, (100, 30))]
]


@pytest.mark.parametrize("camera", CAMERAS, ids=["photo", "front", "below", "top"])
@pytest.mark.parametrize("batch", [(), (7,), (0,), (3, 5), (2, 1, 4)])
def test_unproject_is_the_inverse_of_project(camera, batch):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (*batch, 3))
    pixels, depth = project(camera, points)
    assert pixels.shape == (*batch, 2) and depth.shape == batch
    np.testing.assert_allclose(unproject(camera, pixels, depth), points, atol=1e-12)


@pytest.mark.parametrize("camera", CAMERAS, ids=["photo", "front", "below", "top"])
def test_a_camera_frame_is_a_rotation(camera):
    rotation = camera.c2w[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_one_depth_serves_all_pixels():
    pixels = np.array([[10.0, 20.0], [30.0, 40.0]])
    np.testing.assert_allclose(unproject(CAMERAS[1], pixels, 2.0), unproject(CAMERAS[1], pixels, np.full(2, 2.0)))


def test_project_leaves_its_points_alone():
    points = np.ones((4, 3))
    project(CAMERAS[1], points)
    assert (points == 1).all()


def test_an_orbit_far_enough_sees_all_of_a_wide_garment():
    corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.2, 0.2)])
    # From the side the corners at x = 0.5 are that much nearer: half a height of 0.5 in 0.96 of the field of view.
    side = 0.5 + 0.5 / (0.96 * math.tan(math.radians(ZERO123_FOV_DEG) / 2))
    radius = orbit_radius(corners)
    assert side <= radius < 1.05 * side
    for elevation in (0.0, 35.0, -60.0):
        radius = orbit_radius(corners, elevation)
        pixels = np.concatenate([project(c, corners)[0] for c in orbit(15, elevation, radius, hw=(100, 100)).cameras])
        margin = min(pixels.min(), 100 - pixels.max())
        assert 1.9 <= margin < 2.5


def test_a_slim_garment_keeps_the_orbits_usual_radius():
    assert orbit_radius(np.array([(0.1, 0.5, 0.0), (-0.1, -0.5, 0.0)])) == ZERO123_RADIUS
    assert orbit_radius(np.zeros((0, 3))) == ZERO123_RADIUS
