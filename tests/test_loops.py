"""Boundary loops and their names on solids, on garments put together from boxes, and on the ground truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import trimesh

from garment3d.camera import photo_camera, project
from garment3d.garment.loops import anchor, boundary_loops, name_loops, openings
from tests.solids import cube, sphere, tube
from tests.truth import CLASSES, canonical_mesh, make_garment, make_photo, openings_px


def length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.roll(points, -1, 0) - points, axis=1).sum())


def ring(centre: tuple[float, float, float], size: tuple[float, float, float], count: int = 24) -> np.ndarray:
    """[count,3] an ellipse round `centre`; the axis of `size` that is zero is the way through it."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    across = [axis for axis in range(3) if size[axis]]
    points = np.tile(np.array(centre, float), (count, 1))
    for axis, wave in zip(across, (np.cos(angle), np.sin(angle)), strict=True):
        points[:, axis] += size[axis] / 2 * wave
    return points


def voxels(cells: set[tuple[int, int]], open_sides: set[tuple[int, int, int, int]]) -> trimesh.Trimesh:
    """The skin of unit boxes at (column, row), row upwards; (column, row, dx, dy) names a side left open."""
    quads = []
    for x, y in cells:
        low, high = np.array([x, y, 0.0]), np.array([x + 1, y + 1, 1.0])
        c = [[(low, high)[i >> k & 1][k] for k in range(3)] for i in range(8)]
        quads += [[c[4], c[5], c[7], c[6]], [c[0], c[2], c[3], c[1]]]  # front, back
        sides = {
            (1, 0): [c[1], c[3], c[7], c[5]],
            (-1, 0): [c[0], c[4], c[6], c[2]],
            (0, 1): [c[2], c[6], c[7], c[3]],
            (0, -1): [c[0], c[1], c[5], c[4]],
        }
        quads += [q for (dx, dy), q in sides.items() if (x + dx, y + dy) not in cells | {(x, y)}
                  and (x, y, dx, dy) not in open_sides]  # fmt: skip
    corners = np.array(quads).reshape(-1, 3)
    faces = (np.arange(len(quads))[:, None, None] * 4 + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    return trimesh.Trimesh(corners, faces, process=False)


BODY = {(x, y) for x in (-2, -1, 0, 1, 2) for y in range(8)}
ARMS = {(x, y) for x in (-6, -5, -4, -3, 3, 4, 5, 6) for y in (6, 7)}
HEM = {(x, 0, 0, -1) for x in range(-2, 3)}
NECK = {(x, 7, 0, 1) for x in (-1, 0, 1)}
CUFFS = {(6, y, 1, 0) for y in (6, 7)} | {(-6, y, -1, 0) for y in (6, 7)}
LEGS = {(x, y) for x in (-3, -2, 2, 3) for y in range(8)} | {(x, y) for x in range(-3, 4) for y in (8, 9, 10)}
LEG_ENDS = {(x, 0, 0, -1) for x in (-3, -2, 2, 3)}
WAIST = {(x, 10, 0, 1) for x in range(-3, 4)}
BOXES = {
    "tee": (voxels(BODY | ARMS, HEM | NECK | CUFFS), {"neck", "hem", "cuff_l", "cuff_r"}),
    "skirt": (voxels(BODY, HEM | {(x, 7, 0, 1) for x in range(-2, 3)}), {"waist", "hem"}),
    "trousers": (voxels(LEGS, LEG_ENDS | WAIST), {"waist", "leg_l", "leg_r"}),
}


@pytest.mark.parametrize("name", BOXES)
def test_a_garment_of_boxes_has_its_openings_on_the_side_they_were_left(name: str) -> None:
    mesh, expected = BOXES[name]
    found = {o.name: np.array(o.anchor) for o in openings(mesh)}
    assert set(found) == expected and len(openings(mesh)) == len(expected)
    for opening, place in found.items():
        side = {"l": 1, "r": -1}.get(opening.rpartition("_")[2], 0)
        assert np.sign(round(place[0] - 0.5, 6)) == side
        assert place[2] == pytest.approx(0.5)
    top = found.get("neck", found.get("waist"))
    assert top[1] == mesh.bounds[1, 1]


def test_a_box_tee_s_loops_are_as_long_as_the_openings_cut() -> None:
    mesh, _ = BOXES["tee"]
    lengths = sorted(length(np.asarray(mesh.vertices)[loop]) for loop in boundary_loops(mesh))
    assert lengths == pytest.approx([6, 6, 8, 12])  # cuffs 2·(2+1), neck 2·(3+1), hem 2·(5+1)


def test_a_tube_has_two_rings_at_its_ends_although_its_texture_splits_it() -> None:
    mesh = tube(radius=0.3, height=0.8, around=48, rows=6)
    loops = [np.asarray(mesh.vertices)[loop] for loop in boundary_loops(mesh)]
    assert len(loops) == 2
    for points in loops:
        assert len(points) == 48
        assert length(points) == pytest.approx(2 * np.pi * 0.3, rel=0.01)
        assert np.ptp(points[:, 1]) < 1e-9 and abs(points[0, 1]) == pytest.approx(0.4)


@pytest.mark.parametrize("solid", [sphere(0.4, 12), cube()])
def test_a_closed_mesh_has_no_openings(solid: trimesh.Trimesh) -> None:
    assert boundary_loops(solid) == [] and openings(solid) == ()


def without_area(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    faces = np.asarray(mesh.faces)
    return trimesh.Trimesh(mesh.vertices, np.concatenate([faces, faces[:5, [0, 0, 1]]]), process=False)


def test_faces_of_one_edge_open_nothing() -> None:
    mesh, expected = BOXES["tee"]
    assert {o.name for o in openings(without_area(mesh))} == expected


def test_loops_that_touch_in_a_point_are_walked_edge_for_edge() -> None:
    """A sheet of 4×4 squares without two that meet corner to corner: every border edge once, and rings closed."""
    number = np.arange(25).reshape(5, 5)
    quads = [(x, y) for x in range(4) for y in range(4) if (x, y) not in ((1, 1), (2, 2))]
    faces = [
        f for x, y in quads
        for f in ([number[y, x], number[y, x + 1], number[y + 1, x + 1]],
                  [number[y, x], number[y + 1, x + 1], number[y + 1, x]])
    ]  # fmt: skip
    points = np.array([[x, y, 0.0] for y in range(5) for x in range(5)])
    loops = boundary_loops(trimesh.Trimesh(points, faces, process=False))
    steps = [np.stack([loop, np.roll(loop, -1)], 1) for loop in loops]
    edges = np.sort(np.concatenate(steps), 1)
    assert len(np.unique(edges, axis=0)) == len(edges) == 16 + 8
    np.testing.assert_allclose(np.linalg.norm(np.diff(points[edges], axis=1), axis=-1), 1)


def test_the_longest_loop_comes_first() -> None:
    for mesh, _ in BOXES.values():
        lengths = [length(np.asarray(mesh.vertices)[loop]) for loop in boundary_loops(mesh)]
        assert lengths == sorted(lengths, reverse=True)


TALL = np.array([[-0.3, -0.5, -0.1], [0.3, 0.5, 0.1]])
RINGS = {
    "neck": ring((0, 0.48, 0), (0.2, 0, 0.15)),
    "hem": ring((0, -0.5, 0), (0.5, 0, 0.2)),
    "armhole_l": ring((0.24, 0.38, 0), (0, 0.22, 0.1)),
    "armhole_r": ring((-0.24, 0.38, 0), (0, 0.22, 0.1)),
    "cuff_l": ring((0.3, 0.0, 0), (0, 0.12, 0.1)),
    "cuff_r": ring((-0.3, 0.0, 0), (0, 0.12, 0.1)),
    "hole": ring((0.05, 0.1, 0.1), (0.01, 0.01, 0)),
}


@pytest.mark.parametrize(
    "wanted",
    [
        ("neck", "hem", "cuff_l", "cuff_r"),
        ("neck", "hem", "armhole_l", "armhole_r"),
        ("neck", "hem", "cuff_l", "cuff_r", "armhole_l", "armhole_r"),
        ("neck", "hem", "cuff_l", "cuff_r", "hole"),
    ],
)
def test_loops_are_named_by_where_they_are_in_any_order(wanted: tuple[str, ...]) -> None:
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(wanted))
        mixed = [wanted[i] for i in order]
        assert name_loops([RINGS[name] for name in mixed], TALL) == mixed


def test_names_follow_the_garment_when_it_is_scaled_or_mirrored() -> None:
    names = ["neck", "hem", "cuff_l", "cuff_r"]
    scaled = [7 * RINGS[n] + [1, 2, 3] for n in names]
    assert name_loops(scaled, 7 * TALL + [1, 2, 3]) == names
    mirrored = [RINGS[n] * [-1, 1, 1] for n in names]
    assert name_loops(mirrored, TALL) == ["neck", "hem", "cuff_r", "cuff_l"]


def test_no_loops_have_no_names() -> None:
    assert name_loops([], TALL) == []


@cache
def truth(garment_class: str, seed: int) -> trimesh.Trimesh:
    garment = make_garment(garment_class, seed, step_cm=2.0)
    photo = make_photo(garment, seed, (320, 240), photo=False)
    return canonical_mesh(garment, photo)


@pytest.mark.parametrize("garment_class", CLASSES)
@pytest.mark.parametrize("seed", range(4))
def test_ground_truth_loops_are_found_where_they_are_under_their_names(garment_class: str, seed: int) -> None:
    garment = make_garment(garment_class, seed, step_cm=2.0)
    photo = make_photo(garment, seed, (320, 240), photo=False)
    mesh, camera = canonical_mesh(garment, photo), photo_camera(photo.soft)
    found = {o.name: o.anchor for o in openings(mesh)}
    assert set(found) == set(garment.loops) and len(openings(mesh)) == len(garment.loops)
    height_px = np.ptp(mesh.vertices[:, 1]) * camera.focal_px
    for name, ends in openings_px(garment, photo).items():
        at_px = project(camera, np.array(found[name])[None])[0][0]
        assert np.linalg.norm(at_px - np.mean(ends, 0)) < 0.05 * height_px, name


def test_an_anchor_is_the_middle_of_the_ends_however_deep_the_lip_dips() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    dip = np.where(np.sin(angle) > 0, 0.8, 0.1) * np.abs(np.sin(angle))
    loop = np.stack([0.3 + np.cos(angle), 2 - dip, 0.5 * np.sin(angle)], 1)
    np.testing.assert_allclose(anchor(loop), [0.3, 2, 0], atol=0.02)


def test_the_anchor_of_a_loop_without_depth_is_its_mean() -> None:
    square = np.array([[0, 0, 1], [2, 0, 1], [2, 1, 1], [0, 1, 1.0]])
    np.testing.assert_allclose(anchor(square), [1, 0.5, 1])


@pytest.mark.parametrize("garment_class", CLASSES)
def test_corners_split_for_a_texture_change_nothing(garment_class: str) -> None:
    mesh = truth(garment_class, 0)
    apart = trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)
    whole, split = openings(mesh), openings(apart)
    assert [o.name for o in whole] == [o.name for o in split]
    np.testing.assert_allclose([o.anchor for o in split], [o.anchor for o in whole], atol=1e-9)
