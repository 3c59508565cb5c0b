"""What an orbit of Zero123 costs to compute, so that a person knows the minutes before they begin.

Counted once for the full-size networks, whose sizes never vary; a machine's speed is measured when it is asked for.
"""

from __future__ import annotations

import time

import torch

from .zero123_sampler import Sampling, make_scheduler

UNET_FLOPS = 176.3e9
"""Of one UNet row at 32×32 latents, two per multiply-add, by torch.utils.flop_counter."""
DECODE_FLOPS = 622.2e9
"""Of decoding one view to 256×256."""
ENCODE_FLOPS = 428e9
"""Of encoding the photo once: 273e9 by the autoencoder, 155e9 by CLIP."""
CPU_SHARE = 0.7
"""Part of its matrix rate that a CPU keeps up: a UNet of half the width reached 0.75 alone and 0.95 in fours."""
_SIDE = 1024


def orbit_flops(views: int, sampling: Sampling | None = None) -> float:
    """FLOPs of painting that many views with the full-size model; none cost nothing."""
    sampling = sampling or Sampling()
    rows = len(make_scheduler(sampling).timesteps) * (1 if sampling.guidance == 1 else 2)
    return ENCODE_FLOPS + views * (rows * UNET_FLOPS + DECODE_FLOPS) if views else 0.0


def matrix_rate(device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32, seconds: float = 0.2) -> float:
    """FLOPs per second of square matrix products on a device, the best of several within `seconds`."""
    side = _SIDE if torch.device(device).type == "cpu" else 8 * _SIDE
    first, second = (torch.ones(side, side, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    until = time.perf_counter() + seconds
    out = first @ second
    while best == float("inf") or time.perf_counter() < until:
        _wait(device)
        start = time.perf_counter()
        torch.mm(first, second, out=out)
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def cpu_minutes(views: int, sampling: Sampling | None = None) -> float:
    """Expected minutes on this CPU for painting that many views with the full-size model; takes 0.2 s to measure."""
    return orbit_flops(views, sampling) / (CPU_SHARE * matrix_rate()) / 60


def _wait(device: str | torch.device) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
