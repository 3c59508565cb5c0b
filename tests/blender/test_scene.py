"""The package in a real Blender: what the script builds there, and whether its cameras see what the views show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from garment3d.camera import orbit, project
from garment3d.export.blender import TO_BLENDER, blender_files
from garment3d.export.mesh import placement
from garment3d.garment.openings import openings
from garment3d.pipeline import Settings, run
from garment3d.views.rendered import rendered_orbit

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).with_name("probe.py")


class Built(NamedTuple):
    folder: Path
    result: Any
    points: np.ndarray
    """[K,3] canonical, whose pixels Blender was asked for."""
    found: dict
    """What the probe wrote."""
    told: str


def write(files, folder: Path) -> Path:
    for file in files:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.data)
    return folder


def to_scene(placed, points):
    return placed.points(points) @ TO_BLENDER[:3, :3].T


@pytest.fixture(scope="module")
def result():
    return run(
        ROOT / "workflows/inputs/tshirt.jpg",
        Settings(texture_px=256, triangles=6000, view_px=256, engine_mask="quick", engine_views="rendered"),
    )


@pytest.fixture(scope="module")
def built(blender, result, tmp_path_factory):
    """A package in a folder no terminal likes, built from elsewhere, drawn, and probed."""
    folder = tmp_path_factory.mktemp("Käthes Röcke (neu)")
    opened = openings(result.mesh)
    files = blender_files(
        result.mesh, result.views, opened, 70.0, "tee", "probed", rgb=result.photo.rgb, soft=result.soft
    )
    write(files, folder)
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 3))
    placed = placement(np.asarray(result.mesh.vertices), 70.0)
    (folder / "points.json").write_text(json.dumps(to_scene(placed, points).tolist()))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    script = folder / "build_scene.py"
    told = blender(
        *("--python", script, "--python", PROBE, "--", "--save", folder / "g.blend"),
        *("--render", folder / "drawn", "--samples", 4),
        cwd=elsewhere,
        probe="|".join(str(place) for place in (folder / "found.json", script, folder / "points.json")),
    )
    assert not list(elsewhere.iterdir())
    return Built(folder, result, points, json.loads((folder / "found.json").read_text("utf-8")), told)


def iou(drawn: Path, soft: np.ndarray) -> float:
    alpha = np.asarray(Image.open(drawn))[..., 3] >= 128
    solid = soft >= 0.5
    assert alpha.shape == solid.shape
    return float((alpha & solid).sum() / (alpha | solid).sum())


def test_every_camera_draws_its_view(built):
    names = [f"view_{azimuth:03.0f}" for azimuth in built.result.views.orbit.azimuths_deg]
    assert len(names) == 18
    likeness = {
        name: iou(built.folder / f"drawn/{name}.png", soft.numpy())
        for name, soft in zip(names, built.result.views.masks, strict=True)
    }
    assert min(likeness.values()) >= 0.99, likeness


def test_a_drawn_view_has_the_garments_colours(built):
    drawn = np.asarray(Image.open(built.folder / "drawn/view_000.png")).astype(float)
    view = np.asarray(Image.open(built.folder / "views/000.png")).astype(float)
    both = (drawn[..., 3] > 250) & (view[..., 3] > 250)
    print_of = [picture[both][:, 0] > 180 for picture in (drawn, view)]  # orange and sand on teal
    assert (print_of[0] & print_of[1]).sum() > 0.85 * (print_of[0] | print_of[1]).sum()


def test_blender_sees_points_where_the_cameras_do(built):
    views = built.result.views.orbit
    cameras = {f"view_{a:03.0f}": c for a, c in zip(views.azimuths_deg, views.cameras, strict=True)}
    for name, camera in cameras.items():
        seen = np.array(built.found["pixels"][name])[:, :2]
        pixels = np.stack([seen[:, 0] * camera.hw[1], (1 - seen[:, 1]) * camera.hw[0]], 1)
        assert np.abs(pixels - project(camera, built.points)[0]).max() < 0.01
    photo = built.found["pixels"]["photo"]
    side = np.ptp(np.array(photo)[:, 0]) / np.ptp(built.points[:, 0])
    assert side == pytest.approx(0.9, abs=0.02)  # the garment's longest side is 1, and fills nine tenths


def test_the_photos_camera_lies_on_the_photo(built):
    photo = Image.open(built.folder / "views/photo.png").getchannel("A").resize((256, 256), Image.Resampling.BOX)
    assert iou(built.folder / "drawn/photo.png", np.asarray(photo) / 255) >= 0.98


def test_the_garment_is_whole_true_to_size_and_open_where_it_should(built):
    found = built.found
    height = np.ptp(np.asarray(built.result.mesh.vertices)[:, 1])
    expected = np.ptp(np.asarray(built.result.mesh.vertices), axis=0)[[0, 2, 1]] * 0.7 / height
    assert np.allclose(found["dimensions"], expected, atol=1e-3)
    assert found["dimensions"][2] == pytest.approx(0.7, abs=1e-3)
    assert found["low"][2] == pytest.approx(0, abs=1e-5)
    assert found["faces"] == len(built.result.mesh.faces) and found["smooth"] and found["tangled"] == 0
    loops = {v for name in ("neck", "cuff_l", "cuff_r", "hem") for v, _ in found["groups"][name]}
    assert set(found["boundary"]) == loops
    assert found["uv"] == ["UVMap"] and found["seams"] > 50


def test_groups_are_the_openings_and_the_pin_holds_neck_and_shoulders(built):
    groups = {name: dict(map(tuple, members)) for name, members in built.found["groups"].items()}
    assert set(groups) == {"neck", "cuff_l", "cuff_r", "hem", "pin"}
    assert all(weight == 1 for name in ("neck", "hem") for weight in groups[name].values())
    assert all(groups["pin"].get(vertex, 0) > 0.99 for vertex in groups["neck"])
    assert not set(groups["pin"]) & (set(groups["hem"]) | set(groups["cuff_l"]) | set(groups["cuff_r"]))
    assert built.found["cloth"] == [False, False, "pin"]


def test_everything_is_where_a_modeller_looks(built):
    found = built.found
    names = [f"view_{azimuth:03.0f}" for azimuth in range(0, 360, 20)]
    assert found["scenes"] == ["probed"] and found["name"] == "probed" and found["selected"]
    assert found["collections"]["Garment"] == ["probed"]
    assert found["collections"]["Reference cameras"] == ["photo", *names]
    assert found["collections"]["Openings"] == ["cuff_l", "cuff_r", "hem", "neck"]
    assert found["hidden"] == ["Reference images", "Light"]
    assert found["units"] == ["METRIC", 1.0] and found["size"] == [256, 256] and found["range"] == [1, 18]
    assert found["active_camera"] == "view_000"
    assert found["markers"] == {n: [i + 1, n] for i, n in enumerate(names)} | {"photo": [0, "photo"]}
    for name, camera in found["cameras"].items():
        assert camera["shown"] and camera["locked"] == [True] * 3
        assert camera["pictures"] == [[f"{name.removeprefix('view_')}.png", 0.5, "FIT"]]
        assert camera["type"] == ("ORTHO" if name == "photo" else "PERSP")
    assert sorted(found["properties"].pop("openings").split(", ")) == ["cuff_l", "cuff_r", "hem", "neck"]
    assert found["properties"] == {"garment_class": "tee", "length_cm": 70.0}


def test_openings_stand_at_their_anchors_and_point_outwards(built):
    placed = placement(np.asarray(built.result.mesh.vertices), 70.0)
    for opening in openings(built.result.mesh):
        place, outward = built.found["empties"][opening.name]
        assert np.allclose(place, to_scene(placed, np.array(opening.anchor)), atol=1e-4)
        side = {"neck": (2, 1), "hem": (2, -1), "cuff_l": (0, 1), "cuff_r": (0, -1)}[opening.name]
        assert outward[side[0]] * side[1] > 0.5


def test_pictures_are_packed_and_one_material_shows_the_texture(built):
    assert built.found["materials"] == 1 and built.found["links"]["Base Color"] == "TEX_IMAGE"
    assert built.found["roughness"] == pytest.approx(0.9) and built.found["spaces"] == ["sRGB"]
    used = {name: state for name, state in built.found["images"].items() if name != "Render Result"}
    assert set(used) == {"probed.png", "photo.png", *(f"{a:03d}.png" for a in range(0, 360, 20))}
    assert all(packed for packed, _ in used.values())


def test_running_it_again_doubles_nothing_and_spares_edited_work(built):
    assert built.found["first"] == built.found["second"]
    assert built.found["edited"] == {"kept": True, "new": built.found["vertices"]}


def test_other_orbits_missing_pictures_and_a_file_with_work_in_it(blender, result, tmp_path):
    """Zero123's cameras from above, a picture gone, and a scene of the person's own that must stay."""
    around = orbit(elevation_deg=25.0, hw=(128, 256), azimuths_deg=(0.0, 33.5, 33.5, 200.0))
    views = rendered_orbit(result.mesh, around, shading="unlit")
    folder = write(blender_files(result.mesh, views, openings(result.mesh), 12.0), tmp_path / "doll")
    (folder / "views/200.png").unlink()
    own = str(tmp_path / "own.blend")
    work = f"import bpy; bpy.ops.wm.save_as_mainfile(filepath={own!r})"
    check = (
        "import bpy; assert 'Cube' in bpy.data.scenes['Scene'].objects; assert len(bpy.data.scenes) == 2;"
        "assert not bpy.data.objects['view_200'].data.show_background_images"
    )
    told = blender(
        *("--python-exit-code", 3, "--python-expr", work, "--python", "doll/build_scene.py", "--python-expr", check),
        *("--", "--render", "drawn", "--samples", 4),
        cwd=tmp_path,
    )
    assert told.count("Missing beside build_scene.py: views/200.png") == 1
    for name, soft in zip(("view_000", "view_033.5", "view_033.5-2", "view_200"), views.masks, strict=True):
        assert iou(tmp_path / f"drawn/{name}.png", soft.numpy()) >= 0.98  # half the pixels of a square view
    shutil.rmtree(folder / "views")
    (folder / "garment.obj").unlink()
    told = blender("--python", folder / "build_scene.py", cwd=tmp_path, code=1)
    assert "Garment3D: garment.obj is missing beside build_scene.py: export the package again." in told


def test_what_cant_be_written_is_one_line_and_a_status(blender, built, tmp_path):
    """A file where the folder should be: without a line and a status a script would take the scene for saved."""
    (tmp_path / "file").touch()
    for option, place in (("--save", "file/tee.blend"), ("--render", "file/views")):
        script = built.folder / "build_scene.py"
        told = blender("--python", script, "--", option, place, "--samples", 1, cwd=tmp_path, code=1)
        assert "Traceback" not in told and told.count("Garment3D: ") == 2 and "file" in told.split("Garment3D: ")[-1]
