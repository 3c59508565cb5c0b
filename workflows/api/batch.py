"""Every photo of a folder through a workflow of a running ComfyUI: resumable, with a table and an index page.

    python batch.py FOLDER -o DIR [--server http://127.0.0.1:8188] [--workflow 02_garment.json]

Needs nothing but Python 3.10: copy this one file and a workflow saved by "Export (API)". Each photo is uploaded and put
in the place of the workflow's Load Image or Example Garment Photo; save nodes get a prefix of the photo's own. What the
nodes saved and showed is brought to DIR/<photo>/. Kill it at any moment and start it again: finished photos are not
done again, and those that ComfyUI still has in its queue are waited for, not queued twice.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import csv
import hashlib
import html
import io
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
LOADERS = ("LoadImage", "Garment3D_ExamplePhoto")
UPLOADS = "garment3d_batch"
KEPT = ("status", "sentence", "seconds", "texts", "files")
"""What the journal keeps of a photo."""
VERDICTS = ("failed", "reject", "check", "done", "good", "waiting")
"""In the order of the page; a workflow without Garment Report knows only done and failed."""


class Stop(Exception):
    """Ends the batch with one sentence; what is finished is kept."""


@dataclass(frozen=True)
class Server:
    """A running ComfyUI."""

    url: str

    def ask(self, path: str, data: bytes | None = None, kind: str = "application/json", seconds: float = 60) -> bytes:
        """The answer's body; a server that does not answer for so long ends the batch."""
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind} if data else {})
        end = time.monotonic() + (0 if data else seconds)  # what is posted is sent once: it may have arrived
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.read()
            except urllib.error.HTTPError:
                raise
            except OSError as error:
                if time.monotonic() > end:
                    told = f"No ComfyUI answers at {self.url} ({getattr(error, 'reason', error)})"
                    raise Stop(f"{told}; start it, or say where it is with --server.") from error
                time.sleep(1)

    def upload(self, photo: Path, digest: str) -> str:
        """Puts the photo into ComfyUI's input folder and gives its name there, as Load Image takes it."""
        edge, name = uuid.uuid4().hex, digest[:20] + photo.suffix.lower()
        parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
                 for key, value in (("overwrite", "true"), ("type", "input"), ("subfolder", UPLOADS))]  # fmt: skip
        head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
        body = "".join([*parts, head]).encode() + photo.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        stored = json.loads(self.ask("/upload/image", body, f"multipart/form-data; boundary={edge}"))
        return f"{stored['subfolder']}/{stored['name']}"

    def queue(self, graph: dict[str, Any], prompt_id: str) -> None:
        """Queues a prompt under an id that is known beforehand; a refused one ends the batch."""
        body = json.dumps({"prompt": graph, "prompt_id": prompt_id}).encode()
        try:
            answer = self.ask("/prompt", body)
        except urllib.error.HTTPError as refusal:
            raise Stop(f"ComfyUI refused the workflow: {refused(refusal.read())}") from refusal
        if parsed(answer).get("node_errors"):  # some of its nodes would run: half a result is none
            self.ask("/queue", json.dumps({"delete": [prompt_id]}).encode())
            raise Stop(f"ComfyUI refused the workflow: {refused(answer)}")


def refused(body: bytes) -> str:
    """Why a prompt was not queued, from the server's answer: each node's errors, or the one of all."""
    answer = parsed(body)
    nodes = (answer.get("node_errors") or {}).items()
    told = [f"{n} ({e['class_type']}): {one['message']}: {one['details']}" for n, e in nodes for one in e["errors"]]
    whole = answer.get("error")
    told = told or [f"{whole['message']} {whole.get('details', '')}" if whole else body.decode(errors="replace")[:300]]
    return "node " * bool(nodes) + "; ".join(" ".join(line.split()) for line in told).rstrip(".:; ") + "."


@dataclass
class Photo:
    """A photo of the folder and how it goes."""

    path: Path
    name: str  # of its folder in the output
    digest: str = ""
    prompt_id: str = ""  # of what is queued for it
    status: str = "waiting"  # or done, failed
    sentence: str = ""
    seconds: float | None = None
    texts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The first word of what Garment Report says, where the workflow shows it."""
        words = [text.split(":")[0].strip().lower() for text in self.texts if self.status == "done"]
        return next((w for w in words if w in ("good", "check", "reject")), self.status)


def photos_of(folder: Path) -> list[Photo]:
    """The folder's photos by name, with a folder name each that differs in more than case."""
    if not folder.is_dir():
        raise Stop(f"{folder} is no folder; give one with photos in it.")
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in PHOTOS and p.is_file()]
    paths = [p for p in paths if not p.stem.lower().endswith((".mask", "_mask")) and not p.name.startswith(".")]
    if not paths:
        raise Stop(f"The folder {folder} holds no photos ({', '.join(PHOTOS)}).")
    stems = [p.stem.casefold() for p in paths]
    return [Photo(p, p.stem.rstrip(". ") if stems.count(p.stem.casefold()) == 1 else p.name) for p in paths]


