"""The workflows in the real front end: every node known, no error on the page, and the API twins what it would send."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.comfyui.harness import ROOT, WORKFLOWS

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)


def playwright_folder():
    """Where node finds playwright-core: the repository's own node_modules, or a folder of NODE_PATH."""
    folders = [ROOT / "node_modules", *(Path(p) for p in os.environ.get("NODE_PATH", "").split(os.pathsep) if p)]
    return next((f.parent for f in folders if (f / "playwright-core").is_dir()), None)


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    home = playwright_folder()
    needed = {"chromium": CHROMIUM, "node": shutil.which("node"), "npm install playwright-core": home}
    for what, found in needed.items():
        if not found:
            pytest.skip(f"needs {what}")
    server.post("/settings", {"Comfy.TutorialCompleted": True})
    pictures = tmp_path_factory.mktemp("pictures")
    command = ["node", Path(__file__).with_name("browser.mjs"), server.url, CHROMIUM, pictures, *WORKFLOWS]
    ran = subprocess.run([str(c) for c in command], cwd=home, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_no_error_on_the_page(page):
    assert page["errors"] == []
    assert [name for name, opened in page["opened"].items() if opened["unknown"]] == []


@pytest.mark.parametrize("name", [path.stem for path in WORKFLOWS])
def test_the_front_end_sends_the_twin(page, name):
    twin = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text("utf-8"))
    assert page["opened"][name]["api"] == twin
