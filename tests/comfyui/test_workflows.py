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
    "RenderMesh": {"width": 128, "height": 128},
    "EmptyLatentHunyuan3Dv2": {"resolution": 16},
    "VAEDecodeHunyuan3D": {"octree_resolution": 16},
}
LIGHT_CLOTH = {"Garment3D_Shell": {"triangles": 2000}, "Garment3D_BakeTexture": {"size": 512}}
"""Where the command line makes nothing that must be the same."""
SMALL_FILES = {
    "zero123/zero123-xl.ckpt": "zero123_in_core/zero123-xl.ckpt",
    "hunyuan_3d_v2.1.safetensors": "hunyuan3d_in_core/hunyuan_3d_v2.1.ckpt",
}
"""What stands for a file that ComfyUI's own loader reads."""


def lighter(graph):
    """The same graph with fewer views, steps, cells, triangles and texels, on small files."""
    baked = any(node["class_type"] == "Garment3D_BakeTexture" for node in graph.values())
    for node in graph.values():
        node["inputs"] |= LIGHTER.get(node["class_type"], {}) | (LIGHT_CLOTH if baked else {}).get(
            node["class_type"], {}
        )
        if node["class_type"] == "ImageOnlyCheckpointLoader":
            node["inputs"]["ckpt_name"] = SMALL_FILES[node["inputs"]["ckpt_name"]]
    return graph


def with_a_true_mask(graph):
    """A SAM of random numbers cuts out no garment: its mask is shown alone, the quick mask goes on in its place."""
    (sam,) = [i for i, node in graph.items() if node["class_type"] == "Garment3D_SamMask"]
    for node in graph.values():
        node["inputs"] |= {k: ["quick", 0] for k, v in node["inputs"].items() if v == [sam, 0]}
    graph["quick"] = {"class_type": "Garment3D_QuickMask", "inputs": {"image": graph[sam]["inputs"]["image"]}}
    graph["shown"] = {"class_type": "MaskPreview", "inputs": {"mask": [sam, 0]}}
    return graph


@pytest.fixture(scope="module")
def runs(server):
    """Each workflow's API twin, run once; those with models on small ones, with fewer views, steps and cells."""
    graphs = {name: lighter(read(name, "api")) for name in NAMES}
    with_a_true_mask(graphs["04_sam_zero123_triposr"])
    done = {name: server.run(graph, 300) for name, graph in graphs.items()}
    for name, run in done.items():
        assert run.status == "success", f"{name}: {run.error}"
    return done


def test_eleven_workflows():
    assert NAMES == ["01_mask", "02_garment", "03_orbit", "04_sam_zero123_triposr", "05_worn_garment",
                     "06_ksampler_orbit", "07_fit_shell_any_mesh", "08_texture_from_orbit", "09_blender_package",
                     "10_vrchat_target", "11_quality_gate"]  # fmt: skip


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


@pytest.mark.parametrize("name", ["04_sam_zero123_triposr", "07_fit_shell_any_mesh"])
def test_any_mesh_becomes_an_open_garment_with_cloth(server, runs, name):
    model = garment_of(server, runs[name])
    welded = model.copy()
    welded.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=5)
    edges = np.sort(welded.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    assert uses.max() == 2
    assert len(trimesh.graph.connected_components(unique[uses == 1], min_len=2)) == 4  # neck, hem and two cuffs
    atlas = np.asarray(model.visual.material.baseColorTexture.convert("RGB"))
    assert atlas.shape == (512, 512, 3) and atlas.std() > 5
    (said,) = [o["text"][0] for o in runs[name].outputs.values() if "text" in o]
    assert said.startswith("front: ") and "% of the height before" in said and "outline in common" in said


def test_pictures_of_the_back_reach_the_back(server, runs):
    """The star's orange is in the middle of the back, where the front photo has teal and the cloth would be teal."""
    model = garment_of(server, runs["08_texture_from_orbit"])
    atlas = np.asarray(model.visual.material.baseColorTexture.convert("RGB")).astype(int)
    uv, size = np.asarray(model.visual.uv), np.array(atlas.shape[1::-1])
    texel = np.clip((uv * (1, -1) + (0, 1)) * size, 0, size - 1).astype(int)
    colour = atlas[texel[:, 1], texel[:, 0]]
    orange = (colour[:, 0] > 180) & (colour[:, 2] < 130)
    place = (model.vertices - model.bounds.mean(0)) / np.ptp(model.vertices[:, 1])
    chest = (abs(place[:, 0]) < 0.06) & (abs(place[:, 1] - 0.22) < 0.12) & (model.vertex_normals[:, 2] < -0.7)
    assert chest.sum() >= 5 and orange[chest].mean() > 0.3
    waist = (abs(place[:, 0]) < 0.2) & (place[:, 1] < -0.1) & (model.vertex_normals[:, 2] < -0.7)
    assert waist.sum() >= 5 and not orange[waist].any()


def garment_of(server, run):
    """The mesh that Save Garment wrote."""
    models = [o["3d"][0] for o in run.outputs.values() if "3d" in o]
    (path,) = [server.output(m) for m in models if m["filename"].startswith("garment")]
    return trimesh.load(path, force="mesh", process=False)


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