def loader_of(graph: dict[str, Any], node: str) -> str:
    """The id of the node whose photo is replaced: the one that was named, or the only one there is."""
    found = [i for i, n in graph.items() if n.get("class_type") in LOADERS]
    if node and node not in found:
        raise Stop(f"Node {node} of the workflow gives no photo; take {', '.join(found) or 'another workflow'}.")
    if not node and len(found) != 1:
        told = f"{len(found)} nodes that give a photo ({', '.join(found)}); say which one with --node" if found else ""
        raise Stop(f"The workflow has {told or 'no Load Image and no Example Garment Photo'}.")
    return node or found[0]


def graph_for(graph: dict[str, Any], node: str, image: str, prefix: str) -> dict[str, Any]:
    """The workflow with the uploaded photo in the node's place, and every save node's files under the prefix."""
    made = json.loads(json.dumps(graph))
    made[node] = {"class_type": "LoadImage", "inputs": {"image": image}, "_meta": made[node].get("_meta", {})}
    for other in made.values():
        own = other["inputs"].get("filename_prefix")
        if isinstance(own, str) and own.strip():
            folder, _, name = own.rpartition("/")
            other["inputs"]["filename_prefix"] = "/".join(filter(None, (folder, prefix, name)))
    return made


def read_workflow(path: Path) -> dict[str, Any]:
    """An API workflow; one saved for the canvas ends the batch with a sentence."""
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Stop(f"The workflow {path} can't be read ({error}).") from error
    if isinstance(graph, dict) and all(isinstance(n, dict) and "class_type" in n for n in graph.values()):
        return graph
    raise Stop(f'{path.name} is not in the API format; save it in ComfyUI with "Export (API)".')


