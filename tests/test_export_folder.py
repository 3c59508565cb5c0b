"""A folder of results changes as a whole or not at all, and never loses what is a person's own."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from garment3d.errors import SaveError
from garment3d.export.folder import OURS, staged, unique_names
from garment3d.export.turntable import save_mp4
from garment3d.images import replace_file


def fill(room, text, views=("000",)):
    (room / "mask.png").write_text(text)
    for name in views:
        replace_file(room / "views" / f"{name}.png", text.encode())
    (room / "report.json").write_text(text)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_second_run_replaces_the_first_and_leaves_a_persons_files(tmp_path):
    folder = tmp_path / "out" / "shirt"
    with staged(folder) as room:
        fill(room, "first", ("000", "010"))
        (room / "turntable.mp4").write_text("first")
        assert not folder.exists() or not any(folder.iterdir())
    (folder / "shirt.blend").write_text("mine")
    with staged(folder) as room:
        fill(room, "second")
    assert contents(folder) == {
        "mask.png": "second", "views/000.png": "second", "report.json": "second", "shirt.blend": "mine",
    }  # fmt: skip
    assert [p.name for p in folder.parent.iterdir()] == ["shirt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(28, "No space left on device")])
def test_a_run_that_stops_leaves_the_folder_as_it_was(tmp_path, error):
    folder = tmp_path / "shirt"
    with staged(folder) as room:
        fill(room, "first")
    before = contents(tmp_path)
    with pytest.raises(SaveError if isinstance(error, OSError) else error), staged(folder) as room:
        fill(room, "second")
        raise error
    assert contents(tmp_path) == before


def test_a_run_that_fails_makes_no_folders(tmp_path):
    with pytest.raises(KeyError), staged(tmp_path / "out" / "shirt"):
        raise KeyError
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("failing", range(5))
def test_a_move_that_fails_half_way_is_taken_back(tmp_path, monkeypatch, failing):
    folder = tmp_path / "shirt"
    with staged(folder) as room:
        fill(room, "first")
    before, real, count = contents(tmp_path), os.replace, 0

    def flaky(source, target):
        nonlocal count
        count += 1
        if count == failing + 4:  # three moves belong to filling the room, each file's own
            raise OSError(5, "Input/output error")
        real(source, target)

    with pytest.raises(SaveError, match="Input/output error"), staged(folder) as room:
        fill(room, "second")
        count = 3
        monkeypatch.setattr(os, "replace", flaky)
    assert contents(tmp_path) == before


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SaveError, match=r"out is a file where a folder is needed; choose another folder\.$"):
        with staged(tmp_path / "out" / "shirt"):
            raise AssertionError("nothing can be written there")
    assert (tmp_path / "out").read_text() == "a file"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB, mounted for the test; skips where that is not allowed."""
    if os.name != "posix" or not shutil.which("mount"):
        pytest.skip("no small disk can be mounted on this system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip() or 'not allowed'}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def write_much(room):
    replace_file(room / "garment.glb", bytes(400_000))


def film_much(room):
    noise = np.random.default_rng(0).integers(0, 256, (24, 256, 256, 3), np.uint8)
    save_mp4(room / "turntable.mp4", noise)


@pytest.mark.parametrize("write", [write_much, film_much])
def test_a_disk_that_is_really_full_leaves_the_old_folder(small_disk, write):
    with staged(small_disk / "shirt") as room:
        fill(room, "first")
    before = contents(small_disk)
    with pytest.raises(SaveError, match=r"shirt was not saved: the disk is full; free some space"):
        with staged(small_disk / "shirt") as room:
            fill(room, "second")
            write(room)
    assert contents(small_disk) == before


def test_the_report_is_moved_last():
    assert OURS[-2:] == ("report.json", "report.html")


def test_photos_of_one_name_get_folders_of_their_own():
    assert unique_names(["a", "b", "a", "A"]) == ("a", "b", "a-2", "A-3")
    assert unique_names(["a", "a-2", "a", "a"]) == ("a", "a-2", "a-3", "a-4")
    names = unique_names(["a", "a", "a-2"])
    assert len({name.casefold() for name in names}) == 3 and names[2] == "a-2"
