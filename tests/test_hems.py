"""Open hems: a capped tube in closed form, true garments closed up and misplaced, and what the mesh carries."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import trimesh
from scipy import sparse

from garment3d.camera import photo_camera
from garment3d.errors import GarmentError, MeshError
from garment3d.garment.hems import Opened, open_hems
from garment3d.garment.hems_carry import Origin, carried
from garment3d.garment.loops import boundary_loops
from garment3d.garment.openings import Span
from garment3d.garment.solidify import solidify
from garment3d.metrics import loop_distance, mesh_checks, surface_distance
from tests.drawn import coverage
from tests.solids import tube
from tests.truth import Truth, canonical_loops, canonical_mesh, make_garment, make_photo
from tests.truth.targets import closed, misplaced

LEFT, RIGHT, TOP, BOTTOM = 60.0, 160.0, 20.0, 220.0
SPANS = (Span("waist", (RIGHT, TOP), (LEFT, TOP)), Span("hem", (LEFT, BOTTOM), (RIGHT, BOTTOM)))
"""A tube of radius 0.25 and height 1 in the canonical frame."""


@cache
def mask() -> np.ndarray:
    return coverage(np.array([[LEFT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM], [RIGHT, TOP]]), (240, 220))


def capped(mesh: trimesh.Trimesh, ends: tuple[int, ...] = (1, -1)) -> trimesh.Trimesh:
    """A tube along y with a flat cap on its upper (1) and lower (-1) end; uv and texture stay, a cap's uv is (0, 0)."""
    vertices, faces, uv = [np.asarray(mesh.vertices)], [np.asarray(mesh.faces)], [np.asarray(mesh.visual.uv)]
    for end in ends:
        level = end * np.asarray(mesh.vertices)[:, 1]
        rim = np.flatnonzero(np.isclose(level, level.max()))
        count = sum(len(v) for v in vertices)
        ring = np.arange(len(rim) - 1) + count
        middle = np.full(len(ring), count + len(rim))
        vertices.append(np.concatenate([mesh.vertices[rim], [[0, mesh.vertices[rim[0], 1], 0]]]))
        uv.append(np.zeros((len(rim) + 1, 2)))
        fan = np.stack([ring, ring + 1, middle], 1)
        faces.append(fan if end > 0 else fan[:, ::-1])
    result = trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces), process=False)
    result.visual = type(mesh.visual)(uv=np.concatenate(uv), material=mesh.visual.material)
    result.vertex_attributes["linear_rgb"] = (np.asarray(result.vertices) + 0.5).astype(np.float32)
    return result


@cache
def pipe() -> trimesh.Trimesh:
    return tube(0.25, 1.0, around=64, rows=41)


@cache
def opened(ends: tuple[int, ...] = (1, -1)) -> Opened:
    return open_hems(capped(pipe(), ends), mask(), spans=SPANS, front="+Z")


def own(result: Opened) -> np.ndarray:
    """[N,3] the result's vertices in the frame of the mesh that was given: how a tube is turned about y is anyone's."""
    back = np.linalg.inv(result.alignment.matrix)
    return np.asarray(result.mesh.vertices) @ back[:3, :3].T + back[:3, 3]


def sound(mesh: trimesh.Trimesh, loops: int) -> None:
    checks = mesh_checks(mesh)
    assert checks.components == 1 and checks.boundary_loops == loops
    assert checks == checks._replace(
        non_manifold_edges=0, non_manifold_vertices=0, degenerate_faces=0, inverted_faces=0, inside_out=0
    )


def test_a_capped_tube_is_a_tube_again() -> None:
    result = opened()
    sound(result.mesh, 2)
    assert sorted(o.name for o in result.openings) == ["hem", "waist"]
    assert result.warnings == result.alignment.warnings  # which way up a tube stands can't be known
    assert result.mesh.area == pytest.approx(2 * np.pi * 0.25, rel=0.01)
    for loop in boundary_loops(result.mesh):
        points = own(result)[loop]
        assert np.abs(np.abs(points[:, 1]) - 0.5).max() < 0.01
        assert np.abs(np.hypot(points[:, 0], points[:, 2]) - 0.25).max() < 0.004


