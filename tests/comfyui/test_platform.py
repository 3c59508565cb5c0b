"""A garment made ready for a platform in a graph: its budget, its maps in core's nodes, and its files."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.comfyui.harness import prompt
from tests.comfyui.test_mesh_contract import loops, solid
from tests.comfyui.test_nodes import ROUTE, SAVE, SHELL, changed, dumped, error_of
from tests.test_export_gltf import validate

PREPARE = ("Garment3D_PreparePlatform", {"mesh": ("texture", 0), "platform": "vrchat-mobile-excellent",
                                         "length_cm": 0.0, "lods": 2})  # fmt: skip
GRAPH = ROUTE | {"shell": changed(SHELL, triangles=8000), "ready": PREPARE}


def shown(server, graph, source):
    return server.outputs(prompt(**graph, show=("Probe_DumpText", {"value": source})))["show"]["value"][0]


@pytest.fixture(scope="module")
def dense(server, tmp_path_factory):
    return dumped(server, tmp_path_factory.mktemp("dense"), GRAPH, ("texture", 0), "Probe_DumpMesh")


@pytest.fixture(scope="module")
def ready(server, tmp_path_factory):
    return dumped(server, tmp_path_factory.mktemp("ready"), GRAPH, ("ready", 0), "Probe_DumpMesh")


def test_the_garment_keeps_its_openings_within_the_budget(server, dense, ready):
    """VRChat's table allows a whole avatar 7,500 triangles."""
    assert dense["faces"].shape[1] > 7000 and "normal_map" not in dense and "tangents" not in dense
    assert 1000 < ready["faces"].shape[1] <= 2500
    assert loops(solid(ready)) == loops(solid(dense)) == 4
    told = shown(server, GRAPH, ("ready", 2))
    assert "is met" in told and "7,500" in told and "level 2" in told
    heavy = GRAPH | {"ready": changed(PREPARE, triangles=6000, lods=0)}
    assert "is not met" in shown(server, heavy, ("ready", 2))


def test_the_map_and_its_tangents_are_as_the_convention_asks(ready):
    assert ready["normal_map"].shape == ready["texture"].shape and ready["normal_map"].dtype == np.float32
    tangents, normals = ready["tangents"][0], ready["normals"][0]
    assert tangents.shape == (len(normals), 4) and set(np.unique(tangents[:, 3])) <= {-1.0, 1.0}
    np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=-1), 1, atol=1e-4)
    assert np.abs((tangents[:, :3] * normals).sum(-1)).max() < 1e-3


@pytest.fixture(scope="module")
def core(server, tmp_path_factory):
    """The light mesh with ComfyUI's own normal map of the dense one, and what our node reads in it."""
    bake = {"low_poly": ("ready", 0), "high_poly": ("texture", 0), "resolution": 512, "cage_distance": 0.02,
            "ignore_backfaces": True}  # fmt: skip
    apply = {"mesh": ("ready", 0), "base_color": ("maps", 0), "normal_map": ("bake", 0)}
    graph = GRAPH | {"maps": ("MeshTextureToImage", {"mesh": ("ready", 0)}), "bake": ("BakeNormalMapFromMesh", bake)}
    graph |= {"apply": ("ApplyTextureToMesh", apply), "again": changed(PREPARE, mesh=("apply", 0), lods=0)}
    folder = tmp_path_factory.mktemp("core")
    return [dumped(server, folder, graph, (name, 0), "Probe_DumpMesh") for name in ("apply", "again")]


def told(arrays):
    """[S,S] where a normal map says anything, and its first two channels in -1..1."""
    slope = arrays["normal_map"][0, ..., :2] * 2 - 1
    return (np.abs(slope) > 0.03).any(-1), slope


def test_cores_baker_makes_the_same_map(ready, core):
    """Green along each one's own bitangents, which core has running down the picture."""
    (ours, a), (theirs, b) = told(ready), told(core[0])
    both = ours & theirs
    assert both.mean() > 0.02
    assert (ready["tangents"][0, :, 3] == 1).all() and (core[0]["tangents"][0, :, 3] == -1).mean() > 0.99
    assert np.corrcoef(a[both][:, 0], b[both][:, 0])[0, 1] > 0.9
    assert np.corrcoef(a[both][:, 1], -b[both][:, 1])[0, 1] > 0.9


