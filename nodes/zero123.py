"""Zero123 painting the garment from all around: whole in one node, or as conditioning for ComfyUI's own sampler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from comfy import model_management
from comfy_api.latest import io

from ..garment3d.errors import GarmentError
from . import convert, models, networks
from .mask import CATEGORY
from .networks import GB
from .sockets import Views as ViewsSocket
from .sockets import Zero123
from .views import ELEVATION, STEP, azimuths_input, outputs, radius_input

if TYPE_CHECKING:
    import numpy as np

    from ..garment3d.data import Orbit, Photo, Views
    from ..garment3d.views.zero123 import Sampling
    from ..garment3d.views.zero123_checkpoint import Zero123 as Zero123Model

SCHEDULERS = ["ddim", "euler", "dpm++", "unipc"]
PRECISIONS = ["auto", "float32", "float16"]
FAMILIES = {"Zero123 or Zero123-XL": "zero123", "Stable Zero123": "stable"}
LICENCES = (
    "Zero123: MIT. XL: its repository is MIT. Stable Zero123: research only, not for commercial use. Stable Zero123C: "
    "free below US$ 1 million of yearly revenue."
)


class LoadedZero123:
    """Zero123's four networks; the denoiser has its own patcher, so that a small GPU holds it alone."""

    def __init__(self, model: Zero123Model, precision: str) -> None:
        device = model_management.get_torch_device()
        if precision == "float16" or (precision == "auto" and model_management.should_use_fp16(device)):
            model.unet.half()
        else:
            model.unet.float()
        if model_management.is_device_cpu(device):  # where half precision is some ten times slower
            model.vae.float(), model.image_encoder.float(), model.projection.float()
        self.model = model
        self.denoiser = networks.Network(model, model.unet)
        self.coders = networks.Network(model, model.image_encoder, model.vae, model.projection)

        self.patcher = self.denoiser.patcher
        """The larger one, by which ComfyUI's cache knows this for a model."""

    def get_models(self) -> list[object]:
        """All patchers, for ComfyUI's own bookkeeping."""
        return [self.denoiser.patcher, self.coders.patcher]

    def told(self, wanted: str) -> str:
        """What was read, for the node: nothing in a file tells its family, and not every file has averaged weights."""
        family = next(title for title, family in FAMILIES.items() if family == self.model.family)
        weights = "averaged weights" if self.model.ema else "weights of the last step"
        absent = ", as the file has no averaged ones" if wanted == "ema" and not self.model.ema else ""
        return f"read as {family}, {weights}{absent}"

    def ready(self, *modules: torch.nn.Module) -> None:
        """Brings the networks of the next stage to the device, and makes room for what they need besides."""
        parts = [p for p in (self.denoiser, self.coders) if any(p.holds(m) for m in modules)]
        networks.load(parts, memory_required=3 * GB)

    def say_minutes(self, node: type[io.ComfyNode], orbit: Orbit, sampling: Sampling) -> None:
        """On a CPU, where an orbit takes long, writes on the node how long, before it starts."""
        from ..garment3d.views.zero123_cost import cpu_minutes

        if model_management.is_device_cpu(self.patcher.load_device):
            minutes = cpu_minutes(len(orbit.cameras), sampling)
            convert.show(node, f"on the CPU: about {max(1, minutes):.0f} minutes")

    def paint(
        self, node: type[io.ComfyNode], photo: Photo, soft: np.ndarray, orbit: Orbit, sampling: Sampling,
        photo_elevation_deg: float,
    ) -> Views:  # fmt: skip
        """The views of an orbit, shown on the node while they come."""
        from ..garment3d.views.zero123 import latent_preview, zero123_orbit

        self.say_minutes(node, orbit, sampling)
        bar = convert.progress()
        with self.running() as device:
            return zero123_orbit(
                self.model, photo.rgb, soft, orbit, sampling, photo_elevation_deg, device,
                bar, lambda latents: bar.show(latent_preview(latents)), self.ready,
            )  # fmt: skip

    @contextmanager
    def running(self) -> Iterator[torch.device]:
        """The device of a run that Cancel stops at any layer; `ready` brings the networks to it as they are needed."""
        with networks.interruptible(self.denoiser.patcher.model, self.coders.patcher.model):
            yield self.patcher.load_device


