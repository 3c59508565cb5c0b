"""Model files as people have them, whole, odd and bad: tensors come out or one sentence, and nothing in them runs."""

from __future__ import annotations

import os
import pickle
import re
import sys
import types
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from garment3d.checkpoint import TITLES, demand, fill, kind_of, read_tensors
from garment3d.errors import MissingWeights, WeightsError


class Evil:
    """A pickle of it makes a folder when it is read by a reader that runs what it is told."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class Score:
    """Pickles as numpy 1 or 2 writes a float64, whichever of the two runs this test."""

    def __init__(self, module):
        self.module = module

    def __reduce__(self):
        return sys.modules[self.module].scalar, (np.dtype("f8"), np.float64(0.25).tobytes())


def named(module, name):
    """A function that pickles as `module.name`."""

    def stand_in(*_):
        raise AssertionError("only its name is pickled")

    stand_in.__module__, stand_in.__name__, stand_in.__qualname__ = module, name, name
    return stand_in


def lightning(state, path, monkeypatch, scalar="numpy.core.multiarray"):
    """Writes the state dict as Zero123's training left it: optimiser moments, loops and callbacks around it.

    The file holds the globals ModelCheckpoint, numpy's scalar and dtype, and _codecs.encode, all in protocol 2.
    """
    callbacks = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    callbacks.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": callbacks.__name__})
    numpy_part = types.ModuleType(scalar)
    numpy_part.scalar = named(scalar, "scalar")
    with monkeypatch.context() as patch:
        for module in (callbacks, numpy_part):
            for parent in (module.__name__.rsplit(".", i)[0] for i in (1, 2)):
                if parent not in sys.modules:
                    patch.setitem(sys.modules, parent, types.ModuleType(parent))
            patch.setitem(sys.modules, module.__name__, module)
        moments = {i: {"step": 7, "exp_avg": value.clone()} for i, value in enumerate(state.values())}
        held = {
            "epoch": 11,
            "global_step": 105000,
            "pytorch-lightning_version": "1.4.2",
            "state_dict": OrderedDict(state),
            "callbacks": {callbacks.ModelCheckpoint: {"best_model_score": Score(scalar), "dirpath": "logs"}},
            "optimizer_states": [{"state": moments, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]}],
            "lr_schedulers": [{"last_epoch": 105000, "_last_lr": [1e-4]}],
        }
        torch.save(held, path)


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(1)
    return {
        "cc_projection.weight": torch.randn(8, 12, generator=generator),
        "model.diffusion_model.out.2.bias": torch.randn(300, 100, generator=generator),
        "model_ema.num_updates": torch.tensor(3),
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].dtype == value.dtype and torch.equal(found[key], value), key


def mapped(path):
    """The address ranges that the process has mapped of the file."""
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(path))]
    return [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in lines]


# Whole files


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_gives_its_flat_state_dict(state, tmp_path, wrap, zipped):
    path = tmp_path / "model.pth"
    torch.save({wrap: state, "epoch": 3} if wrap else state, path, _use_new_zipfile_serialization=zipped)
    assert zipfile.is_zipfile(path) == zipped
    assert_same(read_tensors(path), state)


def test_safetensors_give_the_same(state, tmp_path):
    from safetensors.torch import save_file

    save_file(state, tmp_path / "model.safetensors")
    assert_same(read_tensors(tmp_path / "model.safetensors"), state)


def test_a_safetensors_header_of_any_length_is_no_pickle(state, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    for length in range(0, 256, 8):  # headers are padded to eights; one in 32 begins like a pickle
        save_file(state, path, {"note": " " * length})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert_same(read_tensors(path), state)


def test_the_beginning_of_a_file_says_what_it_is_and_not_its_name(state, tmp_path):
    from safetensors.torch import save_file

    save_file(state, tmp_path / "model.ckpt")
    torch.save(state, tmp_path / "model.safetensors")
    for name in ("model.ckpt", "model.safetensors"):
        assert_same(read_tensors(tmp_path / name), state)


@pytest.mark.parametrize("scalar", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_a_lightning_file_opens_and_only_its_state_dict_is_kept(state, tmp_path, monkeypatch, scalar):
    path = tmp_path / "zero123-xl.ckpt"
    lightning(state, path, monkeypatch, scalar)
    with zipfile.ZipFile(path) as file:
        pickled = file.read(next(name for name in file.namelist() if name.endswith("data.pkl")))
    for module, name in (
        ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"),
        (scalar, "scalar"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    ):
        assert f"c{module}\n{name}\n".encode() in pickled
    before = set(map(str, torch.serialization.get_safe_globals()))
    with pytest.raises(pickle.UnpicklingError):  # torch by itself refuses such files
        torch.load(path, weights_only=True)
    assert_same(read_tensors(path), state)
    assert set(map(str, torch.serialization.get_safe_globals())) == before


def test_what_others_registered_with_torch_stays_registered(state, tmp_path, monkeypatch):
    path = tmp_path / "105000.ckpt"
    lightning(state, path, monkeypatch)
    theirs = {np.dtype, type(np.dtype("f8"))}
    with torch.serialization.safe_globals(list(theirs)):
        assert_same(read_tensors(path), state)
        assert theirs <= set(torch.serialization.get_safe_globals())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["zip", "lightning", "safetensors"])
def test_tensors_lie_in_the_file_and_not_in_memory(state, tmp_path, monkeypatch, kind):
    from safetensors.torch import save_file

    path = tmp_path / "large.ckpt"
    writers = {
        "zip": lambda: torch.save(state, path),
        "lightning": lambda: lightning(state, path, monkeypatch),
        "safetensors": lambda: save_file(state, path),
    }
    writers[kind]()
    tensors = read_tensors(path)
    ranges = mapped(path)
    for key, value in tensors.items():
        assert any(low <= value.data_ptr() < high for low, high in ranges), f"{key} is a copy"


def test_writing_into_a_read_tensor_leaves_the_file_alone(state, tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save(state, path)
    before = path.read_bytes()
    read_tensors(path)["cc_projection.weight"].zero_()
    assert path.read_bytes() == before
    assert_same(read_tensors(path), state)


# Bad files: one sentence each


def refused(path, *words):
    """The sentence of the WeightsError, which holds the file's name and the words."""
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    text = str(caught.value)
    assert path.name in text and text.endswith(".") and "\n" not in text and len(text) < 400
    for word in words:
        assert word in text
    return text


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(MissingWeights, match="does not exist"):
        read_tensors(tmp_path / "none.ckpt")
    refused(tmp_path, "folder")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html><title>Sign in</title></html>", "web page"),
        (b'{"error": "Repository not found"}', "JSON"),
        (b"Access denied, you have to be logged in", "text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:429e\nsize 1677246742\n", "Git LFS pointer"),
        (bytes(4096), "zeros"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "89 50 4e 47"),
        (b"Rar!\x1a\x07\x00\xff\xfe", "52 61 72 21"),
    ],
)
def test_something_else_saved_under_that_name(tmp_path, content, words):
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    refused(path, words, "download it again")


