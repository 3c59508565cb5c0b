"""TripoSR's scene from the photo's side and around it: frames, axes and the renderer, on scenes made by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from garment3d.camera import photo_camera, project
from garment3d.data import Orbit
from garment3d.metrics import mask_iou
from garment3d.render import render
from garment3d.surface.triposr.decoder import RADIUS, Decoder
from garment3d.surface.triposr.framing import frame_of, framed
from garment3d.surface.triposr.mesh import triposr_mesh
from garment3d.surface.triposr.render import render_scene, turntable
from garment3d.surface.triposr.scene import Scene

from .drawn import coverage

PLANE_PX = 128
LEVEL_RAW = 1 + math.log(25)
LIFT = 100.0
"""Added before the only SiLU and taken off after it, so that the decoder adds the three planes' values up."""
MIDDLE = ((np.arange(PLANE_PX) + 0.5) / PLANE_PX * 2 - 1) * RADIUS
SECOND, FIRST = np.meshgrid(MIDDLE, MIDDLE, indexing="ij")
"""TripoSR's coordinates of the texels: along a plane's height and its width."""


def made(scale, xy=0.0, xz=0.0, yz=0.0):
    """A scene whose raw density is the sum of three pictures over the planes, 0 on the surface at threshold 25."""
    decoder = Decoder(3, 2, 1).requires_grad_(False)
    for values in decoder.parameters():
        values.zero_()
    decoder.layers[0].weight[0], decoder.layers[0].bias[0] = 1, LIFT
    decoder.layers[2].weight[0, 0], decoder.layers[2].bias[0] = 1, LEVEL_RAW - LIFT
    planes = np.stack([np.broadcast_to(plane, (PLANE_PX, PLANE_PX)) for plane in (xy, xz, yz)])[:, None]
    return Scene(torch.from_numpy(planes.astype(np.float32)), decoder.eval(), scale)


@pytest.fixture(scope="module")
def photo_mask():
    """A garment with one sleeve, off the middle of the photo."""
    outline = [(60, 40), (150, 40), (230, 90), (215, 120), (150, 95), (150, 250), (60, 250)]
    return coverage(np.array(outline, float), (300, 260)).astype(np.float32)


def flat_scene(mask, ratio, padding_px):
    """The scene of a thin garment that looks like the mask: its yz plane is the mask seen by the photo's camera."""
    scale = frame_of(mask, ratio, padding_px).scale
    points = np.stack([FIRST * scale, SECOND * scale, np.zeros_like(FIRST)], -1)
    pixels = project(photo_camera(mask), points)[0] - 0.5
    shares = map_coordinates(mask, [pixels[..., 1], pixels[..., 0]], order=1)
    # Not steeper: cut linearly through exp, a surface lies nearer to the emptier of two grid points.
    return made(scale, xz=-400 * np.maximum(np.abs(FIRST) - 0.03, 0), yz=4 * shares - 2)


@pytest.mark.parametrize(("ratio", "padding_px"), [(0.85, 0), (0.7, 20)])
def test_view_0_and_the_mesh_from_the_photos_camera_show_the_masks_outline(photo_mask, ratio, padding_px):
    scene = flat_scene(photo_mask, ratio, padding_px)
    mesh = triposr_mesh(scene, 128).mesh
    assert mesh.volume > 0 and mask_iou(render(mesh, photo_camera(photo_mask)).alpha >= 0.5, photo_mask >= 0.5) > 0.96

    view = render_scene(scene, turntable(scene, (0.0,), side_px=128))
    white = framed(np.full((300, 260, 3), 255, np.uint8), photo_mask, ratio, padding_px)[0, 0].numpy()
    shown = white.reshape(128, 4, 128, 4).mean((1, 3)) > 0.75
    assert mask_iou(view.masks[0] >= 0.5, shown) > 0.93
    of_mesh = render(mesh, view.orbit.cameras[0]).alpha
    assert mask_iou(view.masks[0] >= 0.5, of_mesh >= 0.5) > 0.93  # a pixel is a sixtieth of the garment


def test_the_photos_own_camera_sees_the_mask_through_the_volume(photo_mask):
    camera = photo_camera(photo_mask)
    view = render_scene(flat_scene(photo_mask, 0.85, 0), Orbit((camera,), (0.0,), 0.0, 2.0))
    assert view.masks.shape == (1, 300, 260) and mask_iou(view.masks[0] >= 0.5, photo_mask >= 0.5) > 0.96


def ball(at, radius=0.1, scale=0.8):
    x, y, z = at
    return made(
        scale, xy=radius**2 * 4000 - 4000 * ((FIRST - x) ** 2 + (SECOND - y) ** 2), yz=-4000 * (SECOND - z) ** 2
    )


@pytest.mark.parametrize("azimuth_deg", [0.0, 20.0, 90.0, 180.0])
def test_a_ball_in_front_lies_where_a_camera_at_that_azimuth_projects_it(azimuth_deg):
    at = (0.4, 0.1, 0.3)
    scene = ball(at)
    orbit = turntable(scene, (azimuth_deg,), 10.0, 96)
    mask = render_scene(scene, orbit).masks[0].numpy()
    rows, columns = np.nonzero(mask > 0.5)
    middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    assert np.abs(middle - project(orbit.cameras[0], scene.canonical(np.array(at)))[0]).max() < 1.0


def test_the_camera_at_plus_20_stands_towards_plus_x_and_sees_what_is_in_front_move_left():
    scene = ball((0.5, 0.0, 0.0))
    orbit = turntable(scene, (0.0, 20.0), side_px=64)
    columns = [np.nonzero(mask.numpy() > 0.5)[1].mean() for mask in render_scene(scene, orbit).masks]
    assert orbit.cameras[1].c2w[0, 3] > 0.3 and columns[1] < columns[0] - 5
    vertices = triposr_mesh(scene, 64).mesh.vertices
    assert vertices[:, 2].mean() == pytest.approx(0.4, abs=0.01) and abs(vertices[:, 0].mean()) < 0.01


def test_the_picture_does_not_depend_on_how_many_rays_go_together():
    scene = ball((0.1, 0.1, 0.1), 0.3)
    orbit = turntable(scene, (30.0,), side_px=20)
    whole, parts = render_scene(scene, orbit), render_scene(scene, orbit, chunk=37)
    assert (whole.images - parts.images).abs().max() < 1e-5
    heard = []
    render_scene(scene, orbit, progress=lambda done, of: heard.append((done, of)))
    assert heard[-1] == (1, 1)


def test_an_empty_scene_is_white():
    scene = made(0.8, yz=-50.0)
    view = render_scene(scene, turntable(scene, (0.0,), side_px=16))
    assert view.masks.max() < 1e-3 and view.images.min() > 0.999
