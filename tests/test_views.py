"""Orbits of known solids, and views out of pictures that someone else made."""

import math

import numpy as np
import pytest
import torch
import trimesh

from garment3d.camera import orbit
from garment3d.errors import MaskError, MeshError, PhotoError, UnclearGarment
from garment3d.views.pictures import views_from_images
from garment3d.views.rendered import rendered_orbit
from tests.solids import CUBE_COLORS, cube, sphere

SMALL = orbit(step_deg=90, hw=(64, 64))


def discs(hw=(64, 64), count=4, color=(0.2, 0.5, 0.3), background=(1.0, 1.0, 1.0), radius=20):
    y, x = np.mgrid[: hw[0], : hw[1]] + 0.5
    soft = np.clip(radius + 0.5 - np.hypot(x - hw[1] / 2, y - hw[0] / 2), 0, 1)[..., None]
    picture = soft * np.array(color) + (1 - soft) * np.array(background)
    return torch.tensor(np.repeat(picture[None], count, 0), dtype=torch.float32), torch.tensor(soft[..., 0]).float()


# Drawn


def test_a_quarter_orbit_of_the_cube_shows_its_four_sides_in_order():
    views = rendered_orbit(cube(), SMALL, shading="unlit")
    sides = [tuple((view[32, 32] * 255).round().int().tolist()) for view in views.images]
    assert sides == [CUBE_COLORS[side] for side in ("+Z", "+X", "-Z", "-X")]


def test_a_sphere_looks_the_same_all_around_and_its_masks_are_its_disc():
    views = rendered_orbit(sphere(0.4, 64), orbit(step_deg=72, elevation_deg=20, hw=(128, 128)))
    areas = views.masks.sum((1, 2))
    camera = views.orbit.cameras[0]
    disc = math.pi * (camera.focal_px * 0.4) ** 2 / (views.orbit.radius**2 - 0.4**2)
    np.testing.assert_allclose(areas, disc, rtol=4e-3)
    assert views.images.shape == (5, 128, 128, 3) and views.images.dtype == torch.float32
    assert views.masks.shape == (5, 128, 128)


def test_the_default_orbit_is_every_twenty_degrees():
    views = rendered_orbit(cube())
    assert views.orbit.azimuths_deg == tuple(range(0, 360, 20)) and views.images.shape == (18, 512, 512, 3)


def test_the_background_is_as_asked_where_the_mask_is_empty():
    views = rendered_orbit(cube(), SMALL, background=(0.5, 0.25, 0))
    np.testing.assert_allclose(
        views.images[views.masks == 0], np.broadcast_to((0.5, 0.25, 0), views.images[views.masks == 0].shape)
    )


def test_progress_is_told_every_view_and_may_stop():
    told = []
    rendered_orbit(cube(), SMALL, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rendered_orbit(cube(), SMALL, progress=stop)


def test_a_mesh_without_faces_is_a_mesh_error():
    with pytest.raises(MeshError):
        rendered_orbit(trimesh.Trimesh(), SMALL)


def test_an_orbit_without_cameras_or_of_mixed_sizes_is_refused():
    with pytest.raises(ValueError, match="0 cameras"):
        rendered_orbit(cube(), orbit(azimuths_deg=[]))
    mixed = SMALL._replace(cameras=SMALL.cameras + orbit(hw=(32, 32)).cameras)
    with pytest.raises(ValueError, match="one picture size"):
        rendered_orbit(cube(), mixed)


# From pictures


def test_drawn_views_come_back_from_their_pictures_with_their_masks():
    drawn = rendered_orbit(cube(), orbit(step_deg=90, hw=(128, 128)))
    views = views_from_images(drawn.images, drawn.orbit)
    assert ((views.masks >= 0.5) == (drawn.masks >= 0.5)).float().mean() > 0.998
    assert torch.equal(views.images, drawn.images)


@pytest.mark.parametrize("background", [(1, 1, 1), (0.85, 0.85, 0.85), (0, 0.6, 0.2)])
def test_the_mask_is_what_stands_before_a_plain_background(background):
    pictures, soft = discs(background=background, color=(0.6, 0.1, 0.3))
    told = []
    masks = views_from_images(pictures, SMALL, progress=lambda *at: told.append(at)).masks
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    torch.testing.assert_close(masks, soft.expand(4, -1, -1), atol=0.08, rtol=0)


def test_enclosed_parts_of_the_backgrounds_colour_belong_to_the_garment():
    pictures, _ = discs()
    pictures[:, 28:36, 28:36] = 1
    assert (views_from_images(pictures, SMALL).masks[:, 28:36, 28:36] == 1).all()


def test_alpha_is_the_mask_and_given_masks_come_first():
    pictures, soft = discs()
    with_alpha = torch.cat([pictures, soft.expand(4, -1, -1)[..., None]], 3)
    assert torch.equal(views_from_images(with_alpha, SMALL).masks, soft.expand(4, -1, -1))
    given = torch.ones(4, 64, 64)
    views = views_from_images(with_alpha, SMALL, given)
    assert torch.equal(views.masks, given) and views.images.shape[3] == 3


def test_an_alpha_of_all_ones_is_no_mask():
    pictures, _ = discs()
    opaque = torch.cat([pictures, torch.ones(4, 64, 64, 1)], 3)
    assert views_from_images(opaque, SMALL).masks[0, 0, 0] == 0


def test_cameras_follow_the_pictures_size():
    pictures, _ = discs((128, 128), radius=40)
    camera = views_from_images(pictures, SMALL).orbit.cameras[1]
    assert camera.hw == (128, 128) and camera.center_px == (64, 64)
    assert camera.focal_px == pytest.approx(2 * SMALL.cameras[1].focal_px)


@pytest.mark.parametrize(
    ("pictures", "masks", "error", "words"),
    [
        (torch.ones(3, 64, 64, 3), None, PhotoError, "3 pictures for an orbit of 4"),
        (torch.ones(4, 64, 64), None, PhotoError, "shape"),
        (torch.ones(4, 0, 64, 3), None, PhotoError, "shape"),
        (torch.ones(4, 32, 64, 3), torch.ones(4, 32, 64), PhotoError, "64 × 32"),
        (torch.ones(4, 64, 64, 3), torch.ones(4, 32, 32), MaskError, "shape"),
        (torch.ones(4, 64, 64, 3), None, MaskError, "view at 0° is empty"),
        (torch.ones(4, 64, 64, 3).index_fill(0, torch.tensor(1), torch.nan), None, PhotoError, "at 90° hold NaN"),
        (
            torch.rand(4, 64, 64, 3, generator=torch.Generator().manual_seed(0)),
            None,
            UnclearGarment,
            "plain background",
        ),
    ],
)
def test_pictures_that_do_not_fit_are_named_with_their_values(pictures, masks, error, words):
    with pytest.raises(error, match=words):
        views_from_images(pictures, SMALL, masks)


def test_pictures_are_not_changed():
    pictures, _ = discs()
    before = pictures.clone()
    views = views_from_images(pictures, SMALL)
    views.images.zero_()
    assert torch.equal(pictures, before)
