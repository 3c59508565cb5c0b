"""Masks of Zero123's views: the garment found on the white that the model paints around it, white cloth included.

A first cut by distance from white.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

LEVEL = 250 / 255


def view_masks(
    images: torch.Tensor,
    front: torch.Tensor | None = None,
    azimuths_deg: Sequence[float] | None = None,
    photo_views: Sequence[int] = (),
) -> torch.Tensor:
    """[V,H,W] float32 soft masks of [V,H,W,3] pictures in 0..1; a view of white alone has an empty one."""
    masks = (images.amin(3) < LEVEL).float()
    if front is not None:
        for i in photo_views:
            masks[i] = front
    return masks
