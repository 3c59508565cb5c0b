"""Which engine does each stage: what was asked for, what lies on disk, and what the photo needs.

Models are read when a stage first needs them and kept for the next photo, in an object that the caller owns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from .data import Orbit, Photo, Views
from .errors import MissingWeights, UnclearGarment
from .mask.quick import quick_mask

if TYPE_CHECKING:
    from .surface.triposr.mesh import Surface

_TITLES = {"sam": "SAM", "clothes": "clothes parser", "zero123": "Zero123", "triposr": "TripoSR"}
_SMALLEST = {"sam": "sam-vit-b", "clothes": "clothes-b2", "zero123": "zero123-105000", "triposr": "triposr"}

Tell = Callable[[int, int], None]
Model = TypeVar("Model")


class Models:
    """The official models in a ComfyUI models folder, each read at most once; nothing is ever downloaded."""

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        self.folder = folder
        self.device = device

    def has(self, model: str) -> bool:
        """Whether "sam", "clothes", "zero123" or "triposr" is there; without a folder nothing is."""
        return self.folder is not None and self.path(model) is not None

    def path(self, model: str) -> Path | None:
        """The best file or folder of a model in the folder or in the Hugging Face cache, or None."""
        from .weights import ModelFolders, find, model_folders

        folders = ModelFolders() if self.folder is None else model_folders(self.folder)
        return next(iter(find(model, folders)), None)

    @cached_property
    def sam(self) -> Any:
        """segment_anything's Sam; MissingWeights where there is no file."""
        from .mask.sam import load_sam

        return self._read("sam", load_sam)

    @cached_property
    def clothes(self) -> Any:
        """The clothes parser, on the device; MissingWeights where there is no folder of it."""
        from .mask.clothes import load_parser

        parser = self._read("clothes", load_parser)
        parser.model.to(self.device)
        return parser

    @cached_property
    def zero123(self) -> Any:
        """The parts of a Zero123; MissingWeights where there is no file."""
        from .views.zero123_checkpoint import load_zero123

        return self._read("zero123", load_zero123)

    @cached_property
    def triposr(self) -> Any:
        """The TripoSR network, on the device; MissingWeights where there is no file."""
        from .surface.triposr.checkpoint import load_triposr

        return self._read("triposr", load_triposr).to(self.device)

    def _read(self, model: str, load: Callable[[Path], Model]) -> Model:
        path = self.path(model)
        if path is None:
            where = f"in {self.folder}" if self.folder else "known: say where with --models DIR"
            get = f"python -m garment3d weights get {_SMALLEST[model]} --models DIR"
            raise MissingWeights(f"No {_TITLES[model]} model is {where}, or download one with {get}.")
        return load(path)


class Cut(NamedTuple):
    """A mask and how it came about."""

    soft: np.ndarray
    """[H,W] float32, 1 = garment."""
    engine: str
    """file, alpha, quick, sam, clothes, or clothes+sam where the parser prompted SAM."""
    confidence: float | None
    """0..1 of the engine's own judgement; None where it has none."""


def cut_out(
    photo: Photo,
    engine: str,
    models: Models,
    box: tuple[int, int, int, int] | None = None,
    prompt: str = "",
) -> Cut:
    """The garment's mask by "quick", "sam" or "clothes"; "auto" takes SAM if it is on disk, and the parser for people.

    A photo that is already cut out (its alpha says so) needs no model in "auto". UnclearGarment where nothing on disk
    can say what the garment is; MissingWeights for a named engine without its file.
    """
    wants_sam = engine == "auto" and photo.alpha is None and models.has("sam")
    if engine == "sam" or wants_sam:
        return _by_sam(photo, models, box, prompt)
    if engine == "clothes":
        return _by_parser(photo, models)
    try:
        return _quick(photo, box)
    except UnclearGarment:
        if engine == "quick" or not models.has("clothes"):
            raise
        return _by_parser(photo, models)


def _quick(photo: Photo, box: tuple[int, int, int, int] | None) -> Cut:
    found = quick_mask(photo.rgb, photo.alpha, box)
    given = photo.alpha is not None and np.array_equal(found.soft, photo.alpha.astype(np.float32) / 255)
    return Cut(found.soft, "alpha" if given else "quick", found.confidence)


def _by_parser(photo: Photo, models: Models) -> Cut:
    from .mask.clothes import clothes_mask, parse

    parsed = parse(models.clothes, photo.rgb, models.device)
    return Cut(clothes_mask(parsed, "largest", photo.rgb).soft, "clothes", None)


def _by_sam(photo: Photo, models: Models, box: tuple[int, int, int, int] | None, text: str) -> Cut:
    """SAM with the person's prompt, else with what the quick mask or the parser shows it, else its own candidates."""
    from .mask.prompts import Prompt, prompt_from_text
    from .mask.sam import propose, sam_mask
    from .mask.sam_auto import auto_prompt
    from .mask.sam_embedding import embed, over_white

    prompt, engine = prompt_from_text(text, photo.rgb.shape[:2]), "sam"
    if prompt is None and box is not None:
        prompt = Prompt(box=box)
    if prompt is None:
        try:
            prompt = auto_prompt(photo.rgb, photo.alpha)
        except UnclearGarment:
            if not models.has("clothes"):
                found = propose(models.sam, over_white(photo.rgb, photo.alpha), models.device)
                return Cut(found.soft, "sam", found.score)
            rough, engine = _by_parser(photo, models).soft, "clothes+sam"
            prompt = auto_prompt(photo.rgb, rough=rough)
    embedding = embed(models.sam, photo.rgb, models.device, photo.alpha)
    found = sam_mask(models.sam, embedding, prompt, models.device)
    return Cut(found.soft, engine, found.score)


def picks_zero123(engine: str, models: Models) -> bool:
    """Whether Zero123 makes the views: where it was named, or on disk with a GPU; a CPU takes an hour or so."""
    return engine == "zero123" or (engine == "auto" and models.device != "cpu" and models.has("zero123"))


def picks_triposr(engine: str, models: Models) -> bool:
    """Whether TripoSR makes a surface beside the shell: where it was named, or on disk."""
    return engine == "triposr" or (engine == "auto" and models.has("triposr"))


def zero123_views(
    photo: Photo, soft: np.ndarray, orbit: Orbit, models: Models, steps: int, seed: int, tell: Tell
) -> Views:
    """Views [V,256,256] that Zero123 imagines from the photo."""
    from .views.zero123 import Sampling, zero123_orbit

    sampling = Sampling(steps=steps, seed=seed)
    return zero123_orbit(models.zero123, photo.rgb, soft, orbit, sampling, device=models.device, progress=tell)


def triposr_surface(
    photo: Photo, soft: np.ndarray, models: Models, resolution: int, threshold: float, tell: Tell
) -> Surface:
    """TripoSR's closed, coloured surface in the canonical frame; SurfaceError where the threshold cuts nothing."""
    from .surface.triposr.mesh import triposr_mesh
    from .surface.triposr.scene import triposr_scene

    scene = triposr_scene(models.triposr, photo.rgb, soft, device=models.device)
    return triposr_mesh(scene, resolution, threshold, device=models.device, progress=tell)
