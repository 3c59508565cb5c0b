"""The nodes in a running graph: masks and photos pass bit for bit, inputs stay as they were, errors are sentences."""

import json
import subprocess
import time

import numpy as np
from PIL import Image

from tests.comfyui.harness import ROOT, prompt

PHOTO = ("Garment3D_ExamplePhoto", {"photo": "tshirt.jpg"})
MASK = ("Garment3D_QuickMask", {"image": ("photo", 0)})
SHELL = ("Garment3D_Shell", {"mask": ("mask", 0), "image": ("photo", 0), "triangles": 2000})
TEXTURE = (
    "Garment3D_Texture",
    {"mesh": ("shell", 0), "image": ("photo", 0), "mask": ("mask", 0), "size": 512},
)
ROUTE = {"photo": PHOTO, "mask": MASK, "shell": SHELL, "texture": TEXTURE}
SAVE = ("Garment3D_Save", {"mesh": ("texture", 0), "filename_prefix": "t/x", "garment_class": "auto", "length_cm": 0.0,
                           "obj": False, "ply": False, "stl": False})  # fmt: skip


def changed(node, **inputs):
    return node[0], node[1] | inputs


def array(path, values):
    np.save(path, np.asarray(values, np.float32))
    return ("Probe_LoadArray", {"path": str(path)})


def dumped(server, tmp_path, graph, source, what="Probe_DumpTensor"):
    path = tmp_path / f"{source[0]}{source[1]}.{'npz' if what.endswith('Mesh') else 'npy'}"
    slot = "mesh" if what.endswith("Mesh") else "tensor"
    run = server.run(prompt(**graph, dump=(what, {slot: source, "path": str(path)})))
    assert run.status == "success", run.error
    return np.load(path)


def error_of(server, **graph):
    run = server.run(prompt(**graph))
    assert run.status == "error"
    sentence = run.error
    assert "\n" not in sentence and "Traceback" not in sentence and sentence.endswith((".", "…."))
    return sentence


def test_example_photo_is_the_file(server, tmp_path):
    image = dumped(server, tmp_path, {"photo": PHOTO}, ("photo", 0))
    pixels = np.asarray(Image.open(ROOT / "workflows" / "inputs" / "tshirt.jpg").convert("RGB"))
    assert image.dtype == np.float32 and image.shape == (1, *pixels.shape)
    np.testing.assert_array_equal(np.round(image[0] * 255), pixels)


def test_load_image_in_its_place_gives_the_same_photo(server, tmp_path):
    """Of a PNG; JPEG is decoded by ComfyUI's own reader, a little differently."""
    example = dumped(server, tmp_path, {"photo": PHOTO}, ("photo", 0))
    (server.base / "input").mkdir(exist_ok=True)
    Image.fromarray(np.round(example[0] * 255).astype(np.uint8)).save(server.base / "input" / "own.png")
    own = dumped(server, tmp_path, {"own": ("LoadImage", {"image": "own.png"})}, ("own", 0))
    np.testing.assert_array_equal(np.round(own * 255), np.round(example * 255))


def test_mask_is_the_librarys_bit_for_bit(server, tmp_path):
    code = "import sys, numpy; from garment3d.images import read_photo; from garment3d.mask.quick import quick_mask; "
    code += "numpy.save(sys.argv[2], quick_mask(read_photo(sys.argv[1]).rgb).soft)"
    photo, alone = ROOT / "workflows" / "inputs" / "tshirt.jpg", tmp_path / "alone.npy"
    subprocess.run([server.python, "-c", code, photo, alone], cwd=ROOT, check=True, timeout=60)
    mask = dumped(server, tmp_path, {"photo": PHOTO, "mask": MASK}, ("mask", 0))
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask[0], np.load(alone))


