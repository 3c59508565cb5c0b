"""The assessment finds what was planted into good garments, under its own name, and accuses no good one."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from garment3d.camera import orbit, orbit_radius
from garment3d.errors import MaskError, MeshError
from garment3d.garment.openings import find_openings
from garment3d.garment.shell import garment_shell
from garment3d.garment.solidify import solidify
from garment3d.garment.texture import texture_garment
from garment3d.quality import judge_texture
from garment3d.quality.assess import assess
from garment3d.quality.files import file_size_findings
from garment3d.quality.findings import FAULTS
from garment3d.quality.texture import Front
from garment3d.views.rendered import rendered_orbit
from tests.truth import faults as planting
from tests.truth import make_garment, make_photo
from tests.truth.fabric import make_fabric, motif
from tests.truth.faults import MESH, VIEWS, Specimen, all_tinted
from tests.truth.orbit import degraded


def specimen(name, seed, kind, printed=False):
    """A truth garment's photo through the library's own shell and texture, smaller than the pipeline makes it."""
    garment = make_garment(name, seed, step_cm=1.0)
    fabric = make_fabric(name, seed)._replace(
        kind=kind, base=np.array([0.15, 0.3, 0.5]), second=np.array([0.9, 0.85, 0.7]), trim=None, chest=None
    )
    if printed:
        chest = motif(np.random.default_rng(3), np.array([0.9, 0.8, 0.3]), np.array([0.8, 0.2, 0.2]), style=2)
        fabric = fabric._replace(chest=chest)
    photo = make_photo(garment, seed, (640, 480), "near_white", fabric)
    shell = garment_shell(photo.soft, photo.rgb, triangles=3500)
    mesh = texture_garment(shell, photo.rgb, photo.soft, size=768).mesh
    radius = orbit_radius(np.asarray(mesh.vertices), fill=0.85)
    views = rendered_orbit(mesh, orbit(45, radius=radius, hw=(256, 256)))
    return Specimen(f"{name} {kind}", mesh, photo.rgb, photo.soft, views)


@pytest.fixture(scope="module")
def tee():
    return specimen("tee", 2, "solid", printed=True)


@pytest.fixture(scope="module")
def trousers():
    return specimen("trousers", 1, "stripes")


@pytest.fixture(scope="module")
def skirt():
    return specimen("skirt", 3, "floral")


def judged(some, views=False, **more):
    return assess(some.mesh, some.rgb, some.soft, some.views if views else None, **more)


def names(quality):
    return [finding.fault for finding in quality.findings]


@pytest.mark.parametrize("which", ["tee", "trousers", "skirt"])
def test_a_good_garment_is_called_good(which, request):
    good = request.getfixturevalue(which)
    quality = judged(good, views=True)
    assert quality.verdict == "good" and quality.findings == () and quality.worst == () and quality.notes == ()
    assert quality.sentence.startswith("Good: ")
    assert quality.silhouette_iou > 0.98 and quality.texture.front_psnr_db > 28
    assert len(quality.views) == 8 and min(view.silhouette_iou for view in quality.views) > 0.98
    assert quality.shape.mirrored_iou > 0.95 and abs(quality.shape.size_error) < 0.01


@pytest.mark.parametrize("label", MESH)
def test_every_fault_of_a_mesh_and_its_texture_is_named(label, tee):
    fault, plant = MESH[label]
    quality = judged(plant(tee))
    assert fault in names(quality), quality.sentence
    assert quality.verdict in ("check", "reject")
    found = next(f for f in quality.findings if f.fault == fault)
    assert found.sentence.endswith(".") and len(found.sentence) > 20


@pytest.mark.parametrize("label", ["texture mirrored in its islands", "hole of 0.5 % in front",
                                   "a patch of 0.3 % flipped", "texture halo 0.4 % wide", "hem capped"])  # fmt: skip
@pytest.mark.parametrize("which", ["trousers", "skirt"])
def test_stripes_and_flowers_hide_no_fault(label, which, request):
    fault, plant = MESH[label]
    quality = judged(plant(request.getfixturevalue(which)))
    assert fault in names(quality), quality.sentence


@pytest.mark.parametrize("label", VIEWS)
def test_every_fault_of_a_view_is_named_in_that_view_and_only_warns(label, tee):
    fault, plant = VIEWS[label]
    quality = judged(plant(tee, 3), views=True)
    assert (fault, "view 135°") in [(f.fault, f.where) for f in quality.findings], quality.sentence
    assert quality.worst == (135.0,) and quality.verdict == "check" and quality.garment_findings == ()
    assert "the garment itself is sound" in quality.sentence


def test_a_shift_is_told_in_pixels_and_from_a_wrong_shape(tee):
    views = judged(planting.view_moved(tee, 2, 0.05), views=True).views
    assert views[2].shift_px == pytest.approx((0.8 * 0.05 * 256, 0.6 * 0.05 * 256), abs=1.2)
    assert views[2].scale == pytest.approx(1, abs=0.01)
    assert [view.bad for view in views] == [i == 2 for i in range(8)]


def test_a_cast_of_all_views_is_one_finding(tee):
    quality = judged(all_tinted(tee), views=True)
    assert "colour_cast" in names(quality)


def test_front_and_back_that_cannot_belong_together(tee):
    quality = judged(planting.view_scaled(tee, 4, 1.2), views=True)
    assert "front_back" in names(quality) and quality.shape.mirrored_iou < 0.8


def test_views_as_bad_as_a_models_never_accuse_the_garment(tee):
    bad = tee._replace(views=degraded(tee.views, 5))
    quality = judged(bad, views=True)
    assert quality.garment_findings == () and quality.verdict != "reject"
    assert 0.0 not in quality.worst and 0 < len(quality.worst) < 8


def test_seeds_travel_with_their_views(tee):
    views = tee.views
    seeds = (None, *range(7))
    kept = type(views)(views.images, views.masks, views.orbit, seeds)
    assert tuple(view.seed for view in judged(tee._replace(views=kept), views=True).views) == seeds


def test_the_hole_is_found_where_it_is(tee):
    sizes = [judged(planting.with_hole(tee, share, 1)).findings[0] for share in (0.005, 0.04)]
    assert all(found.where.startswith("mesh, front") for found in sizes)
    assert sizes[1].value == pytest.approx(sizes[0].value * math.sqrt(8), rel=0.25)
    assert judged(planting.with_hole(tee, 0.005, -1)).findings[0].where.startswith("mesh, back")


def test_a_small_hole_is_a_hole_even_where_nobody_knows_the_openings(tee):
    vertices, faces, uv = planting.parts(tee)
    holed = planting.meshed(tee, vertices, np.delete(faces, np.flatnonzero(planting.patch(tee, 0.01))[0], 0), uv)
    assert names(judged(holed, expected=())).count("hole") == 5
    assert names(judged(holed)) == ["hole"]


def test_symmetric_plain_cloth_is_not_called_mirrored_and_the_report_says_it_cannot_be_told(tee):
    soft = np.maximum(tee.soft, tee.soft[:, ::-1])
    rgb = np.where(soft[..., None] > 0.5, np.uint8([40, 80, 130]), np.uint8([245, 245, 245]))
    shell = garment_shell(soft, rgb, triangles=3000)
    plain = Specimen("plain", texture_garment(shell, rgb, soft, size=512).mesh, rgb, soft, None)
    for some in (plain, planting.uv_mirrored(plain), planting.mirrored_bake(plain)):
        quality = judged(some)
        assert "mirrored_texture" not in names(quality)
        assert any("can't be told" in note for note in quality.notes)


def test_cloth_of_one_flat_colour_is_not_called_mirrored(tee):
    """As in drawn pictures: where every way to lay the texture shows the photo, the last decibel says nothing."""
    flat = np.where(tee.soft[..., None] > 0, np.uint8([2, 2, 2]), np.uint8([0, 0, 0]))
    mesh = texture_garment(tee.mesh, flat, tee.soft, size=256).mesh
    assert "mirrored_texture" not in names(assess(mesh, flat, tee.soft))
    front = Front(88.4, 88.0, 88.4, 90.7, "", 0.0, 0.0)
    assert not list(judge_texture._front(front))
    assert [f.fault for f in judge_texture._front(front._replace(psnr_db=38.4, near_db=38.4))] == ["mirrored_texture"]


def test_views_that_were_cut_out_have_no_halo(tee, trousers, skirt):
    """Black around them, as saved views have: the soft light's shade towards the outline is no background."""
    for good in (tee, trousers, skirt):
        views = good.views
        cut = replace(views, images=views.images * (views.masks[..., None] > 0.5))
        assert judged(good._replace(views=cut), views=True).findings == ()


