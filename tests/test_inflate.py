"""Inflation against the closed forms of −Δu = 1: strips, discs, rings; and the depth models built on it."""

from __future__ import annotations

import numpy as np
import pytest

from garment3d.garment.depth import PROPORTIONS, depths
from garment3d.garment.flatten import signed_areas
from garment3d.garment.inflate import diffused, inflation, laplacian
from garment3d.garment.mesher import fill, triangulate
from tests.drawn import circle, spaced
from tests.solids import grid


def meshed(rings: list[np.ndarray], spacing: float) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([*rings, fill(rings, spacing)])
    return points, triangulate(points, rings)


def strip(half_width: float, length: float, columns: int = 40, rows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    s, t, faces = grid(rows, columns)
    return np.stack([(2 * s - 1) * half_width, (t - 0.5) * length], 1), faces


def at_sides(points: np.ndarray) -> np.ndarray:
    return np.isclose(np.abs(points[:, 0]), np.abs(points[:, 0]).max())


@pytest.mark.parametrize("half_width", [0.05, 0.2, 3.0])
@pytest.mark.parametrize("length", [0.1, 1.0])
def test_a_strip_with_free_ends_becomes_half_a_cylinder(half_width: float, length: float) -> None:
    points, faces = strip(half_width, length)
    height = inflation(points, faces, at_sides(points))
    expected = np.sqrt(np.maximum(half_width**2 - points[:, 0] ** 2, 0))
    np.testing.assert_allclose(height, expected, atol=1e-6 * half_width)


def test_a_strip_of_irregular_triangles_does_too_right_up_to_its_open_ends() -> None:
    ring = spaced(np.array([[-0.2, -0.6], [0.2, -0.6], [0.2, 0.6], [-0.2, 0.6]]), 0.04)
    points, faces = meshed([ring], 0.04)
    height = inflation(points, faces, np.isclose(np.abs(points[:, 0]), 0.2))
    expected = np.sqrt(np.maximum(0.04 - points[:, 0] ** 2, 0))
    assert np.abs(height - expected).max() < 0.02 * 0.2
    lip = np.isclose(np.abs(points[:, 1]), 0.6)
    assert np.abs(height - expected)[lip].max() < 0.02 * 0.2


@pytest.mark.parametrize("radius", [0.4, 2.0])
def test_a_disc_held_all_round_becomes_a_lens(radius: float) -> None:
    points, faces = meshed([circle(radius, 126)], radius / 20)
    distance = np.linalg.norm(points, axis=1)
    height = inflation(points, faces, distance > 0.9999 * radius)
    expected = np.sqrt(np.maximum(radius**2 - distance**2, 0) / 2)
    assert np.abs(height - expected)[distance < 0.9 * radius].max() < 0.005 * radius
    assert np.abs(height - expected).max() < 0.02 * radius


def test_a_ring_held_inside_and_free_outside_follows_the_logarithm() -> None:
    inner, outer = 0.2, 0.5
    points, faces = meshed([circle(outer, 126), circle(inner, 50)[::-1]], 0.025)
    distance = np.linalg.norm(points, axis=1)
    height = inflation(points, faces, distance < 1.0001 * inner)
    potential = (inner**2 - distance**2) / 4 + outer**2 / 2 * np.log(np.maximum(distance, inner) / inner)
    expected = np.sqrt(2 * np.maximum(potential, 0))
    assert np.abs(height - expected).max() < 0.02 * expected.max()


def test_heights_grow_with_the_garment() -> None:
    points, faces = meshed([circle(0.4, 60)], 0.04)
    held = np.linalg.norm(points, axis=1) > 0.399
    np.testing.assert_allclose(
        inflation(7 * points, faces, held), 7 * inflation(points, faces, held), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("held", [False, True])
def test_nothing_or_everything_held_gives_no_height(held: bool) -> None:
    points, faces = strip(0.2, 1, 4, 4)
    assert not inflation(points, faces, np.full(len(points), held)).any()


def test_the_stiffness_of_a_linear_function_is_its_slope_squared_times_the_area() -> None:
    points, faces = meshed([circle(0.5, 40)], 0.08)
    stiffness, areas = laplacian(points, faces)
    total = signed_areas(points, faces).sum()
    assert areas.sum() == pytest.approx(total) and areas.min() > 0
    assert abs(stiffness - stiffness.T).max() < 1e-12
    np.testing.assert_allclose(stiffness @ np.ones(len(points)), 0, atol=1e-12)
    linear = 3 * points[:, 0] - 2 * points[:, 1] + 1
    assert linear @ stiffness @ linear == pytest.approx(13 * total)
    np.testing.assert_allclose((stiffness @ linear)[np.linalg.norm(points, axis=1) < 0.49], 0, atol=1e-12)


@pytest.mark.parametrize("reach", [0.01, 0.2, 5.0])
def test_a_constant_stays_what_it_is_whatever_the_weights(reach: float) -> None:
    points, faces = meshed([circle(0.5, 40)], 0.08)
    weights = np.random.default_rng(0).uniform(0.1, 5, len(points))
    np.testing.assert_allclose(diffused(points, faces, np.full(len(points), 2.5), weights, reach), 2.5, rtol=1e-9)


def test_a_step_is_smoothed_by_the_exponential_of_its_reach() -> None:
    points, faces = strip(1.0, 0.1, columns=400, rows=2)
    x, reach = points[:, 0], 0.08
    step = np.where(x > 1e-9, 1.0, np.where(x < -1e-9, 0.0, 0.5))
    smooth = diffused(points, faces, step, np.ones(len(points)), reach)
    expected = np.where(x > 0, 1 - 0.5 * np.exp(-np.abs(x) / reach), 0.5 * np.exp(-np.abs(x) / reach))
    assert np.abs(smooth - expected).max() < 1e-3


def test_smoothing_keeps_the_whole_and_weightless_vertices_say_nothing() -> None:
    points, faces = meshed([circle(0.5, 40)], 0.08)
    values = np.random.default_rng(1).uniform(0, 1, len(points))
    _, areas = laplacian(points, faces)
    assert areas @ diffused(points, faces, values, np.ones(len(points)), 0.1) == pytest.approx(areas @ values)
    silent = points[:, 0] < 0
    loud = diffused(points, faces, np.where(silent, 1e6, 3.0), np.where(silent, 0.0, 1.0), 0.3)
    np.testing.assert_allclose(loud, 3, rtol=1e-6)


def test_the_plain_model_is_an_ellipse_of_1_18_roots_on_a_strip() -> None:
    points, faces = strip(0.2, 1)
    z = depths(points, faces, at_sides(points), "tee", "poisson")
    potential = np.maximum(0.04 - points[:, 0] ** 2, 0) / 2
    np.testing.assert_allclose(z, 1.18 * np.sqrt(potential), atol=1e-7)


@pytest.mark.parametrize("name", PROPORTIONS)
def test_depth_is_nothing_on_the_seam_positive_elsewhere_and_the_same_left_and_right(name: str) -> None:
    points, faces = strip(0.2, 1, columns=20, rows=24)
    z = depths(points, faces, at_sides(points), name)
    assert not z[at_sides(points)].any()
    assert (z[~at_sides(points)] > 0).all()
    # The same strip mirrored, its triangles turned back: other diagonals, the same cloth.
    mirrored = depths(points * [-1, 1], faces[:, ::-1], at_sides(points), name)
    np.testing.assert_allclose(mirrored, z, rtol=1e-9)
    rows = z.reshape(25, 21)
    assert np.abs(rows - rows[:, ::-1]).max() < 0.02 * z.max()


def test_a_sheet_sewn_nowhere_has_no_depth() -> None:
    points, faces = strip(0.2, 1, 4, 4)
    for model in ("garment", "poisson"):
        assert not depths(points, faces, np.zeros(len(points), bool), "tee", model).any()
