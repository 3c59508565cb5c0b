"""Orbit views painted by Zero123, Zero123-XL or Stable Zero123 from the one photo: encode, denoise all, decode.

The three stages need three networks one after another, so each can be called alone by who counts the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from ..camera import ZERO123_RADIUS
from ..camera import orbit as orbit_of
from ..data import Orbit, Views
from ..errors import GarmentError
from ..images import canvas, check_fits
from .zero123_condition import CANVAS_PX, CANVAS_RATIO, conditioned, encode_photo, zero123_canvas
from .zero123_masks import view_masks
from .zero123_memory import Batches, fitting, vae_row_bytes
from .zero123_pose import pose_vectors
from .zero123_sampler import Noise, Sampling, ViewNoise, sample_latents

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    from .zero123_checkpoint import Zero123

__all__ = [
    "Noise",
    "Ready",
    "Sampling",
    "ViewNoise",
    "decode_latents",
    "latent_preview",
    "painted",
    "sample_latents",
    "zero123_cameras",
    "zero123_orbit",
]

LATENT_SCALE = 0.18215
"""Of Stable Diffusion 1's VAE; Zero123's noisy latents are scaled by it, its picture of the photo is not."""
LATENT_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
"""Each latent channel's share in R, G, B: discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204."""


class Ready(Protocol):
    """Brings networks to where they run; called with all that a stage needs, before the stage."""

    def __call__(self, *modules: torch.nn.Module) -> None:
        """Puts all of `modules` on the device that the stage was given."""
        ...


def zero123_orbit(
    model: Zero123,
    rgb: np.ndarray,
    soft: np.ndarray,
    orbit: Orbit | None = None,
    sampling: Sampling | None = None,
    photo_elevation_deg: float = 0.0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
    preview: Callable[[torch.Tensor], None] | None = None,
    ready: Ready | None = None,
) -> Views:
    """Views [V,256,256] of a photo on the CPU; the view the photo itself shows is its canvas and is not sampled.

    The same seed gives the same pictures, and a view the same picture in any orbit of that elevation and radius.

    Args:
        rgb: [H,W,3] uint8.
        soft: [H,W] mask of the garment in it.
        orbit: azimuths, elevation and radius of it count (every 20° by default); the cameras become Zero123's.
        photo_elevation_deg: how far above the garment's middle the photo was taken.
        progress, preview: see `sample_latents`; the preview shows the sampled views only.
        ready: by default moves the stage's networks to `device`.

    Raises:
        GarmentError: no azimuths, a distance that Stable Zero123 can't take, or too little memory.
        MaskError: an empty mask, or one of another size than the photo.

    Source: Zero-1-to-3 (arXiv 2303.11328).
    """
    sampling = sampling or Sampling()
    orbit = zero123_cameras(orbit)
    ready = ready or _moving(device)
    told = _Told(progress)
    front, front_soft = _front(rgb, soft)
    images = front.repeat(len(orbit.azimuths_deg), 1, 1, 1)
    wanted = painted(orbit, photo_elevation_deg)
    if wanted:
        azimuths = tuple(orbit.azimuths_deg[i] for i in wanted)
        offset = _radius_offset(orbit)
        poses = pose_vectors(model.family, azimuths, orbit.elevation_deg, offset, photo_elevation_deg)
        ready(model.image_encoder, model.vae, model.projection)
        condition = encode_photo(model, front.numpy(), device)
        tokens, concat = conditioned(model, condition, poses, device)
        ready(model.unet)
        noise = ViewNoise(sampling.seed, azimuths, orbit.elevation_deg)
        latents = sample_latents(model.unet, tokens, concat, sampling, device, told, preview, noise)
        ready(model.vae)
        images[list(wanted)] = decode_latents(model.vae, latents, device)
    masks = view_masks(images, front_soft, _others(orbit, wanted), told.again)
    seeds = tuple(sampling.seed if i in wanted else None for i in range(len(orbit.azimuths_deg)))
    return Views(images, masks, orbit, seeds if wanted else None)


def zero123_cameras(orbit: Orbit | None = None) -> Orbit:
    """The same azimuths, elevation and radius seen by Zero123's 256² cameras; without azimuths GarmentError."""
    orbit = orbit_of(hw=(CANVAS_PX, CANVAS_PX)) if orbit is None else orbit
    if not orbit.azimuths_deg:
        raise GarmentError("The orbit has no views: give one azimuth or more.")
    return orbit_of(
        elevation_deg=orbit.elevation_deg,
        radius=orbit.radius,
        hw=(CANVAS_PX, CANVAS_PX),
        azimuths_deg=orbit.azimuths_deg,
    )


def painted(orbit: Orbit, photo_elevation_deg: float = 0.0) -> tuple[int, ...]:
    """Indices of the views to sample: all but those from where the photo was taken."""
    if orbit.elevation_deg != photo_elevation_deg or _radius_offset(orbit):
        return tuple(range(len(orbit.azimuths_deg)))
    return tuple(i for i, azimuth in enumerate(orbit.azimuths_deg) if azimuth % 360 != 0)


@torch.no_grad()
def decode_latents(
    vae: AutoencoderKL, latents: torch.Tensor, device: str | torch.device = "cpu", batch: int = 0
) -> torch.Tensor:
    """[V,8h,8w,3] float32 sRGB in 0..1 on the CPU; batch 0 takes as many at once as fit into the free memory."""
    size = batch or fitting(device, vae_row_bytes(vae, (latents.shape[2], latents.shape[3])))

    decode: Callable[..., Any] = vae.decode

    def decoded(rows: slice) -> torch.Tensor:
        part = (latents[rows] / LATENT_SCALE).to(device, vae.dtype)
        return (decode(part).sample.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu()

    return Batches(size, "Zero123's pictures").run(len(latents), decoded)


def latent_preview(latents: torch.Tensor) -> torch.Tensor:
    """[V,h,w,3] float32 in 0..1 on the CPU: what latents roughly show, an eighth of the picture's size."""
    factors = torch.tensor(LATENT_RGB)
    return (latents.detach().float().cpu().permute(0, 2, 3, 1) @ factors / 2 + 0.5).clamp(0, 1)


class _Told:
    """Passes progress on, and says the last once more where nothing moves but a person may want to stop."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self.progress, self.last = progress, (1, 1)

    def __call__(self, done: int, total: int) -> None:
        self.last = done, total
        if self.progress is not None:
            self.progress(done, total)

    def again(self, *_: int) -> None:
        self(*self.last)


def _front(rgb: np.ndarray, soft: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """[256,256,3] canvas and [256,256] mask of the photo in the same frame."""
    check_fits(soft, rgb)
    mask = canvas(np.full_like(rgb, 255), soft, CANVAS_RATIO, 0.0, CANVAS_PX).pixels[..., 0]
    return torch.from_numpy(zero123_canvas(rgb, soft)), torch.from_numpy(np.ascontiguousarray(mask))


def _radius_offset(orbit: Orbit) -> float:
    offset = orbit.radius - ZERO123_RADIUS
    return offset if abs(offset) > 1e-6 else 0.0


def _others(orbit: Orbit, wanted: Sequence[int]) -> tuple[int, ...]:
    return tuple(i for i in range(len(orbit.azimuths_deg)) if i not in wanted)


def _moving(device: str | torch.device) -> Ready:
    def ready(*modules: torch.nn.Module) -> None:
        for module in modules:
            module.to(device)

    return ready
