"""What a batch has done so far: a file that only grows, so that no kill and no power cut can lose a finished photo.

One JSON object per line: "run" tells what was chosen, "start", "done" and "failed" tell of a photo. A torn line is
passed over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import SaveError


class Entry(NamedTuple):
    """What happened to a photo."""

    event: str
    """start, done or failed."""
    photo: str
    folder: str
    stamp: tuple[tuple[str, int, int], ...]
    """Name, bytes and time of change in ns of each file that the result is made from."""
    content: str
    """SHA-256 of those files."""
    settings: str
    """The id of a run's choices."""
    report: str | None
    """SHA-256 of the report.json in the photo's folder at that moment; None where there was none."""
    sentence: str = ""
    seconds: float = 0.0
    time: float = 0.0
    """Seconds since 1970."""


class History(NamedTuple):
    """A journal as it was read."""

    ends: Mapping[str, Entry]
    """The last "done" or "failed" of each photo."""
    starts: Mapping[str, tuple[Entry, ...]]
    """What was started since then and never ended."""
    chosen: Mapping[str, Mapping[str, Any]]
    """The choices of every run by their id."""
    source: str | None
    """The folder of photos of the last run."""

    @property
    def folders(self) -> dict[str, str]:
        """The folder name of every photo that was ever begun."""
        latest = {**self.ends, **{photo: starts[-1] for photo, starts in self.starts.items()}}
        return {photo: entry.folder for photo, entry in latest.items()}


class Journal:
    """Appends to a journal; a line is on the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            torn = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
            self._file = path.open("ab")
            if torn:
                self._file.write(b"\n")
        except OSError as error:
            raise SaveError(f"{path} can't be written to: {error.strerror or error}.") from error

    def write(self, entry: Entry) -> Entry:
        """Appends what happened to a photo, now, and gives it with its time."""
        timed = entry._replace(time=round(time.time(), 3))
        self._append(timed._asdict())
        return timed

    def write_run(self, settings: str, chosen: Mapping[str, Any], source: str, workers: int) -> None:
        """Appends what a run is about to do."""
        told = {"source": source, "workers": workers, "pid": os.getpid(), "time": round(time.time(), 3)}
        self._append({"event": "run", "settings": settings, "chosen": dict(chosen), **told})

    def close(self) -> None:
        """Nothing can be written after it."""
        self._file.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise SaveError(f"{self.path} can't be written to: {error.strerror or error}.") from error


def read_journal(path: Path) -> History:
    """What the journal tells; nothing where there is none."""
    ends: dict[str, Entry] = {}
    starts: dict[str, tuple[Entry, ...]] = {}
    chosen: dict[str, Mapping[str, Any]] = {}
    source = None
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        told = _parsed(line)
        if told.get("event") == "run":
            chosen[str(told.get("settings"))] = told.get("chosen", {})
            source = told.get("source")
        entry = _entry(told)
        if entry is None:
            continue
        if entry.event == "start":
            starts[entry.photo] = (*starts.get(entry.photo, ()), entry)
        else:
            ends[entry.photo] = entry
            starts.pop(entry.photo, None)
    return History(ends, starts, chosen, source)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:  # torn by a power cut, or not ours
        return {}
    return told if isinstance(told, dict) else {}


def _entry(told: Mapping[str, Any]) -> Entry | None:
    if told.get("event") not in ("start", "done", "failed"):
        return None
    try:
        entry = Entry(**{name: told[name] for name in Entry._fields if name in told})
        return entry._replace(stamp=tuple((str(n), int(size), int(at)) for n, size, at in entry.stamp))
    except (TypeError, ValueError):
        return None
