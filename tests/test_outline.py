"""The outline of a mask against shapes of known area, corners and bays, below the pixel."""

from __future__ import annotations

import numpy as np
import pytest

from garment3d.errors import OutlineError
from garment3d.garment.outline import SAMPLES, Loop, loop_of, offsets, pockets, polygons, resample, turning
from tests.drawn import coverage, disc, shoelace

SQUARE = np.array([[40.3, 30.6], [40.3, 190.2], [199.9, 190.2], [199.9, 30.6]])
U_SHAPE = np.array([[20, 30], [20, 220], [200, 220], [200, 30], [140, 20], [140, 150], [80, 150], [80, 20.0]])
L_SHAPE = np.array([[20, 20], [20, 220], [200, 220], [200, 160], [80, 160], [80, 20.0]])


@pytest.mark.parametrize("hw", [(180, 190), (260, 250)])  # below and above the size where slits are closed
@pytest.mark.parametrize("radius", [20.0, 60.4, 85.0])
def test_a_disc_is_found_to_a_tenth_of_a_pixel(radius: float, hw: tuple[int, int]) -> None:
    centre = (95.3, 88.8)
    outer, holes = polygons(disc(radius, centre, hw))
    assert not holes
    assert np.abs(np.linalg.norm(outer - centre, axis=1) - radius).max() < 0.1
    assert abs(shoelace(outer)) == pytest.approx(np.pi * radius**2, rel=0.005)


def test_the_sides_of_a_rectangle_lie_between_pixels_where_it_was_drawn() -> None:
    outer, _ = polygons(coverage(SQUARE, (220, 240)))
    level = outer[(outer[:, 1] > 50) & (outer[:, 1] < 170)]
    assert np.abs(level[level[:, 0] < 100, 0] - 40.3).max() < 0.05
    assert np.abs(level[level[:, 0] > 100, 0] - 199.9).max() < 0.05
    assert abs(shoelace(outer)) == pytest.approx(159.6**2, rel=0.005)


def test_a_mask_that_fills_the_picture_ends_at_its_border() -> None:
    outer, _ = polygons(np.ones((60, 80), np.float32))
    np.testing.assert_allclose([outer.min(0), outer.max(0)], [[0, 0], [80, 60]], atol=0.05)


@pytest.mark.parametrize("turned", [False, True])
def test_outlines_run_one_way_and_holes_the_other(turned: bool) -> None:
    ring = disc(80, (100, 110), (220, 200)) - disc(30, (90, 120), (220, 200))
    outer, holes = polygons(ring[::-1] if turned else ring)
    assert shoelace(outer) == pytest.approx(-np.pi * 80**2, rel=0.005)
    assert [shoelace(hole) for hole in holes] == [pytest.approx(np.pi * 30**2, rel=0.01)]


def test_holes_too_small_to_matter_are_filled() -> None:
    ring = disc(90, (100, 100), (200, 200)) - disc(5, (100, 100), (200, 200))
    share = 25 / 90**2
    assert len(polygons(ring, min_hole=0.8 * share)[1]) == 1
    assert len(polygons(ring, min_hole=1.25 * share)[1]) == 0


def test_of_several_pieces_the_largest_is_taken() -> None:
    both = np.maximum(disc(30, (50, 50), (200, 200)), disc(40, (140, 140), (200, 200)))
    outer, holes = polygons(both)
    assert not holes
    np.testing.assert_allclose(outer.mean(0), (140, 140), atol=0.5)
    assert abs(shoelace(outer)) == pytest.approx(np.pi * 1600, rel=0.01)


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_a_mask_with_nothing_in_it_is_an_error(value: float) -> None:
    with pytest.raises(OutlineError, match="empty"):
        polygons(np.full((50, 40), value, np.float32))


def test_a_mask_of_a_few_pixels_is_an_error_too() -> None:
    soft = np.zeros((300, 240), np.float32)
    soft[100, 80:82] = 1
    with pytest.raises(OutlineError, match="2 px"):
        polygons(soft)


def test_the_loop_is_evenly_spaced_along_the_outline() -> None:
    loop = loop_of(coverage(SQUARE, (220, 240)))
    steps = np.linalg.norm(np.roll(loop.points, -1, 0) - loop.points, axis=1)
    assert loop.points.shape == (SAMPLES, 2)
    assert steps.max() < 1.02 * np.median(steps)
    assert steps.sum() == pytest.approx(4 * 159.6, rel=0.01)
    assert shoelace(loop.points) < 0  # counter-clockwise on the screen


def test_resampling_keeps_to_the_polygon() -> None:
    even = resample(SQUARE, 400)
    on_side = np.min(np.abs(even[:, None] - SQUARE[None, ::2]), axis=(1, 2))
    assert len(even) == 400 and on_side.max() < 1e-9
    np.testing.assert_array_equal(even[0], SQUARE[0])


def test_an_arc_walks_forwards_over_the_end_of_the_loop() -> None:
    loop = Loop(np.zeros((10, 2)))
    assert loop.arc(8, 2).tolist() == [8, 9, 0, 1, 2]
    assert loop.arc(3, 3).tolist() == [3]


