"""Thickness: closed forms on a tube, a hemisphere and a plane; narrow places; what the mesh carries."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from garment3d.errors import MeshError
from garment3d.garment.openings import Span
from garment3d.garment.shell import garment_shell
from garment3d.garment.solidify import solidify
from garment3d.metrics import mesh_checks
from tests.drawn import GARMENTS, ends_of, mask_of, middle
from tests.solids import plane, sphere, tube


def closed(mesh: trimesh.Trimesh) -> None:
    checks = mesh_checks(mesh)
    assert checks == checks._replace(
        boundary_loops=0, non_manifold_edges=0, non_manifold_vertices=0, inverted_faces=0, inside_out=0
    )


def test_a_tube_becomes_a_pipe() -> None:
    radius, height, thickness = 0.3, 0.8, 0.04
    solid = solidify(tube(radius, height), thickness)
    closed(solid)
    assert mesh_checks(solid).components == 1
    assert solid.volume == pytest.approx(np.pi * height * (radius**2 - (radius - thickness) ** 2), rel=0.003)
    rings = 2 * np.pi * (radius**2 - (radius - thickness) ** 2)
    assert solid.area == pytest.approx(2 * np.pi * height * (2 * radius - thickness) + rings, rel=0.003)
    assert np.hypot(*solid.vertices[:, [0, 2]].T).min() == pytest.approx(radius - thickness, rel=0.002)


def test_a_bowl_is_as_thick_as_asked_everywhere() -> None:
    ball = sphere(0.4)
    upper = ball.submesh([np.flatnonzero(ball.triangles_center[:, 2] > 0)], append=True)
    solid = solidify(upper, 0.02)
    closed(solid)
    inner = np.asarray(solid.vertices)[len(upper.vertices) :]
    # At the rim the normal follows the last row of faces only, half a row's angle off.
    assert np.abs(np.linalg.norm(inner, axis=1) - 0.38).max() < 0.001
    assert solid.volume == pytest.approx(2 * np.pi / 3 * (0.4**3 - 0.38**3), rel=0.02)


def test_a_sheet_becomes_a_slab() -> None:
    solid = solidify(plane(np.zeros((20, 40, 3), np.uint8), divisions=5), 0.1)
    closed(solid)
    assert solid.volume == pytest.approx(1 * 0.5 * 0.1, rel=1e-9)
    np.testing.assert_allclose(solid.bounds, [[-0.5, -0.25, -0.1], [0.5, 0.25, 0]], atol=1e-12)


def test_a_closed_ball_becomes_hollow() -> None:
    solid = solidify(sphere(0.4), 0.1)
    closed_volume = 4 / 3 * np.pi * (0.4**3 - 0.3**3)
    assert mesh_checks(solid).boundary_loops == 0
    assert solid.volume == pytest.approx(closed_volume, rel=0.01)


def test_the_outer_layer_stays_and_uv_and_texture_go_with_both() -> None:
    mesh = tube()
    mesh.vertex_attributes["linear_rgb"] = np.random.default_rng(0).random((len(mesh.vertices), 3)).astype(np.float32)
    before = mesh.vertices.copy()
    solid = solidify(mesh, 0.02)
    count = len(before)
    np.testing.assert_array_equal(solid.vertices[:count], before)
    np.testing.assert_array_equal(mesh.vertices, before)
    np.testing.assert_array_equal(solid.faces[: len(mesh.faces)], mesh.faces)
    np.testing.assert_array_equal(solid.visual.uv, np.tile(mesh.visual.uv, (2, 1)))
    assert solid.visual.material is mesh.visual.material
    np.testing.assert_array_equal(
        solid.vertex_attributes["linear_rgb"], np.tile(mesh.vertex_attributes["linear_rgb"], (2, 1))
    )
    rims = solid.faces[2 * len(mesh.faces) :]
    assert len(rims) == 2 * 2 * 96
    assert {tuple(sorted(np.unique(face % count).tolist())) for face in rims} <= {
        tuple(sorted(edge)) for edge in mesh.edges.tolist()
    }


def test_colours_of_vertices_and_faces_are_kept() -> None:
    bare = tube()
    rng = np.random.default_rng(1)
    by_vertex = trimesh.Trimesh(bare.vertices, bare.faces, process=False)
    by_vertex.visual.vertex_colors = rng.integers(0, 255, (len(bare.vertices), 4))
    solid = solidify(by_vertex, 0.02)
    np.testing.assert_array_equal(solid.visual.vertex_colors, np.tile(by_vertex.visual.vertex_colors, (2, 1)))
    by_face = trimesh.Trimesh(bare.vertices, bare.faces, process=False)
    by_face.visual.face_colors = rng.integers(0, 255, (len(bare.faces), 4))
    solid, count = solidify(by_face, 0.02), len(bare.faces)
    np.testing.assert_array_equal(solid.visual.face_colors[: 2 * count], np.tile(by_face.visual.face_colors, (2, 1)))


def test_two_near_walls_share_the_gap_between_them() -> None:
    """A tube flattened to a gap of 0.02 in the middle, with cloth wanted thicker than that."""
    mesh = tube(0.3, 0.8)
    mesh.vertices = mesh.vertices * [1, 1, 1 / 30]
    solid = solidify(mesh, 0.05)
    closed(solid)
    inner = np.asarray(solid.vertices)[len(mesh.vertices) :]
    outer = np.asarray(mesh.vertices)
    walls = np.abs(outer[:, 0]) < 0.25
    assert (inner[walls, 2] * outer[walls, 2] > 0).all()  # neither wall goes through the other
    assert np.abs(inner[walls, 2] - outer[walls, 2]).min() > 1e-4


@pytest.mark.parametrize("name", GARMENTS)
def test_drawn_garments_get_a_sound_inside(name: str) -> None:
    mask = mask_of(GARMENTS[name], 300.0, (340, 370))
    ends = ends_of(GARMENTS[name], 300.0, middle(300.0, (340, 370)))
    spans = tuple(Span(n, tuple(map(float, a)), tuple(map(float, b))) for n, (a, b) in ends.items())
    shell = garment_shell(mask, spans=spans, triangles=2400)
    solid = solidify(shell, 0.01)
    closed(solid)
    count = len(shell.faces)
    turned = (solid.face_normals[:count] * solid.face_normals[count : 2 * count]).sum(1)
    assert (turned < 0).all()
    moved = np.linalg.norm(solid.vertices[: len(shell.vertices)] - solid.vertices[len(shell.vertices) :], axis=1)
    assert np.median(moved) == pytest.approx(0.01, rel=1e-3) and moved.min() > 5e-5


@pytest.mark.parametrize("thickness", [-0.1, np.nan, 0.6])
def test_a_thickness_that_can_t_be_meant_is_refused(thickness: float) -> None:
    with pytest.raises(MeshError, match="thickness"):
        solidify(tube(0.3, 0.8), thickness)


def test_no_thickness_is_a_copy_and_no_faces_an_error() -> None:
    mesh = tube()
    np.testing.assert_array_equal(solidify(mesh, 0).faces, mesh.faces)
    with pytest.raises(MeshError, match="0 faces"):
        solidify(trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), int)), 0.1)
