"""Meshes from files and meshes compared, in a running ComfyUI: what is read is what the file holds; no path strays."""

import os
import time

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from tests.comfyui.harness import prompt
from tests.comfyui.test_nodes import PHOTO, dumped, error_of

KINDS = ("textured.glb", "coloured.ply", "plain.stl", "plain.obj")


def load(name):
    return ("Garment3D_LoadMesh", {"file": name})


def drop(source):
    return ("Probe_Hashes", {"value": source})


def texts(server, *sources, **graph):
    shows = {f"show{i}": ("Probe_DumpText", {"value": source}) for i, source in enumerate(sources)}
    shown = server.outputs(prompt(**graph, **shows))
    return [shown[name]["value"][0] for name in shows]


def refusal(server, name):
    """The sentence with which a prompt is refused before anything runs."""
    answer = server.post("/prompt", {"prompt": prompt(mesh=load(name), drop=drop(("mesh", 0)))})
    (fault,) = answer["node_errors"]["mesh"]["errors"]
    assert fault["type"] == "custom_validation_failed"
    return fault["details"]


def ball(radius=0.5):
    return trimesh.creation.icosphere(3, radius)


@pytest.fixture(scope="module")
def folder(server):
    """ComfyUI's input folder with a small mesh of each kind in the place of Load 3D's uploads."""
    inside = server.base / "input" / "3d" / "set"
    inside.mkdir(parents=True, exist_ok=True)
    sphere = ball()
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    uv = np.stack([np.arctan2(sphere.vertices[:, 0], sphere.vertices[:, 2]) / 7 + 0.5, sphere.vertices[:, 1] + 0.5], 1)
    dressed = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=Image.fromarray(pixels)))
    trimesh.Trimesh(sphere.vertices, sphere.faces, visual=dressed, process=False).export(inside / "textured.glb")
    rgba = np.full((len(sphere.vertices), 4), (188, 0, 0, 255), np.uint8)
    trimesh.Trimesh(sphere.vertices, sphere.faces, vertex_colors=rgba, process=False).export(inside / "coloured.ply")
    sphere.export(inside / "plain.stl")
    sphere.export(inside / "plain.obj")
    return inside


@pytest.mark.parametrize("name", KINDS)
def test_what_is_read_is_what_the_file_holds(server, folder, tmp_path, name):
    graph = {"mesh": load(f"3d/set/{name}")}
    arrays = dumped(server, tmp_path, graph, ("mesh", 0), "Probe_DumpMesh")
    ours = trimesh.Trimesh(arrays["vertices"][0], arrays["faces"][0])
    own = ball()
    assert len(arrays["faces"][0]) == len(own.faces) and ours.is_watertight
    assert ours.volume == pytest.approx(own.volume, rel=1e-4)
    (figures,) = texts(server, ("mesh", 1), **graph)
    assert "triangles: 1280" in figures and "size: 1 × 1 × 1" in figures
    if name.startswith("textured"):
        again = trimesh.load(folder / name, force="mesh", process=False)
        np.testing.assert_allclose(arrays["uvs"][0], again.visual.uv * (1, -1) + (0, 1), atol=1e-6)
        pixels = np.asarray(again.visual.material.baseColorTexture.convert("RGB"))
        np.testing.assert_array_equal(np.round(arrays["texture"][0] * 255), pixels)
        assert "texture of 16 × 16 px" in figures
    elif name.startswith("coloured"):  # sRGB in the file, linear in the graph
        linear = ((188 / 255 + 0.055) / 1.055) ** 2.4
        np.testing.assert_allclose(arrays["vertex_colors"][0, :, 0], linear, atol=1e-3)
        assert "colours: vertex colours" in figures
    else:
        assert "uvs" not in arrays and "vertex_colors" not in arrays and "colours: none" in figures


def test_the_menu_lists_every_kind_below_the_input_folder(server, folder):
    (folder / "notes.txt").write_text("no mesh")
    spec = server.get("/object_info/Garment3D_LoadMesh")["Garment3D_LoadMesh"]["input"]["required"]["file"]
    listed = spec[1]["options"]
    assert {f"3d/set/{name}" for name in KINDS} <= set(listed) and "3d/set/notes.txt" not in listed
    assert spec[1]["mesh_upload"] and spec[1]["upload_subfolder"] == "3d"


def test_no_path_leaves_comfyuis_folders(server, folder, tmp_path):
    ball().export(tmp_path / "secret.stl")
    (folder / "link.stl").unlink(missing_ok=True)
    os.symlink(tmp_path / "secret.stl", folder / "link.stl")
    up = os.path.relpath(tmp_path / "secret.stl", server.base / "input")
    for name in (up, str(tmp_path / "secret.stl"), "3d/set/link.stl", f"{up} [output]", "3d/\0.stl"):
        assert "outside" in refusal(server, name)
    assert "no file" in refusal(server, "3d/set/gone.glb")
    assert "no mesh file" in refusal(server, "3d/set/notes.txt")
    assert "No mesh file is chosen" in refusal(server, "")


