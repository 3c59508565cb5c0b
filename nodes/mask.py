"""From a photo to its mask: a photo to try with, the quick mask, and the garment cut out along it."""

from __future__ import annotations

from pathlib import Path

import torch
from comfy_api.latest import io, ui

from . import convert

CATEGORY = "Garment3D"
PHOTOS = Path(__file__).parents[1] / "workflows" / "inputs"


def _box_side(name: str, side: str) -> io.Int.Input:
    tooltip = f"{side} of a box around the garment, in pixels of the photo. All four at 0: look everywhere."
    return io.Int.Input(name, default=0, min=0, max=16384, optional=True, advanced=True, tooltip=tooltip)


class ExamplePhoto(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        names = sorted(p.name for p in PHOTOS.iterdir() if p.suffix in (".jpg", ".png"))
        first = "tshirt.jpg" if "tshirt.jpg" in names else None
        return io.Schema(
            node_id="Garment3D_ExamplePhoto",
            display_name="Example Garment Photo",
            category=CATEGORY,
            description="A garment photo that comes with the pack, so that a workflow runs at the first click. "
            "For your own photo put Load Image in its place.",
            search_aliases=["garment example", "sample clothes photo", "demo garment", "load garment photo"],
            inputs=[
                io.Combo.Input(
                    "photo",
                    names,
                    default=first,
                    tooltip="Which of the bundled photos to use; the T-shirt also has its sides and its back.",
                )
            ],
            outputs=[io.Image.Output("image", tooltip="The photo at its full size, one garment.")],
            has_intermediate_output=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, photo: str) -> io.NodeOutput:
        from ..garment3d.images import read_photo

        image = convert.image([read_photo(PHOTOS / photo).rgb])
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))


class QuickMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_QuickMask",
            display_name="Garment Mask (quick)",
            category=CATEGORY,
            description="Cuts the garment out of a product photo in a second or two, on the CPU and without model "
            "files. For busy backgrounds and photos of people connect a mask from any other node instead.",
            search_aliases=["segment garment", "remove background", "clothes mask", "cloth segmentation", "matting"],
            inputs=[
                io.Image.Input("image", tooltip="Product photo on a plain background, flat or on an invisible form."),
                io.Mask.Input(
                    "rough_mask",
                    optional=True,
                    tooltip="Optional, white where the garment roughly is, for example painted in the mask editor: "
                    "only the rectangle around it is searched. An all-black mask counts as none.",
                ),
                _box_side("x0", "Left"),
                _box_side("y0", "Top"),
                _box_side("x1", "Right"),
                _box_side("y1", "Bottom"),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="White on the garment, soft along its edge, as large as the photo."),
                io.Float.Output(
                    "confidence",
                    tooltip="0 to 1, how clearly garment and background could be told apart; lowest of the batch.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, image, rough_mask=None, x0=0, y0=0, x1=0, y1=0) -> io.NodeOutput:
        from ..garment3d.mask.quick import quick_mask

        photos = convert.photos(image)
        jobs = list(zip(photos, convert.boxes(photos, rough_mask, (x0, y0, x1, y1)), strict=True))
        masks = [quick_mask(p.rgb, alpha=p.alpha, box=b) for p, b in convert.steps(jobs)]
        confidence = round(float(min(m.confidence for m in masks)), 3)
        convert.show(cls, f"confidence {confidence:.2f}" + (": look at the mask" if confidence < 0.5 else ""))
        return io.NodeOutput(convert.mask([m.soft for m in masks]), confidence)


class CutOut(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_CutOut",
            display_name="Cut Out Garment",
            category=CATEGORY,
            description="The garment alone, centred on a square canvas: to check a mask by eye, to save it as a "
            "transparent PNG, or to frame it for another model.",
            search_aliases=["crop garment", "center object", "transparent png", "rgba cutout", "apply mask"],
            inputs=[
                io.Image.Input("image", tooltip="The garment photo."),
                io.Mask.Input("mask", tooltip="White on the garment, as large as the photo."),
                io.Float.Input(
                    "ratio",
                    default=0.9,
                    min=0.1,
                    max=1.0,
                    step=0.01,
                    tooltip="Longest side of the garment as a share of the canvas. Zero123 expects 0.78, TripoSR 0.85.",
                ),
                io.Int.Input(
                    "size", default=1024, min=64, max=4096, step=8, tooltip="Width and height of the canvas in pixels."
                ),
                io.Color.Input("background", default="#ffffff", tooltip="Colour behind the garment in the preview."),
            ],
            outputs=[
                io.Image.Output(
                    "rgba", tooltip="The garment on a transparent canvas, four channels; Save Image keeps it."
                ),
                io.Image.Output("preview", tooltip="The garment over the background colour, three channels."),
                io.Mask.Output("mask", tooltip="The mask on the same canvas."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, image, mask, ratio: float, size: int, background: str) -> io.NodeOutput:
        photos = convert.photos(image)
        pairs = list(zip(photos, convert.softs(mask, photos), strict=True))
        rgba = torch.stack([convert.cut_out(p.rgb, soft, ratio, size) for p, soft in convert.steps(pairs)])
        alpha = rgba[..., 3:]
        preview = rgba[..., :3] * alpha + convert.colour(background) * (1 - alpha)
        return io.NodeOutput(rgba, preview, alpha[..., 0].clone(), ui=ui.PreviewImage(preview, cls=cls))
