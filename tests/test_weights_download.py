"""Downloads arrive whole from servers that break off, lie or are gone, or leave what they brought for the next try."""

from __future__ import annotations

import errno
import hashlib
import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from garment3d.__main__ import main
from garment3d.errors import DownloadError
from garment3d.weights import Part, WeightFile, download, identify, official

CONTENT = bytes(range(256)) * 12_000
"""3 MB."""
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def straight(monkeypatch):
    """No proxy between the tests and their own server, and no waiting."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("garment3d.weights.fetch.WAIT_S", 0.0)


class Server:
    """A server on this machine that serves bytes by path, and can break off, forget ranges or refuse."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None, str | None]] = []
        self.break_after: list[int] = []
        """Bytes after which each of the next answers breaks off."""
        self.ranges = True
        self.status: dict[str, int] = {}
        self.moved: dict[str, str] = {}
        """Paths whose content lies at another address."""
        self.kind = "application/octet-stream"
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer(False)

            def do_GET(self):
                self.answer(True)

            def answer(self, body):
                server.asked.append((self.command, self.path, self.headers["Range"], self.headers["Authorization"]))
                content = server.files.get(self.path)
                status = server.status.get(self.path, 200 if content is not None else 404)
                if self.path in server.moved:
                    self.send_response(302)
                    self.send_header("Location", server.moved[self.path])
                    self.send_header("X-Repo-Commit", "a" * 40)
                    self.send_header("X-Linked-Size", str(len(CONTENT)))
                    self.send_header("X-Linked-ETag", f'"{DIGEST}"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if status != 200:
                    self.send_response(status)
                    self.send_header("X-Error-Code", "EntryNotFound" if status == 404 else "GatedRepo")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_content(content, body)

            def send_content(self, content, body):
                wanted = self.headers["Range"]
                start = int(wanted[6:-1]) if wanted and server.ranges else 0
                if start >= len(content) > 0:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Type", server.kind)
                self.send_header("Content-Length", str(len(content) - start))
                digest = hashlib.sha256(content).hexdigest()
                self.send_header("ETag", f'"{digest if len(content) > 1000 else digest[:40]}"')
                self.send_header("X-Repo-Commit", "a" * 40)
                self.end_headers()
                if body:
                    end = start + server.break_after.pop(0) if server.break_after else len(content)
                    with suppress(ConnectionError):  # the client may have heard enough
                        self.wfile.write(content[start:end])
                    self.close_connection = self.close_connection or end < len(content)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def gets(self):
        return [(path, span) for command, path, span, _ in self.asked if command == "GET"]


@contextmanager
def running():
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def server():
    with running() as server:
        yield server


def one(url, **known):
    part = Part(url.rpartition("/")[2], url, **known)
    return WeightFile("test", "Test", "triposr", "", (part,), 0.003, "MIT", "Any use.", True, "garment3d", "t")


@pytest.fixture
def entry(server):
    server.files["/model.ckpt"] = CONTENT
    return one(f"{server.url}/model.ckpt", sha256=DIGEST, bytes=len(CONTENT))


def test_a_download_arrives_whole_and_says_how_far_it_is(server, entry, tmp_path):
    told = []
    path = download(entry, tmp_path / "new" / "folder", lambda done, of: told.append((done, of)))
    assert path == tmp_path / "new" / "folder" / "model.ckpt" and path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["model.ckpt"]
    assert told == sorted(told) and told[-1] == (len(CONTENT), len(CONTENT)) and len(told) == 3
    asked = len(server.asked)
    assert download(entry, path.parent) == path and len(server.asked) == asked  # it is there: nobody is asked


def test_a_connection_that_breaks_is_taken_up_where_it_ended(server, entry, tmp_path):
    server.break_after = [1 << 20, 1 << 19]
    path = download(entry, tmp_path)
    assert path.read_bytes() == CONTENT
    spans = [span for _, span in server.gets()]
    assert spans[0] is None and spans[1:] == [f"bytes={1 << 20}-", f"bytes={3 << 19}-"]


def test_a_server_that_stays_away_leaves_a_part_and_the_next_call_goes_on(server, entry, tmp_path):
    server.break_after = [1 << 20, *[0] * 10]
    with pytest.raises(DownloadError) as caught:
        download(entry, tmp_path)
    text = str(caught.value)
    assert "Test broke off at 1 MB of 3 MB" in text and "model.ckpt.part: the same download goes on from there." in text
    assert not (tmp_path / "model.ckpt").exists()
    assert (tmp_path / "model.ckpt.part").read_bytes() == CONTENT[: 1 << 20]
    server.break_after = []
    assert download(entry, tmp_path).read_bytes() == CONTENT
    assert server.gets()[-1][1] == f"bytes={1 << 20}-"


def test_a_server_without_ranges_is_read_from_the_start(server, entry, tmp_path):
    (tmp_path / "model.ckpt.part").write_bytes(b"?" * 700_000)
    server.ranges = False
    assert download(entry, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("there", [CONTENT, CONTENT + b"more", b""])
@pytest.mark.parametrize("known", [True, False])
def test_a_part_that_is_whole_or_too_long_or_empty(server, entry, tmp_path, there, known):
    entry = entry if known else one(f"{server.url}/model.ckpt")
    (tmp_path / "model.ckpt.part").write_bytes(there)
    assert download(entry, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"bytes": len(CONTENT) + 1}])
