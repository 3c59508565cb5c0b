"""The truth of colour is true: pictures agree with the albedo point by point, and bad views are as bad as they say."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import trimesh
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.color import rgb2hsv

from garment3d.camera import orbit, photo_camera, project
from garment3d.data import Views
from garment3d.metrics import mask_iou
from garment3d.raster import visible
from tests.truth import Truth, canonical_mesh, make_garment, make_photo
from tests.truth.fabric import Fabric
from tests.truth.judged import PHOTO, Sight, judged, psnr_of, steps, true_texels
from tests.truth.orbit import albedo, albedo_near, degraded, exact_photo, exact_views, unlit

STRIPES = Fabric("stripes", np.array([0.9, 0.85, 0.7]), np.array([0.2, 0.3, 0.6]), np.array([0.8, 0.2, 0.2]), 6.0, 3)
PLAIN = STRIPES._replace(kind="solid", base=np.array([0.75, 0.4, 0.3]), label=False)
AZIMUTHS = (0.0, 90.0, 180.0)


@cache
def entry(name: str = "tee", fabric: str = "stripes") -> Truth:
    garment = make_garment(name, 2, step_cm=1.6)
    photo = make_photo(garment, 2, (384, 288), fabric=STRIPES if fabric == "stripes" else PLAIN)
    return unlit(Truth(garment, photo))


@cache
def views(fabric: str = "stripes") -> Views:
    return exact_views(entry("tee", fabric), orbit(hw=(256, 256), azimuths_deg=AZIMUTHS))


def some_points(row: Truth, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces, weights and canonical places of random points."""
    mesh = canonical_mesh(row.garment, row.photo)
    _, face = trimesh.sample.sample_surface(mesh, count, seed=1)
    bary = np.random.default_rng(0).dirichlet([1, 1, 1], len(face))
    return face, bary, (np.asarray(mesh.triangles)[face] * bary[..., None]).sum(1)


def test_the_albedo_of_stripes_is_their_two_colours_by_height() -> None:
    row = entry()
    face, bary, _ = some_points(row)
    rgb = albedo(row.garment, row.photo.fabric, face, bary)
    up = (row.garment.cloth[face, :, 1] * bary).sum(1)
    edge = (row.garment.edge[np.asarray(row.garment.mesh.faces)[face]] * bary[..., None]).sum(1)
    phase = (up / 6.0) % 1
    # Stripes fill half of each period around its ends; bands and seams at the edges are left out.
    calm = (np.abs(np.abs(phase - 0.5) - 0.25) > 0.05) & (edge > 3).all(1)
    expected = np.where((np.abs(phase - 0.5) > 0.25)[:, None], STRIPES.second, STRIPES.base)
    assert calm.sum() > 500
    np.testing.assert_allclose(rgb[calm], expected[calm], atol=0.05)


def test_the_inside_is_another_colour_and_nearest_points_have_the_points_own() -> None:
    row = entry()
    face, bary, points = some_points(row)
    rgb = albedo(row.garment, row.photo.fabric, face, bary)
    inner = albedo(row.garment, row.photo.fabric, face, bary, np.ones(len(face), bool))
    assert np.abs(inner - rgb).max(1).mean() > 0.03
    np.testing.assert_allclose(albedo_near(row, points), rgb, atol=0.02)


@pytest.mark.parametrize("azimuth", AZIMUTHS)
def test_a_view_shows_each_visible_point_in_its_own_albedo(azimuth: float) -> None:
    row, k = entry(), AZIMUTHS.index(azimuth)
    camera, picture = views().orbit.cameras[k], views().images[k].numpy()
    face, bary, points = some_points(row, 20_000)
    mesh = canonical_mesh(row.garment, row.photo)
    from garment3d.raster import rasterize

    depth = rasterize(mesh.vertices, mesh.faces, camera, 2).depth
    towards = camera.c2w[:3, 3] - points
    facing = (np.asarray(mesh.face_normals)[face] * towards).sum(1) / np.linalg.norm(towards, axis=1)
    seen = visible(points, camera, depth, 0.002).numpy() & (facing > 0.5)
    xy, _ = project(camera, points[seen])
    shown = picture[xy[:, 1].astype(int), xy[:, 0].astype(int)]
    away = np.abs(shown - albedo(row.garment, row.photo.fabric, face[seen], bary[seen])).max(1)
    assert seen.sum() > 800
    # Pixels on the border of two stripes show a mixture; the others the point's own colour.
    assert np.median(away) < 0.012 and np.mean(away < 0.05) > 0.75


def test_the_exact_photo_lies_in_its_own_frame_and_fits_the_view_from_the_front() -> None:
    row = entry()
    camera = photo_camera(row.photo.soft)
    mesh = canonical_mesh(row.garment, row.photo)
    xy, _ = project(camera, np.asarray(mesh.vertices))
    solid = np.argwhere(row.photo.soft > 0.5)[:, ::-1]
    np.testing.assert_allclose(xy.min(0), solid.min(0), atol=1)
    np.testing.assert_allclose(xy.max(0), solid.max(0) + 1, atol=1)
    ground = row.photo.rgb[binary_erosion(row.photo.soft == 0, iterations=2)]
    assert np.ptp(ground) == 0 and ground[0, 0] > 240
    larger = exact_photo(row, (576, 432))
    assert mask_iou(larger.soft[::3, ::3], row.photo.soft[::2, ::2]) > 0.95
    assert larger.px_per_cm == pytest.approx(1.5 * row.photo.px_per_cm)


