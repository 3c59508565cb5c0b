"""The download of an official model, only ever when a person asked for it: resumed, checked, renamed when whole.

Files of the hub are found through huggingface_hub (names, sizes, hashes, login) and fetched as the others are, so that
every version of it shows the bytes as they come, can be stopped at once, and leaves no cache in the model folders.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DownloadError
from .identity import sha256_of
from .table import Part, WeightFile, size_text

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int], None]
"""Told the bytes that are there and those of the whole; what it raises stops the download and keeps what arrived."""

TRIES = 5
"""Connections in a row that may bring nothing."""
WAIT_S = 1.0
TIMEOUT_S = 30.0
_CHUNK = 1 << 16
"""A connection that breaks loses less than this."""
_TELL = 1 << 20


class _Source(NamedTuple):
    """Where a part lies now and what is known of it."""

    part: Part
    url: str
    headers: dict[str, str]
    bytes: int | None
    sha256: str | None


class _Broken(Exception):
    """The connection ended early; what arrived is on disk."""


class _Expired(_Broken):
    """The address that the hub gave is no longer valid: it signs them for about an hour."""


def download(entry: WeightFile, folder: Path, progress: Progress | None = None) -> Path:
    """The file, or the folder of several, whole and checked; files that are there already are kept and not fetched.

    Raises DownloadError; a partial file stays beside the target as `<name>.part`, and the next call goes on from there.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"The folder {folder} can't be made ({error.strerror or error}); choose another."
        ) from error
    wanted = [part for part in entry.files if not _is_there(part, folder / part.file)]
    if all(part.optional for part in wanted):  # it is usable as it is: nobody is asked
        wanted = []
    sources = [source for part in wanted if (source := _source(entry, part)) is not None]
    total = sum(source.bytes or 0 for source in sources)
    _check_space(entry, folder, sources)
    done = 0
    for source in sources:
        target = folder / source.part.file
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(entry, source, target, _shifted(progress, done, total))
        done += target.stat().st_size
    return folder if entry.is_folder else folder / entry.files[0].file


def _is_there(part: Part, target: Path) -> bool:
    return target.is_file() and part.bytes in (None, target.stat().st_size)


def _shifted(progress: Progress | None, before: int, total: int) -> Progress:
    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress(before + done, max(total, before + of))

    return tell


def _source(entry: WeightFile, part: Part) -> _Source | None:
    """None for an optional part that the repository lacks; asks the hub, and nobody for files elsewhere."""
    if part.url:
        return _Source(part, part.url, {}, part.bytes, part.sha256)
    import huggingface_hub
    from huggingface_hub import errors
    from huggingface_hub.utils import build_hf_headers

    url = huggingface_hub.hf_hub_url(entry.repo, part.file, endpoint=os.environ.get("HF_ENDPOINT"))
    page = f"https://huggingface.co/{entry.repo}"
    try:
        found: Any = huggingface_hub.get_hf_file_metadata(url)
    except errors.GatedRepoError as error:
        text = f"{entry.title} is given out on terms: accept them on {page}, log in with `hf auth login` and try again."
        raise DownloadError(text) from error
    except errors.EntryNotFoundError as error:
        if part.optional:
            return None
        raise DownloadError(f"{page} has no file {part.file} any more; look there for its new name.") from error
    except errors.RepositoryNotFoundError as error:
        raise DownloadError(f"{page} can't be found, or only after `hf auth login`; look there first.") from error
    except errors.OfflineModeIsEnabled as error:
        raise DownloadError("HF_HUB_OFFLINE forbids downloads; unset it and try again.") from error
    except Exception as error:  # what a failed connection raises differs between its versions
        raise DownloadError(f"{url} can't be reached ({_short(error)}); check the connection and try again.") from error
    etag = found.etag or ""
    sha256 = etag if len(etag) == 64 else None  # of large files the hub's tag is the hash
    if part.sha256 and sha256 and part.sha256 != sha256:
        raise DownloadError(
            f"{part.file} on {page} is not the file known here (sha256 {sha256[:12]}… instead of {part.sha256[:12]}…); "
            "update Garment3D, or download it by hand if you trust it."
        )
    location = found.location or url
    headers = build_hf_headers() if _host(location) == _host(url) else {}  # the login is for the hub alone
    return _Source(part, location, headers, found.size or part.bytes, part.sha256 or sha256)


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).netloc


