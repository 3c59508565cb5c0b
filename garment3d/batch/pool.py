"""A few worker processes and the photos they have in hand; one that dies costs its photo one more try.

The standard executors give up altogether when a process is killed, which is what a full memory does.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

from ..errors import GarmentError
from .photos import BatchPhoto
from .worker import BEGUN, OUT_OF_MEMORY, Job, Outcome, work


class Ended(NamedTuple):
    """A photo that a worker is through with."""

    photo: BatchPhoto
    outcome: Outcome | None
    """None where the worker died over it."""
    how: str = ""
    """How the worker died; "" where it had not begun with the photo."""


class _Worker:
    """One process and its pipe."""

    def __init__(self, slot: int, job: Job, lock: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.slot = slot
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, lock, threads), daemon=True)
        with _deaf():
            self.process.start()
        theirs.close()
        self.begun = False
        self.photo: BatchPhoto | None = None
        self.count = 0
        self._send(job)

    def give(self, photo: BatchPhoto) -> None:
        self.photo, self.begun = photo, False
        self.count += 1
        self._send(photo)

    def end(self, at_once: bool) -> None:
        """Lets it end after what it does now, or now."""
        if at_once:
            self.process.terminate()
        else:
            self._send(None)
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()

    def _send(self, message: object) -> None:
        try:
            self.pipe.send(message)
        except OSError:  # it died: `Pool.wait` tells
            pass


class Pool:
    """Up to `size` workers, made as photos come."""

    def __init__(self, job: Job, size: int, threads: int, locks: Path) -> None:
        self._job, self._size, self._threads, self._locks = job, size, threads, locks
        self._workers: list[_Worker] = []
        self._stillborn = 0

    @property
    def has_room(self) -> bool:
        """Whether a worker is free for a photo, or can be made."""
        return len(self._workers) < self._size or any(w.photo is None for w in self._workers)

    @property
    def in_hand(self) -> int:
        """Photos that are being done."""
        return sum(worker.photo is not None for worker in self._workers)

    @property
    def busy(self) -> bool:
        """Whether any photo is being done."""
        return self.in_hand > 0

    def give(self, photo: BatchPhoto) -> None:
        """Hands a photo to a worker that has none; one that did its share of photos is replaced first."""
        for tired in [w for w in self._workers if w.photo is None and w.count >= self._job.options.recycle]:
            tired.end(at_once=False)
            self._workers.remove(tired)
        free = next((w for w in self._workers if w.photo is None), None)
        if free is None:
            slot = min(set(range(1, self._size + 1)) - {w.slot for w in self._workers})
            free = _Worker(slot, self._job, lock_of(self._locks, slot), self._threads)
            self._workers.append(free)
        free.give(photo)

    def wait(self, seconds: float | None = None) -> list[Ended]:
        """The photos that are through since the last call, once there is one or the time is up.

        GarmentError where workers die before they can begin, again and again.
        """
        waited = wait([w.pipe for w in self._workers] + [w.process.sentinel for w in self._workers], seconds)
        ended: list[Ended] = []
        for worker in list(self._workers):
            if worker.pipe in waited or worker.process.sentinel in waited:
                ended += self._heard(worker)
        return ended

    def end(self, at_once: bool) -> None:
        """Ends all workers; what they had in hand is lost if at once."""
        for worker in self._workers if at_once else ():
            worker.process.terminate()
        for worker in self._workers:
            worker.end(at_once)
        self._workers.clear()

    def _heard(self, worker: _Worker) -> list[Ended]:
        try:
            message = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            message = None
        if message == BEGUN:
            worker.begun, self._stillborn = True, 0
            return []
        photo = worker.photo
        if isinstance(message, Outcome) and photo is not None:
            worker.photo = None
            return [Ended(photo, message)]
        worker.end(at_once=True)
        self._workers.remove(worker)
        if photo is None:
            return []
        how = _how(worker.process.exitcode)
        if worker.begun:
            return [Ended(photo, None, how)]
        self._stillborn += 1
        if self._stillborn > 2 * self._size:
            told = 'a script that calls run_batch must do so under `if __name__ == "__main__":`'
            raise GarmentError(f"No worker can begin: {how}; free some memory, or take fewer --workers ({told}).")
        return [Ended(photo, None, "")]


def lock_of(locks: Path, slot: int) -> Path:
    """The file that the worker of a slot holds."""
    return locks / f"worker-{slot}.lock"


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name if -exit_code in list(signal.Signals) else str(-exit_code)
        full = "; memory may have run out" if -exit_code == 9 else ""
        return f"its process was ended by {name}{full}"
    if exit_code == OUT_OF_MEMORY:
        return "its memory ran out"
    return f"its process ended with status {exit_code}"


@contextmanager
def _deaf() -> Iterator[None]:
    """A process that starts here is deaf to Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
