"""`python -m garment3d batch FOLDER`: its options beside those of a single photo, and what it tells while it works."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PhotoError
from ..export.extras import Extras
from .options import BatchOptions
from .rows import VERDICTS, Row

if TYPE_CHECKING:
    from ..pipeline import Settings
    from .session import Batch, Done


def add_batch_options(add: Callable[..., object], whole: Callable[[int, int], Callable[[str], int]]) -> None:
    """Adds FOLDER and the batch's own options to a parser that has those of a single photo.

    Args:
        add: the parser's add_argument.
        whole: gives the type of a whole number between two.
    """
    add("folder", type=Path, metavar="FOLDER", help="folder of photos, one garment each")
    told = "photos side by side, a process each; default by cores and free memory, about 2 GB each"
    add("--workers", type=whole(1, 64), default=0, metavar="N", help=told)
    add("--recursive", action="store_true", help="look into the folder's folders too")
    add("--again", action="store_true", help="do finished photos again")
    add("--skip-failed", action="store_true", help="leave out photos that failed before; else they are tried again")


def options_of(arguments: argparse.Namespace, extras: Extras) -> BatchOptions:
    """The options that a person gave."""
    return BatchOptions(
        workers=arguments.workers,
        recursive=arguments.recursive,
        again=arguments.again,
        skip_failed=arguments.skip_failed,
        formats=arguments.formats,
        turntable=arguments.turntable,
        extras=extras,
        zero123_family=arguments.zero123_family,
    )


def batch_command(arguments: argparse.Namespace, settings: Settings, extras: Extras) -> Generator[str, None, None]:
    """Lines to print while a folder is done; PhotoError at the end where photos failed.

    On a terminal a bar shows the rate and the remaining time, and only failures are told; elsewhere every photo is.
    """
    from .session import Batch  # only now: it brings in torch, and arguments are understood without

    began = time.monotonic()
    with Batch(arguments.folder, arguments.output, settings, options_of(arguments, extras)) as batch:
        yield from _opening(batch)
        with _Bar(len(batch.plan.todo)) as bar, closing(batch.run()) as photos:
            for count, done in enumerate(photos, 1):
                bar.tell(done, count)
                if done.row.status == "failed" or not bar.shown:
                    with bar.aside():
                        yield _line(done, count, len(batch.plan.todo))
                        if done.trace and arguments.debug:
                            yield done.trace.rstrip()
        yield from _closing(batch, time.monotonic() - began)
        failed = sum(row.status == "failed" for row in batch.rows)
    if failed:
        way = "batch.csv says why, and the same command tries them again"
        raise PhotoError(f"{failed} of {_count(len(batch.rows), 'photo')} failed: {way}.")


def _opening(batch: Batch) -> Iterator[str]:
    plan = batch.plan
    total = len(batch.rows)
    parts = [f"{len(plan.finished)} done before"] if plan.finished else []
    parts += [f"{len(plan.left_out)} failed before and left out"] if plan.left_out else []
    parts += [f"{len(plan.todo)} to do" if plan.todo else "nothing to do"]
    by = f", {_count(batch.workers, 'worker')}" if plan.todo else ""
    yield f"{_count(total, 'photo')} in {batch.folder}: {', '.join(parts)}{by}."
    for reason in plan.reasons:
        yield f"  done again: {reason}"


def _closing(batch: Batch, seconds: float) -> Iterator[str]:
    counts = {verdict: sum(row.verdict == verdict for row in batch.rows) for verdict in VERDICTS}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    done = len(batch.plan.todo)
    rate = f"; {60 * done / seconds:.1f} photos per minute" if done else ""
    yield f"{_count(len(batch.rows), 'photo')}: {told}{rate}"
    if batch.trouble:
        yield f"  {batch.trouble}"
    yield f"  {batch.output / 'index.html'}"


def _line(done: Done, count: int, total: int) -> str:
    row = done.row
    if row.status == "failed":
        return f"[{count}/{total}] {row.photo}: failed: {row.sentence}"
    return f"[{count}/{total}] {row.photo}: {', '.join(_figures(row))}, {done.seconds:.1f} s"


def _figures(row: Row) -> Iterator[str]:
    yield row.verdict
    yield row.garment_class or "garment"
    if row.silhouette_iou is not None:
        yield f"outline {100 * row.silhouette_iou:.1f} %"
    if row.warnings:
        yield _count(len(row.warnings), "warning")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


class _Bar:
    """Photos done, the rate and the remaining time on a terminal; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        form = "{n_fmt}/{total_fmt} {bar} {percentage:3.0f}%{postfix}"
        self.aside = tqdm.external_write_mode
        """A context in which the bar makes room for a line."""
        self.shown = sys.stderr.isatty()
        self._bar = tqdm(total=total, bar_format=form, disable=not self.shown, leave=False)
        self._bar.set_postfix_str("starting")
        self._began = time.monotonic()
        self._failed = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def tell(self, done: Done, count: int) -> None:
        self._failed += done.row.status == "failed"
        rate = count / max(time.monotonic() - self._began, 1e-3)
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.set_postfix_str(f"{60 * rate:.1f} photos/min, {_span(done.left / rate)} left{failed}", refresh=False)
        self._bar.update(1)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
