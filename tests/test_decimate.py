"""Decimation: closed forms on tubes, sheets and balls; garments against an independent decimator; damaged meshes."""

from __future__ import annotations

from functools import cache

import fast_simplification
import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.ndimage import binary_dilation

from garment3d.crossings import crossing_faces, folded_faces
from garment3d.errors import MeshError
from garment3d.garment.decimate import decimate, levels
from garment3d.garment.openings import Span, openings
from garment3d.garment.shell import garment_shell
from garment3d.garment.texture.unwrap import unwrap, uv_camera
from garment3d.metrics import mesh_checks, surface_distance
from garment3d.raster import rasterize
from tests.drawn import GARMENTS, ends_of, mask_of, middle
from tests.solids import grid, plane, sphere, textured, tube

ATLAS = 512


@cache
def garment(name: str) -> trimesh.Trimesh:
    """About 6,000 triangles in two uv islands."""
    mask = mask_of(GARMENTS[name], 300.0, (340, 370))
    ends = ends_of(GARMENTS[name], 300.0, middle(300.0, (340, 370)))
    spans = tuple(Span(n, tuple(map(float, a)), tuple(map(float, b))) for n, (a, b) in ends.items())
    shell = unwrap(garment_shell(mask, spans=spans, triangles=6000))
    return textured(shell.vertices, shell.faces, shell.visual.uv, Image.new("RGB", (8, 8)))


