"""Distances with a known answer, the nearest-point search against brute force, and defects made on purpose."""

import math

import numpy as np
import pytest
import torch
import trimesh

from garment3d.errors import MaskError, MeshError
from garment3d.metrics import (
    chamfer,
    f_score,
    loop_distance,
    mask_iou,
    mesh_checks,
    nearest_on_surface,
    normal_consistency,
    psnr,
    surface_distance,
)
from garment3d.nearest import closest_points
from tests.solids import cube, plane, sphere, tube


def sheet(z=0.0, divisions=4):
    mesh = plane(np.zeros((4, 4, 3), np.uint8), divisions=divisions)
    return trimesh.Trimesh(mesh.vertices + np.array([0, 0, z]), mesh.faces, process=False)


def without(mesh, gone):
    return trimesh.Trimesh(mesh.vertices, np.delete(mesh.faces, gone, 0), process=False)


def faces_of(mesh, change):
    faces = np.array(mesh.faces)
    change(faces)
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


# Nearest points


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((0.2, 0.2, 5), (0.2, 0.2, 0)),
        ((-1, -1, 1), (0, 0, 0)),
        ((2, 0, 0), (1, 0, 0)),
        ((0.5, -3, 2), (0.5, 0, 0)),
        ((1, 1, 0), (0.5, 0.5, 0)),
        ((-2, 0.3, 0), (0, 0.3, 0)),
    ],
)
def test_the_closest_point_of_a_triangle_over_face_edges_and_corners(point, expected):
    triangle = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float)
    np.testing.assert_allclose(closest_points(np.array([point], float), triangle), [expected], atol=1e-12)


def test_a_triangle_of_no_area_is_its_longest_segment():
    triangle = np.array([[[0, 0, 0], [1, 0, 0], [0.5, 0, 0]]], float)
    np.testing.assert_allclose(closest_points(np.array([[0.7, 2, 0]]), triangle), [[0.7, 0, 0]], atol=1e-12)


def awkward_mesh():
    """Triangles over five octaves of size, slivers among them."""
    random = np.random.default_rng(3)
    corner, side = random.uniform(-1, 1, (300, 1, 3)), 2.0 ** random.uniform(-5, 0, (300, 1, 1))
    triangles = corner + side * random.normal(size=(300, 3, 3))
    triangles[:40, 2] = triangles[:40, 1] + 1e-4
    return trimesh.Trimesh(triangles.reshape(-1, 3), np.arange(900).reshape(-1, 3), process=False)


@pytest.mark.parametrize("mesh", [awkward_mesh(), sphere(0.5, 12), cube()], ids=["awkward", "sphere", "cube"])
def test_the_search_agrees_with_brute_force(mesh):
    points = np.random.default_rng(1).normal(size=(250, 3))
    each = [np.linalg.norm(closest_points(points, np.repeat(t[None], 250, 0)) - points, axis=1) for t in mesh.triangles]
    found = nearest_on_surface(points, mesh)
    np.testing.assert_allclose(found.distance, np.min(each, axis=0), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.point - points, axis=1), found.distance, atol=1e-12)
    on_face = closest_points(points, mesh.triangles[found.face])
    np.testing.assert_allclose(on_face, found.point, atol=1e-12)


# Surfaces


def test_parallel_sheets_are_their_gap_apart_everywhere():
    result = surface_distance(sheet(), sheet(0.25, divisions=7), samples=2000)
    np.testing.assert_allclose(result, 0.25, atol=1e-9)


def test_a_surface_is_at_distance_zero_from_itself_and_from_its_finer_self():
    box = cube()
    assert surface_distance(box, box.subdivide(), samples=2000).farthest < 1e-12


def test_concentric_spheres_are_their_radii_apart():
    result = surface_distance(sphere(0.5), sphere(0.4), samples=4000)
    assert result.symmetric == pytest.approx(0.1, abs=2e-3)


