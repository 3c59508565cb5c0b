"""What TripoSR makes of a photo: three feature planes and the network that reads them, ready for any threshold.

The transformer runs once per photo; mesh, colours and rendered views all come from this scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .decoder import Decoder


@dataclass(frozen=True, eq=False)
class Scene:
    """A garment as TripoSR sees it; its own frame is z up with the photo's camera on +x and image right on +y."""

    planes: torch.Tensor
    """[3,40,64,64] float32 on the CPU: the xy, xz and yz planes over ±RADIUS."""
    decoder: Decoder
    """float32 on the CPU, torch.nn layers, eval."""
    scale: float
    """Canonical units per TripoSR unit."""

    def canonical(self, points: np.ndarray) -> np.ndarray:
        """[...,3] canonical points (+Y up, front +Z) of [...,3] points in TripoSR's frame."""
        return points[..., [1, 2, 0]] * self.scale

    def own(self, points: np.ndarray) -> np.ndarray:
        """[...,3] points in TripoSR's frame of canonical [...,3] points; the inverse of `canonical`."""
        return points[..., [2, 0, 1]] / self.scale