def test_the_output_folder_can_be_read_too(server, folder):
    saved = server.outputs(prompt(mesh=load("3d/set/textured.glb"), save=("SaveGLB", {"mesh": ("mesh", 0),
                                                                          "filename_prefix": "t/read"})))  # fmt: skip
    (item,) = saved["save"]["3d"]
    (figures,) = texts(server, ("mesh", 1), mesh=load(f"{item['subfolder']}/{item['filename']} [output]"))
    assert "triangles: 1280" in figures


def test_a_changed_file_is_read_again_and_only_then(server, folder):
    graph = {"mesh": load("3d/set/changing.stl"), "drop": drop(("mesh", 0))}
    ball().export(folder / "changing.stl")
    server.outputs(prompt(**graph))
    assert "mesh" in server.run(prompt(**graph)).cached
    time.sleep(0.01)
    ball(0.4).export(folder / "changing.stl")
    assert "mesh" not in server.run(prompt(**graph)).cached


def test_a_broken_file_is_one_sentence(server, folder):
    (folder / "broken.glb").write_bytes(b"glTF no more")
    assert "broken.glb" in error_of(server, mesh=load("3d/set/broken.glb"), drop=drop(("mesh", 0)))
    holes = ball()
    vertices = holes.vertices.copy()
    vertices[3] = np.nan
    trimesh.Trimesh(vertices, holes.faces, process=False).export(folder / "holes.ply")
    said = error_of(server, mesh=load("3d/set/holes.ply"), drop=drop(("mesh", 0)))
    assert "holes.ply" in said and "finite" in said


def test_spheres_five_per_cent_apart(server, folder, tmp_path):
    """Radius 0.5 and 0.55: 0.05 everywhere, of a height of 1."""
    ball(0.55).export(folder / "larger.stl")
    compare = {"mesh": ("a", 0), "other": ("b", 0), "threshold": 1.0, "samples": 5000}
    graph = {
        "a": load("3d/set/plain.stl"),
        "b": load("3d/set/larger.stl"),
        "both": ("Garment3D_CompareMeshes", compare),
    }
    figures, distance = texts(server, ("both", 0), ("both", 2), **graph)
    assert distance == pytest.approx(5, abs=0.1)
    rows = dict(line.split(": ") for line in figures.splitlines())
    assert float(rows["both ways"].split()[0]) == pytest.approx(5, abs=0.1)
    assert float(rows["F-score at 1 %"]) == 0 and float(rows["normal consistency"]) > 0.99
    picture = dumped(server, tmp_path, graph, ("both", 1))
    assert picture.ndim == 4 and len(picture) == 1 and picture.std() > 0.05
    graph["both"] = ("Garment3D_CompareMeshes", compare | {"threshold": 6.0, "other": ("a", 0)})
    figures, distance = texts(server, ("both", 0), ("both", 2), **graph)
    assert distance < 0.01 and "F-score at 6 %: 1.000" in figures


def test_a_comparison_alone_is_a_workflow(server, folder):
    both = {"mesh": ("a", 0), "other": ("a", 0), "threshold": 1.0, "samples": 500}
    shown = server.outputs(prompt(a=load("3d/set/plain.stl"), both=("Garment3D_CompareMeshes", both)))
    assert shown["both"]["images"][0]["type"] == "temp"


def test_uvs_without_a_texture_stay(server, tmp_path):
    graph = {"photo": PHOTO, "mask": ("Garment3D_QuickMask", {"image": ("photo", 0)})}
    graph["shell"] = ("Garment3D_Shell", {"mask": ("mask", 0), "image": ("photo", 0), "triangles": 500})
    unwrap = {"segmenter": "pec", "resolution": 256, "padding": 1, "weld_distance": 0.0}
    graph["own"] = ("UnwrapMesh", {"mesh": ("shell", 0)} | unwrap)
    uvs = dumped(server, tmp_path, graph, ("own", 0), "Probe_DumpMesh")["uvs"]
    hems = {"mesh": ("own", 0), "image": ("photo", 0), "mask": ("mask", 0), "front": "+Z"}
    opened = dumped(server, tmp_path, graph | {"open": ("Garment3D_OpenHems", hems)}, ("open", 0), "Probe_DumpMesh")
    assert "texture" not in opened and opened["uvs"].shape[1] >= 0.9 * uvs.shape[1]
