"""The bounds of the model check: a good picture passes them, a mirrored, empty or turned one does not."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d import __main__ as command
from garment3d.arguments import PHOTO
from garment3d.check import run
from garment3d.check.judge import judge_front_view, judge_mask, judge_surface, judge_turn
from garment3d.check.run import ModelReport, check, subject
from garment3d.check.text import report_text
from garment3d.engines import Models
from garment3d.images import canvas
from tests.tiny.clothes import person, write_clothes
from tests.tiny.sam import write_sam
from tests.tiny.triposr import write_triposr
from tests.tiny.zero123 import write_zero123


@pytest.fixture(scope="module")
def shirt():
    return subject(PHOTO, "cpu")


@pytest.fixture(scope="module")
def framed(shirt):
    return canvas(shirt.photo.rgb, shirt.soft, 200 / 256, 1.0, 256).pixels


def blurred(picture):
    """As a 256² generator leaves it."""
    noise = np.random.default_rng(0).normal(0, 0.02, picture.shape)
    return np.clip((picture + np.roll(picture, 1, 0) + np.roll(picture, 1, 1)) / 3 + noise, 0, 1)


def test_the_photos_own_turn_is_known_from_its_mirror(shirt):
    assert judge_turn(blurred(shirt.right), shirt.right, shirt.left).good
    assert not judge_turn(blurred(shirt.left), shirt.right, shirt.left).good
    assert not judge_turn(np.ones_like(shirt.right), shirt.right, shirt.left).good


def test_view_0_must_be_the_photo(framed):
    assert all(f.good for f in judge_front_view(blurred(framed), framed))
    for wrong in (np.ones_like(framed), np.random.default_rng(1).random(framed.shape), framed[::-1]):
        assert not all(f.good for f in judge_front_view(wrong, framed))


def test_a_mask_must_cover_the_garment(shirt):
    assert judge_mask(shirt.soft, shirt.soft, 0.9)[0].good
    assert not judge_mask(1 - shirt.soft, shirt.soft, 0.9)[0].good


def egg(turn=0.0, inside_out=False):
    """A flattened ball, red in front and blue behind, and the photo of its front with its mask."""
    solid = trimesh.creation.icosphere(subdivisions=4)
    solid.vertices *= (0.4, 0.5, 0.2)
    front = solid.vertices[:, 2] > 0
    solid.visual = trimesh.visual.ColorVisuals(
        solid, vertex_colors=np.where(front[:, None], (200, 0, 0, 255), (0, 0, 200, 255))
    )
    solid.apply_transform(trimesh.transformations.rotation_matrix(np.radians(turn), (0, 1, 0)))
    if inside_out:
        solid.invert()
    y, x = np.mgrid[:200, :160]
    soft = ((((x + 0.5 - 80) / 80) ** 2 + ((y + 0.5 - 100) / 100) ** 2) <= 1).astype(np.float32)
    rgb = np.where(soft[..., None] > 0, np.uint8((229, 0, 0)), np.uint8(255)).astype(np.uint8)
    return solid, rgb, soft


def test_a_surface_stands_behind_its_photo():
    assert all(f.good for f in judge_surface(*egg()))


@pytest.mark.parametrize(
    ("wrong", "measure"),
    [({"turn": 180}, "front on +Z"), ({"turn": 90}, "outline"), ({"inside_out": True}, "volume")],
)
def test_a_surface_that_faces_the_wrong_way_is_seen(wrong, measure):
    (found,) = [f for f in judge_surface(*egg(**wrong)) if measure in f.what]
    assert not found.good


def test_the_report_tells_what_is_missing_and_what_fails():
    bad = ModelReport("sam", PHOTO, "unknown", judge_mask(np.zeros((4, 4)), np.ones((4, 4)), 0.9), {"load": 1.0})
    text = report_text([bad, ModelReport("triposr", problem="No TripoSR model is in DIR.")], "cpu")
    assert "0 of 1 models on disk" in text and "NOT OK: IoU" in text and "wanted ≥ 0.9" in text
    assert "**triposr**: not on disk" in text and "No TripoSR model" in text and "torch 2" in text


def test_an_empty_folder_is_a_report_and_status_1(tmp_path, capsys):
    assert command.main(["check", "--models", str(tmp_path), "-o", str(tmp_path / "report.md")]) == 1
    said = capsys.readouterr().out
    assert said.count("not on disk") == 4 and (tmp_path / "report.md").read_text("utf-8") == said


def test_no_folder_is_one_sentence(tmp_path, capsys):
    assert command.main(["check", "--models", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_every_model_runs_and_random_weights_do_not_pass(shirt, tmp_path, monkeypatch):
    for name in ("sams", "checkpoints", "garment3d/TripoSR"):
        (tmp_path / name).mkdir(parents=True)
    write_sam(tmp_path / "sams" / "sam_vit_b_01ec64.pth")
    write_zero123(tmp_path / "checkpoints" / "zero123-xl.ckpt")
    write_triposr(tmp_path / "garment3d" / "TripoSR" / "model.ckpt")
    write_clothes(tmp_path / "garment3d" / "segformer_b2_clothes")
    monkeypatch.setattr(run, "subject", lambda path, device: shirt)
    reports = {report.model: report for report in check(Models(tmp_path), PHOTO, steps=2)}
    assert {name: report.problem for name, report in reports.items()} == dict.fromkeys(run.MODELS, "")
    assert {name: len(report.findings) for name, report in reports.items()} == {
        "sam": 2, "clothes": 1, "zero123": 3, "triposr": 5,
    }  # fmt: skip
    assert not any(reports[name].good for name in ("sam", "zero123", "triposr"))  # the small parser knows colours
    assert all({"hash", "load"} < set(report.seconds) for report in reports.values())
    assert "NOT the official TripoSR" in report_text(list(reports.values()), "cpu")


def test_one_models_crash_is_in_the_report_and_the_others_are_still_tried(shirt, tmp_path, monkeypatch, capsys):
    (tmp_path / "sams").mkdir()
    write_sam(tmp_path / "sams" / "sam_vit_b_01ec64.pth")
    (tmp_path / "file").mkdir()

    def no_memory(*_):
        raise RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")

    monkeypatch.setattr(run, "subject", lambda path, device: shirt)
    monkeypatch.setattr("garment3d.mask.sam_embedding.embed", no_memory)
    assert command.main(["check", "--models", str(tmp_path), "-o", str(tmp_path / "file")]) == 1
    said = capsys.readouterr()
    assert "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB (test_check.py:" in said.out
    assert "encode 0.0" in said.out and said.out.count("not on disk") == 3
    assert "Traceback" not in said.err and "file was not saved" in said.err  # the report is told all the same


def test_a_photo_that_needs_a_model_judges_none(tmp_path, capsys):
    Image.fromarray(person("dress")[0]).save(tmp_path / "worn.png")
    assert command.main(["check", "--models", str(tmp_path), "--photo", str(tmp_path / "worn.png")]) == 1
    said = capsys.readouterr().err
    assert "worn.png can't be cut out without a model" in said and "--box" not in said
