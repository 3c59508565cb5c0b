"""The photo's tokens: the vision transformer of DINO ViT-B/16, written out so that no library version can change it.

Key names are those that transformers gave this network in 2023, as the official checkpoint holds them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .parts import Part, attend

EPS = 1e-12
POSITION_OFFSET = 0.1
"""DINO adds this to the number of patches before it divides (github.com/facebookresearch/dino, issue 8)."""


class Vit(nn.Module):
    """Pre-norm encoder whose learned positions of a 14×14 grid are stretched to the picture's patches."""

    def __init__(self, width: int, layers: int, mlp: int, positions: int, patch: int, ops: Any) -> None:
        super().__init__()
        self.embeddings = _Embeddings(width, positions, patch, ops)
        self.encoder = Part(layer=nn.ModuleList(_Layer(width, mlp, ops) for _ in range(layers)))
        self.layernorm = ops.LayerNorm(width, eps=EPS)
        self.pooler = Part(dense=ops.Linear(width, width))  # in the checkpoint, never used by TripoSR

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[B,1+h·w,width] of normalised [B,3,H,W] pixels: the class token, then the patches row by row."""
        x = self.embeddings(pixels)
        for layer in self.encoder.layer:
            x = layer(x)
        return self.layernorm(x)


class _Embeddings(nn.Module):
    def __init__(self, width: int, positions: int, patch: int, ops: Any) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.empty(1, positions, width))
        self.patch_embeddings = Part(projection=ops.Conv2d(3, width, kernel_size=patch, stride=patch))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.patch_embeddings.projection(pixels)
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.to(tokens).expand(len(tokens), -1, -1), tokens], 1)
        positions = self.position_embeddings.to(tokens.device)
        return tokens + stretched_positions(positions, (patches.shape[2], patches.shape[3])).to(tokens)


class _Layer(nn.Module):
    def __init__(self, width: int, mlp: int, ops: Any) -> None:
        super().__init__()
        query, key, value = (ops.Linear(width, width) for _ in range(3))
        inner = Part(query=query, key=key, value=value)
        self.attention = Part(attention=inner, output=Part(dense=ops.Linear(width, width)))
        self.intermediate = Part(dense=ops.Linear(width, mlp))
        self.output = Part(dense=ops.Linear(mlp, width))
        self.layernorm_before = ops.LayerNorm(width, eps=EPS)
        self.layernorm_after = ops.LayerNorm(width, eps=EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.layernorm_before(x)
        inner = self.attention.attention
        x = x + self.attention.output.dense(attend(inner.query(normed), inner.key(normed), inner.value(normed)))
        return x + self.output.dense(F.gelu(self.intermediate.dense(self.layernorm_after(x))))


def stretched_positions(embeddings: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
    """[1,1+h·w,width] float32 of [1,1+g·g,width] position embeddings of a g×g grid, for h×w patches.

    Source: "Emerging Properties in Self-Supervised Vision Transformers" (github.com/facebookresearch/dino).
    """
    grid = math.isqrt(embeddings.shape[1] - 1)
    if hw == (grid, grid):
        return embeddings.float()
    square = embeddings[:, 1:].float().unflatten(1, (grid, grid)).permute(0, 3, 1, 2)
    # The factor, not the size, sets where the grid is sampled: 32.1 / 14 here, which newer transformers do not.
    factors = [(n + POSITION_OFFSET) / grid for n in hw]
    stretched = F.interpolate(square, scale_factor=factors, mode="bicubic", align_corners=False)
    return torch.cat([embeddings[:, :1].float(), stretched.flatten(2).transpose(1, 2)], 1)
