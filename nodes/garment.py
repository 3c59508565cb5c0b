"""The garment itself: an open shell grown from the mask, then its cloth from the photo."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert, text
from .mask import CATEGORY
from .sockets import CLASSES


class Shell(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_Shell",
            display_name="Garment Shell",
            category=CATEGORY,
            description="Grows the garment's mesh from its outline: front and back joined along the sides, open at "
            "neck, cuffs, hem, waist and leg ends, one layer of evenly spaced triangles.",
            search_aliases=["mask to mesh", "inflate", "garment mesh", "cloth mesh", "image to 3d", "photo to 3d"],
            inputs=[
                io.Mask.Input("mask", tooltip="White on the garment, as large as the photo."),
                io.Image.Input("image", tooltip="The photo; the front edge of the neckline is read from it."),
                io.Int.Input(
                    "triangles",
                    default=20000,
                    min=500,
                    max=200000,
                    step=500,
                    tooltip="About how many triangles it gets. 5 000 for a game character, 20 000 for a close-up.",
                ),
                io.String.Input(
                    "openings",
                    default="",
                    multiline=True,
                    optional=True,
                    advanced=True,
                    placeholder='[{"name": "neck", "a": [225, 165], "b": [351, 166]}, …]',
                    tooltip="Empty: found from the outline. Otherwise JSON: a list of name and the end points a and "
                    "b on the outline, in pixels of the photo; the openings output has this form, to edit and paste.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The garment without texture, centred, longest side 1, front to +Z."),
                io.String.Output(
                    "openings",
                    tooltip="The openings of the first garment as JSON, in the form the input takes.",
                ),
                io.Combo.Output(
                    "garment_class",
                    options=CLASSES,
                    tooltip="What kind of garment the outline shows, for Save Garment to know its usual length.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mask, image, triangles: int, openings: str = "") -> io.NodeOutput:
        from ..garment3d.garment.openings import Outline, class_of, find_openings
        from ..garment3d.garment.shell import garment_shell

        photos = convert.photos(image)
        pairs = list(zip(photos, convert.softs(mask, photos), strict=True))
        spans = text.spans_from_text(openings)
        outlines, shells = [], []
        for photo, soft in convert.steps(pairs):
            outlines.append(Outline(class_of(soft, spans), spans) if spans else find_openings(soft))
            shells.append(garment_shell(soft, photo.rgb, outlines[-1].spans, triangles))
        convert.show(cls, f"{outlines[0].garment_class}: {', '.join(s.name for s in outlines[0].spans)}")
        return io.NodeOutput(convert.mesh(shells), text.outline_text(outlines[0]), outlines[0].garment_class)


class Texture(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_Texture",
            display_name="Texture Garment",
            category=CATEGORY,
            description="Lays the garment out as front and back panel and paints them from the photo. The back gets "
            "the same cloth without prints and labels, or a photo of the real back.",
            search_aliases=[
                "project texture",
                "uv unwrap garment",
                "bake photo",
                "cloth texture",
                "texture from image",
            ],
            inputs=[
                io.Mesh.Input("mesh", tooltip="A garment shell, also after Decimate Mesh, which drops its uvs."),
                io.Image.Input("image", tooltip="The photo from which the shell was made."),
                io.Mask.Input("mask", tooltip="The mask from which the shell was made."),
                io.Image.Input("back_image", optional=True, tooltip="Optional photo of the real back."),
                io.Mask.Input(
                    "back_mask", optional=True, tooltip="White on the garment in the photo of the back; needed with it."
                ),
                io.Int.Input(
                    "size",
                    default=2048,
                    min=256,
                    max=8192,
                    step=256,
                    tooltip="Width and height of the texture in pixels.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The garment with uvs, normals and texture."),
                io.Image.Output("texture", tooltip="The texture alone: front panel and back panel."),
                io.String.Output("figures", tooltip="What was measured, one line each: texels, resolution, coverage."),
            ],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, image, mask, size: int, back_image=None, back_mask=None) -> io.NodeOutput:
        from ..garment3d.garment.texture import texture_garment

        jobs = convert.texture_jobs(mesh, image, mask, back_image, back_mask)
        done = [texture_garment(*job, size=size) for job in convert.steps(jobs)]
        result = convert.mesh([d.mesh for d in done])
        return io.NodeOutput(result, result.texture, "\n\n".join(text.figures_text(d.figures) for d in done))
