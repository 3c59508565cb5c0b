"""Two bundled garments made ready for every platform: load, size, facing, texture, and what other programs read."""

import io
import json
import shutil
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d.errors import MeshError
from garment3d.export.platform import platform_files
from garment3d.garment.loops import openings
from garment3d.garment.openings import find_openings
from garment3d.garment.platforms import PLATFORMS, platform
from garment3d.garment.prepare import prepare
from garment3d.garment.shell import garment_shell
from garment3d.garment.texture import texture_garment
from garment3d.garment.texture.padding import covered_texels
from garment3d.images import read_photo
from garment3d.mask.quick import quick_mask
from garment3d.meshes import read_mesh
from tests.solids import cube, textured, tube
from tests.test_export_gltf import validate
from tests.test_export_mesh import glb_of

INPUTS = Path(__file__).parents[1] / "workflows" / "inputs"
LENGTH_CM = {"tshirt": 68.0, "skirt": 55.0}
FEWER = {"unity": 2_000, "unreal": 1_500, "vrm0": 2_000}
"""Than the platform allows, so that something is taken from garments as light as these."""
OPEN_IN_BLENDER = """
import json, sys, bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
# SMOOTH: Debian's Blender 3.4 reads normals with a name that its NumPy 1.24 has no longer.
bpy.ops.import_scene.gltf(filepath=sys.argv[-2], import_shading="SMOOTH")
mesh = [o for o in bpy.data.objects if o.type == "MESH"]
assert len(mesh) == 1, mesh
corners = [mesh[0].matrix_world @ v.co for v in mesh[0].data.vertices]
material = mesh[0].data.materials[0]
nodes = [n.type for n in material.node_tree.nodes]
json.dump({
    "low": [min(c[i] for c in corners) for i in range(3)], "high": [max(c[i] for c in corners) for i in range(3)],
    "triangles": len(mesh[0].data.polygons), "nodes": nodes, "materials": len(mesh[0].data.materials),
    "images": [list(i.size) for i in bpy.data.images if i.users and i.size[0]],
}, open(sys.argv[-1], "w"))
"""


@cache
def photographed(name):
    """[H,W,3] uint8 and [H,W] soft mask of a bundled photo."""
    rgb = read_photo(INPUTS / f"{name}.jpg").rgb
    return rgb, quick_mask(rgb).soft


@pytest.fixture(scope="module")
def garments():
    """Canonical textured shells and their openings, by name."""
    made = {}
    for name in LENGTH_CM:
        rgb, soft = photographed(name)
        shell = garment_shell(soft, rgb, find_openings(soft).spans, 4_000)
        mesh = texture_garment(shell, rgb, soft, size=512).mesh
        made[name] = mesh, openings(mesh)
    return made


@pytest.fixture(scope="module")
def made(garments):
    """PreparedGarment and files of every platform, by garment and platform; made when first asked for."""
    done = {}

    def get(name, id):
        if (name, id) not in done:
            mesh, named = garments[name]
            ready = prepare(mesh, platform(id), LENGTH_CM[name], triangles=FEWER.get(id, 0))
            files = {f.name: f.data for f in platform_files(ready, named, LENGTH_CM[name], "tee", name)}
            done[name, id] = ready, files
        return done[name, id]

    return get


both = pytest.mark.parametrize("name", list(LENGTH_CM))
every = pytest.mark.parametrize("id", list(PLATFORMS))


@both
def test_khronos_validator_finds_nothing_in_any_platforms_file(made, name):
    files = {(id, key): data for id in PLATFORMS for key, data in made(name, id)[1].items() if key.endswith(".glb")}
    assert len(files) == len(PLATFORMS) + 4
    for (id, key), report in zip(files, validate(*files.values()), strict=True):
        issues = report["issues"]
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), (id, key, issues["messages"])


