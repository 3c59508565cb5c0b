"""A TripoSR of 1.5 million random weights whose scene of any picture has a T-shirt in it.

The learned tokens carry a T-shirt's depth and outline in their first channel, and the decoder's first neuron passes
the sum of the planes' first channels on as raw density; all else is random. The transformer is residual around the
tokens, so the picture bends that shape and colours it; its last layer is scaled so that two pictures differ by some
percent.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

VIT_WIDTH, WIDTH, PLANE_PX, FEATURES, NEURONS = 128, 128, 32, 8, 16
LAYERS, HIDDEN = 2, 3
RADIUS, SURFACE_RAW = 0.87, 1 + np.log(25.0)
"""Half the cube's side, and the raw density at which the official threshold lies."""
PASS = 12.0
"""Added before a SiLU and taken off after it, so that the neuron is the identity."""


def write_triposr(path: Path, seed: int = 0) -> Path:
    """A flat pickle in the official layout, 6 MB."""
    torch.save(tiny_state(seed), path)
    return path


def tiny_state(seed: int = 0) -> OrderedDict[str, torch.Tensor]:
    """The tensors of the checkpoint under the official keys; numpy's frozen generator makes them."""
    random = np.random.RandomState(seed)
    state: OrderedDict[str, torch.Tensor] = OrderedDict()

    def put(key: str, *shape: int, std: float, mean: float = 0.0) -> None:
        state[key] = torch.from_numpy((mean + std * random.standard_normal(shape)).astype(np.float32))

    def linear(key: str, inputs: int, outputs: int, bias: bool = True, gain: float = 1.0) -> None:
        put(f"{key}.weight", outputs, inputs, std=gain / inputs**0.5)
        if bias:
            put(f"{key}.bias", outputs, std=0.1 * gain)

    def norm(key: str, width: int) -> None:
        put(f"{key}.weight", width, std=0.1, mean=1.0)
        put(f"{key}.bias", width, std=0.1)

    _vit(put, linear, norm)
    put("tokenizer.embeddings", 3, WIDTH, PLANE_PX, PLANE_PX, std=0.5)
    state["tokenizer.embeddings"][:, 0] = torch.from_numpy(_shirt_planes())
    _backbone(linear, norm)
    put("post_processor.upsample.weight", WIDTH, FEATURES, 2, 2, std=0.5 / WIDTH**0.5)
    put("post_processor.upsample.bias", FEATURES, std=0.1)
    upsample, bias = state["post_processor.upsample.weight"], state["post_processor.upsample.bias"]
    upsample[:, 0], upsample[0, 0], bias[0] = 0, 1, 0
    _decoder(state, linear)
    return state


def _vit(put, linear, norm) -> None:
    vit = "image_tokenizer.model."
    put(vit + "embeddings.cls_token", 1, 1, VIT_WIDTH, std=0.5)
    put(vit + "embeddings.position_embeddings", 1, 197, VIT_WIDTH, std=0.5)
    put(vit + "embeddings.patch_embeddings.projection.weight", VIT_WIDTH, 3, 16, 16, std=1 / 768**0.5)
    put(vit + "embeddings.patch_embeddings.projection.bias", VIT_WIDTH, std=0.1)
    for i in range(LAYERS):
        layer = f"{vit}encoder.layer.{i}."
        for name in ("attention.attention.query", "attention.attention.key", "attention.attention.value"):
            linear(layer + name, VIT_WIDTH, VIT_WIDTH)
        linear(layer + "attention.output.dense", VIT_WIDTH, VIT_WIDTH)
        linear(layer + "intermediate.dense", VIT_WIDTH, 2 * VIT_WIDTH)
        linear(layer + "output.dense", 2 * VIT_WIDTH, VIT_WIDTH)
        norm(layer + "layernorm_before", VIT_WIDTH)
        norm(layer + "layernorm_after", VIT_WIDTH)
    norm(vit + "layernorm", VIT_WIDTH)
    linear(vit + "pooler.dense", VIT_WIDTH, VIT_WIDTH)


