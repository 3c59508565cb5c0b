"""Our MESH in core's own nodes: all of them take it, and decimating it opens no crack along the side seam."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.comfyui.harness import prompt
from tests.comfyui.test_nodes import ROUTE, SAVE, TEXTURE, dumped

DECIMATE = {"target_face_count": 800, "placement_mode": "midpoint"}
UNWRAP = {"segmenter": "pec", "resolution": 256, "padding": 1, "weld_distance": 0.0}
ROTATE = {"mode": "euler_xyz", "mode.angle_x": 0.0, "mode.angle_y": 90.0, "mode.angle_z": 0.0}


def solid(arrays, index=0):
    """The mesh of a dump, welded by position."""
    mesh = trimesh.Trimesh(arrays["vertices"][index], arrays["faces"][index], process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=6)
    return mesh


def loops(mesh):
    """Boundary loops as connected sets of edges that one face uses."""
    edges = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    assert uses.max() <= 2
    return len(trimesh.graph.connected_components(unique[uses == 1], min_len=2))


@pytest.fixture(scope="module")
def made(server, tmp_path_factory):
    return dumped(server, tmp_path_factory.mktemp("made"), ROUTE, ("texture", 0), "Probe_DumpMesh")


def test_our_mesh_is_what_the_convention_asks(made):
    assert made["vertices"].dtype == np.float32 and made["faces"].dtype == np.int64
    assert made["vertices"].ndim == made["faces"].ndim == made["uvs"].ndim == 3 and "vertex_counts" not in made
    assert made["vertices"].shape[:2] == made["uvs"].shape[:2] == made["normals"].shape[:2]
    assert np.abs(made["vertices"]).max() <= 0.51 and made["texture"].shape == (1, 512, 512, 3)
    assert made["uvs"].min() >= 0 and made["uvs"].max() <= 1
    np.testing.assert_allclose(np.linalg.norm(made["normals"], axis=-1), 1, atol=1e-5)
    front = made["vertices"][0, :, 2] > 0.5 * made["vertices"][0, :, 2].max()
    assert (made["normals"][0, front, 2] > 0).mean() > 0.98  # outward, and the front faces +Z


def test_uv_origin_is_top_left(made, server, tmp_path):
    """The photo's colour at a front vertex is the texture's colour at row v, column u, counted from the top."""
    photo = dumped(server, tmp_path, ROUTE, ("photo", 0))[0]
    mask = dumped(server, tmp_path, ROUTE, ("mask", 0))[0]
    rows, columns = np.nonzero(mask >= 0.5)
    x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    vertices, side = made["vertices"][0], max(x1 - x0, y1 - y0)
    inner = (made["normals"][0, :, 2] > 0.8) & (np.abs(vertices[:, 0]) < 0.15) & (np.abs(vertices[:, 1]) < 0.3)
    x = ((x0 + x1) / 2 + vertices[inner, 0] * side).astype(int)
    y = ((y0 + y1) / 2 - vertices[inner, 1] * side).astype(int)
    texel = (made["uvs"][0, inner] * 512).astype(int)
    difference = np.abs(photo[y, x] - made["texture"][0, texel[:, 1], texel[:, 0]]).mean(-1)
    assert inner.sum() > 20 and np.median(difference) < 0.05


def test_core_nodes_take_it(server, tmp_path):
    graph = ROUTE | {"file": ("MeshToFile3D", {"mesh": ("texture", 0)})}
    graph["save"] = ("SaveGLB", {"mesh": ("texture", 0), "filename_prefix": "t/core"})
    graph["shown"] = ("Preview3D", {"model_file": ("file", 0), "image": ""})
    graph["info"] = ("GetMeshInfo", {"mesh": ("texture", 0)})
    run = server.run(prompt(**graph))
    assert run.status == "success", run.error
    saved = trimesh.load(server.output(run.outputs["save"]["3d"][0]), force="mesh", process=False)
    assert saved.visual.material.roughnessFactor == pytest.approx(0.9)
    assert saved.visual.material.metallicFactor == 0 and saved.visual.material.doubleSided


def test_core_glb_holds_our_garment(server, tmp_path, made):
    graph = ROUTE | {"save": ("SaveGLB", {"mesh": ("texture", 0), "filename_prefix": "t/core"})}
    run = server.run(prompt(**graph))
    saved = trimesh.load(server.output(run.outputs["save"]["3d"][0]), force="mesh", process=False)
    np.testing.assert_allclose(saved.vertices, made["vertices"][0], atol=1e-6)
    np.testing.assert_array_equal(saved.faces, made["faces"][0])
    pixels = np.asarray(saved.visual.material.baseColorTexture.convert("RGB"))
    np.testing.assert_array_equal(pixels, np.round(made["texture"][0] * 255))
    np.testing.assert_allclose(saved.visual.uv, made["uvs"][0] * (1, -1) + (0, 1), atol=1e-6)


def test_rotate_turns_vertices_and_normals(server, tmp_path, made):
    graph = ROUTE | {"turn": ("RotateMesh", {"mesh": ("texture", 0)} | ROTATE)}
    turned = dumped(server, tmp_path, graph, ("turn", 0), "Probe_DumpMesh")
    for name in ("vertices", "normals"):
        x, y, z = np.moveaxis(made[name], -1, 0)
        np.testing.assert_allclose(turned[name], np.stack([z, y, -x], -1), atol=1e-5)
    np.testing.assert_array_equal(turned["uvs"], made["uvs"])


def test_unwrap_gives_new_uvs_and_keeps_the_surface(server, tmp_path, made):
    graph = ROUTE | {"unwrap": ("UnwrapMesh", {"mesh": ("shell", 0)} | UNWRAP)}
    arrays = dumped(server, tmp_path, graph, ("unwrap", 0), "Probe_DumpMesh")
    assert arrays["uvs"].shape[:2] == arrays["vertices"].shape[:2]
    assert loops(solid(arrays)) == loops(solid(made)) == 4


@pytest.mark.parametrize("source", ["shell", "texture"])
@pytest.mark.parametrize("mode", ["midpoint", "qem"])
def test_decimating_opens_no_crack(server, tmp_path, source, mode):
    """Neck, hem and two cuffs stay the only loops, before and after a new texture, in one piece."""
    settings = DECIMATE | {"placement_mode": mode}
    if mode == "qem":
        settings |= {"placement_mode.line_quadric_weight": 0.0, "placement_mode.feature_edge_quadric_weight": 0.0}
        settings |= {"placement_mode.feature_edge_min_dihedral_deg": 30.0, "placement_mode.clamp_v_to_edge": True}
    graph = ROUTE | {"fewer": ("DecimateMesh", {"mesh": (source, 0)} | settings)}
    graph["again"] = (TEXTURE[0], TEXTURE[1] | {"mesh": ("fewer", 0)})
    fewer = dumped(server, tmp_path, graph, ("fewer", 0), "Probe_DumpMesh")
    again = dumped(server, tmp_path, graph, ("again", 0), "Probe_DumpMesh")
    assert "uvs" not in fewer and len(fewer["faces"][0]) <= 850
    assert again["uvs"].shape[:2] == again["vertices"].shape[:2] and again["texture"].shape == (1, 512, 512, 3)
    assert again["texture"].std() > 0.01
    for arrays in (fewer, again):
        mesh = solid(arrays)
        assert loops(mesh) == 4
        assert mesh.body_count == 1
    assert len(again["faces"][0]) == len(fewer["faces"][0])


def test_a_padded_batch_comes_and_goes(server, tmp_path, made):
    graph = ROUTE | {"pad": ("Probe_PadBatch", {"mesh": ("shell", 0)})}
    graph["texture"] = (TEXTURE[0], TEXTURE[1] | {"mesh": ("pad", 0)})
    arrays = dumped(server, tmp_path, graph, ("texture", 0), "Probe_DumpMesh")
    assert arrays["vertices"].shape[0] == 2 and arrays["texture"].shape == (2, 512, 512, 3)
    counts = arrays["face_counts"]
    assert counts[0] == counts[1] + 1 == made["faces"].shape[1]
    np.testing.assert_allclose(arrays["vertices"][0, : made["vertices"].shape[1]], made["vertices"][0], atol=1e-6)
    saved = server.outputs(prompt(**graph, save=(SAVE[0], SAVE[1] | {"filename_prefix": "t/pair"})))["save"]["3d"]
    assert [item["filename"] for item in saved] == ["pair_00001_.glb", "pair_00002_.glb"]
    sizes = [len(trimesh.load(server.output(item), force="mesh", process=False).faces) for item in saved]
    assert sizes == counts.tolist()


def test_vertex_colours_and_bare_meshes_are_drawn(server, tmp_path):
    views = {"step_deg": 180.0, "elevation_deg": 0.0, "size": 64, "background": "#0000ff"}
    graph = ROUTE | {"red": ("Probe_PaintRed", {"mesh": ("shell", 0)})}
    for source, ratio in (("red", 10), ("shell", 1)):
        graph["views"] = ("Garment3D_RenderedViews", {"mesh": (source, 0)} | views)
        middle = dumped(server, tmp_path, graph, ("views", 1))[0, 32, 32]
        assert middle[0] >= ratio * middle[1] and middle[0] > 0.2 and middle[2] < 0.9


def test_render_mesh_draws_the_photos_outline(server, tmp_path):
    inputs = {"mesh": ("texture", 0), "mode": "auto", "width": 256, "height": 256, "background": "#000000"}
    drawn = dumped(server, tmp_path, ROUTE | {"render": ("RenderMesh", inputs)}, ("render", 1))[0]
    mask = dumped(server, tmp_path, ROUTE, ("mask", 0))[0]
    a, b = (_framed(m) for m in (drawn, mask))
    assert (a & b).sum() / (a | b).sum() > 0.9  # a perspective camera stands in front of it


def _framed(mask):
    rows, columns = np.nonzero(mask >= 0.5)
    part = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return np.asarray(Image.fromarray(part).resize((128, 128))) >= 0.5
