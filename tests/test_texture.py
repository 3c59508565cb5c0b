"""The texture against painted garments whose cloth is known: stripes, prints, a background that must never show."""

import time

import numpy as np
import pytest
import torch
import trimesh
from scipy import ndimage

from garment3d.camera import orbit_camera, photo_camera
from garment3d.errors import MaskError, MeshError
from garment3d.garment.texture import texture_garment
from garment3d.garment.texture.atlas import texels, widened
from garment3d.garment.texture.fill import grain, harmonic
from garment3d.garment.texture.panels import BACK, front_and_back
from garment3d.garment.texture.shift import Shift, best_shift
from garment3d.garment.texture.unwrap import welded
from garment3d.metrics import psnr
from garment3d.render import render

MAGENTA, TEAL, CREAM, NAVY = (255, 0, 255), (20, 140, 120), (240, 232, 210), (25, 30, 80)


def tube(depth: float = 0.15, rows: int = 60, around: int = 80) -> trimesh.Trimesh:
    """An open elliptic tube, 0.6 wide and 1 high: what a photo of a plain skirt should become."""
    angle = 2 * np.pi * np.arange(around) / around
    y = np.linspace(-0.5, 0.5, rows)
    x, z = np.tile(0.3 * np.sin(angle), rows), np.tile(depth * np.cos(angle), rows)
    i, j = np.meshgrid(np.arange(around), np.arange(rows - 1))
    a, b = (j * around + i).ravel(), (j * around + (i + 1) % around).ravel()
    faces = np.concatenate([np.stack([a, b, b + around], 1), np.stack([a, b + around, a + around], 1)])
    return trimesh.Trimesh(np.stack([x, np.repeat(y, around), z], 1), faces, process=False)