def test_cores_map_comes_in_as_ours(ready, core):
    """What core's tangents turn upside down is turned back where the mesh passes one of our nodes."""
    (ours, a), (again, b) = told(ready), told(core[1])
    both = ours & again
    for channel in (0, 1):
        assert np.corrcoef(a[both][:, channel], b[both][:, channel])[0, 1] > 0.9
    np.testing.assert_allclose(core[1]["tangents"], ready["tangents"], atol=1e-4)


@pytest.mark.parametrize("node", ["SaveGLB", "MeshToFile3D", "Garment3D_Save"])
def test_map_and_tangents_reach_every_file(server, ready, node):
    graph = GRAPH | {"save": (node, {"mesh": ("ready", 0)})}
    if node == "MeshToFile3D":
        graph["file"], graph["save"] = graph["save"], ("SaveGLB", {"mesh": ("file", 0), "filename_prefix": "t/file"})
    elif node == "SaveGLB":
        graph["save"][1]["filename_prefix"] = "t/core"
    else:
        graph["save"] = changed(SAVE, mesh=("ready", 0), filename_prefix="t/ours")
    path = server.output(server.outputs(prompt(**graph))["save"]["3d"][0])
    (report,) = validate(path.read_bytes())
    errors = [m for m in report["issues"]["messages"] if m["severity"] == 0]
    assert errors == [] and report["info"]["totalTriangleCount"] == ready["faces"].shape[1]
    saved = trimesh.load(path, force="mesh", process=False)
    pixels = np.asarray(saved.visual.material.normalTexture.convert("RGB")).astype(int)
    assert np.abs(pixels - np.round(ready["normal_map"][0] * 255)).max() <= 1  # core cuts off where we round
    assert b'"TANGENT"' in path.read_bytes()


def test_platform_files_and_levels(server):
    save = changed(SAVE, mesh=("ready", 0), levels=("ready", 1), platform=("ready", 4), filename_prefix="t/lods",
                   length_cm=70.0, obj=True)  # fmt: skip
    items = server.outputs(prompt(**GRAPH, save=save))["save"]["3d"]
    path = server.output(items[0])
    files = sorted(p.name for p in path.parent.glob(f"{path.stem}*"))
    stem = path.stem.rstrip("_")
    assert {f"{stem}_.glb", f"{stem}_LOD1.glb", f"{stem}_LOD2.glb", f"{stem}_.obj"} <= set(files)
    meshes = [trimesh.load(path.parent / f"{stem}_{level}.glb", force="mesh") for level in ("", "LOD1", "LOD2")]
    counts = [len(mesh.faces) for mesh in meshes]
    assert counts[0] > 1.8 * counts[1] > 1.8 * 1.8 * counts[2]
    for mesh in meshes:
        assert np.ptp(mesh.vertices[:, 1]) == pytest.approx(0.7, abs=0.001 if mesh is meshes[0] else 0.02)
        assert mesh.vertices[:, 1].min() == pytest.approx(0, abs=0.01)


def test_a_save_that_fails_leaves_nothing(server):
    """The disk takes a name of 255 letters: the GLB's while it is written has 254, that of its first level 258."""
    prefix = "t/failed/" + "x" * (254 - len("._00001_.12345678.glb"))
    save = changed(SAVE, mesh=("ready", 0), levels=("ready", 1), filename_prefix=prefix)
    assert "was not saved" in error_of(server, **GRAPH, save=save)
    assert not any((server.base / "output" / "t" / "failed").iterdir())


def test_a_platform_turns_the_garment(server):
    """VRM 0.x looks along −Z; as it is the front looks along +Z. The sun is on the front only."""
    for platform, sign in (("as it is", 1), ("vrm0", -1)):
        save = changed(SAVE, platform=platform, filename_prefix="t/facing")
        (item,) = server.outputs(prompt(**ROUTE, save=save))["save"]["3d"]
        mesh = trimesh.load(server.output(item), force="mesh", process=False)
        orange = sun(mesh)
        assert orange.sum() > 5 and (sign * mesh.vertices[orange, 2] > 0).all()