def welded(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    points, place = np.unique(np.asarray(mesh.vertices), axis=0, return_inverse=True)
    return points, place.reshape(-1)[mesh.faces]


def sound(mesh: trimesh.Trimesh, like: trimesh.Trimesh) -> None:
    """As many parts and loops as before, and nothing wrong."""
    was = mesh_checks(like)
    assert mesh_checks(mesh) == was._replace(
        non_manifold_edges=0, non_manifold_vertices=0, degenerate_faces=0, inverted_faces=0, inside_out=0
    )


def uv_areas(mesh: trimesh.Trimesh) -> np.ndarray:
    a, b, c = np.asarray(mesh.visual.uv)[mesh.faces].transpose(1, 0, 2)
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def positions(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    """[S,S,3] the point on the mesh that each texel colours, and [S,S] where there is one."""
    flat = np.concatenate([np.asarray(mesh.visual.uv), np.zeros((len(mesh.vertices), 1))], 1)
    seen = rasterize(flat, np.asarray(mesh.faces), uv_camera(ATLAS))
    face = seen.face.squeeze().numpy()
    bary = seen.bary.reshape(ATLAS, ATLAS, 3).numpy()
    return (bary[..., None] * np.asarray(mesh.vertices)[mesh.faces[face]]).sum(-2), face >= 0


def test_a_tube_keeps_its_ends_its_seam_and_its_uv() -> None:
    mesh = tube(0.3, 0.8)
    light, reached, warnings = decimate(mesh, 600)
    assert len(light.faces) == reached and 598 <= reached <= 600 and not warnings
    sound(light, mesh)
    x, y, z = np.asarray(light.vertices).T
    u, v = np.asarray(light.visual.uv).T
    np.testing.assert_allclose(np.hypot(x, z), 0.3, rtol=0.01)  # the faces run through the cloth, not within it
    np.testing.assert_allclose(np.hypot(x, z)[np.abs(y) > 0.4 - 1e-9], 0.3, atol=1e-9)
    np.testing.assert_allclose(v, y / 0.8 + 0.5, atol=1e-3)
    np.testing.assert_allclose(np.sin(2 * np.pi * u - np.pi), x / np.hypot(x, z), atol=2e-3)
    # The cut runs through as it did: each of its heights is there on both its sides.
    np.testing.assert_allclose(np.sort(y[u == 0]), np.sort(y[u == 1]))
    assert {-0.4, 0.4} <= set(y[u == 0].round(9)) and (u == 0).sum() >= 2
    assert uv_areas(light).min() > 0 and uv_areas(light).sum() == pytest.approx(1, abs=1e-9)
    assert light.area == pytest.approx(2 * np.pi * 0.3 * 0.8, rel=0.005)
    assert light.visual.material is mesh.visual.material


def test_a_sheet_keeps_its_outline_and_stays_flat() -> None:
    mesh = plane(np.zeros((20, 40, 3), np.uint8), divisions=30)
    light = decimate(mesh, 60).mesh
    assert len(light.faces) <= 60 and light.area == pytest.approx(0.5, rel=1e-9)
    np.testing.assert_allclose(light.bounds, mesh.bounds)
    np.testing.assert_allclose(light.visual.uv, light.vertices[:, :2] / [1, 0.5] + 0.5, atol=1e-9)
    sides = np.linalg.norm(light.vertices[light.edges[:, 0]] - light.vertices[light.edges[:, 1]], axis=1)
    assert sides.max() < 4 * np.median(sides)  # even, though a flat sheet would need two triangles only


def test_a_ball_stays_closed_and_round() -> None:
    mesh = sphere(0.4, 24)
    light, reached, _ = decimate(mesh, 500)
    assert 498 <= reached <= 500 and light.is_watertight and light.euler_number == 2
    assert light.volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(light.vertices, axis=1), 0.4, rtol=0.02)


@pytest.mark.parametrize("name", ["tee", "longsleeve_hanging", "dress", "camisole", "skirt", "trousers"])
def test_garments_keep_openings_shape_and_texture(name: str) -> None:
    mesh = garment(name)
    height = np.ptp(mesh.vertices[:, 1])
    points, faces = welded(mesh)
    for made, asked in zip(levels(mesh, (2500, 1000)), (2500, 1000), strict=True):
        light = made.mesh
        assert asked - 2 <= made.reached <= asked and not made.warnings
        sound(light, mesh)
        assert not crossing_faces(light).any() and not folded_faces(light).any()
        before, after = ({o.name: np.array(o.anchor) for o in openings(m)} for m in (mesh, light))
        assert before.keys() == after.keys()
        assert max(np.linalg.norm(before[n] - after[n]) for n in before) < 0.01 * height
        vertices, triangles = fast_simplification.simplify(
            points.astype(np.float32), faces.astype(np.int32), 1 - asked / len(faces)
        )
        other = trimesh.Trimesh(vertices, triangles, process=False)
        ours, theirs = (surface_distance(m, mesh, 5000).symmetric for m in (light, other))
        assert ours < theirs  # which knows neither uv nor edges of the cloth
        assert (uv_areas(light) * np.sign(uv_areas(mesh).sum()) > 0).all()
        (where, covered), (was, before) = positions(light), positions(mesh)
        assert not (covered & ~binary_dilation(before, iterations=2)).any()
        off = np.linalg.norm(where - was, axis=-1)[covered & before] / height
        assert off.mean() < 0.003 and np.percentile(off, 99) < 0.012


def test_levels_come_in_the_order_asked_each_from_the_heavier_one() -> None:
    mesh = garment("tee")
    light, heavy, all_of_it, middle = levels(mesh, (500, 4000, 20_000, 1500))
    assert all_of_it.mesh is mesh and all_of_it.reached == len(mesh.faces)
    assert [500 >= light.reached > 497, 1500 >= middle.reached > 1497, 4000 >= heavy.reached > 3997] == [True] * 3
    rows = [{tuple(r) for r in np.asarray(m.visual.uv).tolist()} for m in (light.mesh, middle.mesh, heavy.mesh, mesh)]
    assert rows[0] < rows[1] < rows[2] < rows[3]
    np.testing.assert_array_equal(levels(mesh, (500,))[0].mesh.faces, decimate(mesh, 500).mesh.faces)
    assert levels(mesh, ()) == ()


def test_what_vertices_and_faces_carry_goes_along_and_the_mesh_stays() -> None:
    bare = tube()
    rgb = np.round(255 * (np.asarray(bare.vertices) + 0.5)).astype(np.uint8)
    mesh = trimesh.Trimesh(bare.vertices, bare.faces, vertex_colors=rgb, process=False)
    mesh.vertex_attributes["linear_rgb"] = np.asarray(bare.vertices, np.float32)
    vertices, faces = mesh.vertices.copy(), mesh.faces.copy()
    light = decimate(mesh, 500).mesh
    np.testing.assert_allclose(light.visual.vertex_colors[:, :3], 255 * (light.vertices + 0.5), atol=2)
    np.testing.assert_allclose(light.vertex_attributes["linear_rgb"], light.vertices, atol=0.005)
    np.testing.assert_array_equal(mesh.vertices, vertices)
    np.testing.assert_array_equal(mesh.faces, faces)
    halves = trimesh.Trimesh(bare.vertices, bare.faces, process=False)
    halves.visual.face_colors = np.where(halves.triangles_center[:, 1:2] > 0, [[255, 0, 0, 255]], [[0, 0, 255, 255]])
    light = decimate(halves, 1000).mesh
    above = light.triangles_center[:, 1] > 0.1
    assert (light.visual.face_colors[above][:, 0] == 255).all() and (light.visual.face_colors[~above][:, 2] > 0).any()


def test_a_normal_map_rides_along_untouched() -> None:
    mesh = tube()
    mesh.visual.material.normalTexture = Image.new("RGB", (4, 4), (128, 128, 255))
    assert decimate(mesh, 500).mesh.visual.material.normalTexture is mesh.visual.material.normalTexture


def test_parts_stay_apart_and_none_is_lost() -> None:
    parts = [sphere(0.1, 24).apply_translation([x, 0, 0]) for x in (-0.4, 0, 0.4)]
    light = decimate(trimesh.util.concatenate(parts), 600).mesh
    assert mesh_checks(light).components == 3 and len(light.faces) <= 600
    sizes = [len(p.faces) for p in light.split()]
    assert max(sizes) < 1.6 * min(sizes)


def test_unwelded_doubled_and_collapsed_faces_are_no_seams() -> None:
    mesh = trimesh.Trimesh(*(getattr(tube(), name) for name in ("vertices", "faces")), process=False)
    clean = decimate(mesh, 600)
    corners = np.asarray(mesh.triangles).reshape(-1, 3)
    soup = trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)
    extra = np.concatenate([soup.faces, soup.faces[:50], soup.faces[:50, ::-1], soup.faces[:50, [0, 0, 1]]])
    dirty = trimesh.Trimesh(corners, extra, process=False)
    for found in (decimate(soup, 600), decimate(dirty, 600)):
        assert 598 <= found.reached <= 600
        sound(found.mesh, mesh)
        assert found.mesh.area == pytest.approx(clean.mesh.area, rel=1e-3)


