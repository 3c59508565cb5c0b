"""The garment's cloth: from the photo alone onto its own panels, or from photo and views onto any mesh."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert, figures, jobs
from .mask import CATEGORY
from .sockets import Views

BACK_IMAGE = "Optional photo of the real back."
BACK_MASK = "White on the garment in the photo of the back; needed with it."
SIZE = "Width and height of the texture in pixels."


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
                io.Image.Input("back_image", optional=True, tooltip=BACK_IMAGE),
                io.Mask.Input("back_mask", optional=True, tooltip=BACK_MASK),
                io.Int.Input("size", default=2048, min=256, max=8192, step=256, tooltip=SIZE),
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

        todo = jobs.texture_jobs(mesh, image, mask, back_image, back_mask)
        done = [texture_garment(*job, size=size) for job in convert.steps(todo)]
        result = convert.mesh([d.mesh for d in done])
        return io.NodeOutput(result, result.texture, "\n\n".join(figures.figures_text(d.figures) for d in done))


class BakeTexture(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_BakeTexture",
            display_name="Bake Garment Texture",
            category=CATEGORY,
            description="Paints any mesh from the photo and, where the photo doesn't see it, from a photo of the back "
            "or the views that face it best. The views are laid onto the mesh and matched to the photo's colours.",
            search_aliases=["bake texture", "project views", "multi view texture", "texture from images", "uv texture"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="A garment from Fit Garment Shell, Garment Shell or Open Hems."),
                io.Image.Input("image", tooltip="The photo from which the garment was made."),
                io.Mask.Input("mask", tooltip="The mask from which the garment was made."),
                Views.Input("views", optional=True, tooltip="Optional: pictures from all around with their cameras."),
                io.Image.Input("back_image", optional=True, tooltip=BACK_IMAGE + " It goes before the views."),
                io.Mask.Input("back_mask", optional=True, tooltip=BACK_MASK),
                io.Int.Input("size", default=2048, min=256, max=8192, step=256, tooltip=SIZE),
                io.Float.Input(
                    "flatten",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the photo's broad light and shade is taken out, for an engine's own lights. "
                    "0 leaves the photo as it is; folds stay.",
                ),
                io.String.Input(
                    "azimuths",
                    default="",
                    optional=True,
                    advanced=True,
                    placeholder="90, 180, 270",
                    tooltip="Empty: 90, 180, 270. Degrees of the views that come first; of the others a few are used "
                    "where those see nothing.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The garment with uvs, normals and texture."),
                io.Image.Output("texture", tooltip="The texture alone."),
                io.Image.Output(
                    "source",
                    tooltip="Where each texel's colour comes from: photo, photo of the back, which view, or filled.",
                ),
                io.String.Output("figures", tooltip="Shares of each source, how the views fitted, and warnings."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(
        cls, mesh, image, mask, size, flatten, views=None, back_image=None, back_mask=None, azimuths=""
    ) -> io.NodeOutput:
        from ..garment3d.garment.texture.bake import BakeOptions, bake_texture, source_picture

        options = BakeOptions(size, flatten, convert.azimuth_choice(azimuths))
        todo = jobs.bake_jobs(mesh, image, mask, views, back_image, back_mask)
        done = [bake_texture(*job, options, convert.device(), bar) for job, bar in convert.bars(todo)]
        turns = views.orbit.azimuths_deg if views is not None else ()
        sources = convert.image([source_picture(d.source, turns) for d in done])
        convert.show(cls, figures.on_node([figures.bake_line(d.source) for d in done], [d.warnings for d in done]))
        result = convert.mesh([d.mesh for d in done])
        told = "\n\n".join(figures.bake_text(d, turns) for d in done)
        return io.NodeOutput(result, result.texture, sources, told)
