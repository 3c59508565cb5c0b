"""How many photos fit on this machine at once: by its cores and by the memory that is free now."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

GB_EACH = 2.0
"""What one worker may need for a photo, without models: 1.4 GB measured at the default settings, and room."""
GB_PER_MODEL_GB = 2.0
"""Of half-precision files read as float32."""


def default_workers(models_gb: float = 0.0, device: str = "cpu") -> int:
    """As many as cores and free memory allow, at least 1; a GPU is given one worker."""
    if device != "cpu":
        return 1
    free_gb = available_gb()
    each_gb = GB_EACH + GB_PER_MODEL_GB * models_gb
    fit = cores() if free_gb is None else int(free_gb / each_gb)
    return max(1, min(cores(), fit))


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def available_gb() -> float | None:
    """Memory that can be taken without swapping, in GB of 10⁹ bytes; None where the system does not say."""
    try:
        if sys.platform == "win32":
            return _windows_bytes() / 1e9
        if sys.platform == "darwin":  # what is free now takes a subprocess to learn: half of all is a fair guess
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2e9
        return _linux_bytes() / 1e9
    except (OSError, ValueError, StopIteration):
        return None


def _linux_bytes() -> int:
    """The kernel's estimate, or what a container's own limit leaves, whichever is less."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return free if limit == "max" else min(free, max(0, int(limit) - used))


def _windows_bytes() -> int:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "page", "free_page", "virtual", "free_virtual")),
            ("extended", ctypes.c_ulonglong),
        )

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # pyright: ignore[reportAttributeAccessIssue]
        raise OSError("GlobalMemoryStatusEx failed")
    return int(status.free)
