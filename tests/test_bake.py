"""The baked texture on painted solids whose every colour is known: sources, borders, bad views, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from garment3d.camera import orbit, orbit_camera, photo_camera
from garment3d.data import Views
from garment3d.errors import MaskError, MeshError, ViewsError
from garment3d.garment.texture.atlas import texels
from garment3d.garment.texture.bake import BakeOptions, bake_texture, source_picture
from garment3d.garment.texture.bake_cut import Choice, chosen
from garment3d.garment.texture.bake_skin import skin_of, spread_over_faces
from garment3d.garment.texture.bake_turn import turn_along
from garment3d.garment.texture.plate import plate_of
from garment3d.garment.texture.unwrap import _xatlas, unwrap
from garment3d.raster import rasterize
from garment3d.render import render

WHITE = 1.0
SMALL = BakeOptions(size=512)


def capsule(rows: int = 60, around: int = 80, depth: float = 0.2) -> trimesh.Trimesh:
    """A closed elliptic body, 0.6 wide, 1 high and 0.4 deep: what a generator makes of a skirt."""
    polar = np.pi * np.arange(1, rows) / rows
    angle = 2 * np.pi * np.arange(around) / around
    wide = np.sin(polar) ** 0.4
    x, z = wide[:, None] * 0.3 * np.sin(angle), wide[:, None] * depth * np.cos(angle)
    y = np.repeat(0.5 * np.cos(polar)[:, None], around, 1)
    points = np.concatenate([np.stack([x, y, z], -1).reshape(-1, 3), [[0, 0.5, 0], [0, -0.5, 0]]])
    i, j = np.meshgrid(np.arange(around), np.arange(rows - 2))
    a, b = (j * around + i).ravel(), (j * around + (i + 1) % around).ravel()
    ring, following = np.arange(around), (np.arange(around) + 1) % around
    last = (rows - 2) * around
    faces = np.concatenate(
        [
            np.stack([a, a + around, b + around], 1),
            np.stack([a, b + around, b], 1),
            np.stack([np.full(around, len(points) - 2), ring, following], 1),
            np.stack([np.full(around, len(points) - 1), last + following, last + ring], 1),
        ]
    )
    return trimesh.Trimesh(points, faces, process=False)


def paint(points: np.ndarray) -> np.ndarray:
    """[N,3] 0..255: level stripes, a red patch on the front, a green one on the back, and a soft shade round it."""
    stripes = np.where((np.floor(points[:, 1] / 0.08) % 2 == 0)[:, None], (200.0, 190, 170), (150.0, 150, 175))
    rgb = stripes + 40 * points[:, :1]
    near = (np.abs(points[:, 0] - 0.08) < 0.09) & (np.abs(points[:, 1] - 0.1) < 0.1)
    rgb[near & (points[:, 2] > 0)] = (210, 40, 40)
    rgb[near & (points[:, 2] < 0)] = (30, 140, 60)
    return rgb


def picture(mesh: trimesh.Trimesh, camera, cloth=paint, background: float = 255.0, samples: int = 3):
    """[H,W,3] float 0..255 and [H,W] mask of the painted mesh, averaged over samples² per pixel."""
    seen = rasterize(mesh.vertices, mesh.faces, camera, samples)
    face, bary = seen.face.numpy().ravel(), seen.bary.numpy().reshape(-1, 3)
    inside = face >= 0
    points = (np.asarray(mesh.vertices)[np.asarray(mesh.faces)[face[inside]]] * bary[inside, :, None]).sum(1)
    rgb = np.full((len(face), 3), background)
    rgb[inside] = cloth(points)
    height, width = camera.hw

    def mean(values: np.ndarray) -> np.ndarray:
        return values.reshape(height, samples, width, samples, -1).mean((1, 3))

    return mean(rgb), mean(inside[:, None].astype(float))[..., 0].astype(np.float32)


def photo_of(mesh: trimesh.Trimesh, cloth=paint) -> tuple[np.ndarray, np.ndarray]:
    soft = np.zeros((560, 360), np.float32)
    soft[30:530, 30:330] = 1
    rgb, soft = picture(mesh, photo_camera(soft), cloth)
    return np.round(rgb).astype(np.uint8), soft


def views_of(mesh: trimesh.Trimesh, cloth=paint, azimuths_deg=(0, 60, 90, 135, 180, 225, 270, 300)) -> Views:
    around = orbit(hw=(256, 256), azimuths_deg=azimuths_deg)
    drawn = [picture(mesh, camera, cloth) for camera in around.cameras]
    images = torch.as_tensor(np.stack([rgb for rgb, _ in drawn]) / 255, dtype=torch.float32)
    return Views(images, torch.as_tensor(np.stack([soft for _, soft in drawn])), around)


def errors(baked, cloth=paint) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[N,3] atlas minus paint, [N,3] points and [N] source codes of the covered texels."""
    mesh, size = baked.mesh, len(baked.source)
    atlas = np.asarray(mesh.visual.material.baseColorTexture).reshape(-1, 3).astype(float)
    band = next(texels(mesh.visual.uv, mesh.faces, size))
    bary = band.bary.numpy()[..., None]
    points = (np.asarray(mesh.vertices)[np.asarray(mesh.faces)[band.face.numpy()]] * bary).sum(1)
    return atlas[band.index.numpy()] - cloth(points), points, baked.source.ravel()[band.index.numpy()]


