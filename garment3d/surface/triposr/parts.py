"""What the photo's encoder and the triplane transformer are both made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

HEAD_WIDTH = 64


class Part(nn.Module):
    """Modules and parameters under the names that the checkpoint gives them; what they do is their owner's."""

    def __init__(self, **members: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, member in members.items():
            setattr(self, name, member)

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """[B,N,width] attention of [B,N,width] queries to [B,M,width] keys and values, in heads of 64."""
    q, k, v = (t.unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2) for t in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
