"""Views as sources of colour: no halo is trusted, no empty view counts, known disturbances are undone together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from garment3d.camera import photo_camera, project
from garment3d.data import Views
from garment3d.errors import ViewsError
from garment3d.garment.texture.looks import depths_of, facing, places_on
from garment3d.garment.texture.sources import UNKNOWN_ERROR, view_sources
from garment3d.garment.texture.trust import strip_of, trust_of
from garment3d.raster import visible
from garment3d.render import render
from tests.drawn import disc
from tests.orbiting import SIDE, moved, paint, painted, some

CLOTH = np.array([40.0, 90, 150])


def picture(blur_px, halo_px=0.0, background=255.0):
    """[H,W,3] a disc of one cloth on a plain background, blurred, and the mask that takes in the halo."""
    cloth, mask = (disc(r, (SIDE / 2, SIDE / 2), (SIDE, SIDE))[..., None] for r in (80 - halo_px, 80))
    return gaussian_filter(cloth * CLOTH + (1 - cloth) * background, (blur_px, blur_px, 0)), mask[..., 0]


@pytest.mark.parametrize("background", [255.0, 0.0])
@pytest.mark.parametrize("halo_px", [0.0, 2.0])
@pytest.mark.parametrize("blur_px", [0.0, 0.8, 2.0])
def test_no_trusted_pixel_has_background_in_it(blur_px, halo_px, background):
    rgb, mask = picture(blur_px, halo_px, background)
    trust = trust_of(strip_of(rgb, mask))
    contrast = np.abs(background - CLOTH).max()
    assert np.abs(rgb - CLOTH)[trust > 0.5].max() < 0.025 * contrast
    assert trust[mask < 0.5].max() == 0 and trust[SIDE // 2, SIDE // 2] == 1
    # And what is trusted is nearly all that could be: the blur's own width, not more.
    lost = 80 - np.sqrt((trust > 0.5).sum() / np.pi)
    assert 1.5 <= lost < 3.8 + halo_px + 2.4 * blur_px


def test_a_shade_towards_the_edge_is_not_taken_for_background():
    rgb, mask = picture(0.8, background=255.0)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    shade = 1 - 0.4 * np.clip(np.hypot(x, y) / 80, 0, 1) ** 4
    assert strip_of(rgb * shade[..., None], mask).width_px < 4.5


@pytest.mark.parametrize("side", [1, 3, 6, 20])
def test_small_and_cut_off_masks_are_no_trouble(side):
    rgb = np.full((40, 50, 3), 255.0)
    mask = np.zeros((40, 50), np.float32)
    mask[:side, 10 : 10 + side] = 1
    rgb[mask > 0] = CLOTH
    trust = trust_of(strip_of(rgb, mask))
    assert trust[mask < 0.5].max() == 0 and (trust[0, 20] == 1) == (side == 20)
    assert trust_of(strip_of(rgb, np.ones_like(mask))).min() == 1
    assert trust_of(strip_of(rgb, np.zeros_like(mask))).max() == 0


def disturbed(views):
    """Each view with its own gains, scale and shift, a little blur; the front one as it is."""
    rng = np.random.default_rng(3)
    gains = rng.uniform(0.92, 1.08, (len(views.images), 3))
    moves = [(rng.uniform(0.95, 1.05), *rng.uniform(-4, 4, 2)) for _ in gains]
    gains[0], moves[0] = 1, (1.0, 0.0, 0.0)
    shifted = moved(views, moves)
    cloth = shifted.images.numpy() * shifted.masks.numpy()[..., None] + 1 - shifted.masks.numpy()[..., None]
    tinted = cloth * np.where(shifted.masks.numpy()[..., None] > 0, gains[:, None, None], 1)
    soft = np.stack([gaussian_filter(image, (0.7, 0.7, 0)) for image in tinted])
    return Views(torch.tensor(np.clip(soft, 0, 1)).float(), shifted.masks, views.orbit), gains, moves


def colours_of(source, mesh):
    """[N,3] 0..255 that a source gives to places it shows from the front and trusts, and their true ones."""
    places = places_on(np.asarray(mesh.vertices), np.asarray(mesh.faces), 4000)
    depths = depths_of(np.asarray(mesh.vertices), np.asarray(mesh.faces), source.camera)
    seen = visible(places.points, depths.camera, depths.values, 0.01).numpy() & (facing(places, source.camera) > 0.4)
    at, _ = project(source.camera, places.points[seen])
    grid = torch.tensor(2 * at / np.array(source.camera.hw[::-1]) - 1).float()[None, None]
    over = torch.cat([source.rgb, source.trust[None]])[None]
    read = torch.nn.functional.grid_sample(over, grid, align_corners=False)[0, :, 0].numpy()
    kept = read[3] > 0.5
    return read[:3, kept].T, 255 * paint(places.points[seen][kept]), kept.mean()


def test_known_disturbances_are_undone_all_around():
    truth = painted()
    views, gains, moves = disturbed(truth.views)
    prepared = view_sources(truth.mesh, views, truth.rgb, truth.soft)
    assert prepared.warnings == () and len(prepared.sources) == len(gains)
    for source, view_gains, move, azimuth in zip(prepared.sources, gains, moves, views.orbit.azimuths_deg, strict=True):
        assert source.azimuth_deg == azimuth and source.rgb.shape == (3, SIDE, SIDE)
        assert source.moved.scale == pytest.approx(move[0], abs=0.01)
        np.testing.assert_allclose(source.moved[:2], move[1:], atol=1)
        shown, true, share = colours_of(source, truth.mesh)
        left = np.sqrt(np.square(shown - true).mean())
        # Scale and gains undone, 2 % of gain and a trace of the blur may be left: 8 % are about 9 steps.
        assert np.abs(shown.mean(0) / true.mean(0) - 1).max() < 0.02, (azimuth, view_gains)
        assert left < 4.5 and share > 0.8
        assert source.error < 4 and source.agreement > 0.95


def warped(picture, beyond):
    """[H,W] drawn aside by up to 6 pixels, smoothly and differently everywhere."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    right, down = 6 * np.sin(x / 45 + y / 60), 5 * np.cos(x / 50 - y / 70)
    return np.clip(map_coordinates(picture, [y + down, x + right], order=1, cval=beyond), 0, 1)


