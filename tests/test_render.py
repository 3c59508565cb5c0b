"""What a picture of a known solid must show: silhouettes, sides, texels and depths in closed form, then properties."""

import math
import warnings

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from garment3d.camera import orbit_camera, photo_camera, project, unproject
from garment3d.data import Camera
from garment3d.errors import MeshError
from garment3d.metrics import psnr
from garment3d.raster import finer
from garment3d.render import draw, rasterize, render, upload, visible
from tests.solids import CUBE_COLORS, cube, grid, plane, sphere, textured, tube

DISTANCE, FOV = 1.4, 49.13


def orbit_at(azimuth=0.0, elevation=0.0, size=256):
    return orbit_camera(azimuth, elevation, DISTANCE, FOV, (size, size))


def straight(scale=100.0, hw=(128, 128)):
    """Orthographic from +Z, `scale` pixels per unit, the origin in the middle."""
    c2w = np.eye(4)
    c2w[2, 3] = 2
    return Camera("orthographic", scale, (hw[1] / 2, hw[0] / 2), c2w, hw)


def bytes_of(rgb):
    return (rgb * 255).round().to(torch.uint8).numpy()


def noise(hw, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), dtype=np.uint8)


# Silhouettes


def test_a_sphere_covers_the_disc_of_its_tangent_cone():
    camera = orbit_at(size=512)
    alpha = render(sphere(0.4, 64), camera).alpha
    disc = math.pi * (camera.focal_px * 0.4) ** 2 / (DISTANCE**2 - 0.4**2)
    assert alpha.sum().item() == pytest.approx(disc, rel=1e-3)


def test_a_tube_from_the_side_covers_its_rectangle_and_its_front_hides_its_back():
    picture = render(tube(0.3, 0.8), straight())
    assert picture.alpha.sum().item() == pytest.approx(0.6 * 0.8 * 100**2, rel=2e-3)
    assert (picture.facing[picture.alpha == 1] == 1).all()
    middle = picture.depth[64, 64].item()
    assert middle == pytest.approx(2 - 0.3, abs=1e-3)


def test_a_tube_from_above_shows_its_inside_around_a_hole():
    picture = render(tube(0.3, 0.8), orbit_camera(0, 90, 2, 40, (200, 200)))
    assert picture.alpha[100, 100] == 0 and torch.isinf(picture.depth[100, 100])
    assert set(picture.facing[picture.alpha > 0.99].tolist()) == {-1}


def test_coverage_of_a_slanted_edge_is_antialiased():
    image = np.zeros((64, 64, 3), np.uint8)
    sheet = plane(image)
    sheet.apply_transform(trimesh.transformations.rotation_matrix(0.3, (0, 0, 1)))
    exact = 80.0**2
    errors = [abs(render(sheet, straight(80), supersample=s).alpha.sum().item() - exact) / exact for s in (1, 4)]
    levels = render(sheet, straight(80), supersample=4).alpha.unique()
    assert errors[1] < 1e-3 and len(levels) > 8


# Which side is seen


@pytest.mark.parametrize(
    ("azimuth", "elevation", "side"),
    [(0, 0, "+Z"), (90, 0, "+X"), (180, 0, "-Z"), (270, 0, "-X"), (-90, 0, "-X"), (0, 90, "+Y"), (0, -90, "-Y")],
)
def test_the_orbit_sees_the_cubes_side_it_stands_before(azimuth, elevation, side):
    picture = render(cube(), orbit_at(azimuth, elevation, 128))
    np.testing.assert_array_equal(bytes_of(picture.rgb)[64, 64], CUBE_COLORS[side])
    assert picture.facing[64, 64] == 1


def test_from_the_right_and_above_three_sides_meet():
    rgb = bytes_of(render(cube(), orbit_at(45, 35, 128)).rgb)
    assert tuple(rgb[80, 40]) == CUBE_COLORS["+Z"]
    assert tuple(rgb[80, 88]) == CUBE_COLORS["+X"]
    assert tuple(rgb[38, 64]) == CUBE_COLORS["+Y"]


