"""Writes what follows from the nodes: the English locale and the workflows' API twins, from a running ComfyUI.

python -m tests.comfyui.refresh http://127.0.0.1:8188
"""

import json
import sys
import urllib.request
from typing import Any

from tests.comfyui.harness import ROOT, WORKFLOWS, to_api


def locale(info: dict[str, Any]) -> dict[str, Any]:
    """nodeDefs.json of the pack's nodes, as their schemas have it."""
    return {node_id: _node(node) for node_id, node in sorted(info.items()) if node_id.startswith("Garment3D_")}


def _node(node: dict[str, Any]) -> dict[str, Any]:
    inputs = {k: v for group in ("required", "optional") for k, v in node["input"].get(group, {}).items()}
    outputs = zip(node["output_name"], node["output_tooltips"], strict=True)
    return {
        "display_name": node["display_name"],
        "description": node["description"],
        "inputs": {name: {"name": name, "tooltip": spec[1]["tooltip"]} for name, spec in inputs.items()},
        "outputs": {str(i): {"name": name, "tooltip": tooltip} for i, (name, tooltip) in enumerate(outputs)},
    }


def main(url: str) -> None:
    with urllib.request.urlopen(f"{url}/object_info") as answer:
        info = json.load(answer)
    _write(ROOT / "locales" / "en" / "nodeDefs.json", locale(info))
    for path in WORKFLOWS:
        _write(path.parent / "api" / path.name, to_api(json.loads(path.read_text("utf-8")), info))


def _write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