def psnr(error: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean(np.square(error))))


@pytest.fixture(scope="module")
def body():
    mesh = unwrap(capsule())
    return mesh, *photo_of(mesh), views_of(mesh)


@pytest.fixture(scope="module")
def baked(body):
    mesh, rgb, soft, views = body
    return {
        "none": bake_texture(mesh, rgb, soft, options=SMALL),
        "exact": bake_texture(mesh, rgb, soft, views, options=SMALL),
    }


def test_exact_views_give_the_paint_all_around(baked):
    error, points, code = errors(baked["exact"])
    low = np.abs(points[:, 1]) < 0.45
    assert psnr(error[low & (code == 1)]) > 27 and psnr(error[low & (code >= 10)]) > 27
    assert psnr(error[low]) > 25 > psnr(errors(baked["none"])[0][low])
    assert (code > 0).all()


def test_the_back_shows_its_own_patch_and_no_print_of_the_front(baked):
    rgb = render(baked["exact"].mesh, orbit_camera(180, 0, 3.0, 25, (200, 200)), supersample=1).rgb.numpy() * 255
    assert not ((rgb[..., 0] - rgb[..., 1] > 80) & (rgb[..., 0] - rgb[..., 2] > 80)).any()
    # Seen from behind, x = 0.08 lies left of the middle.
    assert np.abs(rgb[85, 88] - (30, 140, 60)).max() < 12


def test_no_step_shows_where_the_photo_meets_the_views():
    def shaded(points: np.ndarray) -> np.ndarray:
        return np.stack([120 + 100 * points[:, 0], 120 + 300 * points[:, 2], 130 - 60 * points[:, 1]], 1)

    # One island, cut behind: the borders lie inside it. No cloth of the front continues this shade.
    mesh = capsule()
    (rgb, soft), views = photo_of(mesh, shaded), views_of(mesh, shaded)
    points = np.asarray(mesh.vertices)
    around = np.arctan2(points[:, 0], points[:, 2]) / (2 * np.pi) + 0.5
    corner = around[mesh.faces]
    corner = np.where((np.ptp(corner, axis=1) > 0.5)[:, None] & (corner < 0.5), corner + 1, corner)
    uv = np.stack(
        [corner.ravel() / 1.1 + 0.01, (np.asarray(mesh.faces).ravel() * 0.0) + points[mesh.faces.ravel(), 1]], 1
    )
    uv[:, 1] = 0.5 + 0.9 * uv[:, 1]
    visual = trimesh.visual.TextureVisuals(uv=uv)
    single = trimesh.Trimesh(
        points[mesh.faces.ravel()], np.arange(len(uv)).reshape(-1, 3), visual=visual, process=False
    )
    done = bake_texture(single, rgb, soft, views, options=SMALL)
    assert np.array_equal(done.mesh.visual.uv, uv)
    error, points, code = errors(done, shaded)
    index = next(texels(uv, single.faces, 512)).index.numpy()
    field = np.full((512 * 512, 3), np.nan)
    middle = np.abs(points[:, 1]) < 0.4
    field[index[middle]] = error[middle]
    field = field.reshape(512, 512, 3)
    one, two = done.source[:, :-1], done.source[:, 1:]
    step = np.abs(field[:, :-1] - field[:, 1:]).max(-1)[((one == 1) & (two >= 10)) | ((two == 1) & (one >= 10))]
    step = step[~np.isnan(step)]
    assert (code[middle] >= 10).mean() > 0.4
    assert len(step) > 100 and step.max() <= 4


