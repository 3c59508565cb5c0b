"""Which faces an onlooker sees, and which are inside out, on solids where both are known."""

import numpy as np
import pytest
import trimesh

from garment3d.garment.target import outer_layer

from .solids import sphere, tube


def welded(mesh):
    result = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    result.merge_vertices(merge_tex=True)
    return np.asarray(result.vertices), np.asarray(result.faces)


def layered(*parts):
    """One mesh of [vertices, faces] parts, and [F] which part each face is of."""
    vertices, faces, owner, count = [], [], [], 0
    for index, (points, triangles) in enumerate(parts):
        vertices.append(points)
        faces.append(triangles + count)
        owner.append(np.full(len(triangles), index))
        count += len(points)
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(owner)


def test_an_open_tube_is_kept_whole_though_its_inside_shows():
    vertices, faces = welded(tube())
    outer = outer_layer(vertices, faces)
    assert outer.kept.all() and not outer.flipped.any()


@pytest.mark.parametrize("inwards", [True, False])
def test_a_layer_inside_a_closed_one_is_dropped(inwards):
    ball = welded(sphere())
    vertices, faces, owner = layered(ball, (ball[0] * 0.93, ball[1][:, ::-1] if inwards else ball[1]))
    outer = outer_layer(vertices, faces)
    assert (outer.kept == (owner == 0)).all() and not outer.flipped.any()


@pytest.mark.parametrize("radius", [0.28, 0.29])
def test_the_inner_side_of_an_open_double_wall_is_dropped(radius):
    outside, inside = welded(tube(0.3, rows=40)), welded(tube(radius, rows=40))
    vertices, faces, owner = layered(outside, (inside[0], inside[1][:, ::-1]))
    loops = trimesh.grouping.group_rows(np.sort(trimesh.Trimesh(*outside, process=False).edges, 1), require_count=1)
    rim = trimesh.Trimesh(*outside, process=False).edges[loops]
    shift = len(outside[0])
    closing = np.concatenate(
        [
            np.stack([rim[:, 1], rim[:, 0], rim[:, 0] + shift], 1),
            np.stack([rim[:, 1], rim[:, 0] + shift, rim[:, 1] + shift], 1),
        ]
    )
    outer = outer_layer(vertices, np.concatenate([faces, closing]))
    kept = outer.kept[: len(owner)]
    assert kept[owner == 0].all() and kept[owner == 1].mean() < 0.1


def test_faces_wound_at_random_are_found_one_by_one():
    vertices, faces = welded(sphere())
    wrong = np.random.default_rng(0).random(len(faces)) < 0.4
    outer = outer_layer(vertices, np.where(wrong[:, None], faces[:, ::-1], faces))
    assert outer.kept.all() and (outer.flipped == wrong).all()


def test_every_part_is_turned_by_itself():
    ball = welded(sphere())
    vertices, faces, owner = layered(ball, (ball[0] + [1, 0, 0], ball[1][:, ::-1]), (ball[0] - [0, 1, 0], ball[1]))
    outer = outer_layer(vertices, faces)
    assert outer.kept.all() and (outer.flipped == (owner == 1)).all()


def test_a_twisted_band_has_no_outside_and_still_gets_an_answer():
    around = np.linspace(0, 2 * np.pi, 121)[:-1]
    across = np.linspace(-0.15, 0.15, 9)
    angle, width = np.meshgrid(around, across, indexing="ij")
    radius = 0.6 + width * np.cos(angle / 2)
    points = np.stack([radius * np.cos(angle), width * np.sin(angle / 2), radius * np.sin(angle)], -1).reshape(-1, 3)
    corner = (np.arange(120)[:, None] * 9 + np.arange(8)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 9, corner + 10], 1), np.stack([corner, corner + 10, corner + 1], 1)]
    )
    seam = np.where(faces >= 1080, 1088 - faces, faces)
    outer = outer_layer(points, seam)
    assert outer.kept.all()


def test_holes_do_not_open_the_inside():
    ball = welded(sphere())
    middle = ball[0][ball[1]].mean(1)
    hole = (middle[:, 2] > 0.36) | (middle[:, 0] > 0.37)
    vertices, faces, owner = layered((ball[0], ball[1][~hole]), (ball[0] * 0.96, ball[1][:, ::-1]))
    outer = outer_layer(vertices, faces)
    inner = ball[0][ball[1]].mean(1) * 0.96
    away = (inner[:, 2] < 0.26) & (inner[:, 0] < 0.27)
    assert outer.kept[owner == 0].all() and not outer.kept[owner == 1][away].any()
