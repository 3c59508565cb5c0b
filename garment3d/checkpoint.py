"""Model files to tensors and tensors into networks: memory-mapped, nothing in a file is ever run, nothing guessed.

Every bad file is met here once, so that the engines see whole tensors of the right model or one clear sentence.
"""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import MissingWeights, WeightsError

if TYPE_CHECKING:
    import torch

AGAIN = "download it again from its official place"
SHOWN = 3
"""How many keys of each sort an error names."""
_WRAPPERS = 4
"""Most mappings around a state dict; a pickle may hold one that is within itself."""

FAMILIES = (
    ("sam-hq", ("mask_decoder.hf_token.weight",)),
    ("mobilesam", ("image_encoder.patch_embed.seq.0.c.weight", "mask_decoder.iou_token.weight")),
    ("sam", ("image_encoder.patch_embed.proj.weight", "mask_decoder.iou_token.weight")),
    ("sam2", ("image_encoder.trunk.patch_embed.proj.weight",)),
    ("sam transformers", ("vision_encoder.patch_embed.projection.weight",)),
    ("triposr", ("post_processor.upsample.weight", "tokenizer.embeddings")),
    ("zero123", ("cc_projection.weight",)),
    ("stable diffusion", ("model.diffusion_model.",)),
    ("diffusers unet", ("time_embedding.linear_1.weight", "down_blocks.")),
    ("vae", ("decoder.conv_in.weight",)),
    ("clothes", ("decode_head.", "segformer.encoder.")),
    ("segformer backbone", ("segformer.encoder.",)),
    ("clip vision", ("vision_model.",)),
    ("clip vision", ("visual.conv1.weight",)),
)
"""Model families by keys that each has and no family before it lacks; a name that ends in a dot is a beginning."""

TITLES = {
    "triposr": "TripoSR",
    "zero123": "Zero123",
    "sam": "SAM",
    "sam-hq": "SAM-HQ",
    "mobilesam": "MobileSAM",
    "sam2": "SAM 2",
    "sam transformers": "SAM in transformers' layout",
    "clothes": "a Segformer clothes parser",
    "segformer backbone": "a Segformer without its decode head",
    "stable diffusion": "Stable Diffusion",
    "diffusers unet": "a diffusers UNet",
    "vae": "a VAE",
    "clip vision": "a CLIP image encoder",
}


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The flat state dict of a model file, CPU, memory-mapped where the file allows; no tensors raise WeightsError.

    A wrapping "state_dict" or "model" is taken off. Pickles are read with `weights_only=True`, nothing else.
    """
    path = Path(path)
    layout = _layout(path)
    if layout == "safetensors":
        return _read_safetensors(path)
    if layout == "zip":
        _refuse_programs(path)
    held = _read_pickle(path, mmap=layout == "zip")
    import torch

    tensors = {key: value for key, value in _unwrapped(held).items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(f"{_file(path)} is a pickle without tensors ({_described(held)}); {AGAIN}.")
    return tensors


def kind_of(keys: Collection[str]) -> str:
    """The name of the model family that has such keys, as in TITLES; "" for keys of none."""
    known = frozenset(keys)

    def has(mark: str) -> bool:
        return any(key.startswith(mark) for key in known) if mark.endswith(".") else mark in known

    return next((kind for kind, marks in FAMILIES if all(has(mark) for mark in marks)), "")


def demand(tensors: Mapping[str, torch.Tensor], kind: str, path: Path) -> None:
    """Raises WeightsError if the tensors of the file are not of that family, and says which they are if it is known."""
    found = kind_of(tensors.keys())
    if found == kind:
        return
    some = ", ".join(sorted(tensors)[:SHOWN])
    what = TITLES[found] if found else f"no model known here ({len(tensors)} tensors: {some}, …)"
    raise WeightsError(f"{_file(path)} is {what}, and {TITLES[kind]} was expected; choose its official file.")


def fill(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], what: str) -> None:
    """Puts the tensors themselves into the module, all of them fitting; else WeightsError names the first few.

    Works for modules built under `torch.device("meta")`; `what` is the file as the person knows it.
    """
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in tensors]
    further = [key for key in tensors if key not in wanted]
    shaped = [
        f"{key} is {_shape(tensors[key])} instead of {_shape(value)}"
        for key, value in wanted.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    typed = [  # quantised files: whole numbers would be taken for the weights themselves
        f"{key} is {str(tensors[key].dtype).removeprefix('torch.')}"
        for key, value in wanted.items()
        if key in tensors and value.is_floating_point() and not tensors[key].is_floating_point()
    ]
    if not (missing or further or shaped or typed):
        module.load_state_dict(dict(tensors), strict=True, assign=True)
        return
    expected, found = kind_of(wanted.keys()), kind_of(tensors.keys())
    other = f"it is {TITLES[found]}: " if found and found != expected else ""
    faults = [
        _listed(missing, f"of {len(wanted)} tensors missing"),
        _listed(further, "unknown"),
        _listed(shaped, "of another shape"),
        _listed(typed, "of another type than floats"),
    ]
    told = "; ".join(fault for fault in faults if fault)
    raise WeightsError(f"{what} does not fit: {other}{told}; take the official file of this very model.")


def _listed(faults: list[str], what: str) -> str:
    if not faults:
        return ""
    return f"{len(faults)} {what} ({', '.join(faults[:SHOWN])}{', …' if len(faults) > SHOWN else ''})"


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(str(side) for side in tensor.shape) or "a single number"


def _layout(path: Path) -> str:
    """ "zip", "legacy" or "safetensors" by the first bytes; anything else raises WeightsError."""
    if not path.exists():
        raise MissingWeights(f"{path} does not exist.")
    if path.is_dir():
        raise WeightsError(f"{path} is a folder where a model file is expected; choose the file inside it.")
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror or error}.") from error
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    # Before the pickles: a safetensors file begins with its header's length, and that may well begin with 0x80.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "safetensors"
    if head.startswith(b"\x80"):
        return "legacy"
    raise WeightsError(f"{_file(path)} is no model file but {_in_words(head, path.stat().st_size)}; {AGAIN}.")


def _in_words(head: bytes, size: int) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "an empty file"
    if not head.strip(b"\0"):
        return f"{size:,} bytes that begin with zeros, as a download leaves that broke off"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, which stands for a file that was never fetched"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return f"a web page of {size:,} bytes (a login or error page saved under this name)"
    if text.startswith((b"{", b"[")):
        return f"JSON text of {size:,} bytes"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in text):
        return f"text of {size:,} bytes"
    return f"something else ({size:,} bytes that begin with {head[:4].hex(' ')})"


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, ValueError) as error:
        raise _damaged(path) from error
    if not tensors:
        raise WeightsError(f"{_file(path)} is a safetensors file without tensors; {AGAIN}.")
    return tensors


def _refuse_programs(path: Path) -> None:
    """Raises WeightsError for a TorchScript archive, which torch < 2.6 runs even where only weights are asked for."""
    try:
        with zipfile.ZipFile(path) as file:
            names = {name.rpartition("/")[2] for name in file.namelist()}
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(path) from error
    if "constants.pkl" in names:
        raise WeightsError(f"{_file(path)} is a TorchScript program and no file of weights; {AGAIN}.")
    if "data.pkl" not in names:
        some = ", ".join(sorted(names)[:SHOWN])
        raise WeightsError(f"{_file(path)} is a ZIP archive without weights ({some}); unpack it or {AGAIN}.")


def _read_pickle(path: Path, mmap: bool) -> Any:
    import torch

    try:
        with _odd_globals():
            if path.suffix.lower() == ".safetensors":  # newer torch goes by the name, and this is none
                with path.open("rb") as file:
                    return torch.load(file, map_location="cpu", weights_only=True)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap or None)
    except MemoryError:
        raise
    except Exception as error:  # what a damaged pickle raises is any type at all
        refused = re.search(r"(?:GLOBAL|Unsupported class|Unsupported global:?(?: GLOBAL)?) ([\w.]+)", str(error))
        if not refused:
            raise _damaged(path) from error
        raise WeightsError(
            f"{_file(path)} asks to run {refused[1]}, which no file of weights needs; nothing in it was run: "
            f"delete it and {AGAIN}."
        ) from error


def _file(path: Path) -> str:
    """With its folder: several models' files are called just model."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def _damaged(path: Path) -> WeightsError:
    size = path.stat().st_size
    return WeightsError(f"{_file(path)} is damaged or ends too early ({size:,} bytes); delete it and {AGAIN}.")