@both
@every
def test_every_glb_is_within_its_table_and_of_the_right_size(made, tmp_path, name, id):
    ready, files = made(name, id)
    row, data = platform(id), files[f"{name}.glb"]
    assert ready.checks.met and len(ready.mesh.faces) <= row.triangles and not ready.warnings, ready.warnings
    tree, arrays, images = glb_of(data)
    sides = [Image.open(io.BytesIO(image)).size for image in images]
    assert len(tree["materials"]) == 1 and sides and all(max(side) <= row.texture_px for side in sides)
    low, high = arrays["POSITION"].min(0), arrays["POSITION"].max(0)
    assert high[1] - low[1] == pytest.approx(LENGTH_CM[name] / 100, abs=1e-3) and low[1] == pytest.approx(0, abs=1e-6)
    assert np.abs((low + high)[[0, 2]]).max() < 1e-5
    (tmp_path / "back.glb").write_bytes(data)
    assert np.allclose(np.ptp(read_mesh(tmp_path / "back.glb").mesh.vertices, axis=0), high - low, atol=1e-6)
    extras = tree["nodes"][0]["extras"]
    assert extras["platform"] == id and extras["length_cm"] == LENGTH_CM[name]
    assert f"front {row.facing}" in extras["frame"] and extras["load"]["triangles"] == len(ready.mesh.faces)
    assert extras["budget"]["garment_triangles"] == row.triangles


@both
@every
def test_the_photos_print_is_on_the_side_the_front_faces(made, name, id):
    """The atlas' colours on faces that look ahead are those of the canonical garment's +Z side, left and right kept."""
    _, files = made(name, id)
    sign = 1 if platform(id).facing == "+Z" else -1
    _, arrays, images = glb_of(files[f"{name}.glb"])
    pixels = np.asarray(Image.open(io.BytesIO(images[0])).convert("RGB")).astype(float)
    points, faces = arrays["POSITION"][:, :3] * (sign, 1, sign), arrays["faces"]
    normal = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
    uv = arrays["TEXCOORD_0"][faces].mean(1)
    columns, rows = np.clip(uv * len(pixels), 0, len(pixels) - 1).astype(int).T
    outer = np.arange(len(faces)) < len(faces) * (0.4 if PLATFORMS[id].thickness_mm else 1)  # of two, it comes first
    front = (normal[:, 2] > 0.7 * np.linalg.norm(normal, axis=1)) & outer
    rgb, soft = photographed(name)
    ys, xs = np.nonzero(soft >= 0.5)
    high = points[:, 1].max()
    scale = (ys.max() + 1 - ys.min()) / high
    at = points[faces].mean(1)[front]
    x = np.clip((xs.min() + xs.max() + 1) / 2 + at[:, 0] * scale, 0, soft.shape[1] - 1).astype(int)
    y = np.clip(ys.max() - at[:, 1] * scale, 0, soft.shape[0] - 1).astype(int)
    seen = rgb[y, x].astype(float)
    ours = pixels[rows, columns][front]
    off = np.median(np.abs(ours - seen).mean(1))
    assert front.sum() > 100 and off < {"tshirt": 6, "skirt": 20}[name], off
    if name == "tshirt":  # its orange sun is on one side only
        orange = np.abs(pixels[rows, columns] - (240, 139, 75)).max(1) < 40
        behind = (normal[:, 2] < 0) & outer
        assert orange[front].mean() > 0.01 and not orange[behind].any()


@both
def test_openings_follow_the_facing(made, garments, name):
    ahead, turned = (glb_of(made(name, id)[1][f"{name}.glb"])[0] for id in ("vrm", "vrm0"))
    here, there = (
        {o["name"]: np.array(o["anchor"]) for o in t["nodes"][0]["extras"]["openings"]} for t in (ahead, turned)
    )
    assert set(here) == {o.name for o in garments[name][1]} == set(there) and len(here) >= 2
    for opening, anchor in here.items():
        assert np.allclose(there[opening], anchor * (-1, 1, -1), atol=1e-4)


