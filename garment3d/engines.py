"""Which engine does each stage: what was asked for, what lies on disk, and what the photo needs.

Models are read when a stage first needs them and kept for the next photo, in an object that the caller owns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from .data import Orbit, Photo, Views
from .errors import MissingWeights, PromptError, UnclearGarment, WeightsError
from .images import over_white
from .mask.quick import is_cut_out, quick_mask
from .metrics import mask_iou

if TYPE_CHECKING:
    from .mask.prompts import Prompt
    from .surface.triposr.mesh import Surface

MODELS = ("sam", "clothes", "zero123", "triposr")
_TITLES = {"sam": "SAM", "clothes": "clothes parser", "zero123": "Zero123", "triposr": "TripoSR"}
_SMALLEST = {"sam": "sam-vit-b", "clothes": "clothes-b2", "zero123": "zero123-105000", "triposr": "triposr"}

ALIKE = 0.8
"""IoU of SAM's mask with the rough one below which the person is asked to look at it."""
Tell = Callable[[int, int], None]
Family = Literal["auto", "zero123", "stable"]
Model = TypeVar("Model")


class Models:
    """The official models in a ComfyUI models folder, each read at most once; nothing is ever downloaded."""

    def __init__(self, folder: Path | None = None, device: str = "cpu", zero123_family: Family = "auto") -> None:
        self.folder = folder
        self.device = device
        self.zero123_family: Family = zero123_family
        """Of a Zero123 file whose name does not tell; see `load_zero123`."""
        self._found: dict[str, Path | None] = {}

    def has(self, model: str) -> bool:
        """Whether "sam", "clothes", "zero123" or "triposr" is there; without a folder nothing is."""
        return self.folder is not None and self.path(model) is not None

    def path(self, model: str) -> Path | None:
        """The best file or folder of a model in the folder or in the Hugging Face cache, or None."""
        from .weights import ModelFolders, find, model_folders

        if model not in self._found:  # looked for once: models folders are large and may lie on a network
            folders = ModelFolders() if self.folder is None else model_folders(self.folder)
            self._found[model] = next(iter(find(model, folders)), None)
        return self._found[model]

    def file(self, model: str) -> str:
        """Its folder's and its own name, as people know the file; "" where there is none."""
        path = self.path(model)
        if path is None:
            return ""
        if "snapshots" in path.parts[:-1]:  # in the Hugging Face cache: models--owner--name/snapshots/<hash>/…
            at = path.parts.index("snapshots")
            return "/".join([*path.parts[at - 1].removeprefix("models--").split("--"), *path.parts[at + 2 :]])
        return f"{path.parent.name}/{path.name}"

    def require(self, engines: Collection[str]) -> None:
        """Raises MissingWeights for the first of the engines that is a model and not on disk; reads no model."""
        for engine in engines:
            if engine in _TITLES and self.path(engine) is None:
                raise self._missing(engine)

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
        """The parts of a Zero123, float32 where a CPU runs them; MissingWeights where there is no file."""
        from .views.zero123_checkpoint import load_zero123

        return self._read("zero123", lambda path: load_zero123(path, family=self.zero123_family, dtype=self._dtype))

    @cached_property
    def triposr(self) -> Any:
        """The TripoSR network, on the device, float32 on a CPU; MissingWeights where there is no file."""
        from .surface.triposr.checkpoint import load_triposr

        return self._read("triposr", lambda path: load_triposr(path, dtype=self._dtype)).to(self.device)

    @property
    def _dtype(self) -> Any:
        """None, the file's own, but float32 on a CPU, where half precision takes some ten times as long."""
        import torch

        return torch.float32 if self.device == "cpu" else None

    def _read(self, model: str, load: Callable[[Path], Model]) -> Model:
        path = self.path(model)
        if path is None:
            raise self._missing(model)
        return load(path)

    def _missing(self, model: str) -> MissingWeights:
        what, get = f"No {_TITLES[model]} model is", f"python -m garment3d weights get {_SMALLEST[model]} --models"
        if self.folder is None:
            return MissingWeights(f"{what} known: say where one is with --models DIR, or download one with {get} DIR.")
        return MissingWeights(f"{what} in {self.folder}: put one there, or download one with {get} {self.folder}.")


class Cut(NamedTuple):
    """A mask and how it came about."""

    soft: np.ndarray
    """[H,W] float32, 1 = garment."""
    engine: str
    """file, alpha, quick, sam, clothes, or clothes+sam where the parser prompted SAM."""
    confidence: float | None
    """0..1 of the engine's own judgement; None where it has none."""
    warning: str = ""
    """A sentence for the person, or nothing."""


def check_hints(engine: str, box: tuple[int, int, int, int] | None, prompt: str, garment: str = "") -> None:
    """Raises PromptError for a box, a prompt or a garment's name that the mask's engine would not look at."""
    if garment and (engine == "quick" or box is not None or prompt.strip()):
        told = "the mask's engine is quick" if engine == "quick" else "a box or a prompt says already where to look"
        raise PromptError(f'The name "{garment}" is for the clothes parser, and {told}: leave one of the two out.')
    if prompt.strip() and engine not in ("auto", "sam"):
        raise PromptError(
            f"A prompt is for SAM, and the mask's engine is {engine}: choose sam or leave the prompt out."
        )
    if box is not None and engine == "clothes":
        raise PromptError("The clothes parser takes no box: choose sam or quick, or leave the box out.")


