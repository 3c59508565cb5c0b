"""Views that are painted again: only those that are named, with another seed, and no model where none is named."""

import numpy as np
import pytest

from tests.comfyui.harness import prompt
from tests.comfyui.test_models import VIEWS, ZERO123, changed, drop
from tests.comfyui.test_nodes import MASK, PHOTO, ROUTE, dumped, error_of

ORBIT = {"photo": PHOTO, "mask": MASK, "zero123": ZERO123, "views": changed(VIEWS, step_deg=120.0, steps=1)}
AGAIN = changed(VIEWS, steps=1, seed=2, keep=("views", 0))
RENDERED = ("Garment3D_RenderedViews", {"mesh": ("texture", 0), "step_deg": 90.0, "elevation_deg": 0.0, "size": 64,
                                        "background": "#ffffff"})  # fmt: skip


def test_only_the_named_views_are_painted_again(server, tmp_path):
    first = dumped(server, tmp_path, ORBIT, ("views", 1))
    again = dumped(server, tmp_path, ORBIT | {"again": changed(AGAIN, redo="-120")}, ("again", 1))
    alone = dumped(server, tmp_path, ORBIT | {"alone": changed(VIEWS, steps=1, seed=2, azimuths="240")}, ("alone", 1))
    np.testing.assert_array_equal(again[:2], first[:2])
    np.testing.assert_allclose(again[2], alone[0], atol=1e-3)
    assert np.abs(again[2] - first[2]).max() > 0.1


def test_nothing_to_redo_passes_the_views_without_their_model(server, tmp_path):
    """What stands for the model would fail if anything asked for it."""
    broken = {"gone": ("Probe_LoadArray", {"path": str(tmp_path / "gone.npy")})}
    broken["zero123"] = ("Probe_Watch", {"network": ("gone", 0), "seconds": 0.0})
    graph = ROUTE | broken | {"views": RENDERED, "again": changed(AGAIN, redo=" ")}
    np.testing.assert_array_equal(*(dumped(server, tmp_path, graph, (name, 1)) for name in ("views", "again")))
    asked = graph | {"again": changed(AGAIN, redo="90")}
    assert server.run(prompt(**asked, end=drop(("again", 1)))).status == "error"


@pytest.mark.parametrize(
    "redo, keep, said",
    [("33", True, "33°"), ("ninety", True, "ninety"), ("240", False, "keep"), ("90", "rendered", "64×64")],
)
def test_what_cant_be_redone_is_said_before_anything_is_painted(server, tmp_path, redo, keep, said):
    graph = ROUTE | ORBIT | {"again": changed(AGAIN, redo=redo)}
    if keep == "rendered":
        graph["views"] = RENDERED
    if not keep:
        graph["again"][1].pop("keep")
    assert said in error_of(server, **graph, end=drop(("again", 1)))
