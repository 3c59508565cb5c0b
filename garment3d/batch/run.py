"""A folder of photos, every photo once: `run_batch` can be killed at any moment and called again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .options import BatchOptions
from .session import Batch, Done

if TYPE_CHECKING:
    from ..pipeline import Settings


class Summary(NamedTuple):
    """What a run came to."""

    done: int
    failed: int
    skipped: int
    """Finished by earlier runs, or failed then and left out."""
    seconds: float


def run_batch(
    folder: Path,
    output: Path,
    settings: Settings,
    options: BatchOptions | None = None,
    tell: Callable[[Done], None] | None = None,
) -> Summary:
    """How many photos of a folder were done, failed and skipped; each gets a folder in `output`, all a table and index.

    What finished in an earlier call is not done again, unless its photo or the settings changed. Workers are processes:
    a script calls this under `if __name__ == "__main__":`.

    Args:
        settings: as for a single photo; mask and back may be folders with one picture per photo.
        tell: hears of every photo, and may raise to stop; what is finished is kept.

    Raises:
        PhotoError: no photos.
        SaveError: another batch works in `output`, or it holds the results of another folder.
    """
    began, counts = time.monotonic(), {"done": 0, "failed": 0}
    with Batch(folder, output, settings, options or BatchOptions()) as batch:
        skipped = len(batch.plan.finished) + len(batch.plan.left_out)
        with closing(batch.run()) as photos:
            for done in photos:
                counts[done.row.status] += 1
                if tell is not None:
                    tell(done)
    return Summary(counts["done"], counts["failed"], skipped, time.monotonic() - began)
