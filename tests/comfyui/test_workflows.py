"""The bundled workflows: tidy on the canvas, equal to their API twins, running as they are, like the command line."""

import itertools
import json
import subprocess

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.comfyui.harness import NOTES, ROOT, WORKFLOWS, to_api

TITLE_PX = 30
NAMES = [path.stem for path in WORKFLOWS]


def read(name, folder="."):
    return json.loads((ROOT / "workflows" / folder / f"{name}.json").read_text("utf-8"))


def box(node):
    x, y = node["pos"]
    return x, y - TITLE_PX, x + node["size"][0], y + node["size"][1]


LIGHTER = {
    "Garment3D_Zero123Views": {"step_deg": 180.0, "steps": 1},
    "Garment3D_Zero123Conditioning": {"step_deg": 180.0},
    "Garment3D_ImageViews": {"step_deg": 180.0},
    "Garment3D_TripoSRMesh": {"resolution": 64},
    "Garment3D_TripoSRTurntable": {"step_deg": 180.0, "size": 32},
    "KSampler": {"steps": 1},
    "ImageOnlyCheckpointLoader": {"ckpt_name": "zero123_in_core/zero123-xl.ckpt"},
}


def lighter(graph):
    for node in graph.values():
        node["inputs"] |= LIGHTER.get(node["class_type"], {})
    return graph


@pytest.fixture(scope="module")
def runs(server):
    """Each workflow's API twin, run once; those with models on small ones, with fewer views, steps and cells."""
    done = {name: server.run(lighter(read(name, "api"))) for name in NAMES}
    for name, run in done.items():
        assert run.status == "success", f"{name}: {run.error}"
    return done


