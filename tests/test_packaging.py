"""What an installation brings along, and what it must leave alone: the packages other people's nodes run on."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

import garment3d

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
NESTED = "--requirement="


def lines_of(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text("utf-8").splitlines() if line[:1] not in ("", "#")]


LINES = lines_of("requirements.txt")
REQUIREMENTS = [
    requirement
    for line in LINES
    for requirement in (lines_of(line.removeprefix(NESTED)) if line.startswith(NESTED) else [line])
]
OTHER_NAMES = {"PIL": "pillow", "skimage": "scikit-image", "yaml": "pyyaml"}
UNSAID = {"torchvision": "segment_anything"}
"""What a package that we import needs and does not declare."""
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "server"}


def test_requirements_are_the_dependencies():
    assert PROJECT["dependencies"] == REQUIREMENTS


def test_what_is_imported_is_required_and_nothing_else():
    files = [*(ROOT / "garment3d").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")]
    trees = [ast.parse(file.read_text("utf-8")) for file in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - COMFYUI
    outside |= {needed for needed, by in UNSAID.items() if by in outside}
    expected = {OTHER_NAMES.get(name, name).replace("_", "-") for name in outside}
    assert expected == {_name(line) for line in REQUIREMENTS}


def test_every_package_and_data_file_is_shipped():
    packages = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "garment3d").rglob("__init__.py")}
    settings = PYPROJECT["tool"]["setuptools"]
    assert set(settings["packages"]) == packages
    shipped = {ROOT.joinpath(*p.split("."), name) for p, names in settings["package-data"].items() for name in names}
    others = {file for file in (ROOT / "garment3d").rglob("*.*") if file.suffix not in (".py", ".pyc")}
    assert shipped == others


def test_one_version():
    assert PROJECT["version"] == garment3d.__version__


def test_the_readme_and_the_machine_that_checks_run_the_same_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    main, tests = re.findall(r"^pip install -r requirements\.txt.*$", readme, re.MULTILINE)
    assert main == "pip install -r requirements.txt && python -m garment3d workflows/inputs/tshirt.jpg"
    assert tests in (ROOT / ".ci" / "run").read_text("utf-8")
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text("utf-8")
    assert main in workflow and tests in workflow


class Environment(NamedTuple):
    """A throw-away interpreter and the versions of what it believes is installed."""

    python: Path
    installed: dict[str, str]


TORCH = {"torch": "2.11.0", "torchvision": "0.26.0"}
TORCH_NEEDS = ["filelock", "fsspec>=0.8.5", "jinja2", "networkx>=2.5.1", "sympy>=1.13.3", "typing-extensions>=4.10.0"]
NEEDS = {"torch": TORCH_NEEDS, "torchvision": ["numpy", "torch==2.11.0", "pillow!=8.3.*,>=5.3.0"]}
COMFYUI_HAS = ["av>=16", "pillow", "scipy", "tqdm"]
"""Of our own requirements, those ComfyUI has installed before a pack is."""


TRANSFORMERS = ("transformers==4.50.3", "transformers==4.57.*", "transformers>=5")
NUMPYS = ("numpy<2", "numpy>=2")


WITH_DIFFUSERS = (
    ("transformers==4.50.3", "diffusers==0.31.0"),
    ("transformers==4.57.*", "diffusers==0.39.0"),
    ("transformers>=5", "diffusers"),
)
EVERYTHING = ["--requirement", "requirements.txt"]


@pytest.fixture(scope="module")
def planned(index, tmp_path_factory):
    """An environment and pip's plan for it, by what it was made from; pip mostly waits, so several plan at once."""

    def planned_for(wanted: tuple[str, str]) -> tuple[Environment, dict[str, str]]:
        environment = make(tmp_path_factory.mktemp("environment"), *wanted, *COMFYUI_HAS)
        return environment, plan(environment, EVERYTHING)

    pairs = [*product(TRANSFORMERS, NUMPYS), *WITH_DIFFUSERS]
    with ThreadPoolExecutor(6) as pool:
        return dict(zip(pairs, pool.map(planned_for, pairs), strict=True))


