"""The command line as a person uses it: the files it leaves, its exit status, and one clear sentence per mistake."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from garment3d import __main__ as command
from garment3d import arguments
from garment3d.errors import OutlineError
from garment3d.export import result
from garment3d.export.folder import OURS
from garment3d.export.mesh import FORMATS
from garment3d.images import read_mask

TEE = [(100, 40), (135, 52), (165, 52), (200, 40), (275, 110), (235, 150), (212, 128), (214, 280), (86, 280), (88, 128),
       (65, 150), (25, 110)]  # fmt: skip
QUICK = ["--triangles", "1200", "--texture-size", "256", "--view-size", "64", "--step", "120", "--no-turntable"]
SENTENCE = re.compile(r"^garment3d: .*[A-Za-z0-9].*\.$")


def draw(path, mask=None, size=(300, 320), color=(40, 90, 160)):
    """A flat T-shirt on a light background, and its mask where a path for it is given."""
    picture = Image.new("RGB", size, (242, 241, 239))
    ImageDraw.Draw(picture).polygon(TEE, fill=color)
    ImageDraw.Draw(picture).rectangle((130, 120, 170, 160), fill=(230, 200, 60))
    picture.save(path)
    if mask is not None:
        alone = Image.new("L", size, 0)
        ImageDraw.Draw(alone).polygon(TEE, fill=255)
        alone.save(mask)
    return path


@pytest.fixture
def tee(tmp_path):
    return draw(tmp_path / "tee.png", tmp_path / "tee.mask.png")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def call(tmp_path, out, capsys):
    """Runs the command line in this process and gives its exit status and what it said on stdout and stderr."""

    def run(*arguments, masked=True, quick=True):
        given = [str(a) for a in arguments]
        given += ["-o", str(out)] if "-o" not in given else []
        given += ["--mask", str(tmp_path)] if masked and "--mask" not in given else []
        try:
            status = command.main([*given, *(QUICK if quick else [])])
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def one_sentence(err, *words):
    """Asserts that stderr is a single sentence with these words, and no traceback."""
    lines = err.strip().splitlines()
    assert len(lines) == 1 and SENTENCE.match(lines[0]), err
    assert "Traceback" not in err and "unforeseen" not in err
    for word in words:
        assert word in err, err


def test_a_photo_becomes_exactly_the_promised_files(call, tee, out):
    status, said, err = call(tee, "--format", "glb,obj,ply,stl")
    assert (status, err) == (0, "")
    found = {p.relative_to(out / "tee").as_posix() for p in (out / "tee").rglob("*") if p.is_file()}
    assert found == {
        "mask.png", "views/000.png", "views/120.png", "views/240.png", "cameras.json", "garment.glb", "garment.obj",
        "garment.mtl", "garment.png", "garment.ply", "garment.stl", "report.json", "report.html",
    }  # fmt: skip
    assert {name.split("/")[0] for name in found} < set(OURS)
    report = json.loads((out / "tee" / "report.json").read_text(encoding="utf-8"))
    assert set(report["files"]) == found
    assert report["garment_class"] == "tee" and report["length_cm"] == 70 and report["engines"]["mask"] == "file"
    assert sorted(o["name"] for o in report["openings"]) == ["cuff_l", "cuff_r", "hem", "neck"]
    for stage in ("read", "mask", "shell", "texture", "views", "check", "save"):
        assert report["seconds"][stage] >= 0 and f"{stage} " in said
    assert [p.name for p in out.iterdir()] == ["tee"]


def test_the_saved_mask_is_the_mask(call, tee, out, tmp_path):
    assert call(tee)[0] == 0
    assert np.array_equal(Image.open(out / "tee" / "mask.png"), Image.open(tmp_path / "tee.mask.png"))
    assert read_mask(out / "tee" / "mask.png", (320, 300)).max() == 1


def test_the_garment_is_found_without_a_mask_and_filmed(call, tee, out, tmp_path, monkeypatch):
    monkeypatch.setattr(result, "turntable_frames", partial(result.turntable_frames, count=12, size_px=128))
    status, said, err = call(tee, *QUICK[:-1], masked=False, quick=False)
    assert (status, err) == (0, "")
    report = json.loads((out / "tee" / "report.json").read_text(encoding="utf-8"))
    assert report["engines"]["mask"] == "quick" and 0 <= report["mask_confidence"] <= 1
    truth = read_mask(tmp_path / "tee.mask.png", (320, 300)) >= 0.5
    found = read_mask(out / "tee" / "mask.png", (320, 300)) >= 0.5
    assert (truth & found).sum() / (truth | found).sum() > 0.97
    assert (out / "tee" / "turntable.mp4").stat().st_size > 2000 and "turntable" in said


def test_a_bad_photo_does_not_stop_the_others(call, tee, out, tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    other = draw(tmp_path / "other.png", tmp_path / "other.mask.png", color=(150, 40, 60))
    (tmp_path / "empty.mask.png").write_bytes((tmp_path / "tee.mask.png").read_bytes())
    status, _, err = call(tee, tmp_path / "empty.jpg", other)
    assert status == 1
    one_sentence(err, "empty.jpg", "0 bytes")
    assert (out / "tee" / "garment.glb").exists() and (out / "other" / "garment.glb").exists()
    assert not (out / "empty").exists()


def test_two_photos_of_one_name_get_a_folder_each(call, tee, out, tmp_path):
    (tmp_path / "more").mkdir()
    red = draw(tmp_path / "more" / "tee.png", color=(170, 30, 30))
    assert call(tee, red)[0] == 0
    pixels = [np.asarray(Image.open(out / name / "views" / "000.png"))[40, 25] for name in ("tee", "tee-2")]
    assert pixels[0][2] > pixels[0][0] and pixels[1][0] > pixels[1][2]


def test_a_folder_of_photos_is_taken_without_its_masks(call, tmp_path, out):
    shop = tmp_path / "shop"
    shop.mkdir()
    draw(shop / "a.png", tmp_path / "a.mask.png")
    draw(shop / "b.png", shop / "b.mask.png")
    (shop / "notes.txt").write_text("not a photo")
    status, _, _ = call(shop, masked=False)
    assert status == 0 and sorted(p.name for p in out.iterdir()) == ["a", "b"]
    (tmp_path / "nothing").mkdir()
    status, _, err = call(tmp_path / "nothing")
    assert status == 1
    one_sentence(err, "nothing", "no photos")


def test_a_length_is_the_garments_height_in_metres(call, tee, out):
    import trimesh

    assert call(tee, "--length-cm", "82.5", "--format", "glb")[0] == 0
    assert trimesh.load(out / "tee" / "garment.glb").extents[1] == pytest.approx(0.825, abs=1e-5)
    assert not (out / "tee" / "garment.obj").exists()


def test_a_second_run_leaves_nothing_of_the_first(call, tee, out):
    assert call(tee, "--format", "glb,stl")[0] == 0
    (out / "tee" / "notes.txt").write_text("mine")
    assert call(tee, "--format", "ply")[0] == 0
    names = {p.name for p in (out / "tee").iterdir()}
    assert "garment.ply" in names and "notes.txt" in names and not names & {"garment.glb", "garment.stl"}


def picture(path, kind):
    if kind == "truncated":
        Image.effect_noise((300, 300), 80).convert("RGB").save(path, "JPEG")
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "text":
        path.write_text("this is no picture")
    elif kind == "tiny":
        Image.new("RGB", (1, 1), (200, 0, 0)).save(path, "JPEG")
    elif kind == "huge":
        Image.new("1", (20_000, 20_000)).save(path, "PNG")
    elif kind == "plain":
        Image.new("RGB", (300, 300), (128, 130, 127)).save(path, "JPEG")
    elif kind == "animated":
        frames = [Image.new("RGB", (200, 200), color) for color in ("red", "green", "blue")]
        frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])
    elif kind == "cmyk":
        Image.new("CMYK", (200, 200), (10, 200, 40, 0)).save(path, "JPEG")
    elif kind == "empty":
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("kind", "word"),
    [("empty", "0 bytes"), ("truncated", "cut off"), ("text", "not a picture"), ("tiny", "1×1"),
     ("huge", "at most 8192 px"), ("plain", "mask"), ("animated", "animation of 3 frames"), ("cmyk", "CMYK"),
     ("missing", "does not exist")],
)  # fmt: skip
def test_a_photo_that_cannot_be_used_is_one_sentence(call, tmp_path, out, kind, word):
    status, said, err = call(picture(tmp_path / f"{kind}.jpg", kind), masked=False)
    assert status == 1 and said == ""
    one_sentence(err, word)
    assert not out.exists()


def test_masks_that_cannot_be_used_are_one_sentence_each(call, tee, out, tmp_path):
    for name, mask, words in [
        ("small.png", Image.new("L", (60, 80), 255), ("60×80", "300×320")),
        ("black.png", Image.new("L", (300, 320), 0), ("empty",)),
        ("white.png", Image.new("L", (300, 320), 255), ("whole photo",)),
    ]:
        mask.save(tmp_path / name)
        status, _, err = call(tee, "--mask", tmp_path / name)
        assert status == 1
        one_sentence(err, name, *words)
    (tmp_path / "none").mkdir()
    status, _, err = call(tee, "--mask", tmp_path / "none")
    assert status == 1
    one_sentence(err, "no mask for tee.png", "tee.mask.png")
    status, _, err = call(tee, "--mask", tmp_path / "gone.png")
    assert status == 1
    one_sentence(err, "gone.png", "does not exist")
    status, _, err = call(tee, tee, "--mask", tmp_path / "tee.mask.png")
    assert status == 1
    one_sentence(err, "one file for 2 photos")
    status, _, err = call(tee, "--box", "10,10,90,90")
    assert status == 1
    one_sentence(err, "--mask", "--box", "together")
    for option, value in (("--prompt", "[[5, 5]]"), ("--engine-mask", "sam")):
        status, _, err = call(tee, option, value)
        assert status == 1
        one_sentence(err, "--mask", option, "together")
    assert not out.exists()


def test_a_hint_that_no_engine_would_read_is_one_sentence_for_all_photos(call, tee, out):
    for given, word in (
        (("--engine-mask", "quick", "--prompt", "[[5, 5]]"), "prompt is for SAM"),
        (("--engine-mask", "clothes", "--box", "9,9,90,90"), "takes no box"),
        (("--engine-mask", "quick", "--garment", "upper"), "for the clothes parser"),
        (("--garment", "upper"), "No clothes parser model"),
        (("--engine-surface", "triposr"), "No TripoSR model"),
        (("--engine-views", "zero123"), "No Zero123 model"),
    ):
        status, _, err = call(tee, tee, *given, masked=False)
        assert status == 1
        one_sentence(err, word)
    assert not out.exists()


def test_a_garment_that_cannot_be_told_names_the_options_to_take(call, tee, tmp_path):
    noise = tmp_path / "noise.png"
    Image.effect_noise((300, 320), 90).convert("RGB").save(noise)
    status, _, err = call(noise, masked=False)
    assert status == 1
    one_sentence(err, "noise.png", "--mask FILE", "--box X0,Y0,X1,Y1", "--engine-mask sam or clothes with --models DIR")
    assert "--garment NAME" in err
    status, _, err = call(tee, "--back", noise)
    assert status == 1
    one_sentence(err, "back photo noise.png")
    assert "--engine-mask" not in err  # they are for the front


def test_an_outline_of_no_garment_asks_for_a_mask(call, tee, monkeypatch):
    import garment3d.stages

    def unreadable(*_, **__):
        raise OutlineError("No neck was found.")

    monkeypatch.setattr(garment3d.pipeline, "find_openings", unreadable)
    status, _, err = call(tee)
    assert status == 1
    one_sentence(err, "No neck was found", "--mask FILE")


def test_an_impossible_name_is_one_line(call):
    status, _, err = call("x" * 300 + ".png", masked=False)
    assert status == 1 and len(err.strip().splitlines()) == 1 and "Traceback" not in err


def test_a_seed_keeps_all_its_digits():
    for seed in (2**53 + 1, 2**63 - 1):
        assert arguments.parser().parse_args(["a.png", "--seed", str(seed)]).seed == seed
    assert arguments.parser().parse_args(["a.png", "--triangles", "2e4"]).triangles == 20_000
    assert isinstance(arguments.parser().parse_args(["a.png", "--step", "20"]).step, float)


def test_a_file_where_the_output_folder_should_be_is_one_sentence(call, tee, out):
    out.write_text("not a folder")
    status, _, err = call(tee)
    assert status == 1
    one_sentence(err, "is a file where a folder is needed")
    assert out.read_text() == "not a folder"


def test_a_full_disk_leaves_nothing_half_written(call, tee, out, monkeypatch):
    real = Path.write_bytes

    def full(path, data):
        if path.suffix == ".glb":
            real(path, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    status, _, err = call(tee)
    assert status == 1
    one_sentence(err, "full")
    assert not out.exists()


def test_an_unforeseen_error_is_still_one_line_and_debug_shows_it(call, tee, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("division by zero")

    import garment3d.stages

    monkeypatch.setattr(garment3d.pipeline, "read_photo", broken)
    status, _, err = call(tee)
    assert status == 1 and "ZeroDivisionError" in err and "--debug" in err and len(err.strip().splitlines()) == 1
    status, _, err = call(tee, "--debug")
    assert status == 1 and "Traceback" in err


def test_stopping_is_clean(call, tee, out, monkeypatch):
    import garment3d.stages

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(garment3d.stages, "texture_garment", stop)
    status, _, err = call(tee)
    assert status == 130 and "Traceback" not in err and len(err.strip().splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "wrong",
    ["--step=0", "--step=x", "--step=nan", "--box=1,2,3", "--box=9,9,3,12", "--format=usdz", "--format=",
     "--triangles=10.5", "--length-cm=-3", "--view-size=1", "--texture-size=128", "--no-such-thing"],
)  # fmt: skip
def test_a_wrong_argument_is_one_line_that_names_it(call, tee, wrong):
    status, _, err = call(tee, wrong, quick=False)
    assert status == 2 and len(err.strip().splitlines()) == 1
    assert wrong.split("=")[0] in err and "--help" in err


def test_a_device_that_is_not_there_is_one_sentence(call, tee, out):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    for arguments_ in ((tee, "--device", "cuda"), (tee, "--device", "meta")):
        status, _, err = call(*arguments_)
        assert status == 1
        one_sentence(err, arguments_[-1], "--device cpu")
    assert not out.exists()
    status, _, err = call("check", "--models", tee.parent, "--device", "cuda", masked=False, quick=False)
    assert status == 1
    one_sentence(err, "--device cuda", "--device cpu")


def test_the_formats_offered_are_the_formats_written():
    assert arguments.FORMATS == FORMATS


def test_help_and_version_need_no_heavy_library():
    root = Path(__file__).parents[1]
    code = "import runpy, sys\ntry: runpy.run_module('garment3d', run_name='__main__', alter_sys=True)\n"
    code += "finally: assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    for option, word in (("--help", "--length-cm"), ("--version", "Garment3D 0.")):
        done = subprocess.run([sys.executable, "-c", code, option], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0 and word in done.stdout, done.stderr


def test_a_console_with_few_letters_gets_a_question_mark(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "garment3d", "tee.png", "-o", str(tmp_path / "out"), "--mask", "größe.png"],
        cwd=Path(__file__).parents[1], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 1
    one_sentence(done.stderr.decode("ascii"), "gr??e.png does not exist")
