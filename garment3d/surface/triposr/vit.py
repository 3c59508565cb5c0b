"""The photo's tokens: the vision transformer of DINO ViT-B/16, written out so that no library version can change it.

Key names are those that transformers gave this network in 2023, as the official checkpoint holds them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

HEAD_WIDTH = 64
EPS = 1e-12
POSITION_OFFSET = 0.1
"""DINO adds this to the number of patches before it divides (github.com/facebookresearch/dino, issue 8)."""


class Vit(nn.Module):
    """Pre-norm encoder whose learned positions of a 14×14 grid are stretched to the picture's patches."""

    def __init__(self, width: int, layers: int, mlp: int, positions: int, patch: int, ops: Any) -> None:
        super().__init__()
        self.embeddings = _Embeddings(width, positions, patch, ops)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_Layer(width, mlp, ops) for _ in range(layers))
        self.layernorm = ops.LayerNorm(width, eps=EPS)
        self.pooler = _dense(width, width, ops)  # in the checkpoint, never used by TripoSR

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[B,1+h·w,width] of normalised [B,3,H,W] pixels: the class token, then the patches row by row."""
        x = self.embeddings(pixels)
        for layer in self.encoder.layer:  # pyright: ignore[reportGeneralTypeIssues]
            x = layer(x)
        return self.layernorm(x)


class _Embeddings(nn.Module):
    def __init__(self, width: int, positions: int, patch: int, ops: Any) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.empty(1, positions, width))
        self.patch_embeddings = nn.Module()
        self.patch_embeddings.projection = ops.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.patch_embeddings.projection(pixels)
        hw = (patches.shape[2], patches.shape[3])
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.to(tokens).expand(len(tokens), -1, -1), tokens], 1)
        return tokens + stretched_positions(self.position_embeddings.to(tokens.device), hw).to(tokens)


class _Layer(nn.Module):
    def __init__(self, width: int, mlp: int, ops: Any) -> None:
        super().__init__()
        self.attention = nn.Module()
        self.attention.attention = nn.ModuleDict({name: ops.Linear(width, width) for name in ("query", "key", "value")})
        self.attention.output = _dense(width, width, ops)
        self.intermediate = _dense(width, mlp, ops)
        self.output = _dense(mlp, width, ops)
        self.layernorm_before = ops.LayerNorm(width, eps=EPS)
        self.layernorm_after = ops.LayerNorm(width, eps=EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.layernorm_before(x)
        of: Any = self.attention.attention
        seen = attend(of["query"](normed), of["key"](normed), of["value"](normed))
        x = x + self.attention.output.dense(seen)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        return x + self.output.dense(F.gelu(self.intermediate.dense(self.layernorm_after(x))))


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """[B,N,width] attention of [B,N,width] queries to [B,M,width] keys and values, in heads of 64."""
    heads = (t.unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2) for t in (query, key, value))
    return F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)


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


def _dense(inputs: int, outputs: int, ops: Any) -> Any:
    module = nn.Module()
    module.dense = ops.Linear(inputs, outputs)
    return module
