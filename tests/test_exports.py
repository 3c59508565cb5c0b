"""The public list: every name is there, says what it is, and type checkers see the same list."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import garment3d

ROOT = Path(__file__).parents[1]
PIPELINE = [
    "read_photo",
    "quick_mask",
    "garment_shell",
    "texture_garment",
    "rendered_orbit",
    "mesh_files",
    "run",
    "save",
]


@pytest.mark.parametrize("name", garment3d.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(garment3d, name)
    assert inspect.isclass(value) or callable(value)
    assert inspect.getdoc(value), f"{name} has no docstring"
    assert value.__module__.startswith("garment3d.")


def test_the_list_is_in_the_order_of_the_route():
    places = [garment3d.__all__.index(name) for name in PIPELINE]
    assert places == sorted(places)


def test_type_checkers_see_the_same_names_from_the_same_places():
    tree = ast.parse(Path(garment3d.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == garment3d._HOMES


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = garment3d.nonsense
    assert set(garment3d.__all__) <= set(dir(garment3d))


def test_no_public_name_hides_a_module():
    modules = {path.stem for path in Path(garment3d.__file__).parent.iterdir()}
    assert not modules & set(garment3d.__all__)


def test_the_version_is_the_projects():
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None and found[1] == garment3d.__version__
