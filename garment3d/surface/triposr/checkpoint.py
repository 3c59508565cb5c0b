"""The official TripoSR checkpoint, read strictly into this package's network.

Sizes come from the tensors, so a reduced model in the same layout loads as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...checkpoint import demand, fill, read_tensors
from .network import Dims, TripoSR
from .parts import HEAD_WIDTH


def load_triposr(path: Path, ops: Any = nn, dtype: torch.dtype | None = None) -> TripoSR:
    """The network on the CPU, in eval mode and without gradients, its tensors mapped from the file.

    With a `dtype` all but the decoder, which is small and sets the surface, is converted; a file that is not a whole
    TripoSR checkpoint raises WeightsError.
    """
    path = Path(path)
    tensors = read_tensors(path)
    demand(tensors, "triposr", path)
    with torch.device("meta"):
        model = TripoSR(dims_of(tensors), ops)
    fill(model, tensors, path.name)
    if dtype is not None:
        for name, part in model.named_children():
            if name != "decoder":
                part.to(dtype)
    return model.eval().requires_grad_(False)


def dims_of(tensors: Mapping[str, torch.Tensor]) -> Dims:
    """Sizes read from a checkpoint's tensors, the official ones where a tensor is missing or of another kind."""
    official = Dims()
    vit, blocks = "image_tokenizer.model.", "backbone.transformer_blocks."
    positions = _side(tensors, vit + "embeddings.position_embeddings", 3, 1, official.positions)
    return Dims(
        _heads(_side(tensors, vit + "embeddings.cls_token", 3, 2, official.vit_width), official.vit_width),
        _count(tensors, re.escape(vit) + r"encoder\.layer\.(\d+)\.", official.vit_layers),
        _side(tensors, vit + "encoder.layer.0.intermediate.dense.weight", 2, 0, official.vit_mlp),
        positions,
        _side(tensors, vit + "embeddings.patch_embeddings.projection.weight", 4, 2, official.patch),
        _heads(_side(tensors, "tokenizer.embeddings", 4, 1, official.width), official.width),
        _count(tensors, re.escape(blocks) + r"(\d+)\.", official.layers),
        _side(tensors, "tokenizer.embeddings", 4, 2, official.plane_px),
        _side(tensors, "post_processor.upsample.bias", 1, 0, official.features),
        _side(tensors, "decoder.layers.0.weight", 2, 0, official.decoder_width),
        _count(tensors, r"decoder\.layers\.(\d+)\.weight", official.decoder_hidden + 1) - 1,
    )


def _side(tensors: Mapping[str, torch.Tensor], key: str, ndim: int, axis: int, otherwise: int) -> int:
    tensor = tensors.get(key)
    return tensor.shape[axis] if tensor is not None and tensor.ndim == ndim else otherwise


def _heads(width: int, otherwise: int) -> int:
    return width if width and width % HEAD_WIDTH == 0 else otherwise


def _count(tensors: Mapping[str, torch.Tensor], pattern: str, otherwise: int) -> int:
    found = {match.group(1) for key in tensors if (match := re.match(pattern, key))}
    return len(found) or otherwise
