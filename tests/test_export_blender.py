"""What goes into the Blender package, as far as it shows without Blender; tests/blender builds the scene."""

from __future__ import annotations

import ast
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from garment3d.camera import mask_box, orbit, orbit_camera, photo_camera, project
from garment3d.data import Opening, Orbit, Views
from garment3d.errors import MaskError, MeshError, ViewsError
from garment3d.export.blender import blender_files, lens, photo_picture
from garment3d.export.blender_groups import Ring, outer_layer, pin, rings, seams
from garment3d.export.mesh import Placement
from garment3d.export.parts import weld
from garment3d.garment.openings import openings
from garment3d.garment.solidify import solidify
from garment3d.views.rendered import rendered_orbit
from tests.drawn import disc
from tests.solids import cube, grid, sphere, textured, tube

AT = Placement(2.0, (0.1, 0.8, -0.3))


def welded(mesh):
    one = weld(np.asarray(mesh.vertices))
    return np.asarray(mesh.vertices)[one.first], one.of[mesh.faces]


def views_of(mesh, azimuths_deg=(0.0, 90.0, 180.0)) -> Views:
    return rendered_orbit(mesh, orbit(hw=(32, 32), azimuths_deg=azimuths_deg), shading="unlit")


def test_zero123s_camera_has_its_lens_and_stands_in_front():
    seen = lens(orbit_camera(0, 0, 1.5, 49.13434, (256, 256)), AT)
    assert seen.lens_mm == pytest.approx(35, abs=1e-4) and seen.ortho_scale_m is None and seen.shift_xy == (0, 0)
    assert np.allclose(seen.matrix_world[:3, 3], (0.1, 0.3 - 3.0, 0.8))  # towards -Y, the front
    assert np.allclose(-seen.matrix_world[:3, 2], (0, 1, 0)) and np.allclose(seen.matrix_world[:3, 1], (0, 0, 1))
    assert seen.distance_m == pytest.approx(3.0)


def test_from_the_wearers_left_and_above():
    seen = lens(orbit_camera(90, 30, 1.0, 50, (64, 64)), AT).matrix_world[:3, 3]
    assert np.allclose(seen - (0.1, 0.3, 0.8), (2 * np.cos(np.pi / 6), 0, 1.0))


@pytest.mark.parametrize("azimuth_deg", [0, 33.5, 250])
@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_a_lens_sees_points_as_the_camera_does(azimuth_deg, projection):
    """By Blender's manual: the sensor's width spans the picture, the shift moves it by parts of that width."""
    camera = orbit_camera(azimuth_deg, 20, 1.6, 40, (90, 120))
    camera = replace(camera, projection=projection, center_px=(50.0, 61.0), focal_px=camera.focal_px * 0.7)
    seen = lens(camera, AT)
    points = np.random.default_rng(1).uniform(-0.4, 0.4, (30, 3))
    x, y, z = (AT.points(points)).T
    own = (np.stack([x, -z, y], 1) - seen.matrix_world[:3, 3]) @ seen.matrix_world[:3, :3]
    if projection == "perspective":
        part = own[:, :2] / -own[:, 2:] * seen.lens_mm / 32
    else:
        part = own[:, :2] / seen.ortho_scale_m
    part = part - seen.shift_xy
    pixels = np.stack([(part[:, 0] + 0.5) * 120, 45 - part[:, 1] * 120], 1)
    assert np.abs(pixels - project(camera, points)[0]).max() < 1e-9


def test_a_tube_has_two_rings_and_one_seam():
    mesh = tube(radius=0.3, height=0.8, around=96, rows=24)
    points, faces = welded(mesh)
    top, low = sorted(rings(points, faces, openings(mesh)), key=lambda ring: -ring.anchor[1])
    assert len(top.vertices) == len(low.vertices) == 96
    assert np.allclose(points[top.vertices][:, 1], 0.4)
    assert np.allclose(top.outward, (0, 1, 0)) and np.allclose(low.outward, (0, -1, 0))
    assert top.circumference_m == pytest.approx(2 * 96 * 0.3 * np.sin(np.pi / 96))
    cut = seams(faces, np.asarray(mesh.faces))
    assert len(cut) == 24 and np.allclose(points[cut][..., [0, 2]], (0, -0.3))


def test_names_are_the_givens_and_what_is_left_is_a_hole():
    points, faces = welded(tube())
    found = rings(points, faces, [Opening("waist", (0, 0.39, 0)), Opening("pocket", (0, 0, 0.3))])
    assert [(ring.name, len(ring.vertices)) for ring in found] == [("waist", 96), ("pocket", 0), ("hole", 96)]
    assert np.allclose(found[1].anchor, (0, 0, 0.3)) and found[1].circumference_m == 0
    assert {ring.name for ring in rings(points, faces, [])} == {o.name for o in openings(tube())}


