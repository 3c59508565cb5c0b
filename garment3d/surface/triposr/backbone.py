"""The transformer that turns learned triplane tokens into this photo's, looking at the photo's tokens in every block.

Key names are the official checkpoint's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .parts import Part, attend

GROUPS = 32
ROWS = 768
"""Tokens that pass a feed-forward together: its 8192 numbers per token then stay in a processor's caches."""


class Backbone(nn.Module):
    """Blocks of self-attention, attention to the photo and a gated feed-forward, all residual around the tokens."""

    def __init__(self, width: int, layers: int, seen_width: int, ops: Any) -> None:
        super().__init__()
        self.norm = ops.GroupNorm(GROUPS, width, eps=1e-6)
        self.proj_in = ops.Linear(width, width)
        self.transformer_blocks = nn.ModuleList(_Block(width, seen_width, ops) for _ in range(layers))
        self.proj_out = ops.Linear(width, width)

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """[B,width,N] of [B,width,N] tokens that look at the photo's [B,M,seen_width]."""
        x = self.proj_in(self.norm(tokens).transpose(1, 2))
        for block in self.transformer_blocks:
            x = block(x, seen)
        return self.proj_out(x).transpose(1, 2) + tokens


class _Block(nn.Module):
    def __init__(self, width: int, seen_width: int, ops: Any) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (ops.LayerNorm(width) for _ in range(3))
        self.attn1 = _Attention(width, width, ops)
        self.attn2 = _Attention(width, seen_width, ops)
        self.ff = _FeedForward(width, ops)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        normed = self.norm1(x)
        x = x + self.attn1(normed, normed)
        x = x + self.attn2(self.norm2(x), seen)
        return x + self.ff(self.norm3(x))


class _Attention(nn.Module):
    def __init__(self, width: int, seen_width: int, ops: Any) -> None:
        super().__init__()
        self.to_q = ops.Linear(width, width, bias=False)
        self.to_k = ops.Linear(seen_width, width, bias=False)
        self.to_v = ops.Linear(seen_width, width, bias=False)
        self.to_out = nn.ModuleList([ops.Linear(width, width)])

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        return self.to_out[0](attend(self.to_q(x), self.to_k(seen), self.to_v(seen)))


class _FeedForward(nn.Module):
    """Gated by GELU; "GLU Variants Improve Transformer", Shazeer 2020."""

    def __init__(self, width: int, ops: Any) -> None:
        super().__init__()
        gated = Part(proj=ops.Linear(width, 8 * width))
        self.net = nn.ModuleList([gated, nn.Identity(), ops.Linear(4 * width, width)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._rows(part) for part in x.split(ROWS, 1)], 1)

    def _rows(self, x: torch.Tensor) -> torch.Tensor:
        gated: Any = self.net[0]
        value, gate = gated.proj(x).chunk(2, -1)
        return self.net[2](value * F.gelu(gate))
