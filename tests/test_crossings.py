from itertools import combinations

import numpy as np
import pytest
import trimesh

from garment3d.crossings import crossing_faces, folded_faces
from garment3d.errors import MeshError
from tests import solids
from tests.truth import canonical_mesh, make_garment, make_photo


def mesh(vertices, faces):
    return trimesh.Trimesh(np.asarray(vertices, float), np.asarray(faces), process=False)


def together(*meshes):
    return trimesh.util.concatenate(list(meshes))


def square(size=1.0):
    corners = size * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    return mesh(corners, [[0, 1, 2], [0, 2, 3]])


def turned(source, degrees, axis, shift=(0, 0, 0)):
    matrix = trimesh.transformations.rotation_matrix(np.radians(degrees), axis)
    return source.copy().apply_transform(matrix).apply_translation(shift)


def exactly_crossing(corners):
    """[F] bool by integer determinants: an edge of one triangle goes through the other; for general position."""

    def det(a, b, c, d):
        (x, y, z), (p, q, r), (u, v, w) = ([int(k - o) for k, o in zip(e, d, strict=True)] for e in (a, b, c))
        return x * (q * w - r * v) - y * (p * w - r * u) + z * (p * v - q * u)

    def pierces(p, q, a, b, c):
        if (det(a, b, c, p) > 0) == (det(a, b, c, q) > 0):
            return False
        return len({det(p, q, *edge) > 0 for edge in ((a, b), (b, c), (c, a))}) == 1

    result = np.zeros(len(corners), bool)
    for i, j in combinations(range(len(corners)), 2):
        one, two = corners[i], corners[j]
        if any(pierces(*e, *two) for e in combinations(one, 2)) or any(pierces(*e, *one) for e in combinations(two, 2)):
            result[[i, j]] = True
    return result


@pytest.mark.parametrize("reach", [30, 200, 1000])
def test_random_triangles_against_exact_integers(reach):
    random = np.random.default_rng(reach)
    middle = random.integers(-1000, 1000, (120, 1, 3))
    corners = middle + random.integers(-reach, reach, (120, 3, 3)) * random.integers(1, 4, (120, 1, 1))
    found = crossing_faces(mesh(corners.reshape(-1, 3), np.arange(360).reshape(-1, 3)))
    truth = exactly_crossing(corners.tolist())
    assert np.array_equal(found, truth)
    assert reach == 30 or truth.any()


def test_triangles_of_very_different_sizes():
    grid = solids.plane(np.zeros((4, 4, 3), np.uint8), divisions=80)
    needle = mesh([[0.1, 0.111, -5], [0.1003, 0.1112, -5], [0.1001, 0.1113, 5]], [[0, 1, 2]])
    wall = turned(square(40.0), 90, [0, 1, 0], (-0.31, 0, 0))
    found = crossing_faces(together(grid, needle, wall))
    points = grid.vertices[grid.faces][..., 0]
    assert np.array_equal(
        found[:-3], ((points.min(1) < -0.31) & (points.max(1) > -0.31)) | found[:-3] & (points > 0).any(1)
    )
    assert 1 <= found[:-3][(points > 0).any(1)].sum() <= 2 and found[-3:].all()


def test_solids_do_not_cross_themselves():
    for solid in (solids.sphere(), solids.tube(), solids.cube(), trimesh.creation.torus(0.4, 0.1)):
        assert not crossing_faces(solid).any() and not folded_faces(solid).any()


