"""The garment brought within what a platform allows: triangles, texture, detail as a normal map, lighter levels."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert, figures, files, jobs
from .export import length_input
from .mask import CATEGORY
from .sockets import PLATFORM_IDS


def _number(name: str, low: int, high: int, step: int, tooltip: str) -> io.Int.Input:
    """An Int whose lowest value leaves it to the platform."""
    return io.Int.Input(name, default=low, min=low, max=high, step=step, optional=True, advanced=True, tooltip=tooltip)


class PreparePlatform(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_PreparePlatform",
            display_name="Prepare For Platform",
            category=CATEGORY,
            description="Brings a finished garment within what a platform allows: fewer triangles with seams and "
            "openings kept, a smaller texture, the lost detail as a normal map, and lighter levels beside it.",
            search_aliases=["vrchat", "decimate", "polycount", "lod", "game ready", "normal map", "vrm", "optimize"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="The finished garment, best from Bake Garment Texture."),
                io.Combo.Input(
                    "platform",
                    PLATFORM_IDS,
                    default="vrchat-mobile-good",
                    tooltip="Where the garment goes. VRChat's ranks are for the whole avatar: the garment gets a share "
                    "of them, and the budget says both.",
                ),
                length_input(", for cloth of a thickness"),
                io.Mesh.Input(
                    "detail",
                    optional=True,
                    tooltip="Optional: a denser mesh of the same garment, whose folds go into the normal map. Without: "
                    "the garment itself before it gets fewer triangles.",
                ),
                _number(
                    "triangles",
                    0,
                    200000,
                    100,
                    "About how many triangles it gets. 0: the platform's share for a garment.",
                ),
                _number("texture_px", 0, 8192, 128, "Width and height of the texture in pixels. 0: the platform's."),
                _number(
                    "lods",
                    -1,
                    5,
                    1,
                    "How many lighter levels of detail are made beside it, each half the one before. -1: the "
                    "platform's usual number.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The garment for the platform, with texture, normal map and tangents."),
                io.Mesh.Output(
                    "levels",
                    tooltip="The garment and its lighter levels as a batch, for Save Garment's input of this name.",
                ),
                io.String.Output(
                    "budget", tooltip="What the garment needs and what the platform allows, and warnings."
                ),
                io.Boolean.Output("met", tooltip="Whether the garment stays within the budget; all of a batch."),
                io.Combo.Output(
                    "platform",
                    options=PLATFORM_IDS,
                    tooltip="The platform chosen, for Save Garment to write its files and facing.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, platform, length_cm, detail=None, triangles=0, texture_px=0, lods=-1) -> io.NodeOutput:
        from ..garment3d.garment.platforms import platform as platform_of
        from ..garment3d.garment.prepare import prepare

        chosen, wanted = platform_of(platform), (triangles, texture_px, None if lods < 0 else lods)
        done = jobs.alike([
            prepare(job.mesh, chosen, files.sized(job.mesh, "auto", length_cm).length_cm, job.detail, *wanted, bar)
            for job, bar in convert.bars(jobs.prepare_jobs(mesh, detail))
        ])  # fmt: skip
        told = [figures.prepared_text(d) for d in done]
        convert.show(cls, told[0])
        made = convert.like(convert.mesh([d.mesh for d in done]), mesh)
        levels = convert.mesh([level for d in done for level in (d.mesh, *d.levels)])
        met = all(d.checks.met for d in done)
        return io.NodeOutput(made, levels, "\n\n".join(told), met, platform)