def test_a_back_of_the_wrong_shape_follows_its_outline_and_the_sides():
    truth = painted()
    views = some(truth.views, (0, 60, 90, 120, 180, 240, 270, 300))
    images, masks = views.images.numpy().copy(), views.masks.numpy().copy()
    images[4] = np.stack([warped(images[4, ..., c], 1) for c in range(3)], 2)
    masks[4] = warped(masks[4], 0)
    bad = Views(torch.tensor(images), torch.tensor(masks), views.orbit)
    source = view_sources(truth.mesh, bad, truth.rgb, truth.soft).sources[4]
    given = replace(source, rgb=255 * bad.images[4].permute(2, 0, 1), camera=views.orbit.cameras[4])
    wrong, left = (np.sqrt(np.square(s - t).mean()) for s, t, _ in (colours_of(x, truth.mesh) for x in (given, source)))
    assert source.agreement < 0.97
    assert left < 0.45 * wrong


def test_exact_views_pass_through():
    truth = painted()
    for source in view_sources(truth.mesh, some(truth.views, (0, 90, 180, 270)), truth.rgb, truth.soft).sources:
        shown, true, _ = colours_of(source, truth.mesh)
        assert np.sqrt(np.square(shown - true).mean()) < 3


def test_a_photo_of_the_back_gives_the_tones_there():
    truth = painted()
    camera = photo_camera(truth.soft)
    turned = np.diag([-1.0, 1, -1, 1])
    turned[2, 3] = -2
    shot = render(truth.mesh, replace(camera, c2w=turned))
    rgb = (shot.rgb.numpy() * 255 * 0.9).round().astype(np.uint8)
    behind = some(truth.views, (180,))
    (alone,) = view_sources(truth.mesh, behind, truth.rgb, truth.soft).sources
    (source,) = view_sources(truth.mesh, behind, truth.rgb, truth.soft, back=(rgb, shot.alpha.numpy())).sources
    shown, true, _ = colours_of(source, truth.mesh)
    np.testing.assert_allclose(shown.mean(0), 0.9 * true.mean(0), rtol=0.02)
    assert alone.error == UNKNOWN_ERROR and source.error < 3


def test_empty_views_are_left_out_and_named():
    truth = painted()
    views = some(truth.views, (0, 90, 180, 270))
    masks = views.masks.clone()
    masks[[1, 3]] = 0
    prepared = view_sources(truth.mesh, replace(views, masks=masks), truth.rgb, truth.soft)
    assert [source.azimuth_deg for source in prepared.sources] == [0, 180]
    assert prepared.warnings == ("The views at 90°, 270° show no garment and are left out.",)


def test_views_that_show_nothing_raise():
    truth = painted()
    views = some(truth.views, (0, 90))
    with pytest.raises(ViewsError, match="None of the 2 views shows the garment"):
        view_sources(truth.mesh, replace(views, masks=torch.zeros_like(views.masks)), truth.rgb, truth.soft)
    none = Views(views.images[:0], views.masks[:0], views.orbit._replace(cameras=(), azimuths_deg=()))
    with pytest.raises(ViewsError, match="no views"):
        view_sources(truth.mesh, none, truth.rgb, truth.soft)
    broken = views.images.clone()
    broken[1, 5, 5] = torch.nan
    with pytest.raises(ViewsError, match="no numbers"):
        view_sources(truth.mesh, replace(views, images=broken), truth.rgb, truth.soft)
    with pytest.raises(ViewsError, match="There are 82 views; give at most 72"):
        view_sources(truth.mesh, some(truth.views, (0, 90) * 41), truth.rgb, truth.soft)


def test_a_view_of_something_else_is_said_and_counts_only_well_inside_both():
    truth = painted()
    views = some(truth.views, (0, 90, 180))
    masks = views.masks.clone()
    masks[2] = torch.tensor(disc(30, (SIDE / 2 + 20, SIDE / 2), (SIDE, SIDE)))
    prepared = view_sources(truth.mesh, replace(views, masks=masks), truth.rgb, truth.soft)
    assert len(prepared.warnings) == 1 and prepared.warnings[0].startswith("The view at 180° shows another outline")
    assert prepared.sources[2].agreement < 0.7
    covered = render(truth.mesh, prepared.sources[2].camera).alpha
    assert prepared.sources[2].trust[(covered == 0) | (masks[2] < 0.5)].max() == 0


def test_nothing_that_was_given_is_changed():
    truth = painted()
    views = some(truth.views, (0, 120))
    before = [
        views.images.clone(),
        views.masks.clone(),
        truth.rgb.copy(),
        truth.soft.copy(),
        truth.mesh.vertices.copy(),
    ]
    first = view_sources(truth.mesh, views, truth.rgb, truth.soft).sources
    second = view_sources(truth.mesh, views, truth.rgb, truth.soft).sources
    after = [views.images, views.masks, truth.rgb, truth.soft, truth.mesh.vertices]
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(before, after, strict=True))
    assert all(torch.equal(a.rgb, b.rgb) for a, b in zip(first, second, strict=True))
