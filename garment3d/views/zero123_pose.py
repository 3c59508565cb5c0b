"""The four numbers by which Zero123 and Stable Zero123 are told where the camera goes.

Their polar angle grows downwards and the fourth number differs between the families; both are settled here only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch

from ..errors import GarmentError

Family = Literal["zero123", "stable"]


def pose_vectors(
    family: Family,
    azimuths_deg: Sequence[float],
    elevation_deg: float,
    radius_offset: float = 0.0,
    photo_elevation_deg: float = 0.0,
) -> torch.Tensor:
    """[V,4] float32 of radians down, sin and cos of the turn, and the family's fourth value; no azimuths give [0,4].

    The fourth is the change of distance in garment lengths (Zero123, XL) or the photo's angle from the zenith (Stable);
    Stable Zero123 knows no change of distance, so asking it for one raises GarmentError.

    Args:
        azimuths_deg: to the right of the photo.
        elevation_deg: of the new views; the model is told how far they lie below the photo's own.

    Source: github.com/cvlab-columbia/zero123 (gradio_new.py); huggingface.co/stabilityai/stable-zero123.
    """
    if family == "stable" and radius_offset:
        raise GarmentError(
            f"Stable Zero123 can't change the camera's distance; set the radius offset {radius_offset:g} to 0, "
            "or load Zero123 or Zero123-XL."
        )
    down = math.radians(photo_elevation_deg - elevation_deg)
    fourth = math.radians(90 - photo_elevation_deg) if family == "stable" else radius_offset
    turns = [math.radians(azimuth) for azimuth in azimuths_deg]
    rows = [(down, math.sin(turn), math.cos(turn), fourth) for turn in turns]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