def test_a_normal_map_rides_with_unit_tangents_square_to_the_normals(made):
    for id in ("vrchat-mobile-good", "vrm0"):
        ready, files = made("tshirt", id)
        tree, arrays, images = glb_of(files["tshirt.glb"])
        assert tree["materials"][0]["normalTexture"]["index"] == 1 and len(images) == 2
        tangent, normal = arrays["TANGENT"], arrays["NORMAL"]
        assert np.allclose(np.linalg.norm(tangent[:, :3], axis=1), 1, atol=1e-5)
        assert np.abs((tangent[:, :3] * normal).sum(1)).max() < 1e-4 and set(np.unique(tangent[:, 3])) <= {-1.0, 1.0}
        assert np.array_equal(
            np.asarray(Image.open(io.BytesIO(images[1]))), np.asarray(ready.mesh.visual.material.normalTexture)
        )
    assert "TANGENT" not in glb_of(made("tshirt", "blender")[1]["tshirt.glb"])[1]


def test_levels_are_lighter_stand_in_the_same_place_and_share_the_atlas(made):
    ready, files = made("skirt", "unity")
    assert sorted(files) == ["skirt.glb", "skirt_LOD1.glb", "skirt_LOD2.glb"]
    counts = [len(m.faces) for m in (ready.mesh, *ready.levels)]
    assert counts[0] <= 2_000 and all(0.3 < b / a <= 0.5 for a, b in pairwise(counts))
    (tree, first, images), *rest = (glb_of(files[key]) for key in sorted(files))
    for lighter, arrays, pictures in rest:
        assert (
            pictures == images
            and np.abs(np.ptp(arrays["POSITION"], axis=0) - np.ptp(first["POSITION"], axis=0)).max() < 0.01
        )
        assert lighter["nodes"][0]["extras"]["level"] > tree["nodes"][0]["extras"]["level"]


def test_a_print_is_closed_in_millimetres_with_z_up_and_its_front_to_minus_y(made, tmp_path):
    ready, files = made("tshirt", "print")
    (tmp_path / "a.stl").write_bytes(files["tshirt.stl"])
    solid = trimesh.load(tmp_path / "a.stl")
    assert solid.is_watertight and solid.bounds[0, 2] == pytest.approx(0, abs=1e-3)
    assert np.ptp(solid.vertices[:, 2]) == pytest.approx(680, abs=1)
    glb = glb_of(files["tshirt.glb"])[1]["POSITION"]
    assert np.allclose(solid.bounds[0], (glb[:, 0].min() * 1000, -glb[:, 2].max() * 1000, 0), atol=0.01)
    assert np.allclose(np.ptp(glb, axis=0)[[0, 2, 1]] * 1000, np.ptp(solid.vertices, axis=0), atol=0.01)
    # Walls of two millimetres where there is room: the solid's volume over the cloth's area.
    outer = ready.mesh.area / 2 * (0.68 / np.ptp(ready.mesh.vertices[:, 1])) ** 2 * 1e6
    assert 1.2 < solid.volume / outer < 2.1


def test_a_smaller_atlas_is_the_larger_one_averaged_and_no_gutter_shows_in_its_mip_levels(garments):
    mesh, _ = garments["tshirt"]
    small = prepare(mesh, platform("vrm"), 68, texture_px=128).mesh.visual.material.baseColorTexture
    big = np.asarray(mesh.visual.material.baseColorTexture).astype(float)
    assert small.size == (128, 128)
    whole = big.reshape(128, 4, 128, 4, 3).mean((1, 3))
    uv, faces = np.asarray(mesh.visual.uv), np.asarray(mesh.faces)
    middle = uv[faces].mean(1)
    rows, columns = ((1 - middle[:, 1]) * 128).astype(int), (middle[:, 0] * 128).astype(int)
    assert np.median(np.abs(np.asarray(small)[rows, columns] - whole[rows, columns])) < 1
    # A red gutter in the source must not come through, however small the picture gets.
    red = trimesh.Trimesh(mesh.vertices, mesh.faces, visual=mesh.visual.copy(), process=False)
    painted = np.where(covered_texels(uv, faces, 512)[..., None], (20, 120, 40), (255, 0, 0)).astype(np.uint8)
    red.visual.material.baseColorTexture = Image.fromarray(painted)
    for px in (256, 64, 16):
        got = np.asarray(prepare(red, platform("vrm"), 68, texture_px=px).mesh.visual.material.baseColorTexture)
        assert np.array_equal(np.unique(got.reshape(-1, 3), axis=0), [[20, 120, 40]])


