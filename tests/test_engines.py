"""Which engine does a stage: named ones, those on disk, and the way round what a photo does not let one do."""

import json
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from garment3d import __main__ as command
from garment3d import pipeline
from garment3d.camera import photo_camera
from garment3d.data import Photo
from garment3d.engines import Models, cut_out, picks_triposr, picks_zero123, triposr_surface
from garment3d.errors import MissingWeights, PromptError, SurfaceError, UnclearGarment, WeightsError
from garment3d.export.result import save
from garment3d.metrics import mask_iou
from garment3d.pipeline import Settings, run
from garment3d.render import render
from tests.tiny.clothes import ATR, person, write_clothes
from tests.tiny.sam import write_sam
from tests.tiny.triposr import picture, tiny_state, write_triposr
from tests.tiny.zero123 import write_zero123, write_zero123_folder

SMALL = Settings(triangles=1500, texture_px=256, view_px=96, step_deg=120, steps=2, resolution=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ComfyUI models folder with a small one of each model under its official name."""
    root = tmp_path_factory.mktemp("models")
    for name in ("sams", "checkpoints", "garment3d"):
        (root / name).mkdir()
    write_sam(root / "sams" / "sam_vit_b_01ec64.pth")
    write_zero123(root / "checkpoints" / "zero123-xl.ckpt")
    (root / "garment3d" / "TripoSR").mkdir()
    write_triposr(root / "garment3d" / "TripoSR" / "model.ckpt")
    write_clothes(root / "garment3d" / "segformer_b2_clothes")
    return root


@pytest.fixture(scope="module")
def models(folder):
    return Models(folder)


@pytest.fixture(scope="module")
def shirt(tmp_path_factory):
    rgb, soft = picture()
    plain = soft[..., None] * rgb + (1 - soft[..., None]) * 242
    path = tmp_path_factory.mktemp("photo") / "shirt.png"
    Image.fromarray(plain.round().astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def result(shirt, models):
    return run(shirt, replace(SMALL, engine_views="zero123"), models=models)


def worn():
    """A photo of a drawn person and where the dress is."""
    rgb, labels = person("dress")
    return Photo(rgb, None), labels == ATR.index("Dress")


def test_without_a_folder_no_model_is_looked_for(shirt):
    nothing = Models()
    assert not any(nothing.has(model) for model in ("sam", "clothes", "zero123", "triposr"))
    assert not picks_triposr("auto", nothing) and not picks_zero123("auto", nothing)


@pytest.mark.parametrize(("engine", "name"), [("sam", "SAM"), ("clothes", "clothes parser")])
def test_a_named_engine_without_its_file_says_how_to_get_it(engine, name, tmp_path):
    with pytest.raises(MissingWeights, match=rf"No {name} model is in .*weights get"):
        cut_out(worn()[0], engine, Models(tmp_path))


def test_the_whole_route_says_which_engine_ran(result):
    assert result.engines == ("sam", "fitted", "photo+views", "triposr", "zero123")
    assert result.fitting.target == "triposr" and result.fitting.distance_after < result.fitting.distance_before
    assert result.views.images.shape == (3, 256, 256, 3)
    assert list(result.seconds) == ["read", "mask", "shell", "surface", "fit", "views", "texture", "check"]


def test_a_surface_that_is_not_there_costs_the_garment_only_where_it_was_asked_for(shirt, folder):
    without = replace(SMALL, models=folder, engine_mask="quick", threshold=1e6)
    found = run(shirt, without)
    assert found.surface is None and found.engines.surface == "none" and len(found.mesh.faces) > 500
    assert any("no surface by TripoSR" in warning and "threshold" in warning for warning in found.warnings)
    with pytest.raises(SurfaceError, match="threshold"):
        run(shirt, replace(without, engine_surface="triposr"))


def test_a_damaged_triposr_that_nobody_asked_for_is_a_warning(shirt, tmp_path):
    path = tmp_path / "garment3d" / "TripoSR" / "model.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<!DOCTYPE html><html></html>")
    without = replace(SMALL, models=tmp_path, engine_mask="quick", engine_views="rendered")
    result = run(shirt, without)
    assert result.surface is None and result.engines.surface == "none" and not result.models
    assert any("TripoSR/model.ckpt is no model file but a web page" in warning for warning in result.warnings)
    with pytest.raises(WeightsError, match="web page"):
        run(shirt, replace(without, engine_surface="triposr"))


def test_triposr_stands_in_the_masks_frame(models):
    """The small network makes one T-shirt of every picture, upright and as long as what it was shown."""
    rgb, soft = picture()
    surface = triposr_surface(Photo(rgb, None), soft, models, 96, 25.0, lambda done, total: None).mesh
    width, height, depth = np.ptp(surface.vertices, axis=0)
    assert height == pytest.approx(1, abs=0.05) and depth < 0.6 * width and surface.volume > 0
    wide = (render(surface, photo_camera(soft)).alpha.numpy() >= 0.5).sum(1)
    rows = np.flatnonzero(wide)
    sleeves, body = wide[rows[len(rows) // 6]], wide[rows[-len(rows) // 6]]
    assert sleeves > 1.3 * body


def test_the_surface_is_saved_where_the_garment_stands(result, tmp_path):
    report = save(result, tmp_path / "out", ("glb",), turntable=False)
    assert "surface.glb" in report.files and len([f for f in report.files if f.startswith("views/")]) == 3
    said = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert said["models"] == [
        {"model": "sam", "file": "sams/sam_vit_b_01ec64.pth"},
        {"model": "triposr", "file": "TripoSR/model.ckpt", "resolution": 64, "threshold": 25.0},
        {"model": "zero123", "file": "checkpoints/zero123-xl.ckpt", "steps": 2, "seed": 0},
    ]
    assert said["engines"]["surface"] == "triposr" and said["engines"]["views"] == "zero123"
    surface = trimesh.load(tmp_path / "out" / "surface.glb", force="mesh", process=False)
    scale = result.length_cm / 100 / np.ptp(result.mesh.vertices[:, 1])
    np.testing.assert_allclose(np.ptp(surface.vertices, axis=0), scale * np.ptp(result.surface.vertices, axis=0), 1e-5)
    low = scale * (result.surface.vertices[:, 1].min() - result.mesh.vertices[:, 1].min())
    assert surface.vertices[:, 1].min() == pytest.approx(low, abs=1e-5)


def test_auto_takes_the_parser_where_the_quick_mask_sees_a_person(folder, tmp_path):
    photo, dress = worn()
    with pytest.raises(UnclearGarment):
        cut_out(photo, "quick", Models(folder))
    copytree(folder / "garment3d" / "segformer_b2_clothes", tmp_path / "garment3d" / "segformer_b2_clothes")
    cut = cut_out(photo, "auto", Models(tmp_path))
    assert cut.engine == "clothes" and mask_iou(cut.soft >= 0.5, dress) > 0.8


def test_sam_asks_the_parser_for_a_worn_garment(models):
    assert cut_out(worn()[0], "auto", models).engine == "clothes+sam"


def test_a_cut_out_photo_needs_no_model(models):
    rgb, soft = picture()
    alpha = (soft * 255).round().astype(np.uint8)
    cut = cut_out(Photo(rgb, alpha), "auto", models)
    assert cut.engine == "alpha"
    np.testing.assert_allclose(cut.soft, alpha / 255, atol=1e-6)


def test_a_prompt_in_words_of_json_reaches_sam(models):
    rgb, soft = picture()
    y, x = np.argwhere(soft > 0.9).mean(0)
    said = json.dumps({"points": [[x, y, 1], [3, 3, 0]]})
    assert cut_out(Photo(rgb, None), "sam", models, prompt=said).engine == "sam"
    with pytest.raises(PromptError):
        cut_out(Photo(rgb, None), "sam", models, prompt='{"points": [[9999, 0, 1]]}')


def asked_of_sam(monkeypatch, score=0.9):
    """The prompts that reach SAM from now on, which answers with an empty mask of that score."""
    from garment3d.mask import sam

    prompts = []

    def answer(network, embedding, prompt, device):
        prompts.append(prompt)
        return sam.SamMask(np.zeros(embedding.hw, np.float32), score, torch.zeros(256, 256), ())

    monkeypatch.setattr(sam, "sam_mask", answer)
    return prompts


def test_a_prompt_in_auto_is_never_left_unread(models, tmp_path):
    rgb, soft = picture()
    said = json.dumps({"points": [np.argwhere(soft > 0.9).mean(0)[::-1].tolist()]})
    with pytest.raises(MissingWeights, match="No SAM model"):
        cut_out(Photo(rgb, None), "auto", Models(tmp_path), prompt=said)
    alpha = (soft * 255).round().astype(np.uint8)
    assert cut_out(Photo(rgb, alpha), "auto", models, prompt=said).engine == "sam"


@pytest.mark.parametrize(
    ("engine", "hint"), [("quick", {"prompt": "[[5, 5]]"}), ("clothes", {"prompt": "[[5, 5]]"}),
                         ("clothes", {"box": (1, 1, 90, 90)}), ("quick", {"garment": "upper"}),
                         ("auto", {"garment": "upper", "prompt": "[[5, 5]]"})],
)  # fmt: skip
def test_a_hint_that_an_engine_does_not_take_is_refused(engine, hint, models):
    with pytest.raises(PromptError, match=r"choose sam|leave one of the two out"):
        cut_out(worn()[0], engine, models, **hint)


def test_a_box_and_a_prompt_reach_sam_together_and_within_the_photo(models, monkeypatch):
    prompts, photo = asked_of_sam(monkeypatch), worn()[0]
    cut_out(photo, "sam", models, box=(-20, -5, 900, 900), prompt="[[100, 100, 1]]")
    assert prompts[0].box == (0, 0, 512, 512) and prompts[0].points == ((100, 100),)
    with pytest.raises(PromptError, match="another"):
        cut_out(photo, "sam", models, box=(1, 1, 90, 90), prompt='{"box": [2, 2, 80, 80]}')


@pytest.fixture
def tee_and_trousers(monkeypatch):
    """A person in both and the classes, which the parser sees as they are: the small one knows no trousers."""
    from garment3d.mask import clothes

    rgb, labels = person("tee", 20)
    logits = 9.0 * torch.nn.functional.one_hot(torch.from_numpy(labels[::4, ::4]), len(ATR)).permute(2, 0, 1)
    monkeypatch.setattr(clothes, "parse", lambda *_: clothes.Parsed(logits, ATR, labels.shape))
    return Photo(rgb, None), {"upper": labels == ATR.index("Upper-clothes"), "trousers": labels == ATR.index("Pants")}


@pytest.mark.parametrize("garment", ["upper", "trousers"])
def test_a_named_garment_is_cut_out_by_the_parser_or_shown_to_sam(garment, models, tee_and_trousers, monkeypatch):
    photo, worn_there = tee_and_trousers
    cut = cut_out(photo, "clothes", models, garment=garment)
    assert cut.engine == "clothes" and mask_iou(cut.soft >= 0.5, worn_there[garment]) > 0.9
    prompts = asked_of_sam(monkeypatch)
    assert cut_out(photo, "auto", models, garment=garment).engine == "clothes+sam"
    on = [point for point, label in zip(prompts[0].points, prompts[0].labels, strict=True) if label]
    assert on and all(worn_there[garment][int(y), int(x)] for x, y in on)
    with pytest.raises(PromptError, match="no class"):
        cut_out(photo, "auto", models, garment="trombone")


def test_a_box_is_not_given_up_for_the_parser(folder, tmp_path):
    copytree(folder / "garment3d" / "segformer_b2_clothes", tmp_path / "garment3d" / "segformer_b2_clothes")
    with pytest.raises(UnclearGarment, match="in the box"):
        cut_out(worn()[0], "auto", Models(tmp_path), box=(2, 2, 60, 60))


def test_a_stray_transparent_pixel_is_no_cut_out(models):
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[0, 0] = 0
    assert cut_out(Photo(worn()[0].rgb, alpha), "auto", models).engine == "clothes+sam"


def test_the_parser_does_not_see_what_is_hidden_under_transparency(models):
    photo, dress = worn()
    alpha = np.where(dress, np.uint8(255), np.uint8(0))
    noise = np.random.default_rng(2).integers(0, 256, photo.rgb.shape).astype(np.uint8)
    white = np.where(dress[..., None], photo.rgb, np.uint8(255))
    hidden = np.where(dress[..., None], photo.rgb, noise)
    cuts = [cut_out(p, "clothes", models) for p in (Photo(hidden, alpha), Photo(white, None))]
    assert np.array_equal(cuts[0].soft, cuts[1].soft)


def test_where_quick_mask_and_parser_cannot_say_sam_proposes(models, monkeypatch):
    from garment3d.mask import sam

    cluttered = np.random.default_rng(1).integers(0, 256, (240, 200, 3)).astype(np.uint8)
    monkeypatch.setattr("garment3d.mask.clothes.clothes_mask", lambda *_: (_ for _ in ()).throw(UnclearGarment("No.")))
    answer = sam.SamMask(np.eye(240, 200, dtype=np.float32), 0.8, torch.zeros(256, 256), ())
    monkeypatch.setattr(sam, "propose", lambda *_: answer)
    cut = cut_out(Photo(cluttered, None), "auto", models)
    assert cut.soft is answer.soft and (cut.engine, cut.confidence) == ("sam", 0.8)


def test_every_engine_with_an_opinion_gives_its_confidence(models, monkeypatch):
    assert 0 < (cut_out(worn()[0], "clothes", models).confidence or 0) <= 1
    asked_of_sam(monkeypatch, 1.04)  # nothing bounds what SAM predicts
    assert cut_out(worn()[0], "sam", models).confidence == 1


def test_a_missing_model_is_said_before_anything_is_done(shirt, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "read_photo", lambda path: pytest.fail("the run has begun"))
    for engine in ({"engine_surface": "triposr"}, {"engine_views": "zero123"}, {"engine_mask": "sam"}):
        with pytest.raises(MissingWeights, match=rf"model is in {tmp_path}: put one there, or download"):
            run(shirt, replace(SMALL, models=tmp_path, **engine))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match="No TripoSR model is known: say where"):
        run(shirt, replace(SMALL, engine_surface="triposr"))


def test_zero123_waits_to_be_asked_on_a_cpu(folder):
    assert not picks_zero123("auto", Models(folder)) and picks_zero123("zero123", Models(folder))
    assert picks_zero123("auto", Models(folder, "cuda"))


def test_zero123_runs_in_float32_on_a_cpu_whatever_its_folder_holds(tmp_path):
    """There a UNet takes eleven times as long in float16."""
    write_zero123_folder(tmp_path / "diffusers" / "zero123-xl", "clip_camera_projection", half=True)
    for device, dtype in (("cpu", torch.float32), ("cuda", torch.float16)):
        model = Models(tmp_path, device).zero123
        assert model.unet.dtype == model.vae.dtype == model.projection.weight.dtype == dtype


def test_a_model_in_the_hugging_face_cache_is_called_by_its_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--stabilityai--TripoSR" / "snapshots" / "5b521936b01fbe1890f6f9baed0254ab6351c04a"
    snapshot.mkdir(parents=True)
    (snapshot / "model.ckpt").touch()
    assert Models(tmp_path / "models").file("triposr") == "stabilityai/TripoSR/model.ckpt"


def test_triposr_in_half_precision_runs_in_float32_on_a_cpu(tmp_path):
    (tmp_path / "garment3d").mkdir()
    torch.save({key: value.half() for key, value in tiny_state().items()}, tmp_path / "garment3d" / "triposr_fp16.ckpt")
    assert {value.dtype for value in Models(tmp_path).triposr.backbone.parameters()} == {torch.float32}


def test_the_command_line_says_what_a_renamed_zero123_is(shirt, folder, tmp_path, monkeypatch, capsys):
    asked = []

    def load(path, family, **_):
        asked.append(family)
        raise MissingWeights("That was all.")

    monkeypatch.setattr("garment3d.views.zero123_checkpoint.load_zero123", load)
    options = ["--models", folder, "--engine-mask", "quick", "--engine-surface", "none", "--engine-views", "zero123"]
    small = ["--triangles", "1200", "--texture-size", "256", "-o", tmp_path]
    for family in ([], ["--zero123-family", "stable"]):
        assert command.main([str(a) for a in (shirt, *options, *small, *family)]) == 1
        assert "That was all." in capsys.readouterr().err
    assert asked == ["auto", "stable"]


@pytest.mark.parametrize(("minutes", "told"), [(0.2, "about 1 minute per"), (1.6, "about 2 minutes per")])
def test_the_command_line_says_what_zero123_costs(minutes, told, folder, monkeypatch, capsys):
    monkeypatch.setattr("garment3d.views.zero123_cost.cpu_minutes", lambda *_: minutes)
    arguments = command.parser().parse_args(["photo.jpg", "--engine-views", "zero123"])
    command._tell_of_zero123(arguments, Models(folder))
    assert told in capsys.readouterr().err


def test_the_command_line_names_the_engines(shirt, folder, tmp_path, capsys):
    small = ["--triangles", "1200", "--texture-size", "256", "--step", "180", "--no-turntable", "--mc-resolution", "48"]
    options = ["--models", folder, "--engine-mask", "quick", "--engine-views", "zero123", "--steps", "3"]
    assert command.main([str(a) for a in (shirt, "-o", tmp_path, *options, *small)]) == 0
    assert "mask quick, shell fitted, texture photo+views, surface triposr, views zero123" in capsys.readouterr().out
    assert (tmp_path / "shirt" / "surface.glb").is_file()


def test_a_models_folder_that_is_none_is_one_sentence(shirt, tmp_path, capsys):
    assert command.main([str(shirt), "-o", str(tmp_path), "--models", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_sam_that_strays_from_what_it_was_shown_is_said(models, shirt):
    """The small SAM's weights are random: its mask has little to do with the shirt."""
    result = run(shirt, replace(SMALL, engine_surface="none"), models=models)
    assert result.engines.mask == "sam"
    assert any("SAM's mask and the one that prompted it agree to" in warning for warning in result.warnings)


def test_a_damaged_sam_that_nobody_asked_for_leaves_the_quick_mask(shirt, tmp_path):
    (tmp_path / "sams").mkdir()
    (tmp_path / "sams" / "sam_vit_b_01ec64.pth").write_bytes(b"<!DOCTYPE html><html></html>")
    result = run(shirt, SMALL, models=Models(tmp_path))
    assert result.engines.mask == "quick" and result.warnings[0].startswith("SAM was left out: ")
    with pytest.raises(WeightsError):
        run(shirt, replace(SMALL, engine_mask="sam"), models=Models(tmp_path))
