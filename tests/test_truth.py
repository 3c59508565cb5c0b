"""The ground truth is what it says: girths from the size table, open labelled sheets, photos that fit the geometry."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d.camera import photo_camera, project
from tests.truth import (
    CLASSES,
    canonical_loops,
    canonical_mesh,
    make_garment,
    make_photo,
    neckline_px,
    openings_px,
    truth_set,
)
from tests.truth.bundled import examples, photograph
from tests.truth.sections import half_axes, perimeter, superellipse
from tests.truth.sizes import SIZES

SEEDS = (0, 1)
STEP_CM = 1.1
"""Coarser meshes than the set's own keep these tests quick; what they assert does not depend on the step."""
CASES = list(itertools.product(CLASSES, SEEDS))


@cache
def garment(name: str, seed: int, plain: bool = False):
    return make_garment(name, seed, plain, step_cm=STEP_CM)


@cache
def masked(name: str, seed: int):
    return make_photo(garment(name, seed), seed, photo=False)


def test_a_circular_section_has_the_circumference_of_a_circle() -> None:
    assert perimeter(superellipse(3.0, 3.0, 3.0, 2.0)) == pytest.approx(2 * np.pi * 3, rel=1e-4)
    width, front, back = half_axes(100.0, 1.6, 0.1, 2.4)
    assert perimeter(superellipse(width, front, back, 2.4)) == pytest.approx(100, rel=1e-3)
    assert (width / ((front + back) / 2), front / back) == (pytest.approx(1.6), pytest.approx(1.1 / 0.9))


def test_the_size_table_grows_with_its_letters() -> None:
    for sex in ("women", "men"):
        rows = np.array([SIZES[sex, letter] for letter in ("S", "M", "L", "XL")])
        assert (np.diff(rows, axis=0) > 0).all()


def section_length(mesh: trimesh.Trimesh, origin: np.ndarray, normal: np.ndarray, faces: np.ndarray) -> float:
    part = trimesh.Trimesh(mesh.vertices, mesh.faces[faces], process=False)
    segments = trimesh.intersections.mesh_plane(part, normal, origin)
    return float(np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum())


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_the_plain_mesh_has_the_girths_that_the_table_asks_for(name: str, seed: int) -> None:
    plain = garment(name, seed, plain=True)
    measured = 0
    for girth in plain.girths:
        if girth.limb:
            limb = plain.pattern.limbs[girth.limb - 1]
            origin, normal = limb.curve(np.array(girth.at)), limb.tangent(np.array(girth.at))
            faces = np.flatnonzero(plain.panel == girth.limb + 1)
        elif girth.name == "chest" and "cuff_l" in plain.loops:
            continue  # The sleeves open into the body there.
        else:
            origin, normal = np.array([0, girth.at, 0]), np.array([0.0, 1, 0])
            faces = np.flatnonzero(plain.panel <= 1)
        if name == "trousers" and girth.name == "hip":
            continue  # The legs' blend widens the lower hip; the leg and the waist carry the check.
        if girth.name == "hem":
            continue  # The hem is cut at this very height.
        # A limb tapers a little between the place measured and its end.
        tolerance = 0.025 if girth.limb else 0.004
        assert section_length(plain.mesh, origin, normal, faces) == pytest.approx(girth.cm, rel=tolerance), girth
        measured += 1
    assert measured >= 1


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_a_garment_is_one_open_sheet_with_outward_faces(name: str, seed: int) -> None:
    mesh = garment(name, seed).mesh
    edges, uses = np.unique(np.sort(mesh.edges, 1), axis=0, return_counts=True)
    assert set(uses) == {1, 2}
    assert mesh.is_winding_consistent
    assert mesh.body_count == 1
    assert len(np.unique(mesh.faces)) == len(mesh.vertices)
    assert len(mesh.vertices) - len(edges) + len(mesh.faces) == 2 - len(garment(name, seed).loops)
    assert mesh.area_faces.min() > 1e-7
    smooth = mesh.vertex_normals[mesh.faces].mean(1)
    assert ((smooth * mesh.face_normals).sum(1) > 0).all()
    # Outward: whatever lies in front of the spine faces forward on average, and the flux is that of a solid.
    front = garment(name, seed).panel == 0
    assert mesh.face_normals[front][:, 2].mean() > 0.4
    assert mesh.volume > 0