def test_a_view_of_another_tone_is_bent_to_the_photo_and_wrong_colours_of_plain_cloth_stay_out(body):
    mesh, _, _, _ = body

    def plain(points: np.ndarray) -> np.ndarray:
        return np.tile((90.0, 120.0, 160.0), (len(points), 1)) + 15 * points[:, :1]

    rgb, soft = photo_of(mesh, plain)
    views = views_of(mesh, plain)
    gains = torch.tensor(np.random.default_rng(0).uniform(0.9, 1.1, (len(views.images), 1, 1, 3)), dtype=torch.float32)
    off = replace(views, images=views.images * gains * views.masks[..., None] + (1 - views.masks[..., None]))
    without = psnr(errors(bake_texture(mesh, rgb, soft, options=SMALL), plain)[0])
    with_bad = psnr(errors(bake_texture(mesh, rgb, soft, off, options=SMALL), plain)[0])
    assert with_bad > without - 0.3 and with_bad > 28


def test_no_background_comes_in_from_views_with_a_halo(body):
    mesh, rgb, soft, views = body
    grown = torch.nn.functional.max_pool2d(views.masks[:, None], 5, 1, 2)[:, 0]
    haloed = replace(views, masks=grown)
    error, points, code = errors(bake_texture(mesh, rgb, soft, haloed, options=SMALL))
    low = (np.abs(points[:, 1]) < 0.45) & ((np.abs(points[:, 0] - 0.08) > 0.11) | (points[:, 2] > 0))
    # White is 55 to 85 steps brighter than the palest stripe.
    assert np.percentile(error[low & (code >= 10)].min(1), 99.5) < 30


def test_a_back_photo_is_on_the_back_and_in_the_source_map(body):
    mesh, rgb, soft, _ = body
    camera = photo_camera(soft)
    behind = replace(camera, c2w=np.diag([-1.0, 1, -1, 1]) + np.array([[0] * 4, [0] * 4, [0, 0, 0, -2.0], [0] * 4]))
    back_rgb, back_soft = picture(mesh, behind)
    baked = bake_texture(mesh, rgb, soft, None, np.round(back_rgb).astype(np.uint8), back_soft, SMALL)
    error, points, code = errors(baked)
    deep = (points[:, 2] < -0.1) & (np.abs(points[:, 1]) < 0.4)
    assert psnr(error[deep]) > 27 and (code[deep] == 2).mean() > 0.95 and baked.figures.from_back > 0.2


def test_any_uv_works_and_its_own_is_kept_where_it_can_be(body):
    mesh, rgb, soft, views = body
    islands = _xatlas(np.asarray(mesh.vertices, float), np.asarray(mesh.faces))
    baked = bake_texture(islands, rgb, soft, views, options=SMALL)
    assert np.array_equal(baked.mesh.visual.uv, islands.visual.uv)
    error, points, _ = errors(baked)
    assert psnr(error[np.abs(points[:, 1]) < 0.4]) > 24
    tiled = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    tiled.visual = trimesh.visual.TextureVisuals(uv=3 * np.asarray(mesh.visual.uv) - 1)
    uv = bake_texture(tiled, rgb, soft, options=BakeOptions(size=256)).mesh.visual.uv
    assert uv.min() >= 0 and uv.max() <= 1
    assert np.array_equal(np.asarray(tiled.visual.uv), 3 * np.asarray(mesh.visual.uv) - 1)


def test_inside_out_and_in_two_parts(body):
    mesh, rgb, soft, views = body
    turned = trimesh.Trimesh(mesh.vertices, np.asarray(mesh.faces)[:, ::-1], process=False)
    ring = trimesh.creation.icosphere(2, 0.03).apply_translation([0, 0, 0.4])
    both = trimesh.util.concatenate([turned, trimesh.Trimesh(ring.vertices, ring.faces[:, ::-1])])
    baked = bake_texture(both, rgb, soft, views, options=SMALL)
    assert baked.figures.from_photo > 0.25 and baked.figures.from_views > 0.03
    assert np.isclose(sum(baked.figures[:4]), 1)


def test_lengths_along_the_surface_turn_back_what_the_photo_shows_edge_on():
    mesh = capsule(depth=0.3)
    rgb, soft = photo_of(mesh)
    points, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    turn = turn_along(plate_of(rgb, soft, 400.0), points, faces, points[:, :2])
    middle = np.abs(points[faces][:, :, 1]).max(1) < 0.2
    angle = np.arctan2(points[faces][..., 0], points[faces][..., 2])[middle]
    side = np.abs(angle - np.pi / 2).max(1) < 0.12
    # Half way round the side of a circle of radius 0.3, the rim of |nz| = 0.25 is asin(0.25) · 0.3 away.
    assert np.abs(turn.corners[middle][side][..., 2].numpy() - np.arcsin(0.25) * 0.3).max() < 0.042


