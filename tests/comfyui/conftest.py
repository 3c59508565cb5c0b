"""A real ComfyUI server with the pack in it, started once; without a ComfyUI checkout these tests skip."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.comfyui.core_hunyuan3d import write_core_hunyuan3d
from tests.comfyui.core_zero123 import write_core_zero123
from tests.comfyui.harness import ROOT, Server, comfy_home, comfy_python
from tests.test_weights_download import Server as Hub
from tests.test_weights_download import running
from tests.tiny.clothes import write_clothes
from tests.tiny.sam import write_sam
from tests.tiny.triposr import write_triposr
from tests.tiny.zero123 import write_zero123

PACK = ("__init__.py", "pyproject.toml", "garment3d", "nodes", "js", "locales", "workflows")


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
def hub() -> Iterator[Hub]:
    """What ComfyUI takes for the Hugging Face hub: it remembers who asked for what."""
    with running() as hub:
        yield hub


@pytest.fixture(scope="session")
def server(comfy: tuple[Path, Path], hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, python = comfy
    base = tmp_path_factory.mktemp("comfy")
    pack = base / "custom_nodes" / "garment3d"
    for name in PACK:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        pack.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, pack / name)
    shutil.copytree(Path(__file__).parent / "probe", base / "custom_nodes" / "probe")
    write_models(base / "models")
    port = _free_port()
    command = [python, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", base]
    command += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes", "--disable-all-custom-nodes"]
    command += ["--whitelist-custom-nodes", "garment3d", "probe"]
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("HF_")}
    env["HF_ENDPOINT"] = hub.url
    log = base / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen([str(c) for c in command], cwd=home, stdout=stream, stderr=stream, env=env)
    try:
        started = Server(f"http://127.0.0.1:{port}", home, base, python, log)
        _wait_until_up(started, process)
        yield started
    finally:
        process.terminate()
        process.wait(20)


def write_models(folder: Path) -> None:
    """Small random-weight checkpoints in the official formats, under the official files' names."""
    for name in ("sams", "checkpoints/zero123", "checkpoints/zero123_in_core", "checkpoints/hunyuan3d_in_core",
                 "garment3d/TripoSR"):  # fmt: skip
        (folder / name).mkdir(parents=True)
    write_sam(folder / "sams" / "sam_vit_h_4b8939.pth")
    write_zero123(folder / "checkpoints" / "zero123" / "zero123-xl.ckpt", lightning=True)
    write_core_zero123(folder / "checkpoints" / "zero123_in_core" / "zero123-xl.ckpt")
    write_core_hunyuan3d(folder / "checkpoints" / "hunyuan3d_in_core" / "hunyuan_3d_v2.1.ckpt")
    # The front end marks a file that its menus don't list; core reads the small one above in its place.
    save_file({"none": torch.zeros(1)}, folder / "checkpoints" / "hunyuan_3d_v2.1.safetensors")
    write_triposr(folder / "garment3d" / "TripoSR" / "model.ckpt")
    write_clothes(folder / "garment3d" / "segformer_b2_clothes")


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1800):  # a busy machine takes its time
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
