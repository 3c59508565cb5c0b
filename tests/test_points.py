"""The point editor's arithmetic, and its reading and writing of prompts, in Node; the library reads the same."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from garment3d.mask.prompts import prompt_from_text

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if not found:
        pytest.skip("needs node")
    return found


def test_the_editor_counts_right(node):
    ran = subprocess.run([node, "--test", ROOT / "tests" / "points.mjs"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_the_editor_writes_is_what_the_library_reads(node):
    script = """
    const { boxed, clicked, EMPTY, write } = await import(process.argv[1])
    const one = clicked(EMPTY, { x: 10, y: 20 }, 1, 3), two = clicked(one, { x: 30, y: 40 }, 0, 3)
    console.log(JSON.stringify([EMPTY, one, boxed(two, { x: 49, y: 59 }, { x: 1, y: 2 })].map(write)))
    """
    address = (ROOT / "js" / "prompt.mjs").as_uri()
    ran = subprocess.run(
        [node, "--input-type=module", "-e", script, address], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    empty, one, whole = (prompt_from_text(text, (100, 80)) for text in json.loads(ran.stdout))
    assert empty is None
    assert (one.points, one.labels, one.box) == (((10, 20),), (1,), None)
    assert (whole.points, whole.labels, whole.box) == (((10, 20), (30, 40)), (1, 0), (1, 2, 50, 60))