def test_what_one_surface_lacks_shows_in_one_direction_only():
    # Half a unit sheet against the whole: at a distance t of the missing half, mean 1/2 · 1/4.
    half = without(sheet(), sheet().triangles_center[:, 0] < 0)
    result = surface_distance(half, sheet(), samples=8000)
    assert result.a_to_b < 1e-12
    assert result.b_to_a == pytest.approx(0.125, rel=0.02)
    assert result.symmetric == pytest.approx(result.b_to_a / 2)
    assert result.farthest == pytest.approx(0.5, abs=0.01)


def test_samples_are_even_over_area_and_not_over_faces():
    # All small triangles lie in one corner; the far sheet's mean distance must not notice.
    corner = trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2]], process=False)
    for _ in range(4):
        corner = corner.subdivide()
    big = trimesh.Trimesh([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], [[0, 1, 2], [0, 2, 3]], process=False)
    both = trimesh.util.concatenate([big, corner])
    ground = trimesh.Trimesh([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    assert surface_distance(both, ground, samples=20_000).a_to_b == pytest.approx(1 / 1.005, abs=1e-3)


def test_the_seed_decides_the_samples():
    first, again, other = (surface_distance(sphere(), cube(), 500, seed) for seed in (0, 0, 1))
    assert first == again and first != other


def test_chamfer_adds_the_sampling_floor_to_the_gap():
    gap = chamfer(sheet(), sheet(0.3), samples=4000)
    assert 0.3 <= gap < 0.302
    assert 0 < chamfer(sheet(), sheet(), samples=4000) < 0.02


def test_f_score_is_a_share_of_both_surfaces():
    half = without(sheet(), sheet().triangles_center[:, 0] < 0)
    # Precision 1; recall 1/2 + 0.1: F = 2·0.6/1.6.
    assert f_score(half, sheet(), 0.1, samples=8000) == pytest.approx(0.75, abs=0.01)
    assert f_score(sheet(), sheet(1), 0.5) == 0.0
    assert f_score(sheet(), sheet(1), 1.5) == 1.0


def test_normals_agree_on_parallel_sheets_and_not_across():
    turned = sheet()
    turned.apply_transform(trimesh.transformations.rotation_matrix(math.pi / 3, (1, 0, 0)))
    assert normal_consistency(sheet(), sheet(0.2), 500) == pytest.approx(1)
    assert normal_consistency(sheet(), turned, 500) == pytest.approx(0.5)


@pytest.mark.parametrize("measure", [surface_distance, chamfer, normal_consistency, lambda a, b: mesh_checks(a)])
def test_nothing_to_measure_is_a_mesh_error(measure):
    with pytest.raises(MeshError, match="0 faces"):
        measure(trimesh.Trimesh(), sheet())


# Loops


def ring(radius, count=200, z=0.0):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, z)], 1)


def test_concentric_rings_are_their_radii_apart():
    assert loop_distance(ring(1), ring(0.8)) == pytest.approx(0.2, abs=1e-3)
    assert loop_distance(ring(1), ring(1, z=0.3)) == pytest.approx(0.3, abs=1e-6)


def test_a_loop_is_closed_and_its_points_may_begin_and_crowd_anywhere():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    crowded = np.concatenate([np.linspace([0.5, 0, 0], [1, 0, 0], 40), square[2:], square[:1]])
    assert loop_distance(square, crowded) < 1e-12
    assert loop_distance(square, square[::-1]) < 1e-12


# Masks and pictures


def test_iou_of_binary_and_soft_masks():
    left, right = np.zeros((4, 6)), np.zeros((4, 6))
    left[:, :4], right[:, 2:] = 1, 1
    assert mask_iou(left, right) == pytest.approx(2 / 6)
    assert mask_iou(left.astype(bool), torch.tensor(left)) == 1
    assert mask_iou(left * 0.5, left) == pytest.approx(0.5)
    assert mask_iou((left * 255).astype(np.uint8), left) == 1
    assert mask_iou(left * 0, left * 0) == 1
    assert mask_iou(left, left * 0) == 0


