"""Denoising all views of an orbit together: schedulers, guidance and noise that belongs to a view, not to its batch.

Every step is taken for all views before the next one, so a preview shows the whole orbit and memory can run out safely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import torch

from ..errors import GarmentError
from .zero123_memory import Batches, fitting, unet_row_bytes

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Scheduler = Literal["ddim", "euler", "dpm++", "unipc"]
TRAINED_STEPS = 1000
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
"""The noise schedule of Stable Diffusion 1 that Zero123 was trained with."""


@dataclass(frozen=True)
class Sampling:
    """How views are denoised; a value that can't be meant raises GarmentError."""

    steps: int = 50
    """1 to 1000. "ddim" drops the noisiest step of the list, as the original does: 50 are 49 from t = 961."""
    scheduler: Scheduler = "ddim"
    eta: float = 1.0
    """Share of fresh noise per DDIM step, 0 to 1; the other schedulers add none."""
    guidance: float = 3.0
    """Classifier-free guidance; 1 leaves the unconditional half out."""
    seed: int = 0
    batch: int = 0
    """Views per UNet evaluation; 0 = as many as fit into the free memory."""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= TRAINED_STEPS or self.steps != int(self.steps):
            raise GarmentError(f"Zero123 can't take {self.steps} steps: choose 1 to {TRAINED_STEPS}.")
        if self.scheduler not in get_args(Scheduler):
            raise GarmentError(
                f"There is no scheduler {self.scheduler!r}: choose {', '.join(get_args(Scheduler)[:-1])} or unipc."
            )
        if not 0 <= self.guidance < float("inf"):
            raise GarmentError(f"The guidance is {self.guidance}: choose 0 or more; 3 is usual.")
        if not 0 <= self.eta <= 1:
            raise GarmentError(f"The eta is {self.eta}: choose 0 (no fresh noise) to 1 (as the original).")
        if self.batch < 0:
            raise GarmentError(f"The batch is {self.batch} views: choose 1 or more, or 0 to size it to the memory.")


class Noise(Protocol):
    """Where a sampler's noise comes from."""

    def __call__(self, index: int, shape: Sequence[int]) -> torch.Tensor:
        """[V,4,h,w] float32 unit normal: at 0 what the views start from, at i > 0 what step i may add."""
        ...


@dataclass(frozen=True)
class ViewNoise:
    """Noise that a view keeps whatever stands beside it: each has its generator, seeded by its own direction."""

    seed: int
    azimuths_deg: tuple[float, ...]
    """One per view; whole turns don't count."""
    elevation_deg: float = 0.0

    def __call__(self, index: int, shape: Sequence[int]) -> torch.Tensor:
        """[V,4,h,w] float32 on the CPU, where a generator gives the same numbers for every device."""
        return torch.stack([self._of(azimuth, index, shape[1:]) for azimuth in self.azimuths_deg])

    def _of(self, azimuth_deg: float, index: int, shape: Sequence[int]) -> torch.Tensor:
        named = f"{self.seed} {round(azimuth_deg % 360, 4) % 360:.4f} {round(self.elevation_deg, 4) + 0.0:.4f} {index}"
        seed = int.from_bytes(hashlib.blake2b(named.encode(), digest_size=8).digest(), "little") >> 1
        return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed))