def test_the_inside_of_an_open_cube_is_seen_and_flagged():
    box = cube()
    opened = trimesh.Trimesh(
        box.vertices, box.faces[box.face_normals[:, 2] < 0.5], vertex_colors=box.visual.vertex_colors, process=False
    )
    picture = render(opened, orbit_at(0, 0, 128))
    assert picture.facing[64, 64] == -1
    np.testing.assert_array_equal(bytes_of(picture.rgb)[64, 64], CUBE_COLORS["-Z"])
    assert picture.depth[64, 64].item() == pytest.approx(DISTANCE + 0.3, abs=1e-4)


# Texture and colour


@pytest.mark.parametrize("divisions", [1, 7])
@pytest.mark.parametrize("supersample", [1, 2, 3])
def test_a_sheet_with_the_photo_reproduces_the_photo_bit_for_bit(divisions, supersample):
    photo = noise((60, 80))
    camera = photo_camera(np.ones((60, 80)))
    picture = render(plane(photo, divisions=divisions), camera, supersample=supersample)
    np.testing.assert_array_equal(bytes_of(picture.rgb), photo)
    assert (picture.alpha == 1).all()


def test_a_crop_of_a_large_photo_is_bit_for_bit_too():
    photo = noise((900, 600))
    camera = photo_camera(np.ones((900, 600)))
    picture = render(plane(photo, divisions=11), camera, supersample=1)
    np.testing.assert_array_equal(bytes_of(picture.rgb), photo)


def test_the_uv_origin_is_bottom_left_in_perspective():
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[:4, :4], photo[:4, 4:], photo[4:, :4], photo[4:, 4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
    rgb = bytes_of(render(plane(photo, 0.8), orbit_at(size=128)).rgb)
    seen = [tuple(rgb[y, x]) for y, x in ((40, 40), (40, 88), (88, 40), (88, 88))]
    assert seen == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]


def test_perspective_draws_straight_lines_on_a_slanted_sheet_where_they_project():
    # Half a level is what the pyramid's rounding to bytes may cost.
    gradient = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2).repeat(256, 0)
    camera = orbit_at(60, 0, 256)
    picture = render(plane(gradient, 0.9), camera, supersample=1)
    for texel in (30.5, 127.5, 220.5):
        point = np.array([texel / 256 * 0.9 - 0.45, 0, 0])
        (x, y), _ = project(camera, point)
        row = picture.rgb[int(y), :, 0] * 255
        left = int(x - 0.5)
        value = row[left] + (row[left + 1] - row[left]) * (x - 0.5 - left)
        assert value.item() == pytest.approx(texel - 0.5, abs=0.55)


