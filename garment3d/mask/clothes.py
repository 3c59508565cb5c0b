"""The Segformer clothes parsers: which pixels of a photo are which garment, so that a worn one can be cut out.

Only what is seen is taken: hands, hair and bags in front are other classes, and nothing is filled in across them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..camera import mask_box
from ..checkpoint import demand, read_tensors
from ..errors import MaskError, MissingWeights, UnclearGarment, WeightsError
from .clothes_labels import background, choices, classes_of, garment_of, meant
from .clothes_pieces import parts_of, tidied
from .edge import soft_edge

if TYPE_CHECKING:
    import torch

WORK_PX = 384
"""Masks are put together at this longest side, three times the network's own 128, then follow the photo's edges."""
LEAST_SHARE = 0.002
"""A garment of less of the photo than this is a mistake of the network."""
LARGEST = "largest"
_FILES = ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin")
_LISTED = 8


@dataclass(frozen=True, eq=False)
class Parser:
    """A clothes parser read from its folder."""

    model: Any
    """transformers' SegformerForSemanticSegmentation, float32, eval, on the CPU when read."""
    processor: Any
    """transformers' image processor with Pillow inside, as the models were trained."""
    labels: tuple[str, ...]
    """Names of the classes, by index."""


@dataclass(frozen=True, eq=False)
class Parsed:
    """What a parser sees in one photo; any garment can be taken from it without another run."""

    logits: torch.Tensor
    """[C,h,w] float32 on the CPU, at a quarter of the network's input."""
    labels: tuple[str, ...]
    hw: tuple[int, int]
    """The photo's size."""


class Found(NamedTuple):
    """A class that the parser saw."""

    name: str
    share: float
    """Part of the photo, 0..1."""


class ClothesMask(NamedTuple):
    """A garment's mask and what it was taken from."""

    soft: np.ndarray
    """[H,W] float32, 1 = garment."""
    names: tuple[str, ...]
    """The classes it consists of, parts such as sleeves included."""
    confidence: float
    """0..1, how sure the network is inside the mask, on average."""
    found: tuple[Found, ...]
    """Everything in the photo but the background, largest first."""
    pieces: int
    """More than one where a hand, hair or another garment in front splits it."""
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 in pixels around it: with `soft` a prompt for SAM."""


def load_parser(folder: Path) -> Parser:
    """The parser in a folder with config.json and model.safetensors or pytorch_model.bin, on the CPU, strictly loaded.

    No code in the folder runs and nothing is fetched; MissingWeights or WeightsError where it is no clothes parser.
    """
    folder = Path(folder)
    folder = folder.parent if folder.is_file() else folder
    config = _config(folder)
    weights = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if weights is None:
        raise MissingWeights(
            f"{folder} has no {_FILES[0]} or {_FILES[-1]}: copy the model's weights beside its config."
        )
    labels = tuple(str(config.id2label.get(i, f"class {i}")) for i in range(config.num_labels))
    if not choices(labels):
        some = ", ".join(labels[:6])
        raise WeightsError(
            f"{folder.name} labels no clothes ({len(labels)} classes: {some}, …): take a clothes parser."
        )
    tensors = read_tensors(weights)
    demand(tensors, "clothes", weights)
    return Parser(_model(config, tensors, weights, folder), _processor(folder), labels)


def parse(parser: Parser, rgb: np.ndarray, device: torch.device | str = "cpu") -> Parsed:
    """One run of the network on a photo [H,W,3] uint8; the model must be on that device."""
    import torch
    from PIL import Image

    pixels = parser.processor(Image.fromarray(rgb), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        logits = parser.model(pixel_values=pixels.to(device)).logits[0]
    return Parsed(logits.detach().float().cpu().clone(), parser.labels, (rgb.shape[0], rgb.shape[1]))


def label_map(parsed: Parsed, hw: tuple[int, int]) -> np.ndarray:
    """[H,W] int64 index of the likeliest class, as transformers' own post-processing gives it."""
    return _enlarged(parsed, hw).argmax(0).numpy()


def clothes_mask(parsed: Parsed, wanted: Sequence[str] | str, rgb: np.ndarray) -> ClothesMask:
    """The mask [H,W] of the wanted garments together, its edge the photo's own; "largest" takes one garment.

    Args:
        wanted: garments ("upper", "coat", "dress", "skirt", "pants", "scarf"), usual names of them, or classes.
        rgb: the photo [H,W,3] uint8 that was parsed.

    Raises:
        PromptError: a word that no class of the parser is meant by.
        UnclearGarment: nothing of what is wanted is in the photo.
    """
    if rgb.shape[:2] != parsed.hw:
        sizes = f"{rgb.shape[1]}×{rgb.shape[0]} px and the parsed one {parsed.hw[1]}×{parsed.hw[0]} px"
        raise MaskError(f"The photo is {sizes}; give the photo that was parsed.")
    scale = min(1.0, WORK_PX / max(parsed.hw))
    logits = _enlarged(parsed, (max(1, round(parsed.hw[0] * scale)), max(1, round(parsed.hw[1] * scale))))
    seen = logits.argmax(0).numpy()
    found = found_in(seen, parsed.labels)
    taken = _taken(seen, _chosen(wanted, seen, parsed.labels), parsed.labels)
    binary, pieces = tidied(taken >= 0, ~_is_background(seen, parsed.labels))
    if np.count_nonzero(binary) < LEAST_SHARE * binary.size:
        raise UnclearGarment(_absent(wanted, parsed.labels, found))
    classes = np.unique(taken[binary & (taken >= 0)])
    sure = logits.softmax(0)[classes].sum(0).numpy()
    soft = soft_edge(rgb, binary)
    names = tuple(parsed.labels[i] for i in classes)
    return ClothesMask(soft, names, float(sure[binary].mean()), found, pieces, mask_box(soft))


