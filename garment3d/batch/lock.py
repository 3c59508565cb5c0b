"""A lock that the system lets go of when its holder ends, however it ends: nothing stale is left after a kill.

Several processes share a folder by it; a file that merely says "in use" would lie after a power cut.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import SaveError

_AT = 4096
"""The locked byte lies beyond the text: Windows lets nobody read a byte that another process has locked."""


class Lock:
    """One file held by this process until `release` or its end."""

    def __init__(self, path: Path) -> None:
        """Raises BlockingIOError where another process, or this one a second time, holds the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(self._file)
        except OSError as error:
            os.close(self._file)
            raise BlockingIOError(f"{path} is held by another process.") from error
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Lets others have it; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def hold(path: Path, what: str) -> Lock:
    """The lock on a file; a SaveError that names its holder where another process has it."""
    try:
        return Lock(path)
    except BlockingIOError as error:
        raise SaveError(
            f"Another batch (process {holder(path)}) is working in {what}; wait for it, or stop it."
        ) from error
    except OSError as error:
        raise SaveError(f"{what} can't be written to: {error.strerror or error}.") from error


def is_free(path: Path) -> bool:
    """Whether nobody holds the file."""
    try:
        Lock(path).release()
    except OSError:
        return False
    return True


def holder(path: Path) -> str:
    """The process number that its last holder wrote, or "?"."""
    try:
        return path.read_text().strip() or "?"
    except OSError:
        return "?"


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        os.lseek(file, _AT, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file, 0, os.SEEK_SET)
else:
    import fcntl

    def _take(file: int) -> None:
        # Not lockf: its locks are the process's, and closing any other handle of the file would let go of them.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
