"""Each camera format, read by its own documented arithmetic, lands on what the saved pictures show."""

import json
import math
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from garment3d.camera import orbit, photo_camera
from garment3d.data import Opening, Orbit
from garment3d.errors import MeshError, ViewsError
from garment3d.export.cameras import placed_c2w
from garment3d.export.colmap import colmap_files
from garment3d.export.gltf_cameras import with_cameras
from garment3d.export.load3d import load3d_camera
from garment3d.export.mesh import mesh_files
from garment3d.export.nerf import synthetic_files, transforms_json
from tests.camera_markers import (
    CROPPED,
    FLAT,
    ORBITS,
    PLACES,
    Colmap,
    balls,
    data_set,
    metres,
    shifted,
)
from tests.solids import tube
from tests.test_export_gltf import validate

TURNED = np.array([[-2.0, 0, 0, 0.1], [0, 2.0, 0, 1.1], [0, 0, -2.0, -0.4], [0, 0, 0, 1]])
"""Front to -Z, as some platforms want it."""


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A whole data set of the balls per orbit, and the dots found in its pictures."""
    return {name: data_set(name, tmp_path_factory.mktemp("set")) for name in (*ORBITS, "cropped", "flat")}


def worst(found, pixels):
    """The largest miss in pixels; `pixels` gives those of [8,3] metres in a view."""
    places = metres(PLACES)
    return max(np.abs(pixels(dot.view, places)[dot.ball] - dot.xy_px).max() for dot in found)


# Readers, each by its tool's own documents.


def instant_ngp(folder, images):
    """nerf_matrix_to_ngp and pos_to_uv (include/neural-graphics-primitives/nerf_loader.h, common_device.cuh)."""
    meta = json.loads((folder / "transforms.json").read_text())
    frames = {frame["file_path"]: frame for frame in meta["frames"]}

    def to_cube(points):
        return np.roll(points * meta["scale"] + meta["offset"], -1, -1)  # x, y, z become y, z, x

    def pixels(view, points):
        frame = {**meta, **frames[images[view]]}
        c2w = np.array(frame["transform_matrix"])
        axes = np.roll(c2w[:3, :3] * [1, -1, -1], -1, 0)
        ray = (to_cube(points) - to_cube(c2w[:3, 3])) @ np.linalg.inv(axes).T
        wh = np.array([frame["w"], frame["h"]])
        uv = ray[:, :2] / ray[:, 2:] * [frame["fl_x"], frame["fl_y"]] / wh + np.array([frame["cx"], frame["cy"]]) / wh
        return uv * wh

    return pixels


def nerfstudio(folder, images):
    """Pixels' rays (cameras.py, generate_rays): ((x + 0.5 - cx) / fx, -(y + 0.5 - cy) / fy, -1), turned by c2w."""
    meta = json.loads((folder / "transforms.json").read_text())
    frames = {frame["file_path"]: frame for frame in meta["frames"]}
    assert meta["camera_model"] == "OPENCV" and not any(meta.get(k) for k in ("k1", "k2", "p1", "p2"))

    def pixels(view, points):
        frame = {**meta, **frames[images[view]]}
        c2w = np.array(frame["transform_matrix"])
        local = (points - c2w[:3, 3]) @ c2w[:3, :3]
        along = local / -local[:, 2:]
        return np.stack([frame["cx"] + frame["fl_x"] * along[:, 0], frame["cy"] - frame["fl_y"] * along[:, 1]], 1)

    return pixels


def synthetic(folder, images):
    """focal = width / 2 / tan(camera_angle_x / 2), suffix added, the middle of the picture (dataset_readers.py)."""
    metas = [json.loads((folder / f"transforms_{split}.json").read_text()) for split in ("train", "test", "val")]
    frames = {f"{frame['file_path'][2:]}.png": frame for meta in metas for frame in meta["frames"]}
    assert set(frames) == set(images)

    def pixels(view, points):
        c2w = np.array(frames[images[view]]["transform_matrix"])
        size = metas[0]["w"], metas[0]["h"]
        focal = size[0] / 2 / math.tan(metas[0]["camera_angle_x"] / 2)
        local = (points - c2w[:3, 3]) @ c2w[:3, :3]
        return np.array(size) / 2 + focal * local[:, :2] * [1, -1] / -local[:, 2:]

    return pixels


