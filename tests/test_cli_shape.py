"""The command line with a mesh from elsewhere, with pictures from all around, and two meshes compared."""

import json

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image, ImageDraw

from garment3d import __main__ as command
from garment3d.camera import orbit, photo_camera
from garment3d.data import Views
from garment3d.errors import ViewsError
from garment3d.garment.openings import openings
from garment3d.garment.shell import garment_shell
from garment3d.images import read_mask, read_photo
from garment3d.metrics import mask_iou, mesh_checks
from garment3d.pipeline import Settings, run
from garment3d.render import render
from garment3d.stages import ColourOptions, Shape, ShapeOptions, colour_of
from tests.test_pipeline import TEE, draw
from tests.truth.targets import closed

OPENINGS = ["cuff_l", "cuff_r", "hem", "neck"]
TURN = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
"""A quarter turn about Y: the garment's +Z becomes the file's +X."""
SCALE, SHIFT = 2.5, np.array([0.3, -1.0, 0.7])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A drawn T-shirt with its mask, and a mesh of it: twice as deep as the shell, closed, turned, scaled, shifted."""
    folder = tmp_path_factory.mktemp("tee")
    draw(folder / "tee.png")

    alone = Image.new("L", (300, 320), 0)
    ImageDraw.Draw(alone).polygon(TEE, fill=255)
    alone.save(folder / "tee.mask.png")
    soft = read_mask(folder / "tee.mask.png", (320, 300))
    shell = garment_shell(soft, None, None, 4000)
    deep = closed(trimesh.Trimesh(np.asarray(shell.vertices) * [1, 1, 1.6], shell.faces, process=False))
    trimesh.Trimesh(SCALE * deep.vertices @ TURN.T + SHIFT, deep.faces, process=False).export(folder / "body.glb")
    return folder


def settings(folder, **options):
    return Settings(
        mask=folder / "tee.mask.png", triangles=3000, texture_px=256, view_px=96, step_deg=90,
        target=folder / "body.glb", shape=ShapeOptions(**options),
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(folder):
    return run(folder / "tee.png", settings(folder))


def test_a_mesh_file_gives_the_shell_its_depth(folder, fitted):
    plain = run(folder / "tee.png", settings(folder, engine="inflated"))
    assert plain.engines.shell == "inflated" and plain.fitting is None
    assert fitted.engines.shell == "fitted" and fitted.fitting.target == "body.glb"
    depth, before = (np.ptp(np.asarray(r.mesh.vertices)[:, 2]) for r in (fitted, plain))
    assert depth == pytest.approx(1.6 * before, rel=0.06)
    assert sorted(o.name for o in fitted.openings) == OPENINGS
    assert fitted.figures.checks.boundary_loops == 4 and fitted.figures.checks.inverted_faces == 0
    assert fitted.figures.likeness.silhouette_iou > 0.97
    assert {"fit"} < set(fitted.seconds)


def test_the_report_says_how_the_mesh_stood(fitted):
    found = fitted.fitting
    assert (found.front, found.mirrored) == ("+X", False) and found.turn_deg < 2
    assert found.scale == pytest.approx(1 / SCALE, rel=0.02) and found.silhouette_iou > 0.95
    assert found.distance_after < 0.3 * found.distance_before


def test_a_mesh_can_keep_its_own_triangles(folder):
    found = run(folder / "tee.png", settings(folder, engine="opened"))
    assert found.engines.shell == "opened" and found.fitting.distance_before is None
    assert sorted(o.name for o in found.openings) == OPENINGS
    soft = read_mask(folder / "tee.mask.png", (320, 300))
    assert mask_iou(render(found.mesh, photo_camera(soft)).alpha.numpy() >= 0.5, soft >= 0.5) > 0.95


def test_cloth_with_a_thickness_is_closed_and_its_openings_are_told(folder):
    chosen = settings(folder, engine="inflated")
    found = run(folder / "tee.png", type(chosen)(**{**vars(chosen), "thickness_mm": 3.0}))
    assert mesh_checks(found.mesh).boundary_loops == 0 and openings(found.mesh) == ()
    assert sorted(o.name for o in found.openings) == OPENINGS
    assert len(found.mesh.faces) > 2 * 2700


@pytest.fixture
def call(folder, tmp_path, capsys):
    def run_it(*options):
        quick = ["--triangles", 3000, "--texture-size", 256, "--view-size", 96, "--step", 120, "--no-turntable"]
        given = [folder / "tee.png", "-o", tmp_path / "out", "--mask", folder / "tee.mask.png", *quick, *options]
        status = command.main([str(a) for a in given])
        return status, *capsys.readouterr()

    return run_it


def test_pictures_from_all_around_colour_the_back(folder, call, tmp_path):
    """Views whose back is red: the texture takes it from them, and the report says how much."""
    around = tmp_path / "around"
    around.mkdir()
    soft = read_mask(folder / "tee.mask.png", (320, 300))
    rgb = np.asarray(Image.open(folder / "tee.png").convert("RGB"))
    side = Image.fromarray(np.dstack([rgb, np.uint8(255 * soft)]))
    for azimuth in (0, 180):
        picture = Image.new("RGBA", (320, 320), (255, 255, 255, 0))
        shown = side if azimuth == 0 else side.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if azimuth == 180:
            red = Image.new("RGB", side.size, (190, 40, 40))
            red.putalpha(shown.getchannel("A"))
            shown = red
        picture.paste(shown, (10, 0))
        picture.save(around / f"{azimuth:03d}.png")
    status, said, err = call("--views", around, "--step", 180)
    assert (status, err) == (0, "") and "texture photo+views" in said
    report = json.loads((tmp_path / "out" / "tee" / "report.json").read_text("utf-8"))
    assert report["texture_shares"]["views"] > 0.15 and sum(report["texture_shares"].values()) == pytest.approx(
        1, abs=1e-3
    )
    assert "sources.png" in report["files"]
    behind = np.asarray(Image.open(tmp_path / "out" / "tee" / "views" / "180.png"))[40:60, 40:56]
    red, green, blue = behind[..., :3].reshape(-1, 3).mean(0)
    assert red > 3.5 * green and red > 3.5 * blue  # 190, 40, 40, not bent towards the front's blue


def test_views_that_show_nothing_are_a_warning_unless_they_were_asked_for(folder):
    soft = read_mask(folder / "tee.mask.png", (320, 300))
    photo = read_photo(folder / "tee.png")
    shape = Shape(garment_shell(soft, photo.rgb, None, 1000), "inflated", None, ())
    around = orbit(90, hw=(64, 64))
    empty = Views(torch.zeros(4, 64, 64, 3), torch.zeros(4, 64, 64), around)
    given = (shape, photo, soft, empty, ColourOptions(size_px=256))
    with pytest.raises(ViewsError, match="None of the 4 views"):
        colour_of(*given)
    found = colour_of(*given, asked=False)
    assert len(found.warnings) == 1 and "no colours: None of the 4 views" in found.warnings[0]
    assert found.engine == "photo" and found.shares.views == 0 and found.mesh.visual.uv is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mesh", "nothing.glb"), "does not exist"),
        (("--engine-shell", "fitted"), "can't be fitted without a surface"),
        (("--engine-shell", "opened"), "can't be opened without a surface"),
        (("--mesh", ".", "--engine-shell", "inflated"), "an inflated shell takes no mesh"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(call, options, said, tmp_path):
    status, _, err = call(*options)
    assert status == 1 and said in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "tee").exists()


def test_a_mesh_of_something_else_writes_nothing(folder, call, tmp_path):
    path = tmp_path / "rod.glb"
    trimesh.creation.cylinder(0.01, 5).export(path)
    status, _, err = call("--mesh", path)
    assert status == 1 and len(err.strip().splitlines()) == 1
    assert "overlap" in err or "silhouette" in err
    assert not (tmp_path / "out" / "tee").exists()


def test_two_meshes_are_compared(tmp_path, capsys):
    for name, radius in (("a.glb", 1.0), ("b.obj", 1.1)):
        trimesh.creation.icosphere(4, radius).export(tmp_path / name)
    arguments = ["compare", tmp_path / "a.glb", tmp_path / "b.obj", "-o", tmp_path / "heat.png", "--samples", 2000]
    assert command.main([str(a) for a in arguments]) == 0
    said = capsys.readouterr().out
    symmetric = float(said.split("surface to surface")[1].split("%")[0])
    assert symmetric == pytest.approx(5.0, abs=0.1) and Image.open(tmp_path / "heat.png").width > 800
