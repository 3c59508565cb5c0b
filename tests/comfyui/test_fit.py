"""Fit, hems and bake in a running ComfyUI, with the shell itself, made worse by the test, as a generator's mesh."""

import json
import time

import numpy as np
import pytest
import trimesh

from garment3d.metrics import surface_distance
from tests.comfyui.harness import prompt
from tests.comfyui.test_mesh_contract import loops, solid
from tests.comfyui.test_meshes import drop, load, texts
from tests.comfyui.test_nodes import MASK, PHOTO, SHELL, array, dumped, error_of
from tests.truth.targets import closed

FIT = ("Garment3D_FitShell", {"shell": ("shell", 0), "target": ("target", 0), "mask": ("mask", 0), "front": "auto",
                              "smoothness": 0.5, "symmetry": 0.0, "keep_silhouette": True})  # fmt: skip
HEMS = ("Garment3D_OpenHems", {"mesh": ("target", 0), "image": ("photo", 0), "mask": ("mask", 0), "front": "auto"})
BAKE = ("Garment3D_BakeTexture", {"mesh": ("fit", 0), "image": ("photo", 0), "mask": ("mask", 0), "size": 512,
                                  "flatten": 0.0})  # fmt: skip
GROWN = {"photo": PHOTO, "mask": MASK, "shell": SHELL}
FITTED = GROWN | {"target": load("3d/fit/target.glb"), "fit": FIT}


def changed(node, **inputs):
    return node[0], node[1] | inputs


@pytest.fixture(scope="module")
def shell(server, tmp_path_factory):
    return dumped(server, tmp_path_factory.mktemp("shell"), GROWN, ("shell", 0), "Probe_DumpMesh")


@pytest.fixture(scope="module", autouse=True)
def truth(server, tmp_path_factory):
    """The shell a third deeper; input/3d/fit holds it closed up, 40 times as large and elsewhere, as a generator's."""
    fine = GROWN | {"shell": changed(SHELL, triangles=20000)}
    deep = solid(dumped(server, tmp_path_factory.mktemp("truth"), fine, ("shell", 0), "Probe_DumpMesh"))
    deep.vertices = deep.vertices * (1, 1, 1.33)
    folder = server.base / "input" / "3d" / "fit"
    folder.mkdir(parents=True, exist_ok=True)
    generated = closed(deep)
    generated.vertices = generated.vertices * 40 + (3, 100, -7)
    generated.export(folder / "target.glb")
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False).export(folder / "triangle.ply")
    sticks = [trimesh.creation.box(np.where(np.arange(3) == axis, 1.0, 0.02)) for axis in range(3)]
    trimesh.util.concatenate(sticks).export(folder / "sticks.stl")
    return deep


def test_the_shell_takes_the_meshs_depth_and_stays_itself(server, shell, truth, tmp_path):
    arrays = dumped(server, tmp_path, FITTED, ("fit", 0), "Probe_DumpMesh")
    np.testing.assert_array_equal(arrays["faces"], shell["faces"])
    height = np.ptp(truth.vertices[:, 1])
    before, after = (surface_distance(solid(m), truth, 5000).symmetric / height for m in (shell, arrays))
    assert after < 0.015 and after < 0.5 * before
    assert loops(solid(arrays)) == 4
    silhouette = np.abs(arrays["vertices"][0] - shell["vertices"][0])[:, :2]
    assert np.percentile(silhouette, 95) < 0.02
    np.testing.assert_allclose(np.linalg.norm(arrays["normals"], axis=-1), 1, atol=1e-5)
    (figures,) = texts(server, ("fit", 1), **FITTED)
    rows = dict(line.split(": ", 1) for line in figures.splitlines())
    assert rows["front"].startswith("+Z") and "mirrored" not in rows["front"]
    assert 1 / float(rows["scale"]) == pytest.approx(40, rel=0.05)
    assert int(rows["faces of the target"]) > 20000 and "after" in rows["distance to the target"]


def test_thickness_adds_a_second_layer_and_closes_the_rims(server, shell, tmp_path):
    thick = FITTED | {"fit": changed(FIT, thickness=4.0)}
    arrays = dumped(server, tmp_path, thick, ("fit", 0), "Probe_DumpMesh")
    assert len(arrays["faces"][0]) > 2 * len(shell["faces"][0]) and loops(solid(arrays)) == 0


def test_a_batch_of_shells_takes_one_mesh(server, tmp_path):
    graph = FITTED | {"pad": ("Probe_PadBatch", {"mesh": ("shell", 0)}), "fit": changed(FIT, shell=("pad", 0))}
    arrays = dumped(server, tmp_path, graph, ("fit", 0), "Probe_DumpMesh")
    assert len(arrays["vertices"]) == 2 and arrays["face_counts"][0] == arrays["face_counts"][1] + 1


def test_hems_open_and_the_rest_stays(server, truth, tmp_path):
    graph = GROWN | {"target": load("3d/fit/target.glb"), "open": HEMS}
    arrays = dumped(server, tmp_path, graph, ("open", 0), "Probe_DumpMesh")
    (said,) = texts(server, ("open", 1), **graph)
    told = json.loads(said)
    assert sorted(o["name"] for o in told["openings"]) == ["cuff_l", "cuff_r", "hem", "neck"]
    assert all(len(o["anchor"]) == 3 for o in told["openings"]) and told["lay"][0].startswith("front: +Z")
    opened = solid(arrays)
    assert loops(opened) == 4 and opened.body_count == 1
    assert surface_distance(opened, truth, 5000).symmetric / np.ptp(truth.vertices[:, 1]) < 0.02
    assert np.abs(arrays["vertices"]).max() < 0.6


