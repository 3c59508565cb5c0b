"""An orbit in one batch against one view at a time by diffusers' community pipeline, with the same weights.

    python benchmarks/orbit.py --pipeline pipeline_zero1to3.py [--model PATH] [--views 18] [--steps 50] [--device cpu]

The file is examples/community/pipeline_zero1to3.py of github.com/huggingface/diffusers. Both are asked for the same
views and steps. The orbit shows the photo itself in front, where the pipeline paints that view too, and of 50 steps it
takes the 49 of the authors' demo: "rows" tells how much that is. Without --model a small model with random weights is
used: its counts are those of the real one, its seconds show what calling networks costs.
On a GPU the share of the floor is told as well: the FLOPs over the rate of plain matrix products there.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from PIL import Image  # noqa: E402

from garment3d.camera import orbit  # noqa: E402
from garment3d.views.zero123 import Sampling, ViewNoise, decode_latents, sample_latents  # noqa: E402
from garment3d.views.zero123_checkpoint import Zero123, load_zero123  # noqa: E402
from garment3d.views.zero123_condition import conditioned, encode_photo, zero123_canvas  # noqa: E402
from garment3d.views.zero123_cost import cpu_minutes, matrix_rate  # noqa: E402
from garment3d.views.zero123_pose import pose_vectors  # noqa: E402


class Run(NamedTuple):
    seconds: float
    cpu_seconds: float
    """Of all threads: what others do on the machine hardly touches it."""
    calls: Counter[str]
    rows: int
    """Rows that the UNet was given in all."""


def photo() -> tuple[np.ndarray, np.ndarray]:
    """A disc of cloth: what is painted doesn't matter here."""
    y, x = np.mgrid[:512, :512] + 0.5
    soft = np.clip(180.5 - np.hypot(x - 256, y - 256), 0, 1).astype(np.float32)
    return np.stack([x / 2, y / 2, 255 - x / 2], -1).astype(np.uint8), soft


def counted(model: Zero123, device: str, run: Any) -> Run:
    """One run with the calls of every network counted."""
    calls: Counter[str] = Counter()
    rows = 0

    def called(name: str) -> Any:
        def hook(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], __: Any) -> None:
            nonlocal rows
            calls[name] += 1
            rows += len(inputs[0]) if name == "UNet" else 0

        return hook

    networks = {"UNet": model.unet, "CLIP": model.image_encoder, "encoder": model.vae.encoder}
    networks["decoder"] = model.vae.decoder
    hooks = [network.register_forward_hook(called(name)) for name, network in networks.items()]
    start, cpu_start = time.perf_counter(), time.process_time()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    for hook in hooks:
        hook.remove()
    return Run(seconds, cpu_seconds, calls, rows)


def community(file: Path, model: Zero123, device: str) -> Any:
    """The community pipeline around the same networks."""
    from diffusers import DDIMScheduler

    spec = importlib.util.spec_from_file_location("pipeline_zero1to3", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pipeline_zero1to3"] = module
    spec.loader.exec_module(module)
    projection = module.CCProjection(model.projection.in_features, model.projection.out_features)
    projection.projection.load_state_dict(model.projection.state_dict())
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = DDIMScheduler(**betas, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    pipeline = module.Zero1to3StableDiffusionPipeline(
        model.vae,
        model.image_encoder,
        model.unet,
        scheduler,
        None,
        None,
        projection.to(model.unet.dtype),
        requires_safety_checker=False,
    ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def one_by_one(pipeline: Any, canvas: np.ndarray, azimuths: tuple[float, ...], steps: int) -> None:
    picture = Image.fromarray((canvas * 255 + 0.5).astype(np.uint8))
    for azimuth in azimuths:
        pipeline(
            input_imgs=[picture],
            prompt_imgs=[picture],
            poses=[[0.0, azimuth, 0.0]],
            height=256,
            width=256,
            num_inference_steps=steps,
            guidance_scale=3.0,
            generator=torch.Generator().manual_seed(0),
        )


def paint(model: Zero123, canvas: np.ndarray, azimuths: tuple[float, ...], sampling: Sampling, device: str) -> None:
    """What `zero123_orbit` does but for the masks, which the pipeline doesn't make."""
    wanted = azimuths[1:]  # the first shows the photo itself
    condition = encode_photo(model, canvas, device)
    tokens, concat = conditioned(model, condition, pose_vectors(model.family, wanted, 0.0), device)
    latents = sample_latents(model.unet, tokens, concat, sampling, device, noise=ViewNoise(0, wanted))
    decode_latents(model.vae, latents, device)


def unet_flops(model: Zero123) -> float:
    """Of one row."""
    from torch.utils.flop_counter import FlopCounterMode

    unet = model.unet
    sample = torch.zeros(1, 8, 32, 32, device=unet.device, dtype=unet.dtype)
    tokens = torch.zeros(1, 1, unet.config.cross_attention_dim, device=unet.device, dtype=unet.dtype)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(sample, 1, encoder_hidden_states=tokens)
    return counter.get_total_flops()


def line(name: str, run: Run) -> str:
    cells = "".join(f"{run.calls[part]:9d}" for part in ("UNet", "CLIP", "encoder", "decoder"))
    return f"{name:22s}{cells}{run.rows:9d}{run.seconds:10.2f}{run.cpu_seconds:10.2f}"


def report(ours: Run, theirs: Run) -> None:
    print(f"{'':22s}{'UNet':>9s}{'CLIP':>9s}{'encoder':>9s}{'decoder':>9s}{'rows':>9s}{'s':>10s}{'CPU s':>10s}")
    print(line("one by one", theirs))
    print(line("orbit", ours))
    encoders = (theirs.calls["CLIP"] + theirs.calls["encoder"]) / (ours.calls["CLIP"] + ours.calls["encoder"])
    print(f"UNet calls {theirs.calls['UNet'] / ours.calls['UNet']:.1f}x")
    print(f"encoder calls {encoders:.1f}x")
    print(f"CPU seconds {theirs.cpu_seconds / ours.cpu_seconds:.1f}x")
    print(f"seconds {theirs.seconds / ours.seconds:.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--views", type=int, default=18)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--half", action="store_true", help="float16 networks")
    given = parser.parse_args()
    # Windows keeps a file that a model is mapped from.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if given.model is None:
            from tests.tiny.zero123 import write_zero123

            write_zero123(Path(folder) / "tiny.ckpt")
        model = load_zero123(given.model or Path(folder) / "tiny.ckpt")
    for network in (model.unet, model.vae, model.image_encoder, model.projection):
        network.to(given.device, torch.float16 if given.half else None)
    rgb, soft = photo()
    around, sampling = orbit(step_deg=360 / given.views), Sampling(steps=given.steps)
    pipeline, canvas = community(given.pipeline, model, given.device), zero123_canvas(rgb, soft)
    paint(model, canvas, (0.0, 20.0), Sampling(steps=2), given.device)
    one_by_one(pipeline, canvas, (20.0,), 2)

    def together() -> None:
        paint(model, canvas, around.azimuths_deg, sampling, given.device)

    ours = counted(model, given.device, together)
    theirs = counted(model, given.device, lambda: one_by_one(pipeline, canvas, around.azimuths_deg, given.steps))
    if given.device.startswith("cuda"):
        floor = ours.rows * unet_flops(model) / matrix_rate(given.device, model.unet.dtype)
        print(f"floor {floor:.2f} s, {floor / ours.seconds:.0%} of the orbit's time")
    else:
        print(f"full-size model on this CPU: about {cpu_minutes(given.views - 1, sampling):.0f} minutes")
    report(ours, theirs)


if __name__ == "__main__":
    main()