def _backbone(linear, norm) -> None:
    norm("backbone.norm", WIDTH)
    linear("backbone.proj_in", WIDTH, WIDTH)
    for i in range(LAYERS):
        block = f"backbone.transformer_blocks.{i}."
        for attention, seen in (("attn1", WIDTH), ("attn2", VIT_WIDTH)):
            linear(f"{block}{attention}.to_q", WIDTH, WIDTH, bias=False, gain=2.0)
            linear(f"{block}{attention}.to_k", seen, WIDTH, bias=False, gain=2.0)
            linear(f"{block}{attention}.to_v", seen, WIDTH, bias=False)
            linear(f"{block}{attention}.to_out.0", WIDTH, WIDTH)
        for name in ("norm1", "norm2", "norm3"):
            norm(block + name, WIDTH)
        linear(block + "ff.net.0.proj", WIDTH, 8 * WIDTH)
        linear(block + "ff.net.2", 4 * WIDTH, WIDTH)
    linear("backbone.proj_out", WIDTH, WIDTH, gain=0.12)


def _decoder(state: OrderedDict[str, torch.Tensor], linear) -> None:
    widths = [3 * FEATURES, *[NEURONS] * HIDDEN, 4]
    for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        key = f"decoder.layers.{2 * i}"
        linear(key, inputs, outputs, gain=1.5)
        weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
        weight[0] = 0
        weight[0, [0, FEATURES, 2 * FEATURES] if i == 0 else [0]] = 1
        weight[1:, 0] *= 0.0 if i else 1.0  # the carried density is large, and would drown the colours
        bias[0] = {0: PASS, HIDDEN: SURFACE_RAW - PASS}.get(i, 0.0)


def _shirt_planes() -> np.ndarray:
    """[3,P,P] float32 whose sum over a point's three lookups is 0 on the shirt, up to 4 inside, far below outside."""
    middle = (np.arange(PLANE_PX) + 0.5) / PLANE_PX * 2 * RADIUS - RADIUS
    second, first = np.meshgrid(middle, middle, indexing="ij")
    # Plane yz: y (image right) along the width, z (up) along the height.
    body = np.maximum(np.abs(first) - 0.3, np.abs(second) - 0.5)
    sleeve = np.maximum(np.abs(first) - 0.52, np.abs(second - 0.36) - 0.14)
    outline = np.minimum(body, sleeve)
    planes = np.zeros((3, PLANE_PX, PLANE_PX))
    planes[2] = np.clip(2.0 - 25 * outline, -6, 4)
    # Plane xz: depth, x along the width; the front (+x) bulges more than the back.
    depth = first / np.where(first > 0, 0.22, 0.14)
    planes[1] = np.maximum(-2 * depth**2, -30)  # half of it is left at the cube's wall, where lookups fade
    return planes.astype(np.float32)


def picture(hw: tuple[int, int] = (460, 400)) -> tuple[np.ndarray, np.ndarray]:
    """[H,W,3] uint8 smooth colours and a [H,W] mask: a block whose last row and column are nearly transparent.

    The original frames a cut-out without its box's last row and column, and exactly so only where margins come out
    whole: here its frame is the block's own, 400 px for 340.
    """
    rows, columns = np.mgrid[: hw[0], : hw[1]] / 60.0
    waves = np.stack([np.sin(rows + columns), np.cos(2 * rows - columns), np.sin(rows * 0.5) * np.cos(columns)], -1)
    soft = np.zeros(hw, np.float32)
    soft[60:400, 100:280] = 1
    soft[60:140, 100:280] = 0.75
    soft[400, 280] = np.float32(1 / 255)
    return np.round(127.5 + 120 * waves).astype(np.uint8), np.round(soft * 255).astype(np.float32) / 255
