"""Any mesh made light and clean: what is merged, dropped, thinned out and coloured, against solids in closed form."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d.errors import MeshError
from garment3d.garment.target import tidy

from .solids import cube, plane, sphere, textured


def joined(*parts):
    return trimesh.util.concatenate([trimesh.Trimesh(p.vertices, p.faces, process=False) for p in parts])


def bumpy(subdivisions=6):
    """A ball of 20·4^n triangles with the colour of its direction, linear."""
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=3.0)
    ball.visual.vertex_colors = np.round(255 * by_direction(ball.vertices)).astype(np.uint8)
    return ball


def by_direction(points):
    return np.stack([0.2 + 0.6 * (points[:, 0] > 0), np.full(len(points), 0.5), 0.2 + 0.6 * (points[:, 1] > 0)], 1)


def printed(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_corners_that_lie_in_one_place_are_one():
    loose = cube()
    result = tidy(loose)
    assert len(loose.vertices) == 36 and (result.vertices.shape, result.faces.shape) == ((8, 3), (12, 3))
    assert trimesh.Trimesh(result.vertices, result.faces, process=False).volume == pytest.approx(0.6**3)


def test_faces_without_area_and_faces_given_twice_are_left_out():
    ball = sphere()
    faces = np.asarray(ball.faces)
    doubled = np.concatenate([faces, np.roll(faces[:50], 1, 1), faces[50:80, ::-1], [[5, 5, 9], [7, 8, 7]]])
    result = tidy(trimesh.Trimesh(ball.vertices, doubled, process=False))
    assert len(result.faces) == len(faces)


def test_specks_are_left_out_with_a_sentence_and_real_parts_stay():
    other = sphere(0.2, 24).apply_translation([1, 0, 0])
    speck = sphere(0.004, 6).apply_translation([0, 0.7, 0])
    result = tidy(joined(sphere(), other, speck))
    assert len(result.faces) == len(sphere().faces) + len(other.faces)
    assert len(result.warnings) == 1 and result.warnings[0].startswith("1 loose speck")
    assert tidy(sphere()).warnings == ()


def test_many_small_patches_are_a_garment_and_no_dust():
    grid = np.stack(np.meshgrid(np.arange(30), np.arange(30)), -1).reshape(-1, 2)
    patch = plane(np.zeros((2, 2, 3), np.uint8), length=0.8)
    parts = joined(*(patch.copy().apply_translation([*place, 0]) for place in grid))
    assert len(tidy(parts).faces) == len(parts.faces)


def test_a_speck_far_away_does_not_coarsen_the_garment():
    result = tidy(joined(sphere(), sphere(0.004, 4).apply_translation([5000, 0, 0])))
    assert len(result.faces) == len(sphere().faces) and np.abs(result.vertices).max() < 1


@pytest.mark.parametrize("subdivisions", [5, 6], ids=["collapsed", "gathered first"])
def test_a_heavy_mesh_is_thinned_out_and_keeps_shape_and_colours(subdivisions):
    ball = bumpy(subdivisions)
    result = tidy(ball, most_faces=5000)
    assert 2500 < len(result.faces) <= 5500 < len(ball.faces)
    assert np.linalg.norm(result.vertices, axis=1) == pytest.approx(3.0, abs=0.03)
    assert trimesh.Trimesh(result.vertices, result.faces, process=False).volume == pytest.approx(36 * np.pi, rel=0.01)
    off = (np.abs(result.vertices[:, :2]) > 0.1).all(1)
    assert result.colours[off] == pytest.approx(printed(by_direction(result.vertices[off])), abs=0.01)
    assert f"{len(ball.faces):,} triangles were thinned out to {len(result.faces):,} " in result.warnings[0]


def test_fine_linear_colours_win_over_bytes():
    ball = bumpy(2)
    fine = np.random.default_rng(0).random((len(ball.vertices), 3)).astype(np.float32)
    ball.vertex_attributes["linear_rgb"] = fine
    result = tidy(ball)
    place = {tuple(p): c for p, c in zip(ball.vertices.round(9), printed(fine), strict=True)}
    assert result.colours == pytest.approx(np.array([place[tuple(p)] for p in result.vertices.round(9)]), abs=1e-5)


@pytest.mark.parametrize("moved", [(0, 0), (2, -3)])
def test_texture_colours_wrap_outside_0_1(moved):
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4], picture[:4, 4:], picture[4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    sheet = plane(picture, divisions=7)
    uv = np.asarray(sheet.visual.uv) * 0.98 + 0.01 + moved
    result = tidy(textured(sheet.vertices, sheet.faces, uv, Image.fromarray(picture)))
    x, y = result.vertices[:, 0], result.vertices[:, 1]
    expected = np.where((y < 0)[:, None], [0, 0, 1], np.where((x < 0)[:, None], [1, 0, 0], [0, 1, 0]))
    assert (result.colours == expected).all()


def test_a_plain_mesh_has_no_colours():
    assert tidy(sphere()).colours is None


def test_the_mesh_itself_is_not_touched():
    ball = bumpy(4)
    before = ball.vertices.copy(), ball.faces.copy()
    tidy(ball, most_faces=1000)
    assert (ball.vertices == before[0]).all() and (ball.faces == before[1]).all()


def broken(kind):
    ball = sphere(rows=8)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    if kind == "one triangle":
        return vertices, faces[:1]
    if kind == "2 of its vertices":
        vertices[[3, 9], 1] = np.nan, np.inf
    if kind == "no extent":
        vertices[:] = 1.5
    if kind == "names vertex 9999":
        faces[3, 1] = 9999
    if kind == "0 triangles of any area":
        vertices[:, 1:] = 0
    return vertices, faces


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("one triangle", "1 triangle,"),
        ("2 of its vertices", "2 of the mesh's"),
        ("no extent", "no extent"),
        ("names vertex 9999", "vertex 9999"),
        ("0 triangles of any area", "0 triangles of any area"),
    ],
)
def test_what_is_no_mesh_gets_one_sentence(kind, said):
    mesh = trimesh.Trimesh(process=False)
    vertices, faces = broken(kind)
    mesh.vertices, mesh.faces = vertices, faces
    with pytest.raises(MeshError, match=said) as error:
        tidy(mesh)
    assert str(error.value).count(". ") == 0
