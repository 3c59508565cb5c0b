"""A batch at work: it holds its output folder, knows what is to do, and writes down each photo as it ends.

The journal is written by this process alone, and a photo counts as done when its line is on the disk.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import MaskError, PhotoError, SaveError
from ..images import replace_file
from .capacity import cores, default_workers
from .identity import choices, choices_id, content, model_bytes, stamp
from .index import index_html
from .journal import Entry, History, Journal, read_journal
from .lock import hold, is_free
from .options import BatchOptions
from .photos import BatchPhoto, find_photos
from .plan import Finished, Plan, make_plan
from .pool import Ended, Pool
from .rooms import recover, recover_one, result_in, sync
from .rows import Row, failed_row, finished_row, table
from .thumbs import save_thumbs
from .worker import Job, Outcome

if TYPE_CHECKING:
    from ..engines import Models
    from ..pipeline import Settings

TRIES = 2
"""Workers that may die over a photo before it counts as failed."""
ORPHANS_S = 60.0
"""How long a start waits for the workers of a killed run, which end by themselves."""
SHOW_EVERY_S = 20.0


class Done(NamedTuple):
    """A photo that this run is through with."""

    row: Row
    seconds: float
    left: int
    """Photos that are still to do."""
    trace: str
    """Where an error comes from; "" where there was none."""


class Batch:
    """A folder of photos and its output: a context that plans when it is entered and works in `run`."""

    plan: Plan
    workers: int

    def __init__(self, folder: Path, output: Path, settings: Settings, options: BatchOptions) -> None:
        self.folder, self.output, self.options = folder, output, options
        self.trouble = ""
        """Why the table or the index could not be written last time."""
        self._settings = settings
        self._rows: dict[str, Row] = {}
        self._begun: dict[str, Entry] = {}

    def __enter__(self) -> Batch:
        from ..engines import Models, check_hints

        settings = self._settings
        check_hints(settings.engine_mask, settings.box, settings.prompt, settings.garment)
        models = Models(settings.models, settings.device, self.options.zero123_family)
        models.require(settings.engines)
        photos = self._photos(read_journal(self.output / "batch.jsonl"))
        self._lock = hold(self._locks / "batch.lock", str(self.output))
        try:
            self._open(photos, models)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()
        self._lock.release()

    @property
    def rows(self) -> tuple[Row, ...]:
        """One per photo, in their order."""
        return tuple(self._rows.values())

    def run(self) -> Generator[Done, None, None]:
        """Does what is to do and tells of each photo; stopped anywhere, table and index show what is finished."""
        threads = max(1, cores() // self.workers)
        pool = Pool(Job(self.output, self._settings, self.options), self.workers, threads, self._locks)
        waiting, deaths = deque(todo.photo for todo in self.plan.todo), dict[str, int]()
        stopped = True
        try:
            while waiting or pool.busy:
                while waiting and pool.has_room:
                    photo = waiting.popleft()
                    unreadable = self._begin(photo, pool)
                    if unreadable:
                        yield self._end(photo, Outcome(unreadable, 0.0), len(waiting) + pool.in_hand)
                for ended in pool.wait() if pool.busy else ():
                    outcome = _judged(ended, deaths)
                    if ended.outcome is None:  # its worker is dead: nobody else knows of its half-written folder
                        recover_one(self.output, self._begun[ended.photo.name])
                    if outcome is None:
                        waiting.append(ended.photo)
                    else:
                        yield self._end(ended.photo, outcome, len(waiting) + pool.in_hand)
            stopped = False
        finally:
            pool.end(at_once=stopped)
            if stopped:
                recover(self.output, read_journal(self._journal.path).starts)
            self._show()

    @property
    def _locks(self) -> Path:
        return self.output / ".batch"

    def _photos(self, history: History) -> tuple[BatchPhoto, ...]:
        """The folder's photos; raises for what can't be meant, before anything is written."""
        settings = self._settings
        masks, backs = (path if path and path.is_dir() else None for path in (settings.mask, settings.back))
        photos = find_photos(self.folder, self.output, self.options.recursive, masks, backs, history.folders)
        single = {"mask": settings.mask, "back": settings.back, "mesh": settings.target, "views": settings.views}
        for name, path in single.items():
            if path is not None and not path.exists():
                raise MaskError(f"--{name} {path} does not exist.")
            if path is not None and path not in (masks, backs) and len(photos) > 1:
                way = "give a folder of them" if name in ("mask", "back") else "run those photos by themselves"
                raise MaskError(f"--{name} {path} is of one photo, and there are {len(photos)}; {way}.")
        source = Path(history.source) if history.source else self.folder
        if source.is_dir() and source.resolve() != self.folder.resolve():
            raise SaveError(f"{self.output} holds the results of {source}; choose another folder for {self.folder}.")
        return photos

    def _open(self, photos: tuple[BatchPhoto, ...], models: Models) -> None:
        """What earlier runs left is put in order, and what is to do is planned and written down."""
        self._wait_for_orphans()
        path = self.output / "batch.jsonl"
        history = read_journal(path)
        recover(self.output, history.starts)
        chosen = choices(self._settings, self.options, models)
        self._chosen = choices_id(chosen)
        self.plan = make_plan(photos, self.output, history, self._chosen, chosen, self.options)
        self._journal = Journal(path)
        gigabytes = sum(model_bytes(models, engine) for engine in set(self._settings.engines)) / 1e9
        wanted = self.options.workers or default_workers(gigabytes, self._settings.device)
        self.workers = max(1, min(wanted, len(self.plan.todo)))
        self._journal.write_run(self._chosen, chosen, str(self.folder.resolve()), self.workers)
        self._rows = {photo.name: Row(photo.name, "waiting", "waiting", folder=photo.folder) for photo in photos}
        for one in self.plan.finished:
            self._take_over(one)
        for one in self.plan.left_out:
            told = failed_row(one.photo.name, one.entry.sentence, one.entry.seconds, one.photo.folder)
            self._rows[one.photo.name] = told
        self._show()

    def _wait_for_orphans(self) -> None:
        end = time.monotonic() + ORPHANS_S
        for path in sorted(self._locks.glob("worker-*.lock")):
            while not is_free(path):
                if time.monotonic() > end:
                    raise SaveError(f"A worker of an earlier run still works in {self.output}; end it, or wait.")
                time.sleep(0.05)

    def _take_over(self, one: Finished) -> None:
        """The row of a finished photo, and the journal's line and the thumbnails where a kill left them out."""
        photo = one.photo
        if not one.noted:
            found = result_in(self.output / photo.folder)
            sync(self.output / photo.folder, [str(name) for name in found.report["files"]] if found else [])
            self._journal.write(one.entry._replace(stamp=stamp(photo.files)))
        if not (self.output / "thumbs" / f"{photo.folder}.garment.webp").exists():
            save_thumbs(photo.path, self.output, photo.folder)
        self._rows[photo.name] = finished_row(photo.name, self.output, photo.folder)

    def _begin(self, photo: BatchPhoto, pool: Pool) -> str:
        """Notes that a photo begins and hands it to the pool; why not, where it can't be read."""
        found = result_in(self.output / photo.folder)
        entry = Entry("start", photo.name, photo.folder, (), "", self._chosen, found.digest if found else None)
        try:
            entry = entry._replace(stamp=stamp(photo.files), content=content(photo.files))
        except PhotoError as error:
            self._begun[photo.name] = entry
            return str(error)
        self._begun[photo.name] = self._journal.write(entry)
        pool.give(photo)
        return ""

    def _end(self, photo: BatchPhoto, outcome: Outcome, left: int) -> Done:
        """Notes what became of a photo."""
        found, entry = result_in(self.output / photo.folder), self._begun.pop(photo.name)
        told, spent = outcome.sentence, round(outcome.seconds, 2)
        if not told and found is None:
            told = f"Its files vanished from {self.output / photo.folder} as soon as they were written; run again."
        event, report = "failed" if told else "done", found.digest if found else None
        self._journal.write(entry._replace(event=event, report=report, sentence=told, seconds=spent))
        if told:
            save_thumbs(photo.path, self.output, photo.folder)
            row = failed_row(photo.name, told, spent, photo.folder)
        else:
            row = finished_row(photo.name, self.output, photo.folder)
        self._rows[photo.name] = row
        if time.monotonic() - self._shown > SHOW_EVERY_S:
            self._show()
        return Done(row, spent, left, outcome.trace)

    def _show(self) -> None:
        """Writes the table and the index; one that is open in a spreadsheet on Windows is left for the next time."""
        self._shown, self.trouble = time.monotonic(), ""
        page = index_html(self.rows, self.folder.resolve().name or str(self.folder))
        for name, data in (("batch.csv", table(self.rows)), ("index.html", page.encode())):
            try:
                replace_file(self.output / name, data)
            except SaveError as error:
                self.trouble = str(error)


def _judged(ended: Ended, deaths: dict[str, int]) -> Outcome | None:
    """What became of a photo, or None where it is to be tried once more after its worker died."""
    if ended.outcome is not None:
        return ended.outcome
    if not ended.how:  # it died before it began with the photo
        return None
    deaths[ended.photo.name] = deaths.get(ended.photo.name, 0) + 1
    if deaths[ended.photo.name] < TRIES:
        return None
    return Outcome(f"It was tried {TRIES} times and {ended.how}; fewer --workers leave more memory to each.", 0.0)
