"""The clothes parser: which pixels of a photo are shirt, skirt, trousers or dress, on a person too."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..garment3d.mask.clothes_labels import GARMENTS
from . import convert, figures, models, networks
from .mask import CATEGORY
from .networks import GB
from .sockets import Clothes


class LoadClothes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_LoadClothes",
            display_name="Load Clothes Parser",
            category=CATEGORY,
            description="Reads a Segformer clothes model. Its base model's licence (NVIDIA SegFormer) is for research "
            "and evaluation, not for commercial use. Under 1 GB of memory.",
            search_aliases=["segformer clothes", "clothes segmentation", "human parser", "fashion parser"],
            inputs=[
                models.menu(
                    "clothes",
                    "A folder from models/garment3d that holds config.json and the weights, or a download. Not for "
                    "commercial use: NVIDIA's SegFormer licence.",
                )
            ],
            outputs=[Clothes.Output("clothes", tooltip="The parser, for Garment Mask (Clothes).")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return models.complaint("clothes", file)

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return models.fingerprint("clothes", file)

    @classmethod
    @convert.plain_errors
    def execute(cls, file: str) -> io.NodeOutput:
        from ..garment3d.mask.clothes import load_parser

        parser = load_parser(models.file("clothes", file))
        return io.NodeOutput(networks.Network(parser, parser.model))


class ClothesMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_ClothesMask",
            display_name="Garment Mask (Clothes)",
            category=CATEGORY,
            description="Cuts a garment out by its kind, also when a person wears it; hands and hair before it are "
            "left out. Its edge is coarse: as rough_mask of Garment Mask (SAM) it becomes exact.",
            search_aliases=["clothes mask", "segment clothes", "worn garment", "human parsing", "segformer"],
            inputs=[
                Clothes.Input("clothes", tooltip="The parser from Load Clothes Parser."),
                io.Image.Input("image", tooltip="The photo, best with one person from the front."),
                io.Combo.Input(
                    "garment",
                    ["largest", *GARMENTS],
                    default="largest",
                    tooltip="The kind of garment, or the largest in the photo.",
                ),
                io.String.Input(
                    "classes",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Optional, instead of the garment: any of the parser's own classes, separated by commas.",
                ),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="White on the garment, as large as the photo."),
                io.String.Output("found", tooltip="What the parser saw, and how much of the photo each covers."),
            ],
            hidden=[io.Hidden.unique_id],
            has_intermediate_output=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, clothes, image, garment: str, classes: str = "") -> io.NodeOutput:
        from ..garment3d.mask.clothes import clothes_mask, parse

        photos = convert.photos(image)
        wanted = [word.strip() for word in classes.split(",") if word.strip()] or garment
        with clothes.running(memory_required=1 * GB) as device:
            found = [clothes_mask(parse(clothes.model, p.rgb, device), wanted, p.rgb) for p in convert.steps(photos)]
        convert.show(cls, f"{', '.join(found[0].names)}: {found[0].confidence:.0%} sure")
        mask = convert.mask([f.soft for f in found])
        shown = ui.PreviewImage(convert.tinted(image, mask), cls=cls)
        return io.NodeOutput(mask, "\n\n".join(figures.classes_text(f.found) for f in found), ui=shown)
