"""Seconds from framed photo to TripoSR's planes: the original's code against ours, in one run on the same file.

    python benchmarks/triposr_forward.py --official FOLDER [--official-python PYTHON] [--checkpoint model.ckpt]

FOLDER is a checkout of github.com/VAST-AI-Research/TripoSR, PYTHON an interpreter that can import it (torch,
transformers 4.35, omegaconf, einops, trimesh, scikit-image; default: the one that runs this). Without a checkpoint
one of the official size is written with random weights (1.7 GB, removed afterwards). Original and ours wait in
processes of their own and take turns, so that both meet the same machine; times are medians. bf16 is timed where the
processor or GPU computes with it. Each line ends in the ratio to the original.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

OFFICIAL_SIZES = {
    "vit_width": 768, "vit_layers": 12, "vit_mlp": 3072, "width": 1024, "layers": 16, "plane_px": 32, "features": 40,
    "decoder_width": 64, "decoder_hidden": 9,
}  # fmt: skip


class Runner:
    """One implementation in a process of its own."""

    def __init__(self, python: str, options: argparse.Namespace, kind: str) -> None:
        command = [python, __file__, "--serve", kind, "--official", str(options.official)]
        command += ["--checkpoint", str(options.checkpoint), "--threads", str(options.threads)]
        command += ["--device", options.device]
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        self.kind, self.seconds, self.cpu_seconds = kind, [], []
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._ask(None)

    def run(self, planes: Path | None = None) -> None:
        answer = self._ask({"planes": planes and str(planes)})
        self.seconds.append(answer["seconds"])
        self.cpu_seconds.append(answer["cpu_seconds"])

    def end(self) -> float:
        """The process's peak memory in GB; it is gone afterwards, and so is its hold on the checkpoint."""
        peak = self._ask({"end": True})["peak_gb"]
        self.process.communicate()
        return peak

    @property
    def median(self) -> float:
        return statistics.median(self.seconds[1:])

    @property
    def cpu_median(self) -> float:
        """Of all threads together; other work on the machine hardly adds to it."""
        return statistics.median(self.cpu_seconds[1:])

    def _ask(self, request: dict | None) -> dict:
        assert self.process.stdin and self.process.stdout and self.process.stderr
        if request:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            last = self.process.stderr.read().strip().splitlines()[-1:]
            sys.exit(f"{self.kind} can't run: {' '.join(last)}. See --help for what it needs.")
        return json.loads(answer)


def serve(options: argparse.Namespace) -> None:
    """Loads one implementation and runs it each time a line comes in."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    import torch

    torch.set_num_threads(options.threads)
    forward = FORWARDS[options.serve](options)
    torch.manual_seed(0)
    patches = torch.rand(1, 3, 24, 24)
    pixels = torch.nn.functional.interpolate(patches, (512, 512), mode="bicubic").clamp(0, 1).to(options.device)
    print(json.dumps({}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "end" in request:
            print(json.dumps({"peak_gb": peak_gb()}), file=answers, flush=True)
            return
        begin, worked = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            planes = forward(pixels).float().cpu()
        took = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - worked}
        if request["planes"]:
            torch.save(planes, request["planes"])
        print(json.dumps(took), file=answers, flush=True)


def original(options: argparse.Namespace) -> Callable:
    import torch

    from tests.fixtures.make_triposr import import_original, original_model

    import_original(options.official)
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    model = original_model(state, OFFICIAL_SIZES).to(options.device)
    return lambda pixels: model(pixels.permute(0, 2, 3, 1), options.device)


def ours(options: argparse.Namespace, dtype_name: str | None = None) -> Callable:
    import torch

    from garment3d.surface.triposr.checkpoint import load_triposr

    dtype = getattr(torch, dtype_name) if dtype_name else None
    model = load_triposr(options.checkpoint, dtype=dtype).to(options.device)
    return lambda pixels: model(pixels, dtype)


FORWARDS = {"original": original, "ours": ours, "ours in bf16": lambda options: ours(options, "bfloat16")}


def peak_gb() -> float:
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def has_bf16(device: str) -> bool:
    import torch

    if device != "cpu":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def write_random(path: Path) -> None:
    """A checkpoint of the official size and layout, weights as freshly made layers have them."""
    import torch

    from garment3d.surface.triposr.network import TripoSR

    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in TripoSR().state_dict().items()}
    state = {}
    for key, shape in shapes.items():
        if len(shape) == 1:
            state[key] = torch.ones(shape) if "norm" in key and key.endswith("weight") else torch.zeros(shape)
        else:
            spread = 0.3 if "embeddings" in key.rsplit(".", 1)[-1] else 0.6 * shape[1:].numel() ** -0.5
            state[key] = torch.randn(shape) * spread
    torch.save(state, path)


def compared(options: argparse.Namespace, folder: Path) -> None:
    import torch

    kinds = ["original", "ours", *(["ours in bf16"] if has_bf16(options.device) else [])]
    pythons = {"original": options.official_python}
    runners = [Runner(pythons.get(kind, sys.executable), options, kind) for kind in kinds]
    for i in range(options.repeat + 1):  # the first time warms up
        for k, runner in enumerate(runners):
            runner.run(folder / f"{k}.pt" if i == 0 else None)
    wanted = torch.load(folder / "0.pt")
    print(f"TripoSR's forward on {options.device}, {options.threads} threads, median of {options.repeat}")
    for k, runner in enumerate(runners):
        away = (torch.load(folder / f"{k}.pt") - wanted).abs().max()
        told = "" if k == 0 else f"  planes ±{wanted.abs().max():.1f} differ by at most {away:.1e}"
        ratio = f"{runners[0].median / runner.median:.1f}x"
        spent = f"{runner.median:7.2f} s  processor {runner.cpu_median:7.2f} s  peak {runner.end():.1f} GB"
        print(f"{runner.kind:13s} {spent}{told}  {ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, required=True, help="checkout of the original's repository")
    parser.add_argument("--official-python", default=sys.executable, help="interpreter that can import it")
    parser.add_argument("--checkpoint", type=Path, help="a flat checkpoint of the official size")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--serve", choices=FORWARDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return
    if not (options.official / "tsr" / "system.py").is_file():
        sys.exit(f"{options.official} holds no tsr/system.py; give a checkout of github.com/VAST-AI-Research/TripoSR.")
    with tempfile.TemporaryDirectory() as folder:
        if options.checkpoint is None:
            options.checkpoint = Path(folder) / "model.ckpt"
            write_random(options.checkpoint)
        compared(options, Path(folder))


if __name__ == "__main__":
    main()
