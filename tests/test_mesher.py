"""Triangles inside polygons: areas, borders, angles, and the rules for sheets that share vertices."""

from __future__ import annotations

import numpy as np
import pytest

from garment3d.garment.flatten import signed_areas
from garment3d.garment.mesher import (
    crossings,
    fill,
    inside,
    missing_edges,
    rim,
    rim_rings,
    ring_edges,
    split_inner_edges,
    triangulate,
)
from tests.drawn import GARMENTS, circle, outline_of, shoelace, spaced
from tests.solids import sphere


def upright(name: str) -> np.ndarray:
    """A drawn garment with y up, counter-clockwise, one unit high."""
    return outline_of(GARMENTS[name], 1.0, (0, 0)) * [1, -1]


SPACING = 0.04
HOLE = circle(0.08, 16, (0, -0.55))[::-1]
SHAPES = {
    "disc": [circle(0.5, 79)],
    "ring": [circle(0.5, 79), circle(0.2, 31)[::-1]],
    "two_holes": [circle(0.5, 79), circle(0.1, 16, (0.25, 0))[::-1], circle(0.12, 19, (-0.2, 0.1))[::-1]],
    "arrow": [spaced(np.array([[0, -0.5], [0.12, 0.5], [0, 0.4], [-0.12, 0.5]]), SPACING)],
    **{name: [spaced(upright(name), SPACING)] for name in GARMENTS},
    "tee_with_hole": [spaced(upright("tee"), SPACING), HOLE],
}


def meshed(rings: list[np.ndarray], spacing: float = SPACING) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([*rings, fill(rings, spacing)])
    return points, triangulate(points, rings)