def colmap(folder, images):
    model = Colmap(folder)
    assert [f"images/{line[9]}" for line in model.images] == images
    return model.pixels


def gltf(folder, images):
    """Node transform and projection matrices as the glTF 2.0 specification (5.12, 5.14, 3.10) writes them."""
    tree = chunks((folder / "garment.glb").read_bytes())[0]
    nodes = {node["extras"]["picture"]: node for node in tree["nodes"] if "camera" in node}

    def pixels(view, points):
        node = nodes[images[view]]
        lens = tree["cameras"][node["camera"]]
        assert node["name"] == lens["name"] == named(images[view])
        turn = Rotation.from_quat(node["rotation"]).as_matrix()
        local = (points - node["translation"]) @ turn
        if lens["type"] == "orthographic":
            flat = local[:, :2] / [lens["orthographic"]["xmag"], lens["orthographic"]["ymag"]]
        else:
            flat = local[:, :2] / -local[:, 2:] / math.tan(lens["perspective"]["yfov"] / 2)
            flat[:, 0] /= lens["perspective"]["aspectRatio"]
        x, y, width, height = node["extras"]["picture_box_px"]
        frame = np.array(node["extras"]["frame_wh_px"])
        if lens["type"] == "perspective":
            assert math.isclose(lens["perspective"]["aspectRatio"], frame[0] / frame[1])
        assert x + width <= frame[0] and y + height <= frame[1]
        return (flat * [1, -1] + 1) / 2 * frame - [x, y]

    return pixels


def named(file):
    return "view_" + file.split("/")[1][:-4].replace(".", "_")


def chunks(glb):
    """The JSON tree of a GLB and the bytes of its binary chunk."""
    length = struct.unpack_from("<I", glb, 12)[0]
    assert struct.unpack_from("<I", glb, 8)[0] == len(glb)
    return json.loads(glb[20 : 20 + length]), glb[20 + length :]


READERS = [(name, reader) for name in ORBITS for reader in (instant_ngp, nerfstudio, synthetic, colmap, gltf)]
READERS += [("cropped", reader) for reader in (instant_ngp, nerfstudio, colmap, gltf)] + [("flat", gltf)]


@pytest.mark.parametrize(("name", "reader"), READERS, ids=lambda value: getattr(value, "__name__", value))
def test_dots_in_the_saved_pictures_are_where_the_format_says(sets, name, reader):
    folder, images, found = sets[name]
    # A glTF frame of whole pixels may be a quarter of one off where the principal point is not in the middle.
    assert worst(found, reader(folder, images)) < (0.4 if (name, reader) == ("cropped", gltf) else 0.2)


def test_a_camera_that_is_off_would_be_noticed(sets):
    """The check itself: half a degree, and pixels counted from their centres."""
    folder, images, found = sets["zero123"]
    right = nerfstudio(folder, images)
    assert worst(found, lambda view, points: right(view, points) - 0.5) > 0.4
    turn = Rotation.from_rotvec([0, np.radians(0.5), 0]).as_matrix()
    assert worst(found, lambda view, points: right(view, points @ turn)) > 1


