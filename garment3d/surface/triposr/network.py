"""TripoSR as one module: photo → DINO tokens → transformer over triplane tokens → three feature planes.

Its state dict has exactly the official 549 keys; how large each part is comes from the checkpoint's own tensors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from .backbone import Backbone
from .decoder import Decoder
from .parts import Part
from .vit import Vit

IMAGE_PX = 512
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Dims(NamedTuple):
    """Sizes of the parts; the defaults are the official model's."""

    vit_width: int = 768
    vit_layers: int = 12
    vit_mlp: int = 3072
    positions: int = 197
    patch: int = 16
    width: int = 1024
    layers: int = 16
    plane_px: int = 32
    features: int = 40
    decoder_width: int = 64
    decoder_hidden: int = 9


class TripoSR(nn.Module):
    """The network; its layers are of the classes that `ops` holds (`torch.nn`, or ComfyUI's casting ones)."""

    def __init__(self, dims: Dims | None = None, ops: Any = nn) -> None:
        super().__init__()
        dims = dims or Dims()
        self.dims = dims
        vit = Vit(dims.vit_width, dims.vit_layers, dims.vit_mlp, dims.positions, dims.patch, ops)
        self.image_tokenizer = Part(model=vit)
        learned = nn.Parameter(torch.empty(3, dims.width, dims.plane_px, dims.plane_px))
        self.tokenizer = Part(embeddings=learned)
        self.backbone = Backbone(dims.width, dims.layers, dims.vit_width, ops)
        self.post_processor = Part(upsample=ops.ConvTranspose2d(dims.width, dims.features, kernel_size=2, stride=2))
        self.decoder = Decoder(3 * dims.features, dims.decoder_width, dims.decoder_hidden, ops)

    def forward(self, pixels: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """[B,3,40,64,64] planes of [B,3,512,512] sRGB pixels in 0..1, computed in `dtype` or that of the pixels.

        pixels ─ normalise ─▶ [B,3,512,512] ─ image_tokenizer ─▶ [B,1025,768] ──┐
        embeddings [3,1024,32,32] ──────────▶ [B,1024,3072] ─── backbone ◀──────┘
                                                    └─▶ [B,3,1024,32,32] ─ post_processor ─▶ [B,3,40,64,64]
        """
        mean, std = (pixels.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        seen = self.image_tokenizer.model(((pixels - mean) / std).to(dtype or pixels.dtype))
        learned = self.tokenizer.embeddings.to(seen)
        tokens = learned.transpose(0, 1).flatten(1).expand(len(pixels), -1, -1)
        tokens = self.backbone(tokens, seen)
        planes = tokens.unflatten(2, (3, *learned.shape[2:])).transpose(1, 2).flatten(0, 1)
        return self.post_processor.upsample(planes).unflatten(0, (-1, 3))
