"""The process that turns photos into folders: it reads the models once and takes one photo after the other.

It ends with its parent, however that ends: nobody is left to write into a folder that the next batch works on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GarmentError, MaskError, UnclearGarment

if TYPE_CHECKING:
    from ..engines import Models
    from ..pipeline import Settings
    from .options import BatchOptions
    from .photos import BatchPhoto

BEGUN = "begun"
"""What a worker says as soon as it has a photo in hand."""
OUT_OF_MEMORY = 77
"""Exit status of a worker whose memory ran out."""
WAYS_OUT = "--mask FOLDER, or run it by itself with --box X0,Y0,X1,Y1"


class Job(NamedTuple):
    """What all photos of a batch share."""

    output: Path
    settings: Settings
    options: BatchOptions


class Outcome(NamedTuple):
    """What became of a photo."""

    sentence: str
    """Why it failed; "" where it did not."""
    seconds: float
    trace: str = ""
    """Where an error comes from, for --debug."""


def work(pipe: Connection, lock: Path, threads: int) -> None:
    """Does what arrives through the pipe, a Job and then photos, until None or the end of the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal: the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _share_cores(threads)
    from .lock import Lock

    held = Lock(lock)
    try:
        job: Job = pipe.recv()  # reading it imports torch, which takes the numbers above
        models = _models(job)
        while (photo := pipe.recv()) is not None:
            pipe.send(BEGUN)
            pipe.send(do(photo, job, models))
    except (EOFError, ConnectionError):
        pass
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        held.release()


def do(photo: BatchPhoto, job: Job, models: Models) -> Outcome:
    """One photo into its folder, on the disk to stay; what goes wrong with it is told, not raised.

    Running out of memory is raised: a fresh process may do better.
    """
    began = time.monotonic()
    try:
        _fill(photo, job, models)
    except MemoryError:
        raise
    except Exception as error:
        return Outcome(sentence(error), time.monotonic() - began, traceback.format_exc())
    finally:
        import gc

        gc.collect()
    return Outcome("", time.monotonic() - began)


def settings_of(photo: BatchPhoto, settings: Settings) -> Settings:
    """The settings with the photo's own mask and back; MaskError where a folder of masks has none for it."""
    if settings.mask is not None and settings.mask.is_dir():
        if photo.mask is None:
            name = f"{photo.path.stem}.mask.png"
            raise MaskError(f"{settings.mask} holds no mask for {photo.path.name}; name it {name}.")
        settings = replace(settings, mask=photo.mask)
    if settings.back is not None and settings.back.is_dir():
        settings = replace(settings, back=photo.back)
    return settings


def sentence(error: Exception) -> str:
    """The one sentence for the person."""
    text = " ".join(str(error).split())
    if not isinstance(error, GarmentError):
        return f"Something unforeseen went wrong ({type(error).__name__}: {text}); --debug shows where."
    if isinstance(error, UnclearGarment) and error.__cause__ is None:
        text = f"{text.rstrip('.')} ({WAYS_OUT})."
    return text


def _fill(photo: BatchPhoto, job: Job, models: Models) -> None:
    from ..export.result import save
    from ..pipeline import run
    from .rooms import sync
    from .thumbs import save_thumbs

    folder = job.output / photo.folder
    result = run(photo.path, settings_of(photo, job.settings), None, models)
    options = job.options
    report = save(result, folder, options.formats, options.turntable, job.settings.device, extras=options.extras)
    sync(folder, report.files)
    save_thumbs(photo.path, job.output, photo.folder)


def _models(job: Job) -> Models:
    """The models, none read yet."""
    from ..engines import Models

    return Models(job.settings.models, job.settings.device, job.options.zero123_family)


def _share_cores(threads: int) -> None:
    """Tells the libraries that are imported from now on how many threads they may use; fewer that were set stay."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        given = os.environ.get(name, "")
        os.environ[name] = str(min(threads, int(given)) if given.isdigit() and int(given) > 0 else threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads otherwise spin on other workers' cores


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # at once: there is nobody left to tell