class LoadZero123(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_LoadZero123",
            display_name="Load Zero123",
            category=CATEGORY,
            description="Reads a Zero123, Zero123-XL or Stable Zero123 checkpoint or diffusers folder. About 3.5 GB of "
            f"GPU memory in float16, 5 GB in float32, and 1 to 3 more while it paints. {LICENCES}",
            search_aliases=["zero123", "zero123-xl", "stable zero123", "zero 1 to 3", "novel view model"],
            inputs=[
                models.menu(
                    "zero123",
                    f"A file from models/checkpoints, a folder from models/diffusers, or a download. {LICENCES}",
                ),
                io.Combo.Input(
                    "weights",
                    ["ema", "raw"],
                    default="ema",
                    optional=True,
                    advanced=True,
                    tooltip="The averaged weights, with which the authors sample, or those of the last training step.",
                ),
                io.Combo.Input(
                    "precision",
                    PRECISIONS,
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="Of the denoiser. Auto: float16 where the GPU is made for it, else float32.",
                ),
                io.Combo.Input(
                    "family",
                    ["auto", *FAMILIES],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="Stable Zero123 is told another pose than the others, and nothing in a file says which it "
                    'is. Auto: by "stable" in its name; choose here for a renamed file.',
                ),
            ],
            outputs=[Zero123.Output("zero123", tooltip="The model, for Orbit Views (Zero123).")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return models.complaint("zero123", file)

    @classmethod
    def fingerprint_inputs(cls, file: str, **_: str) -> str:
        return models.fingerprint("zero123", file)

    @classmethod
    @convert.plain_errors
    def execute(cls, file: str, weights: str = "ema", precision: str = "auto", family: str = "auto") -> io.NodeOutput:
        from ..garment3d.views.zero123_checkpoint import load_zero123

        path = models.file("zero123", file)
        loaded = LoadedZero123(load_zero123(path, weights == "ema", FAMILIES.get(family, "auto")), precision)
        convert.show(cls, loaded.told(weights))
        return io.NodeOutput(loaded)


def orbit_inputs() -> list[io.Input]:
    """Where the views are seen from; the rare ones folded away."""
    return [
        io.Float.Input("step_deg", default=20.0, min=1.0, max=180.0, step=1.0, tooltip=STEP),
        io.Float.Input("elevation_deg", default=0.0, min=-80.0, max=80.0, step=1.0, tooltip=ELEVATION),
        io.Float.Input(
            "photo_elevation_deg",
            default=0.0,
            min=-80.0,
            max=80.0,
            step=1.0,
            optional=True,
            advanced=True,
            tooltip="From how far above (positive) or below the garment's middle the photo itself was taken.",
        ),
        azimuths_input(),
        radius_input(),
    ]


def redo_inputs() -> list[io.Input]:
    """Views to keep, and which of them to paint again."""
    return [
        ViewsSocket.Input(
            "keep",
            optional=True,
            tooltip="Optional: views that Zero123 painted before. Only those named in redo are painted anew, "
            "at the places where they were; all others stay.",
        ),
        io.String.Input(
            "redo",
            default="",
            optional=True,
            advanced=True,
            placeholder="140, 160",
            tooltip="With keep: azimuths of the views to paint anew with this node's seed, best from Garment "
            "Report. Empty: all are kept, and the model is not even loaded.",
        ),
    ]


def redo_orbit(keep: Views | None, redo: str) -> Orbit | None:
    """Zero123's cameras where views are to be painted anew, None for none of them.

    Views that can't be exchanged afterwards are a GarmentError now, before they are painted.
    """
    from ..garment3d.data import Views
    from ..garment3d.views.replaced import at_azimuths, replaced
    from ..garment3d.views.zero123 import zero123_cameras

    if keep is None:
        raise GarmentError(f"There are views to redo ({redo.strip()}) but none to keep: connect keep, or clear redo.")
    turns = convert.azimuth_choice(redo)
    if turns is None:
        return None
    orbit = zero123_cameras(at_azimuths(keep, turns).orbit)
    size = (len(orbit.cameras), *orbit.cameras[0].hw)
    replaced(keep, Views(torch.zeros(*size, 3), torch.zeros(size), orbit))
    return orbit


class Zero123Views(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_Zero123Views",
            display_name="Orbit Views (Zero123)",
            category=CATEGORY,
            description="Paints the garment from all around at 256 × 256, with cameras and masks. The view from the "
            "photo's side is the photo. Seconds to minutes on a GPU, an hour or so on a CPU.",
            search_aliases=["zero123", "novel view", "multi view", "orbit", "rotate object", "360 views"],
            inputs=[
                Zero123.Input("zero123", lazy=True, tooltip="The model from Load Zero123."),
                io.Image.Input("image", tooltip="The garment photo."),
                io.Mask.Input("mask", tooltip="White on the garment, as large as the photo."),
                *orbit_inputs(),
                io.Int.Input("steps", default=50, min=1, max=1000, tooltip="Denoising steps; originally 50 to 75."),
                io.Combo.Input(
                    "scheduler",
                    SCHEDULERS,
                    default="ddim",
                    tooltip="ddim is the original's; dpm++ and unipc are made for some 20 steps.",
                ),
                io.Float.Input(
                    "guidance",
                    default=3.0,
                    min=1.0,
                    max=20.0,
                    step=0.5,
                    tooltip="How closely the photo is followed; the original uses 3.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**63 - 1,
                    control_after_generate=True,
                    tooltip="The same seed gives the same pictures, whatever the step or the batch.",
                ),
                io.Float.Input(
                    "eta",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip="Fresh noise per ddim step: 1 as the original, 0 for none.",
                ),
                io.Int.Input(
                    "batch",
                    default=0,
                    min=0,
                    max=360,
                    optional=True,
                    advanced=True,
                    tooltip="Views painted at once. 0: as many as fit into the free memory.",
                ),
                *redo_inputs(),
            ],
            outputs=outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def check_lazy_status(cls, keep: Views | None = None, redo: str = "", **_: object) -> list[str]:
        return [] if keep is not None and not redo.strip() else ["zero123"]

    @classmethod
    @convert.plain_errors
    def execute(
        cls, zero123, image, mask, step_deg, elevation_deg, steps, scheduler, guidance, seed,
        photo_elevation_deg=0.0, azimuths="", radius_offset=0.0, eta=1.0, batch=0, keep=None, redo="",
    ) -> io.NodeOutput:  # fmt: skip
        from ..garment3d.views.replaced import replaced
        from ..garment3d.views.zero123 import Sampling

        photo, soft = convert.photo_and_mask(image, mask)
        orbit = convert.zero123_orbit(step_deg, azimuths, elevation_deg, radius_offset)
        orbit = orbit if keep is None and not redo.strip() else redo_orbit(keep, redo)
        views = keep
        if orbit is not None:
            sampling = Sampling(steps, scheduler, eta, guidance, seed, batch)
            painted = zero123.paint(cls, photo, soft, orbit, sampling, photo_elevation_deg)
            views = painted if keep is None else replaced(keep, painted)
        return io.NodeOutput(views, views.images, views.masks)
