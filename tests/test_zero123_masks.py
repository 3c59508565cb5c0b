"""Masks of painted views against the exact silhouettes, of white and of coloured garments."""

import numpy as np
import pytest
import torch

from garment3d.views.pictures import views_from_images
from garment3d.views.zero123_masks import view_mask, view_masks
from tests.zero123_pictures import iou, paint, zero123_views

AROUND = zero123_views(4)


@pytest.mark.parametrize(
    "garment_class, seed, white, mean, worst",
    [
        ("tee", 51, True, 0.95, 0.90),
        ("dress", 52, True, 0.95, 0.90),
        ("top", 53, True, 0.95, 0.90),
        ("longsleeve", 54, False, 0.975, 0.96),
        ("trousers", 55, False, 0.985, 0.97),
    ],
)
def test_masks_fit_the_garments(garment_class, seed, white, mean, worst):
    painted = paint(garment_class, seed, white, AROUND)
    masks = view_masks(painted.images)
    assert masks.shape == painted.images.shape[:3] and masks.dtype == torch.float32
    overlaps = [iou(a, b) for a, b in zip(masks.numpy(), painted.truth, strict=True)]
    assert np.mean(overlaps) > mean and min(overlaps) > worst
    plain = [iou(a, b) for a, b in zip((painted.images.amin(3) < 250 / 255).numpy(), painted.truth, strict=True)]
    assert np.mean(overlaps) > np.mean(plain)


def disc(color, background=1.0, radius=60, center=(128, 128), rim=None):
    """[256,256,3] a disc, softened by about a pixel, and its exact mask; `rim` is its colour at the outline."""
    y, x = np.mgrid[:256, :256] + 0.5
    away = np.hypot(x - center[0], y - center[1])
    soft = np.clip((radius - away) / 3 + 0.5, 0, 1)
    soft = soft * soft * (3 - 2 * soft)
    rim = color if rim is None else rim
    cloth = np.array(color) + (np.array(rim) - np.array(color)) * np.clip(away / radius, 0, 1)[..., None] ** 2
    return (cloth * soft[..., None] + background * (1 - soft[..., None])).astype(np.float32), away < radius


@pytest.mark.parametrize("color", [(0.1, 0.1, 0.1), (0.9, 0.4, 0.3), (0.95, 0.95, 0.8), (0.96, 0.96, 0.96)])
def test_the_outline_lies_where_half_of_the_contrast_is(color):
    picture, truth = disc(color)
    mask = view_mask(picture)
    assert iou(mask, truth) > 0.975
    assert mask[128, 128] == 1 and mask[5, 5] == 0 and mask.min() >= 0 and mask.max() <= 1


def test_a_patch_as_white_as_the_background_inside_the_cloth_is_cloth():
    """Light blown out in the middle fades; a hole has an edge."""
    picture, truth = disc((1.0, 1.0, 1.0), rim=(0.93, 0.93, 0.93))
    assert iou(view_mask(picture), truth) > 0.97


def test_a_lit_rim_before_dark_cloth_is_cloth_to_its_outline():
    """Half of the contrast to the dark behind it would lie inside the rim."""
    picture, truth = disc((0.1, 0.1, 0.1), rim=(0.93, 0.93, 0.93))
    assert iou(view_mask(picture), truth) > 0.98


def test_a_background_that_darkens_towards_the_corners_is_no_cloth():
    """By eight levels, more than what makes cloth sure."""
    picture, truth = disc((0.94, 0.94, 0.94))
    y, x = np.mgrid[:256, :256] / 255 - 0.5
    dark = picture - (8 / 255 * (x**2 + y**2) * 2)[..., None].astype(np.float32)
    assert iou(view_mask(dark), truth) > 0.99


def test_a_hole_that_shows_the_background_is_no_cloth():
    picture, truth = disc((0.94, 0.94, 0.94), radius=80)
    hole, inside = disc((1.0, 1.0, 1.0), background=0.0, radius=30)
    share = hole[..., :1]
    picture = picture * (1 - share) + share
    assert iou(view_mask(picture), truth & ~inside) > 0.95


def test_a_garment_that_runs_out_of_the_picture_is_kept():
    picture, truth = disc((0.3, 0.5, 0.4), radius=90, center=(128, 230))
    assert iou(view_mask(picture), truth) > 0.98


def test_nothing_but_background_is_an_empty_mask():
    rng = np.random.default_rng(0)
    grain = 1 - np.abs(rng.normal(0, 1 / 255, (256, 256, 3)))
    assert view_mask(np.ones((256, 256, 3), np.float32)).max() == 0
    assert view_mask(grain.astype(np.float32)).max() == 0


def test_the_photos_own_mask_is_taken_as_it_is():
    picture, _ = disc((0.2, 0.3, 0.4))
    front = torch.rand(256, 256, generator=torch.Generator().manual_seed(0))
    images = torch.tensor(np.stack([picture, picture]))
    before = images.clone()
    told = []
    masks = view_masks(images, front, front_views=(1,), progress=lambda *at: told.append(at))
    assert torch.equal(masks[1], front) and not torch.equal(masks[0], front)
    assert torch.equal(images, before) and told == [(1, 2), (2, 2)]


def test_pictures_from_another_sampler_get_the_same_masks():
    painted = paint("top", 53, True, zero123_views(4))
    views = views_from_images(painted.images, painted.orbit)
    assert torch.equal(views.masks, view_masks(painted.images))