def test_a_mask_drawn_wide_takes_background_in(tee):
    """Four pixels of 640 all around; the texture hides them under its fill along the flanks, the photo does not."""
    from scipy.ndimage import grey_dilation

    wide = grey_dilation(tee.soft, (9, 9))
    shell = garment_shell(wide, tee.rgb, triangles=3500)
    found = assess(texture_garment(shell, tee.rgb, wide, size=256).mesh, tee.rgb, wide)
    assert names(found) == ["white_halo"] and found.verdict == "check"
    assert "tighten the mask" in found.sentence


def test_white_cloth_before_white_has_no_halo(tee):
    white = np.where(tee.soft[..., None] > 0.5, np.uint8([236, 236, 234]), np.uint8([250, 250, 250]))
    mesh = texture_garment(tee.mesh, white, tee.soft, size=512).mesh
    some = planting.texture_halo(Specimen("white", mesh, white, tee.soft, None), 0.01, 0.9)
    assert "white_halo" not in names(judged(some))


def test_a_garment_with_an_inside_has_its_openings_still(tee):
    thick = tee._replace(mesh=solidify(tee.mesh, 0.004))
    assert not {"missing_opening", "hole", "flipped_normals", "uv_overlap"} & set(names(judged(thick)))
    closed = trimesh.creation.icosphere(3, 0.5)
    found = judged(tee._replace(mesh=closed))
    assert "missing_opening" in names(found) and len(found.shape.missing_openings) == 4
    assert "no_texture" in names(found) and math.isnan(found.texture.front_psnr_db)