class Batch:
    """A folder, its output and the journal between them."""

    def __init__(self, folder: Path, out: Path, server: Server, graph: dict[str, Any], node: str) -> None:
        self.photos, self.out, self.server, self.graph = photos_of(folder), out, server, graph
        self.node = loader_of(graph, node)
        self.prefix = f"batch/{safe(folder.resolve().name)}"
        self.id = hashlib.sha256(json.dumps([graph, self.node], sort_keys=True).encode()).hexdigest()[:16]
        self._lock, self._path = lock(out / ".batch.lock"), out / "batch.jsonl"
        self._recall()

    def run(self, ahead: int) -> Iterator[Photo]:
        """Gives each photo as it ends; a few wait in ComfyUI's queue at a time."""
        queued = [p for p in self.photos if p.status != "done" and p.prompt_id]
        todo = [p for p in self.photos if p.status != "done" and not p.prompt_id]
        while todo or queued:
            while todo and len(queued) < ahead:
                photo = todo.pop(0)
                try:
                    self._queue(photo)
                    queued.append(photo)
                except OSError as error:  # an upload that is refused is one too
                    yield self._end(photo, "failed", f"It can't be read or uploaded: {error}.")
            waiting = {entry[1] for entries in json.loads(self.server.ask("/queue")).values() for entry in entries}
            for photo in list(queued):
                entry = json.loads(self.server.ask(f"/history/{photo.prompt_id}")).get(photo.prompt_id)
                if entry is None and photo.prompt_id in waiting:
                    continue
                queued.remove(photo)
                if entry is None:  # it was never taken, or ComfyUI was started anew since
                    photo.prompt_id = ""
                    todo.insert(0, photo)
                else:
                    yield self._collect(photo, entry)
            time.sleep(0.5 if queued else 0)

    def show(self) -> None:
        """Writes the table and the page."""
        try:
            replace(self.out / "index.html", page(self.photos, self.out))
            replace(self.out / "batch.csv", table(self.photos))
        except OSError as error:  # open in a spreadsheet on Windows
            print(f"{error.filename} was not written: {error.strerror}.")

    def _recall(self) -> None:
        """What the journal knows of photos that have not changed since, under the same workflow."""
        told = self._path.read_bytes() if self._path.exists() else b""
        lines = [parsed(line) for line in told.split(b"\n")]
        self._journal = self._path.open("ab")
        self._journal.write(b"" if told.endswith(b"\n") or not told else b"\n")  # the last line may be torn
        for photo in self.photos:
            photo.digest = hashlib.sha256(photo.path.read_bytes()).hexdigest()
            mine = [line for line in lines if line.get("photo") == photo.path.name and line.get("workflow") == self.id]
            last = mine[-1] if mine and mine[-1].get("digest") == photo.digest else {}
            if "prompt_id" in last:
                photo.prompt_id = last["prompt_id"]
            elif last and all((self.out / photo.name / file).is_file() for file in last["files"]):
                for key in KEPT:
                    setattr(photo, key, last[key])

    def _queue(self, photo: Photo) -> None:
        """Notes the prompt's id before it is queued: a kill in between costs nothing, ComfyUI is asked for it."""
        image = self.server.upload(photo.path, photo.digest)
        photo.prompt_id = str(uuid.uuid4())
        self._note(photo, {"prompt_id": photo.prompt_id})
        prefix = f"{self.prefix}/{safe(photo.name)}-{photo.digest[:6]}"
        self.server.queue(graph_for(self.graph, self.node, image, prefix), photo.prompt_id)

    def _collect(self, photo: Photo, entry: dict[str, Any]) -> Photo:
        """Brings what a prompt left to the photo's folder; the journal's line comes last."""
        messages = {kind: data for kind, data in entry["status"]["messages"]}
        began, ended = (messages.get(kind, {}).get("timestamp") for kind in ("execution_start", "execution_success"))
        photo.seconds = round((ended - began) / 1000, 2) if began and ended else None
        photo.texts = [str(t) for shown in entry["outputs"].values() for t in shown.get("text", ()) if t]
        if entry["status"]["status_str"] != "success":
            error = messages.get("execution_error", {})
            told = " ".join(str(error.get("exception_message", "it was interrupted")).split())
            return self._end(photo, "failed", f"{error.get('node_type', 'ComfyUI')}: {told}")
        try:
            photo.files = [self._fetch(photo, *shown) for shown in items(entry["outputs"])]
        except OSError as error:
            return self._end(photo, "failed", f"A result can't be fetched or written: {error}.")
        return self._end(photo, "done", next((t for t in photo.texts if photo.verdict in t.lower()), ""))

    def _fetch(self, photo: Photo, node: str, place: int, item: dict[str, str]) -> str:
        """Downloads one file; a preview is named after the node that showed it."""
        name = safe(item["filename"])
        if item["type"] != "output":
            title = safe(self.graph.get(node, {}).get("_meta", {}).get("title", "preview"))
            name = f"{title}-{node}{f'-{place}' if place else ''}{Path(name).suffix}"
        replace(self.out / photo.name / name, self.server.ask("/view?" + urllib.parse.urlencode(item)))
        return name

    def _end(self, photo: Photo, status: str, sentence: str) -> Photo:
        photo.status, photo.sentence = status, sentence
        self._note(photo, {key: getattr(photo, key) for key in KEPT})
        self.show()
        return photo

    def _note(self, photo: Photo, told: dict[str, Any]) -> None:
        line = {"photo": photo.path.name, "digest": photo.digest, "workflow": self.id, **told}
        self._journal.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())