def test_six_workflows():
    assert NAMES == ["01_mask", "02_garment", "03_orbit", "04_sam_zero123_triposr", "05_worn_garment",
                     "06_ksampler_orbit"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_layout_reads_left_to_right(name):
    workflow = read(name)
    nodes = {n["id"]: n for n in workflow["nodes"]}
    for a, b in itertools.combinations(map(box, nodes.values()), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], f"{a} overlaps {b}"
    groups = {g["title"]: (g["bounding"][0], g["bounding"][1], g["bounding"][0] + g["bounding"][2],
                           g["bounding"][1] + g["bounding"][3]) for g in workflow["groups"]}  # fmt: skip
    home = {}
    for i, node in nodes.items():
        x0, y0, x1, y1 = box(node)
        inside = [t for t, g in groups.items() if g[0] <= x0 and g[1] <= y0 and x1 <= g[2] and y1 <= g[3]]
        assert len(inside) == 1, (node["type"], inside)
        home[i] = inside[0]
    for _, source, _, target, _, _ in workflow["links"]:
        assert groups[home[source]][0] <= groups[home[target]][0]
    assert sorted(groups, key=lambda t: groups[t][0]) == sorted(groups)  # they are numbered
    notes = [n["widgets_values"][0] for n in nodes.values() if n["type"] in NOTES]
    assert any("Load Image" in text for text in notes)
    assert any(n["type"] == "Garment3D_ExamplePhoto" for n in nodes.values())


@pytest.mark.parametrize("name", NAMES)
def test_api_twin_is_the_same_graph(name):
    graph, twin = to_api(read(name)), read(name, "api")
    assert graph == {i: {k: v for k, v in node.items() if k != "_meta"} for i, node in twin.items()}


@pytest.mark.parametrize("name", NAMES)
def test_api_twin_is_the_conversion(server, name):
    workflow = read(name)
    assert read(name, "api") == to_api(workflow, server.get("/object_info"))
    for node in workflow["nodes"]:
        assert node.get("widgets_values", []) == list(node.get("widgets_values_named", {}).values())


def test_mask_workflow_shows_the_garment_alone(server, runs):
    shown = [o["images"][0] for o in runs["01_mask"].outputs.values() if "images" in o]
    (cut,) = [image for image in shown if image["type"] == "output"]
    rgba = np.asarray(Image.open(server.output(cut)))
    alpha = rgba[..., 3] > 127
    rows = np.flatnonzero(alpha.any(1))
    assert rgba.shape == (1024, 1024, 4) and 0.15 < alpha.mean() < 0.8
    assert max(len(rows), len(np.flatnonzero(alpha.any(0)))) == pytest.approx(0.9 * 1024, abs=3)


def test_garment_workflow_shows_in_the_assets_panel(server, runs):
    models = [o["3d"][0] for o in runs["02_garment"].outputs.values() if "3d" in o]
    assert [m["type"] for m in models] == ["output"] and server.output(models[0]).suffix == ".glb"
    tree = json.loads(_json_chunk(server.output(models[0])))
    assert json.loads(tree["asset"]["extras"]["prompt"]) == read("02_garment", "api")
    job = server.get("/api/jobs")["jobs"][0]
    assert job["outputs_count"] > 0


def test_orbit_workflow_saves_views_and_cameras(server, runs):
    (model,) = [o["3d"][0] for o in runs["03_orbit"].outputs.values() if "3d" in o]
    folder = server.output(model).with_name(server.output(model).stem + "views")
    cameras = json.loads((folder / "cameras.json").read_text())
    files = [f"{azimuth:03}.png" for azimuth in range(0, 360, 20)]
    assert [v["file"] for v in cameras["views"]] == files
    shares = [(np.asarray(Image.open(folder / f))[..., 3] > 127).mean() for f in files]
    assert min(shares) > 0.03 and max(shares) < 0.7


@pytest.fixture(scope="module")
def line(server, tmp_path_factory):
    """The folder that the command line makes of the same photo."""
    folder = tmp_path_factory.mktemp("line")
    photo = ROOT / "workflows" / "inputs" / "tshirt.jpg"
    command = [server.python, "-m", "garment3d", photo, "-o", folder, "--format", "glb"]
    ran = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return folder / "tshirt"


@pytest.mark.parametrize("name", ["02_garment", "03_orbit"])
def test_same_garment_as_the_command_line(server, runs, line, name):
    (model,) = [o["3d"][0] for o in runs[name].outputs.values() if "3d" in o]
    paths = server.output(model), line / "garment.glb"
    a, b = (trimesh.load(p, force="mesh", process=False) for p in paths)
    np.testing.assert_array_equal(a.faces, b.faces)
    np.testing.assert_allclose(a.vertices, b.vertices, atol=1e-5)
    np.testing.assert_allclose(a.visual.uv, b.visual.uv, atol=1e-5)
    atlases = (np.asarray(m.visual.material.baseColorTexture.convert("RGB")).astype(int) for m in (a, b))
    assert np.abs(np.subtract(*atlases)).max() <= 1
    extras = [json.loads(_json_chunk(p))["nodes"][0]["extras"] for p in paths]
    for ours, theirs in zip(extras[0].pop("openings"), extras[1].pop("openings"), strict=True):
        assert ours["name"] == theirs["name"] and ours["anchor"] == pytest.approx(theirs["anchor"], abs=1e-5)
    assert extras[0] == extras[1]


def test_same_views_as_the_command_line(server, runs, line):
    (model,) = [o["3d"][0] for o in runs["03_orbit"].outputs.values() if "3d" in o]
    folder = server.output(model).with_name(server.output(model).stem + "views")
    nodes, command = (json.loads((f / "cameras.json").read_text()) for f in (folder, line))
    assert nodes["photo"] is None  # only the photo's own route knows its camera
    np.testing.assert_allclose(nodes["frame_to_file"], command["frame_to_file"], atol=1e-6)
    for ours, theirs in zip(nodes["views"], command["views"], strict=True):
        np.testing.assert_allclose(ours["c2w"], theirs["c2w"], atol=1e-6)
        pixels = [np.asarray(Image.open(p)).astype(int) for p in (folder / ours["file"], line / theirs["file"])]
        assert (np.abs(np.subtract(*pixels)).max(-1) > 2).mean() < 0.001


def _json_chunk(path):
    data = path.read_bytes()
    return data[20 : 20 + int.from_bytes(data[12:16], "little")]
