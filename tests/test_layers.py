"""The library's parts import downwards only, relatively, and know nothing of ComfyUI."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "garment3d"

LAYERS = [
    ["data", "errors"],
    ["camera", "checkpoint", "weights"],
    ["images"],
    ["raster", "nearest"],
    ["texels", "soundness", "crossings", "normals"],
    ["render", "metrics"],
    ["compare", "meshes"],
    ["mask", "views", "surface", "garment"],
    ["quality"],
    ["export"],
    ["engines"],
    ["stages"],
    ["pipeline", "check"],
    ["batch"],
    ["arguments", "commands"],
    ["__main__"],
]
"""Low to high; a part imports from lower layers and from itself, never from its own layer's other parts."""

HOSTS = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "server", "nodes"}
NEVER = {"cv2"}
"""OpenCV's four variants overwrite each other in ComfyUI environments."""

CONSOLE = {"__main__.py"}
"""What a person at a terminal reads comes from these."""

FILES = sorted(LIBRARY.rglob("*.py"))


def part_of(path):
    """The layer name of a library file: its folder, or its own name at the top."""
    relative = path.relative_to(LIBRARY)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def rank(part):
    return next((i for i, layer in enumerate(LAYERS) if part in layer), None)


def imported(path):
    """Absolute modules as names and relative ones as paths inside the library, of every import at any depth."""
    package = path.relative_to(LIBRARY).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module, None
                continue
            assert node.level <= len(package) + 1, f"{path.name}:{node.lineno} imports from outside the library"
            base = [*package[: len(package) + 1 - node.level], *(node.module or "").split(".")]
            base = [name for name in base if name]
            for alias in node.names:
                yield None, tuple([*base, alias.name])


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(LIBRARY).as_posix())
def test_imports_go_down(path):
    part = part_of(path)
    if part == "__init__":
        return  # the public list names every layer, and looks it up when it is used
    assert rank(part) is not None, f"{part} has no layer: give it one in LAYERS"
    for module, inside in imported(path):
        if module is not None:
            top = module.split(".")[0]
            assert top not in HOSTS, f"{path.name} imports {module}: the library knows nothing of ComfyUI"
            assert top != "garment3d", f"{path.name} imports {module}: ComfyUI gives the pack another name"
            assert top not in NEVER, f"{path.name} imports {module}"
            continue
        other = inside[0]
        if inside == ("__version__",) or other == part:
            continue
        assert rank(other) is not None, f"{path.name} imports {'.'.join(inside)}, which has no layer"
        assert rank(other) < rank(part), f"{path.name} imports {'.'.join(inside)} from its own or a higher layer"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(LIBRARY).as_posix())
def test_the_library_prints_nothing_and_moves_nothing_to_a_gpu(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            assert node.func.id != "print" or path.name in CONSOLE, f"{path.name}:{node.lineno} prints"
        if isinstance(node.func, ast.Attribute):
            banned = {"cuda", "set_num_threads", "set_default_device", "set_default_dtype"}
            if not isinstance(node.func.value, ast.Call):  # a generator of one's own may be seeded, torch's may not
                banned |= {"manual_seed"}
            assert node.func.attr not in banned, f"{path.name}:{node.lineno} calls {node.func.attr}"


def test_the_order_of_layers_is_complete():
    assert {part_of(path) for path in FILES} - {"__init__"} <= {part for layer in LAYERS for part in layer}


def test_a_layer_breaking_import_would_be_seen(tmp_path, monkeypatch):
    (tmp_path / "garment").mkdir()
    wrong = tmp_path / "garment" / "wrong.py"
    monkeypatch.setattr(sys.modules[__name__], "LIBRARY", tmp_path)
    for line in (
        "from ..pipeline import run",
        "from ..mask.quick import quick_mask",
        "import comfy.utils",
        "import cv2",
    ):
        wrong.write_text(line)
        with pytest.raises(AssertionError):
            test_imports_go_down(wrong)
    wrong.write_text("from ..camera import orbit\nfrom .. import __version__\nfrom .shell import garment_shell")
    test_imports_go_down(wrong)


def test_importing_the_library_brings_in_nothing_heavy():
    check = (
        "import sys, garment3d; print([m for m in ('torch','numpy','scipy','trimesh','PIL','av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
