"""Views laid to the mesh: what comes out is held against the shift, scale and shape that were put in."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from garment3d.camera import orbit, orbit_camera, project
from garment3d.data import Camera
from garment3d.garment.texture.bend import bend, bent
from garment3d.garment.texture.looks import depths_of
from garment3d.garment.texture.register import MOST_SCALE, MOST_SHIFT, overlap, register, silhouette
from garment3d.render import render
from tests.drawn import coverage, disc
from tests.orbiting import SIDE, moved, painted, shifted, some

MOVES = [(1.05, 3.0, -4.0), (0.95, -5.0, 2.0), (1.0, 0.0, 0.0), (1.09, 8.0, -8.0), (0.91, -9.0, 9.0), (1.02, 0.5, -0.5)]


def registered(camera, mask):
    mesh = painted().mesh
    return register(depths_of(np.asarray(mesh.vertices), np.asarray(mesh.faces), camera), camera, mask)


def test_shift_and_scale_that_were_put_in_are_found_all_around():
    views = some(painted().views, range(0, 360, 60))
    for camera, mask, move in zip(views.orbit.cameras, moved(views, MOVES).masks.numpy(), MOVES, strict=True):
        found = registered(camera, mask)
        assert found.moved.scale == pytest.approx(move[0], abs=0.005)
        assert found.moved.right_px == pytest.approx(move[1], abs=0.5)
        assert found.moved.down_px == pytest.approx(move[2], abs=0.5)
        assert found.agreement > 0.97


@pytest.mark.parametrize("projection", ["orthographic", "perspective"])
def test_it_holds_for_any_camera_and_picture_shape(projection):
    seen_from = orbit_camera(50, 25, 1.6, 45, (200, 300))
    camera = replace(seen_from, center_px=(140.0, 108.0))
    if projection == "orthographic":
        camera = Camera("orthographic", 170.0, (140.0, 108.0), seen_from.c2w, seen_from.hw)
    true = replace(camera, center_px=(144.0, 105.0), focal_px=1.06 * camera.focal_px)
    found = registered(camera, render(painted().mesh, true).alpha.numpy())
    np.testing.assert_allclose(found.camera.center_px, true.center_px, atol=0.5)
    assert found.moved.scale == pytest.approx(1.06, abs=0.005)


def test_the_registered_camera_sees_the_mesh_where_the_picture_shows_it():
    camera, move = painted().views.orbit.cameras[1], MOVES[0]
    mask = shifted(painted().views.masks[1].numpy(), *move, beyond=0)
    points = np.asarray(painted().mesh.vertices)
    middle = np.array(camera.center_px)
    expected = middle + (project(camera, points)[0] - middle) * move[0] + move[1:]
    np.testing.assert_allclose(project(registered(camera, mask).camera, points)[0], expected, atol=0.9)


def test_an_exact_view_stays_where_it_is():
    for camera, mask in zip(painted().views.orbit.cameras, painted().views.masks.numpy(), strict=True):
        found = registered(camera, mask)
        assert max(abs(found.moved.right_px), abs(found.moved.down_px)) < 0.15
        assert found.moved.scale == pytest.approx(1, abs=0.002)


def test_a_mask_of_something_else_is_said_by_the_agreement_and_never_moves_it_far():
    camera = painted().views.orbit.cameras[0]
    for mask in (disc(25, (60, 190), (SIDE, SIDE)), np.zeros((SIDE, SIDE), np.float32)):
        found = registered(camera, mask)
        assert found.agreement < 0.4
        assert abs(found.moved.scale - 1) <= MOST_SCALE + 1e-9
        assert max(abs(found.moved.right_px), abs(found.moved.down_px)) <= MOST_SHIFT * SIDE + 1e-6


def test_a_picture_of_another_shape_is_bent_to_the_outline():
    """A waist drawn in by 6 %: the outline comes back, and so does what is inside it."""
    whole, drawn_in = waisted(0.0), waisted(0.06)
    assert overlap(whole, drawn_in) < 0.95
    field = bend(whole, drawn_in)
    assert overlap(whole, bent(torch.tensor(drawn_in)[None], field)[0].numpy()) > 0.985
    # A line half way to the edge was drawn in by half: there it is looked for half as far in.
    edge, half = (field[1][80, 80 + x] for x in (46, 24))
    assert edge == pytest.approx(-0.06 * 100, abs=1.5) and half == pytest.approx(edge / 2, abs=2)
    assert abs(field[0]).max() < 2


def waisted(depth):
    """[160,160] a box 100 high whose sides are drawn in by `depth` of its height in the middle."""
    y = np.linspace(-0.5, 0.5, 60)
    right = np.stack([0.5 - depth * np.exp(-((y / 0.25) ** 2)), y], 1) * 100 + 80.5
    left = np.stack([-0.5 + depth * np.exp(-((y / 0.25) ** 2)), y], 1)[::-1] * 100 + 80.5
    return coverage(np.concatenate([right, left]), (160, 160)).astype(np.float32)


def test_the_same_shape_is_not_bent_and_running_out_of_the_picture_is_no_shape():
    whole = waisted(0.0)
    assert np.abs(bend(whole, whole)).max() < 0.6
    # Of a garment that leaves the picture at the bottom, only one mask ends just before its last rows.
    low = np.concatenate([np.zeros((40, 160), np.float32), whole[:120]])
    ended = low.copy()
    ended[-3:] = 0
    assert np.abs(bend(low, ended)).max() < 1.5
    assert not bend(np.zeros((160, 160), np.float32), whole).any()


def test_the_silhouette_is_the_drawn_alpha():
    camera = orbit(azimuths_deg=(70,), hw=(120, 120)).cameras[0]
    mesh = painted().mesh
    drawn = silhouette(depths_of(np.asarray(mesh.vertices), np.asarray(mesh.faces), camera))
    np.testing.assert_allclose(drawn, render(mesh, camera).alpha.numpy(), atol=1e-6)
