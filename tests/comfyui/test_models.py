"""The models in a running ComfyUI, with small random-weight files in the official formats: memory, cancel, errors."""

import json
import math
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.comfyui.harness import prompt
from tests.comfyui.test_nodes import MASK, PHOTO, SAVE, array, dumped, error_of
from tests.tiny.clothes import write_clothes
from tests.tiny.sam import tiny_sam

SAM = ("Garment3D_LoadSam", {"file": "sam_vit_h_4b8939.pth"})
CUT = ("Garment3D_SamMask", {"sam": ("sam", 0), "image": ("photo", 0), "prompt": "", "choice": "auto"})
PARSER = ("Garment3D_LoadClothes", {"file": "segformer_b2_clothes"})
PARSE = ("Garment3D_ClothesMask", {"clothes": ("parser", 0), "image": ("photo", 0), "garment": "largest"})
TRIPOSR = ("Garment3D_LoadTripoSR", {"file": "TripoSR/model.ckpt"})
SCENE = ("Garment3D_TripoSRScene", {"triposr": ("triposr", 0), "image": ("photo", 0), "mask": ("mask", 0),
                                    "ratio": 0.85})  # fmt: skip
MESH = ("Garment3D_TripoSRMesh", {"scene": ("scene", 0), "resolution": 64, "threshold": 25.0})
ZERO123 = ("Garment3D_LoadZero123", {"file": "zero123/zero123-xl.ckpt"})
VIEWS = ("Garment3D_Zero123Views", {"zero123": ("zero123", 0), "image": ("photo", 0), "mask": ("mask", 0),
                                    "step_deg": 180.0, "elevation_deg": 0.0, "steps": 2, "scheduler": "ddim",
                                    "guidance": 3.0, "seed": 1})  # fmt: skip
SURFACE = {"photo": PHOTO, "mask": MASK, "triposr": TRIPOSR, "scene": SCENE, "mesh": MESH}
ORBIT = {"photo": PHOTO, "mask": MASK, "zero123": ZERO123, "views": VIEWS}
LOADERS = {"Garment3D_LoadSam": "sam", "Garment3D_LoadClothes": "clothes", "Garment3D_LoadTripoSR": "triposr",
           "Garment3D_LoadZero123": "zero123"}  # fmt: skip


def changed(node, **inputs):
    return node[0], node[1] | inputs


def drop(source):
    return ("Probe_Hashes", {"value": source})


def free(server):
    """What is left when ComfyUI has let go; it looks at /free after a prompt, and may oversleep one that has none."""
    server.post("/free", {"unload_models": True, "free_memory": True})
    server.outputs(prompt(photo=PHOTO, drop=drop(("photo", 0))))
    for _ in range(30):
        state = server.get("/probe/state?collect")
        if not state["loaded"] and not state["alive"]:
            break
        time.sleep(0.1)
    return state


@pytest.fixture(scope="module")
def surface(server, tmp_path_factory):
    return dumped(server, tmp_path_factory.mktemp("surface"), SURFACE, ("mesh", 0), "Probe_DumpMesh")


def test_menus_show_what_is_there_first_and_downloads_last(server):
    expected = {"sam": SAM, "clothes": PARSER, "triposr": TRIPOSR, "zero123": ZERO123}
    for node_id, model in LOADERS.items():
        spec = server.get(f"/object_info/{node_id}")[node_id]["input"]["required"]["file"]
        options = spec[1]["options"] if "options" in spec[1] else spec[0]
        assert options[0] == spec[1]["default"] == expected[model][1]["file"]
        downloads = [o for o in options if o.startswith("download ")]
        assert downloads and options[-len(downloads) :] == downloads
        assert all("(" in d and ("MB" in d or "GB" in d) and "," in d for d in downloads), downloads
    zero123 = server.get("/object_info/Garment3D_LoadZero123")["Garment3D_LoadZero123"]["input"]["required"]["file"]
    (stable,) = [o for o in zero123[1]["options"] if o.startswith("download") and "stable" in o.lower() and
                 "123c" not in o.lower().replace(" ", "")]  # fmt: skip
    assert "commercial" in stable.lower()


def test_a_file_that_is_not_there_is_one_sentence(server):
    for name in ("gone.ckpt", "../../../etc/passwd"):
        graph = prompt(**(SURFACE | {"triposr": changed(TRIPOSR, file=name)}), drop=drop(("mesh", 0)))
        (fault,) = server.post("/prompt", {"prompt": graph})["node_errors"]["triposr"]["errors"]
        assert name in fault["details"] and "download" in fault["details"] and "models/" in fault["details"]