def test_psnr_of_a_known_error_is_the_same_for_bytes_and_floats():
    picture = np.full((8, 8, 3), 100, np.uint8)
    off = picture + np.uint8(10)
    expected = 20 * math.log10(255 / 10)
    assert psnr(picture, off) == pytest.approx(expected)
    assert psnr(torch.tensor(picture / 255), off) == pytest.approx(expected)
    assert psnr(picture, picture) == math.inf


def test_psnr_looks_inside_the_mask_only():
    picture = np.zeros((8, 8, 3))
    off = picture.copy()
    off[:4] = 0.1
    off[6:] = 1
    mask = np.zeros((8, 8))
    mask[:4] = 1
    assert psnr(picture, off, mask) == pytest.approx(20)
    mask[:4], mask[4:6] = 0, 1
    assert psnr(picture, off, mask) == math.inf


def test_sizes_that_differ_are_named():
    with pytest.raises(MaskError, match=r"\(2, 3\) and \(3, 2\)"):
        mask_iou(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"\(2, 3, 3\) and \(3, 2, 3\)"):
        psnr(np.ones((2, 3, 3)), np.ones((3, 2, 3)))
    with pytest.raises(MaskError, match="leaves nothing"):
        psnr(np.ones((2, 3, 3)), np.ones((2, 3, 3)), np.zeros((2, 3)))


# Soundness


def test_closed_and_open_solids_are_sound_though_uv_and_corners_are_split():
    assert mesh_checks(sphere()) == (1, 0, 0, 0, 0, 0, 0)
    assert mesh_checks(cube()) == (1, 0, 0, 0, 0, 0, 0)
    assert mesh_checks(tube()) == (1, 2, 0, 0, 0, 0, 0)
    assert mesh_checks(sheet()) == (1, 1, 0, 0, 0, 0, 0)


def test_components_and_loops_add_up():
    two = trimesh.util.concatenate([tube(), sheet(2)])
    checks = mesh_checks(two)
    assert (checks.components, checks.boundary_loops) == (2, 3)


def test_a_wing_on_an_edge_is_non_manifold():
    vertices = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]]
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [1, 0, 3], [0, 1, 4]], process=False)
    assert mesh_checks(mesh).non_manifold_edges == 1


def test_sheets_that_touch_in_a_point_have_two_loops_and_a_bad_vertex():
    vertices = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]]
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 3, 4]], process=False)
    checks = mesh_checks(mesh)
    assert (checks.components, checks.boundary_loops, checks.non_manifold_vertices) == (1, 2, 1)
    assert checks.non_manifold_edges == 0


def test_a_face_without_area_is_counted_and_opens_nothing():
    mesh = sheet()
    extra = trimesh.Trimesh(mesh.vertices, np.concatenate([mesh.faces, [[0, 0, 1]]]), process=False)
    assert mesh_checks(extra) == (1, 1, 0, 0, 1, 0, 0)


@pytest.mark.parametrize("count", [1, 5])
def test_inverted_faces_are_the_minority_of_their_component(count):
    def turn(faces):
        faces[10 : 10 + count] = faces[10 : 10 + count, ::-1]

    checks = mesh_checks(faces_of(sphere(), turn))
    assert checks.inverted_faces == count and checks.inside_out == 0 and checks.boundary_loops == 0


def test_a_garment_wound_inside_out_is_noticed_open_or_closed():
    for mesh in (sphere(), tube(), without(sphere(), [3, 4, 5])):
        assert mesh_checks(mesh).inside_out == 0
        turned = trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)
        assert mesh_checks(turned).inside_out == 1 and mesh_checks(turned).inverted_faces == 0


def test_checks_do_not_depend_on_where_and_how_large_the_mesh_is():
    for factor in (1e-3, 1.0, 1e3):
        mesh = tube()
        moved = trimesh.Trimesh(mesh.vertices * factor + factor * 3, mesh.faces, process=False)
        assert mesh_checks(moved) == (1, 2, 0, 0, 0, 0, 0)
