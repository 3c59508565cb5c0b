"""Two panels from geometry alone, on tubes whose panels are known, and what can't be panels."""

import numpy as np
import pytest
import trimesh

from garment3d.errors import MeshError
from garment3d.garment.flatten import signed_areas
from garment3d.garment.texture.panels import BACK, FRONT, front_and_back, pieces
from garment3d.garment.texture.panels import Surface as Faces
from garment3d.garment.texture.unwrap import GUTTER, density, overlap, unwrap, welded


def tube(rows: int = 40, around: int = 60, radii=(0.25, 0.15), noise: float = 0.0) -> trimesh.Trimesh:
    """An elliptic tube of height 1 along Y, open at both ends; two of its vertex columns lie where it turns."""
    angle = 2 * np.pi * np.arange(around) / around
    y = np.linspace(-0.5, 0.5, rows)
    vertices = np.stack(
        [
            np.tile(radii[0] * np.sin(angle), rows),
            np.repeat(y, around),
            np.tile(radii[1] * np.cos(angle), rows),
        ],
        1,
    )
    vertices = vertices + noise * np.random.default_rng(0).standard_normal(vertices.shape)
    i, j = np.meshgrid(np.arange(around), np.arange(rows - 1))
    a, b = (j * around + i).ravel(), (j * around + (i + 1) % around).ravel()
    faces = np.concatenate([np.stack([a, b, b + around], 1), np.stack([a, b + around, a + around], 1)])
    return trimesh.Trimesh(vertices, faces, process=False)


def half_circumference(radii=(0.25, 0.15)) -> float:
    angle = np.linspace(-np.pi / 2, np.pi / 2, 2001)
    points = np.stack([radii[0] * np.sin(angle), radii[1] * np.cos(angle)], 1)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def panels_of(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    labels = front_and_back(*welded(mesh.vertices, mesh.faces))
    return labels, pieces(labels, Faces(*welded(mesh.vertices, mesh.faces)).pairs)


def test_a_tube_becomes_two_rectangles_of_the_known_size():
    mesh = unwrap(tube())
    labels, _ = panels_of(mesh)
    sizes = [np.ptp(mesh.visual.uv[np.unique(mesh.faces[labels == side])], axis=0) for side in (FRONT, BACK)]
    for width, height in sizes:
        assert width / height == pytest.approx(half_circumference(), rel=0.01)
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)


def test_positions_and_faces_stay_and_only_the_cut_is_doubled():
    mesh, rows = tube(), 40
    cut = unwrap(mesh)
    np.testing.assert_array_equal(cut.vertices[cut.faces], mesh.vertices[mesh.faces])
    assert len(cut.vertices) == len(mesh.vertices) + 2 * rows


def test_panels_are_upright_front_left_of_back_within_the_gutter_and_never_mirrored():
    mesh = unwrap(tube())
    labels, _ = panels_of(mesh)
    uv = mesh.visual.uv
    front, back = (np.unique(mesh.faces[labels == side]) for side in (FRONT, BACK))
    assert uv[front, 0].max() + GUTTER <= uv[back, 0].min() + 1e-9
    assert uv.min() >= GUTTER - 1e-9 and uv.max() <= 1 - GUTTER + 1e-9
    assert np.corrcoef(uv[:, 1], mesh.vertices[:, 1])[0, 1] > 0.999
    assert np.corrcoef(uv[front, 0], mesh.vertices[front, 0])[0, 1] > 0.95
    assert np.corrcoef(uv[back, 0], mesh.vertices[back, 0])[0, 1] < -0.95
    assert (signed_areas(uv, mesh.faces) > 0).all()


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_texel_density_stays_within_three_times_even_where_the_tube_turns(noise):
    mesh = unwrap(tube(noise=noise))
    low, high = np.percentile(density(mesh.vertices, mesh.faces, mesh.visual.uv), [0.1, 99.9])
    assert high / low < (1.1 if noise == 0 else 3)


def test_noise_leaves_two_panels_in_one_piece_each():
    assert panels_of(tube(noise=0.003))[1].max() == 1


def test_split_vertices_and_an_inside_out_mesh_give_the_same_panels():
    mesh = tube()
    labels, _ = panels_of(mesh)
    split = trimesh.Trimesh(
        mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False
    )
    inverted = trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)
    np.testing.assert_array_equal(panels_of(split)[0], labels)
    np.testing.assert_array_equal(panels_of(inverted)[0], labels)
    assert len(unwrap(split).vertices) == len(unwrap(mesh).vertices)


def test_a_decimated_tube_without_uvs_is_laid_out_again():
    fast_simplification = pytest.importorskip("fast_simplification", reason="fast-simplification is not installed")
    mesh = tube(noise=0.001)
    vertices, faces = fast_simplification.simplify(mesh.vertices.astype(np.float32), mesh.faces, 0.8)
    cut = unwrap(trimesh.Trimesh(vertices, faces, process=False))
    low, high = np.percentile(density(cut.vertices, cut.faces, cut.visual.uv), [0.5, 99.5])
    assert high / low < 3
    assert panels_of(cut)[1].max() == 1
    assert overlap(cut.visual.uv, cut.faces) < 2e-3


def test_a_closed_ball_is_unwrapped_too():
    pytest.importorskip("xatlas", reason="xatlas is not installed")
    ball = trimesh.creation.icosphere(3, 0.5)
    cut = unwrap(ball)
    assert cut.visual.uv.min() >= 0 and cut.visual.uv.max() <= 1
    assert overlap(cut.visual.uv, cut.faces) < 2e-3
    np.testing.assert_allclose(cut.vertices[cut.faces].mean((0, 1)), 0, atol=1e-6)


def test_overlap_of_two_known_squares():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    two = np.concatenate([square, square + np.array([0.5, 0])])
    assert overlap(square, faces) == 0
    assert overlap(two, np.concatenate([faces, faces + 4])) == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("broken", ["empty", "nan"])
def test_a_mesh_without_faces_or_with_nan_vertices_says_so(broken):
    mesh = tube()
    vertices, faces = mesh.vertices.copy(), mesh.faces
    if broken == "empty":
        faces = faces[:0]
    else:
        vertices[3] = np.nan
    with pytest.raises(MeshError, match="can't be unwrapped"):
        unwrap(trimesh.Trimesh(vertices, faces, process=False))
