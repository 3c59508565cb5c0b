"""What the mesh files say of a tube whose every vertex, normal and texel is known."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals

from garment3d import __version__
from garment3d.data import Opening
from garment3d.errors import MeshError
from garment3d.export.mesh import FORMATS, class_length_cm, mesh_files, placement
from garment3d.export.parts import parts, smooth_normals, weld
from tests.solids import cube, sphere, textured, tube

RADIUS, HEIGHT = 0.3, 0.8
OPENINGS = (Opening("neck", (0.0, HEIGHT / 2, 0.0)), Opening("hem", (0.0, -HEIGHT / 2, 0.1)))


def banded_tube():
    """A tube whose texture is red in its upper quarter, green left of the middle below it and blue right of it."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:16] = (255, 0, 0)
    pixels[16:, :32], pixels[16:, 32:] = (0, 255, 0), (0, 0, 255)
    plain = tube(RADIUS, HEIGHT)
    return textured(plain.vertices, plain.faces, plain.visual.uv, Image.fromarray(pixels))


def saved(formats, mesh=None, **options):
    files = mesh_files(mesh or banded_tube(), OPENINGS, 70, formats, "tee", **options)
    return {file.name: file.data for file in files}


def glb_of(data):
    """The JSON of a GLB and its arrays by attribute, read from the bytes by the format's own rules."""
    magic, version, length, json_length, _ = struct.unpack_from("<4sIIII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    tree = json.loads(data[20 : 20 + json_length])
    blob = data[28 + json_length :]
    primitive = tree["meshes"][0]["primitives"][0]

    def view(index):
        place = tree["bufferViews"][index]
        return blob[place.get("byteOffset", 0) : place.get("byteOffset", 0) + place["byteLength"]]

    def array(index):
        accessor = tree["accessors"][index]
        dtype = {5126: "<f4", 5125: "<u4", 5121: "u1", 5123: "<u2"}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        return np.frombuffer(view(accessor["bufferView"]), dtype)[: accessor["count"] * width].reshape(-1, width)

    arrays = {name: array(index) for name, index in primitive["attributes"].items()}
    arrays["faces"] = array(primitive["indices"]).reshape(-1, 3)
    images = [view(image["bufferView"]) for image in tree.get("images", [])]
    return tree, arrays, images


def test_a_glb_stands_on_the_floor_at_its_length_in_metres_facing_plus_z():
    _, arrays, _ = glb_of(saved(["glb"])["garment.glb"])
    scale = 0.7 / HEIGHT
    assert np.allclose(arrays["POSITION"].min(0), (-RADIUS * scale, 0, -RADIUS * scale), atol=1e-6)
    assert np.allclose(arrays["POSITION"].max(0), (RADIUS * scale, 0.7, RADIUS * scale), atol=1e-6)
    points = arrays["POSITION"][arrays["faces"]]
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    outward = points.mean(1) * (1, 0, 1)
    assert (np.einsum("ij,ij->i", normal, outward) > 0).all()


def test_normals_in_a_glb_are_radial_also_along_the_uv_seam():
    mesh = banded_tube()
    _, arrays, _ = glb_of(saved(["glb"], mesh)["garment.glb"])
    assert len(arrays["NORMAL"]) == len(mesh.vertices)
    radial = np.asarray(mesh.vertices) * (1, 0, 1) / RADIUS
    assert np.allclose(arrays["NORMAL"], radial, atol=1e-5)
    assert np.allclose(np.linalg.norm(arrays["NORMAL"], axis=1), 1, atol=1e-6)


def test_the_picture_in_a_glb_is_the_texture_and_lies_the_right_way_up():
    mesh = banded_tube()
    tree, arrays, images = glb_of(saved(["glb"], mesh)["garment.glb"])
    assert tree["images"][0]["mimeType"] == "image/png" and images[0].startswith(b"\x89PNG")
    pixels = np.asarray(Image.open(io.BytesIO(images[0])))
    assert np.array_equal(pixels, np.asarray(mesh.visual.material.baseColorTexture))
    # glTF: v = 0 is the picture's first row. The tube's top is red, its right side (+X) blue below.
    position, uv = arrays["POSITION"], arrays["TEXCOORD_0"]
    column, row = (np.clip(uv * 64, 0, 63.999)).astype(int).T
    colour = pixels[row, column]
    assert (colour[position[:, 1] > 0.7 * 0.8] == (255, 0, 0)).all()
    side = (position[:, 1] < 0.5) & (position[:, 0] > 0.05)
    assert side.any() and (colour[side] == (0, 0, 255)).all()


def test_the_material_of_a_glb_is_cloth():
    tree, _, _ = glb_of(saved(["glb"])["garment.glb"])
    material = tree["materials"][0]
    assert material["doubleSided"] is True
    surface = material["pbrMetallicRoughness"]
    assert surface["metallicFactor"] == 0 and surface["roughnessFactor"] == 0.9
    assert surface["baseColorFactor"] == [1, 1, 1, 1]
    assert surface["baseColorTexture"]["index"] == 0
    assert tree["asset"]["generator"] == f"Garment3D {__version__}"


def test_the_extras_of_a_glb_hold_the_openings_where_they_are_in_the_file():
    tree, arrays, _ = glb_of(saved(["glb"])["garment.glb"])
    extras = tree["nodes"][0]["extras"]
    assert extras["garment_class"] == "tee" and extras["length_cm"] == 70
    assert "metres" in extras["frame"] and "+Y up" in extras["frame"] and "front +Z" in extras["frame"]
    neck, hem = extras["openings"]
    assert neck == {"name": "neck", "anchor": [0, 0.7, 0]}
    assert hem["name"] == "hem" and np.allclose(hem["anchor"], (0, 0, 0.1 * 0.7 / HEIGHT), atol=1e-6)
    top = arrays["POSITION"][arrays["POSITION"][:, 1] > 0.7 - 1e-6]
    assert np.allclose(np.unique(top, axis=0).mean(0), neck["anchor"], atol=1e-3)


def test_a_jpeg_texture_is_embedded_only_when_asked_for():
    files = saved(["glb", "obj"], jpeg=True)
    tree, _, images = glb_of(files["garment.glb"])
    assert tree["images"][0]["mimeType"] == "image/jpeg" and images[0] == files["garment.jpg"]
    assert b"map_Kd garment.jpg" in files["garment.mtl"]


def test_an_obj_of_a_name_in_any_script_finds_its_texture(tmp_path):
    for name, data in saved(["obj"], name="服_00001_").items():
        (tmp_path / name).write_bytes(data)
    assert trimesh.load(tmp_path / "服_00001_.obj").visual.material.image.size == (64, 64)


def test_the_texture_is_encoded_once_for_glb_and_obj():
    files = saved(["glb", "obj"])
    assert glb_of(files["garment.glb"])[2][0] == files["garment.png"]


def test_an_obj_is_one_piece_of_cloth_with_uvs_bottom_left(tmp_path):
    mesh = banded_tube()
    for name, data in saved(["obj"], mesh).items():
        (tmp_path / name).write_bytes(data)
    lines = (tmp_path / "garment.obj").read_text().splitlines()
    rows = {key: [line.split()[1:] for line in lines if line.split()[0] == key] for key in ("v", "vt", "vn", "f")}
    vertices, uv = np.array(rows["v"], float), np.array(rows["vt"], float)
    faces = np.array([[corner.split("/") for corner in face] for face in rows["f"]], int) - 1
    assert len(vertices) == len(weld(np.asarray(mesh.vertices)).first) < len(mesh.vertices) == len(uv)
    position, texture = faces[..., 0], faces[..., 1]
    joined = trimesh.Trimesh(vertices, position, process=False)
    assert joined.body_count == 1 and len(joined.outline().entities) == 2
    # The upper end has v = 1, the lower 0, and u runs with the angle: bottom-left origin, as OBJ has it.
    assert np.allclose(uv[texture][..., 1], vertices[position][..., 1] / 0.7, atol=1e-5)
    assert np.array_equal(texture, mesh.faces)
    loaded = trimesh.load(tmp_path / "garment.obj", process=False)
    assert np.array_equal(np.asarray(loaded.visual.material.image), np.asarray(mesh.visual.material.baseColorTexture))
    assert loaded.area == pytest.approx(mesh.area * (0.7 / HEIGHT) ** 2, rel=1e-5)


def test_a_ply_carries_the_pictures_colours(tmp_path):
    (tmp_path / "garment.ply").write_bytes(saved(["ply"])["garment.ply"])
    loaded = trimesh.load(tmp_path / "garment.ply", process=False)
    colours = loaded.visual.vertex_colors[:, :3]
    assert (colours[loaded.vertices[:, 1] > 0.6] == (255, 0, 0)).all()
    below = loaded.vertices[:, 1] < 0.4
    assert (colours[below & (loaded.vertices[:, 0] > 0.05)] == (0, 0, 255)).all()
    assert loaded.extents[1] == pytest.approx(0.7, abs=1e-6)


def test_an_stl_has_the_tubes_area_and_length(tmp_path):
    (tmp_path / "garment.stl").write_bytes(saved(["stl"])["garment.stl"])
    loaded = trimesh.load(tmp_path / "garment.stl")
    around = 96
    polygon_m = 2 * around * RADIUS * np.sin(np.pi / around) * 0.7 / HEIGHT
    assert loaded.area == pytest.approx(polygon_m * 0.7, rel=1e-4)
    assert loaded.extents[1] == pytest.approx(0.7, abs=1e-6)


def test_a_closed_mesh_without_texture_or_with_vertex_colours_can_be_saved():
    tree, arrays, images = glb_of(saved(FORMATS, sphere())["garment.glb"])
    assert not images and "TEXCOORD_0" not in arrays and "baseColorTexture" not in str(tree["materials"])
    _, arrays, _ = glb_of(saved(["glb", "ply"], cube())["garment.glb"])
    assert {tuple(c) for c in (arrays["COLOR_0"][:, :3] // 257).tolist()} == {
        (255, 0, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (0, 0, 255), (255, 255, 0),
    }  # fmt: skip


def test_saving_leaves_the_mesh_as_it_was():
    mesh = banded_tube()
    before = (mesh.vertices.tobytes(), mesh.faces.tobytes(), np.asarray(mesh.visual.uv).tobytes())
    saved(FORMATS, mesh)
    assert before == (mesh.vertices.tobytes(), mesh.faces.tobytes(), np.asarray(mesh.visual.uv).tobytes())
    assert isinstance(mesh.visual, TextureVisuals) and not mesh.vertex_attributes


def test_smooth_normals_of_a_sphere_point_away_from_its_centre_and_lost_vertices_up_front():
    ball = sphere(0.4)
    unit = ball.vertices / np.linalg.norm(ball.vertices, axis=1, keepdims=True)
    one = weld(np.asarray(ball.vertices))
    normals = smooth_normals(ball.vertices[one.first], one.of[ball.faces])
    assert (np.einsum("ij,ij->i", normals, unit[one.first]) > 0.999).all()
    lonely = smooth_normals(np.zeros((4, 3)), np.array([[0, 1, 2]]))
    assert np.array_equal(lonely, np.tile((0.0, 0.0, 1.0), (4, 1)))


@pytest.mark.parametrize(
    ("name", "length"), [("tee", 70), ("dress", 110), ("trousers", 105), ("skirt", 60), ("top", 60)]
)
def test_every_class_has_its_usual_length(name, length):
    assert class_length_cm(name) == length


def test_placement_and_its_matrix_agree():
    points = np.random.default_rng(0).normal(size=(50, 3))
    placed = placement(points, 123)
    homogeneous = np.c_[points, np.ones(50)] @ placed.matrix().T
    assert np.allclose(homogeneous[:, :3], placed.points(points))
    assert np.allclose(np.ptp(placed.points(points)[:, 1]), 1.23)


@pytest.mark.parametrize("facing", ["+Z", "-Z"])
@pytest.mark.parametrize("origin", ["floor", "centre"])
def test_a_placement_turns_about_y_and_puts_the_origin_where_it_is_asked_to(facing, origin):
    points = np.random.default_rng(1).normal(size=(50, 3))
    placed = placement(points, 80, facing, origin)
    got, sign = placed.points(points), 1 if facing == "+Z" else -1
    low, high = got.min(0), got.max(0)
    assert np.allclose((low + high)[[0, 2]], 0) and high[1] - low[1] == pytest.approx(0.8)
    assert low[1] == pytest.approx(0 if origin == "floor" else -0.4)
    assert np.allclose(got - got[0], (points - points[0]) * placed.scale * (sign, 1, sign))
    assert np.allclose((np.c_[points, np.ones(50)] @ placed.matrix().T)[:, :3], got)
    assert np.linalg.det(placed.matrix()[:3, :3]) > 0 and f"front {facing}" in placed.frame


def test_a_normal_map_lies_beside_an_obj_and_in_a_glb_with_its_tangents():
    mesh = banded_tube()
    bumps = np.random.default_rng(2).integers(100, 156, (64, 64, 3), np.uint8)
    mesh.visual.material.normalTexture = Image.fromarray(bumps)
    files = saved(["glb", "obj"], mesh, jpeg=True, at=placement(np.asarray(mesh.vertices), 70, "-Z"))
    assert (
        b"norm garment_normal.png" in files["garment.mtl"] and b"map_Bump -bm 1 garment_normal" in files["garment.mtl"]
    )
    tree, arrays, images = glb_of(files["garment.glb"])
    assert images == [files["garment.jpg"], files["garment_normal.png"]]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(images[1]))), bumps)
    assert tree["materials"][0]["normalTexture"]["index"] == 1
    # u grows with the angle from -Z over +X; turned, the tube's tangent at its side +X runs along -Z again.
    tangent, normal = arrays["TANGENT"], arrays["NORMAL"]
    away = np.asarray(mesh.vertices) * (-1, 0, -1) / RADIUS
    inner = (np.asarray(mesh.visual.uv)[:, 0] > 0) & (np.asarray(mesh.visual.uv)[:, 0] < 1)
    assert np.allclose(normal, away, atol=1e-5)
    assert np.allclose(tangent[inner, :3], np.stack([away[:, 2], 0 * away[:, 1], -away[:, 0]], 1)[inner], atol=1e-5)
    assert (tangent[:, 3] == 1).all()
    plain = banded_tube()
    assert "TANGENT" not in glb_of(saved(["glb"], plain)["garment.glb"])[1]


def test_more_can_be_said_in_a_glbs_node():
    tree = glb_of(saved(["glb"], extras={"platform": "vrm"})["garment.glb"])[0]
    assert tree["nodes"][0]["extras"]["platform"] == "vrm" and tree["nodes"][0]["extras"]["garment_class"] == "tee"


def test_meshes_that_cannot_be_saved_say_so_in_one_sentence():
    empty = trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), int), process=False)
    broken = tube()
    broken = trimesh.Trimesh(np.where(np.arange(len(broken.vertices))[:, None] == 3, np.nan, broken.vertices),
                             broken.faces, process=False)  # fmt: skip
    flat = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 2]], process=False)
    for mesh in (empty, broken, flat):
        with pytest.raises(MeshError, match=r"^[A-Z].*\.$"):
            mesh_files(mesh)
    with pytest.raises(MeshError, match="usdz"):
        mesh_files(tube(), formats=["usdz"])
    with pytest.raises(MeshError, match="0 faces"):
        parts(trimesh.Trimesh([[0, 0, 0], [1, 1, 1.0]], np.zeros((0, 3), int), process=False))