def test_bad_views_keep_the_photo_and_spoil_the_rest_as_far_as_they_say() -> None:
    exact, bad = views("plain"), degraded(views("plain"), 5)
    assert bad.images.shape == (3, 256, 256, 3) and bad.orbit.cameras[0].hw == (256, 256)
    torch.testing.assert_close(bad.images[0], exact.images[0])
    torch.testing.assert_close(bad.masks[0], exact.masks[0])
    for k in (1, 2):
        deep = [binary_erosion(v.masks[k].numpy() > 0.99, iterations=8) for v in (exact, bad)]
        before, after = (np.median(v.images[k].numpy()[d], 0) for v, d in zip((exact, bad), deep, strict=True))
        hues = [rgb2hsv(c[None, None])[0, 0, 0] for c in (before, after)]
        assert 0.002 < abs((hues[1] - hues[0] + 0.5) % 1 - 0.5) < 0.08 + 0.06  # gains per channel turn it a little more
        assert 0.8 < after.mean() / before.mean() < 1.25
    wrong = [1 - mask_iou(exact.masks[k], bad.masks[k]) for k in (1, 2)]
    assert 0.02 < wrong[0] < 0.3 and 0.03 < wrong[1] < 0.35


def test_bad_views_have_white_in_the_rim_of_their_masks() -> None:
    exact, bad = views("plain"), degraded(views("plain"), 5, colour=0.0)
    whites = []
    for picture in (exact, bad):
        soft = picture.masks[2].numpy() > 0.98
        rim = soft & ~binary_erosion(soft, iterations=2)
        deep = binary_erosion(soft, iterations=8)
        whites.append(picture.images[2].numpy()[rim].mean() - picture.images[2].numpy()[deep].mean())
    assert whites[0] < 0.03 and whites[1] > 0.05
    outside = ~binary_dilation(bad.masks[2].numpy() > 0.01, iterations=4)
    assert bad.images[2].numpy()[outside].min() > 0.97


def middles(mask: np.ndarray) -> np.ndarray:
    """[50] middle of the mask in each row of the trunk, in pixels."""
    rows = mask[45:95]
    return (rows * np.arange(mask.shape[1])).sum(1) / rows.sum(1)


def test_the_shape_is_wrong_behind_and_right_in_front() -> None:
    around = orbit(hw=(128, 128), azimuths_deg=(0.0, 60.0, 180.0))
    exact = exact_views(entry("tee", "plain"), around)
    shifts = []
    for seed in range(4):
        bad = degraded(exact, seed, side=128, colour=0.0, scale=0.0, halo=False)
        # A shift of the whole picture moves the middles of all rows alike, a warp moves each differently.
        shifts.append([np.std(middles(bad.masks[k].numpy()) - middles(exact.masks[k].numpy())) for k in (1, 2)])
    side, back = np.mean(shifts, 0)
    assert back > 2 * side


def test_steps_are_the_difference_of_errors_not_of_colours() -> None:
    rng = np.random.default_rng(0)
    codes = np.full((64, 64), PHOTO, np.uint8)
    codes[:, 32:] = 12
    codes[60:] = 0
    field = np.zeros((64, 64, 3), np.float32)
    field[:, 32:, 1] = 7.0
    windowed, single = steps(field, codes)
    assert windowed == pytest.approx(7) and single == pytest.approx(7) and len(single) == 60
    grainy = field + rng.normal(0, 3, field.shape).astype(np.float32)
    windowed, single = steps(grainy, codes)
    assert abs(windowed.mean() - 7) < 1.5 < single.max() - 7
    assert not len(steps(field, np.full((64, 64), PHOTO, np.uint8))[0])


def test_the_true_atlas_judged_against_itself_is_perfect_and_a_grey_one_is_not() -> None:
    from garment3d.garment.texture.unwrap import unwrap

    row = entry("tee", "plain")
    mesh = unwrap(canonical_mesh(row.garment, row.photo))
    texels = true_texels(row, mesh, 256)
    atlas, source = np.zeros((256 * 256, 3), np.uint8), np.zeros(256 * 256, np.uint8)
    atlas[texels.index], source[texels.index] = texels.rgb.round(), PHOTO
    sight = Sight(np.ones((1, len(texels.index))), np.zeros(len(texels.index), bool))
    perfect = judged(texels, sight, atlas.reshape(256, 256, 3), source.reshape(256, 256))
    assert min(perfect.seen, perfect.front, perfect.side, perfect.back) > 55
    assert perfect.photo == 1.0 and perfect.seam_999 < 25
    grey = judged(texels, sight, np.full((256, 256, 3), 128, np.uint8), source.reshape(256, 256))
    assert grey.seen == pytest.approx(psnr_of(texels.rgb - 128), abs=1e-6)
