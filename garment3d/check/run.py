"""One run per model on one photo, with hashes, seconds and memory, gathered into a report."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..camera import ZERO123_RADIUS, orbit
from ..data import Photo
from ..engines import MODELS, Models
from ..errors import GarmentError, UnclearGarment
from ..garment.shell import garment_shell
from ..garment.texture import texture_garment
from ..images import over_white, read_photo
from ..mask.quick import quick_mask
from ..views.rendered import rendered_orbit
from .judge import Finding, at_least, judge_front_view, judge_mask, judge_surface, judge_turn

TURN_DEG = 20.0


@dataclass
class ModelReport:
    """What one model did."""

    model: str
    path: Path | None = None
    file: str = ""
    """What is known of the file: its name in the table, and whether its hash is the official one."""
    findings: list[Finding] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    """One sentence where it could not run."""

    @property
    def good(self) -> bool:
        """Whether it ran and every finding is within its bound."""
        return not self.problem and all(f.good for f in self.findings)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Adds the seconds that it encloses under `step`."""
        start = time.perf_counter()
        try:
            yield
        finally:  # how long it took to fail is told too
            self.seconds[step] = time.perf_counter() - start


class Subject(NamedTuple):
    """The photo, and what the route without models makes of it: what the models are held against."""

    photo: Photo
    soft: np.ndarray
    right: np.ndarray
    """[256,256,3] in 0..1, drawn from +20°."""
    left: np.ndarray
    """[256,256,3] in 0..1, drawn from −20°."""


def subject(path: Path, device: str) -> Subject:
    """The photo at `path`, masked and drawn without any model; UnclearGarment for one that needs a model for that."""
    photo = read_photo(path)
    try:
        soft = quick_mask(photo.rgb, photo.alpha).soft
    except UnclearGarment as error:
        ways = "take a photo of a garment alone on a plain background"
        raise UnclearGarment(
            f"{path.name} can't be cut out without a model, so no model is judged by it: {ways}."
        ) from error
    mesh = texture_garment(garment_shell(soft, photo.rgb), photo.rgb, soft, size=1024).mesh
    sides = orbit(radius=ZERO123_RADIUS, hw=(256, 256), azimuths_deg=(TURN_DEG, -TURN_DEG))
    right, left = rendered_orbit(mesh, sides, device=device).images.cpu().numpy()
    return Subject(photo, soft, right, left)


def check(
    models: Models, photo: Path, steps: int = 20, tell: Callable[[str], None] = lambda line: None
) -> list[ModelReport]:
    """One report per model, in the order of the route; a model that is not on disk has its problem said.

    Args:
        steps: denoising steps of Zero123; on a CPU each takes seconds.
        tell: told what is being tried.
    """
    shown = subject(photo, models.device)
    trials = {"sam": _sam, "clothes": _clothes, "zero123": _zero123, "triposr": _triposr}
    reports = []
    for model in MODELS:
        report = ModelReport(model)
        reports.append(report)
        tell(model)
        try:
            report.path = models.path(model)
            if report.path is not None:
                with report.timed("hash"):
                    report.file = _identity(model, report.path)
            trials[model](report, models, shown, steps)
        except Exception as error:  # the other models are still tried, and this is what the report is for
            report.problem = str(error) if isinstance(error, GarmentError) else _unforeseen(error)
    return reports


def _unforeseen(error: Exception) -> str:
    """One line: the type, its text and the place, for whoever reads the report."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"Something unforeseen went wrong: {type(error).__name__}: {text} ({Path(at.filename).name}:{at.lineno})"


def _identity(model: str, path: Path) -> str:
    from ..weights import identify

    return identify(model, path)


def _sam(report: ModelReport, models: Models, shown: Subject, steps: int) -> None:
    from ..mask.sam import sam_mask
    from ..mask.sam_auto import auto_prompt
    from ..mask.sam_embedding import embed

    with report.timed("load"):
        sam = models.sam
    prompt = auto_prompt(shown.photo.rgb, shown.photo.alpha)
    with report.timed("encode"):
        embedding = embed(sam, shown.photo.rgb, models.device, shown.photo.alpha)
    with report.timed("decode"):
        found = sam_mask(sam, embedding, prompt, models.device)
    report.findings += judge_mask(found.soft, shown.soft, 0.9)
    report.findings.append(at_least("SAM's own score", found.score, 0.7))


def _clothes(report: ModelReport, models: Models, shown: Subject, steps: int) -> None:
    from ..mask.clothes import clothes_mask, parse

    seen = over_white(shown.photo.rgb, shown.photo.alpha)
    with report.timed("load"):
        parser = models.clothes
    with report.timed("parse"):
        found = clothes_mask(parse(parser, seen, models.device), "largest", seen)
    report.findings += judge_mask(found.soft, shown.soft, 0.7)


def _zero123(report: ModelReport, models: Models, shown: Subject, steps: int) -> None:
    from ..views.zero123 import decode_latents
    from ..views.zero123_condition import conditioned, encode_photo, zero123_canvas
    from ..views.zero123_pose import pose_vectors
    from ..views.zero123_sampler import Sampling, sample_latents

    with report.timed("load"):
        model = models.zero123
    family = "Stable Zero123" if model.family == "stable" else "Zero123 or XL"
    report.file += f"; read as {family}, {'averaged' if model.ema else 'plain'} weights"
    canvas = zero123_canvas(shown.photo.rgb, shown.soft)
    with report.timed("encode"):
        condition = encode_photo(model, canvas, models.device)
        tokens, concat = conditioned(model, condition, pose_vectors(model.family, (0.0, TURN_DEG), 0.0), models.device)
    with report.timed(f"sample 2 views, {steps} steps"):
        latents = sample_latents(model.unet.to(models.device), tokens, concat, Sampling(steps=steps), models.device)
    with report.timed("decode"):
        front, right = decode_latents(model.vae.to(models.device), latents, models.device).cpu().numpy()
    report.findings += judge_front_view(front, canvas)
    report.findings.append(judge_turn(right, shown.right, shown.left))


def _triposr(report: ModelReport, models: Models, shown: Subject, steps: int) -> None:
    from ..surface.triposr.mesh import triposr_mesh
    from ..surface.triposr.render import render_scene
    from ..surface.triposr.scene import triposr_scene

    with report.timed("load"):
        network = models.triposr
    with report.timed("scene"):
        scene = triposr_scene(network, shown.photo.rgb, shown.soft, device=models.device)
    with report.timed("mesh at 256"):
        surface = triposr_mesh(scene, 256, 25.0, device=models.device)
    report.findings += judge_surface(surface.mesh, shown.photo.rgb, shown.soft)
    with report.timed("render one view"):
        right = render_scene(scene, orbit(hw=(256, 256), azimuths_deg=(TURN_DEG,)), device=models.device)
    report.findings.append(judge_turn(right.images[0].cpu().numpy(), shown.right, shown.left))


def peak_memory_gb() -> float | None:
    """The most memory this process has held, in GB; None where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e9 if sys.platform == "darwin" else most / 1e6