def test_faces_away_from_the_hems_stay_as_they_were() -> None:
    result, before = opened(), capped(pipe())
    placed = before.vertices @ result.alignment.matrix[:3, :3].T + result.alignment.matrix[:3, 3]
    far = np.abs(placed[before.faces][..., 1]).max(1) < 0.4
    ours = np.abs(np.asarray(result.mesh.triangles)[..., 1]).max(1) < 0.4
    np.testing.assert_allclose(np.asarray(result.mesh.triangles)[ours], placed[before.faces][far], atol=1e-12)


def test_uv_and_texture_stay_through_cuts_and_along_the_seam() -> None:
    result = opened()
    assert result.mesh.visual.material is pipe().visual.material
    points, uv = own(result), np.asarray(result.mesh.visual.uv)
    angle = np.arctan2(points[:, 0], points[:, 2]) / (2 * np.pi) + 0.5
    # The tube is split along -Z: there u is 0 on one side and 1 on the other.
    apart = np.abs(uv[:, 0] - angle)
    assert np.minimum(apart, 1 - apart).max() < 0.01
    assert np.abs(uv[:, 1] - (points[:, 1] + 0.5)).max() < 0.02
    rim = uv[np.concatenate(boundary_loops(result.mesh))]
    assert 0 <= uv.min() and uv.max() <= 1 and {0.0, 1.0} >= set(np.round(rim[:, 1]))


def test_what_is_open_already_is_not_cut_again() -> None:
    result = opened((1,))
    sound(result.mesh, 2)
    points = own(result)
    kept = points[points[:, 1] < 0.4]
    np.testing.assert_allclose(np.unique(np.round(kept[:, 1], 6)), np.linspace(-0.5, 0.5, 42)[:37], atol=2e-6)


def test_colours_and_attributes_go_along() -> None:
    np.testing.assert_allclose(opened().mesh.vertex_attributes["linear_rgb"], own(opened()) + 0.5, atol=0.02)
    assert opened().mesh.vertex_attributes["linear_rgb"].dtype == np.float32
    mesh = trimesh.Trimesh(np.eye(3), [[0, 1, 2]], process=False)
    mesh.visual.vertex_colors = [[0, 10, 20, 255], [100, 30, 20, 255], [7, 8, 9, 255]]
    origin = Origin(sparse.csr_matrix([[0.25, 0.75, 0], [0, 0, 1], [1, 0, 0]]), np.array([0]))
    colours = carried(mesh, np.eye(3), np.array([[0, 1, 2]]), origin).visual.vertex_colors
    np.testing.assert_array_equal(colours, [[75, 25, 20, 255], [7, 8, 9, 255], [0, 10, 20, 255]])


@cache
def truth(name: str) -> Truth:
    garment = make_garment(name, 0, step_cm=1.6)
    return Truth(garment, make_photo(garment, 0, hw=(384, 288)))


def mean_depth(mesh: trimesh.Trimesh) -> float:
    return float(np.average(mesh.triangles_center[:, 2], weights=mesh.area_faces))


@pytest.mark.parametrize(("name", "inside", "rms"), [("tee", 0.02, 0.0), ("trousers", 0.0, 0.006)])
def test_true_garments_closed_and_misplaced_are_open_again(name: str, inside: float, rms: float) -> None:
    entry = truth(name)
    true, loops = canonical_mesh(entry.garment, entry.photo), canonical_loops(entry.garment, entry.photo)
    height = float(np.ptp(true.vertices[:, 1]))
    solid = closed(true, inside)
    lumps = np.sin(40 * solid.vertices + [0, 1, 2]).sum(1) * rms * height
    solid.vertices += lumps[:, None] * solid.vertex_normals
    result = open_hems(misplaced(solid, 3).mesh, entry.photo.soft, entry.photo.rgb)
    sound(result.mesh, len(loops))
    assert sorted(o.name for o in result.openings) == sorted(loops)
    # A photo says nothing of z.
    result.mesh.apply_translation([0, 0, mean_depth(true) - mean_depth(result.mesh)])
    for opening, loop in zip(result.openings, boundary_loops(result.mesh), strict=True):
        assert loop_distance(np.asarray(result.mesh.vertices)[loop], loops[opening.name]) < 0.03 * height
    if not rms:
        assert surface_distance(result.mesh, true, 4000).symmetric < 0.006 * height


def test_nothing_to_cut_is_an_error_and_so_is_no_opening() -> None:
    with pytest.raises(MeshError, match="No openings"):
        open_hems(pipe(), mask(), spans=())
    with pytest.raises(GarmentError):
        open_hems(trimesh.Trimesh(np.eye(3), [[0, 1, 2]], process=False), mask(), spans=SPANS)