def test_a_batch_gives_a_mask_for_each(server, tmp_path):
    photo = dumped(server, tmp_path, {"photo": PHOTO}, ("photo", 0))
    batch = {"photo": array(tmp_path / "batch.npy", np.concatenate([photo, photo[:, :, ::-1]])), "mask": MASK}
    masks = dumped(server, tmp_path, batch, ("mask", 0))
    assert masks.shape == (2, *photo.shape[1:3])
    overlap = np.minimum(masks[0], masks[1, :, ::-1]).sum() / np.maximum(masks[0], masks[1, :, ::-1]).sum()
    assert overlap > 0.98
    value = server.outputs(prompt(**batch, show=("Probe_DumpText", {"value": ("mask", 1)})))["show"]["value"][0]
    assert 0 <= value <= 1


def test_alpha_is_the_mask_and_a_black_rough_mask_counts_as_none(server, tmp_path):
    rgba = np.full((1, 96, 80, 4), 0.5, np.float32)
    rgba[..., 3] = 0
    rgba[:, 20:80, 20:60, 3] = 1
    graph = {"photo": array(tmp_path / "rgba.npy", rgba), "none": array(tmp_path / "no.npy", np.zeros((1, 64, 64)))}
    graph["mask"] = ("Garment3D_QuickMask", {"image": ("photo", 0), "rough_mask": ("none", 1)})
    mask = dumped(server, tmp_path, graph, ("mask", 0))[0]
    inside = np.zeros((96, 80))
    inside[20:80, 20:60] = 1
    assert np.abs((mask >= 0.5) - inside).sum() <= 4  # corners may be rounded


def test_cut_out_is_the_garment_alone(server, tmp_path):
    photo = np.zeros((1, 100, 100, 3), np.float32)
    photo[..., 1] = 1  # green behind
    photo[:, 30:70, 40:60] = (1, 0, 0)
    mask = np.zeros((1, 100, 100), np.float32)
    mask[:, 30:70, 40:60] = 1
    graph = {"photo": array(tmp_path / "p.npy", photo), "mask": array(tmp_path / "m.npy", mask)}
    graph["cut"] = ("Garment3D_CutOut", {"image": ("photo", 0), "mask": ("mask", 1), "ratio": 0.5, "size": 128,
                                         "background": "#0000ff"})  # fmt: skip
    rgba, preview = (dumped(server, tmp_path, graph, ("cut", i))[0] for i in (0, 1))
    alpha = dumped(server, tmp_path, graph, ("cut", 2))[0]
    assert rgba.shape == (128, 128, 4) and preview.shape == (128, 128, 3)
    np.testing.assert_array_equal(rgba[..., 3], alpha)
    rows, columns = np.flatnonzero(alpha.max(1) > 0.5), np.flatnonzero(alpha.max(0) > 0.5)
    assert abs(len(rows) - 64) <= 1 and abs(len(columns) - 32) <= 1 and abs(rows.mean() - 63.5) <= 0.5
    np.testing.assert_allclose(preview[64, 64], (1, 0, 0), atol=0.01)
    np.testing.assert_allclose(preview[5, 5], (0, 0, 1), atol=0.01)
    assert rgba[alpha > 0.1, 1].max() < 0.02  # none of the green


def test_no_node_changes_what_it_was_given(server):
    views = ("Garment3D_RenderedViews", {"mesh": ("texture", 0), "step_deg": 120.0, "elevation_deg": 0.0, "size": 64,
                                         "background": "#ffffff"})  # fmt: skip
    save = (SAVE[0], SAVE[1] | {"views": ("views", 0), "obj": True})
    sources = {"photo": ("photo", 0), "mask": ("mask", 0), "shell": ("shell", 0), "texture": ("texture", 0)}
    before = {f"{n}_before": ("Probe_Hashes", {"value": s}) for n, s in sources.items()}
    after = {f"{n}_after": ("Probe_Hashes", {"value": s, "after": ("save", 0)}) for n, s in sources.items()}
    # The first prompt runs every node up to the mesh and hashes what they made, the second lets the rest loose on it.
    first = server.outputs(prompt(**ROUTE, **before))
    second = server.outputs(prompt(**ROUTE, views=views, save=save, **after))
    for name in sources:
        assert first[f"{name}_before"]["hash"] == second[f"{name}_after"]["hash"], name


