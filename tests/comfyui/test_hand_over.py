"""Cameras and Blender packages from a graph: the folders, and ComfyUI's own nodes standing where a view was seen."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.comfyui.harness import prompt
from tests.comfyui.test_nodes import ROUTE, array, changed, dumped, error_of

VIEWS = ("Garment3D_RenderedViews", {"mesh": ("texture", 0), "step_deg": 60.0, "elevation_deg": 20.0, "size": 256,
                                     "background": "#ffffff"})  # fmt: skip
CAMERAS = ("Garment3D_ExportCameras", {"views": ("views", 0), "mesh": ("texture", 0), "filename_prefix": "t/set",
                                       "azimuth_deg": 60.0, "length_cm": 80.0})  # fmt: skip
BLENDER = ("Garment3D_ExportBlender", {"mesh": ("texture", 0), "views": ("views", 0), "filename_prefix": "t/blend",
                                       "garment_class": "auto", "length_cm": 0.0})  # fmt: skip
GRAPH = ROUTE | {"views": VIEWS, "cameras": CAMERAS}


def said(server, graph, source):
    shown = server.outputs(prompt(**graph, show=("Probe_DumpText", {"value": source})))
    return shown["show"]["value"][0]


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def folder(server):
    return Path(said(server, GRAPH, ("cameras", 1)))


def test_the_data_set_lies_in_the_output_folder(server, folder):
    assert folder.parent == server.base / "output" / "t" and folder.name.startswith("set_0000")
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    pictures = [f"images/{azimuth:03}.png" for azimuth in range(0, 360, 60)]
    texts = ["cameras.json", "sparse/0/cameras.txt", "sparse/0/images.txt", "sparse/0/points3D.txt", "transforms.json"]
    assert set(names) >= {*pictures, *texts, "garment.glb"} and not any(name.startswith(".") for name in names)
    model = trimesh.load(folder / "garment.glb", force="mesh", process=False)
    assert np.ptp(model.vertices[:, 1]) == pytest.approx(0.8, abs=1e-4)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    assert len(frames) == 6


def test_a_folder_is_new_each_time_and_formats_are_chosen(server, folder):
    fewer = changed(CAMERAS, nerf=False, colmap=False, gltf=False, json=False, masks=True)
    fewer[1].pop("mesh")
    again = Path(said(server, GRAPH | {"cameras": fewer}, ("cameras", 1)))
    assert again != folder and again.parent == folder.parent
    kept = {p.relative_to(again).parts[0] for p in again.rglob("*.*")}
    assert kept - {"README.txt"} == {"images", "masks"}


@pytest.mark.parametrize("azimuth, view", [(60.0, 1), (-95.0, 4)])
def test_cores_render_lies_on_the_view(server, tmp_path, azimuth, view):
    """Render Mesh, standing where camera_info says, shows the garment where the view shows it."""
    graph = GRAPH | {"cameras": changed(CAMERAS, azimuth_deg=azimuth)}
    graph["render"] = ("RenderMesh", {"mesh": ("texture", 0), "mode": "auto", "width": 256, "height": 256,
                                      "background": "#ffffff", "camera_info": ("cameras", 0)})  # fmt: skip
    core = dumped(server, tmp_path, graph, ("render", 1))[0]
    found = [overlap(core >= 0.5, mask >= 0.5) for mask in dumped(server, tmp_path, graph, ("views", 2))]
    assert np.argmax(found) == view and found[view] > 0.99


def test_cores_viewer_takes_the_camera(server):
    graph = GRAPH | {"file": ("MeshToFile3D", {"mesh": ("texture", 0)})}
    graph["shown"] = ("Preview3DAdvanced", {"model_3d": ("file", 0), "viewport_state": {}, "width": 512, "height": 512,
                                            "camera_info": ("cameras", 0)})  # fmt: skip
    _, camera, _ = server.outputs(prompt(**graph))["shown"]["result"]
    at = np.array([camera["position"][axis] for axis in "xyz"])
    assert np.degrees(np.arctan2(at[0], at[2])) == pytest.approx(60) and at[1] > 0


def test_soft_edges_leave_their_background_behind(server, folder):
    """The same cut-outs, whatever plain colour the views stood on."""
    blue = GRAPH | {
        "views": changed(VIEWS, background="#0000ff"),
        "cameras": changed(CAMERAS, filename_prefix="t/blue"),
    }
    pair = [np.asarray(Image.open(f / "images" / "060.png")).astype(int)
            for f in (folder, Path(said(server, blue, ("cameras", 1))))]  # fmt: skip
    np.testing.assert_array_equal(pair[0][..., 3], pair[1][..., 3])
    edge = pair[0][..., 3] > 64
    assert np.abs(pair[0] - pair[1])[edge].max() <= 4


def test_what_cant_be_handed_over_is_one_sentence(server, tmp_path):
    outside = changed(CAMERAS, filename_prefix="../../gone")
    assert "../../gone" in error_of(server, **(GRAPH | {"cameras": outside}))
    empty = {"views": ("Garment3D_ImageViews", {"images": ("p", 0), "masks": ("m", 1), "step_deg": 20.0,
             "elevation_deg": 0.0}), "p": array(tmp_path / "p.npy", np.ones((1, 64, 64, 3)))}  # fmt: skip
    empty |= {"m": array(tmp_path / "m.npy", np.zeros((1, 64, 64)))}
    alone = changed(CAMERAS)
    alone[1].pop("mesh")
    assert "empty" in error_of(server, **empty, cameras=alone)


def test_the_blender_package_is_whole(server):
    graph = ROUTE | {"views": VIEWS, "blender": BLENDER}
    package = Path(said(server, graph, ("blender", 0)))
    names = {p.relative_to(package).as_posix() for p in package.rglob("*") if p.is_file()}
    assert "build_scene.py" in names and {p.suffix for p in map(Path, names)} >= {".py", ".png"}
    assert len([name for name in names if name.startswith("views/")]) >= 6
    compile((package / "build_scene.py").read_text("utf-8"), "build_scene.py", "exec")
    command = said(server, graph, ("blender", 1))
    assert command.startswith("blender --python ") and "build_scene.py" in command