def test_crossing_tetrahedra():
    one = mesh([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]], [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    # A small one sits astride the slanted side of the large one, clear of the other three.
    two = mesh(np.array([[0, 0, 0], [1, 0.1, 0], [0, 1, 0.1], [0.1, 0, 1]]) + 1.1, one.faces)
    assert crossing_faces(together(one, two)).tolist() == [False, False, False, True, True, True, True, False]
    apart = two.copy().apply_translation([1, 1, 1])
    assert not crossing_faces(together(one, apart)).any()


def test_a_ribbon_that_runs_through_itself():
    count = 44
    t = 2 * np.pi * (np.arange(count) + 0.5) / count
    line = np.stack([np.sin(t), np.zeros(count), np.sin(2 * t) / 2], 1)
    points = np.concatenate([line, line + np.array([0, 1, 0])])
    a = np.arange(count)
    b = (a + 1) % count
    ribbon = mesh(points, np.concatenate([np.stack([a, b, b + count], 1), np.stack([a, b + count, a + count], 1)]))
    x, z = line[a], line[b]
    through = x[:, 0] * z[:, 0] <= 0
    assert through.sum() == 2
    assert np.array_equal(crossing_faces(ribbon), np.tile(through, 2))


def test_a_twisted_strip_does_not_cross():
    s, t, faces = solids.grid(4, 90)
    angle, twist = 2 * np.pi * s, np.pi * s
    out = 1 + (t - 0.5) * 0.5 * np.cos(twist)
    strip = mesh(np.stack([out * np.cos(angle), (t - 0.5) * 0.5 * np.sin(twist), out * np.sin(angle)], 1), faces)
    assert not crossing_faces(strip).any() and not folded_faces(strip).any()


def test_overlap_in_one_plane_counts_and_touching_does_not():
    one = square()
    assert crossing_faces(together(one, one.copy().apply_translation([0.5, 0.4, 0]))).all()
    assert crossing_faces(together(one, turned(square(0.3), 0, [0, 0, 1]))).all()
    for beside in ([2, 0, 0], [2, 0.7, 0], [0, 0, 0.01], [2, 2, 0]):
        assert not crossing_faces(together(one, one.copy().apply_translation(beside))).any()
    standing = turned(square(0.5), 90, [1, 0, 0], (0, 0, 0.5))
    assert not crossing_faces(together(one, turned(square(1.0), 90, [0, 1, 0], (1, 0, 1)))).any()
    assert not crossing_faces(together(one, standing.apply_translation([0, 0, 1e-6]))).any()


@pytest.mark.parametrize(("degrees", "crossing"), [(0, False), (90, False), (179, False), (180, True)])
def test_two_faces_folded_along_their_edge(degrees, crossing):
    angle = np.radians(degrees)
    far = [-np.cos(angle), 0, np.sin(angle)]
    fold = mesh([[0, -1, 0], [0, 1, 0], [1, 0, 0], far], [[0, 2, 1], [0, 1, 3]])
    assert crossing_faces(fold).tolist() == [crossing] * 2


def test_faces_that_share_a_corner():
    apex = [0, 0, 0]
    flat = [[2, -1, 0], [2, 1, 0]]
    through = mesh([apex, *flat, [2, 0, -1], [2, 0.2, 1]], [[0, 1, 2], [0, 3, 4]])
    beside = mesh([apex, *flat, [-2, 0, -1], [-2, 0.2, 1]], [[0, 1, 2], [0, 3, 4]])
    assert crossing_faces(through).all() and not crossing_faces(beside).any()


def test_a_sheet_pierced_exactly_along_an_edge():
    sheet, wall = square(), turned(square(0.5), 90, [1, 0, 0])
    wall = turned(wall, 45, [0, 0, 1])  # along the sheet's diagonal
    found = crossing_faces(together(sheet, wall))
    assert found[:2].any() and found[2:].all()


def test_seams_split_by_uv_do_not_count():
    tube = solids.tube()
    loose = mesh(tube.vertices[tube.faces].reshape(-1, 3), np.arange(tube.faces.size).reshape(-1, 3))
    assert not crossing_faces(loose).any() and not folded_faces(loose).any()


def test_faces_turned_over_in_a_sheet_are_folded():
    sheet = solids.plane(np.zeros((4, 4, 3), np.uint8), divisions=30)
    points, random = np.array(sheet.vertices), np.random.default_rng(1)
    inner = np.flatnonzero(np.abs(points[:, :2]).max(1) < 0.4)
    dragged = random.choice(inner, 12, replace=False)
    points[dragged, :2] += random.choice([-1, 1], (12, 2)) * random.uniform(0.03, 0.05, (12, 2))
    crumpled = mesh(points, sheet.faces)
    over = crumpled.face_normals[:, 2] < 0
    assert over.sum() > 10
    assert np.array_equal(folded_faces(crumpled), over)
    assert crossing_faces(crumpled)[over].all()


def test_a_face_wound_against_its_neighbours_is_folded():
    sphere = solids.sphere(rows=12)
    faces = np.array(sphere.faces)
    faces[100] = faces[100][::-1]
    assert np.flatnonzero(folded_faces(mesh(sphere.vertices, faces))).tolist() == [100]


def test_a_garment_laid_flat_is_not_folded():
    s, t, faces = solids.grid(12, 15)
    rim = np.minimum(np.minimum(s, 1 - s), np.minimum(t, 1 - t)) == 0
    bag = []
    for depth in (0.02, -0.02):
        points = np.stack([s, t, np.where(rim, 0, depth)], 1)
        own = faces[~rim[faces].all(1)]  # the others would lie on each other
        bag.append(mesh(points, own if depth > 0 else own[:, ::-1]))
    assert not folded_faces(together(*bag)).any() and not crossing_faces(together(*bag)).any()


@pytest.mark.parametrize("garment_class", ["dress", "trousers"])
def test_true_garments_neither_cross_nor_fold(garment_class):
    garment = make_garment(garment_class, 0, step_cm=1.2)
    true = canonical_mesh(garment, make_photo(garment, 0, photo=False))
    assert not crossing_faces(true).any() and not folded_faces(true).any()


def test_faces_without_area_are_left_out_and_no_faces_are_an_error():
    flat = mesh([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0.5, -1, -1], [0.5, 1, -1], [0.5, 0, 1]], [[0, 1, 2], [3, 4, 5]])
    assert not crossing_faces(flat).any() and not folded_faces(flat).any()
    with pytest.raises(MeshError):
        crossing_faces(mesh(np.zeros((0, 3)), np.zeros((0, 3), int)))