def _unwrapped(held: Any) -> dict[str, Any]:
    """The innermost mapping under "state_dict" or "model"; {} for anything that is none."""
    for _ in range(_WRAPPERS):
        inner = (held[name] for name in ("state_dict", "model") if isinstance(held.get(name), Mapping))
        held = next(inner, held) if isinstance(held, Mapping) else {}
    return {str(key): value for key, value in held.items()}


def _described(held: Any) -> str:
    if not isinstance(held, Mapping):
        return f"it holds a {type(held).__name__}"
    return f"it holds {', '.join(str(key) for key in list(held)[:SHOWN]) or 'nothing'}"


class _ModelCheckpoint:
    """Stands for Lightning's callback, which is only a key in its files."""


def _scalar(*_: object) -> None:
    """Stands for numpy's scalar: the best score of a training run, which nobody needs."""


def _old_scalar(*_: object) -> None:
    """The same under the name that numpy 1 writes."""


def _encode(*_: object) -> None:
    """Stands for `_codecs.encode`, the bytes of that scalar."""


def _named(stand_in: Any, module: str, name: str) -> Any:
    stand_in.__module__, stand_in.__name__, stand_in.__qualname__ = module, name, name
    return stand_in


_STAND_INS = (
    _named(_ModelCheckpoint, "pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"),
    _named(_scalar, "numpy._core.multiarray", "scalar"),
    _named(_old_scalar, "numpy.core.multiarray", "scalar"),
    _named(_encode, "_codecs", "encode"),
)
"""Named as the originals, because torch < 2.6 knows a global by its own name only."""

_LOCK = threading.Lock()


@contextmanager
def _odd_globals() -> Iterator[None]:
    """Lets torch pass the globals of Zero123's Lightning files, and no more, while a file is read.

    Torch keeps one list for the whole process, so what others (ComfyUI) put there stays when this is over.
    """
    import numpy as np
    import torch

    serialization: Any = torch.serialization
    if not hasattr(serialization, "safe_globals"):  # torch < 2.5: only files without such globals can be read
        yield
        return
    with _LOCK:
        there = serialization.get_safe_globals()
        ours = [odd for odd in (*_STAND_INS, np.dtype, type(np.dtype("f8"))) if odd not in there]
        with serialization.safe_globals(ours):
            yield
