"""How many views fit into the free memory at once, and what to do when they didn't: half as many, again and again.

Nothing is known of the device but its free bytes, so a wrong guess must cost one failed batch and not the orbit.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import torch

from ..errors import GarmentError

USED = 0.8
"""Share of the free memory that a batch may take: allocators round up, and others breathe too."""
UNET_MAPS = 72
"""Bytes a UNet row needs, in feature maps of its first level: Zero123's has 63 alive at once, attention included."""
VAE_MAPS = 9
"""Bytes a decoded picture needs, in pictures of the last level's channels: 6 are alive at once."""
UNKNOWN_FREE = 2 * 2**30
"""Free bytes to count on where the system won't say."""


class Batches:
    """Runs rows in batches of at most `size`, half as many for the rest of its life whenever memory ran out."""

    def __init__(self, size: int, what: str) -> None:
        self.size = max(1, size)
        self.what = what

    def run(self, count: int, call: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        """[count,...] of `call` on consecutive slices; a single row that doesn't fit raises GarmentError."""
        parts: list[torch.Tensor] = []
        at = 0
        while at < count:
            stop = min(at + self.size, count)
            part = self._tried(call, slice(at, stop))
            if part is None:  # only here has the failed batch's exception let go of its tensors
                self.size = max(1, (stop - at) // 2)
                continue
            parts.append(part)
            at = stop
        return torch.cat(parts)

    def _tried(self, call: Callable[[slice], torch.Tensor], rows: slice) -> torch.Tensor | None:
        try:
            return call(rows)
        except Exception as error:
            if not out_of_memory(error):
                raise
            if rows.stop - rows.start == 1:
                raise GarmentError(
                    f"The memory is too small for {self.what} even one at a time: "
                    "close other programs, unload other models, or choose the CPU."
                ) from error
        return None


def out_of_memory(error: BaseException) -> bool:
    """Whether a device or the system had no memory left; torch says it in words on all but CUDA."""
    said = str(error).lower()
    words = ("out of memory", "can't allocate memory", "not enough memory", "cublas_status_alloc_failed")
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(word in said for word in words)
    )


def free_bytes(device: str | torch.device) -> int:
    """Bytes that can still be had on a device, torch's own unused cache included."""
    place = torch.device(device)
    if place.type == "cuda":
        cached = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
        return torch.cuda.mem_get_info(place)[0] + cached
    if place.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return _free_ram()


def fitting(device: str | torch.device, bytes_each: int) -> int:
    """How many rows of that many bytes fit into the free memory, at least 1."""
    return max(1, int(USED * free_bytes(device)) // max(1, bytes_each))


def unet_row_bytes(unet: Any, hw: tuple[int, int]) -> int:
    """Peak activation bytes of one row of a diffusers UNet at that latent size."""
    channels = int(unet.config.block_out_channels[0])
    return UNET_MAPS * channels * hw[0] * hw[1] * _itemsize(unet)


def vae_row_bytes(vae: Any, hw: tuple[int, int]) -> int:
    """Peak activation bytes of decoding one picture of that latent size."""
    widths = vae.config.block_out_channels
    scale = 2 ** (len(widths) - 1)
    return VAE_MAPS * int(widths[0]) * hw[0] * hw[1] * scale**2 * _itemsize(vae)


def _itemsize(module: torch.nn.Module) -> int:
    return next(module.parameters()).element_size()


def _free_ram() -> int:
    if os.name == "nt":
        return _free_ram_windows()
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            said = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":", 1) for line in lines)}
        return said["MemAvailable"]
    except (OSError, KeyError, ValueError):
        pass
    try:  # macOS names only the whole of it
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (OSError, ValueError):
        return UNKNOWN_FREE


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "free", "b", "c", "d", "e", "f")),
    )


def _free_ram_windows() -> int:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    found = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # pyright: ignore[reportAttributeAccessIssue]
    return int(status.free) if found else UNKNOWN_FREE