def test_another_file_than_the_official_is_refused_and_does_not_stay(server, entry, tmp_path, known, monkeypatch):
    entry = one(f"{server.url}/model.ckpt", **known)
    with pytest.raises(DownloadError, match=r"model\.ckpt is not the official file|broke off"):
        download(entry, tmp_path)
    assert not (tmp_path / "model.ckpt").exists()
    if "sha256" in known:
        assert list(tmp_path.glob("model*")) == []


def test_a_progress_that_raises_stops_at_once_and_keeps_what_arrived(server, entry, tmp_path):
    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(entry, tmp_path, stop)
    size = (tmp_path / "model.ckpt.part").stat().st_size
    assert 0 < size < len(CONTENT)
    assert download(entry, tmp_path).read_bytes() == CONTENT
    assert server.gets()[-1][1] == f"bytes={size}-"


def test_no_network(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"Test can't be fetched from 127\.0\.0\.1:\d+ \(.*refused\); check"):
        download(one(f"http://127.0.0.1:{port}/model.ckpt"), tmp_path)


@pytest.mark.parametrize(("status", "words"), [(404, "answers 404"), (403, "answers 403"), (503, "answers 503")])
def test_a_server_that_refuses(server, entry, tmp_path, status, words):
    server.status["/model.ckpt"] = status
    with pytest.raises(DownloadError, match=words):
        download(entry, tmp_path)
    assert list(tmp_path.glob("model*")) == []


def test_a_login_page_instead_of_the_file(server, entry, tmp_path):
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="web page"):
        download(entry, tmp_path)
    assert list(tmp_path.glob("model*")) == []


def test_a_disk_without_room_is_said_before_anything_is_fetched(server, entry, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2_000_000})())
    with pytest.raises(DownloadError, match=r"needs 3 MB more and .* has 2 MB free"):
        download(entry, tmp_path)
    assert server.gets() == []
    (tmp_path / "model.ckpt.part").write_bytes(CONTENT[:1_500_000])
    assert download(entry, tmp_path).read_bytes() == CONTENT  # half of it is there, so the rest has room


def test_a_disk_that_fills_up_on_the_way(server, entry, tmp_path, monkeypatch):
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, piece):
            if self.file.tell() > 1_000_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(piece)

    def opened(path, mode="r", *rest, **named):
        file = real(path, mode, *rest, **named)
        return Full(file) if path.suffix == ".part" and "b" in mode and mode != "rb" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(DownloadError, match=r"model.ckpt.part can't be written \(the disk is full\)"):
            download(entry, tmp_path)
    kept = (tmp_path / "model.ckpt.part").stat().st_size
    assert kept > 1_000_000
    assert download(entry, tmp_path).read_bytes() == CONTENT
    assert server.gets()[-1][1] == f"bytes={kept}-"


def test_a_folder_that_cant_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="can't be made"):
        download(official("triposr"), tmp_path / "file" / "below")


# From the hub


@pytest.fixture
def hub(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return server


def repository(hub, **files):
    for name, content in files.items():
        hub.files[f"/someone/clothes/resolve/main/{name.replace('__', '.')}"] = content
    parts = (Part("config.json"), Part("preprocessor_config.json", optional=True), Part("model.safetensors"))
    return WeightFile(
        "clothes", "Clothes", "clothes", "someone/clothes", parts, 0.003, "MIT", "Any.", True, "garment3d", "c"
    )


def test_a_repository_comes_as_a_folder_without_what_it_lacks(hub, tmp_path):
    told = []
    entry = repository(hub, config__json=b'{"a": 1}', model__safetensors=CONTENT)
    folder = download(entry, tmp_path / "c", lambda done, of: told.append((done, of)))
    assert folder == tmp_path / "c"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "config.json": b'{"a": 1}',
        "model.safetensors": CONTENT,
    }
    assert told == sorted(told) and told[-1] == (len(CONTENT) + 8, len(CONTENT) + 8)
    asked = len(hub.asked)
    assert download(entry, folder) == folder and len(hub.asked) == asked


