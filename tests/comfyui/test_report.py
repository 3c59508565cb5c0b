"""The report in a graph: a good garment passes with its papers, a bad one stops at the gate, bad views are redone."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.comfyui.harness import prompt
from tests.comfyui.test_models import VIEWS as PAINTED
from tests.comfyui.test_models import ZERO123
from tests.comfyui.test_nodes import ROUTE, SAVE, SHELL, array, changed, dumped

VIEWS = ("Garment3D_RenderedViews", {"mesh": ("texture", 0), "step_deg": 60.0, "elevation_deg": 0.0, "size": 256,
                                     "background": "#ffffff"})  # fmt: skip
REPORT = ("Garment3D_Report", {"mesh": ("texture", 0), "image": ("photo", 0), "mask": ("mask", 0),
                               "views": ("views", 0), "gate": "stop unless good", "filename_prefix": ""})  # fmt: skip
GRAPH = ROUTE | {"shell": changed(SHELL, triangles=6000), "views": VIEWS, "report": REPORT}
GRAPH["texture"] = changed(ROUTE["texture"], size=1024)
MIRRORED = {"flip": ("Probe_Mirror", {"mesh": ("texture", 0)})}


def said(server, graph, *sources):
    """What STRING and BOOLEAN outputs hold."""
    shows = {f"show{i}": ("Probe_DumpText", {"value": source}) for i, source in enumerate(sources)}
    done = server.outputs(prompt(**graph, **shows))
    return [done[name]["value"][0] for name in shows]


def test_a_good_garment_goes_on_with_its_papers(server):
    graph = GRAPH | {"report": changed(REPORT, filename_prefix="t/paper")}
    graph["save"] = changed(SAVE, mesh=("report", 0), filename_prefix="t/good")
    shows = {f"show{i}": ("Probe_DumpText", {"value": ("report", i)}) for i in (1, 3, 5)}
    done = server.outputs(prompt(**graph, **shows, end=("PreviewAny", {"source": ("report", 2)})))
    verdict, report, redo = (done[name]["value"][0] for name in shows)
    told = json.loads(report)
    assert told["quality"]["verdict"] == "good" and verdict == told["quality"]["sentence"] and redo == ""
    assert len(told["quality"]["views"]) == 6 and {b["platform"] for b in told["budgets"]} >= {"vrm", "print"}
    assert done["end"]["text"][0] == "True" and server.output(done["save"]["3d"][0]).is_file()
    card = Image.open(server.output(done["report"]["images"][0]))
    assert card.width >= 1000 and np.asarray(card).std() > 20
    page = server.base / "output" / "t" / "paper_00001_.html"
    assert verdict.split(":")[0] in page.read_text("utf-8")
    assert json.loads(page.with_suffix(".json").read_text("utf-8")) == told
    assert Image.open(page.with_suffix(".png")).size == card.size


def test_the_gate_keeps_a_bad_garment_back_and_says_why(server, tmp_path):
    """A mirrored garment: nothing behind the mesh runs, all other outputs come."""
    graph = GRAPH | MIRRORED | {"report": changed(REPORT, mesh=("flip", 0), gate="stop at reject")}
    graph["save"] = changed(SAVE, mesh=("report", 0), filename_prefix="t/bad")
    server.get("/probe/errors")
    done = server.outputs(prompt(**graph, text=("Probe_DumpText", {"value": ("report", 1)})))
    assert "3d" not in done.get("save", {}) and not list((server.base / "output" / "t").glob("bad_*"))
    assert done["report"]["images"] and done["text"]["value"][0].startswith("Reject")
    (blocked,) = server.get("/probe/errors")
    assert blocked["node_id"] == "save" and "stop at reject" in blocked["message"]
    assert done["text"]["value"][0].splitlines()[0] in blocked["message"]


def test_never_stop_passes_everything(server):
    graph = GRAPH | MIRRORED | {"report": changed(REPORT, mesh=("flip", 0), gate="never stop")}
    graph["save"] = changed(SAVE, mesh=("report", 0), filename_prefix="t/anyway")
    done = server.outputs(prompt(**graph, good=("PreviewAny", {"source": ("report", 2)})))
    assert done["save"]["3d"] and done["good"]["text"][0] == "False"


@pytest.fixture
def shifted(server, tmp_path):
    """The views as pictures from elsewhere, the one at 120° moved by 30 of its 256 pixels."""
    pictures = dumped(server, tmp_path, GRAPH, ("views", 1))
    pictures[2] = np.concatenate([np.ones((256, 30, 3)), pictures[2][:, :-30]], 1)
    views = ("Garment3D_ImageViews", {"images": ("pictures", 0), "step_deg": 60.0, "elevation_deg": 0.0})
    return {"pictures": array(tmp_path / "shifted.npy", pictures), "views": views}


def test_a_bad_view_is_named_and_painted_again(server, tmp_path, shifted):
    graph = GRAPH | shifted
    verdict, redo, report = said(server, graph, ("report", 1), ("report", 5), ("report", 3))
    assert redo == "120" and "120" in verdict
    assert [v["azimuth_deg"] for v in json.loads(report)["quality"]["views"] if v["bad"]] == [120]
    graph |= {"zero123": ZERO123}
    graph["again"] = changed(PAINTED, steps=1, seed=9, keep=("views", 0), redo=("report", 5))
    first, again = (dumped(server, tmp_path, graph, (name, 1)) for name in ("views", "again"))
    same = [np.array_equal(a, b) for a, b in zip(first, again, strict=True)]
    assert same == [True, True, False, True, True, True]


def test_a_batch_is_judged_one_by_one(server, tmp_path):
    graph = GRAPH | {"pad": ("Probe_PadBatch", {"mesh": ("texture", 0)}), "report": changed(REPORT, mesh=("pad", 0))}
    graph["report"][1].pop("views")
    (report,) = said(server, graph, ("report", 3))
    assert len(json.loads(report)) == 2
    assert dumped(server, tmp_path, graph, ("report", 4)).shape[0] == 2
