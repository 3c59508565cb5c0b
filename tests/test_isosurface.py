"""Sparse extraction against scikit-image's marching cubes of the whole grid, and against shapes with a closed form."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import trimesh
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree
from skimage.measure import marching_cubes

from garment3d.surface.isosurface import Extracted, extract

Formula = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Counted:
    """A field from a formula over grid indices or from a dense array, which counts what is asked of it."""

    def __init__(self, values: np.ndarray | Formula) -> None:
        self.values, self.asked = values, 0

    def at(self, ix: np.ndarray, iy: np.ndarray, iz: np.ndarray) -> np.ndarray:
        found = self.values[ix, iy, iz] if isinstance(self.values, np.ndarray) else self.values(ix, iy, iz)
        found = np.asarray(found, np.float32)
        self.asked += found.size
        return found


def dense(field: Counted, resolution: int) -> np.ndarray:
    line = np.arange(resolution)
    return np.asarray(field.at(line[:, None, None], line[:, None], line), np.float32)


def same_as_dense(values: np.ndarray, level: float, found: Extracted) -> None:
    """Every triangle of one is a triangle of the other, vertices within 1e-4 of a cell and numbered one to one."""
    vertices, faces, _, _ = marching_cubes(values - np.float32(level), 0.0, gradient_direction="ascent")
    assert len(found.vertices) == len(vertices) and len(found.faces) == len(faces)
    tied = KDTree(found.vertices).query_ball_point(vertices, 1e-4)
    number = np.array([min(group, default=-1) for group in tied])
    assert (number >= 0).all()
    own = np.array([min(group) for group in KDTree(found.vertices).query_ball_point(found.vertices, 1e-4)])
    assert sorted(map(sorted, number[faces].tolist())) == sorted(map(sorted, own[found.faces].tolist()))


def ball(resolution: int, radius: float, center: tuple[float, float, float] | None = None) -> Formula:
    x0, y0, z0 = center or ((resolution - 1) / 2,) * 3
    return lambda x, y, z: radius - np.sqrt((x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2)


def tube(resolution: int, start: np.ndarray, end: np.ndarray, radius: float) -> Formula:
    """Distance to a rod with round ends, positive inside."""
    along = end - start

    def formula(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        rel = [np.asarray(i, np.float32) - s for i, s in zip((x, y, z), start, strict=True)]
        t = np.clip(sum(r * a for r, a in zip(rel, along, strict=True)) / (along @ along), 0, 1)
        return radius - np.sqrt(sum((r - t * a) ** 2 for r, a in zip(rel, along, strict=True)))

    return formula


@pytest.mark.parametrize("smooth", [0.0, 0.7, 1.5])
def test_noise_gives_every_ambiguous_cell_as_dense_marching_cubes_does(smooth: float) -> None:
    noise = np.random.default_rng(3).normal(size=(26, 26, 26))
    values = (100 * gaussian_filter(noise, smooth) if smooth else noise).astype(np.float32)
    found = extract(Counted(values), 26, 0.25)
    same_as_dense(values, 0.25, found)
    assert found.figures.ambiguous > 5


def test_values_that_span_many_magnitudes_are_welded_by_edge_and_not_by_position() -> None:
    noise = gaussian_filter(np.random.default_rng(5).normal(size=(30, 30, 30)), 1.0)
    values = np.exp(25 * noise).astype(np.float32)
    found = extract(Counted(values), 30, 25.0)
    vertices, faces, _, _ = marching_cubes(values - np.float32(25), 0.0, gradient_direction="ascent")
    assert (len(found.vertices), len(found.faces)) == (len(vertices), len(faces))
    assert KDTree(found.vertices).query(vertices)[0].max() < 1e-4


@pytest.mark.parametrize("coarse", [11, 15, 19, 25, 37, 73])
def test_any_stride_gives_the_dense_surface_with_fewer_questions(coarse: int) -> None:
    resolution = 90
    field = Counted(lambda x, y, z: np.exp(ball(resolution, 27.3)(x, y, z) / 3))
    found = extract(field, resolution, 1.0, coarse)
    assert found.figures.stride == max(s for s in (1, 2, 3, 4, 6, 8) if s <= max(1, 89 // (coarse - 1)))
    same_as_dense(dense(field, resolution), 1.0, found)
    assert found.figures.coarse + found.figures.fine <= field.asked - resolution**3
    if coarse < 70:
        assert found.figures.share < 0.35


def test_a_sphere_is_closed_outward_and_of_its_volume() -> None:
    found = extract(Counted(ball(64, 20.5)), 64, 0.0, 32)
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert mesh.is_watertight and mesh.euler_number == 2
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 20.5**3, rel=0.005)
    assert np.linalg.norm(found.vertices - 31.5, axis=1) == pytest.approx(20.5, abs=0.02)


@pytest.mark.parametrize("center", [(45.0, 45.0, 89.0), (0.0, 45.0, 44.0), (89.0, 89.0, 89.0)])
def test_a_surface_cut_by_the_grid_ends_there_as_the_dense_one_does(center: tuple[float, float, float]) -> None:
    field = Counted(ball(90, 20.3, center))
    found = extract(field, 90, 0.0, 18)
    same_as_dense(dense(field, 90), 0.0, found)


@pytest.mark.parametrize("toward", [(1.0, 0.0, 0.0), (0.3, 0.9, 0.1), (0.6, -0.5, 0.62), (0.05, 0.02, 1.0)])
def test_a_strap_two_voxels_wide_survives_at_256(toward: tuple[float, float, float]) -> None:
    direction = np.array(toward) / np.linalg.norm(toward)
    start, end = (np.array([127.2, 127.7, 127.4]) + side * 100 * direction for side in (-1, 1))
    field = Counted(tube(256, start, end, 1.0))
    found = extract(field, 256, 0.0)
    same_as_dense(dense(field, 256), 0.0, found)
    ends = (found.vertices - start) @ direction
    assert ends.min() < -0.5 and ends.max() > 200.5
    assert len(trimesh.graph.connected_components(trimesh.Trimesh(found.vertices, found.faces).edges)) == 1


def test_a_thin_rod_that_the_coarse_level_only_touches_at_its_end_is_followed_through_the_grid() -> None:
    knob, rod = ball(97, 9.0, (12.0, 48.0, 48.0)), tube(97, np.array([12, 49.5, 49.5]), np.array([90, 49.5, 49.5]), 1.1)
    field = Counted(lambda x, y, z: np.maximum(knob(x, y, z), rod(x, y, z)))
    found = extract(field, 97, 0.0, 17)
    assert found.figures.stride == 6 and found.figures.flooded > 500
    same_as_dense(dense(field, 97), 0.0, found)


def test_a_bead_between_all_coarse_samples_shows_by_the_slope_towards_it() -> None:
    large, bead = ball(129, 20.0, (40.0, 64.0, 64.0)), ball(129, 2.1, (98.0, 66.0, 66.0))
    densities = Counted(lambda x, y, z: np.exp(np.maximum(large(x, y, z), bead(x, y, z)) / 2))
    assert densities.at(*np.meshgrid(*[np.arange(0, 129, 4)] * 3, indexing="ij"))[22:].max() < 1
    found = extract(densities, 129, 1.0, 33)
    assert found.figures.stride == 4
    same_as_dense(dense(densities, 129), 1.0, found)


def test_a_field_below_the_level_gives_no_vertices_and_its_range() -> None:
    found = extract(Counted(lambda x, y, z: 0.0 * (x + y + z) + 3), 40, 25.0, 20)
    assert found.vertices.shape == (0, 3) and found.faces.shape == (0, 3)
    assert (found.figures.low, found.figures.high, found.figures.cells) == (3.0, 3.0, 0)


def test_undefined_and_endless_values_count_as_outside_and_inside() -> None:
    values = np.full((24, 24, 24), np.nan, np.float32)
    values[8:16, 8:16, 8:16] = np.inf
    found = extract(Counted(values), 24, 25.0)
    assert np.isfinite(found.vertices).all()
    assert trimesh.Trimesh(found.vertices, found.faces, process=False).is_watertight


@pytest.mark.parametrize("resolution", [2, 3, 32, 33])
def test_small_grids_are_searched_whole(resolution: int) -> None:
    values = np.full((resolution,) * 3, -1, np.float32)
    values[:-1, :-1, :-1] = 1
    found = extract(Counted(values), resolution, 0.0)
    assert found.figures.coarse == resolution**3 and found.figures.fine == 0
    same_as_dense(values, 0.0, found)


def test_the_same_field_gives_the_same_bytes() -> None:
    first, second = (extract(Counted(ball(80, 25.7)), 80, 0.0, 20) for _ in range(2))
    assert first.vertices.tobytes() == second.vertices.tobytes() and first.faces.tobytes() == second.faces.tobytes()
    assert first.figures == second.figures


def test_progress_rises_to_its_total_and_its_error_ends_the_work() -> None:
    calls: list[tuple[int, int]] = []
    extract(Counted(ball(140, 50.0)), 140, 0.0, 70, lambda done, total: calls.append((done, total)))
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(calls)) and calls[-1][0] == calls[-1][1]
    assert all(done < total for done, total in calls[:-1])
    field = Counted(ball(140, 50.0))

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        extract(field, 140, 0.0, 140, stop)
    assert field.asked < 140**3 / 20