EXPECTED = {
    "tee": [{"neck", "hem", "cuff_l", "cuff_r"}],
    "longsleeve": [{"neck", "hem", "cuff_l", "cuff_r"}],
    "top": [{"neck", "hem", "armhole_l", "armhole_r"}],
    "dress": [{"neck", "hem", "cuff_l", "cuff_r"}, {"neck", "hem", "armhole_l", "armhole_r"}],
    "skirt": [{"waist", "hem"}],
    "trousers": [{"waist", "leg_l", "leg_r"}],
}


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_loops_are_the_boundary_and_lie_where_their_names_say(name: str, seed: int) -> None:
    case = garment(name, seed)
    assert set(case.loops) in EXPECTED[name]
    edges, uses = np.unique(np.sort(case.mesh.edges, 1), axis=0, return_counts=True)
    border = {tuple(edge) for edge in edges[uses == 1].tolist()}
    walked = [np.sort(np.stack([loop, np.roll(loop, -1)], 1), 1) for loop in case.loops.values()]
    assert {tuple(edge) for edge in np.concatenate(walked).tolist()} == border
    middle = {loop: case.mesh.vertices[index].mean(0) for loop, index in case.loops.items()}
    for loop, point in middle.items():
        assert point[0] * {"l": 1, "r": -1}.get(loop.rpartition("_")[2], 0) >= 0
    top = middle.get("neck", middle.get("waist"))
    assert all(top[1] > point[1] for loop, point in middle.items() if loop not in ("neck", "waist"))


@pytest.mark.parametrize("name", CLASSES)
def test_edges_of_a_plain_garment_lie_where_they_were_cut(name: str) -> None:
    plain = garment(name, 0, plain=True)
    for cut in plain.pattern.cuts:
        points = np.asarray(plain.mesh.vertices)[plain.loops[cut.name]]
        slope = [(cut.field(points + step) - cut.field(points - step)) / 0.04 for step in 0.02 * np.eye(3)]
        assert (np.abs(cut.field(points)) / np.linalg.norm(slope, axis=0)).max() < 0.4 * STEP_CM, cut.name


def test_folds_move_a_hem_by_little_even_where_the_skirt_is_wide() -> None:
    for seed in (3, 7):
        case = make_garment("dress", seed, step_cm=1.2)
        hem = np.asarray(case.mesh.vertices)[case.loops["hem"]]
        assert np.ptp(hem[:, 1]) < 4 and np.ptp(hem[:, 0]) > 50


def test_the_bundled_photo_is_what_the_generator_makes() -> None:
    folder = Path(__file__).parents[1] / "workflows" / "inputs"
    for example in examples():
        path = folder / f"{example.name}.jpg"
        assert path.stat().st_size < 250_000
        assert Image.open(path).size == (864, 1152)
    skirt = next(example for example in examples() if example.name == "skirt")
    made, kept = photograph(skirt).astype(float), np.asarray(Image.open(folder / "skirt.jpg"), float)
    assert np.abs(made - kept).mean() < 3