def test_what_is_light_enough_keeps_its_triangles_and_its_islands_and_gets_no_map(garments):
    mesh, _ = garments["tshirt"]
    ready = prepare(mesh, platform("vrchat-pc-good"), 68)
    assert len(ready.mesh.faces) == len(mesh.faces) and ready.mesh.visual.material.normalTexture is None
    before, after = (np.asarray(m.visual.material.baseColorTexture) for m in (mesh, ready.mesh))
    cloth = covered_texels(np.asarray(mesh.visual.uv), np.asarray(mesh.faces), len(before))
    assert np.array_equal(before[cloth], after[cloth]) and ready.mesh is not mesh


def test_a_detail_of_ones_own_makes_the_map():
    """A bump on the detail's front only: there the map leaves flat, on the back it stays."""
    plain, dense = tube(0.3, 0.8, 96, 24), tube(0.3, 0.8, 192, 96)
    mesh = textured(plain.vertices, plain.faces, plain.visual.uv, Image.new("RGB", (256, 256)))
    points = np.asarray(dense.vertices)
    bump = np.exp(-((points - (0, 0, 0.3)) ** 2).sum(1) / 0.05**2)
    dense.vertices = points * (1 + 0.04 * bump[:, None] * (1, 0, 1))
    picture = prepare(mesh, platform("vrm"), 70, detail=dense).mesh.visual.material.normalTexture
    away = np.abs(np.asarray(picture).astype(int) - (128, 128, 255)).max(2)
    assert picture.size == (256, 256) and away[100:156, 100:156].max() > 20 and away[:, :60].max() <= 2


def test_a_detail_that_lies_elsewhere_is_told_of_and_leaves_the_map_flat():
    plain = tube()
    mesh = textured(plain.vertices, plain.faces, plain.visual.uv, Image.new("RGB", (64, 64)))
    ready = prepare(mesh, platform("vrm"), 70, detail=tube(3, 8))
    assert "own frame" in ready.warnings[0] and "3.6 beside" in ready.warnings[0]
    assert (np.asarray(ready.mesh.visual.material.normalTexture) == (128, 128, 255)).all()


def test_more_than_the_share_is_made_when_asked_for_and_said(garments):
    mesh, _ = garments["tshirt"]
    ready = prepare(mesh, platform("vrchat-mobile-good"), 68, triangles=3_600)
    assert not ready.checks.met and "3,333" in ready.warnings[-1] and len(ready.mesh.faces) > 3_500


def test_meshes_without_texture_are_prepared_too():
    ready = prepare(cube(), platform("vrm"), 70)
    assert ready.mesh.visual.kind == "vertex" and "no texture" in ready.warnings[0]
    closed = prepare(cube(), platform("print"), 70)
    assert len(closed.mesh.faces) == 12 and "closed already" in closed.warnings[0]


def test_a_palette_keeps_its_colours(garments):
    """Each face takes one point of a picture of sixteen colours, between whose centres no triangle lies."""
    mesh, _ = garments["skirt"]
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
    corners, chosen = np.asarray(mesh.vertices)[mesh.faces].reshape(-1, 3), rng.integers(0, 4, (len(mesh.faces), 2))
    uv = np.repeat((chosen + 0.3) / 4, 3, 0)
    coloured = textured(corners, np.arange(len(corners)).reshape(-1, 3), uv, Image.fromarray(palette))
    ready = prepare(coloured, platform("vrchat-pc-good"), 55)
    np.testing.assert_array_equal(np.asarray(ready.mesh.visual.material.baseColorTexture), palette)


