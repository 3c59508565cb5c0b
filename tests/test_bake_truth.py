"""The bake against known albedo: what the pictures show lands on its own texel, and bad pictures do no harm."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import trimesh

from garment3d.camera import orbit, photo_camera
from garment3d.data import Views
from garment3d.garment.texture.bake import Baked, BakeOptions, bake_texture
from garment3d.garment.texture.unwrap import unwrap
from garment3d.views.rendered import rendered_orbit
from tests.truth import Truth, canonical_mesh, make_garment, make_photo
from tests.truth.fabric import Fabric, motif
from tests.truth.judged import FILLED, Judged, Sight, TrueTexels, judged, psnr_of, sight_of, true_texels
from tests.truth.orbit import degraded, exact_views, unlit

SIZE = 512
SHOWN_DB = 30
PRINT = motif(np.random.default_rng(4), np.array([0.96, 0.89, 0.75]), np.array([0.94, 0.54, 0.3]), style=1)
CLOTHS = {
    "tee": Fabric(
        "solid", *np.array([[0.1, 0.42, 0.45], [0.96, 0.89, 0.75], [0.9, 0.5, 0.3]]), 4, 1, None, PRINT, 20.0
    ),
    "skirt": Fabric("floral", *np.array([[0.14, 0.2, 0.36], [0.95, 0.92, 0.88], [0.9, 0.6, 0.2]]), 5, 2, label=False),
}


@cache
def case(name: str) -> tuple[Truth, trimesh.Trimesh, TrueTexels, Views, Sight]:
    garment = make_garment(name, 2, step_cm=1.6)
    entry = unlit(Truth(garment, make_photo(garment, 2, (192, 144), fabric=CLOTHS[name])), (640, 480))
    mesh = unwrap(canonical_mesh(entry.garment, entry.photo))
    views = exact_views(entry, orbit(45, hw=(384, 384)), samples=2)
    texels = true_texels(entry, mesh, SIZE)
    return entry, mesh, texels, views, sight_of(texels, mesh, (photo_camera(entry.photo.soft), *views.orbit.cameras))


@cache
def baked(name: str, kind: str) -> Baked:
    entry, mesh, _, exact, _ = case(name)
    views = {"none": None, "exact": exact, "bad": degraded(exact, 3)}[kind]
    return bake_texture(mesh, entry.photo.rgb, entry.photo.soft, views, options=BakeOptions(size=SIZE))


def atlas_of(bake: Baked) -> np.ndarray:
    material = bake.mesh.visual.material  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    return np.asarray(material.baseColorTexture.convert("RGB"))


def figures(name: str, kind: str) -> Judged:
    _, _, texels, _, sight = case(name)
    return judged(texels, sight, atlas_of(baked(name, kind)), baked(name, kind).source)


def test_exact_views_give_plain_cloth_and_print_back_without_a_step() -> None:
    exact = figures("tee", "exact")
    assert min(exact.seen, exact.front, exact.side, exact.back) >= 30
    assert exact.step_999 <= 4
    assert exact.fill_999 <= 5
    assert exact.views > 0.5 and exact.filled < 0.1


def test_exact_views_give_a_pattern_back_that_cloth_made_from_the_front_can_not() -> None:
    exact, none = figures("skirt", "exact"), figures("skirt", "none")
    assert exact.views > 0.4 and exact.filled < 0.1
    assert exact.side > none.side + 6 and exact.back > none.back + 10
    _, _, texels, _, sight = case("skirt")
    code = baked("skirt", "exact").source.ravel()[texels.index]
    shown = sight.seen & (code != FILLED)
    assert psnr_of((atlas_of(baked("skirt", "exact")).reshape(-1, 3)[texels.index] - texels.rgb)[shown]) >= SHOWN_DB


@pytest.mark.parametrize("name", CLOTHS)
def test_bad_views_are_never_worse_than_none(name: str) -> None:
    none, bad = figures(name, "none"), figures(name, "bad")
    assert bad.front >= none.front - 0.05
    assert bad.side >= none.side - 0.05
    assert bad.back >= none.back - 0.05


def test_bad_views_of_the_same_cloth_do_not_soften_what_cloth_shows_as_well() -> None:
    assert max(figures(name, "bad").views for name in CLOTHS) < 0.1


def test_a_back_of_another_colour_is_taken_even_from_bad_views() -> None:
    entry, mesh, _, exact, _ = case("tee")
    images = exact.images.clone()
    for i, azimuth in enumerate(exact.orbit.azimuths_deg):
        if 100 < azimuth < 260:
            images[i] = torch.where(exact.masks[i][..., None] > 0.5, torch.tensor([0.75, 0.12, 0.1]), images[i])
    views = degraded(replace(exact, images=images), 3)
    bake = bake_texture(mesh, entry.photo.rgb, entry.photo.soft, views, options=BakeOptions(size=256))
    colours = rendered_orbit(bake.mesh, orbit(hw=(64, 64), azimuths_deg=(0.0, 180.0)), shading="unlit")
    front, back = (255 * image[mask > 0.9].numpy() for image, mask in zip(colours.images, colours.masks, strict=True))
    assert np.subtract(*np.median(back, 0)[:2]) > 40 > -40 > np.subtract(*np.median(front, 0)[:2])


def test_bad_views_of_plain_cloth_leave_side_and_back_right() -> None:
    bad = figures("tee", "bad")
    assert min(bad.side, bad.back) >= 20
