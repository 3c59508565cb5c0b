"""How the tests talk to a running ComfyUI, and how a saved workflow becomes the prompt that its API takes."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
NOTES = {"MarkdownNote", "Note"}


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
    def cached(self) -> set[str]:
        """Nodes that did not run because nothing of theirs had changed."""
        return {node for kind, data in self.messages if kind == "execution_cached" for node in data["nodes"]}

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

    def outputs(self, prompt: dict[str, Any]) -> dict[str, Any]:
        """What each node of a prompt that must succeed showed."""
        run = self.run(prompt)
        assert run.status == "success", run.error
        return run.outputs

    def output(self, item: dict[str, str]) -> Path:
        return self.base / item["type"] / item["subfolder"] / item["filename"]


def prompt(**nodes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """An API prompt of name=(class, inputs); an input ("name", 0) is a link to that node's first output."""
    linked = {n: {k: list(v) if isinstance(v, tuple) else v for k, v in i.items()} for n, (_, i) in nodes.items()}
    return {name: {"class_type": kind, "inputs": linked[name]} for name, (kind, _) in nodes.items()}


def to_api(workflow: dict[str, Any], object_info: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the front end's "Export (API)" makes of a workflow without subgraphs, reroutes or bypassed nodes.

    Titles come from a running ComfyUI's object_info; without it they are left out.
    """
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    api = {}
    for node in workflow["nodes"]:
        if node["type"] in NOTES:
            continue
        inputs = dict(node.get("widgets_values_named", {}))
        inputs.pop("control_after_generate", None)  # what the front end does with a seed is its own affair
        inputs |= {i["name"]: links[i["link"]] for i in node["inputs"] if i["link"] is not None}
        api[str(node["id"])] = {"inputs": inputs, "class_type": node["type"]}
        if object_info is not None:
            title = node.get("title") or object_info[node["type"]]["display_name"] or node["type"]
            api[str(node["id"])]["_meta"] = {"title": title}
    return api