def test_a_workflow_from_another_computer_finds_the_file_by_its_name(server):
    graph = SURFACE | {"triposr": changed(TRIPOSR, file="elsewhere/model.ckpt")}
    assert server.run(prompt(**graph, drop=drop(("mesh", 0)))).status == "success"


def test_a_download_is_fetched_once_and_only_when_chosen(server, hub, tmp_path):
    menu = server.get("/object_info/Garment3D_LoadClothes")["Garment3D_LoadClothes"]["input"]["required"]["file"]
    entry = next(line for line in menu[1]["options"] if line.startswith("download Segformer B3 clothes"))
    write_clothes(tmp_path / "b3")
    for file in (tmp_path / "b3").iterdir():
        hub.files[f"/sayeed99/segformer_b3_clothes/resolve/main/{file.name}"] = file.read_bytes()
    assert hub.asked == []
    graph = {"photo": PHOTO, "parser": changed(PARSER, file=entry), "parse": PARSE}
    server.outputs(prompt(**graph, drop=drop(("parse", 0))))
    folder = server.base / "models" / "garment3d" / "segformer_b3_clothes"
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in (tmp_path / "b3").iterdir())
    asked = len(hub.asked)
    assert len(hub.gets()) == len(hub.files)
    free(server)
    server.outputs(prompt(**graph, drop=drop(("parse", 0))))
    assert len(hub.asked) == asked
    found = menu[1]["options"][0], "segformer_b3_clothes"
    menu = server.get("/object_info/Garment3D_LoadClothes")["Garment3D_LoadClothes"]["input"]["required"]["file"]
    assert tuple(menu[1]["options"][:2]) == found


