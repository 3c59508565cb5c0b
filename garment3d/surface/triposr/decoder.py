"""The small network that turns triplane features into density and colour, and the lookup that feeds it.

Key names are the official checkpoint's (`decoder.layers.0`, `.2`, …), so its tensors load without renaming.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

RADIUS = 0.87
"""Half the side of the cube that the planes cover, in TripoSR's units: slightly more than √3 / 2."""
DENSITY_BIAS = -1.0
PLANE_AXES = ((0, 1), (0, 2), (1, 2))
"""Which coordinates each plane is looked up with; the first runs along its width, the second along its height."""


class Decoder(nn.Module):
    """Linear layers with SiLU between; 120 features to density and three colours in the official size."""

    def __init__(self, features: int = 120, width: int = 64, hidden: int = 9, ops: Any = nn) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(hidden):
            layers += [ops.Linear(width if i else features, width), nn.SiLU(inplace=True)]
        self.layers = nn.Sequential(*layers, ops.Linear(width, 4))

    def forward(self, planes: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[N] raw density and [N,3] raw colour of [3,C,H,W] planes at [N,3] points in ±RADIUS (zeros beyond)."""
        out = self.decode(triplane_features(planes, points))
        return out[:, 0], out[:, 1:]

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """[N,4] raw density and colour of [N,3C] features; `features` is left as it was."""
        return self.layers(features)


def triplane_features(planes: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """[N,3C] features of [3,C,H,W] planes at [N,3] points in ±RADIUS, plane after plane; beyond the planes zeros.

    Source: "LRM: Large Reconstruction Model for Single Image to 3D"; "TripoSR" (github.com/VAST-AI-Research/TripoSR).
    """
    unit = (points + RADIUS) / (2 * RADIUS) * 2 - 1  # rounded as the original rounds
    places = torch.stack([unit[:, axes] for axes in PLANE_AXES])[:, None]
    sampled = F.grid_sample(planes, places.to(planes), mode="bilinear", padding_mode="zeros", align_corners=False)
    return sampled[:, :, 0].permute(2, 0, 1).reshape(len(points), 3 * planes.shape[1])


def density(raw: torch.Tensor) -> torch.Tensor:
    """The same shape: what the threshold is compared with, exp(raw - 1)."""
    return torch.exp(raw + DENSITY_BIAS)


def colour(raw: torch.Tensor) -> torch.Tensor:
    """The same shape: sRGB in 0..1."""
    return torch.sigmoid(raw)