def test_faces_without_area_do_not_break_it() -> None:
    mesh = tube()
    vertices = np.asarray(mesh.vertices).copy()
    vertices[500] = (vertices[499] + vertices[501]) / 2 + 1e-12  # on a straight line: slivers of no height
    found = decimate(textured(vertices, mesh.faces, mesh.visual.uv, Image.new("RGB", (4, 4))), 500)
    assert 498 <= found.reached <= 500 and mesh_checks(found.mesh).degenerate_faces == 0


def test_where_three_sheets_meet_they_keep_meeting() -> None:
    s, t, faces = grid(20, 20)
    sheets = [np.stack([s * np.cos(a), t, s * np.sin(a)], 1) for a in (0.0, 2.1, 4.2)]
    parts = [trimesh.Trimesh(sheet, faces, process=False) for sheet in sheets]
    light = decimate(trimesh.util.concatenate(parts), 300).mesh
    spine = np.unique(np.asarray(light.vertices)[np.hypot(light.vertices[:, 0], light.vertices[:, 2]) < 1e-9], axis=0)
    assert len(spine) == 21 and light.area == pytest.approx(3, rel=1e-9)


def test_too_few_triangles_for_its_seams_are_told() -> None:
    apart = [sphere(0.01, 4).apply_translation([i / 20, 0, 0]) for i in range(20)]
    found = decimate(trimesh.util.concatenate(apart), 40)
    assert found.reached == len(found.mesh.faces) == 80  # a tetrahedron of each
    assert "80 triangles are left instead of 40" in found.warnings[0]


def test_two_near_layers_don_t_come_through_each_other() -> None:
    outer, inner = tube(0.3, 0.8, 192, 24), tube(0.294, 0.8, 192, 24)
    inner.invert()
    both = trimesh.util.concatenate([outer, inner])
    bare = trimesh.Trimesh(both.vertices, both.faces, process=False)
    found = decimate(bare, 1600)
    assert not crossing_faces(found.mesh).any() and not found.warnings and found.reached > 1590
    # A polygon of n sides stays out of the inner circle where cos(π/n) > 0.98: 40 faces can't make such layers.
    told: list[int] = []
    coarse = decimate(bare, 40, lambda done, of: told.append(done))
    assert crossing_faces(coarse.mesh).any() and "cut through" in " ".join(coarse.warnings)
    assert told == sorted(told)  # though it was gone back several times


def test_progress_rises_to_the_end_and_may_stop_it() -> None:
    told: list[tuple[int, int]] = []
    decimate(tube(), 500, lambda done, of: told.append((done, of)))
    assert told == sorted(told) and told[-1][0] >= told[-1][1] > 0 and len(told) > 5

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decimate(tube(), 500, stop)


def test_what_can_t_be_decimated_is_refused() -> None:
    mesh = tube()
    holed = textured(np.where(np.arange(len(mesh.vertices))[:, None] == 40, np.nan, mesh.vertices), mesh.faces,
                     mesh.visual.uv, Image.new("RGB", (4, 4)))  # fmt: skip
    with pytest.raises(MeshError, match="not finite"):
        decimate(holed, 100)
    with pytest.raises(MeshError, match="no faces"):
        decimate(trimesh.Trimesh(np.zeros((3, 3)), np.zeros((0, 3), int)), 100)
    with pytest.raises(MeshError, match="3 triangles"):
        decimate(mesh, 3)
    flat = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 1]] * 9, process=False)
    with pytest.raises(MeshError, match="area"):
        decimate(flat, 5)


def test_a_vertex_that_no_face_uses_may_be_anything() -> None:
    mesh = tube()
    stray = textured(
        np.concatenate([mesh.vertices, [[np.nan] * 3]]), mesh.faces, np.concatenate([mesh.visual.uv, [[np.nan] * 2]]),
        Image.new("RGB", (4, 4)),
    )  # fmt: skip
    light = decimate(stray, 500).mesh
    assert np.isfinite(light.vertices).all() and np.isfinite(light.visual.uv).all()
