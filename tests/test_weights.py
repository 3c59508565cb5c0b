"""The official files, what they may be used for, and where people keep them; looking around asks no network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from garment3d.__main__ import main
from garment3d.commands import listing
from garment3d.errors import MissingWeights, WeightsError
from garment3d.weights import (
    OFFICIAL,
    ModelFolders,
    find,
    hub_cache,
    identify,
    menu_line,
    model_folders,
    official,
    place,
)

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


# The table


def test_every_entry_says_what_a_person_must_know():
    names = [entry.name for entry in OFFICIAL]
    assert len(set(names)) == len(names)
    for entry in OFFICIAL:
        assert entry.model in ("triposr", "zero123", "sam", "clothes") and entry.folder and entry.files
        assert bool(entry.repo) != all(part.url for part in entry.files)
        assert all(part.url.startswith("https://") for part in entry.files if part.url)
        assert entry.licence and entry.terms.endswith(".")
        for part in entry.files:
            assert part.sha256 is None or len(part.sha256) == 64
            assert part.bytes is None or abs(part.bytes / 1e9 - entry.gigabytes) < 0.01
    assert {entry.model for entry in OFFICIAL} == {"triposr", "zero123", "sam", "clothes"}


def test_a_download_is_called_with_its_size_and_licence_and_what_it_forbids():
    assert menu_line(official("triposr")) == "download TripoSR (1.7 GB, MIT)"
    assert menu_line(official("sam-vit-b")) == "download SAM ViT-B (375 MB, Apache-2.0)"
    limited = [entry.name for entry in OFFICIAL if entry.commercial is False]
    assert limited == ["stable-zero123", "clothes-b2", "clothes-b3", "clothes-b3-fashion"]
    assert all(("non-commercial" in menu_line(entry)) == (entry.commercial is False) for entry in OFFICIAL)


def test_an_unknown_name_is_answered_with_the_known_ones():
    assert official("TripoSR").name == "triposr"
    with pytest.raises(MissingWeights, match=r"sam is no official file; there are triposr, .*sam-vit-h"):
        official("sam")


# Where they lie


def layout(folder, projection, ending=".safetensors"):
    """A diffusers folder of Zero123."""
    for part in ("unet", "vae", "image_encoder", projection):
        touch(folder / part / f"model{ending}", folder / part / "config.json")
    touch(folder / "safety_checker" / "model.bin", folder / "model_index.json")
    return folder


def parser(folder, labels=("Background", "Upper-clothes", "Dress"), **config):
    touch(folder / "model.safetensors")
    held = {"model_type": "segformer", "id2label": dict(enumerate(labels)), **config}
    (folder / "config.json").write_text(json.dumps(held))
    return folder


def found(model, models_dir):
    return [path.relative_to(models_dir).as_posix() for path in find(model, model_folders(models_dir))]


def test_empty_and_missing_folders_hold_nothing(tmp_path):
    for model in ("triposr", "zero123", "sam", "clothes"):
        assert find(model, ModelFolders()) == ()
        assert find(model, model_folders(tmp_path / "none")) == ()


def test_triposr_is_found_by_its_names_its_folder_or_its_size(tmp_path):
    touch(
        tmp_path / "checkpoints" / "3D" / "TripoSR_fp16.safetensors",
        tmp_path / "garment3d" / "TripoSR" / "model.ckpt",
        tmp_path / "checkpoints" / "tripo_sr.ckpt",
        tmp_path / "checkpoints" / "TripoSG.safetensors",
        tmp_path / "checkpoints" / "other" / "model.ckpt",
        tmp_path / "garment3d" / "TripoSR" / "config.yaml",
    )
    with (tmp_path / "checkpoints" / "model.ckpt").open("wb") as file:
        file.truncate(1_677_246_742)  # a hole in the disk, as Flowty's pack has people place the file
    assert found("triposr", tmp_path) == [
        "checkpoints/3D/TripoSR_fp16.safetensors",
        "checkpoints/tripo_sr.ckpt",
        "garment3d/TripoSR/model.ckpt",
        "checkpoints/model.ckpt",
    ]


def test_zero123_is_found_as_file_and_in_every_layout_and_its_parts_are_not(tmp_path):
    touch(
        tmp_path / "checkpoints" / "stable_zero123.ckpt",
        tmp_path / "checkpoints" / "Stable_Zero123_C.ckpt",
        tmp_path / "checkpoints" / "zero123" / "105000.ckpt",
        tmp_path / "checkpoints" / "ZERO123-XL.ckpt",
        tmp_path / "checkpoints" / "zero123plus_v1.2.safetensors",
        tmp_path / "checkpoints" / "sd15.safetensors",
        tmp_path / "diffusers" / "zero123-half" / "unet" / "model.safetensors",
    )
    layout(tmp_path / "diffusers" / "kxic" / "zero123-165000", "cc_projection", ".bin")
    layout(tmp_path / "diffusers" / "zero123-xl-diffusers", "clip_camera_projection")
    layout(tmp_path / "garment3d" / "named_by_me", "clip_camera_projection")
    assert found("zero123", tmp_path) == [
        "checkpoints/ZERO123-XL.ckpt",
        "diffusers/zero123-xl-diffusers",
        "checkpoints/zero123/105000.ckpt",
        "diffusers/kxic/zero123-165000",
        "checkpoints/Stable_Zero123_C.ckpt",
        "checkpoints/stable_zero123.ckpt",
        "garment3d/named_by_me",
    ]


def test_sam_is_found_largest_first_and_its_relatives_are_left(tmp_path):
    names = ("sam_vit_b_01ec64.pth", "sam_vit_h_4b8939.pth", "SAM-ViT-L.safetensors", "sam_hq_vit_h.pth")
    touch(*(tmp_path / "sams" / name for name in (*names, "mobile_sam.pt", "sam2_hiera_large.pt", "notes.txt")))
    assert found("sam", tmp_path) == [f"sams/{names[1]}", f"sams/{names[2]}", f"sams/{names[0]}"]


def test_a_clothes_parser_is_a_folder_known_by_its_config(tmp_path):
    parser(tmp_path / "garment3d" / "segformer-b3-fashion", ("shirt, blouse", "skirt"))
    parser(tmp_path / "garment3d" / "deep" / "segformer_b2_clothes")
    parser(tmp_path / "garment3d" / "streets", ("road", "building"))
    parser(tmp_path / "garment3d" / "vit_clothes", model_type="vit")
    touch(tmp_path / "garment3d" / "broken" / "config.json", tmp_path / "garment3d" / "broken" / "model.safetensors")
    shutil.rmtree(parser(tmp_path / "garment3d" / "empty_clothes") / "model.safetensors", ignore_errors=True)
    (tmp_path / "garment3d" / "empty_clothes" / "model.safetensors").unlink()
    assert found("clothes", tmp_path) == ["garment3d/deep/segformer_b2_clothes", "garment3d/segformer-b3-fashion"]


def test_extra_model_paths_are_read_as_comfyui_reads_them(tmp_path):
    (tmp_path / "ComfyUI" / "models" / "checkpoints").mkdir(parents=True)
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(
        "mine:\n  base_path: ../shelf\n  sams: sam\n  checkpoints: |\n    a/\n    b\n  garment3d: mine\n"
        f"far:\n  is_default: true\n  checkpoints: {tmp_path.as_posix()}/far\nempty:\nlist: [1]\n"
    )
    shelf = tmp_path / "shelf"
    for given in (tmp_path / "ComfyUI" / "models", tmp_path / "ComfyUI"):
        folders = model_folders(given)
        models = tmp_path / "ComfyUI" / "models"
        assert folders.checkpoints == (tmp_path / "far", models / "checkpoints", shelf / "a", shelf / "b")
        assert folders.sams == (models / "sams", shelf / "sam")
        assert folders.pack == (models / "garment3d", shelf / "mine")
        assert folders.diffusers == (models / "diffusers",)


def test_a_broken_extra_model_paths_is_one_sentence(tmp_path):
    (tmp_path / "extra_model_paths.yaml").write_text("a: [1\nb: {")
    with pytest.raises(WeightsError, match=r"extra_model_paths.yaml can't be read as YAML .* mend or remove it\.$"):
        model_folders(tmp_path)


def cached(repo, *files, revision="1a2b", main=True):
    folder = hub_cache() / f"models--{repo.replace('/', '--')}"
    touch(*(folder / "snapshots" / revision / file for file in files))
    if main:
        touch(folder / "refs" / "main")
        (folder / "refs" / "main").write_text(revision)
    return folder / "snapshots" / revision


def test_the_hugging_face_cache_is_searched_in_its_current_snapshot(tmp_path):
    cached("stabilityai/TripoSR", "model.ckpt", revision="old", main=False)
    new = cached("stabilityai/TripoSR", "model.ckpt", "config.yaml", revision="new")
    os.utime(new.parent / "old")
    assert find("triposr", ModelFolders()) == (new / "model.ckpt",)
    kxic = layout(cached("kxic/zero123-xl", "README.md"), "cc_projection")
    official_file = cached("cvlab/zero123-weights", "105000.ckpt") / "105000.ckpt"
    assert find("zero123", ModelFolders()) == (kxic, official_file)
    clothes = parser(cached("mattmdjaga/segformer_b2_clothes", "README.md"))
    assert find("clothes", ModelFolders()) == (clothes,)
    cached("facebook/sam-vit-huge", "model.safetensors")  # transformers' layout is none that we read
    assert find("sam", ModelFolders()) == ()


def test_a_link_into_a_pruned_cache_is_no_file(tmp_path):
    snapshot = cached("stabilityai/TripoSR", "README.md")
    try:
        (snapshot / "model.ckpt").symlink_to(tmp_path / "gone")
    except OSError:
        pytest.skip("this system makes no links for users")
    assert find("triposr", ModelFolders()) == ()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/b"}, "/b"),
        ({"HF_HOME": "/c"}, "/c/hub"),
        ({"HF_HOME": "$SHELF/f", "SHELF": "/e"}, "/e/f/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
        ({}, str(Path("~/.cache/huggingface/hub").expanduser())),
    ],
)
def test_the_cache_is_where_its_own_library_looks(variables, expected, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache() == Path(expected)
    asked = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert Path(told.stdout.strip()) == Path(expected)


def test_looking_around_opens_no_socket(tmp_path, monkeypatch, capsys):
    def never(*_, **__):
        raise AssertionError("a socket was opened")

    touch(tmp_path / "sams" / "sam_vit_b_01ec64.pth")
    monkeypatch.setattr(socket, "socket", never)
    monkeypatch.setattr(socket, "create_connection", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    for model in ("triposr", "zero123", "sam", "clothes"):
        find(model, model_folders(tmp_path))
    assert main(["weights", "list", "--models", str(tmp_path)]) == 0
    [menu_line(entry) for entry in OFFICIAL]
    identify("sam", tmp_path / "sams" / "sam_vit_b_01ec64.pth")
    assert "sam_vit_b_01ec64.pth" in capsys.readouterr().out


def test_a_list_of_a_folder_that_is_none_is_refused(tmp_path, capsys):
    assert main(["weights", "list", "--models", str(tmp_path / "modles")]) == 1
    told = capsys.readouterr()
    assert "modles is no folder" in told.err and not told.out


def test_the_list_says_licence_limits_and_place(tmp_path):
    own = place(official("sam-vit-b"), tmp_path) / "sam_vit_b_01ec64.pth"
    clothes = parser(place(official("clothes-b2"), tmp_path))
    other = tmp_path / "checkpoints" / "stable_zero123_pruned.safetensors"
    touch(own, other)
    os.truncate(own, official("sam-vit-b").files[0].bytes)  # a hole on the disk, as long as the real one
    lines = listing(tmp_path)
    text = "\n".join(lines)
    for entry in OFFICIAL:
        line = next(i for i, line in enumerate(lines) if line.startswith(f"{entry.name} "))
        assert entry.title in lines[line] and entry.licence in lines[line]
        assert ("NON-COMMERCIAL" in lines[line]) == (entry.commercial is False)
    assert text.count("on disk: ") == 2 and f"on disk: {own}" in text and f"on disk: {clothes}" in text
    assert f"zero123: {other}" in text
    assert "--models DIR" in listing(None)[-1]