def test_openings_text_feeds_back(server, tmp_path):
    show = {"show": ("Probe_DumpText", {"value": ("shell", 1)})}
    text = server.outputs(prompt(photo=PHOTO, mask=MASK, shell=SHELL, **show))["show"]["value"][0]
    found = json.loads(text)
    assert found["class"] == "tee"
    assert sorted(o["name"] for o in found["openings"]) == ["cuff_l", "cuff_r", "hem", "neck"]
    again = (SHELL[0], SHELL[1] | {"openings": text})
    graphs = [{"photo": PHOTO, "mask": MASK, "shell": s} for s in (SHELL, again)]
    a, b = (dumped(server, tmp_path, g, ("shell", 0), "Probe_DumpMesh")["vertices"] for g in graphs)
    assert abs(a.shape[1] - b.shape[1]) < 0.02 * a.shape[1]  # the text is rounded to a tenth of a pixel
    np.testing.assert_allclose([a.min(1), a.max(1)], [b.min(1), b.max(1)], atol=5e-3)


def test_save_writes_what_it_says(server):
    views = ("Garment3D_RenderedViews", {"mesh": ("texture", 0), "step_deg": 90.0, "elevation_deg": 10.0, "size": 128,
                                         "background": "#204060"})  # fmt: skip
    save = (SAVE[0], SAVE[1] | {"views": ("views", 0), "obj": True, "ply": True, "stl": True, "length_cm": 80.0,
                                "filename_prefix": "deep/er/all"})  # fmt: skip
    run = server.run(prompt(**ROUTE, views=views, save=save))
    assert run.status == "success", run.error
    (item,) = run.outputs["save"]["3d"]
    folder, stem = server.output(item).parent, server.output(item).stem
    suffixes = {p.suffix for p in folder.iterdir() if p.stem == stem}
    assert suffixes == {".glb", ".obj", ".mtl", ".png", ".ply", ".stl"} and item["subfolder"] == "deep/er"
    assert not list(folder.rglob(".*"))
    pictures = folder / f"{stem}views"
    cameras = json.loads((pictures / "cameras.json").read_text())
    assert [v["file"] for v in cameras["views"]] == ["000.png", "090.png", "180.png", "270.png"]
    pixels = np.asarray(Image.open(pictures / "000.png"))
    assert pixels.shape == (128, 128, 4) and pixels[0, 0, 3] == 0 and pixels[64, 64, 3] == 255


def test_pictures_become_views(server, tmp_path):
    pictures = np.ones((4, 64, 64, 3), np.float32)
    pictures[:, 10:54, 20:44] = 0.2
    graph = {"pictures": array(tmp_path / "v.npy", pictures)}
    graph["views"] = ("Garment3D_ImageViews", {"images": ("pictures", 0), "step_deg": 90.0, "elevation_deg": 0.0})
    masks = dumped(server, tmp_path, graph, ("views", 2))
    np.testing.assert_allclose(masks >= 0.5, pictures[..., 0] < 0.5)
    graph["views"] = ("Garment3D_ImageViews", graph["views"][1] | {"step_deg": 150.0})
    show = ("Probe_DumpTensor", {"tensor": ("views", 1), "path": str(tmp_path / "x.npy")})
    assert "4 images 150° apart" in error_of(server, **graph, show=show)


