"""The report of a check as text that can be pasted into an issue: machine, files, measures, seconds, memory."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from .. import __version__
from .run import ModelReport, peak_memory_gb

PACKAGES = ("torch", "torchvision", "numpy", "diffusers", "transformers", "segment-anything", "huggingface-hub")


def report_text(reports: Sequence[ModelReport], device: str) -> str:
    """Markdown of a few lines per model, the verdict first."""
    ran = [r for r in reports if r.path is not None]
    good = sum(r.good for r in ran)
    lines = [f"### Garment3D {__version__} check: {good} of {len(ran)} models on disk work as they should", ""]
    lines += [f"- {platform.platform()}, Python {platform.python_version()}, device {_device(device)}"]
    lines += ["- " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES)]
    memory = peak_memory_gb()
    lines += [
        f"- most memory held: {memory:.1f} GB{_on_gpu(device)}" if memory else "- most memory held: not told here"
    ]
    for report in reports:
        lines += ["", *_model(report)]
    return "\n".join(lines) + "\n"


def _model(report: ModelReport) -> list[str]:
    verdict = "not on disk" if report.path is None else "works" if report.good else "DOES NOT WORK AS IT SHOULD"
    lines = [f"**{report.model}**: {verdict}"]
    if report.path is not None:
        name = "" if report.path.name in report.file else f"{report.path.name}, "
        lines.append(f"- file: {name}{report.file or 'could not be read'}")
    if report.problem:
        lines.append(f"- {report.problem}")
    for finding in report.findings:
        mark = "ok" if finding.good else "NOT OK"
        lines.append(f"- {mark}: {finding.what}: {finding.value:.4g} (wanted {finding.wanted})")
    if report.seconds:
        lines.append("- seconds: " + ", ".join(f"{step} {spent:.1f}" for step, spent in report.seconds.items()))
    return lines


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _device(device: str) -> str:
    if device == "cpu":
        return "cpu"
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if torch.device(device).type == "cuda" else device


def _on_gpu(device: str) -> str:
    import torch

    if torch.device(device).type != "cuda":
        return ""
    return f", on the GPU {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB"