def test_a_turned_frame_turns_cameras_and_points_alike():
    """Metres of a platform that wants the front at -Z: the same pixels, whatever the frame."""
    around = orbit(azimuths_deg=(20.0, 250.0), elevation_deg=10.0)
    points = PLACES @ TURNED[:3, :3].T + TURNED[:3, 3]
    meta = json.loads(transforms_json(around, ("a.png", "b.png"), TURNED))
    straight = json.loads(transforms_json(around, ("a.png", "b.png"), np.eye(4)))
    for turned, plain in zip(meta["frames"], straight["frames"], strict=True):
        a, b = (np.linalg.inv(np.array(f["transform_matrix"])) for f in (turned, plain))
        there, here = points @ a[:3, :3].T + a[:3, 3], PLACES @ b[:3, :3].T + b[:3, 3]
        assert np.allclose(there, 2 * here, atol=1e-6)
    assert meta["up"] == [0, 1, 0]
    cube = points * meta["scale"] + meta["offset"]
    assert cube.min() > 0 and cube.max() < 1 and np.allclose(np.ptp(cube, 0), 0.8 * np.ptp(PLACES, 0))


def test_a_frame_that_mirrors_or_stretches_is_refused():
    camera = orbit().cameras[0]
    for matrix in (np.diag([-1.0, 1, 1, 1]), np.diag([1.0, 2, 1, 1])):
        with pytest.raises(ViewsError, match="mirrors or stretches"):
            placed_c2w(camera, matrix)


def test_lenses_are_written_once_where_all_are_the_same_and_per_frame_where_not():
    one = orbit(180.0)
    both = one._replace(cameras=(one.cameras[0], orbit(180.0, fov_deg=30.0, hw=(300, 400)).cameras[1]))
    alike = json.loads(transforms_json(one, ("a.png", "b.png"), np.eye(4)))
    apart = json.loads(transforms_json(both, ("a.png", "b.png"), np.eye(4)))
    assert "fl_x" in alike and "fl_x" not in alike["frames"][0]
    assert "fl_x" not in apart and [frame["w"] for frame in apart["frames"]] == [512, 400]
    cameras = colmap_files(both, ("a.png", "b.png"), np.eye(4))[0].data.decode().split("\n")
    assert [line[:9] for line in cameras[1:-1]] == ["1 PINHOLE", "2 PINHOLE"]
    with pytest.raises(ViewsError, match="different lenses"):
        synthetic_files(both, ("a.png", "b.png"), np.eye(4))
    with pytest.raises(ViewsError, match="principal point"):
        synthetic_files(CROPPED, ["x.png"] * len(CROPPED.cameras), np.eye(4))


def test_few_views_are_trained_and_tested_on_alike_and_the_photos_side_is_never_held_out():
    few = [json.loads(file.data)["frames"] for file in synthetic_files(orbit(120.0), ("a.p", "b.p", "c.p"), np.eye(4))]
    assert [len(part) for part in few] == [3, 3, 3]
    names = [f"{i}.png" for i in range(18)]
    train, val, test = (json.loads(file.data)["frames"] for file in synthetic_files(orbit(20.0), names, np.eye(4)))
    assert len(train) == 16 and val == test and [f["file_path"] for f in test] == ["./4", "./12"]


# glTF.


def test_only_cameras_are_added_to_the_glb_and_the_validator_finds_nothing():
    openings = [Opening("neck", (0.0, 0.4, 0.0))]
    plain = mesh_files(tube(), openings, 70, ["glb"], "tee")[0].data
    around = Orbit(ORBITS["zero123"].cameras[:2] + FLAT.cameras[:1], (0.0, 60.0, 0.0), 0.0, 1.4)
    made = with_cameras(plain, around, ("views/000.png", "views/060.png", "photo.png"), np.eye(4))
    before, bytes_before = chunks(plain)
    after, bytes_after = chunks(made)
    assert bytes_after == bytes_before
    cameras, nodes = after.pop("cameras"), after["nodes"][len(before["nodes"]) :]
    assert [c["type"] for c in cameras] == ["perspective", "perspective", "orthographic"]
    assert [n["name"] for n in nodes] == ["view_000", "view_060", "view_photo"]
    assert nodes[1]["extras"]["picture"] == "views/060.png" and nodes[1]["extras"]["azimuth_deg"] == 60
    after["nodes"], after["scenes"][0]["nodes"] = before["nodes"], before["scenes"][0]["nodes"]
    assert after == before
    twice = with_cameras(made, around, ("a.png", "b.png", "c.png"), np.eye(4))
    assert len(chunks(twice)[0]["cameras"]) == 6
    assert [report["issues"]["messages"] for report in validate(made, twice)] == [[], []]


