"""Khronos' own validator finds nothing in our GLB files."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import trimesh

from garment3d.data import Opening
from garment3d.export.mesh import mesh_files
from tests.solids import cube, sphere, tube

ROOT = Path(__file__).parents[1]
VALIDATE = """
const validator = require("gltf-validator");
const bytes = process.argv.slice(1).map((path) => new Uint8Array(require("fs").readFileSync(path)));
Promise.all(bytes.map((one) => validator.validateBytes(one))).then((reports) => console.log(JSON.stringify(reports)));
"""


def validate(*files):
    """The validator's reports on the bytes of GLBs; skips where node or the npm package gltf-validator is missing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    paths = os.pathsep.join(filter(None, [os.environ.get("NODE_PATH"), str(ROOT / "node_modules")]))
    with TemporaryDirectory() as folder:
        for index, data in enumerate(files):
            Path(folder, f"{index}.glb").write_bytes(data)
        named = [str(Path(folder, f"{index}.glb")) for index in range(len(files))]
        done = subprocess.run(
            [node, "-e", VALIDATE, *named], capture_output=True, env={**os.environ, "NODE_PATH": paths}
        )
    if b"Cannot find module 'gltf-validator'" in done.stderr:
        pytest.skip("the npm package gltf-validator is neither in node_modules nor in NODE_PATH")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("mesh", "jpeg"), [(tube(), False), (tube(), True), (sphere(), False), (cube(), False)],
    ids=["texture", "jpeg", "bare", "colours"],
)  # fmt: skip
def test_khronos_validator_finds_nothing(mesh, jpeg):
    openings = [Opening("neck", (0.0, 0.4, 0.0)), Opening("hem", (0.0, -0.4, 0.0))]
    data = mesh_files(mesh, openings, 70, ["glb"], "tee", jpeg=jpeg)[0].data
    (report,) = validate(data)
    assert report["issues"]["messages"] == []
    assert report["info"]["generator"].startswith("Garment3D ")
    assert report["info"]["totalTriangleCount"] == len(mesh.faces)


def test_the_validator_would_have_found_a_fault():
    data = mesh_files(tube(), formats=["glb"])[0].data
    broken = data.replace(b'"type":"VEC3"', b'"type":"VEC4"', 1)
    assert validate(broken)[0]["issues"]["numErrors"] > 0


def test_dark_vertex_colours_keep_their_steps():
    """Linear bytes would make one colour of sRGB 3, 6 and 9 of 255."""
    mesh = cube()
    linear = np.linspace(0.0005, 0.004, len(mesh.vertices))[:, None].repeat(3, 1).astype(np.float32)
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=np.round(linear * 255).astype(np.uint8))
    mesh.vertex_attributes["linear_rgb"] = linear
    (file,) = mesh_files(mesh, formats=("glb",))
    length = int.from_bytes(file.data[12:16], "little")
    tree, binary = json.loads(file.data[20 : 20 + length]), file.data[28 + length :]
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    read = np.frombuffer(binary, "<u2", len(mesh.vertices) * 4, view["byteOffset"]).reshape(-1, 4)
    assert (accessor["componentType"], accessor["normalized"], view["byteLength"]) == (5123, True, read.nbytes)
    np.testing.assert_allclose(read[:, :3] / 65535, linear, atol=1e-5)
    assert (read[:, 3] == 65535).all()