def test_baked_cloth_goes_through_cores_nodes(server, tmp_path):
    graph = FITTED | {"bake": BAKE}
    arrays = dumped(server, tmp_path, graph, ("bake", 0), "Probe_DumpMesh")
    texture, source = (dumped(server, tmp_path, graph, ("bake", i))[0] for i in (1, 2))
    assert (
        arrays["uvs"].shape[:2] == arrays["vertices"].shape[:2] and 0 <= arrays["uvs"].min() <= arrays["uvs"].max() <= 1
    )
    np.testing.assert_array_equal(texture, arrays["texture"][0])
    assert texture.shape == source.shape == (512, 512, 3)
    kinds = np.unique(np.round(source.reshape(-1, 3) * 255).astype(int), axis=0)
    assert 3 <= len(kinds) <= 4  # empty, photo, filled
    graph["fewer"] = ("DecimateMesh", {"mesh": ("bake", 0), "target_face_count": 800, "placement_mode": "midpoint"})
    graph["again"] = changed(BAKE, mesh=("fewer", 0))
    graph["file"] = ("MeshToFile3D", {"mesh": ("bake", 0)})
    graph["shown"] = ("Preview3D", {"model_file": ("file", 0), "image": ""})
    graph["save"] = ("SaveGLB", {"mesh": ("again", 0), "filename_prefix": "t/baked"})
    (item,) = server.outputs(prompt(**graph))["save"]["3d"]
    saved = trimesh.load(server.output(item), force="mesh", process=False)
    assert len(saved.faces) <= 850 and np.asarray(saved.visual.material.baseColorTexture).std() > 5


def test_views_that_show_nothing_are_one_sentence(server, tmp_path):
    white = array(tmp_path / "white.npy", np.ones((3, 64, 64, 3)))
    black = array(tmp_path / "black.npy", np.zeros((3, 64, 64)))
    graph = GROWN | {"white": white, "black": black, "fit": SHELL}
    graph["views"] = ("Garment3D_ImageViews", {"images": ("white", 0), "masks": ("black", 1), "step_deg": 90.0,
                                               "elevation_deg": 0.0})  # fmt: skip
    graph["bake"] = changed(BAKE, views=("views", 0))
    assert "view" in error_of(server, **graph, drop=drop(("bake", 0)))
    graph["bake"] = changed(BAKE, azimuths="around the back")
    assert "azimuths" in error_of(server, **graph, drop=drop(("bake", 0)))
    graph["bake"] = changed(BAKE, back_image=("photo", 0))
    assert "back_mask" in error_of(server, **graph, drop=drop(("bake", 0)))


@pytest.mark.parametrize("name, word", [("triangle.ply", "1 triangle"), ("sticks.stl", "overlap")])
def test_a_mesh_that_is_no_garment_is_one_sentence(server, name, word):
    graph = GROWN | {"target": load(f"3d/fit/{name}")}
    for node in (FIT, HEMS):
        assert word in error_of(server, **graph, node=changed(node, front="+Z"), drop=drop(("node", 0)))


def test_nan_vertices_are_one_sentence(server):
    """Whatever a generator hands over, not only what a file holds."""
    graph = GROWN | {"target": ("Probe_NanVertex", {"mesh": ("shell", 0)})}
    for node in (FIT, HEMS, changed(BAKE, mesh=("target", 0))):
        assert "finite" in error_of(server, **graph, node=node, drop=drop(("node", 0)))


def test_nothing_that_came_in_is_changed(server):
    graph = FITTED | {"bake": BAKE, "open": HEMS}
    sources = {"shell": ("shell", 0), "target": ("target", 0), "mask": ("mask", 0), "fit": ("fit", 0)}
    hashed = {name: ("Probe_Hashes", {"value": source}) for name, source in sources.items()}
    first = server.outputs(prompt(**FITTED, **{f"{n}_before": h for n, h in hashed.items()}))
    after = {f"{n}_after": (h[0], h[1] | {"after": ("bake", 0)}) for n, h in hashed.items()}
    second = server.outputs(prompt(**graph, **after, drop=drop(("open", 0))))
    for name in sources:
        assert first[f"{name}_before"]["hash"] == second[f"{name}_after"]["hash"], name


def test_cancel_stops_a_fit(server):
    fine = GROWN | {"shell": changed(SHELL, triangles=60000), "target": load("3d/fit/target.glb")}
    server.outputs(prompt(**fine, ready=drop(("shell", 0)), read=drop(("target", 0))))
    running = server.queue(prompt(**fine, fit=FIT, drop=drop(("fit", 0))))
    time.sleep(2)
    start = time.monotonic()
    server.post("/interrupt", {"prompt_id": running})
    kind, data = server.wait(running, 30).messages[-1]
    assert kind == "execution_interrupted" and data["node_type"] == "Garment3D_FitShell"
    assert time.monotonic() - start < 5