def test_a_break_on_the_hub_is_taken_up_and_checked_by_the_hubs_own_hash(hub, tmp_path):
    entry = repository(hub, config__json=b"{}", model__safetensors=CONTENT)
    hub.break_after = [2, 1_000_000]
    assert (download(entry, tmp_path) / "model.safetensors").read_bytes() == CONTENT
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.part").write_bytes(b"?" * 1_000_000)
    with pytest.raises(DownloadError, match=r"model\.safetensors is not the official file"):
        download(entry, tmp_path)
    assert (download(entry, tmp_path) / "model.safetensors").read_bytes() == CONTENT


def test_the_login_goes_to_the_hub_and_to_nobody_else(hub, tmp_path):
    entry = repository(hub, config__json=b"{}")
    with running() as storage:
        hub.moved["/someone/clothes/resolve/main/model.safetensors"] = f"{storage.url}/blob?signature=1"
        storage.files["/blob?signature=1"] = CONTENT
        assert (download(entry, tmp_path) / "model.safetensors").read_bytes() == CONTENT
        assert storage.gets() and all(login is None for *_, login in storage.asked)
    assert all(login == "Bearer hf_secret" for *_, login in hub.asked)


def test_an_address_that_expires_on_the_way_is_asked_for_again(hub, tmp_path):
    entry = repository(hub, config__json=b"{}")
    with running() as storage:

        def sign(number):
            storage.files = {f"/blob?signature={number}": CONTENT}
            storage.status = {f"/blob?signature={old}": 403 for old in range(number)}
            hub.moved["/someone/clothes/resolve/main/model.safetensors"] = f"{storage.url}/blob?signature={number}"

        sign(1)
        storage.break_after = [30 << 16]
        folder = download(entry, tmp_path, lambda done, of: sign(2) if done > 1_000_000 else None)
        assert (folder / "model.safetensors").read_bytes() == CONTENT
        asked = [(path[-1], span) for path, span in storage.gets()]
        assert asked == [("1", None), ("1", f"bytes={30 << 16}-"), ("2", f"bytes={30 << 16}-")]
        sign(3)
        storage.status["/blob?signature=3"] = 403
        (tmp_path / "model.safetensors").unlink()
        with pytest.raises(DownloadError, match=r"can't be fetched from .*answers 403"):
            download(entry, tmp_path)


def test_a_file_that_changed_on_the_hub_is_not_fetched(hub, tmp_path):
    hub.files["/someone/model/resolve/main/model.ckpt"] = CONTENT
    parts = (Part("model.ckpt", sha256="0" * 64),)
    entry = WeightFile("m", "M", "triposr", "someone/model", parts, 0.003, "MIT", "Any.", True, "garment3d")
    with pytest.raises(DownloadError, match="is not the file known here"):
        download(entry, tmp_path)
    assert hub.gets() == []


@pytest.mark.parametrize(
    ("status", "words"), [(404, "has no file config.json any more"), (403, "accept them on .*hf auth login")]
)
def test_the_hubs_refusals_are_one_sentence(hub, tmp_path, status, words):
    entry = repository(hub)
    hub.status["/someone/clothes/resolve/main/config.json"] = status
    with pytest.raises(DownloadError, match=words):
        download(entry, tmp_path)


def test_a_hub_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        DownloadError, match=r"model.ckpt can't be reached \(.*refused.*check the connection and try again\.$"
    ):
        download(official("triposr"), tmp_path)


# The command


def test_get_downloads_what_was_named(server, entry, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("garment3d.commands.official", lambda name: entry)
    assert main(["weights", "get", "test", "--models", str(tmp_path)]) == 0
    path = tmp_path / "garment3d" / "t" / "model.ckpt"
    assert path.read_bytes() == CONTENT
    printed = capsys.readouterr().out
    assert "MIT. Any use." in printed and printed.rstrip().endswith(str(path))


@pytest.mark.parametrize(
    ("argv", "words"), [(["get", "sam", "--models", "x"], "there are"), (["get", "triposr"], "Where to")]
)
def test_get_without_a_known_name_or_place_is_one_sentence(argv, words, capsys):
    assert main(["weights", *argv]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("garment3d: ") and words in printed and printed.count("\n") == 1


def test_a_file_is_identified_by_its_hash(tmp_path, monkeypatch):
    path = tmp_path / "renamed.ckpt"
    path.write_bytes(CONTENT)
    assert DIGEST in identify("triposr", path) and "no official hash" in identify("triposr", path)
    path.rename(tmp_path / "model.ckpt")
    assert identify("triposr", tmp_path / "model.ckpt").startswith("NOT the official TripoSR: 3,072,000 bytes")
    entry = one("http://localhost/renamed.ckpt", sha256=DIGEST)
    monkeypatch.setattr("garment3d.weights.identity.OFFICIAL", (entry,))
    assert identify("triposr", tmp_path / "model.ckpt") == "Test: the official file, its sha256 agrees"
    assert identify("clothes", tmp_path).startswith(f"folder {tmp_path.name}: 1 files")
