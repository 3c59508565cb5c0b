"""A Zero123 checkpoint that ComfyUI's own loader takes for one: official names, and small where its sizes are read.

Core reads the UNet's and the decoder's sizes from the file but insists on 320 channels, on the VAE's encoder and on
the whole ViT-L; those tensors are windows onto a few random numbers, so that the file stays at a few MB.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch

from tests.tiny.zero123 import Shapes, Sizes, clip_shapes, unet_shapes, vae_shapes

SIZES = Sizes(unet=320, mult=(1, 1), unet_blocks=1, context=768, vae=128, vae_mult=(1, 2, 4, 4), vae_blocks=2,
              clip=1024, clip_layers=24)  # fmt: skip
NARROW = Sizes(vae=32, vae_mult=(1, 2, 4, 4), vae_blocks=2)
STEP = 7
"""How far a tensor's rows lie apart in the shared numbers."""


def write_core_zero123(path: Path) -> None:
    """Writes "state_dict" without EMA, as ComfyUI ignores it."""
    vae = {k: s for k, s in vae_shapes(SIZES).items() if not k.startswith("decoder.")}
    vae |= {k: s for k, s in vae_shapes(NARROW).items() if k.startswith("decoder.")}
    parts = {
        "model.diffusion_model.": unet_shapes(SIZES),
        "first_stage_model.": vae,
        "cond_stage_model.model.visual.": clip_shapes(SIZES),
        "cc_projection.": {"weight": (768, 772), "bias": (768,)},
    }
    torch.save({"state_dict": windows({p + k: s for p, part in parts.items() for k, s in part.items()})}, path)


def windows(shapes: Shapes) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(0)
    numbers: dict[int, torch.Tensor] = {}
    tensors = {}
    for key, shape in shapes.items():
        row = math.prod(shape[1:])
        if len(shape) < 2:
            tensors[key] = torch.full(shape, 1.0 if key.endswith("weight") else 0.01)
            continue
        if row not in numbers:
            numbers[row] = torch.randn(STEP * 5000 + row, generator=made) / math.sqrt(row)
        strides = [STEP, *(math.prod(shape[i + 1 :]) for i in range(1, len(shape)))]
        tensors[key] = numbers[row].as_strided(shape, strides)
    return tensors
