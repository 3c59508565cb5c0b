"""A folder of photos through kills of every kind: all of them done, none twice, nothing half-written left."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from garment3d.__main__ import main
from garment3d.batch.options import BatchOptions
from garment3d.batch.run import run_batch
from garment3d.errors import MaskError, MissingWeights, PhotoError, PromptError, SaveError
from garment3d.pipeline import Settings
from tests.drawn import GARMENTS, mask_of

ROOT = Path(__file__).parents[1]
SMALL = Settings(triangles=1200, texture_px=256, view_px=64, step_deg=180.0)
OPTIONS = BatchOptions(workers=2, formats=("glb",), turntable=False)
NAMES = ("dress", "shorts", "skirt", "tee")
DRIVER = """
import sys
from pathlib import Path
from garment3d.__main__ import main
from garment3d.batch.options import BatchOptions
from garment3d.batch.run import run_batch
from garment3d.pipeline import Settings
if __name__ == "__main__":
    small = Settings(triangles=1200, texture_px=256, view_px=64, step_deg=180.0)
    options = BatchOptions(workers=2, formats=("glb",), turntable=False)
    print(run_batch(Path(sys.argv[1]), Path(sys.argv[2]), small, options), flush=True)
"""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def draw(path, garment="tee", colour=(40, 90, 160)):
    """A garment of one colour with a stripe on a light background."""
    soft = mask_of(GARMENTS[garment], 230, (280, 240))[..., None]
    cloth = np.broadcast_to(np.array(colour), (280, 240, 3)).copy()
    cloth[::16] = 235
    Image.fromarray((cloth * soft + 244 * (1 - soft)).round().astype(np.uint8)).save(path)
    return path


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in NAMES:
        draw(folder / f"{name}.png", name)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def lines(out):
    """The journal's lines that are whole."""
    text = (out / "batch.jsonl").read_text(encoding="utf-8") if (out / "batch.jsonl").exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def events(out, event):
    return Counter(line["photo"] for line in lines(out) if line["event"] == event)


def table(out):
    with (out / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["photo"]: row for row in csv.DictReader(file)}


def start(shop, out):
    """A batch in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, shop, out], cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, text=True
    )


def until(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end, "it ended, or took too long"
        time.sleep(0.01)


@pytest.mark.skipif(os.name != "posix", reason="a process group can only be killed at once on POSIX")
def test_a_kill_in_the_middle_costs_nothing_and_repeats_nothing(shop, out, capsys):
    (shop / "broken.jpg").write_bytes(b"no picture")
    first = start(shop, out)
    until(lambda: sum(events(out, "done").values()) >= 1 and any(out.glob(".*.????????")), first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = {name: (out / name / "report.json").stat().st_mtime_ns for name in map(stem, events(out, "done"))}
    assert 0 < len(before) < len(NAMES)

    heard = []
    summary = run_batch(shop, out, SMALL, OPTIONS, heard.append)
    assert summary.skipped >= len(before) and summary.failed == 1
    assert summary.done + summary.skipped == len(NAMES)
    assert sorted(done.left for done in heard) == list(range(len(heard)))
    assert events(out, "done") == {f"{name}.png": 1 for name in NAMES}
    for name, at in before.items():
        assert (out / name / "report.json").stat().st_mtime_ns == at  # not written a second time
    assert not list(out.glob(".*.????????"))
    rows = table(out)
    assert list(rows) == sorted([*(f"{name}.png" for name in NAMES), "broken.jpg"])
    assert rows["broken.jpg"]["status"] == "failed" and "not a picture" in rows["broken.jpg"]["sentence"]
    for name in NAMES:
        report = json.loads((out / name / "report.json").read_text(encoding="utf-8"))
        assert all((out / name / file).stat().st_size for file in report["files"])
        row = rows[f"{name}.png"]
        assert (row["status"], row["folder"]) == ("done", name)
        assert int(row["triangles"]) == report["figures"]["triangles"]
        for kind in ("photo", "garment", "turn"):
            assert 0 < (out / "thumbs" / f"{name}.{kind}.webp").stat().st_size < (60_000 if kind == "turn" else 15_000)

    # Only what is no longer true is done again: a changed photo, a lost file; a touched photo is the same photo.
    (shop / "broken.jpg").unlink()
    draw(shop / "tee.png", "tee", (150, 40, 40))
    os.utime(shop / "dress.png", (1, 1))
    (out / "skirt" / "garment.glb").unlink()
    heard.clear()
    assert run_batch(shop, out, SMALL, OPTIONS, kill_one_worker(heard))[:3] == (2, 0, 2)
    assert {done.row.photo for done in heard} == {"tee.png", "skirt.png"}
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == [".batch"]  # nor what the dead worker had begun

    small = "--triangles 1200 --texture-size 256 --view-size 64 --step 180 --format glb --no-turntable".split()
    assert main(["batch", str(shop), "-o", str(out), *small]) == 0
    said = capsys.readouterr().out
    assert "4 photos in" in said and "4 done before, nothing to do." in said and str(out / "index.html") in said


def stem(name):
    return name.rsplit(".", 1)[0]


def kill_one_worker(heard):
    """Hears of photos; with the first, it kills the worker that still has one in hand."""

    def tell(done):
        heard.append(done)
        if done.left:
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    return tell


def test_what_cant_be_meant_is_said_before_anything_is_written(shop, out, tmp_path):
    with pytest.raises(PhotoError, match="no folder"):
        run_batch(tmp_path / "none", out, SMALL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match=r"holds no photos.*--recursive"):
        run_batch(tmp_path / "empty", out, SMALL)
    with pytest.raises(MaskError, match=r"--mask .* is of one photo, and there are 4"):
        run_batch(shop, out, Settings(mask=shop / "tee.png"))
    with pytest.raises(MissingWeights, match="No TripoSR model is known"):
        run_batch(shop, out, Settings(engine_surface="triposr"))
    with pytest.raises(PromptError, match="leave one of the two out"):
        run_batch(shop, out, Settings(garment="coat", engine_mask="quick"))
    assert not out.exists()


def test_one_output_is_not_shared(shop, out, tmp_path):
    from garment3d.batch.lock import Lock
    from garment3d.batch.session import Batch

    with Batch(shop, out, SMALL, OPTIONS), pytest.raises(SaveError, match=f"process {os.getpid()}.* is working in"):
        run_batch(shop, out, SMALL, OPTIONS)
    Lock(out / ".batch" / "batch.lock").release()  # nobody has it any more
    (tmp_path / "other").mkdir()
    draw(tmp_path / "other" / "tee.png")
    with pytest.raises(SaveError, match=r"holds the results of .*shop; choose another"):
        run_batch(tmp_path / "other", out, SMALL, OPTIONS)
