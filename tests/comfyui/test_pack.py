"""What ComfyUI knows of the pack: its nodes and their words, help pages, languages, templates, and its start."""

import json
import re
import subprocess

import pytest

from tests.comfyui.harness import ROOT, WORKFLOWS

IDS = {
    "Garment3D_ExamplePhoto",
    "Garment3D_QuickMask",
    "Garment3D_CutOut",
    "Garment3D_Shell",
    "Garment3D_Texture",
    "Garment3D_RenderedViews",
    "Garment3D_ImageViews",
    "Garment3D_Save",
    "Garment3D_LoadSam",
    "Garment3D_SamMask",
    "Garment3D_LoadClothes",
    "Garment3D_ClothesMask",
    "Garment3D_LoadTripoSR",
    "Garment3D_TripoSRScene",
    "Garment3D_TripoSRMesh",
    "Garment3D_TripoSRTurntable",
    "Garment3D_LoadZero123",
    "Garment3D_Zero123Views",
    "Garment3D_Zero123Conditioning",
    "Garment3D_LoadMesh",
    "Garment3D_FitShell",
    "Garment3D_OpenHems",
    "Garment3D_BakeTexture",
    "Garment3D_CompareMeshes",
    "Garment3D_PreparePlatform",
    "Garment3D_ExportCameras",
    "Garment3D_ExportBlender",
    "Garment3D_Report",
}
LOCALES = sorted(p.name for p in (ROOT / "locales").iterdir() if p.is_dir())
ENTRY_TIME = """
import asyncio, importlib.util, sys, time
sys.path.insert(0, {home!r})
from comfy.cli_args import args
args.cpu = True
import torch, comfy.utils, comfy.model_patcher, comfy.ops, folder_paths, comfy_api.latest  # as any server has
start = time.perf_counter()
spec = importlib.util.spec_from_file_location("pack", {entry!r}, submodule_search_locations=[{root!r}])
sys.modules["pack"] = pack = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
async def load():
    nodes = await (await pack.comfy_entrypoint()).get_node_list()
    return [node.GET_SCHEMA() for node in nodes]
count = len(asyncio.run(load()))
print(count, time.perf_counter() - start)
"""


@pytest.fixture(scope="module")
def info(server):
    return {k: v for k, v in server.get("/object_info").items() if k.startswith("Garment3D")}


def inputs_of(node):
    return {k: v for group in ("required", "optional") for k, v in node["input"].get(group, {}).items()}


def test_exactly_these_nodes(info):
    assert set(info) == IDS


@pytest.mark.parametrize("node_id", sorted(IDS))
def test_every_word_is_there(info, node_id):
    node = info[node_id]
    assert node["category"] == "Garment3D" and node["description"] and len(node["search_aliases"]) >= 3
    for name, spec in inputs_of(node).items():
        assert spec[1].get("tooltip", "").endswith("."), name
    assert len(node["output_tooltips"]) == len(node["output"])
    assert all(tooltip and tooltip.endswith(".") for tooltip in node["output_tooltips"])


@pytest.mark.parametrize("node_id", sorted(IDS))
def test_help_page_and_its_pictures_are_served(server, node_id):
    page = server.get(f"/extensions/garment3d/docs/{node_id}.md").decode()
    assert page.startswith("# ")
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page):
        assert len(server.get(f"/extensions/garment3d/docs/{picture}")) > 1000


def test_english_names_are_the_schema(server, info):
    english = server.get("/i18n")["en"]["nodeDefs"]
    for node_id, node in info.items():
        said = english[node_id]
        assert (said["display_name"], said["description"]) == (node["display_name"], node["description"])
        assert {k: v["tooltip"] for k, v in said["inputs"].items()} == {
            k: v[1]["tooltip"] for k, v in inputs_of(node).items()
        }
        assert [said["outputs"][str(i)]["tooltip"] for i in range(len(node["output"]))] == node["output_tooltips"]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_covers_the_same(locale):
    def keys(tree):
        return {k: keys(v) if isinstance(v, dict) else bool(v) for k, v in tree.items()}

    read = [json.loads((ROOT / "locales" / name / "nodeDefs.json").read_text("utf-8")) for name in ("en", locale)]
    assert keys(read[0]) == keys(read[1]) and set(read[0]) == IDS


def test_templates_and_thumbnails_are_served(server):
    names = [p.stem for p in WORKFLOWS]
    assert sorted(server.get("/workflow_templates")["garment3d"]) == names and len(names) == 11
    for name in names:
        assert server.get(f"/api/workflow_templates/garment3d/{name}.jpg")[:3] == b"\xff\xd8\xff"


def test_start_is_clean(server):
    log = server.log.read_text().partition("got prompt")[0]
    times = log[log.index("Import times for custom nodes:") :]
    line = next(line for line in times.splitlines() if line.endswith("custom_nodes/garment3d"))
    assert "FAILED" not in line
    assert not [x for x in log.splitlines() if re.search("warn|error|rename", x, re.I) and "garment3d" in x.lower()]


def test_entry_takes_under_three_tenths_of_a_second(comfy):
    home, python = comfy
    script = ENTRY_TIME.format(home=str(home), entry=str(ROOT / "__init__.py"), root=str(ROOT))
    seconds = []
    while len(seconds) < 3 and min(seconds, default=1) >= 0.3:  # a busy machine gets another try
        ran = subprocess.run([python, "-c", script], capture_output=True, text=True, cwd=home, timeout=120)
        assert ran.returncode == 0, ran.stderr
        count, taken = ran.stdout.splitlines()[-1].split()
        assert int(count) == len(IDS)
        seconds.append(float(taken))
    assert min(seconds) < 0.3, seconds