def test_the_photo_s_frame_is_the_result_s() -> None:
    scale = photo_camera(mask()).focal_px
    assert np.ptp(opened().mesh.vertices[:, :2], axis=0) == pytest.approx([100 / scale, 200 / scale], abs=0.01)


def test_an_opening_that_the_mesh_does_not_reach_is_said_and_the_others_are_cut() -> None:
    """The photo's tube has a thin arm that the mesh lacks."""
    arm = [[RIGHT, BOTTOM], [RIGHT, 130], [190, 130], [190, 116], [RIGHT, 116], [RIGHT, TOP]]
    armed = coverage(np.array([[LEFT, TOP], [LEFT, BOTTOM], *arm], float), (240, 220))
    cuff = Span("cuff_l", (190.0, 130.0), (190.0, 116.0))
    result = open_hems(capped(pipe()), armed, spans=(*SPANS[1:], cuff, SPANS[0]), front="+Z")
    assert sorted(o.name for o in result.openings) == ["hem", "waist"]
    assert [w for w in result.warnings if "beyond the cuff_l" in w]
    assert [w for w in result.warnings if "2 openings, the photo's outline 3" in w]
    with pytest.raises(MeshError, match=r"no cap at any of the 1 openings \(cuff_l\)"):
        open_hems(capped(pipe()), armed, spans=(cuff,), front="+Z")


def test_of_a_thick_wall_joined_at_the_rims_the_outer_side_stays() -> None:
    result = open_hems(solidify(pipe(), 0.03), mask(), spans=SPANS, front="+Z")
    sound(result.mesh, 2)
    assert np.hypot(*own(result)[:, [0, 2]].T).min() > 0.246
    assert result.mesh.area == pytest.approx(2 * np.pi * 0.25, rel=0.01)


def test_faces_wound_at_random_come_out_outwards() -> None:
    mesh = capped(pipe())
    turned = np.random.default_rng(0).random(len(mesh.faces)) < 0.4
    mesh.faces = np.where(turned[:, None], np.asarray(mesh.faces)[:, ::-1], mesh.faces)
    result = open_hems(mesh, mask(), spans=SPANS, front="+Z")
    sound(result.mesh, 2)
    outwards = (np.asarray(result.mesh.face_normals) * result.mesh.triangles_center)[:, [0, 2]].sum(1)
    assert (outwards > 0).all()


def test_the_caps_of_two_legs_side_by_side_go_whole() -> None:
    """Each leg's lip goes on straight towards the other's."""
    entry = truth("trousers")
    true, loops = canonical_mesh(entry.garment, entry.photo), canonical_loops(entry.garment, entry.photo)
    result = open_hems(closed(true), entry.photo.soft, entry.photo.rgb)
    result.mesh.apply_translation([0, 0, mean_depth(true) - mean_depth(result.mesh)])
    for opening, loop in zip(result.openings, boundary_loops(result.mesh), strict=True):
        assert loop_distance(np.asarray(result.mesh.vertices)[loop], loops[opening.name]) < 0.012


def test_a_ragged_rim_is_evened_and_stays_as_wide_as_it_was() -> None:
    solid = capped(pipe())
    lumps = 0.006 * np.sin(23 * np.arctan2(solid.vertices[:, 0], solid.vertices[:, 2]))
    solid.vertices = solid.vertices * (1 + lumps / 0.25)[:, None] ** [1, 0, 1]
    rims = []
    for loop in boundary_loops(opened_lumps := open_hems(solid, mask(), spans=SPANS, front="+Z").mesh):
        points = np.asarray(opened_lumps.vertices)[loop]
        rims.append(np.hypot(points[:, 0] - points[:, 0].mean(), points[:, 2] - points[:, 2].mean()))
    for rim in rims:
        assert rim.mean() == pytest.approx(0.25, rel=0.02) and rim.std() < 0.0028  # 0.0042 before


def test_a_stray_vertex_far_away_crushes_nothing() -> None:
    bare = capped(pipe())
    stray = trimesh.Trimesh(np.concatenate([bare.vertices, [[1e5, 0, 0]]]), bare.faces, process=False)
    found = open_hems(stray, mask(), None, SPANS)
    assert sorted(o.name for o in found.openings) == ["hem", "waist"]
    assert len(found.mesh.faces) > 0.9 * len(pipe().faces) and np.abs(found.mesh.vertices).max() < 0.6