def test_cloth_with_a_thickness_keeps_its_rings():
    thin = tube()
    thick = solidify(thin, 0.01)
    one = weld(np.asarray(thick.vertices))
    outer = outer_layer(np.asarray(thick.faces), len(thick.vertices))
    assert outer.sum() == len(thin.faces)
    points = np.asarray(thick.vertices)[one.first]
    found = rings(points, one.of[thick.faces[outer]], openings(thin))
    assert sorted(len(ring.vertices) for ring in found) == [96, 96]
    assert np.allclose(np.linalg.norm(points[found[0].vertices][:, [0, 2]], axis=1), 0.3)
    assert outer_layer(np.asarray(cube().faces), len(cube().vertices)).all()
    told = marked(thick, openings(thin))
    assert sorted(len(group) for group in told["groups"].values()) == [96, 96]


def marked(mesh, named) -> dict:
    files = {file.name: file.data for file in blender_files(mesh, views_of(mesh), named, 80.0)}
    return json.loads(files["scene.json"])


def test_halves_that_are_mirror_images_are_no_two_layers():
    """As a symmetric garment's front and back are: each half has its own vertices, in the same order."""
    s, t, faces = grid(6, 20)
    front = np.stack([-0.3 * np.cos(np.pi * s), t - 0.5, 0.2 * np.sin(np.pi * s)], 1)
    points = np.concatenate([front, front * (1, 1, -1)])
    mesh = textured(
        points, np.concatenate([faces, faces[:, ::-1] + len(s)]), points[:, :2] + 0.5, Image.new("RGB", (4, 4))
    )
    told = marked(mesh, [Opening("waist", (0, 0.5, 0)), Opening("hem", (0, -0.5, 0))])
    assert {name: len(group) for name, group in told["groups"].items()} == {"waist": 40, "hem": 40}
    assert len(told["seams"]) == 12


def test_a_skirt_is_held_at_the_waist_only():
    points, faces = welded(tube(radius=0.2, height=1.0, rows=100))
    held = pin(points, rings(points, faces, [Opening("waist", (0, 0.5, 0)), Opening("hem", (0, -0.5, 0))]))
    weights = np.zeros(len(points))
    weights[held.vertices] = held.weights
    assert np.allclose(weights[points[:, 1] > 0.5 - 0.0205], 1) and (weights[points[:, 1] < 0.5 - 0.039] == 0).all()
    by_row = [weights[np.isclose(points[:, 1], 0.5 - row / 100)].mean() for row in range(6)]
    assert by_row == sorted(by_row, reverse=True)


def test_a_top_is_held_by_its_straps_and_not_under_the_arms():
    x, y = (values.ravel() for values in np.meshgrid(np.linspace(-0.3, 0.3, 61), np.linspace(0, 1, 101)))
    body, strap = y <= 0.7, (abs(x) > 0.145) & (abs(x) < 0.205)
    points = np.stack([x, y, np.zeros(len(x))], 1)[body | strap]
    neck = np.flatnonzero((abs(points[:, 0]) < 0.151) & (points[:, 1] > 0.695) & (abs(points[:, 0]) > 0.149))
    ring = Ring("neck", np.array([0, 1.0, 0]), np.array([0, 1.0, 0]), 1.0, neck)
    held = points[pin(points, [ring]).vertices]
    assert (held[:, 1] > 0.99).any() and (abs(held[held[:, 1] > 0.99][:, 0]) > 0.19).any()
    assert not (abs(held[:, 0]) > 0.25).any()


def test_a_closed_thing_is_held_at_its_upper_edge():
    points, faces = welded(sphere())
    held = pin(points, rings(points, faces, []))
    assert len(held.vertices) and points[held.vertices][:, 1].min() > 0.4 - 0.04 * 0.8 - 1e-9


def test_the_package_names_every_file_it_speaks_of():
    mesh = tube()
    files = blender_files(mesh, views_of(mesh, (0.0, 90.0, 90.0, 22.5)), openings(mesh), 60.0, "skirt", "rock")
    names = [file.name for file in files]
    assert len(set(names)) == len(names)
    told = json.loads(next(file.data for file in files if file.name == "scene.json").decode("ascii"))
    assert {told["mesh"], told["texture"], *(c["file"] for c in told["cameras"])} <= set(names)
    assert [c["name"] for c in told["cameras"]] == ["view_000", "view_090", "view_090-2", "view_022.5"]
    assert [c["frame"] for c in told["cameras"]] == [1, 2, 3, 4] and told["normal_map"] is None
    assert [plane["name"] for plane in told["planes"]] == ["reference_front", "reference_left"]
    script = next(file.data for file in files if file.name == "build_scene.py").decode("ascii")
    ast.parse(script, feature_version=(3, 10))  # Blender 3.4's Python