@pytest.mark.parametrize("layout", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.9, 0.999])
def test_a_truncated_file(state, tmp_path, layout, share):
    from safetensors.torch import save_file

    path = tmp_path / "model.ckpt"
    if layout == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=layout == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, f"{tmp_path.name}/model.ckpt is damaged or ends too early", f"{path.stat().st_size:,} bytes")


def test_a_zip_of_something_else(tmp_path):
    path = tmp_path / "model.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "no weights")
    refused(path, "ZIP archive without weights (readme.txt)")


def test_a_torchscript_program(tmp_path):
    path = tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, its files are still about
        torch.jit.save(torch.jit.script(torch.nn.ReLU()), path)
    refused(path, "TorchScript")


def test_a_mapping_within_itself_has_an_end(tmp_path):
    held = {"a": 1}
    held["model"] = held
    torch.save(held, tmp_path / "model.ckpt")
    refused(tmp_path / "model.ckpt", "without tensors")


@pytest.mark.parametrize("held", [{}, {"a": 1, "b": "x"}, [1, 2], 3, {"state_dict": {}}])
def test_a_pickle_without_tensors(tmp_path, held):
    torch.save(held, tmp_path / "model.ckpt")
    refused(tmp_path / "model.ckpt", "without tensors")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("place", ["top", "inside", "lightning"])
@pytest.mark.parametrize("writer", ["zip", "legacy", "pickle 2", "pickle 4"])
def test_a_pickle_that_would_run_code_runs_nothing(state, tmp_path, writer, place):
    trace = tmp_path / "it_ran"
    held = {
        "top": Evil(trace),
        "inside": {**state, "extra": Evil(trace)},
        "lightning": {"state_dict": state, "callbacks": Evil(trace)},
    }[place]
    path = tmp_path / "model.ckpt"
    if writer.startswith("pickle"):
        with path.open("wb") as file:
            pickle.dump(held, file, protocol=int(writer[-1]))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=writer == "zip")
    refused(path)
    assert not trace.exists()
    # The file is a real one: an unguarded reader runs it.
    if writer.startswith("pickle"):
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert trace.exists()


def test_it_is_said_what_a_pickle_wanted_to_run(state, tmp_path):
    torch.save({**state, "extra": Evil(tmp_path / "it_ran")}, tmp_path / "model.ckpt")
    text = refused(tmp_path / "model.ckpt", "nothing in it was run")
    assert re.search(r"run (posix|nt|os)\.mkdir", text)


@pytest.mark.parametrize("call", [(print, ("x",)), (eval, ("1",)), (getattr, (1, "real")), (__import__, ("os",))])
def test_nor_do_builtins_run(tmp_path, call):
    class Sly:
        def __reduce__(self):
            return call

    torch.save({"a": Sly()}, tmp_path / "model.ckpt")
    refused(tmp_path / "model.ckpt", call[0].__name__, "nothing in it was run")


