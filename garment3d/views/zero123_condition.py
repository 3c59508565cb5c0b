"""What Zero123 is shown of the photo: one CLIP token per view and the latent it paints beside.

Both come from a 256² canvas on white, once per photo; only the token changes with the pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..images import canvas
from .zero123_checkpoint import Zero123

CANVAS_PX = 256
CANVAS_RATIO = 200 / 256
"""How much of the picture a garment spans in Zero123's training: 200 of 256 pixels."""
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, eq=False)
class Condition:
    """The photo as the model knows it, float32 on the CPU."""

    embed: torch.Tensor
    """[1,768] CLIP image embedding, not normalised."""
    latent: torch.Tensor
    """[1,4,32,32] mode of the VAE's posterior, not scaled."""


def zero123_canvas(rgb: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """[256,256,3] float32 sRGB of the masked garment on white, 78 % of the picture; an empty mask raises MaskError."""
    return canvas(rgb, soft, CANVAS_RATIO, 1.0, CANVAS_PX).pixels


@torch.no_grad()
def encode_photo(model: Zero123, canvas: np.ndarray, device: torch.device | str = "cpu") -> Condition:
    """The embedding and the latent of a [256,256,3] canvas; moves the two encoders to `device`."""
    signed = torch.from_numpy(canvas).permute(2, 0, 1)[None].to(device) * 2 - 1
    networks: tuple[Any, Any] = model.image_encoder, model.vae  # their own types are lost on the type checker
    encoder, vae = (network.to(device) for network in networks)
    pixels = clip_pixels(signed, encoder.config.image_size).to(encoder.dtype)
    embed = encoder(pixel_values=pixels).image_embeds
    latent = vae.encode(signed.to(vae.dtype)).latent_dist.mode()
    return Condition(embed.float().cpu(), latent.float().cpu())


def clip_pixels(signed: torch.Tensor, side_px: int = 224) -> torch.Tensor:
    """[B,3,S,S] as CLIP takes them of [B,3,H,W] in −1..1: bicubic with aligned corners and no antialiasing."""
    from kornia.enhance import normalize
    from kornia.geometry.transform import resize

    small = resize(signed, (side_px, side_px), interpolation="bicubic", align_corners=True, antialias=False)
    return normalize((small + 1) / 2, torch.tensor(_CLIP_MEAN).to(small), torch.tensor(_CLIP_STD).to(small))


@torch.no_grad()
def conditioned(
    model: Zero123, condition: Condition, poses: torch.Tensor, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """[V,1,768] tokens and [V,4,32,32] latents for [V,4] poses, in the projection's and the UNet's precision."""
    projection = model.projection.to(device)
    known = condition.embed.to(poses).expand(len(poses), -1)
    tokens = projection(torch.cat([known, poses], -1).to(device, projection.weight.dtype))
    latents = condition.latent.to(device, model.unet.dtype).expand(len(poses), -1, -1, -1)
    return tokens[:, None], latents