def test_what_can_go_wrong_is_one_sentence(server, tmp_path):
    small = array(tmp_path / "small.npy", np.ones((1, 50, 40)))
    shell = (SHELL[0], SHELL[1] | {"mask": ("small", 1)})
    drop = ("Probe_DumpMesh", {"mesh": ("shell", 0), "path": str(tmp_path / "x.npz")})
    said = error_of(server, photo=PHOTO, small=small, shell=shell, drop=drop)
    assert "40 × 50" in said and "px" in said

    height, width = np.asarray(Image.open(ROOT / "workflows" / "inputs" / "tshirt.jpg")).shape[:2]
    empty = array(tmp_path / "empty.npy", np.zeros((1, height, width)))
    assert "empty" in error_of(server, photo=PHOTO, small=empty, shell=shell, drop=drop)

    odd = (SHELL[0], SHELL[1] | {"openings": '[{"name": "pocket", "a": [1, 2], "b": [3, 4]}]'})
    assert "'pocket'" in error_of(server, photo=PHOTO, mask=MASK, shell=odd, drop=drop)
    broken = (SHELL[0], SHELL[1] | {"openings": "[{"})
    assert "JSON" in error_of(server, photo=PHOTO, mask=MASK, shell=broken, drop=drop)

    half = (TEXTURE[0], TEXTURE[1] | {"back_image": ("photo", 0)})
    drop = ("Probe_DumpMesh", {"mesh": ("texture", 0), "path": str(tmp_path / "x.npz")})
    assert "back_mask" in error_of(server, **(ROUTE | {"texture": half}), drop=drop)

    outside = (SAVE[0], SAVE[1] | {"filename_prefix": "../../away/x"})
    assert "output folder" in error_of(server, **ROUTE, save=outside)
    (server.base / "output").mkdir(exist_ok=True)
    (server.base / "output" / "blocked").write_text("a file where a folder should be")
    assert "blocked" in error_of(server, **ROUTE, save=(SAVE[0], SAVE[1] | {"filename_prefix": "blocked/x"}))

    show = ("Probe_DumpTensor", {"tensor": ("mask", 0), "path": str(tmp_path / "x.npy")})
    tiny = {"photo": array(tmp_path / "tiny.npy", np.ones((1, 1, 1, 3))), "mask": MASK}
    assert "1 × 1 px" in error_of(server, **tiny, show=show)
    plain = {"photo": array(tmp_path / "plain.npy", np.full((1, 200, 200, 3), 0.8)), "mask": MASK}
    assert "mask" in error_of(server, **plain, show=show)


def test_cancel_stops_a_long_node(server):
    made = {"photo": PHOTO, "mask": MASK, "shell": SHELL}
    server.outputs(prompt(**made, ready=("Probe_Hashes", {"value": ("shell", 0)})))  # so that only the views are left
    views = ("Garment3D_RenderedViews", {"mesh": ("shell", 0), "step_deg": 1.0, "elevation_deg": 0.0, "size": 1024,
                                         "background": "#ffffff"})  # fmt: skip
    running = server.queue(prompt(**made, views=views, show=("PreviewImage", {"images": ("views", 1)})))
    time.sleep(2)
    start = time.monotonic()
    server.post("/interrupt", {"prompt_id": running})
    run = server.wait(running, 20)
    assert run.status == "error" and run.messages[-1][0] == "execution_interrupted"
    assert run.messages[-1][1]["node_type"] == "Garment3D_RenderedViews"
    assert time.monotonic() - start < 3


def test_auto_reads_the_class_from_the_mesh(server):
    usual = {"tshirt": ("tee", 70), "dress": ("dress", 110), "trousers": ("trousers", 105), "skirt": ("skirt", 60)}
    for name, (kind, length_cm) in usual.items():
        photo = (PHOTO[0], {"photo": f"{name}.jpg"})
        save = (SAVE[0], SAVE[1] | {"mesh": ("shell", 0)})
        shown = server.outputs(prompt(photo=photo, mask=MASK, shell=SHELL, save=save))
        data = server.output(shown["save"]["3d"][0]).read_bytes()
        extras = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])["nodes"][0]["extras"]
        assert (extras["garment_class"], extras["length_cm"]) == (kind, length_cm)