def test_a_mesh_without_texture_can_be_assessed_with_views(tee):
    bare = tee._replace(mesh=trimesh.Trimesh(tee.mesh.vertices, tee.mesh.faces, process=False))
    assert names(judged(bare, views=True)) == ["no_texture"]


def test_saved_files_are_held_against_their_length(tee, tmp_path):
    from garment3d.export.mesh import mesh_files

    for file in mesh_files(tee.mesh, length_cm=70, formats=("glb", "obj", "ply", "stl")):
        (tmp_path / file.name).write_bytes(file.data)
        if not file.name.endswith((".png", ".mtl")):
            assert file_size_findings(tmp_path / file.name, 70) == ()
    for factor in (1.02, 0.5, 100):
        (found,) = file_size_findings(planting.saved_too_long(tmp_path, tee, 70, factor), 70)
        assert found.fault == "wrong_scale" and found.value == pytest.approx(0.7 * factor, abs=1e-3)
    assert file_size_findings(tmp_path / "garment.glb", 7000, unit_m=100) == ()
    with pytest.raises(MeshError, match="no mesh file"):
        file_size_findings(Path("garment.txt"), 70)


def test_every_planted_fault_has_a_meaning_in_words():
    planted = {fault for fault, _ in [*MESH.values(), *VIEWS.values()]}
    assert planted <= set(FAULTS) and all(words.endswith(".") for words in FAULTS.values())


def test_steps_are_told_to_the_end_and_may_stop_it(tee):
    told = []
    judged(tee, views=True, progress=lambda done, total: told.append((done, total)))
    assert told == [(i, 11) for i in range(1, 12)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged(tee, progress=stop)


def test_nothing_given_is_changed(tee):
    before = tee.mesh.vertices.copy(), tee.rgb.copy(), tee.views.images.clone()
    judged(tee, views=True, expected=[span.name for span in find_openings(tee.soft).spans])
    assert np.array_equal(before[0], tee.mesh.vertices) and np.array_equal(before[1], tee.rgb)
    assert bool((before[2] == tee.views.images).all())


def test_what_cannot_be_assessed_is_said_in_a_sentence(tee):
    with pytest.raises(MaskError, match="mask of this photo"):
        assess(tee.mesh, tee.rgb[:-1], tee.soft)
    with pytest.raises(MaskError, match="empty"):
        assess(tee.mesh, tee.rgb, np.zeros_like(tee.soft))
    with pytest.raises(MeshError, match="0 faces"):
        assess(trimesh.Trimesh(), tee.rgb, tee.soft)


def test_a_texture_upside_down_is_named(tee):
    visual = tee.mesh.visual
    picture = visual.material.baseColorTexture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    turned = TextureVisuals(uv=np.array(visual.uv), material=PBRMaterial(baseColorTexture=picture))
    mesh = trimesh.Trimesh(tee.mesh.vertices, tee.mesh.faces, visual=turned, process=False)
    found = judged(tee._replace(mesh=mesh)).findings[0]
    assert found.fault == "mirrored_texture" and "upside down" in found.sentence