def test_bad_files_are_one_sentence(server):
    folder = server.base / "models" / "garment3d"
    (folder / "page.ckpt").write_text("<!DOCTYPE html><html>Sign in</html>")
    whole = (folder / "TripoSR" / "model.ckpt").read_bytes()
    (folder / "half.ckpt").write_bytes(whole[: len(whole) // 2])
    (folder / "other.ckpt").write_bytes((server.base / "models" / "sams" / "sam_vit_h_4b8939.pth").read_bytes())
    for name, word in (("page.ckpt", "web page"), ("half.ckpt", "damaged"), ("other.ckpt", "SAM")):
        said = error_of(server, **(SURFACE | {"triposr": changed(TRIPOSR, file=name)}), drop=drop(("mesh", 0)))
        assert name in said and word in said
        (folder / name).unlink()


def test_a_changed_threshold_runs_the_extraction_alone(server, surface):
    for change in ({"threshold": 20.0}, {"resolution": 96}):
        run = server.run(prompt(**(SURFACE | {"mesh": changed(MESH, **change)}), drop=drop(("mesh", 0))))
        assert run.status == "success", run.error
        assert run.cached == {"photo", "mask", "triposr", "scene"}


def test_the_surface_is_closed_coloured_and_in_the_masks_frame(server, surface, tmp_path):
    vertices, faces, colours = surface["vertices"][0], surface["faces"][0], surface["vertex_colors"][0]
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight and mesh.volume > 0
    assert colours.dtype == np.float32 and colours.shape == vertices.shape and 0 <= colours.min() <= colours.max() <= 1
    assert not np.allclose(colours * 255, np.round(colours * 255))  # not by way of eight bits
    assert np.abs(vertices).max() < 0.75 and "uvs" not in surface
    save = changed(SAVE, mesh=("mesh", 0), garment_class="tee")
    (item,) = server.outputs(prompt(**SURFACE, save=save))["save"]["3d"]
    assert np.abs(glb_colours(server.output(item)) - colours).max() < 1e-4
    again = {"core": ("DecimateMesh", {"mesh": ("mesh", 0), "target_face_count": 500, "placement_mode": "midpoint"})}
    assert "vertex_colors" in dumped(server, tmp_path, SURFACE | again, ("core", 0), "Probe_DumpMesh")


def glb_colours(path):
    """[V,3] of a GLB whose colours have 16 bits."""
    data = path.read_bytes()
    end = 20 + int.from_bytes(data[12:16], "little")
    tree = json.loads(data[20:end])
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    assert accessor["componentType"] == 5123
    start = end + 8 + tree["bufferViews"][accessor["bufferView"]].get("byteOffset", 0)
    return np.frombuffer(data, "<u2", accessor["count"] * 4, start).reshape(-1, 4)[:, :3] / 65535


def test_turntable_and_no_surface(server, tmp_path):
    turn = ("Garment3D_TripoSRTurntable", {"scene": ("scene", 0), "step_deg": 120.0, "elevation_deg": 0.0, "size": 32})
    images = dumped(server, tmp_path, SURFACE | {"turn": turn}, ("turn", 1))
    masks = dumped(server, tmp_path, SURFACE | {"turn": turn}, ("turn", 2))
    assert images.shape == (3, 32, 32, 3) and masks.shape == (3, 32, 32) and masks.max() > 0.5
    said = error_of(server, **(SURFACE | {"mesh": changed(MESH, threshold=99999.0)}), drop=drop(("mesh", 0)))
    assert "99999" in said and "try" in said


def test_the_first_view_is_the_photo_and_the_seed_decides(server, tmp_path):
    first = dumped(server, tmp_path, ORBIT, ("views", 1))
    alone = dumped(server, tmp_path, ORBIT | {"views": changed(VIEWS, azimuths="180")}, ("views", 1))
    other = dumped(server, tmp_path, ORBIT | {"views": changed(VIEWS, seed=2)}, ("views", 1))
    canvas = ("Garment3D_CutOut", {"image": ("photo", 0), "mask": ("mask", 0), "ratio": 0.78125, "size": 256,
                                   "background": "#ffffff"})  # fmt: skip
    shown = dumped(server, tmp_path, ORBIT | {"canvas": canvas}, ("canvas", 1))
    assert first.shape == (2, 256, 256, 3) and np.abs(first[0] - shown[0]).mean() < 2e-3
    np.testing.assert_allclose(alone[0], first[1], atol=1e-3)
    assert np.abs(other[1] - first[1]).max() > 0.1 and np.array_equal(other[0], first[0])


def test_a_renamed_stable_zero123_is_what_its_loader_is_told(server):
    """Only Stable Zero123 can't change the distance."""
    farther = changed(VIEWS, radius_offset=0.2, azimuths="20", steps=1)
    stable = changed(ZERO123, family="Stable Zero123")
    end = drop(("views", 1))
    assert "radius offset 0.2" in error_of(server, **(ORBIT | {"zero123": stable, "views": farther}), drop=end)
    assert server.run(prompt(**(ORBIT | {"views": farther}), drop=end)).status == "success"


def test_sam_in_the_graph_looks_at_a_photo_once(server, tmp_path):
    watched = {"photo": PHOTO, "load": SAM, "sam": ("Probe_Watch", {"network": ("load", 0), "seconds": 0.0})}
    server.get("/probe/state")
    point = {"points": [[450, 500, 1]]}
    graph = watched | {"cut": changed(CUT, prompt=json.dumps(point))}
    mask = dumped(server, tmp_path, graph, ("cut", 0))
    first = server.get("/probe/state")["begun"]
    graph = watched | {"cut": changed(CUT, prompt=json.dumps(point | {"box": [100, 100, 700, 900]}))}
    dumped(server, tmp_path, graph, ("cut", 0))
    second = server.get("/probe/state")["begun"]
    photo = dumped(server, tmp_path, {"photo": PHOTO}, ("photo", 0))
    assert mask.shape == photo.shape[:3] and 0 < mask.mean() < 1
    assert any("image_encoder" in layer for _, layer in first)
    assert second and not any("image_encoder" in layer for _, layer in second)


def test_sam_is_sam_predictor_called_by_hand(server, tmp_path):
    """A portrait of 3000 px, on its side with a note that says so, with alpha: points and box count upright pixels."""
    from segment_anything import SamPredictor

    y, x = np.mgrid[:3000, :1100] / 400
    upright = np.stack([np.sin(x * y), np.cos(2 * x - y), np.sin(y)], -1)
    upright = np.round((upright + 1) * 127.5).astype(np.uint8)
    side = Image.fromarray(np.rot90(upright)).convert("RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    (server.base / "input").mkdir(exist_ok=True)
    side.save(server.base / "input" / "side.png", exif=exif)
    predictor = SamPredictor(tiny_sam())
    predictor.set_image(upright)
    graph = {"photo": ("LoadImage", {"image": "side.png"}), "sam": SAM}
    told = {"points": [[500, 1200, 1]]}
    graph["cut"] = changed(CUT, prompt=json.dumps(told), choice="best score")
    masks, scores, low_res = predictor.predict(np.array([[500, 1200]]), np.array([1]))
    best = scores.argmax()
    np.testing.assert_array_equal(dumped(server, tmp_path, graph, ("cut", 0))[0] >= 0.5, masks[best])
    told = {"points": [[500, 1200, 1], [900, 400, 0]], "box": [100, 300, 1000, 2700]}
    graph["again"] = changed(CUT, prompt=json.dumps(told), choice="best score", previous=("cut", 2))
    points, labels, box = np.array([[500, 1200], [900, 400]]), np.array([1, 0]), np.array([100, 300, 1000, 2700])
    masks, *_ = predictor.predict(points, labels, box, low_res[best][None], multimask_output=False)
    np.testing.assert_array_equal(dumped(server, tmp_path, graph, ("again", 0))[0] >= 0.5, masks[0])


def test_sams_answer_refines_and_a_bad_prompt_is_one_sentence(server, tmp_path):
    graph = {"photo": PHOTO, "mask": MASK, "sam": SAM, "cut": changed(CUT, rough_mask=("mask", 0))}
    graph["again"] = changed(CUT, prompt='{"points": [[450, 500, 1]]}', previous=("cut", 2))
    assert dumped(server, tmp_path, graph, ("again", 0)).max() > 0.5
    bad = changed(CUT, prompt='{"points": [[90000, 5, 1]]}')
    assert "90000" in error_of(server, photo=PHOTO, sam=SAM, cut=bad, drop=drop(("cut", 0)))
    bad = changed(CUT, prompt="[{")
    assert "JSON" in error_of(server, photo=PHOTO, sam=SAM, cut=bad, drop=drop(("cut", 0)))


def test_clothes_parser_says_what_it_saw(server, tmp_path):
    graph = {"photo": PHOTO, "parser": PARSER, "parse": PARSE}
    mask = dumped(server, tmp_path, graph, ("parse", 0))
    found = server.outputs(prompt(**graph, show=("Probe_DumpText", {"value": ("parse", 1)})))["show"]["value"][0]
    assert 0 < mask.mean() < 1 and all(line.endswith("%") for line in found.splitlines())
    odd = graph | {"parse": changed(PARSE, classes="wings")}
    assert "wings" in error_of(server, **odd, drop=drop(("parse", 0)))


@pytest.mark.parametrize("family, fourth", [("Zero123 or Zero123-XL", 0.25), ("Stable Zero123", math.radians(80))])
def test_conditioning_has_each_familys_pose(server, family, fourth):
    """Core's own node says π/2 to every model."""
    orbit = {"step_deg": 20.0, "elevation_deg": 30.0, "photo_elevation_deg": 10.0, "azimuths": "0, 90"}
    graph = {
        "photo": PHOTO,
        "mask": MASK,
        "file": ("ImageOnlyCheckpointLoader", {"ckpt_name": "zero123_in_core/zero123-xl.ckpt"}),
    }
    graph["told"] = ("Garment3D_Zero123Conditioning", {"clip_vision": ("file", 1), "vae": ("file", 2),
                     "image": ("photo", 0), "mask": ("mask", 0), "family": family, **orbit,
                     "radius_offset": 0.25 if fourth == 0.25 else 0.0})  # fmt: skip
    shown = server.outputs(prompt(**graph, positive=("Probe_DumpPoses", {"conditioning": ("told", 0)}),
                                  negative=("Probe_DumpPoses", {"conditioning": ("told", 1)})))  # fmt: skip
    up = -math.radians(20)  # Zero123's polar angle grows downwards
    np.testing.assert_allclose(shown["positive"]["poses"], [[up, 0, 1, fourth], [up, 1, 0, fourth]], atol=1e-6)
    assert shown["positive"]["shape"] == [2, 1, 772] and shown["negative"]["shape"] == [1, 1, 768]
    assert not np.any(shown["negative"]["poses"])


@pytest.mark.parametrize("name", ["scene", "views", "cut"])
def test_cancel_lands_within_one_layer(server, name):
    graphs = {"scene": SURFACE, "views": ORBIT, "cut": {"photo": PHOTO, "sam": SAM, "cut": CUT}}
    loader = {"scene": "triposr", "views": "zero123", "cut": "sam"}[name]
    graph = graphs[name] | {"load": graphs[name][loader]}
    graph[loader] = ("Probe_Watch", {"network": ("load", 0), "seconds": 0.1})
    last = {"scene": ("mesh", 0), "views": ("views", 1), "cut": ("cut", 0)}[name]
    server.get("/probe/state")
    running = server.queue(prompt(**graph, drop=drop(last)))
    while not server.get("/probe/state")["begun"]:
        time.sleep(0.05)
    server.post("/interrupt", {"prompt_id": running})
    pressed = time.time()
    kind, data = server.wait(running, 20).messages[-1]
    assert kind == "execution_interrupted" and data["timestamp"] / 1000 - pressed < 2
    assert sum(begun > pressed for begun, _ in server.get("/probe/state")["begun"]) <= 1
    free(server)  # the watched network goes


def test_free_lets_go_of_every_network(server):
    watched = {"photo": PHOTO, "mask": MASK}
    for load, name in ((TRIPOSR, "triposr"), (ZERO123, "zero123"), (SAM, "sam"), (PARSER, "parser")):
        watched |= {f"{name}_file": load, name: ("Probe_Watch", {"network": (f"{name}_file", 0), "seconds": 0.0})}
    graph = watched | {"scene": SCENE, "mesh": MESH, "views": VIEWS, "cut": CUT, "parse": PARSE}
    ends = [("mesh", 0), ("views", 1), ("cut", 0), ("parse", 0)]
    server.outputs(prompt(**graph, **{f"end{i}": drop(end) for i, end in enumerate(ends)}))
    before = server.get("/probe/state")
    assert before["loaded"] >= 4 and before["alive"] > 100
    after = free(server)
    assert after["loaded"] == after["alive"] == 0


@pytest.mark.parametrize("freed", [False, True])
def test_memory_is_flat_over_ten_runs(server, tmp_path, freed):
    """With the networks kept between runs, and with all let go and read again."""
    photo = np.full((1, 128, 128, 3), 0.9, np.float32)
    photo[:, 30:100, 40:90] = (0.2, 0.3, 0.6)
    mask = np.zeros((1, 128, 128), np.float32)
    mask[:, 30:100, 40:90] = 1
    graph = {"photo": array(tmp_path / "p.npy", photo), "mask": array(tmp_path / "m.npy", mask)}
    graph |= {"sam": SAM, "triposr": TRIPOSR, "zero123": ZERO123}
    resident = []
    for i in range(10):
        graph["scene"] = changed(SCENE, ratio=0.7 + 0.01 * i, mask=("mask", 1))
        graph["mesh"] = changed(MESH, resolution=32)
        graph["views"] = changed(VIEWS, seed=100 + i, steps=1, mask=("mask", 1))
        graph["cut"] = changed(CUT, prompt=json.dumps({"points": [[50 + i, 50, 1]]}))
        server.outputs(prompt(**graph, a=drop(("mesh", 0)), b=drop(("views", 1)), c=drop(("cut", 0))))
        resident.append((free(server) if freed else server.get("/probe/state?collect"))["resident"])
    assert resident[9] < 1.03 * resident[2], [round(r / 2**20) for r in resident]


def test_views_of_pictures_take_azimuths_and_distance(server, tmp_path):
    pictures = np.ones((2, 64, 64, 3), np.float32)
    pictures[:, 10:54, 20:44] = 0.2
    graph = {"pictures": array(tmp_path / "v.npy", pictures), "photo": PHOTO, "mask": MASK,
             "shell": ("Garment3D_Shell", {"mask": ("mask", 0), "image": ("photo", 0), "triangles": 500})}  # fmt: skip
    graph["views"] = ("Garment3D_ImageViews", {"images": ("pictures", 0), "step_deg": 20.0, "elevation_deg": 0.0,
                                               "azimuths": "0; 135", "radius_offset": 0.5})  # fmt: skip
    save = changed(SAVE, mesh=("shell", 0), views=("views", 0), filename_prefix="t/azimuths")
    (item,) = server.outputs(prompt(**graph, save=save))["save"]["3d"]
    folder = server.output(item).with_name(server.output(item).stem + "views")
    assert [v["file"] for v in json.loads((folder / "cameras.json").read_text())["views"]] == ["000.png", "135.png"]
    assert Image.open(folder / "135.png").size == (64, 64)
    graph["views"] = changed(graph["views"], azimuths="0, 90, 180")
    assert "3 azimuths for 2 images" in error_of(server, **graph, save=save)
