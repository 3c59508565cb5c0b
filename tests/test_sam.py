"""SAM against segment_anything's own SamPredictor, on a reduced model written in the official layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from garment3d.mask.sam_checkpoint import build_sam, load_sam, sam_dims

from .tiny.sam import tiny_sam, write_sam


@pytest.fixture(scope="module")
def sam_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam") / "sam_vit_b_tiny.pth"
    write_sam(path)
    return path


def settings(module: torch.nn.Module) -> dict[str, Any]:
    """Every plain value that any part of a network was built with, by its path."""
    kinds = (int, float, str, bool, tuple)
    return {
        f"{name}.{key}": value
        for name, part in module.named_modules()
        for key, value in vars(part).items()
        if isinstance(value, kinds) and not key.startswith("_")
    }


@pytest.mark.parametrize(("name", "numbers"), [("vit_b", 93735728), ("vit_l", 312343088), ("vit_h", 641090864)])
def test_the_official_sizes_are_read_from_the_tensors(name: str, numbers: int) -> None:
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        official = sam_model_registry[name]()
    tensors = official.state_dict()
    assert sum(tensor.numel() for tensor in tensors.values()) == pytest.approx(numbers, abs=0)
    ours = build_sam(sam_dims(tensors))
    assert {key: tuple(t.shape) for key, t in ours.state_dict().items()} == {
        k: tuple(t.shape) for k, t in tensors.items()
    }
    assert [type(part) for part in ours.modules()] == [type(part) for part in official.modules()]
    wanted = settings(official) | {".training": True}
    assert {
        "image_encoder.img_size",
        "image_encoder.blocks.0.window_size",
        "image_encoder.blocks.0.attn.num_heads",
    } <= set(wanted)
    found = settings(ours)
    different = {
        key: (found.get(key), value)
        for key, value in wanted.items()
        if found.get(key) != value and "training" not in key
    }
    assert not different and set(found) == set(wanted)


def test_a_file_gives_the_network_that_was_saved(sam_file: Path) -> None:
    sam, saved = load_sam(sam_file), tiny_sam()
    assert not sam.training and sam.device == torch.device("cpu")
    for (key, ours), (same, theirs) in zip(sam.state_dict().items(), saved.state_dict().items(), strict=True):
        assert key == same and torch.equal(ours, theirs)
    assert torch.equal(sam.pixel_mean, saved.pixel_mean) and torch.equal(sam.pixel_std, saved.pixel_std)
    assert not any(tensor.is_meta for tensor in (*sam.parameters(), *sam.buffers()))
