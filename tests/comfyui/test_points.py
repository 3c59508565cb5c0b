"""The point editor of Garment Mask (SAM) in the real front end: clicks become the prompt that is saved and sent."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.comfyui.harness import ROOT
from tests.comfyui.test_browser import CHROMIUM, playwright_folder

WIDTH, HEIGHT = 864, 1152


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    home = playwright_folder()
    needed = {"chromium": CHROMIUM, "node": shutil.which("node"), "npm install playwright-core": home}
    for what, found in needed.items():
        if not found:
            pytest.skip(f"needs {what}")
    photo = ROOT / "workflows" / "inputs" / "tshirt.jpg"
    assert Image.open(photo).size == (WIDTH, HEIGHT)
    (server.base / "input").mkdir(exist_ok=True)
    shutil.copy(photo, server.base / "input" / "points_photo.jpg")
    server.post("/settings", {"Comfy.TutorialCompleted": True})
    pictures = tmp_path_factory.mktemp("points")
    script = Path(__file__).with_name("points.mjs")
    command = ["node", script, server.url, CHROMIUM, pictures, "points_photo.jpg"]
    ran = subprocess.run([str(c) for c in command], cwd=home, capture_output=True, text=True, timeout=180)
    server.post("/settings", {"Comfy.VueNodes.Enabled": False})
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(params=["classic", "nodes2"])
def seen(page, request):
    return page["renderers"][request.param]


def near(values, *shares):
    sizes = [WIDTH, HEIGHT]
    assert values == pytest.approx([share * sizes[i % 2] for i, share in enumerate(shares)], abs=3)


def test_no_error_on_the_page_and_both_renderers_were_seen(page):
    assert page["errors"] == []
    assert [r["vue"] for r in page["renderers"].values()] == [False, True]


def test_clicks_are_points_in_pixels_of_the_photo(seen):
    assert seen["empty"] == ""
    one, three = json.loads(seen["one"]), json.loads(seen["three"])
    assert "box" not in one and [p[2] for p in three["points"]] == [1, 0, 0]
    near(one["points"][0][:2], 0.5, 0.5)
    near(three["points"][1][:2], 0.1, 0.9)
    near(three["points"][2][:2], 0.9, 0.1)


def test_a_drag_is_a_box_and_moves_nothing_else(seen):
    prompt = json.loads(seen["boxed"])
    assert len(prompt["points"]) == seen["marks"] == 3
    near(prompt["box"], 0.2, 0.1, 0.8, 0.9)
    assert not seen["moved"] and seen["menu"] == 0


def test_the_text_is_sent_saved_and_read_back(seen):
    assert seen["sent"]["prompt"] == seen["boxed"] == seen["reloaded"]
    assert "points" not in seen["sent"]
    assert seen["redrawn"] == 3


def test_a_click_on_a_point_removes_it_and_clear_all(seen):
    left = json.loads(seen["removed"])
    assert [p[2] for p in left["points"]] == [0, 0] and "box" in left
    assert seen["cleared"] == ""


def test_a_typed_prompt_is_drawn(seen):
    assert seen["typed"] == 1


def test_a_photo_from_another_node_is_shown_after_a_run(seen):
    assert seen["example"]["before"] == 0 and "run once" in seen["example"]["hint"]
    assert "type=temp" in seen["example"]["address"]
