"""Seconds per stage, and whoever waits told how far a stage is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]
"""Told a stage's name and the share of it that is done, 0..1; may raise to stop the run."""


class Clock:
    """Times the stages of one run in `seconds`, in the order they ran."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress or (lambda stage, fraction: None)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Times what it encloses and gives a callback for (steps done, of steps)."""
        self._progress(name, 0.0)
        start = time.perf_counter()
        yield lambda done, total: self._progress(name, done / total)
        self.seconds[name] = time.perf_counter() - start
        self._progress(name, 1.0)