# Into the network


def network():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))


def test_a_network_without_memory_takes_the_tensors_themselves():
    tensors = network().state_dict()
    with torch.device("meta"):
        empty = network()
    fill(empty, tensors, "model.ckpt")
    assert_same(empty.state_dict(), tensors)
    assert empty.get_parameter("0.weight").data_ptr() == tensors["0.weight"].data_ptr()
    assert empty.get_buffer("1.num_batches_tracked").dtype == torch.int64


def test_half_precision_stays():
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network().state_dict().items()}
    target = network()
    fill(target, tensors, "model.ckpt")
    assert target.get_parameter("0.weight").dtype == torch.float16


def test_every_misfit_is_counted_and_the_first_are_named():
    tensors = dict(network().state_dict())
    del tensors["0.bias"], tensors["1.weight"]
    tensors["0.weight"] = torch.zeros(3, 5)
    tensors |= {f"new.{i}": torch.zeros(1) for i in range(5)}
    target = network()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        fill(target, tensors, "model.ckpt")
    text = str(caught.value)
    assert text.startswith("model.ckpt does not fit: 2 of 7 tensors missing (0.bias, 1.weight)")
    assert "5 unknown (new.0, new.1, new.2, …)" in text
    assert "1 of another shape (0.weight is 3×5 instead of 3×4)" in text
    assert_same(target.state_dict(), before)


@pytest.mark.parametrize("kind", [torch.int8, torch.complex64])
def test_tensors_that_are_no_floats_are_not_taken_for_weights(kind):
    tensors = {k: v.to(kind) if k == "0.weight" else v for k, v in network().state_dict().items()}
    name = str(kind).removeprefix("torch.")
    with pytest.raises(WeightsError, match=rf"1 of another type than floats \(0.weight is {name}\)"):
        fill(network(), tensors, "model.ckpt")


SAM = ("image_encoder.patch_embed.proj.weight", "image_encoder.pos_embed", "mask_decoder.iou_token.weight")
TRIPOSR = ("image_tokenizer.model.pooler.dense.bias", "tokenizer.embeddings", "post_processor.upsample.weight")
KEYS = {
    "triposr": TRIPOSR,
    "sam": SAM,
    "sam-hq": (*SAM, "mask_decoder.hf_token.weight"),
    "mobilesam": ("image_encoder.patch_embed.seq.0.c.weight", "mask_decoder.iou_token.weight"),
    "sam2": ("image_encoder.trunk.patch_embed.proj.weight", "sam_mask_decoder.iou_token.weight"),
    "sam transformers": ("vision_encoder.patch_embed.projection.weight", "mask_decoder.iou_token.weight"),
    "zero123": ("cc_projection.weight", "model.diffusion_model.out.2.bias", "first_stage_model.quant_conv.bias"),
    "stable diffusion": ("model.diffusion_model.out.2.bias", "first_stage_model.quant_conv.bias"),
    "diffusers unet": ("time_embedding.linear_1.weight", "down_blocks.0.resnets.0.conv1.weight"),
    "vae": ("decoder.conv_in.weight", "encoder.conv_in.weight"),
    "clothes": ("segformer.encoder.layer_norm.0.weight", "decode_head.classifier.weight"),
    "segformer backbone": ("segformer.encoder.layer_norm.0.weight", "classifier.weight"),
    "clip vision": ("vision_model.post_layernorm.weight", "visual_projection.weight"),
    "": ("layer.weight",),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_model_is_known_by_its_keys(kind):
    assert kind_of(KEYS[kind]) == kind
    assert kind_of(frozenset((*KEYS[kind], "further.weight"))) == kind
    assert not kind or kind in TITLES


def test_another_known_model_is_called_by_its_name(tmp_path):
    sam = {key: torch.zeros(1) for key in SAM}
    demand(sam, "sam", tmp_path / "sam_vit_b.pth")
    with pytest.raises(WeightsError, match=r"sam_vit_b.pth is SAM, and TripoSR was expected"):
        demand(sam, "triposr", tmp_path / "sam_vit_b.pth")
    with pytest.raises(WeightsError, match=r"no model known here \(1 tensors: a, …\)"):
        demand({"a": torch.zeros(1)}, "triposr", tmp_path / "x.ckpt")
    target = torch.nn.Module()
    for name in ("post_processor.upsample", "tokenizer"):
        *path, last = name.split(".")
        part = target
        for step in path:
            part.add_module(step, torch.nn.Module())
            part = part.get_submodule(step)
        part.add_module(last, torch.nn.Embedding(1, 1))
    target.tokenizer.embeddings = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(WeightsError, match="does not fit: it is SAM: 3 of 3 tensors missing"):
        fill(target, sam, "sam_vit_b.pth")
