"""The whole route on a drawn T-shirt: what comes out is the shirt that went in, told stage by stage."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from garment3d.camera import photo_camera, project
from garment3d.errors import MaskError, UnclearGarment
from garment3d.export.result import save
from garment3d.pipeline import Settings, run
from garment3d.views.rendered import rendered_orbit

TEE = [(100, 40), (135, 52), (165, 52), (200, 40), (275, 110), (235, 150), (212, 128), (214, 280), (86, 280), (88, 128),
       (65, 150), (25, 110)]  # fmt: skip
SMALL = Settings(triangles=1500, texture_px=512, view_px=96, step_deg=90)
STAGES = ["read", "mask", "shell", "texture", "views", "check"]


def draw(path, mode="RGB"):
    """A blue T-shirt with a yellow square on its chest; RGBA has no background."""
    picture = Image.new(mode, (300, 320), (242, 241, 239) if mode == "RGB" else (0, 0, 0, 0))
    ImageDraw.Draw(picture).polygon(TEE, fill=(40, 90, 160))
    ImageDraw.Draw(picture).rectangle((130, 150, 170, 190), fill=(230, 200, 60))
    picture.save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    draw(folder / "tee.png")
    alone = Image.new("L", (300, 320), 0)
    ImageDraw.Draw(alone).polygon(TEE, fill=255)
    alone.save(folder / "tee.mask.png")
    return folder


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def result(folder, told):
    settings = replace(SMALL, mask=folder / "tee.mask.png")
    return run(folder / "tee.png", settings, lambda stage, share: told.append((stage, share)))


def test_a_drawn_tee_comes_out_as_a_tee(result):
    assert result.garment_class == "tee" and result.length_cm == 70
    assert sorted(opening.name for opening in result.openings) == ["cuff_l", "cuff_r", "hem", "neck"]
    assert result.figures.checks == (1, 4, 0, 0, 0, 0, 0)
    assert result.figures.triangles == pytest.approx(1500, rel=0.15)
    assert result.figures.likeness.silhouette_iou > 0.97 and result.figures.likeness.front_psnr_db > 28
    assert result.warnings == ()


def test_the_openings_lie_where_they_were_drawn(result):
    ends = {"hem": ((86, 280), (214, 280)), "cuff_r": ((65, 150), (25, 110)), "cuff_l": ((235, 150), (275, 110))}
    for opening in result.openings:
        if opening.name in ends:
            at, _ = project(photo_camera(result.soft), np.array(opening.anchor))
            assert np.allclose(at, np.mean(ends[opening.name], axis=0), atol=0.05 * 240)


def test_the_front_view_shows_the_photo_and_the_back_view_no_print(result):
    assert result.views.orbit.azimuths_deg == (0, 90, 180, 270)

    def yellow(picture):
        return ((picture[..., 0] > 0.5) & (picture[..., 2] < 0.45)).float().mean().item()

    front, _, back, _ = result.views.images
    assert yellow(front) > 0.01 and yellow(back) < 0.001
    inside = result.views.masks[2] > 0.99
    assert inside.float().mean() > 0.15
    assert back[inside].mean(0).argmax() == 2


def test_every_stage_is_told_and_timed_in_order(result, told):
    assert list(result.seconds) == STAGES and all(spent > 0 for spent in result.seconds.values())
    assert [stage for stage, share in told if share == 0] == STAGES
    assert list(dict.fromkeys(stage for stage, share in told if share == 1)) == STAGES
    shares = [share for stage, share in told if stage == "views"]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and {0.25, 0.5, 0.75} <= set(shares)


def test_the_same_photo_gives_the_same_garment(result, folder):
    again = run(folder / "tee.png", replace(SMALL, mask=folder / "tee.mask.png"))
    assert np.array_equal(again.mesh.vertices, result.mesh.vertices) and np.array_equal(
        again.mesh.faces, result.mesh.faces
    )
    pictures = [np.asarray(r.mesh.visual.material.baseColorTexture) for r in (again, result)]
    assert np.array_equal(*pictures)


def test_the_engines_say_where_the_mask_came_from(result, folder):
    assert result.engines == ("file", "inflated", "photo", "none", "rendered") and result.mask_confidence is None
    quick = run(folder / "tee.png", SMALL)
    assert quick.engines.mask == "quick" and 0 <= (quick.mask_confidence or -1) <= 1
    cut = run(draw(folder / "cut.png", "RGBA"), SMALL)
    assert cut.engines.mask == "alpha"
    assert np.array_equal(cut.soft >= 0.5, result.soft >= 0.5)


def test_a_back_photo_is_on_the_back_and_nowhere_else(folder):
    back = Image.new("RGBA", (300, 320), (0, 0, 0, 0))
    ImageDraw.Draw(back).polygon(TEE, fill=(170, 40, 50))
    back.save(folder / "back.png")
    found = run(folder / "tee.png", replace(SMALL, mask=folder / "tee.mask.png", back=folder / "back.png"))
    assert found.engines.texture == "photo+back"
    front, _, behind, _ = found.views.images
    center = np.s_[40:56, 30:60]
    assert behind[center].mean((0, 1)).argmax() == 0 and front[60:70, 44:52].mean((0, 1)).argmax() == 2


def test_a_back_photo_that_cannot_be_cut_out_is_the_one_named(folder):
    Image.effect_noise((300, 320), 90).convert("RGB").save(folder / "noise.png")
    with pytest.raises(UnclearGarment, match=r"back photo noise\.png"):
        run(folder / "tee.png", replace(SMALL, mask=folder / "tee.mask.png", back=folder / "noise.png"))


def test_settings_reach_their_stages(folder):
    chosen = replace(SMALL, mask=folder / "tee.mask.png", step_deg=120, elevation_deg=30, view_px=64, length_cm=82)
    found = run(folder / "tee.png", replace(chosen, texture_px=256, triangles=800))
    assert found.views.images.shape == (3, 64, 64, 3) and found.views.orbit.elevation_deg == 30
    assert found.figures.detail.texture_px == 256 and found.figures.size_cm[1] == 82
    assert found.figures.triangles == pytest.approx(800, rel=0.2)
    with pytest.raises(FrozenInstanceError):
        chosen.step_deg = 10


def test_a_progress_callback_can_stop_the_run(folder):
    class Stop(Exception):
        pass

    def stop(stage, share):
        if stage == "views" and share > 0:
            raise Stop

    with pytest.raises(Stop):
        run(folder / "tee.png", replace(SMALL, mask=folder / "tee.mask.png"), stop)


def test_an_unusable_mask_is_the_masks_error(folder):
    with pytest.raises(MaskError, match=r"other\.png is 50×60"):
        Image.new("L", (50, 60), 255).save(folder / "other.png")
        run(folder / "tee.png", replace(SMALL, mask=folder / "other.png"))


def test_saving_changes_nothing_of_the_result(result, tmp_path):
    mesh = result.mesh
    before = (
        mesh.vertices.tobytes(),
        np.asarray(mesh.visual.uv).tobytes(),
        result.views.images.clone(),
        dict(result.seconds),
    )
    report = save(result, tmp_path / "tee", ["glb"], turntable=False)
    assert (mesh.vertices.tobytes(), np.asarray(mesh.visual.uv).tobytes()) == before[:2]
    assert torch.equal(result.views.images, before[2]) and dict(result.seconds) == before[3]
    assert list(report.seconds) == [*STAGES, "save", "report"]
    assert {"garment.glb", "report.json"} <= set(report.files)


def test_a_view_that_shows_no_garment_is_said(folder, monkeypatch):
    def partly_blank(mesh, around, **options):
        views = rendered_orbit(mesh, around, **options)
        views.masks[1] = 0
        return views

    monkeypatch.setattr("garment3d.pipeline.rendered_orbit", partly_blank)
    found = run(folder / "tee.png", replace(SMALL, mask=folder / "tee.mask.png"))
    assert found.warnings == ("No garment can be told from the background in the views from 90°.",)