@pytest.mark.parametrize(("data", "told"), [(b"solid", "not a GLB"), (b"x" * 40, "not a GLB"), (None, "cut off")])
def test_what_is_no_glb_is_refused(data, told):
    plain = mesh_files(tube(), (), 70, ["glb"])[0].data
    with pytest.raises(MeshError, match=told):
        with_cameras(plain[:200] if data is None else data, orbit(), [], np.eye(4))


# ComfyUI's camera.


def three_js(info, points, hw):
    """Pixels by three.js: lookAt with +Y up, PerspectiveCamera(fov, aspect), OrthographicCamera(frustum)."""
    eye, target = (np.array([info[key][axis] for axis in "xyz"]) for key in ("position", "target"))
    backward = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 1, 0], backward)
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(backward, right), backward], 1)
    said = Rotation.from_quat([info["quaternion"][axis] for axis in "xyzw"]).as_matrix()
    assert np.allclose(turn, said, atol=1e-9)
    local = (points - eye) @ turn
    if info["cameraType"] == "perspective":
        flat = local[:, :2] / -local[:, 2:] / math.tan(math.radians(info["fov"]) / 2) * info["zoom"]
        flat[:, 0] /= info["aspect"]
        return (flat * [1, -1] + 1) / 2 * [hw[1], hw[0]]
    box = info["frustum"]
    x = (local[:, 0] - box["left"]) / (box["right"] - box["left"])
    y = (box["top"] - local[:, 1]) / (box["top"] - box["bottom"])
    return np.stack([x * hw[1], y * hw[0]], 1)


@pytest.mark.parametrize("name", [*ORBITS, "flat"])
def test_three_js_sees_the_dots_where_they_are(sets, name):
    around = {**ORBITS, "flat": FLAT}[name]
    for dot in sets[name][2]:
        camera = around.cameras[dot.view]
        for target in ((0.0, 0.0, 0.0), (0.1, 0.05, -0.2)):
            pixels = three_js(load3d_camera(camera, target), PLACES, camera.hw)
            assert np.abs(pixels[dot.ball] - dot.xy_px).max() < 0.2


def test_an_orthographic_camera_has_render_splats_scale_at_the_target():
    """Its pixels per unit: shorter side / 2 / tan(fov / 2) / distance (nodes_gaussian_splat.py)."""
    mask = np.zeros((90, 160), np.float32)
    mask[10:80, 45:115] = 1
    camera = photo_camera(mask)
    info = load3d_camera(camera)
    assert math.isclose(45 / math.tan(math.radians(info["fov"]) / 2) / info["position"]["z"], camera.focal_px)


def test_what_comfyui_cannot_show_is_refused():
    with pytest.raises(ViewsError, match="principal point"):
        load3d_camera(CROPPED.cameras[0])
    with pytest.raises(ViewsError, match="behind the camera"):
        load3d_camera(orbit().cameras[0], (0, 0, 5))


def test_an_off_centre_picture_lies_whole_in_its_straight_frame():
    glb = mesh_files(balls(), (), 70, ["glb"])[0].data
    for x, y in ((-30.0, 0.0), (30.0, 12.0), (0.0, -0.25)):
        around = shifted(orbit(180.0, hw=(100, 120)), x, y)
        extras = chunks(with_cameras(glb, around, ("a.png", "b.png"), np.eye(4)))[0]["nodes"][-1]["extras"]
        left, top, *size = extras["picture_box_px"]
        wh = np.array(extras["frame_wh_px"])
        assert size == [120, 100] and (wh >= np.add([left, top], size)).all() and min(left, top) >= 0
        assert np.abs(wh / 2 - [left, top] - around.cameras[0].center_px).max() <= 0.25