@pytest.mark.parametrize("numpy", NUMPYS)
@pytest.mark.parametrize("transformers", TRANSFORMERS)
def test_an_installation_changes_nothing_that_is_there(transformers, numpy, planned):
    """Whatever is installed stays at its version, torch, torchvision, numpy and transformers first of all.

    The environment is a venv that holds metadata and no code: transformers, numpy and all they depend on as the index
    has them now; torch and torchvision (5 GB) written here, with their true requirements but for the graphics card's.
    pip's resolver reads nothing else, and is asked for a plan only.
    """
    environment, new = planned[transformers, numpy]
    assert {"torch", "torchvision", "numpy", "transformers"} <= environment.installed.keys()
    assert new.keys() & environment.installed.keys() == set()
    assert {"scikit-image", "trimesh", "xatlas", "kornia", "segment-anything", "diffusers"} <= new.keys()


@pytest.mark.parametrize("numpy", NUMPYS)
@pytest.mark.parametrize("transformers", TRANSFORMERS)
def test_nor_does_it_line_by_line_as_comfyui_manager_installs(transformers, numpy, planned):
    """The manager hands pip one line after the other as one argument each, in the pack's folder.

    So no line may rely on the others to hold it back, and diffusers can't stand in one by itself. Beside transformers
    in one request, pip finds the diffusers that goes with the installed huggingface-hub. Alone, with no upper bound, it
    brings a hub too new for transformers 4; below 0.40 it takes hub 2 away from transformers 5; below 0.36 it leaves
    the hub alone, but takes an installed newer diffusers away from other packs. So a second file holds the two, which
    pip and uv read when it is named in one word. The price: the manager's optional resolver of all packs at once skips
    such a line, and a person there installs diffusers by hand.
    """
    environment, _ = planned[transformers, numpy]
    changed = {line: new.keys() & environment.installed.keys() for line, new in line_by_line(environment).items()}
    assert not any(changed.values()), changed
    assert any("diffusers" in line for line in changed)


@pytest.mark.parametrize("pair", WITH_DIFFUSERS, ids=" ".join)
def test_a_diffusers_that_is_there_stays_as_it_is(pair, planned):
    environment, new = planned[pair]
    assert "diffusers" in environment.installed
    assert new.keys() & environment.installed.keys() == set()
    nested = [line for line in LINES if line.startswith(NESTED)]
    assert [plan(environment, [line]) for line in nested] == [{}]


@pytest.fixture(scope="module")
def index():
    """Skips where pip reaches no package index."""
    asked = _pip([], ["--ignore-installed", "--no-deps", "tqdm"])
    if asked.returncode:
        pytest.skip(f"pip reaches no package index: {asked.stderr.strip().splitlines()[-1]}")


def make(folder: Path, *requirements: str) -> Environment:
    """A venv that believes in torch, torchvision and the requirements, and in all that these depend on."""
    venv.create(folder / "env", with_pip=False)
    site = next(p for p in (folder / "env").rglob("site-packages") if p.is_dir())
    asked = _pip([], ["--ignore-installed", *requirements, *TORCH_NEEDS, "pillow"])
    assert asked.returncode == 0, asked.stderr
    found = [item["metadata"] for item in json.loads(asked.stdout)["install"]]
    for metadata in found:
        _pretend(site, metadata["name"], metadata["version"], metadata.get("requires_dist", []))
    for name, version in TORCH.items():
        _pretend(site, name, version, NEEDS[name])
    python = next(p for p in (folder / "env").rglob("python*") if p.stem == "python" and p.is_file())
    return Environment(python, {_name(m["name"]): m["version"] for m in found} | TORCH)


def _pretend(site: Path, name: str, version: str, needs: list[str]) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
    (folder / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "INSTALLER").write_text("pip\n", "utf-8")
    (folder / "RECORD").write_text("", "utf-8")


def line_by_line(environment: Environment) -> dict[str, dict[str, str]]:
    """The plan for each line, but for bare names of what is installed: those pip never touches."""
    asked = [line for line in LINES if line not in environment.installed]
    with ThreadPoolExecutor(6) as pool:
        return dict(zip(asked, pool.map(lambda line: plan(environment, [line]), asked), strict=True))


def plan(environment: Environment, requirements: list[str]) -> dict[str, str]:
    """Name to version of what pip would install into the environment."""
    asked = _pip(["--python", str(environment.python)], requirements)
    assert asked.returncode == 0, asked.stderr
    items = [item["metadata"] for item in json.loads(asked.stdout)["install"]]
    return {_name(item["name"]): item["version"] for item in items}


def _pip(before: list[str], after: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *before, "install", "--quiet", "--dry-run"]
    command += ["--only-binary", ":all:", "--retries", "1", "--timeout", "15", "--report", "-", *after]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=200)


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