def items(outputs: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Every file that a prompt's nodes saved or showed, with the node's id and the file's place among its own."""
    for node, shown in outputs.items():
        files = [f for values in shown.values() if isinstance(values, list) for f in values if isinstance(f, dict)]
        named = [f for f in files if {"filename", "subfolder", "type"} <= f.keys()]
        yield from ((node, i, {k: f[k] for k in ("filename", "subfolder", "type")}) for i, f in enumerate(named))


def safe(name: str) -> str:
    """A name without what a prefix or a disk would take for something else."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "photo"


def parsed(line: bytes) -> dict[str, Any]:
    """A line of the journal; a torn one is nothing."""
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {}


def replace(path: Path, data: bytes) -> None:
    """Writes a file whole, or leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(data)
    os.replace(partial, path)


def lock(path: Path) -> io.BufferedWriter:
    """A file that this process holds until it ends, however it ends; a second batch in its folder stops here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Stop(f"Another batch is working in {path.parent}; wait for it, or stop it.") from error
    return file


def table(photos: list[Photo]) -> bytes:
    """The CSV file, one line per photo, as spreadsheets open it; no cell is taken for a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("photo", "status", "verdict", "sentence", "seconds", "files", "texts", "folder"))
    for p in photos:
        files, texts = " | ".join(p.files), " | ".join(p.texts)
        cells = (p.path.name, p.status, p.verdict, p.sentence, p.seconds, files, texts, p.name if p.files else "")
        writer.writerow([f"'{c}" if isinstance(c, str) and c[:1] in tuple("=+-@\t\r") else c for c in cells])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; --card: light-dark(#f1eee8, #1d1f23); --soft: light-dark(#6e6a62, #9a9890); }}
body {{ margin: 0 auto; max-width: 1400px; padding: clamp(20px, 4vw, 48px); font: 16px/1.5 system-ui, sans-serif;
  background: light-dark(#faf8f4, #141518); }}
ul {{ display: grid; grid: auto / repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 16px; padding: 0; }}
li {{ list-style: none; padding: 12px 16px; background: var(--card); border-radius: 14px; overflow-wrap: anywhere; }}
li div {{ display: grid; grid: 170px / 1fr 1fr; gap: 10px; align-items: center; }}
img {{ display: block; max-width: 100%; max-height: 170px; margin: auto; border-radius: 4px; }}
b {{ float: right; font-size: 13px; color: light-dark(#3c7a52, #74c191); }} .waiting b {{ color: var(--soft); }}
.check b {{ color: light-dark(#b67a12, #e3b04e); }} :is(.failed, .reject) b {{ color: light-dark(#c2452d, #ff7a5c); }}
p {{ margin: 2px 0 0; font-size: 13px; color: var(--soft); }} a {{ color: inherit; }}
</style><h1>{title}</h1><ul>{cards}</ul></html>"""


def page(photos: list[Photo], out: Path) -> bytes:
    """The index page, the worst first; pictures are read when they come into sight."""
    cards = [card(photo, out) for photo in sorted(photos, key=lambda p: VERDICTS.index(p.verdict))]
    title = f"{sum(p.status == 'done' for p in photos)} of {len(photos)} photos"
    return PAGE.format(title=title, cards="\n".join(cards)).encode()


def card(photo: Photo, out: Path) -> str:
    """One photo beside the last picture of its workflow, with links to all that was saved."""
    try:
        first = Path(os.path.relpath(photo.path.resolve(), out.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        first = "/" + photo.path.resolve().as_posix()
    made = [f"{photo.name}/{file}" for file in photo.files]
    shown = [first, *[f for f in made if f.lower().endswith(PHOTOS)][-1:]]
    pictures = "".join(f'<img loading="lazy" alt="" src="{urllib.parse.quote(f)}">' for f in shown)
    links = ", ".join(f'<a href="{urllib.parse.quote(f)}">{html.escape(Path(f).name)}</a>' for f in made)
    told = f"{html.escape(photo.name)}<p>{html.escape(photo.sentence)}</p><p>{links}</p>"
    return f'<li class="{photo.verdict}"><div>{pictures}</div><b>{photo.verdict}</b>{told}</li>'


def main() -> int:
    """0 if every photo is done, 1 if one failed or the batch stopped, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--server", default="http://127.0.0.1:8188", metavar="URL")
    beside = Path(__file__).with_name("02_garment.json")
    parser.add_argument("--workflow", type=Path, default=beside, help="in the API format; default 02_garment.json")
    parser.add_argument("--node", default="", metavar="ID", help="the node to replace, where several give a photo")
    parser.add_argument("--ahead", type=int, default=3, metavar="N", help="photos in ComfyUI's queue at a time")
    given = parser.parse_args()
    try:
        server = Server(given.server.rstrip("/"))
        server.ask("/queue", seconds=0)
        batch = Batch(given.folder, given.output, server, read_workflow(given.workflow), given.node)
        before = sum(p.status == "done" for p in batch.photos)
        print(f"{len(batch.photos)} photos: {before} done before, {len(batch.photos) - before} to do.", flush=True)
        batch.show()
        for count, photo in enumerate(batch.run(max(1, given.ahead)), before + 1):
            told = f"{photo.path.name}: {photo.verdict}. {photo.sentence}".rstrip()
            print(f"[{count}/{len(batch.photos)}] {told}", flush=True)
    except (Stop, OSError) as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; what was finished is kept, and ComfyUI goes on with what it has queued.", file=sys.stderr)
        return 130
    print(str(given.output / "index.html"))
    return 1 if any(photo.status == "failed" for photo in batch.photos) else 0


if __name__ == "__main__":
    sys.exit(main())
