"""What is still to do of a folder: each photo held against the journal and against what lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import PhotoError
from .identity import Stamp, content, difference, stamp
from .journal import Entry, History
from .options import BatchOptions
from .photos import BatchPhoto
from .rooms import Found, result_in


class Todo(NamedTuple):
    """A photo to be done."""

    photo: BatchPhoto
    why: str
    """new, interrupted, failed, or what makes an earlier result no longer hold."""
    begun: int
    """How often it was started and never ended: what kills the machine comes last."""


class Finished(NamedTuple):
    """A photo that needs nothing."""

    photo: BatchPhoto
    entry: Entry
    """What the journal tells of it."""
    noted: bool
    """Whether the journal has that entry; a run may have been killed between the result and its line."""


class Plan(NamedTuple):
    """Every photo in one of three places."""

    todo: tuple[Todo, ...]
    finished: tuple[Finished, ...]
    left_out: tuple[Finished, ...]
    """Failed before, and not to be tried again."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why photos that had a result are done again: "3 photos changed"."""
        again = [todo.why for todo in self.todo if todo.why not in ("new", "interrupted", "failed")]
        return tuple(f"{again.count(why)} × {why}" for why in dict.fromkeys(again))


def make_plan(
    photos: Sequence[BatchPhoto], output: Path, history: History, settings: str, chosen: Mapping[str, Any],
    options: BatchOptions,
) -> Plan:  # fmt: skip
    """What to do with each photo; those that were interrupted most often come last."""
    todo: list[Todo] = []
    finished: list[Finished] = []
    left_out: list[Finished] = []
    for photo in photos:
        starts = history.starts.get(photo.name, ())
        entry = starts[-1] if starts else history.ends.get(photo.name)
        found = result_in(output / photo.folder)
        told = difference(history.chosen.get(entry.settings if entry else ""), chosen)
        why = "asked for" if options.again and entry else _why(photo, entry, found, settings, told)
        if why == "failed" and options.skip_failed and entry is not None:
            left_out.append(Finished(photo, entry, True))
        elif why or entry is None:
            todo.append(Todo(photo, why or "new", len(starts)))
        else:
            adopted = entry.event != "done" or (found is not None and found.digest != entry.report)
            now = entry._replace(event="done", report=found.digest if found else None, sentence="")
            finished.append(Finished(photo, now, not adopted))
    todo.sort(key=lambda one: one.begun)
    return Plan(tuple(todo), tuple(finished), tuple(left_out))


def _why(photo: BatchPhoto, entry: Entry | None, found: Found | None, settings: str, told: str) -> str:
    """Why a photo is to be done, or nothing where its folder holds what was asked for."""
    if entry is None:
        return "new"
    # A report that was not there at the entry's time: of the run that was killed right after, or a person's own run.
    newer = found is not None and found.digest != entry.report and _is_of(found, photo)
    stale = ""
    if not same_content(photo, entry):
        stale = "the photo or its mask changed"
    elif entry.settings != settings:
        stale = f"other settings{f' ({told})' if told else ''}"
    if newer and not stale:
        return ""
    if entry.event == "start":
        return "interrupted"
    if entry.event == "failed":
        return "new" if stale else "failed"
    if stale:
        return stale
    return "" if found is not None and _is_of(found, photo) else "its files are missing"


def same_content(photo: BatchPhoto, entry: Entry) -> bool:
    """Whether the photo's files are those of the entry: by size and time, or else by what is in them."""
    try:
        now: Stamp = stamp(photo.files)
        return now == entry.stamp or (bool(entry.content) and content(photo.files) == entry.content)
    except PhotoError:
        return not entry.stamp  # it could not be read then either


def _is_of(found: Found, photo: BatchPhoto) -> bool:
    told = found.report.get("photo")
    return isinstance(told, dict) and told.get("file") == photo.path.name