@torch.no_grad()
def sample_latents(
    unet: UNet2DConditionModel,
    tokens: torch.Tensor,
    concat: torch.Tensor,
    sampling: Sampling | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
    preview: Callable[[torch.Tensor], None] | None = None,
    noise: Noise | None = None,
) -> torch.Tensor:
    """[V,4,h,w] float32 latents on `device`, scaled as the VAE's, of views whose conditioning is given.

    Args:
        unet: on `device`; runs in its own dtype.
        tokens: [V,1,C] of `conditioned`.
        concat: [V,4,h,w] of `conditioned`.
        progress: told rows of the UNet done and their total after every batch; may raise to stop.
        preview: given [V,4,h,w] latents of the clean views as they look after each step.
        noise: by default each view's own, counted 0, 1, …; give ViewNoise of the azimuths to keep a view's wherever
            it stands.

    Raises:
        GarmentError: no views, or not even one evaluation fits into the memory.

    Source: DDIM (arXiv 2010.02502), classifier-free guidance (arXiv 2207.12598), schedulers of diffusers.
    """
    if not len(tokens):
        raise GarmentError("There are no views to make: give one azimuth or more.")
    sampling = sampling or Sampling()
    noise = noise or ViewNoise(sampling.seed, tuple(range(len(tokens))))
    scheduler = make_scheduler(sampling)
    shape = (len(tokens), *concat.shape[1:])
    latents = noise(0, shape).to(device, torch.float32) * scheduler.init_noise_sigma
    network = _Guided(unet, tokens, concat, sampling, device, len(scheduler.timesteps), progress)
    for i, t in enumerate(scheduler.timesteps):
        seen = scheduler.scale_model_input(latents, t)
        guess = network(seen, t)
        fresh = {}
        if sampling.scheduler == "ddim" and sampling.eta > 0:
            fresh = {"eta": sampling.eta, "variance_noise": noise(i + 1, shape).to(device, torch.float32)}
        latents = scheduler.step(guess, t, latents, **fresh, return_dict=False)[0]
        if preview is not None:
            preview(_clean(seen, guess, scheduler.alphas_cumprod, t))
    return latents


def make_scheduler(sampling: Sampling) -> Any:
    """A fresh scheduler of diffusers with its steps set; it remembers earlier steps, so it serves one orbit."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    if sampling.scheduler == "ddim":
        scheduler = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
        scheduler.set_timesteps(sampling.steps)
        scheduler.timesteps = torch.from_numpy(ddim_timesteps(sampling.steps))
        return scheduler
    kinds = {"euler": EulerDiscreteScheduler, "dpm++": DPMSolverMultistepScheduler, "unipc": UniPCMultistepScheduler}
    scheduler = kinds[sampling.scheduler](**BETAS, timestep_spacing="linspace")
    scheduler.set_timesteps(sampling.steps)
    return scheduler


def ddim_timesteps(steps: int) -> np.ndarray:
    """[N] int64 falling timesteps of the original's demo: every 1000 // steps from 1, without the noisiest.

    A single one is kept, where the original would return its noise.
    """
    rising = np.arange(0, TRAINED_STEPS, TRAINED_STEPS // steps) + 1
    return (rising[:-1] if len(rising) > 1 else rising)[::-1].astype(np.int64).copy()  # torch takes no negative stride


class _Guided:
    """The noise in [V,4,h,w] latents as the UNet guesses it, with guidance, in batches that fit."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        tokens: torch.Tensor,
        concat: torch.Tensor,
        sampling: Sampling,
        device: str | torch.device,
        steps: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.unet, self.guidance, self.progress = unet, sampling.guidance, progress
        self.copies = 1 if sampling.guidance == 1 else 2
        tokens, concat = tokens.to(device, unet.dtype), concat.to(device, unet.dtype)
        # Zeros after the projection are what the original calls unconditional; they come first, as there.
        self.tokens = torch.cat([torch.zeros_like(tokens), tokens][-self.copies :])
        self.concat = torch.cat([torch.zeros_like(concat), concat][-self.copies :])
        hw = (concat.shape[2], concat.shape[3])
        rows = sampling.batch * self.copies or fitting(device, unet_row_bytes(unet, hw))
        self.batches = Batches(rows, "Zero123's views")
        self.done, self.total = 0, steps * len(self.tokens)

    def __call__(self, latents: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([latents] * self.copies)

        def evaluate(part: slice) -> torch.Tensor:
            sample = torch.cat([rows[part].to(self.unet.dtype), self.concat[part]], 1)
            guess = self.unet(sample, t, encoder_hidden_states=self.tokens[part]).sample.float()
            self.done += len(guess)
            if self.progress is not None:
                self.progress(self.done, self.total)
            return guess

        guess = self.batches.run(len(rows), evaluate)
        if self.copies == 1:
            return guess
        without, given = guess.chunk(2)
        return without + self.guidance * (given - without)


def _clean(seen: torch.Tensor, guess: torch.Tensor, alphas_cumprod: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """[V,4,h,w] the latents without the noise guessed in them; all schedulers show the UNet the same mixture."""
    alpha = float(alphas_cumprod[round(float(t))])
    return (seen - (1 - alpha) ** 0.5 * guess) / alpha**0.5
