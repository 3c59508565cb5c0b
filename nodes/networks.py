"""Networks under ComfyUI's memory management: loaded when they run, freed when asked, stopped within one layer.

No network is kept here: it lives as long as the graph's cached output that holds it, and so does what it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import comfy.model_patcher
import comfy.ops
import torch
from comfy import model_management

from ..garment3d.errors import GarmentError

T = TypeVar("T")
GB = 1024**3


def _whole(name: str) -> type:
    """ComfyUI's casting layer, but with weights from the start: the library checks every shape before it fills them."""
    base = getattr(comfy.ops.manual_cast, name)
    return type(name, (base,), {"_load_from_state_dict": torch.nn.Module._load_from_state_dict})


OPS = SimpleNamespace(**{n: _whole(n) for n in ("Linear", "Conv2d", "LayerNorm", "GroupNorm", "ConvTranspose2d")})
"""Layers whose weights ComfyUI can leave in memory and bring to the GPU one by one."""


class Network(Generic[T]):
    """A library's model and the patcher through which ComfyUI moves its weights."""

    def __init__(self, model: T, *modules: torch.nn.Module, pageable: bool = False) -> None:
        self.model = model
        self.pageable = pageable
        """Its layers are OPS; any other network must be on the device whole."""
        # A container of our own, because ComfyUI sets attributes that diffusers' and SAM's have as properties.
        held = torch.nn.ModuleList(modules).eval().requires_grad_(False)
        self.patcher = comfy.model_patcher.CoreModelPatcher(
            held,
            load_device=model_management.get_torch_device(),
            offload_device=model_management.unet_offload_device(),
        )

    @contextmanager
    def running(self, memory_required: float) -> Iterator[torch.device]:
        """Loads the weights beside that many bytes for the run, and gives their device; Cancel stops at any layer."""
        load([self], memory_required)
        with interruptible(self.patcher.model):
            yield self.patcher.load_device

    def holds(self, module: torch.nn.Module) -> bool:
        return any(module is held for held in self.patcher.model)


def load(parts: Sequence[Network[Any]], memory_required: float) -> None:
    """Brings the weights to their device beside that many free bytes; others' weights make room."""
    whole = not all(part.pageable for part in parts)
    patchers = [part.patcher for part in parts]
    model_management.load_models_gpu(patchers, memory_required=memory_required, force_full_load=whole)


@contextmanager
def interruptible(*modules: torch.nn.Module) -> Iterator[None]:
    """Inside, every innermost layer first looks whether Cancel was pressed."""

    def look(*_: Any) -> None:
        model_management.throw_exception_if_processing_interrupted()

    leaves = {leaf for module in modules for leaf in module.modules() if not any(True for _ in leaf.children())}
    hooks = [leaf.register_forward_pre_hook(look) for leaf in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def first_that_fits(sizes: Sequence[int], run: Callable[[int], T]) -> T:
    """`run(size)` of the first size for which the GPU's memory is enough; if none is, a GarmentError."""
    for size in sizes:
        try:
            return run(size)
        except Exception as error:
            model_management.raise_non_oom(error)
        # Out of the except block the failed try's tensors are free.
        model_management.soft_empty_cache()
    raise GarmentError(
        f"The GPU's memory is too small even for {sizes[-1]} points at a time: close other programs, or use the CPU."
    )


def spare(memory_required: float) -> torch.device:
    """The device to compute on, after others' weights have made room for that many bytes."""
    device = model_management.get_torch_device()
    model_management.free_memory(memory_required, device)
    return device
