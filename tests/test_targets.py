import numpy as np
import pytest
import trimesh

from garment3d.camera import photo_camera, project
from garment3d.garment.loops import boundary_loops
from garment3d.metrics import surface_distance
from garment3d.nearest import nearest_on_surface
from garment3d.soundness import mesh_checks
from tests import solids
from tests.truth import Truth, canonical_loops, canonical_mesh, make_garment, make_photo
from tests.truth.lumps import noise, signed_distance
from tests.truth.targets import closed, lumped, misplaced, target_of


@pytest.fixture(scope="module")
def entry():
    garment = make_garment("tee", 1, step_cm=1.2)
    return Truth(garment, make_photo(garment, 0))


@pytest.fixture(scope="module")
def true(entry):
    return canonical_mesh(entry.garment, entry.photo)


def test_a_closed_tube_is_a_cylinder():
    solid = closed(solids.tube(), bulge=0.0)
    assert mesh_checks(solid) == (1, 0, 0, 0, 0, 0, 0)
    assert solid.is_watertight and solid.is_winding_consistent
    assert solid.volume == pytest.approx(np.pi * 0.3**2 * 0.8, rel=2e-3)
    assert solid.area == pytest.approx(2 * np.pi * 0.3 * (0.8 + 0.3), rel=2e-3)


def test_caps_bulge_outwards():
    flat, domed = closed(solids.tube(), bulge=0.0), closed(solids.tube(), bulge=0.05)
    size = np.hypot(0.6, 0.6)
    assert np.ptp(domed.vertices[:, 1]) == pytest.approx(0.8 + 2 * 0.05 * size, rel=1e-2)
    assert domed.volume > flat.volume


def test_every_loop_has_a_cap_and_the_cloth_is_untouched(entry, true):
    solid = closed(true)
    assert solid.is_watertight and solid.is_winding_consistent and solid.volume > 0
    assert not boundary_loops(solid)
    assert nearest_on_surface(np.asarray(true.vertices), solid).distance.max() < 1e-12
    for loop in canonical_loops(entry.garment, entry.photo).values():
        middle = nearest_on_surface(loop.mean(0)[None], solid).distance[0]
        assert middle < 0.35 * np.linalg.norm(np.ptp(loop, axis=0))
        assert nearest_on_surface(loop.mean(0)[None], true).distance[0] > middle


def test_a_second_layer_lies_inside_and_is_wound_inwards():
    solid = closed(solids.tube(), inside=0.02)
    pieces = sorted(solid.split(only_watertight=False), key=lambda p: p.volume)
    assert len(pieces) == 2 and pieces[0].volume < 0 < pieces[1].volume
    away = nearest_on_surface(np.asarray(pieces[0].vertices), pieces[1]).distance
    assert np.median(away) == pytest.approx(0.02, rel=0.02)


def test_noise_keeps_to_its_band_and_rms():
    shape, step = (96, 80, 72), 0.01  # sizes a transform takes as they are, so nothing is cut off
    values = noise(shape, step, 3, shortest=0.05, longest=0.25)
    assert np.sqrt((values**2).mean()) == pytest.approx(1, rel=1e-6)
    power = np.abs(np.fft.fftn(values)) ** 2
    axes = [np.fft.fftfreq(n, step) for n in shape]
    frequency = np.sqrt(sum(f**2 for f in np.meshgrid(*axes, indexing="ij")))
    within = (frequency >= 1 / 0.25 - 1e-9) & (frequency <= 1 / 0.05 + 1e-9)
    assert power[within].sum() / power.sum() > 1 - 1e-9


def test_distances_are_a_spheres():
    field = signed_distance(solids.sphere(0.4, rows=32), 0.1, cells=48)
    exact = np.linalg.norm(field.points(), axis=-1) - 0.4
    off = np.abs(field.values - exact)
    assert off.max() < field.step and off.mean() < 0.1 * field.step
    assert off[np.abs(exact) < field.step].max() < 1e-3