def photo_of(cloth, size: int = 500, margin: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A [H,W,3] photo of a 0.6 × 1 garment painted by cloth(x, y) in canonical units, on magenta; and its mask."""
    width = round(0.6 * size)
    soft = np.zeros((size + 2 * margin, width + 2 * margin), np.float32)
    soft[margin:-margin, margin:-margin] = 1
    rgb = np.empty((*soft.shape, 3), np.uint8)
    rgb[:] = MAGENTA
    x, y = np.meshgrid((np.arange(width) + 0.5 - width / 2) / size, 0.5 - (np.arange(size) + 0.5) / size)
    rgb[margin:-margin, margin:-margin] = cloth(x, y)
    return rgb, soft


def plain(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.uint8(TEAL), (*x.shape, 3))


def stripes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where((np.floor(y / 0.04) % 2 == 0)[..., None], np.uint8(CREAM), np.uint8(NAVY))


def knit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Teal with grain and a soft shade from left to right."""
    noise = np.random.default_rng(0).normal(0, 6, x.shape)
    return (np.array(TEAL) + (noise + 60 * x)[..., None]).clip(0, 255).astype(np.uint8)


def printed(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`knit` with an F of white and red left of the middle: mirrored it would be somewhere else."""
    rgb = knit(x, y).copy()
    bar = (np.abs(x + 0.1) < 0.02) & (np.abs(y - 0.1) < 0.12)
    arms = (np.abs(x + 0.04) < 0.06) & ((np.abs(y - 0.2) < 0.02) | (np.abs(y - 0.1) < 0.02))
    rgb[bar] = (250, 250, 245)
    rgb[arms & ~bar] = (220, 30, 40)
    return rgb


def atlas_of(mesh: trimesh.Trimesh) -> np.ndarray:
    return np.asarray(mesh.visual.material.baseColorTexture)


def covered(mesh: trimesh.Trimesh, size: int, side: int | None = None) -> np.ndarray:
    """[S,S] bool, texels of the panels or of one of them."""
    back = front_and_back(*welded(mesh.vertices, mesh.faces)) == BACK
    result = np.zeros(size * size, bool)
    for band in texels(mesh.visual.uv, mesh.faces, size):
        keep = np.ones(len(band.face), bool) if side is None else back[band.face.numpy()] == (side == BACK)
        result[band.index.numpy()[keep]] = True
    return result.reshape(size, size)


def from_behind(mesh: trimesh.Trimesh, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    picture = render(mesh, orbit_camera(180, 0, 3.0, 25, (size, size)), supersample=1)
    return picture.rgb.numpy() * 255, picture.alpha.numpy() > 0.99


@pytest.fixture(scope="module")
def striped():
    rgb, soft = photo_of(stripes)
    return rgb, soft, texture_garment(tube(), rgb, soft, size=1024)


@pytest.fixture(scope="module")
def with_print():
    rgb, soft = photo_of(printed)
    return rgb, soft, texture_garment(tube(), rgb, soft, size=1024)


def test_the_photos_camera_sees_the_photo_again(with_print):
    rgb, soft, textured = with_print
    picture = render(textured.mesh, photo_camera(soft))
    inside = torch.from_numpy(ndimage.binary_erosion(soft > 0.5, iterations=2))
    assert psnr(picture.rgb, torch.from_numpy(rgb).float() / 255, inside) > 32


def test_stripes_go_level_round_the_whole_tube(striped):
    _, _, textured = striped
    mesh, atlas = textured.mesh, atlas_of(textured.mesh).astype(float)
    uv, y = mesh.visual.uv, mesh.vertices[:, 1]
    column, row = (uv[:, 0] * 1024 - 0.5).round().astype(int), ((1 - uv[:, 1]) * 1024 - 0.5).round().astype(int)
    phase = (y / 0.04) % 1
    clear = (np.abs(phase - 0.5) < 0.3) & (np.abs(y) < 0.47)
    truth = stripes(mesh.vertices[clear, 0], y[clear]).astype(float)
    found = atlas[row[clear].clip(0, 1023), column[clear].clip(0, 1023)]
    assert np.abs(found - truth).max() < 40


def test_no_texel_has_the_backgrounds_colour_and_none_is_empty(striped, with_print):
    for _, _, textured in (striped, with_print):
        texel = atlas_of(textured.mesh)[covered(textured.mesh, 1024)].astype(int)
        toward_magenta = np.minimum(texel[:, 0], texel[:, 2]) - texel[:, 1]
        # Navy itself lies 5 to 50 towards magenta; a tenth of the background would add 20.
        assert np.percentile(toward_magenta, 99.99) < 60 and toward_magenta.max() < 110
        assert (texel.sum(1) > 0).all()


def test_the_print_is_not_on_the_back_and_its_place_is_cloth_with_grain(with_print):
    _, _, textured = with_print
    rgb, inside = from_behind(textured.mesh)
    expected = np.array(TEAL)
    off = np.abs(rgb - expected).max(-1)
    assert off[inside].max() < 60
    # A mirrored print would stand right of the middle, seen from behind.
    place = rgb[90:150, 155:195]
    assert np.abs(place.reshape(-1, 3).mean(0) - expected).max() < 15
    atlas, back = atlas_of(textured.mesh).astype(float), covered(textured.mesh, 1024, BACK)
    detail = atlas[..., 1] - ndimage.gaussian_filter(atlas[..., 1], 2)
    calm = ndimage.binary_erosion(back, iterations=12)
    rows, cols = np.nonzero(calm)
    middle = (np.abs(cols - cols.mean()) < 80) & (np.abs(rows - rows.mean() + 0.1 * np.ptp(rows)) < 80)
    low = detail[rows[middle], cols[middle]].std()
    assert 0.4 < low / detail[calm].std() < 1.6


def test_an_all_over_pattern_stays_on_the_back(striped):
    rgb, inside = from_behind(striped[2].mesh)
    column = rgb[inside.nonzero()[0].min() + 10 : inside.nonzero()[0].max() - 10, 150].mean(1)
    assert 11 <= (np.diff(np.sign(column - 140)) != 0).sum() + 1 <= 26


def test_colours_meet_at_the_side_seam(with_print):
    """Vertices on the cut have two places in the atlas, one in each panel: both must show about the same cloth."""
    _, _, textured = with_print
    mesh, atlas = textured.mesh, ndimage.uniform_filter(atlas_of(textured.mesh).astype(float), (5, 5, 1))
    _, place, count = np.unique(mesh.vertices, axis=0, return_inverse=True, return_counts=True)
    doubled = np.argsort(place.reshape(-1), kind="stable")[np.repeat(count == 2, count)]
    uv = mesh.visual.uv[doubled]
    texel = atlas[((1 - uv[:, 1]) * 1024).astype(int).clip(0, 1023), (uv[:, 0] * 1024).astype(int).clip(0, 1023)]
    steps = np.abs(texel[0::2] - texel[1::2]).max(-1)
    assert len(steps) > 100 and np.median(steps) < 8 and np.percentile(steps, 95) < 20


def test_side_strips_have_the_cloths_own_grain_and_no_smears(with_print):
    """A smear along the way round is flat in that direction; cloth is as rough as anywhere else."""
    _, _, textured = with_print
    atlas, front = atlas_of(textured.mesh).astype(float)[..., 1], covered(textured.mesh, 1024, 0)
    columns = np.flatnonzero(front.any(0))
    edge = slice(columns[0] + 3, columns[0] + 23)
    rough = np.abs(np.diff(atlas[300:700, edge], axis=1)).mean()
    middle = np.abs(np.diff(atlas[300:700, columns.mean().astype(int) + 60 :][:, :20], axis=1)).mean()
    assert rough > 0.35 * middle


def test_a_back_photo_is_used_on_the_back_seen_from_behind():
    rgb, soft = photo_of(plain)

    def halves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where((x < 0)[..., None], np.uint8(CREAM), np.uint8(NAVY))

    back_rgb, back_soft = photo_of(halves, size=300, margin=45)
    textured = texture_garment(tube(), rgb, soft, back_rgb, back_soft, size=512)
    seen, inside = from_behind(textured.mesh)
    cols = np.flatnonzero(inside[150])
    left, right = seen[150, cols[5 : len(cols) // 2 - 3]], seen[150, cols[len(cols) // 2 + 3 : -5]]
    assert np.abs(left - CREAM).max() < 30 and np.abs(right - NAVY).max() < 30
    front = render(textured.mesh, photo_camera(soft)).rgb.numpy() * 255
    assert np.abs(front[soft > 0.5] - TEAL).max() < 12


def test_figures_and_material(with_print):
    textured = with_print[2]
    figures, material = textured.figures, textured.mesh.visual.material
    shares = figures.texels_from_photo + figures.texels_back + figures.texels_filled
    assert shares == pytest.approx(1) and figures.texels_back == pytest.approx(0.5, abs=0.02)
    assert figures.texel_density_ratio < 3 and figures.atlas_hw == (1024, 1024)
    uv, mesh = textured.mesh.visual.uv, textured.mesh
    texels_per_unit = 1024 * np.ptp(uv[:, 1]) / np.ptp(mesh.vertices[:, 1])
    assert figures.photo_px_per_texel == pytest.approx(500 / texels_per_unit, rel=0.01)
    assert material.metallicFactor == 0 and material.roughnessFactor == 0.9 and material.doubleSided
    assert list(material.baseColorFactor) == [255, 255, 255, 255]
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], tube().vertices[tube().faces])


def test_usable_uvs_are_kept_and_unusable_ones_replaced():
    rgb, soft = photo_of(plain, 200)
    first = texture_garment(tube(), rgb, soft, size=256).mesh
    again = texture_garment(first, rgb, soft, size=256).mesh
    np.testing.assert_array_equal(first.visual.uv, again.visual.uv)
    broken = first.copy()
    broken.visual.uv = np.zeros_like(first.visual.uv)
    assert texture_garment(broken, rgb, soft, size=256).mesh.visual.uv.max() > 0.5


def test_a_mesh_beyond_the_mask_still_shows_cloth_only():
    rgb, soft = photo_of(knit, 300)
    wide = tube()
    wide.vertices = wide.vertices * [1.1, 1.04, 1.0]
    atlas = atlas_of(texture_garment(wide, rgb, soft, size=512).mesh).astype(int)
    assert (np.minimum(atlas[..., 0], atlas[..., 2]) - atlas[..., 1]).max() < 40


def test_a_large_photo_is_reduced_to_the_atlas_and_the_figure_says_so():
    rgb, soft = photo_of(stripes, 1500)
    start = time.perf_counter()
    figures = texture_garment(tube(), rgb, soft, size=512).figures
    assert figures.photo_px_per_texel > 2 and time.perf_counter() - start < 10


def test_inputs_are_not_changed(with_print):
    rgb, soft = photo_of(printed, 200)
    mesh, rgb_before, soft_before = tube(), rgb.copy(), soft.copy()
    texture_garment(mesh, rgb, soft, size=256)
    np.testing.assert_array_equal(rgb, rgb_before)
    np.testing.assert_array_equal(soft, soft_before)
    assert not hasattr(mesh.visual, "material")


def test_what_cannot_be_textured_says_why():
    rgb, soft = photo_of(plain, 100)
    with pytest.raises(ValueError, match="8192"):
        texture_garment(tube(), rgb, soft, size=100)
    with pytest.raises(MaskError, match="photo's size"):
        texture_garment(tube(), rgb, soft[1:])
    with pytest.raises(MaskError, match="back photo needs a mask"):
        texture_garment(tube(), rgb, soft, back_rgb=rgb, size=256)
    with pytest.raises(MeshError):
        texture_garment(trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), int)), rgb, soft, size=256)


@pytest.mark.parametrize("moved", [3.0, [0.0, 900.0, 0.0]])
def test_a_mesh_that_is_not_in_the_photo_is_refused(moved):
    mesh = tube(rows=6, around=12)
    mesh.vertices = mesh.vertices + moved
    with pytest.raises(MeshError, match="lies in the photo"):
        texture_garment(mesh, *photo_of(plain, 120), size=256)


def test_a_mesh_without_area_is_refused():
    line = trimesh.Trimesh(np.zeros((3, 3)), [[0, 1, 2]], process=False)
    with pytest.raises(MeshError, match="area 0"):
        texture_garment(line, *photo_of(plain, 120), size=256)


def test_the_atlas_is_the_same_in_bands_and_at_once(monkeypatch):
    from garment3d.garment.texture import atlas

    mesh = texture_garment(tube(), *photo_of(plain, 200), size=256).mesh
    whole = covered(mesh, 512)
    monkeypatch.setattr(atlas, "TEXELS_AT_ONCE", 512 * 37)
    np.testing.assert_array_equal(covered(mesh, 512), whole)


def test_islands_are_widened_by_their_own_edge():
    atlas, mask = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    atlas[mask] = (10, 200, 30)
    wide = widened(atlas, mask, 4)
    grown = ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=4)
    assert (wide[grown] == (10, 200, 30)).all() and (wide[~grown] == (10, 200, 30)).all()
    atlas[12:14, 12:14] = 255
    assert (widened(atlas, mask, 4)[grown & ~mask] == (10, 200, 30)).all()


def test_harmonic_continues_a_linear_ramp_exactly():
    y, x = np.mgrid[0:40, 0:50].astype(float)
    ramp = np.stack([x + 2 * y, 3 * x - y], -1)
    region = np.ones((40, 50), bool)
    known = region.copy()
    known[10:30, 12:40] = False
    np.testing.assert_allclose(harmonic(ramp, known, region), ramp, atol=1e-2)


def test_grain_is_as_strong_as_its_source_and_zero_without_one():
    detail = np.random.default_rng(1).normal(0, 5, (200, 200, 3)).astype(np.float32)
    clean = np.zeros((200, 200), bool)
    clean[:, :90] = True
    made = grain(detail, clean, 16, (slice(40, 160), slice(100, 190)))
    assert made.std() == pytest.approx(5, rel=0.1)
    assert not grain(detail, np.zeros_like(clean), 16, (slice(0, 9), slice(0, 9))).any()


def test_the_best_shift_of_stripes_is_whole_periods():
    rows = (np.arange(120)[:, None] % 12 < 5) * 200.0
    values = np.repeat(np.broadcast_to(rows, (120, 90))[..., None], 3, 2)
    hole = np.zeros((120, 90), bool)
    hole[20:40, 30:60] = True
    found = best_shift(values, hole, ~hole)
    assert isinstance(found, Shift) and found.down_px % 12 == 0
    assert abs(found.down_px) >= 20 or abs(found.right_px) >= 30
    assert best_shift(values, hole, np.zeros_like(hole)) is None
