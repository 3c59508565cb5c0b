"""Mesh files of every kind come in as one mesh, in linear light; what is no mesh is one sentence."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from garment3d.errors import MeshError
from garment3d.meshes import read_mesh

MIDDLE_GREY = ((128 / 255 + 0.055) / 1.055) ** 2.4
"""Linear light of sRGB 128 (IEC 61966-2-1)."""


def ball(colour=(128, 0, 255, 255)):
    solid = trimesh.creation.icosphere(2)
    solid.visual = ColorVisuals(solid, vertex_colors=np.tile(np.uint8(colour), (len(solid.vertices), 1)))
    return solid


def plate(colour, x=0.0):
    sheet = trimesh.Trimesh([[x, 0, 0], [x + 1, 0, 0], [x + 1, 1, 0], [x, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    picture = Image.new("RGB", (8, 8), colour)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    sheet.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=picture))
    return sheet


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl", "OBJ"])
def test_every_format_keeps_the_shape(tmp_path, suffix):
    solid = ball()
    solid.export(tmp_path / f"ball.{suffix}", file_type=suffix.lower())
    mesh = read_mesh(tmp_path / f"ball.{suffix}").mesh
    assert len(mesh.faces) == len(solid.faces) and len(mesh.vertices) == len(solid.vertices)
    np.testing.assert_allclose(mesh.bounds, solid.bounds, atol=1e-6)
    assert mesh.is_watertight


def test_a_gltf_with_its_buffers_beside_it(tmp_path):
    for name, data in trimesh.exchange.gltf.export_gltf(trimesh.Scene([ball()])).items():
        (tmp_path / name).write_bytes(data)
    assert len(read_mesh(tmp_path / "model.gltf").mesh.faces) == 320


@pytest.mark.parametrize("suffix", ["obj", "ply"])
def test_srgb_vertex_colours_become_linear(tmp_path, suffix):
    ball().export(tmp_path / f"ball.{suffix}")
    mesh = read_mesh(tmp_path / f"ball.{suffix}").mesh
    fine = mesh.vertex_attributes["linear_rgb"]
    np.testing.assert_allclose(fine, np.tile([MIDDLE_GREY, 0, 1], (len(fine), 1)), atol=1e-6)
    np.testing.assert_array_equal(mesh.visual.vertex_colors[0, :3], [round(255 * MIDDLE_GREY), 0, 255])


def test_gltf_vertex_colours_are_linear_already(tmp_path):
    ball().export(tmp_path / "ball.glb")
    np.testing.assert_array_equal(read_mesh(tmp_path / "ball.glb").mesh.visual.vertex_colors[0], [128, 0, 255, 255])


def test_a_plain_material_becomes_vertex_colours(tmp_path):
    solid = trimesh.creation.box()
    solid.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=[255, 64, 0, 255]))
    solid.export(tmp_path / "box.glb")
    mesh = read_mesh(tmp_path / "box.glb").mesh
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], np.tile([255, 64, 0], (len(mesh.vertices), 1)))


def test_plain_materials_of_an_obj_become_linear_vertex_colours(tmp_path):
    (tmp_path / "two.mtl").write_text("newmtl a\nKd 1 0 0\nnewmtl b\nKd 0 0.501961 0\n")
    faces = "usemtl a\nf 1 2 3\nusemtl b\nf 4 5 6\n"
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 0 1 1\n"
    (tmp_path / "two.obj").write_text(f"mtllib two.mtl\n{corners}{faces}")
    mesh = read_mesh(tmp_path / "two.obj").mesh
    front = mesh.vertices[:, 2] == 1
    np.testing.assert_array_equal(np.unique(mesh.visual.vertex_colors[~front, :3], axis=0), [[255, 0, 0]])
    green = round(255 * MIDDLE_GREY)
    np.testing.assert_array_equal(np.unique(mesh.visual.vertex_colors[front, :3], axis=0), [[0, green, 0]])


def test_parts_stand_where_their_nodes_put_them(tmp_path):
    scene = trimesh.Scene([trimesh.creation.box()])
    scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.export(tmp_path / "two.glb")
    found = read_mesh(tmp_path / "two.glb")
    np.testing.assert_allclose(found.mesh.bounds, [[-0.5, -0.5, -0.5], [5.5, 0.5, 0.5]])
    assert found.warnings == ("two.glb has 2 parts, joined into one mesh.",)


def colour_at(mesh, point):
    """sRGB that the mesh's texture shows at its vertex nearest to a point."""
    vertex = np.linalg.norm(mesh.vertices - point, axis=1).argmin()
    return mesh.visual.to_color().vertex_colors[vertex, :3]


def test_several_textures_become_one(tmp_path):
    trimesh.Scene([plate("red"), plate("lime", 2.0)]).export(tmp_path / "two.glb")
    mesh = read_mesh(tmp_path / "two.glb").mesh
    np.testing.assert_array_equal(colour_at(mesh, [0, 0, 0]), [255, 0, 0])
    np.testing.assert_array_equal(colour_at(mesh, [3, 1, 0]), [0, 255, 0])


def test_texture_beside_vertex_colours_is_read_at_the_vertices(tmp_path):
    trimesh.Scene([plate((128, 0, 0), 3.0), ball()]).export(tmp_path / "mixed.glb")
    mesh = read_mesh(tmp_path / "mixed.glb").mesh
    corner, pole = (np.linalg.norm(mesh.vertices - at, axis=1).argmin() for at in ([4, 1, 0], [0, 0, 1]))
    np.testing.assert_array_equal(mesh.visual.vertex_colors[corner, :3], [round(255 * MIDDLE_GREY), 0, 0])
    np.testing.assert_array_equal(mesh.visual.vertex_colors[pole, :3], [128, 0, 255])


def test_uvs_outside_the_picture_are_told(tmp_path):
    sheet = plate("red")
    sheet.visual.uv = sheet.visual.uv * 3
    sheet.export(tmp_path / "tiled.glb")
    (told,) = read_mesh(tmp_path / "tiled.glb").warnings
    assert told.startswith("The uvs of tiled.glb leave the picture")


POINTS = (
    "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n0 0 0\n"
)


BEYOND = POINTS.replace("vertex 1", "vertex 3").replace(
    "end_header\n", "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
)
BEYOND += "1 0 0\n0 1 0\n3 0 1 9\n"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("page.glb", b"<html><body>Not found</body></html>", "can't be read as GLB"),
        ("cut.glb", b"glTF\x02\x00\x00\x00\xff\xff\x00\x00", "can't be read as GLB"),
        ("scene.gltf", json.dumps({"asset": {"version": "2.0"}}).encode(), "scene.gltf"),
        ("empty.stl", b"", "empty.stl"),
        ("page.obj", b"<html>", "page.obj holds no triangles"),
        ("points.ply", POINTS.encode(), "points.ply holds no triangles"),
        ("nan.obj", b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n", "1 of 3 vertices in nan.obj are not finite"),
        ("beyond.ply", BEYOND.encode(), "A triangle in beyond.ply names vertex 9, but there are 3"),
        ("model.fbx", b"Kaydara FBX", "model.fbx is no mesh file that can be read"),
    ],
)
def test_what_is_no_mesh_is_one_sentence(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MeshError) as caught:
        read_mesh(tmp_path / name)
    text = str(caught.value)
    assert said in text and text.endswith(".") and "\n" not in text


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    (tmp_path / "folder.glb").mkdir()
    for name in ("missing.glb", "folder.glb"):
        with pytest.raises(MeshError, match="There is no file"):
            read_mesh(tmp_path / name)