def cut_out(
    photo: Photo,
    engine: str,
    models: Models,
    box: tuple[int, int, int, int] | None = None,
    prompt: str = "",
    garment: str = "",
) -> Cut:
    """The garment's mask by "quick", "sam" or "clothes"; "auto" takes SAM if it is on disk, and the parser for people.

    Of several that are worn the parser takes the one called `garment`, or the largest; a name needs the parser.
    A photo that is already cut out (its alpha says so) needs no model in "auto", and a prompt always means SAM.
    UnclearGarment where nothing on disk can say what the garment is; MissingWeights for a wanted engine without its
    file; PromptError for a hint that the engine does not take.
    """
    check_hints(engine, box, prompt, garment)
    if garment and engine == "auto":
        engine = "sam" if models.has("sam") else "clothes"
    wants_sam = engine == "auto" and (prompt.strip() or (models.has("sam") and not is_cut_out(photo.alpha)))
    unusable = ""
    if engine == "sam" or wants_sam:
        try:
            return _by_sam(photo, models, box, prompt, garment)
        except WeightsError as error:
            if engine == "sam" or prompt.strip():
                raise
            unusable = f"SAM was left out: {error}"  # nobody asked for it, and others can do the mask
    if engine == "clothes":
        return _by_parser(photo, models, garment)
    try:
        return _quick(photo, box)._replace(warning=unusable)
    except UnclearGarment:
        if engine == "quick" or box is not None or not models.has("clothes"):
            raise
        return _by_parser(photo, models)._replace(warning=unusable)


def _quick(photo: Photo, box: tuple[int, int, int, int] | None) -> Cut:
    found = quick_mask(photo.rgb, photo.alpha, box)
    return Cut(found.soft, "alpha" if is_cut_out(photo.alpha) else "quick", found.confidence)


def _by_parser(photo: Photo, models: Models, garment: str = "") -> Cut:
    from .mask.clothes import clothes_mask, parse

    seen = over_white(photo.rgb, photo.alpha)
    found = clothes_mask(parse(models.clothes, seen, models.device), garment or "largest", seen)
    return Cut(found.soft, "clothes", found.confidence)


def _by_sam(photo: Photo, models: Models, box: tuple[int, int, int, int] | None, text: str, garment: str = "") -> Cut:
    """SAM with the person's prompt, else with what the quick mask or the parser shows it, else its own candidates."""
    from .mask.sam import propose, sam_mask
    from .mask.sam_auto import auto_prompt
    from .mask.sam_embedding import embed

    prompt, engine, rough = _given_prompt(photo, box, text), "sam", None
    if garment:
        rough, engine = _by_parser(photo, models, garment).soft, "clothes+sam"
    elif prompt is None:
        rough, engine = _rough(photo, models)
    if rough is not None:
        prompt = auto_prompt(photo.rgb, rough=rough)
    embedding = embed(models.sam, photo.rgb, models.device, photo.alpha)
    if prompt is None:
        found = propose(models.sam, photo.rgb, models.device, embedding)
    else:
        found = sam_mask(models.sam, embedding, prompt, models.device)
    # SAM's guess of an IoU has no bounds of its own.
    return Cut(found.soft, engine, min(max(found.score, 0.0), 1.0), _disagreement(found.soft, rough))


def _disagreement(soft: np.ndarray, rough: np.ndarray | None) -> str:
    """A warning where SAM's mask is far from the one that prompted it."""
    alike = 1.0 if rough is None else mask_iou(soft >= 0.5, rough >= 0.5)
    told = f"SAM's mask and the one that prompted it agree to {100 * alike:.0f} % only (IoU)"
    return f"{told}: look at mask.png." if alike < ALIKE else ""


def _given_prompt(photo: Photo, box: tuple[int, int, int, int] | None, text: str) -> Prompt | None:
    """What the person said, the box cut to the photo as the quick mask does; None where nothing was said."""
    from .mask.prompts import Prompt, prompt_from_text

    height, width = photo.rgb.shape[:2]
    said = prompt_from_text(text, (height, width))
    if box is None:
        return said
    if said is not None and said.box is not None:
        raise PromptError("The prompt has a box and another is given beside it: leave one of the two out.")
    inside = (float(max(0, box[0])), float(max(0, box[1])), float(min(width, box[2])), float(min(height, box[3])))
    return replace(said or Prompt(), box=inside)


def _rough(photo: Photo, models: Models) -> tuple[np.ndarray | None, str]:
    """What shows SAM the garment, by the quick mask or, where that can't tell, the parser, and the engines' name."""
    try:
        return quick_mask(photo.rgb, photo.alpha).soft, "sam"
    except UnclearGarment:
        pass
    if models.has("clothes"):
        try:
            return _by_parser(photo, models).soft, "clothes+sam"
        except UnclearGarment:
            pass
    return None, "sam"


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