def angles_deg(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corner = points[faces]
    ahead, behind = np.roll(corner, -1, 1) - corner, np.roll(corner, 1, 1) - corner
    cosine = (ahead * behind).sum(-1) / np.linalg.norm(ahead, axis=-1) / np.linalg.norm(behind, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("name", SHAPES)
def test_triangles_cover_the_polygon_once_and_have_its_edges(name: str) -> None:
    rings = SHAPES[name]
    points, faces = meshed(rings)
    areas = signed_areas(points, faces)
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(sum(shoelace(ring) for ring in rings), rel=1e-9)
    sizes = [len(ring) for ring in rings]
    assert not len(missing_edges(faces, ring_edges(sizes)))
    assert len(rim(faces)) == sum(sizes)
    assert sorted(map(len, rim_rings(faces))) == sorted(sizes)


def test_triangles_in_a_disc_are_nearly_regular() -> None:
    points, faces = meshed([circle(0.5, 79)])
    angles = angles_deg(points, faces)
    assert angles.min() > 25
    assert np.median(angles.min(1)) > 45
    sides = np.linalg.norm(points[faces] - points[np.roll(faces, 1, 1)], axis=-1)
    assert np.median(sides) == pytest.approx(SPACING, rel=0.1)
    assert np.quantile(sides, 0.99) < 1.6 * SPACING


def test_the_count_of_triangles_follows_from_the_spacing() -> None:
    for spacing in (0.02, 0.05):
        ring = circle(0.5, round(np.pi / spacing))
        _, faces = meshed([ring], spacing)
        assert len(faces) == pytest.approx(shoelace(ring) / (np.sqrt(3) / 4 * spacing**2), rel=0.1)


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
def test_a_strap_of_few_spacings_is_covered_whole(width: float) -> None:
    strap = spaced(np.array([[0, 0], [width, 0], [width, 30], [0, 30.0]]), 1.0)
    points, faces = meshed([strap], 1.0)
    assert signed_areas(points, faces).sum() == pytest.approx(30 * width)
    assert not len(missing_edges(faces, ring_edges([len(strap)])))


@pytest.mark.parametrize("name", ["two_holes", "arrow", "trousers", "longsleeve_hanging"])
def test_filling_points_keep_off_the_rim_and_off_each_other(name: str) -> None:
    rings = SHAPES[name]
    inner = fill(rings, SPACING)
    assert inside(inner, rings).all()
    border = np.concatenate([spaced(ring, SPACING / 20) for ring in rings])
    assert np.linalg.norm(inner[:, None] - border[None], axis=-1).min() > 0.5 * SPACING
    apart = np.linalg.norm(inner[:, None] - inner[None], axis=-1)
    assert apart[~np.eye(len(inner), dtype=bool)].min() > 0.5 * SPACING


def test_nothing_fits_into_a_polygon_smaller_than_the_spacing() -> None:
    triangle = np.array([[0, 0], [0.01, 0], [0, 0.01]])
    assert fill([triangle], 1.0).shape == (0, 2)


def test_inside_agrees_with_the_circle_and_leaves_out_holes() -> None:
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (4000, 2))
    radius = np.linalg.norm(points, axis=1)
    clear = (np.abs(radius - 0.5) > 1e-3) & (np.abs(radius - 0.2) > 1e-3)
    found = inside(points, [circle(0.5, 400), circle(0.2, 400)])
    np.testing.assert_array_equal(found[clear], ((radius < 0.5) & (radius > 0.2))[clear])
    assert not inside(points, []).any()


def test_inside_does_not_depend_on_the_ring_s_direction_or_start() -> None:
    points = np.random.default_rng(1).uniform(-0.7, 1.1, (2000, 2)) * [1, -1]
    ring = upright("trousers")
    found = inside(points, [ring])
    assert found.any()
    np.testing.assert_array_equal(inside(points, [ring[::-1]]), found)
    np.testing.assert_array_equal(inside(points, [np.roll(ring, 3, 0)]), found)


def test_edges_that_a_triangulation_cuts_short_are_reported() -> None:
    square = np.array([[0, 1, 2], [0, 2, 3]])
    wanted = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 3]])
    # The diagonal 02 is an edge but no boundary; 13 is none at all.
    assert missing_edges(square, wanted).tolist() == [4, 5]
    assert ring_edges([3, 4]).tolist() == [[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [5, 6], [6, 3]]


def test_the_rim_runs_with_its_faces_on_the_left() -> None:
    points, faces = meshed(SHAPES["ring"])
    outer, inner = (points[ring] for ring in sorted(rim_rings(faces), key=len, reverse=True))
    assert shoelace(outer) > 0 > shoelace(inner)
    assert rim_rings(np.asarray(sphere().faces)) == []


def test_areas_are_signed_by_direction() -> None:
    places = np.array([[0, 0], [3, 0], [0, 2.0]])
    np.testing.assert_allclose(signed_areas(places, np.array([[0, 1, 2], [0, 2, 1], [0, 0, 1]])), [3, -3, 0])


def test_segments_cross_only_where_their_insides_meet() -> None:
    cross = np.array([[[0, 0], [2, 2]], [[0, 2], [2, 0]], [[5, 5], [6, 6]], [[6, 6], [7, 5]], [[0, 3], [2, 3]]], float)
    assert crossings(cross).tolist() == [True, True, False, False, False]


def uses_of(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0, return_counts=True)


@pytest.mark.parametrize("seed", range(6))
def test_no_inner_edge_is_left_between_shared_vertices(seed: int) -> None:
    points, faces = meshed(SHAPES["tee"], 0.08)
    shared = np.random.default_rng(seed).random(len(points)) < (0.2 + 0.15 * seed)
    split, middles = split_inner_edges(faces, shared, len(points))
    edges, uses = uses_of(split)
    both = shared[np.minimum(edges, len(points) - 1)] & (edges < len(points))
    assert not (both.all(1) & (uses == 2)).any()
    assert uses.max() == 2
    border = {tuple(e) for e in np.sort(rim(faces), 1).tolist()}
    assert {tuple(e) for e in edges[uses == 1].tolist()} == border
    placed = np.concatenate([points, points[middles].mean(1)])
    areas = signed_areas(placed, split)
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(signed_areas(points, faces).sum(), rel=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_face_with_one_two_or_three_inner_edges_is_cut_into_whole_triangles(count: int) -> None:
    # A triangle with a neighbour on each of its sides: only the vertices of the middle one are shared.
    points = np.array([[0, 0], [2, 0], [1, 2], [1, -2], [3, 2], [-1, 2.0]])
    faces = np.array([[0, 1, 2], [0, 3, 1], [1, 4, 2], [2, 5, 0]][: count + 1])
    shared = np.array([True, True, True, False, False, False])
    split, middles = split_inner_edges(faces, shared, 6)
    assert len(middles) == count and len(split) == len(faces) + 2 * count
    areas = signed_areas(np.concatenate([points, points[middles].mean(1)]), split)
    assert areas.min() > 0 and areas.sum() == pytest.approx(signed_areas(points, faces).sum())


def test_nothing_is_split_where_no_inner_edge_is_shared() -> None:
    points, faces = meshed(SHAPES["disc"])
    split, middles = split_inner_edges(faces, np.zeros(len(points), bool), len(points))
    np.testing.assert_array_equal(split, faces)
    assert middles.shape == (0, 2)
