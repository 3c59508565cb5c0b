"""A real ComfyUI server with the pack in it, started once; without a ComfyUI checkout these tests skip."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACK = ("__init__.py", "pyproject.toml", "garment3d", "nodes", "js", "locales", "workflows")


def comfy_home() -> Path | None:
    """The checkout: COMFYUI_PATH, else ~/comfy/ComfyUI."""
    home = Path(os.environ.get("COMFYUI_PATH") or Path.home() / "comfy" / "ComfyUI")
    return home if (home / "main.py").is_file() else None


def comfy_python(home: Path) -> Path | None:
    """The interpreter that has ComfyUI's requirements: COMFYUI_PYTHON, else a venv in or beside the checkout."""
    if "COMFYUI_PYTHON" in os.environ:
        return Path(os.environ["COMFYUI_PYTHON"])
    folders = [home / "venv", home / ".venv", home.parent / "venv", home.parent / ".venv"]
    found = [f / inner for f in folders for inner in ("bin/python", "Scripts/python.exe")]
    return next((p for p in found if p.is_file()), None)


@dataclass(frozen=True)
class Run:
    """What a prompt left behind."""

    status: str
    outputs: dict[str, Any]
    messages: list[Any]

    @property
    def error(self) -> str:
        errors = [m[1]["exception_message"].strip() for m in self.messages if m[0] == "execution_error"]
        return errors[0] if errors else ""


@dataclass(frozen=True)
class Server:
    """A running ComfyUI and its folders."""

    url: str
    home: Path
    base: Path
    python: Path
    log: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if "json" in answer.headers["Content-Type"] else body

    def post(self, path: str, data: Any) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(data).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = answer.read()
        except urllib.error.HTTPError as refusal:
            body = refusal.read()
        return json.loads(body) if body else {}

    def queue(self, prompt: dict[str, Any]) -> str:
        answer = self.post("/prompt", {"prompt": prompt})
        assert answer.get("node_errors") == {} and "prompt_id" in answer, answer
        return answer["prompt_id"]

    def wait(self, prompt_id: str, seconds: float = 120) -> Run:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry:
                return Run(entry["status"]["status_str"], entry["outputs"], entry["status"]["messages"])
            time.sleep(0.1)
        raise TimeoutError(f"Prompt {prompt_id} was not done after {seconds} s.")

    def run(self, prompt: dict[str, Any], seconds: float = 120) -> Run:
        return self.wait(self.queue(prompt), seconds)

    def output(self, item: dict[str, str]) -> Path:
        return self.base / item["type"] / item["subfolder"] / item["filename"]


@pytest.fixture(scope="session")
def comfy() -> tuple[Path, Path]:
    """The checkout and its interpreter."""
    home = comfy_home()
    if home is None:
        pytest.skip("needs a ComfyUI checkout: set COMFYUI_PATH")
    python = comfy_python(home)
    if python is None:
        pytest.skip(f"needs an interpreter with ComfyUI's requirements beside {home}: set COMFYUI_PYTHON")
    return home, python


@pytest.fixture(scope="session")
def server(comfy: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, python = comfy
    base = tmp_path_factory.mktemp("comfy")
    pack = base / "custom_nodes" / "garment3d"
    for name in PACK:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        pack.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, pack / name)
    shutil.copytree(Path(__file__).parent / "probe", base / "custom_nodes" / "probe")
    port = _free_port()
    command = [python, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", base]
    command += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes", "--disable-all-custom-nodes"]
    command += ["--whitelist-custom-nodes", "garment3d", "probe"]
    log = base / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen([str(c) for c in command], cwd=home, stdout=stream, stderr=subprocess.STDOUT)
    try:
        started = Server(f"http://127.0.0.1:{port}", home, base, python, log)
        _wait_until_up(started, process)
        yield started
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, server.log.read_text()[-3000:]
        try:
            server.get("/system_stats")
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(server.log.read_text()[-3000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