def sun(mesh):
    """Vertices on the orange print."""
    atlas = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB")).astype(int)
    texel = np.clip((mesh.visual.uv * (1, -1) + (0, 1)) * atlas.shape[0], 0, atlas.shape[0] - 1).astype(int)
    colour = atlas[texel[:, 1], texel[:, 0]]
    return (colour[:, 0] > 180) & (colour[:, 2] < 130)


def test_a_print_is_in_millimetres_and_still_has_a_glb(server):
    save = changed(SAVE, platform="print", filename_prefix="t/print", length_cm=70.0)
    (item,) = server.outputs(prompt(**ROUTE, save=save))["save"]["3d"]
    path = server.output(item)
    assert path.suffix == ".glb"
    (stl,) = path.parent.glob(f"{path.stem}*.stl")
    assert np.ptp(trimesh.load(stl).vertices[:, 2]) == pytest.approx(700, abs=1)


def test_what_cant_be_prepared_is_one_sentence(server, tmp_path):
    two = {"pad": ("Probe_PadBatch", {"mesh": ("texture", 0)})}
    save = changed(SAVE, mesh=("pad", 0), levels=("ready", 1))
    assert "3 levels for 2 garments" in error_of(server, **GRAPH, **two, save=save)
    end = ("Probe_DumpMesh", {"mesh": ("ready", 0), "path": str(tmp_path / "x.npz")})
    few = changed(PREPARE, triangles=1)
    assert "1 triangles" in error_of(server, **(GRAPH | {"ready": few}), end=end)


def test_a_batch_keeps_maps_and_levels_apart(server, tmp_path):
    graph = GRAPH | {"pad": ("Probe_PadBatch", {"mesh": ("texture", 0)}), "ready": changed(PREPARE, mesh=("pad", 0))}
    arrays = dumped(server, tmp_path, graph, ("ready", 0), "Probe_DumpMesh")
    assert arrays["vertices"].shape[0] == arrays["normal_map"].shape[0] == arrays["tangents"].shape[0] == 2
    levels = dumped(server, tmp_path, graph, ("ready", 1), "Probe_DumpMesh")
    assert levels["vertices"].shape[0] == 6
    counts = levels["face_counts"]
    assert counts[0] > counts[1] > counts[2] < counts[3] > counts[4] > counts[5]


def test_a_light_garment_takes_nothing_from_the_heavy_one_beside_it(server, tmp_path, dense):
    """The second is too light for a normal map of its own, and for as many levels as the first has."""
    less = dense["faces"].shape[1] - 400
    graph = GRAPH | {"pad": ("Probe_PadBatch", {"mesh": ("texture", 0), "less": less})}
    graph["ready"] = changed(PREPARE, mesh=("pad", 0), lods=5)
    arrays = dumped(server, tmp_path, graph, ("ready", 0), "Probe_DumpMesh")
    counts = dumped(server, tmp_path, graph, ("ready", 1), "Probe_DumpMesh")["face_counts"]
    slope = np.abs(arrays["normal_map"][..., :2] * 255 - 128).max((1, 2, 3))
    assert arrays["face_counts"][1] == 400 and slope[0] > 5 and slope[1] < 0.01
    assert len(counts) == 6 and (counts[1:3] < counts[:2]).all() and (counts[4:] < counts[3:5]).all()
    assert counts[3] == 400


def test_the_texture_shown_is_the_one_saved(server, tmp_path, ready):
    """Core reads the maps of the mesh as pictures."""
    graph = GRAPH | {"maps": ("MeshTextureToImage", {"mesh": ("ready", 0)})}
    np.testing.assert_array_equal(dumped(server, tmp_path, graph, ("maps", 4)), ready["normal_map"])
    assert Image.fromarray((ready["normal_map"][0] * 255).astype(np.uint8)).getextrema()[2][0] > 100
