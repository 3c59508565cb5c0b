"""The script that puts a folder through a running ComfyUI, run as a person runs it and killed in between."""

import csv
import json
import re
import subprocess
import sys
import time
from urllib.parse import unquote

import pytest
import trimesh
from PIL import Image

from tests.comfyui.harness import ROOT
from tests.test_batch import draw

SCRIPT = ROOT / "workflows" / "api" / "batch.py"
NAMES = ("camisole", "skirt", "tee")


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "größe 1"
    folder.mkdir()
    for name in NAMES:
        draw(folder / f"{name} ä.png", name)
    return folder


@pytest.fixture
def light(tmp_path):
    """The default workflow with less cloth."""
    graph = json.loads((SCRIPT.with_name("02_garment.json")).read_text("utf-8"))
    for node in graph.values():
        node["inputs"] |= {"Garment3D_Shell": {"triangles": 1000}, "Garment3D_Texture": {"size": 256}}.get(
            node["class_type"], {}
        )
    return saved(tmp_path / "light.json", graph)


def saved(path, graph):
    path.write_text(json.dumps(graph), "utf-8")
    return path


def command(shop, out, server, workflow, *more):
    given = [sys.executable, SCRIPT, shop, "-o", out, "--server", server, "--workflow", workflow, *more]
    return [str(part) for part in given]


def call(*given):
    ran = subprocess.run(command(*given), capture_output=True, text=True, encoding="utf-8", timeout=240)
    return ran.returncode, ran.stdout, ran.stderr


def ended(out, status="done"):
    text = (out / "batch.jsonl").read_text("utf-8") if (out / "batch.jsonl").exists() else ""
    return [line["photo"] for line in map(json.loads, text.split("\n")[:-1]) if line.get("status") == status]


def prompts_with(server, kind):
    """How many prompts the server ran that load an uploaded photo."""
    prompts = [entry["prompt"][2] for entry in server.get("/history").values()]
    images = [n["inputs"].get("image") for p in prompts for n in p.values() if n["class_type"] == kind]
    return len([image for image in images if str(image).startswith("garment3d_batch/")])


def test_a_folder_goes_through_comfyui_once_though_the_script_is_killed(server, shop, light, tmp_path):
    (shop / "broken.png").write_bytes(b"no picture")
    out, before = tmp_path / "out", prompts_with(server, "LoadImage")
    first = subprocess.Popen(command(shop, out, server.url, light, "--ahead", "2"), stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not ended(out) and first.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert first.poll() is None, "it ended before it could be killed"
    first.kill()
    first.wait()
    status, said, err = call(shop, out, server.url, light)
    assert (status, err) == (1, "") and "failed" in said  # of the broken one
    assert sorted(ended(out)) == [f"{name} ä.png" for name in NAMES]
    assert set(ended(out, "failed")) == {"broken.png"}
    tried = len(ended(out, "failed"))  # a photo that fails is tried again by the next start
    assert prompts_with(server, "LoadImage") - before == len(NAMES) + tried

    with (out / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["photo"]: row for row in csv.DictReader(file)}
    assert rows["broken.png"]["status"] == "failed" and rows["broken.png"]["sentence"].startswith("LoadImage: ")
    heights = set()
    for name in NAMES:
        row = rows[f"{name} ä.png"]
        files = row["files"].split(" | ")
        (glb,) = [f for f in files if f.endswith(".glb")]
        assert row["status"] == "done" and float(row["seconds"]) > 0
        heights.add(round(trimesh.load(out / row["folder"] / glb, force="mesh").extents[1], 2))
        for picture in set(files) - {glb}:
            assert min(Image.open(out / row["folder"] / picture).size) >= 64
        assert sum("Preview_Mask" in f for f in files) == 1 and len(files) == 3
    assert heights == {0.6, 0.7}  # each its own: the top and the skirt 60 cm, the T-shirt 70
    page = (out / "index.html").read_text("utf-8")
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(links) == 4 + 3 + 9 and all((out / unquote(link)).exists() for link in links)

    (shop / "broken.png").unlink()
    assert call(shop, out, server.url, light)[:2] == (0, f"3 photos: 3 done before, 0 to do.\n{out / 'index.html'}\n")


def test_what_stands_in_the_way_is_one_sentence(server, shop, light, tmp_path):
    out, graph = tmp_path / "out", json.loads(light.read_text("utf-8"))
    wrong = {**graph, "5": {**graph["5"], "inputs": {**graph["5"]["inputs"], "triangles": -3}}}
    canvas = ROOT / "workflows" / "02_garment.json"
    two = {**graph, "77": {"class_type": "LoadImage", "inputs": {"image": "x.png"}}}
    for url, workflow, words in [
        ("http://127.0.0.1:9", light, ["No ComfyUI answers at http://127.0.0.1:9", "--server"]),
        (server.url, canvas, ["02_garment.json is not in the API format", "Export (API)"]),
        (server.url, saved(tmp_path / "two.json", two), ["2 nodes that give a photo (1, 77)", "--node"]),
        (server.url, saved(tmp_path / "wrong.json", wrong), ["refused the workflow: node 5 (Garment3D_Shell)", "-3"]),
        (server.url, tmp_path / "none.json", ["none.json can't be read"]),
    ]:
        status, _, err = call(shop, out, url, workflow)
        assert status == 1 and len(err.strip().splitlines()) == 1 and err.strip().endswith("."), err
        assert all(word in err for word in words), err
    assert call(tmp_path / "nowhere", out, server.url, light)[2].endswith("is no folder; give one with photos in it.\n")