def test_a_lumped_sphere_is_one_solid_off_by_the_noise():
    ball = solids.sphere(0.4, rows=24)
    lumpy = lumped(ball, 5, rms=0.01, cells=56)
    assert lumpy.is_watertight and lumpy.volume > 0 and mesh_checks(lumpy).components == 1
    off = np.linalg.norm(np.asarray(lumpy.vertices), axis=1) - 0.4
    height = 0.8
    assert off.std() == pytest.approx(0.01 * height, rel=0.3)
    assert 100 * surface_distance(lumpy, ball).symmetric / height == pytest.approx(0.8, rel=0.3)


def test_lumped_garments_are_clearly_off(entry, true):
    target = target_of(entry, "lumped", 1)
    home = target.mesh.copy().apply_transform(target.matrix)
    assert home.is_watertight and home.volume > 0
    height = np.ptp(true.vertices[:, 1])
    assert 0.8 < 100 * surface_distance(home, closed(true)).symmetric / height < 1.5


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_matrix_maps_back(true, seed, mirrored):
    moved = misplaced(true, seed, mirrored)
    back = trimesh.transform_points(moved.mesh.vertices, moved.matrix)
    assert np.abs(back - true.vertices).max() < 1e-6
    scale = np.abs(np.linalg.det(moved.matrix[:3, :3])) ** (1 / 3)
    assert 0.3 <= 1 / scale <= 3
    assert (np.linalg.det(moved.matrix[:3, :3]) < 0) == mirrored == moved.mirrored
    front = np.linalg.inv(moved.matrix)[:3, 2] * scale
    axis = np.abs(front).argmax()
    assert moved.front == ("+" if front[axis] > 0 else "-") + "XYZ"[axis]
    assert front[axis] if front[axis] > 0 else -front[axis] > np.cos(np.radians(10))


def test_mirrored_meshes_keep_their_outside():
    moved = misplaced(solids.sphere(), 3, mirrored=True)
    assert moved.mesh.volume > 0


def test_seeds_give_quarter_turns_and_the_same_target_each_time(entry):
    fronts = {misplaced(solids.sphere(rows=8), seed).front for seed in range(20)}
    assert fronts == {"+Z", "+X", "-X"}
    one, two = (target_of(entry, "exact", 2) for _ in range(2))
    assert np.array_equal(one.mesh.vertices, two.mesh.vertices) and np.array_equal(one.matrix, two.matrix)
    assert not np.array_equal(target_of(entry, "exact", 3).matrix, one.matrix)
    ball, again, other = (lumped(solids.sphere(rows=16), seed, cells=40) for seed in (1, 1, 2))
    assert np.array_equal(ball.vertices, again.vertices) and not np.array_equal(ball.vertices, other.vertices)


def test_exact_targets_have_interior_faces_on_some_seeds(entry, true):
    single, double = (target_of(entry, "exact", seed) for seed in (2, 3))
    assert mesh_checks(single.mesh).components == 1 and mesh_checks(double.mesh).components == 2
    for target in (single, double):
        home = target.mesh.copy().apply_transform(target.matrix)
        assert nearest_on_surface(np.asarray(true.vertices), home).distance.max() < 1e-6


def test_colours_are_the_cloths(entry):
    target = target_of(entry, "exact", 2, coloured=True)
    home = trimesh.transform_points(target.mesh.vertices, target.matrix)
    rgb = (target.mesh.visual.vertex_colors[:, :3] / 255) ** (1 / 2.2)
    photo, camera = entry.photo, photo_camera(entry.photo.soft)
    forward = np.linalg.inv(target.matrix)[:3, 2]
    front = nearest_on_surface(home, canonical_mesh(entry.garment, photo)).distance < 1e-6
    front &= np.asarray(target.mesh.vertex_normals) @ (forward / np.linalg.norm(forward)) > 0.5
    x, y = project(camera, home[front])[0].astype(int).T
    off = np.abs(rgb[front] - photo.rgb[y, x] / 255).mean()
    assert off < 0.2 and np.abs(rgb[front] - photo.rgb[y, x[::-1]] / 255).mean() > off