@pytest.mark.parametrize("supersample", [1, 2, 4])
def test_a_fine_checker_seen_small_is_its_mean_and_not_sparkle(supersample):
    checker = ((np.indices((1024, 1024)).sum(0) // 4 % 2) * 255).astype(np.uint8)[..., None].repeat(3, 2)
    picture = render(plane(checker, 0.9), orbit_at(10, 10, 96), supersample=supersample)
    inner = picture.rgb[30:66, 30:66]
    assert abs(inner.mean().item() - 0.5) < 0.01 and inner.std().item() < 0.01


@pytest.mark.parametrize("supersample", [1, 2, 4])
def test_a_striped_tube_seen_small_is_the_large_picture_made_small(supersample):
    stripes = np.full((1024, 1024, 3), 240, np.uint8)
    stripes[np.arange(1024) % 32 < 12] = (20, 40, 110)
    mesh = textured(*(lambda t: (t.vertices, t.faces, t.visual.uv))(tube()), Image.fromarray(stripes))
    large = render(mesh, orbit_at(30, 20, 1024), supersample=2).rgb
    truth = torch.nn.functional.avg_pool2d(large.permute(2, 0, 1), 8).permute(1, 2, 0)
    small = render(mesh, orbit_at(30, 20, 128), supersample=supersample).rgb
    assert psnr(small, truth) > (27 if supersample == 1 else 28)


def test_texture_repeats_outside_the_unit_square():
    photo = noise((16, 16))
    sheet = plane(photo)
    moved = textured(sheet.vertices, sheet.faces, np.add(sheet.visual.uv, [3, -2]), Image.fromarray(photo))
    camera = photo_camera(np.ones((16, 16)))
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_array_equal(bytes_of(render(moved, camera).rgb)[inner], photo[inner])


def test_the_materials_base_colour_tints_in_linear_light():
    sheet = plane(np.full((4, 4, 3), 255, np.uint8))
    sheet.visual.material.baseColorFactor = [128, 255, 0, 255]
    rgb = bytes_of(render(sheet, straight()).rgb)[64, 64]
    half = 1.055 * (128 / 255) ** (1 / 2.4) - 0.055
    assert tuple(rgb) == (round(half * 255), 255, 0)


def test_vertex_colours_are_linear_light():
    sheet = plane(noise((4, 4)))
    sheet.visual = trimesh.visual.ColorVisuals(sheet, vertex_colors=np.full((4, 4), 55, np.uint8))
    half = 1.055 * (55 / 255) ** (1 / 2.4) - 0.055
    assert render(sheet, straight()).rgb[64, 64, 0].item() == pytest.approx(half, abs=1e-5)


def test_face_colours_stay_on_their_faces():
    sheet = plane(noise((4, 4)))
    sheet.visual = trimesh.visual.ColorVisuals(sheet, face_colors=[[255, 0, 0, 255], [0, 0, 255, 255]])
    rgb = bytes_of(render(sheet, straight()).rgb)
    assert tuple(rgb[80, 80]) == (255, 0, 0) and tuple(rgb[48, 48]) == (0, 0, 255)


def test_a_mesh_without_colours_is_grey_and_the_background_is_as_asked():
    picture = render(sphere(), orbit_at(size=64), background=(0.2, 0.4, 0.6))
    red, green, blue = picture.rgb[32, 32].tolist()
    assert red == green == blue == pytest.approx(0.75, abs=1e-5)
    np.testing.assert_allclose(picture.rgb[0, 0], (0.2, 0.4, 0.6), atol=1e-6)


def test_edges_blend_with_the_background_by_their_coverage():
    picture = render(sphere(), orbit_at(size=64), background=(1, 0, 0))
    expected = picture.alpha[..., None] * 0.75 + (1 - picture.alpha[..., None]) * torch.tensor([1.0, 0, 0])
    torch.testing.assert_close(picture.rgb, expected, atol=1e-5, rtol=0)


def test_soft_shading_never_brightens_and_darkens_the_inside():
    white = tube()
    soft, unlit = (render(white, orbit_at(20, 40, 128), shading=kind) for kind in ("soft", "unlit"))
    assert (soft.rgb <= unlit.rgb + 1e-6).all()
    outside, inside = (soft.rgb[(soft.facing == side) & (soft.alpha == 1)].mean() for side in (1, -1))
    assert inside < 0.9 * outside


def test_soft_shading_has_no_seam_where_uv_splits_vertices():
    rgb = render(tube(), orbit_at(180, 0, 256), shading="soft").rgb[128, :, 0]
    steps = (rgb[80:176].diff()).diff().abs()
    assert steps.max() < 0.01


# Every pixel once


@pytest.mark.parametrize("seed", range(4))
def test_a_triangulated_sheet_covers_every_pixel_exactly_once(seed):
    random = np.random.default_rng(seed)
    s, t, faces = grid(6, 6)
    inner = (s > 0) & (s < 1) & (t > 0) & (t < 1)
    jitter = random.uniform(-0.06, 0.06, (len(s), 2)) * inner[:, None]
    vertices = np.stack([s - 0.5, t - 0.5, np.zeros_like(s)], 1)
    vertices[:, :2] += jitter
    camera = straight(100)
    times = sum(rasterize(vertices, face[None], camera).face.ge(0).long() for face in faces)
    assert times[14:114, 14:114].eq(1).all() and times.sum() == 100**2


def test_edges_through_pixel_centres_are_neither_doubled_nor_missed():
    corners = np.array([[-0.505, -0.505, 0], [0.495, -0.505, 0], [0.495, 0.495, 0], [-0.505, 0.495, 0]])
    camera = straight(100)
    for faces in ([[0, 1, 2], [0, 2, 3]], [[1, 2, 3], [3, 0, 1]]):
        times = sum(rasterize(corners, np.array([face]), camera).face.ge(0).long() for face in faces)
        assert times.max() == 1 and times.sum() == 100**2


def test_neighbours_over_split_vertices_leave_no_crack():
    mesh = trimesh.creation.icosphere(3, 0.4)
    soup = mesh.vertices[mesh.faces].reshape(-1, 3)
    camera = orbit_at(31, 17, 200)
    split = rasterize(soup, np.arange(len(soup)).reshape(-1, 3), camera)
    welded = rasterize(mesh.vertices, mesh.faces, camera)
    assert torch.equal(split.face, welded.face)


def test_the_nearest_of_two_sheets_wins_whatever_their_order():
    near, far = plane(np.full((4, 4, 3), 255, np.uint8)), plane(np.zeros((4, 4, 3), np.uint8))
    both = np.concatenate([np.add(near.vertices, [0, 0, 0.2]), far.vertices])
    for faces in (np.concatenate([near.faces, far.faces + 4]), np.concatenate([far.faces + 4, near.faces])):
        fragments = rasterize(both, faces, straight())
        hit = fragments.face >= 0
        assert (torch.as_tensor(faces)[fragments.face[hit]] < 4).all()
        np.testing.assert_allclose(fragments.depth[hit], 1.8, atol=1e-6)


# Fragments


@pytest.mark.parametrize("camera", [straight(), orbit_at(37, 21, 128)], ids=["orthographic", "perspective"])
@pytest.mark.parametrize("supersample", [1, 2])
def test_barycentrics_and_depth_lead_back_to_the_pixels_centre(camera, supersample):
    mesh = sphere(0.4, 24)
    fragments = rasterize(mesh.vertices, mesh.faces, camera, supersample)
    assert fragments.face.shape == (128 * supersample, 128 * supersample)
    hit = (fragments.face >= 0).numpy()
    corners = mesh.vertices[mesh.faces[fragments.face.numpy()[hit]]]
    bary = fragments.bary.numpy()[hit]
    points = (bary[:, :, None] * corners).sum(1)
    rows, columns = np.nonzero(hit)
    centers = np.stack([columns, rows], 1) + 0.5
    depth = fragments.depth.numpy()[hit]
    np.testing.assert_allclose(unproject(finer(camera, supersample), centers, depth), points, atol=2e-4)
    np.testing.assert_allclose(bary.sum(1), 1, atol=1e-5)
    assert bary.min() >= 0
    empty = ~torch.as_tensor(hit)
    assert torch.isinf(fragments.depth[empty]).all() and (fragments.bary[empty] == 0).all()


def test_a_triangle_through_the_camera_plane_is_cut_and_not_mirrored():
    # A floor under the camera that runs from far ahead to far behind it: it fills exactly the lower half.
    floor = np.array([[-90, -0.5, -90], [90, -0.5, -90], [90, -0.5, 90], [-90, -0.5, 90]], float)
    fragments = rasterize(floor, np.array([[0, 2, 1], [0, 3, 2]]), orbit_at(size=128))
    horizon = 64 + orbit_at(size=128).focal_px * 0.5 / 91.4
    rows = torch.arange(128) + 0.5
    for column in (0, 40, 127):
        assert torch.equal(fragments.face[:, column] >= 0, rows > horizon)
    corners = floor[np.array([[0, 2, 1], [0, 3, 2]])[fragments.face[127].numpy()]]
    points = (fragments.bary[127].numpy()[:, :, None] * corners).sum(1)
    expected = unproject(
        orbit_at(size=128), np.stack([np.arange(128) + 0.5, np.full(128, 127.5)], 1), fragments.depth[127]
    )
    np.testing.assert_allclose(points, expected, atol=2e-3)


def test_nothing_behind_the_camera_is_drawn():
    mesh = sphere(0.2)
    for camera in (orbit_at(size=32), straight(10, (32, 32))):
        assert (rasterize(np.add(mesh.vertices, [0, 0, 9]), mesh.faces, camera).face == -1).all()


@pytest.mark.parametrize("triangle", [[[0, 0, 0]] * 3, [[0, 0, 0], [0.5, 0.5, 0], [-0.5, -0.5, 0]], [[9, 9, 0]] * 3])
def test_triangles_of_no_area_or_out_of_sight_are_harmless(triangle):
    mesh = trimesh.Trimesh(triangle, [[0, 1, 2]], process=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = render(mesh, straight(), shading="soft")
    assert picture.rgb.isfinite().all() and picture.alpha.sum() < 2


@pytest.mark.parametrize("broken", ["no faces", "NaN"])
def test_a_mesh_that_can_not_be_drawn_is_a_mesh_error(broken):
    mesh = sphere()
    vertices = np.array(mesh.vertices)
    vertices[0] = np.nan
    bad = trimesh.Trimesh(vertices, mesh.faces if broken == "NaN" else [], process=False, validate=False)
    with pytest.raises(MeshError, match="can't be drawn"):
        render(bad, straight())


@pytest.mark.parametrize("settings", [{"shading": "glossy"}, {"supersample": 0}])
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ValueError, match=str(next(iter(settings.values())))):
        render(sphere(), straight(), **settings)


@pytest.mark.parametrize("bound", ["FRAGMENTS_AT_ONCE", "SAMPLES_AT_ONCE"])
def test_memory_bounds_change_nothing(monkeypatch, bound):
    mesh, camera = tube(), orbit_at(30, 30, 127)
    whole = rasterize(mesh.vertices, mesh.faces, camera), render(mesh, camera, shading="soft")
    monkeypatch.setattr(f"garment3d.raster.{bound}", 1500)
    parts = rasterize(mesh.vertices, mesh.faces, camera), render(mesh, camera, shading="soft")
    for one, other in zip(whole, parts, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-5)


def test_drawing_changes_neither_mesh_nor_model():
    mesh = tube()
    before = mesh.vertices.copy(), mesh.faces.copy(), np.array(mesh.visual.uv)
    model = upload(mesh)
    first = draw(model, orbit_at(20, 0, 64), shading="soft")
    draw(model, orbit_at(90, 30, 64))
    again = draw(model, orbit_at(20, 0, 64), shading="soft")
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for old, new in zip(before, (mesh.vertices, mesh.faces, mesh.visual.uv), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, to be held against the CPU's picture")
def test_a_gpu_draws_the_same_picture():
    for shading in ("unlit", "soft"):
        cpu, gpu = (render(tube(), orbit_at(20, 30), shading=shading, device=device) for device in ("cpu", "cuda"))
        assert ((cpu.rgb - gpu.rgb.cpu()).abs() > 1 / 255).float().mean() < 1e-4


# Occlusion


def test_the_front_of_a_sphere_is_visible_and_its_back_is_not():
    mesh, camera = sphere(0.4, 48), orbit_at(40, 20, 256)
    depth = rasterize(mesh.vertices, mesh.faces, camera).depth
    toward = camera.c2w[:3, 3] - mesh.vertices
    cosine = (mesh.vertices * toward).sum(1) / (0.4 * np.linalg.norm(toward, axis=1))
    seen = visible(mesh.vertices, camera, depth, bias=5e-3).numpy()
    assert seen[cosine > 0.15].all() and not seen[cosine < -0.05].any()


@pytest.mark.parametrize("supersample", [1, 2])
def test_a_point_behind_a_sheet_is_hidden_by_more_than_the_bias_only(supersample):
    sheet, camera = plane(np.zeros((4, 4, 3), np.uint8)), straight()
    depth = rasterize(sheet.vertices, sheet.faces, camera, supersample).depth
    points = np.array(
        [[0.1, 0.1, 0.1], [0.1, 0.1, -0.009], [0.1, 0.1, -0.011], [0.6, 0.6, -0.3], [0.8, 0, 0], [0, 0, 5]]
    )
    assert visible(points, camera, depth, bias=0.01).tolist() == [True, True, False, True, False, False]