def found_in(seen: np.ndarray, labels: tuple[str, ...]) -> tuple[Found, ...]:
    """The classes in a label map [H,W], largest first, without the background and specks."""
    shares = np.bincount(seen.ravel(), minlength=len(labels)) / seen.size
    order = [i for i in np.argsort(-shares, kind="stable") if shares[i] >= LEAST_SHARE and not background(labels[i])]
    return tuple(Found(labels[i], float(shares[i])) for i in order)


def _chosen(wanted: Sequence[str] | str, seen: np.ndarray, labels: tuple[str, ...]) -> set[int]:
    """Indices of the wanted classes; for "largest" those of the garment with the most pixels."""
    words = [wanted] if isinstance(wanted, str) else list(wanted)
    area = np.bincount(seen.ravel(), minlength=len(labels))
    chosen: set[int] = set()
    for word in words or [LARGEST]:
        if word.strip().casefold() == LARGEST:
            worn = {garment: sum(area[list(classes_of(garment, labels))]) for garment in choices(labels)}
            chosen |= set(classes_of(max(worn, key=lambda garment: worn[garment]), labels))
            continue
        own, further = meant(word, labels)
        there = area[list(own)].sum() >= LEAST_SHARE * seen.size
        chosen |= set(own if there or not further else further)
    return chosen


def _taken(seen: np.ndarray, chosen: set[int], labels: tuple[str, ...]) -> np.ndarray:
    """[H,W] int class of each pixel of the chosen classes and of their parts, -1 elsewhere."""
    garments = {garment_of(labels[i]) for i in chosen} - {""}
    return np.where(np.isin(seen, list(chosen)), seen, parts_of(seen, labels, garments))


def _absent(wanted: Sequence[str] | str, labels: tuple[str, ...], found: tuple[Found, ...]) -> str:
    """What to say where the wanted is not in the photo."""
    words = [wanted] if isinstance(wanted, str) else list(wanted)
    what = "garment" if LARGEST in words or not words else " or ".join(words)
    listed = ", ".join(f"{name} {share:.1%}" for name, share in found[:_LISTED]) or "nothing but background"
    worn = dict.fromkeys(garment_of(name) for name, _ in found)
    worn.pop("", None)
    way = f"choose {' or '.join(worn)}" if worn else "draw a box or points for SAM, or give a mask"
    return f"The clothes parser sees no {what} in the photo but {listed} of it: {way}."


def _is_background(seen: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    return np.array([background(label) for label in labels])[seen]


def _enlarged(parsed: Parsed, hw: tuple[int, int]) -> torch.Tensor:
    from torch.nn.functional import interpolate

    return interpolate(parsed.logits[None], size=hw, mode="bilinear", align_corners=False)[0]


def _config(folder: Path) -> Any:
    """The SegformerConfig of a folder; anything else raises MissingWeights or WeightsError."""
    path = folder / "config.json"
    if not path.is_file():
        raise MissingWeights(f"{folder} has no config.json: give the whole folder of a Segformer clothes parser.")
    try:
        held = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} can't be read as JSON ({error}): get a whole copy of the folder.") from error
    kind = held.get("model_type") if isinstance(held, dict) else None
    if kind != "segformer":
        raise WeightsError(f"{path} is of the model type {kind!r} where segformer is expected: take a clothes parser.")
    from transformers import SegformerConfig

    try:
        return SegformerConfig.from_dict(held)
    except Exception as error:  # what transformers raises for odd values differs from version to version
        raise WeightsError(f"{path} can't be used ({_first_line(error)}): get a new copy of the folder.") from error


def _model(config: Any, tensors: dict[str, torch.Tensor], weights: Path, folder: Path) -> Any:
    """The network with every tensor of the file in its place; transformers 5 knows the official names by others."""
    import torch
    from transformers import SegformerForSemanticSegmentation

    try:
        with _no_bar():
            loaded: Any = SegformerForSemanticSegmentation.from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they come in the report, and are refused below
                local_files_only=True,
            )
    except Exception as error:  # sizes that go with no network raise any type at all
        path = folder / "config.json"
        raise WeightsError(f"{path} can't be used ({_first_line(error)}): get a new copy of the folder.") from error
    model, report = loaded
    faults = [
        f"{len(report[kind])} tensors {what} ({', '.join(sorted(str(k) for k in report[kind])[:3])}, …)"
        for kind, what in (
            ("missing_keys", "missing"),
            ("unexpected_keys", "unknown"),
            ("mismatched_keys", "misshaped"),
        )
        if report[kind]
    ]
    if faults:
        told = "; ".join(faults)
        name = f"{folder.name}/{weights.name}"
        raise WeightsError(f"{name} does not fit its config.json: {told}; get both from one official folder.")
    return model.to(torch.float32).eval().requires_grad_(False)


@contextmanager
def _no_bar() -> Iterator[None]:
    """Without the progress bar that transformers 5 draws over whatever a caller shows."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _processor(folder: Path) -> Any:
    """Pillow's resizing, which the models were trained with; under transformers 5 it has a name of its own."""
    import transformers
    from PIL import Image

    kind = getattr(transformers, "SegformerImageProcessorPil", None) or transformers.SegformerImageProcessor
    if not (folder / "preprocessor_config.json").is_file():
        return kind()
    try:
        processor = kind.from_pretrained(str(folder), local_files_only=True)
        processor(Image.new("RGB", (8, 8)), return_tensors="pt")  # some values are refused at the first picture only
        return processor
    except Exception as error:  # as above
        path = folder / "preprocessor_config.json"
        raise WeightsError(f"{path} can't be used ({_first_line(error)}): get a new copy of it.") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".: ")
