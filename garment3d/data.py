"""What crosses stages: cameras, orbits, views and openings. Frames and axes are stated in `camera.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera in the canonical frame; it looks along its own −Z with +Y up."""

    projection: Literal["orthographic", "perspective"]
    focal_px: float
    """Pixels per unit length (orthographic) or per unit tangent (perspective)."""
    center_px: tuple[float, float]
    """Principal point (x, y) in pixels from the image's top-left corner; pixel (0, 0) covers [0, 1)²."""
    c2w: np.ndarray
    """[4,4] float64, camera to canonical frame."""
    hw: tuple[int, int]
    """Image height and width in pixels."""


class Orbit(NamedTuple):
    """Cameras around the garment, all at one elevation and radius."""

    cameras: tuple[Camera, ...]
    azimuths_deg: tuple[float, ...]
    """One per camera; 0 = the photo's side, positive = towards +X."""
    elevation_deg: float
    """Positive = above."""
    radius: float
    """Distance from the origin in canonical units."""


@dataclass(frozen=True, eq=False)
class Views:
    """Pictures of the garment and the cameras that took them."""

    images: torch.Tensor
    """[V,H,W,3] float32 sRGB in 0..1."""
    masks: torch.Tensor
    """[V,H,W] float32 soft, 1 = garment."""
    orbit: Orbit
    seeds: tuple[int | None, ...] | None = None
    """Seed of each view's noise, None for one that was not painted; None where no view was painted."""


class Opening(NamedTuple):
    """A hole the wearer goes through, named from the wearer's side (l = left = +X)."""

    name: str
    """neck, waist, hem, cuff_l, cuff_r, armhole_l, armhole_r, leg_l or leg_r."""
    anchor: tuple[float, float, float]
    """The middle between its two ends, where the loop passes from front to back, in the canonical frame."""


class Photo(NamedTuple):
    """A photo as it was read: upright, sRGB, full size."""

    rgb: np.ndarray
    """[H,W,3] uint8."""
    alpha: np.ndarray | None
    """[H,W] uint8, or None where the file has no real transparency."""