@pytest.mark.parametrize(("size", "side"), [((1, 1), 256), ((8, 8), 256), ((300, 100), 300)])
def test_cloth_of_one_colour_and_pictures_that_are_not_square_get_a_normal_map(garments, size, side):
    mesh, _ = garments["skirt"]
    plain = textured(mesh.vertices, mesh.faces, mesh.visual.uv, Image.new("RGB", size, (90, 20, 20)))
    ready = prepare(plain, platform("vrchat-mobile-excellent"), 55, triangles=900)
    maps = ready.mesh.visual.material
    assert maps.baseColorTexture.size == size and maps.normalTexture.size == (side, side)
    assert maps.baseColorTexture.getextrema() == ((90, 90), (20, 20), (20, 20)) and ready.checks.met
    assert np.ptp(np.asarray(maps.normalTexture)[..., 0].astype(int)) > 8


def test_progress_grows_to_a_hundred_and_the_mesh_stays_as_it_was(garments):
    mesh, _ = garments["skirt"]
    before = (
        mesh.vertices.tobytes(),
        mesh.faces.tobytes(),
        np.asarray(mesh.visual.material.baseColorTexture).tobytes(),
    )
    told = []
    prepare(mesh, platform("vrchat-mobile-excellent"), 55, progress=lambda done, total: told.append(done / total))
    assert told == sorted(told) and told[-1] == 1 and len(told) > 5
    assert before == (
        mesh.vertices.tobytes(),
        mesh.faces.tobytes(),
        np.asarray(mesh.visual.material.baseColorTexture).tobytes(),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length_cm": 0}, "0 cm"), ({"length_cm": float("nan")}, "nan cm"), ({"triangles": 2}, "2 triangles"),
        ({"texture_px": 4}, "4 pixels"), ({"texture_px": 100_000}, "16 to 8192"), ({"lods": 9}, "9 lighter levels"),
        ({"lods": -1}, "-1 lighter levels"),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_meant_are_answered_in_one_sentence(options, words):
    with pytest.raises(MeshError, match=r"^[A-Z0-9-][^.]*\.$") as told:
        prepare(tube(), platform("vrm"), **({"length_cm": 70} | options))
    assert words in str(told.value)


def test_meshes_that_cannot_be_prepared_say_so():
    flat = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 2]], process=False)
    empty = trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), int), process=False)
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    for mesh in (flat, empty, sheet):
        with pytest.raises(MeshError, match="can't be prepared"):
            prepare(mesh, platform("vrm"), 70)


@pytest.mark.parametrize("id", ["vrchat-mobile-good", "vrm0", "print"])
def test_blender_opens_it_at_its_size_with_its_pictures(made, tmp_path, id):
    blender = shutil.which("blender")
    if blender is None:
        pytest.skip("blender is not installed")
    ready, files = made("tshirt", id)
    ask, glb, told = tmp_path / "ask.py", tmp_path / "a.glb", tmp_path / "told.json"
    ask.write_text(OPEN_IN_BLENDER)
    glb.write_bytes(files["tshirt.glb"])
    done = subprocess.run(
        [blender, "-b", "--factory-startup", "--python", str(ask), "--", str(glb), str(told)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if "No module named 'numpy'" in done.stdout + done.stderr:
        pytest.skip("this Blender has no numpy, which its glTF importer needs")
    assert told.exists(), done.stdout + done.stderr
    seen = json.loads(told.read_text())
    size = np.array(seen["high"]) - seen["low"]
    assert size[2] == pytest.approx(0.68, abs=1e-3) and seen["low"][2] == pytest.approx(0, abs=1e-4)
    assert seen["triangles"] == len(ready.mesh.faces) and seen["materials"] == 1
    assert len(seen["images"]) == (2 if platform(id).normal_map else 1)
    assert ("NORMAL_MAP" in seen["nodes"]) == platform(id).normal_map
