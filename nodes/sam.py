"""SAM: points or a box on the photo to a mask, with the photo's embedding kept so that a new point costs no encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..garment3d.data import Photo
from ..garment3d.errors import UnclearGarment
from . import convert, models, networks
from .mask import CATEGORY
from .networks import GB
from .sockets import Sam, SamMasks

if TYPE_CHECKING:
    from segment_anything.modeling import Sam as SamModel

    from ..garment3d.mask.sam import SamMask as Answer

KEPT_PHOTOS = 8
"""Embeddings of 5 MB each."""
CHOICES = ["auto", "best score", "largest"]


class LoadedSam(networks.Network["SamModel"]):
    """SAM's network and what it saw in the last few photos; both go when the graph lets go of the loader's output."""

    def __init__(self, model: SamModel) -> None:
        super().__init__(model, model)
        from ..garment3d.mask.sam import EmbeddingCache

        self.seen = EmbeddingCache(KEPT_PHOTOS)

    def cut(
        self, photo: Photo, text: str, rough: np.ndarray | None, low_res: torch.Tensor | None, choice: str
    ) -> Answer:
        """The mask of a prompt text, else of what the rough or quick mask shows, else SAM's own best candidate."""
        from ..garment3d.mask import sam
        from ..garment3d.mask.prompts import Prompt, prompt_from_text

        prompt = prompt_from_text(text, photo.rgb.shape[:2])
        if low_res is not None:
            prompt = replace(prompt or Prompt(), low_res=low_res)
        with self.running(memory_required=4 * GB) as device:
            try:
                prompt = prompt or sam.auto_prompt(photo.rgb, photo.alpha, rough)
            except UnclearGarment:
                prompt = None
            embedding = self.seen.embed(self.model, photo.rgb, device, photo.alpha)
            if prompt is None:
                return sam.propose(self.model, photo.rgb, device, embedding)
            return sam.sam_mask(self.model, embedding, prompt, device, choice)


class LoadSam(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_LoadSam",
            display_name="Load SAM",
            category=CATEGORY,
            description="Reads an official SAM checkpoint: vit_h, vit_l or vit_b; Apache-2.0 licence, any use. While "
            "it looks at a photo it needs about 6, 4.5 or 3 GB of memory.",
            search_aliases=["segment anything", "sam loader", "sam vit_h", "load sam model"],
            inputs=[
                models.menu(
                    "sam",
                    "A SAM file from models/sams, or a download of an official one (Apache-2.0). vit_h is the best, "
                    "vit_b the fastest.",
                )
            ],
            outputs=[Sam.Output("sam", tooltip="The network, for Garment Mask (SAM).")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return models.complaint("sam", file)

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return models.fingerprint("sam", file)

    @classmethod
    @convert.plain_errors
    def execute(cls, file: str) -> io.NodeOutput:
        from ..garment3d.mask.sam import load_sam

        return io.NodeOutput(LoadedSam(load_sam(models.file("sam", file))))


class SamMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_SamMask",
            display_name="Garment Mask (SAM)",
            category=CATEGORY,
            description="Cuts the garment out where you point. Without points it finds them itself from the quick mask "
            "or a rough mask. A further point on the same photo takes a moment: the photo is looked at once.",
            search_aliases=["segment anything", "sam mask", "point prompt", "segment garment", "box prompt"],
            inputs=[
                Sam.Input("sam", tooltip="The network from Load SAM."),
                io.Image.Input("image", tooltip="The photo, of any size, also with a person or a busy background."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    placeholder='{"points": [[x, y, 1], …], "box": [x0, y0, x1, y1]}',
                    tooltip="Points and a box in pixels of the photo, as JSON; label 1 is on the garment, 0 beside it. "
                    "Empty: found from the rough mask, or else from the quick mask.",
                ),
                io.Combo.Input(
                    "choice",
                    CHOICES,
                    default="auto",
                    tooltip="Which of SAM's three answers to one point: auto weighs its own score with how much it "
                    "looks like one whole garment.",
                ),
                io.Mask.Input(
                    "rough_mask",
                    optional=True,
                    tooltip="Optional, white where the garment roughly is, for example from Garment Mask (Clothes); "
                    "used where the prompt is empty. An all-black mask counts as none.",
                ),
                SamMasks.Input(
                    "previous",
                    optional=True,
                    tooltip="Optional answer of another Garment Mask (SAM) to the same photo, to be refined by this "
                    "one's points.",
                ),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="White on the garment, soft along its edge, as large as the photo."),
                io.Float.Output("score", tooltip="SAM's own guess of how right the mask is, 0 to 1; lowest of all."),
                SamMasks.Output("answer", tooltip="SAM's coarse answer, for the previous input of another one."),
            ],
            hidden=[io.Hidden.unique_id],
            has_intermediate_output=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, sam, image, prompt: str, choice: str, rough_mask=None, previous=None) -> io.NodeOutput:
        photos = convert.photos(image)
        rough = convert.rough_masks(rough_mask, photos)
        before = convert.matched(previous or [None], len(photos), "previous answers")
        jobs = list(zip(photos, rough, before, strict=True))
        found = [sam.cut(p, prompt, soft, low_res, choice) for p, soft, low_res in convert.steps(jobs)]
        score = round(float(min(f.score for f in found)), 3)
        convert.show(cls, f"score {score:.2f}")
        mask = convert.mask([f.soft for f in found])
        shown = ui.PreviewImage(convert.tinted(image, mask), cls=cls)
        return io.NodeOutput(mask, score, [f.low_res for f in found], ui=shown)