def corner_turns(polygon: np.ndarray, scale: float) -> np.ndarray:
    """The strongest turn within 5 px of each corner of the drawn polygon, in degrees."""
    loop = loop_of(coverage(polygon, (240, 240)))
    turn = turning(loop, scale)
    near = np.linalg.norm(loop.points[None] - polygon[:, None], axis=-1) < 5
    return np.degrees([turn[mine][np.abs(turn[mine]).argmax()] for mine in near])


@pytest.mark.parametrize("scale", [0.012, 0.02, 0.04])
def test_corners_turn_by_their_angle_outwards_positive(scale: float) -> None:
    # Chords of a smoothed outline: a corner gives away some of its angle, the same whichever way it turns.
    np.testing.assert_allclose(corner_turns(SQUARE, scale), 82, atol=10)
    np.testing.assert_allclose(corner_turns(L_SHAPE, scale), 82 * np.array([1, 1, 1, 1, -1, 1]), atol=10)


def test_straight_sides_do_not_turn_and_a_circle_turns_evenly() -> None:
    loop = loop_of(coverage(SQUARE, (220, 240)))
    far = np.linalg.norm(loop.points[:, None] - SQUARE[None], axis=-1).min(1) > 20
    assert np.abs(turning(loop, 0.02)[far]).max() < np.radians(1.5)
    around = turning(loop_of(disc(80, (100, 100), (200, 200))), 0.02)
    np.testing.assert_allclose(np.degrees(around), 360 * 0.02, atol=1)


def test_a_slot_is_a_bay_as_deep_as_it_was_cut() -> None:
    loop = loop_of(coverage(U_SHAPE, (240, 220)))
    (bay,) = pockets(loop, 5)
    assert bay.depth_px == pytest.approx(130, abs=1)
    ends = loop.points[[bay.start, bay.end]]
    assert sorted(ends[:, 0]) == [pytest.approx(80, abs=2), pytest.approx(140, abs=2)]
    assert loop.points[loop.arc(bay.start, bay.end), 1].max() == pytest.approx(150, abs=1)


def test_the_bay_of_an_inner_corner_is_its_distance_from_the_bridge() -> None:
    (bay,) = pockets(loop_of(coverage(L_SHAPE, (240, 220))), 5)
    outside, inner = np.array([200 - 80, 160 - 20]), np.array([0, 160 - 20])
    assert bay.depth_px == pytest.approx(abs(outside[0] * inner[1]) / np.hypot(*outside), abs=1.5)


def test_bays_come_deepest_first_and_a_convex_outline_has_none() -> None:
    two = np.array([[10, 10], [10, 230], [90, 230], [120, 190], [150, 230], [230, 230], [230, 10], [120, 110.0]])
    found = pockets(loop_of(coverage(two, (240, 240))), 5)
    assert [b.depth_px for b in found] == [pytest.approx(100, abs=3), pytest.approx(40, abs=3)]
    assert pockets(loop_of(disc(80, (100, 100), (200, 200))), 1.0) == []


def test_offsets_are_signed_distances_from_a_line() -> None:
    a, b = np.array([1.0, 1.0]), np.array([4.0, 5.0])
    points = np.array([[1.0, 1.0], [4.0, 5.0], [1.0 + 4, 1.0 - 3], [1.0 - 8, 1.0 + 6]])
    np.testing.assert_allclose(np.abs(offsets(points, a, b)), [0, 0, 5, 10], atol=1e-12)
    # Down the left side of a garment (y down) its inside is to the right.
    assert offsets(np.array([3.0, 2.0]), np.array([0.0, 0.0]), np.array([0.0, 4.0])) == 3


def test_a_slit_of_a_pixel_is_closed() -> None:
    slit = coverage(SQUARE * 1.2, (260, 260))
    slit[:120, 140] = 0
    outer, _ = polygons(slit)
    length = np.linalg.norm(np.roll(outer, -1, 0) - outer, axis=1).sum()
    assert length == pytest.approx(4 * 159.6 * 1.2, rel=0.03)


@pytest.mark.parametrize("hw", [(2000, 1500), (1300, 1803)])
def test_a_large_photo_is_read_as_exactly_as_a_small_one(hw: tuple[int, int]) -> None:
    centre, radius = (hw[1] / 2 + 3.3, hw[0] / 2 - 5.8), 0.45 * min(hw)
    outer, holes = polygons(disc(radius, centre, hw))
    assert not holes
    assert np.abs(np.linalg.norm(outer - centre, axis=1) - radius).max() < 0.25
    assert abs(shoelace(outer)) == pytest.approx(np.pi * radius**2, rel=0.001)


def test_a_large_mask_that_fills_its_picture_ends_at_its_border() -> None:
    outer, _ = polygons(np.ones((1801, 1202), np.float32))
    np.testing.assert_allclose([outer.min(0), outer.max(0)], [[0, 0], [1202, 1801]], atol=1.01)