def covered(mesh_px: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether each point lies in any triangle, by the signs of three cross products."""
    a, b, c = (mesh_px[faces[:, i]] for i in range(3))
    result = np.zeros(len(points), bool)
    for i, p in enumerate(points):
        near = (np.minimum(np.minimum(a, b), c) <= p).all(1) & (np.maximum(np.maximum(a, b), c) >= p).all(1)
        sides = [
            (q[near, 0] - o[near, 0]) * (p[1] - o[near, 1]) - (q[near, 1] - o[near, 1]) * (p[0] - o[near, 0])
            for o, q in ((a, b), (b, c), (c, a))
        ]
        result[i] = (np.sign(sides).min(0) >= 0).any() or (np.sign(sides).max(0) <= 0).any()
    return result


@pytest.mark.parametrize("name", CLASSES)
def test_the_mask_is_the_projected_silhouette(name: str) -> None:
    case, shot = garment(name, 0), masked(name, 0)
    points = np.asarray(case.mesh.vertices)
    place = np.array(shot.origin_px) + shot.px_per_cm * points[:, :2] * [1, -1]
    rng = np.random.default_rng(0)
    partial = np.argwhere((shot.soft > 0) & (shot.soft < 1))
    anywhere = rng.integers(0, shot.soft.shape, (60, 2))
    chosen = np.concatenate([partial[rng.choice(len(partial), 60)], anywhere])
    for row, column in chosen:
        samples = np.array([[column + dx, row + dy] for dy in (0.25, 0.75) for dx in (0.25, 0.75)])
        assert covered(place, case.mesh.faces, samples).mean() == pytest.approx(shot.soft[row, column], abs=0.26)


@pytest.mark.parametrize("name", CLASSES)
def test_the_canonical_mesh_projects_onto_its_photo(name: str) -> None:
    case, shot = garment(name, 1), masked(name, 1)
    mesh, camera = canonical_mesh(case, shot), photo_camera(shot.soft)
    place, _ = project(camera, np.asarray(mesh.vertices))
    points = np.asarray(case.mesh.vertices)
    expected = np.array(shot.origin_px) + shot.px_per_cm * points[:, :2] * [1, -1]
    np.testing.assert_allclose(place, expected, atol=1e-6)
    assert np.abs(mesh.bounds[:, :2]).max() == pytest.approx(0.5, abs=2 / camera.focal_px)
    assert mesh.bounds[:, 2].sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(mesh.extents / case.mesh.extents, shot.px_per_cm / camera.focal_px, rtol=1e-9)
    loops = canonical_loops(case, shot)
    ends = openings_px(case, shot)
    assert set(loops) == set(ends) == set(case.loops)
    for loop, points in loops.items():
        picture, _ = project(camera, points)
        for end in ends[loop]:
            assert np.linalg.norm(picture - end, axis=1).min() < 1e-6


@pytest.mark.parametrize("name", ["tee", "longsleeve", "top", "dress"])
def test_the_inside_of_the_back_collar_is_seen_through_the_neck(name: str) -> None:
    case, shot = garment(name, 0), masked(name, 0)
    front = neckline_px(case, shot)
    left, right = openings_px(case, shot)["neck"]
    assert front[0] == pytest.approx(left) and front[-1] == pytest.approx(right)
    middle = (left + right) / 2
    lowest = front[np.argmin(np.abs(front[:, 0] - middle[0]))]
    assert lowest[1] > middle[1] + 3 * shot.px_per_cm
    # Just above the front edge the first thing that the camera meets is a face seen from inside.
    above = lowest - [0, 1.0 * shot.px_per_cm]
    x, y = (above - shot.origin_px) / shot.px_per_cm * [1, -1]
    corners = np.asarray(case.mesh.triangles)
    hit = covered_faces(corners, np.array([x, y]))
    nearest = hit[corners[hit][..., 2].mean(1).argmax()]
    assert case.mesh.face_normals[nearest, 2] < 0


def covered_faces(corners: np.ndarray, point: np.ndarray) -> np.ndarray:
    sides = []
    for i in range(3):
        o, q = corners[:, i, :2], corners[:, (i + 1) % 3, :2]
        sides.append((q[:, 0] - o[:, 0]) * (point[1] - o[:, 1]) - (q[:, 1] - o[:, 1]) * (point[0] - o[:, 0]))
    return np.flatnonzero((np.min(sides, 0) >= 0) | (np.max(sides, 0) <= 0))


def test_the_same_seed_gives_the_same_garment_and_photo() -> None:
    first, again, other = (make_garment("tee", seed, step_cm=1.6) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.mesh.vertices, again.mesh.vertices)
    assert first.mesh.vertices.shape != other.mesh.vertices.shape
    np.testing.assert_array_equal(make_photo(first, 5).rgb, make_photo(again, 5).rgb)


def test_the_set_covers_all_classes_backgrounds_and_white_on_near_white() -> None:
    rows = list(truth_set(12, hw=(192, 144), step_cm=1.6))
    assert [row.garment.garment_class for row in rows] == list(CLASSES) * 2
    assert len({row.photo.background for row in rows}) >= 3
    white = rows[3].photo
    assert white.background == "near_white"
    cloth, ground = white.rgb[white.soft == 1].mean(), white.rgb[white.soft == 0].mean()
    assert cloth > 190 and ground > 235
    for row in rows:
        assert row.photo.rgb.shape == (192, 144, 3) and row.photo.rgb.dtype == np.uint8
        assert 0.05 < row.photo.soft.mean() < 0.8
        assert row.photo.soft[[0, -1]].max() == 0 == row.photo.soft[:, [0, -1]].max()


def test_the_back_photo_is_the_mirrored_silhouette_of_the_same_garment() -> None:
    case = garment("tee", 0)
    front, back = (make_photo(case, 0, photo=False, side=side).soft for side in ("front", "back"))
    assert np.abs(front - back[:, ::-1]).mean() < 0.25
    box = [np.flatnonzero(mask.any(0))[[0, -1]] for mask in (front, back)]
    np.testing.assert_allclose(box[0], box[1], atol=1)