def _check_space(entry: WeightFile, folder: Path, sources: list[_Source]) -> None:
    there = sum(p.stat().st_size for s in sources if (p := _partial(folder / s.part.file)).exists())
    known = all(source.bytes for source in sources)
    needed = sum(s.bytes or 0 for s in sources) if known else int(entry.gigabytes * 1e9)
    free = shutil.disk_usage(folder).free
    if sources and needed - there > free:
        raise DownloadError(
            f"{entry.title} needs {size_text(needed - there)} more and {folder} has {size_text(free)} free; "
            "make room or choose another folder."
        )


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _fetch(entry: WeightFile, source: _Source, target: Path, tell: Progress) -> None:
    """Fetches one part, connecting again while that brings something, then checks and renames it."""
    partial = _partial(target)
    idle = 0
    size = source.bytes
    while True:
        before = _size(partial)
        try:
            size = _stream(source, partial, size, tell)
            break
        except _Broken as error:
            idle = 0 if _size(partial) > before else idle + 1
            if idle >= TRIES and not _size(partial):
                raise DownloadError(
                    f"{entry.title} can't be fetched from {_host(source.url)} ({error}); check the connection and try "
                    "again."
                ) from error
            if idle >= TRIES:
                of = f" of {size_text(size)}" if size else ""
                raise DownloadError(
                    f"{entry.title} broke off at {size_text(_size(partial))}{of} ({error}); what arrived is kept in "
                    f"{partial}: the same download goes on from there."
                ) from error
            tell(_size(partial), size or 0)  # who waits for a server that does not answer can stop here
            time.sleep(WAIT_S * idle)
            if isinstance(error, _Expired):
                source = _source(entry, source.part) or source
        except OSError as error:  # requests' own errors are _Broken by now: this is the disk
            why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
            raise DownloadError(
                f"{partial} can't be written ({why}); what arrived is kept: make room, and the same download goes on."
            ) from error
    _accept(source, partial, target, size)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _stream(source: _Source, partial: Path, size: int | None, tell: Progress) -> int:
    """The size of the whole, once it is on disk; one connection, from where the partial file ends."""
    import requests

    have = _size(partial)
    if size is not None and have > size:
        partial.unlink()
        have = 0
    if size is not None and have == size > 0:
        return size
    headers = {**source.headers, "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(source.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            if answer.status_code == 416 and have:  # nothing follows what is there
                if answer.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                    return have
                partial.unlink()
                raise _Broken("what was there is of another file")
            start, whole = _start(source, answer, have)
            size = whole or size
            with partial.open("r+b" if start else "wb") as file:
                file.seek(start)
                file.truncate()
                for piece in answer.iter_content(_CHUNK):
                    file.write(piece)
                    start += len(piece)
                    if start // _TELL > (start - len(piece)) // _TELL or start == size:
                        tell(start, size or 0)
    except requests.RequestException as error:
        raise _Broken(_short(error)) from error
    if size is not None and start != size:
        raise _Broken("the connection ended early")
    return start


def _start(source: _Source, answer: requests.Response, have: int) -> tuple[int, int | None]:
    """Where the answer's bytes belong, and the size of the whole if it is said; other answers raise DownloadError."""
    if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
        raise _Broken(f"the server answers {answer.status_code}")
    if answer.status_code in (401, 403, 410) and not source.part.url:
        raise _Expired(f"the server answers {answer.status_code}")
    if answer.status_code not in (200, 206):
        raise DownloadError(f"{_plain(source.url)} answers {answer.status_code} {answer.reason}; look at its page.")
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise DownloadError(f"{_plain(source.url)} answers with a web page instead of the file; check the connection.")
    length = answer.headers.get("Content-Length")
    start = have if answer.status_code == 206 else 0
    return start, start + int(length) if length and length.isdigit() else None


def _accept(source: _Source, partial: Path, target: Path, size: int) -> None:
    """Renames a whole file into place; one that is not what it should be is deleted, so that the next try is clean."""
    faults: list[str] = []
    if source.part.bytes is not None and size != source.part.bytes:
        faults.append(f"{size:,} bytes instead of {source.part.bytes:,}")
    elif source.sha256 is not None and (found := sha256_of(partial)) != source.sha256:
        faults.append(f"sha256 {found[:12]}… instead of {source.sha256[:12]}…")
    if faults:
        partial.unlink()
        raise DownloadError(f"What arrived as {target.name} is not the official file ({faults[0]}) and was deleted.")
    try:
        os.replace(partial, target)
    except OSError as error:
        raise DownloadError(f"{partial} can't be renamed to {target.name} ({error.strerror or error}).") from error


def _plain(url: str) -> str:
    """Without the query, which on a hub holds a signature."""
    return url.partition("?")[0]


def _short(error: Exception) -> str:
    """The innermost cause's name: requests and urllib3 wrap it in their own, whose text is a page of addresses."""
    while isinstance(error.__cause__ or error.__context__, Exception):
        error = error.__cause__ or error.__context__  # pyright: ignore[reportAssignmentType]
    text = " ".join(str(error).split())
    return text if 0 < len(text) <= 160 else type(error).__name__
