"""The parts of a fit, each against a closed form: bending, matching, repair, roughness and the garment's middle."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from garment3d.crossings import crossing_faces, folded_faces
from garment3d.garment.fit.cloth import Cloth, cloth_of, normals
from garment3d.garment.fit.match import matched, samples_of
from garment3d.garment.fit.mirror import middle_of
from garment3d.garment.fit.repair import repaired
from garment3d.garment.fit.roughness import FINEST, finest_reach, roughness
from garment3d.garment.fit.solve import Pull, pulled
from tests import solids


def sheet(count: int = 41, side: float = 1.0) -> Cloth:
    x, y = np.meshgrid(*[np.linspace(-side / 2, side / 2, count)] * 2)
    i = np.arange(count * count).reshape(count, count)
    a, b, c, d = i[:-1, :-1].ravel(), i[:-1, 1:].ravel(), i[1:, 1:].ravel(), i[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return cloth_of(trimesh.Trimesh(np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()]), faces, process=False))


def test_cloth_knows_its_lips_its_area_and_its_faces():
    mesh = solids.tube()
    split = trimesh.Trimesh(mesh.vertices[mesh.faces.ravel()], np.arange(mesh.faces.size).reshape(-1, 3), process=False)
    cloth = cloth_of(split)
    assert np.allclose(cloth.points[cloth.place], split.vertices)
    assert cloth.area.sum() == pytest.approx(mesh.area, rel=1e-6)
    ends = np.abs(np.abs(cloth.points[:, 1]) - np.abs(mesh.vertices[:, 1]).max()) < 1e-6
    assert np.array_equal(cloth.lip, ends)
    outward = cloth.points * [1, 0, 1] / np.linalg.norm(cloth.points * [1, 0, 1], axis=1, keepdims=True)
    assert (normals(cloth.points, cloth.faces) * outward).sum(1).min() > 0.99


def test_a_wave_is_damped_as_its_length_says():
    cloth, reach = sheet(61), 0.05
    held = np.zeros(len(cloth.points), bool)
    for wavelength in (0.25, 0.5):
        k = 2 * np.pi / wavelength
        wave = np.cos(k * (cloth.points[:, 0] + 0.5))
        wanted = np.column_stack([0 * wave, 0 * wave, 0.01 * wave])
        depth = pulled(cloth, Pull(wanted, np.ones(len(wave))), reach, held)[:, 2]
        inner = np.abs(cloth.points[:, 1]) < 0.3
        gain = (depth * wave)[inner].sum() / (0.01 * wave * wave)[inner].sum()
        assert gain == pytest.approx(1 / (1 + (k * reach) ** 4), abs=0.04)


def test_what_has_no_match_follows_its_surroundings():
    cloth = sheet()
    middle = np.linalg.norm(cloth.points[:, :2], axis=1) < 0.15
    wanted = np.tile([0.0, 0.0, 0.1], (len(cloth.points), 1))
    wanted[middle] = 5.0
    moved = pulled(cloth, Pull(wanted, np.where(middle, 0.0, 1.0)), 0.02, np.zeros(len(middle), bool))
    assert np.abs(moved - [0, 0, 0.1]).max() < 0.01


def test_held_vertices_keep_their_place_in_the_photo():
    cloth = sheet()
    wanted = np.tile([0.1, 0.1, 0.1], (len(cloth.points), 1))
    moved = pulled(cloth, Pull(wanted, np.ones(len(wanted))), 0.02, cloth.lip)
    assert not moved[cloth.lip, :2].any() and np.abs(moved[:, 2] - 0.1).max() < 1e-3


def test_a_match_faces_the_same_way():
    box = trimesh.creation.box((1.0, 1.0, 0.1)).subdivide().subdivide()
    target = samples_of(np.asarray(box.vertices), np.asarray(box.faces), 20_000).by_facing(0.12)
    points = np.array([[0.0, 0.0, 0.02], [0.0, 0.0, 0.02], [0.0, 0.0, 0.02]])
    facing = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    match = matched(points, facing, target, 0.2)
    assert match.point[0, 2] == pytest.approx(0.05) and match.point[1, 2] == pytest.approx(-0.05)
    assert match.weight[0] == match.weight[1] > 0.9 and match.weight[2] == 0


def tube_cloth() -> Cloth:
    return cloth_of(solids.tube())


@pytest.mark.parametrize("push", [0.02, 0.7])
def test_folds_and_crossings_are_taken_out(push):
    cloth = tube_cloth()
    front = np.flatnonzero(cloth.points[:, 2] > 0)
    tip = front[np.linalg.norm(cloth.points[front] - [0, 0, 0.3], axis=1).argmin()]
    spoilt = cloth.points.copy()
    near = np.linalg.norm(cloth.points - cloth.points[tip], axis=1)
    spoilt -= np.array([0.1, 0.1, push]) * np.where(near < 0.08, 1.0, 0.0)[:, None]
    mesh = trimesh.Trimesh(spoilt, cloth.faces, process=False)
    assert (crossing_faces(mesh) | folded_faces(mesh)).any()
    mended = repaired(cloth, spoilt, np.zeros(len(spoilt), bool))
    mesh = trimesh.Trimesh(mended, cloth.faces, process=False)
    assert not (crossing_faces(mesh) | folded_faces(mesh)).any()
    far = near > 0.4
    assert np.array_equal(mended[far], spoilt[far])


def test_sound_cloth_is_left_alone():
    cloth = tube_cloth()
    assert repaired(cloth, cloth.points, cloth.lip) is cloth.points


def test_roughness_is_what_the_outline_strays_by():
    cloth = tube_cloth()
    height = np.ptp(cloth.points[:, 1])
    wide = cloth.points * [1.02, 1, 1]
    assert roughness(cloth, samples_of(wide, cloth.faces)) < 0.0005 * height
    # For a cosine the median of its size stands for its rms, and roughness takes it as a normal distribution's.
    angle = np.arctan2(cloth.points[:, 2], cloth.points[:, 0])
    wave = 0.01 * np.sqrt(2) * np.cos(40 * cloth.points[:, 1]) * np.cos(angle)
    rough = cloth.points + (wave / np.hypot(cloth.points[:, 0], cloth.points[:, 2]))[:, None] * cloth.points * [1, 0, 1]
    assert roughness(cloth, samples_of(rough, cloth.faces)) == pytest.approx(0.01 * 1.4826, rel=0.15)


def test_smoothness_steers_around_the_automatic_choice():
    assert finest_reach(0.0, 0.5) == FINEST
    reaches = [finest_reach(0.01, s) for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert reaches == sorted(reaches) and reaches[-1] == pytest.approx(16 * reaches[0])


def test_the_middle_is_where_left_and_right_agree():
    y = np.linspace(-0.5, 0.5, 200)
    half = 0.2 + 0.1 * y
    outline = np.concatenate([np.column_stack([0.03 + half, y]), np.column_stack([0.03 - half, y])])
    stray = np.column_stack([np.linspace(0.2, 0.4, 20), np.full(20, 0.5)])
    assert middle_of(np.concatenate([outline, stray])) == pytest.approx(0.03, abs=1e-3)
