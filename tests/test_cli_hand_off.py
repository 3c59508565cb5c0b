"""The command line's hand-off: platforms, camera data sets, the Blender package, the verdict, folders of photos."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d import __main__ as command
from garment3d import arguments, pipeline
from garment3d.data import Views
from garment3d.export.camera_files import CAMERA_FORMATS
from garment3d.export.extras import Extras, extra_files
from garment3d.export.folder import OURS
from garment3d.export.result import save
from garment3d.garment.platforms import PLATFORMS
from garment3d.garment.prepare import MOST_LODS
from garment3d.garment.solidify import solidify
from garment3d.pipeline import Settings, run
from tests.test_cli import QUICK, SENTENCE, draw
from tests.test_pipeline import draw as draw_other

SMALL = Settings(triangles=3000, texture_px=256, view_px=96, step_deg=120)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run(draw_other(tmp_path_factory.mktemp("tee") / "tee.png"), SMALL)


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    """A folder with everything in it, written twice: the second run replaces the first."""
    out = tmp_path_factory.mktemp("out") / "tee"
    everything = Extras(("vrchat-mobile-excellent", "print"), 1, ("nerf", "colmap", "gltf"), True)
    save(result, out, ("glb",), turntable=False, extras=everything)
    save(result, out, ("glb",), turntable=False, extras=everything)
    return out


def test_the_choices_are_the_librarys():
    assert arguments.PLATFORM_IDS == tuple(PLATFORMS)
    assert set(arguments.CAMERAS) == set(CAMERA_FORMATS) - {"json"}


def test_everything_lies_in_folders_of_its_own(folder):
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {name.split("/")[0] for name in found} <= set(OURS)
    assert {
        "platforms/vrchat-mobile-excellent/garment.glb",
        "platforms/vrchat-mobile-excellent/garment_LOD1.glb",
        "platforms/print/garment.stl",
        "dataset/transforms.json",
        "dataset/sparse/0/images.txt",
        "dataset/images/120.png",
        "dataset/cameras.json",
        "dataset/garment.glb",
        "blender/build_scene.py",
        "blender/garment.obj",
        "blender/views/000.png",
    } <= found
    assert set(json.loads((folder / "report.json").read_text("utf-8"))["files"]) == found


def test_the_data_sets_pictures_have_the_cloths_own_colours(folder):
    """The drawn blue, whatever the side: a light that went with the camera would darken what is turned away."""
    for name in ("000", "120", "240"):
        rgba = np.asarray(Image.open(folder / "dataset" / "images" / f"{name}.png")).astype(int)
        blue = (rgba[..., 3] == 255) & (rgba[..., 2] > rgba[..., 0] + 60)
        assert blue.mean() > 0.02 and np.abs(rgba[blue][:, :3] - (40, 90, 160)).mean() < 6


def test_a_platforms_version_is_the_garment_within_its_budget(folder, result):
    whole = trimesh.load(folder / "garment.glb", force="mesh")
    light = trimesh.load(folder / "platforms" / "vrchat-mobile-excellent" / "garment.glb", force="mesh")
    lighter = trimesh.load(folder / "platforms" / "vrchat-mobile-excellent" / "garment_LOD1.glb", force="mesh")
    assert len(lighter.faces) < len(light.faces) <= PLATFORMS["vrchat-mobile-excellent"].triangles < len(whole.faces)
    np.testing.assert_allclose(light.extents, whole.extents, atol=0.01)
    assert light.extents[1] == pytest.approx(0.7, abs=1e-3)
    printed = trimesh.load(folder / "platforms" / "print" / "garment.stl")
    assert printed.extents[2] == pytest.approx(700, abs=5) and printed.is_watertight


def test_a_warning_says_which_version_it_is_about(result):
    thick = result._replace(layer=solidify(result.mesh, 0.01))
    (told,) = extra_files(thick, Extras(("print",), 0)).warnings
    assert told.startswith("platforms/print: ") and "closed already" in told


def test_the_report_has_a_verdict_and_budgets(folder, result):
    told = json.loads((folder / "report.json").read_text("utf-8"))
    assert told["quality"]["verdict"] == result.quality.verdict == "good"
    assert told["quality"]["views"] == []  # they were drawn from the garment and say nothing about it
    met = {b["platform"]: b["met"] for b in told["budgets"]}
    assert met["vrchat-mobile-excellent"] is True and met["vrchat-mobile-good"] is True  # 2,997 triangles as it is
    assert {b["platform"]: b["triangles"] for b in told["budgets"]}["vrchat-mobile-excellent"] <= 2500
    assert {b["platform"]: b["met"] for b in told["budgets"]}["vrchat-pc-good"] is True


def test_a_saved_file_of_a_wrong_length_is_named(result, tmp_path, monkeypatch):
    """A writer that takes the height for 7 cm more than it says: the report rejects what it wrote."""
    from garment3d.export import result as saving

    honest = saving.mesh_files
    monkeypatch.setattr(saving, "mesh_files", lambda *given: honest(*given[:2], given[2] + 7, *given[3:]))
    told = save(result, tmp_path / "out", ("glb",), turntable=False)
    assert told.quality is not None and told.quality.verdict == "reject"
    assert [f.fault for f in told.quality.findings] == ["wrong_scale"]
    assert "0.77 m high instead of 0.7 m" in told.quality.sentence


def test_a_thick_garments_platforms_start_from_its_one_layer(tmp_path):
    found = run(draw_other(tmp_path / "tee.png"), replace(SMALL, thickness_mm=4))
    save(found, tmp_path / "out", ("glb",), turntable=False, extras=Extras(("vrchat-mobile-poor", "print")))
    read = {name: trimesh.load(tmp_path / "out" / name, force="mesh") for name in
            ("garment.glb", "platforms/vrchat-mobile-poor/garment.glb", "platforms/print/garment.stl")}  # fmt: skip
    thick, game, printed = (mesh.area for mesh in read.values())
    assert thick == pytest.approx(2 * game, rel=0.1) and printed / 1e6 == pytest.approx(2 * game, rel=0.1)
    assert not any("second inside" in warning for warning in found.warnings)


def test_a_warning_of_the_run_is_no_good_garment(tmp_path):
    """A sleeve cut off the mask: what is open is not what the outline shows, or the mask itself is doubted."""
    photo = draw_other(tmp_path / "tee.png")
    rgb = np.asarray(Image.open(photo).convert("RGB"))
    box = np.zeros(rgb.shape[:2], np.uint8)
    box[30:290, 15:285] = 255
    Image.fromarray(box).save(tmp_path / "box.png")
    found = run(photo, replace(SMALL, mask=tmp_path / "box.png"))
    assert found.quality.verdict == "reject"
    assert "wrong_mask" in [finding.fault for finding in found.quality.findings]
    from garment3d.quality.verdict import with_warnings

    good = run(photo, SMALL).quality
    assert with_warnings(good, ()) is good
    warned = with_warnings(good, ("The mask is unsure (0.39): look at mask.png.",))
    assert warned.verdict == "check" and warned.sentence == "Check: The mask is unsure (0.39): look at mask.png."
    assert [finding.fault for finding in warned.findings] == ["warned"]
    assert with_warnings(found.quality, ("No.",)).sentence == found.quality.sentence


def test_views_from_elsewhere_are_assessed(result, tmp_path):
    """One of three pictures moved by a tenth of its width: it and no other is worth making again."""
    images, masks = result.views.images.clone(), result.views.masks.clone()
    images[1], masks[1] = images[1].roll(10, 1), masks[1].roll(10, 1)
    from garment3d.images import png_bytes, to_uint8

    (tmp_path / "views").mkdir()
    for k, azimuth in enumerate((0, 120, 240)):
        alpha = to_uint8(masks[k].numpy())[..., None]
        rgba = np.concatenate([to_uint8(images[k].numpy()), alpha], 2)
        (tmp_path / "views" / f"{azimuth:03}.png").write_bytes(png_bytes(rgba))
    photo = draw_other(tmp_path / "tee.png")
    found = run(photo, replace(SMALL, views=tmp_path / "views"))
    assert [view.azimuth_deg for view in found.quality.views] == [0, 120, 240]
    assert found.quality.worst == (120,)
    assert found.quality.verdict != "reject"
    told = save(found, tmp_path / "out", ("glb",), turntable=False)
    assert told.quality == found.quality and "120°" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_bad_views_are_painted_again(result, tmp_path, monkeypatch):
    """A painter that gets the side right from its third seed on: the orbit ends with that picture and that seed."""
    seeds = []

    def painter(photo, soft, around, models, steps, seed, tell):
        seeds.append((around.azimuths_deg, seed))
        at = [result.views.orbit.azimuths_deg.index(a) for a in around.azimuths_deg]
        images, masks = result.views.images[at].clone(), result.views.masks[at].clone()
        if seed < 9:
            for k, azimuth in enumerate(around.azimuths_deg):
                if azimuth == 120:
                    images[k], masks[k] = images[k].roll(12, 1), masks[k].roll(12, 1)
        cameras = tuple(result.views.orbit.cameras[i] for i in at)
        own = tuple(None if a == 0 else seed for a in around.azimuths_deg)
        return Views(images, masks, result.views.orbit._replace(cameras=cameras, azimuths_deg=around.azimuths_deg), own)

    monkeypatch.setattr(pipeline, "zero123_views", painter)
    monkeypatch.setattr(pipeline, "picks_zero123", lambda *_: True)
    photo = draw_other(tmp_path / "tee.png")
    found = run(photo, replace(SMALL, seed=7, redo_views=4))
    assert seeds == [((0, 120, 240), 7), ((120,), 8), ((120,), 9)]
    assert found.views.seeds == (None, 9, 7)
    assert found.quality.worst == ()
    save(found, tmp_path / "out", ("glb",), turntable=False)
    listed = json.loads((tmp_path / "out" / "cameras.json").read_text())["views"]
    assert [view["seed"] for view in listed] == [None, 9, 7]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--platform", "nintendo"], ["nintendo", "vrchat-mobile-good"]),
        (["--cameras", "fbx"], ["fbx", "colmap"]),
        (["--lods", "2"], ["--lods", "--platform"]),
        (["--platform", "vrm", "--lods", str(MOST_LODS + 1)], [str(MOST_LODS + 1), str(MOST_LODS)]),
        (["--redo-views", "99"], ["99", "20"]),
        (["--redo-views", "2"], ["--redo-views", "--models"]),
    ],
)
def test_a_wrong_choice_is_one_sentence(given, words, tmp_path, capsys):
    photo = draw(tmp_path / "tee.png")
    try:
        status = command.main([str(photo), "-o", str(tmp_path / "out"), *given, *QUICK])
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr().err.strip()
    assert status != 0 and len(said.splitlines()) == 1 and (SENTENCE.match(said) or "see python" in said)
    assert all(word in said for word in words)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_done_once(tmp_path, capsys):
    shop = tmp_path / "shop"
    shop.mkdir()
    draw(shop / "a.png")
    given = ["batch", str(shop), "-o", str(tmp_path / "out"), "--workers", "1", *QUICK]
    assert command.main(given) == 0
    said = capsys.readouterr().out
    assert "1 to do" in said and (tmp_path / "out" / "a" / "garment.glb").is_file()
    assert command.main(given) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert command.main([*given, "--platform", "vrm"]) == 0
    assert (tmp_path / "out" / "a" / "platforms" / "vrm" / "garment.glb").is_file()
    assert Image.open(tmp_path / "out" / "a" / "views" / "000.png").size == (64, 64)
