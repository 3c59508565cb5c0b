"""Sheets with a known development: tubes, cones, planes; and bounds where none exists."""

import time

import numpy as np
import pytest

from garment3d.garment.flatten import flatten, signed_areas, stretch


def grid(rows: int, cols: int, flip: bool = False):
    """Parameters s, t in 0..1 [N] and faces [F,3], counter-clockwise in (s, t) unless flipped."""
    s, t = np.meshgrid(np.linspace(0, 1, cols), np.linspace(0, 1, rows))
    a = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + cols + 1], 1), np.stack([a, a + cols + 1, a + cols], 1)])
    return s.ravel(), t.ravel(), faces[:, ::-1] if flip else faces


def half_tube(rows: int = 40, cols: int = 61, radius: float = 0.3, height: float = 1.2):
    s, t, faces = grid(rows, cols)
    angle = np.pi * (s - 0.5)
    return np.stack([radius * np.sin(angle), height * (t - 0.5), radius * np.cos(angle)], 1), faces, angle


def test_half_a_tube_unrolls_to_a_rectangle():
    vertices, faces, angle = half_tube()
    uv = flatten(vertices, faces)
    truth = np.stack([0.3 * angle, vertices[:, 1]], 1)
    assert np.abs(uv - truth).max() < 2e-3


def test_a_tube_half_that_faces_backwards_is_mirrored_so_that_it_stays_counter_clockwise():
    vertices, faces, angle = half_tube()
    turned = vertices * [-1, 1, -1]
    uv = flatten(turned, faces)
    assert np.abs(uv - np.stack([0.3 * angle, vertices[:, 1]], 1)).max() < 2e-3
    assert (signed_areas(uv, faces) > 0).all()


def test_a_cone_keeps_its_slant_and_its_sector_angle():
    s, t, faces = grid(50, 61)
    angle, slant, opening = np.pi * (s - 0.5), 0.3 + 0.9 * t, 0.4
    radius = slant * np.sin(opening)
    vertices = np.stack([radius * np.sin(angle), -slant * np.cos(opening), radius * np.cos(angle)], 1)
    uv = flatten(vertices, faces[:, ::-1])
    sector = angle * np.sin(opening)
    truth = np.stack([slant * np.sin(sector), -slant * np.cos(sector)], 1)
    assert np.abs((uv - uv.mean(0)) - (truth - truth.mean(0))).max() < 3e-3


def test_a_plane_maps_to_itself_and_keeps_an_unused_vertex():
    s, t, faces = grid(20, 30)
    vertices = np.stack([s, t, np.zeros_like(s)], 1)
    vertices = np.concatenate([vertices, [[5.0, 6.0, 7.0]]])
    uv = flatten(vertices, faces)
    np.testing.assert_allclose(uv, vertices[:, :2], atol=1e-9)


def test_the_orientation_of_the_initial_map_is_kept():
    vertices, faces, angle = half_tube()
    uv = flatten(vertices, faces, vertices[:, :2] * [-1, 1])
    assert np.abs(uv - np.stack([-0.3 * angle, vertices[:, 1]], 1)).max() < 2e-3


def test_half_an_ellipsoid_has_bounded_stretch_and_no_turned_triangle():
    s, t, faces = grid(60, 60)
    x, y = 2 * s - 1, 2 * t - 1
    x, y = x * np.sqrt(1 - y**2 / 2), y * np.sqrt(1 - x**2 / 2)
    z = 0.35 * np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    vertices = np.stack([0.6 * x, y, z], 1)
    uv = flatten(vertices, faces)
    values = stretch(vertices, faces, uv)
    assert (signed_areas(uv, faces) > 0).all()
    assert np.percentile(values, 99) < 1.6 and np.percentile(values, 1) > 0.6
    planar = stretch(vertices, faces, vertices[:, :2])
    assert np.percentile(values, 0.5) > 3 * np.percentile(planar, 0.5)


def test_vertical_walls_and_overhangs_are_laid_out_without_turned_triangles():
    """A box lid: its four walls project to lines; the lips lean inwards and project backwards."""
    s, t, faces = grid(61, 61)
    x, y = 3 * s - 1.5, 3 * t - 1.5
    outside = np.maximum(np.maximum(np.abs(x), np.abs(y)) - 1, 0)
    vertices = np.stack([np.clip(x, -1, 1) * (1 - 0.2 * outside), np.clip(y, -1, 1) * (1 - 0.2 * outside), -outside], 1)
    uv = flatten(vertices, faces)
    assert (signed_areas(uv, faces) > 0).all()


def test_sheets_with_a_hole_and_in_two_pieces_keep_their_lengths():
    vertices, faces, _ = half_tube()
    centre = vertices[faces].mean(1)
    faces = faces[(np.linalg.norm(centre[:, :2], axis=1) > 0.15) & (np.abs(centre[:, 1] - 0.4) > 0.04)]
    values = stretch(vertices, faces, flatten(vertices, faces))
    assert np.abs(values - 1).max() < 0.03


def test_stretch_of_a_known_linear_map():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0.3, 0, 2.0]])
    uv = np.array([[0, 0], [3, 0], [0.9, 1.0]])
    np.testing.assert_allclose(stretch(vertices, np.array([[0, 1, 2]]), uv), [[3, 0.5]])


def test_zero_area_triangles_and_no_triangles_give_finite_numbers():
    vertices, faces, _ = half_tube(10, 11)
    vertices[17] = vertices[18]
    assert np.isfinite(flatten(vertices, faces)).all()
    np.testing.assert_array_equal(flatten(vertices, faces[:0]), vertices[:, :2])


@pytest.mark.parametrize("seed", [0])
def test_ten_thousand_faces_take_well_under_a_second(seed):
    vertices, faces, _ = half_tube(71, 73)
    vertices = vertices + 0.002 * np.random.default_rng(seed).standard_normal(vertices.shape)
    start = time.perf_counter()
    flatten(vertices, faces)
    assert time.perf_counter() - start < 1.5