def test_the_cut_gives_whole_regions_and_goes_where_sources_agree():
    count = 60
    pairs = np.stack([np.arange(count - 1), np.arange(1, count)], 1)
    cost = np.stack([np.where(np.arange(count) < 30, 0.0, 3.0), np.where(np.arange(count) < 30, 3.0, 0.0)])
    cost[:, 10] = cost[::-1, 10] * 0.4
    cost[:, 25:36] = 1.0
    colors = np.zeros((2, count, 3))
    colors[1] += 200.0
    colors[1, 33:35] = 0
    labels = chosen(Choice(cost, colors, np.ones(count), pairs, np.ones(count - 1)))
    assert list(np.flatnonzero(np.diff(labels))) == [33]
    nowhere = cost.copy()
    nowhere[1] = np.inf
    assert not chosen(Choice(nowhere, colors, np.ones(count), pairs, np.ones(count - 1))).any()


def test_means_over_faces_keep_a_constant_and_pass_over_what_has_no_weight():
    skin = skin_of(*(np.asarray(a) for a in (capsule().vertices, capsule().faces)))
    count = len(skin.faces)
    weight = (np.arange(count) % 3 > 0).astype(float)
    values = np.where(weight > 0, 7.0, 1e6)
    assert np.allclose(spread_over_faces(skin, values, weight, 0.05), 7.0)
    assert not spread_over_faces(skin, values, np.zeros(count), 0.05).any()


def test_flattening_takes_the_light_off_a_lit_body(body):
    mesh = body[0]

    def lit(points: np.ndarray) -> np.ndarray:
        normal = points * (1 / 0.09, 0, 1 / 0.04)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        linear = 0.3 * (0.55 + 0.45 * normal @ (0.8, 0.0, 0.6))
        return np.tile(255 * linear[:, None] ** (1 / 2.2), (1, 3))

    rgb, soft = photo_of(mesh, lit)
    spreads = []
    for flatten in (0.0, 1.0):
        done = bake_texture(mesh, rgb, soft, options=BakeOptions(512, flatten))
        error, points, code = errors(done, lambda p: np.zeros((len(p), 3)))
        spreads.append(error[(code == 1) & (np.abs(points[:, 1]) < 0.3)].std())
    assert spreads[1] < 0.4 * spreads[0]


def test_views_chosen_by_azimuth_come_first(body):
    mesh, rgb, soft, views = body
    figures = bake_texture(mesh, rgb, soft, views, options=BakeOptions(512, azimuths_deg=(135.0, 225.0))).figures
    assert figures.views.get(3, 0) + figures.views.get(5, 0) > 0.8 * figures.from_views > 0


def test_the_map_as_a_picture():
    source = np.array([[0, 1, 2], [3, 12, 16]], np.uint8)
    rgb = source_picture(source, (0, 60, 90, 135, 180, 225, 270))
    assert rgb.shape == (2, 3, 3) and rgb.dtype == np.uint8 and len(np.unique(rgb.reshape(-1, 3), axis=0)) == 6
    assert rgb[1, 1, 0] > 200 > rgb[1, 1, 1] and rgb[1, 2, 0] < 100 < rgb[1, 2, 2]


def test_progress_is_told_and_may_stop(body):
    mesh, rgb, soft, _ = body
    told = []
    bake_texture(mesh, rgb, soft, options=BakeOptions(256), progress=lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1] >= 1

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bake_texture(mesh, rgb, soft, options=BakeOptions(256), progress=stop)


def test_what_cant_be_baked_is_said_in_a_sentence(body):
    mesh, rgb, soft, views = body
    away = trimesh.Trimesh(np.add(mesh.vertices, 3.0), mesh.faces, process=False)
    broken = trimesh.Trimesh(np.full_like(mesh.vertices, np.nan), mesh.faces, process=False)
    one = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    nothing = replace(views, masks=torch.zeros_like(views.masks))
    for error, bad in (
        (MeshError, (away, rgb, soft)),
        (MeshError, (broken, rgb, soft)),
        (MeshError, (one, rgb, soft)),
        (MaskError, (mesh, rgb, soft[1:])),
        (ViewsError, (mesh, rgb, soft, nothing)),
    ):
        with pytest.raises(error, match=r"^[A-Z].*[.]$"):
            bake_texture(*bad, options=BakeOptions(256))
    with pytest.raises(ValueError, match="9000"):
        bake_texture(mesh, rgb, soft, options=BakeOptions(9000))