@pytest.mark.parametrize(
    ("azimuths_deg", "others"), [((0.0, 90.0), ["reference_left"]), ((180.0,), ["reference_back"])]
)
def test_the_photo_stands_behind_the_garment_instead_of_the_front_view(azimuths_deg, others):
    soft = disc(30, (60.0, 52.0), (100, 140))
    rgb, mesh = np.zeros((100, 140, 3), np.uint8), tube()
    files = blender_files(mesh, views_of(mesh, azimuths_deg), openings(mesh), 80.0, rgb=rgb, soft=soft)
    told = json.loads(next(file.data for file in files if file.name == "scene.json"))
    assert [plane["name"] for plane in told["planes"]] == ["reference_photo", *others]
    photo = told["planes"][0]
    matrix = np.array(photo["matrix_world"])
    assert np.allclose(matrix[:3, 2], (0, -1, 0)) and matrix[1, 3] > 0.3  # it faces the front from behind
    assert photo["size_m"] == pytest.approx(1 / 0.9, abs=0.02)  # the longest side is 1 canonical, a metre here


def test_vertex_numbers_are_the_objs():
    mesh = tube()
    files = {file.name: file.data for file in blender_files(mesh, views_of(mesh), openings(mesh), 80.0)}
    told = json.loads(files["scene.json"])
    rows = [line.split()[1:] for line in files["garment.obj"].decode().splitlines() if line.startswith("v ")]
    points = np.array(rows, float)
    heights = {name: set(np.round(points[group][:, 1], 6)) for name, group in told["groups"].items()}
    assert sorted(heights.values(), key=min) == [{0.0}, {0.8}]
    assert np.ptp(points[np.array(told["seams"])][..., [0, 2]], axis=(0, 1)).max() < 1e-6
    assert set(points[told["pin"]["vertices"]][:, 1]) <= set(points[points[:, 1] > 0.8 - 0.04 * 0.8 - 1e-6][:, 1])


def test_the_photos_picture_keeps_every_pixel_where_its_camera_sees_it():
    soft = disc(30, (60.0, 52.0), (100, 140))
    rgb = np.random.default_rng(2).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    camera, pixels = photo_picture(rgb, soft, 1.0)
    assert pixels.shape == (*camera.hw, 4) and camera.hw[0] == camera.hw[1]
    x0, y0, x1, y1 = mask_box(pixels[..., 3] / 255)
    assert max(x1 - x0, y1 - y0) / camera.hw[0] == pytest.approx(0.9, abs=0.02)
    points = np.array([[0.1, 0.2, 0.0], [-0.3, -0.4, 0.2]])
    before, after = project(photo_camera(soft), points)[0], project(camera, points)[0]
    for old, new in zip(before.astype(int), after.astype(int), strict=True):
        assert (pixels[new[1], new[0], :3] == rgb[old[1], old[0]]).all()
    assert np.allclose(after - before, (after - before)[0])


def test_a_mask_of_another_size_than_the_photo_is_told():
    mesh, soft = cube(), np.pad(np.ones((20, 10), np.float32), 5)
    with pytest.raises(MaskError, match="20 × 30 px but the photo 20 × 31"):
        blender_files(mesh, views_of(mesh), (), 70, rgb=np.zeros((31, 20, 3), np.uint8), soft=soft)


def test_a_garment_at_the_photos_edge_and_a_wide_picture():
    soft = np.zeros((50, 40), np.float32)
    soft[:, 10:40] = 1
    camera, pixels = photo_picture(np.full((50, 40, 3), 9, np.uint8), soft, 2.0)
    assert camera.hw[1] == pytest.approx(2 * camera.hw[0], abs=1)
    assert (pixels[..., 3] > 0).sum() == 50 * 30


def test_what_is_no_package():
    mesh = tube()
    none = views_of(mesh)
    none = Views(none.images[:0], none.masks[:0], Orbit((), (), 0.0, 1.4))
    with pytest.raises(ViewsError, match="no views"):
        blender_files(mesh, none, (), 70.0)
    with pytest.raises(MeshError, match="0 cm"):
        blender_files(mesh, views_of(mesh), (), 0.0)
