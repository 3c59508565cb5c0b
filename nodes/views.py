"""Pictures from all around: drawn from the garment itself, or brought along from elsewhere."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert
from .mask import CATEGORY
from .sockets import Views

STEP = "Degrees between neighbouring views, starting at the front and going towards the garment's left (image right)."
ELEVATION = "Degrees above (positive) or below the garment's middle from which the cameras look."
BACKGROUNDS = ["any plain colour", "Zero123's white"]


def outputs() -> list[io.Output]:
    return [
        Views.Output("views", tooltip="Pictures, masks and cameras, for Bake Garment Texture and Save Garment."),
        io.Image.Output("images", tooltip="The pictures as a batch, one per view."),
        io.Mask.Output("masks", tooltip="White on the garment, one per view."),
    ]


def azimuths_input() -> io.String.Input:
    return io.String.Input(
        "azimuths",
        default="",
        optional=True,
        advanced=True,
        placeholder="0, 45, 90, 180, 270",
        tooltip="Optional list of azimuths in degrees instead of the step, such as 0, 45, 90, 180.",
    )


def radius_input() -> io.Float.Input:
    return io.Float.Input(
        "radius_offset",
        default=0.0,
        min=-0.7,
        max=0.7,
        step=0.05,
        optional=True,
        advanced=True,
        tooltip="How much farther (positive) or nearer than the photo's the cameras stand, in garment lengths.",
    )


class RenderedViews(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_RenderedViews",
            display_name="Orbit Views (rendered)",
            category=CATEGORY,
            description="Draws the garment from all around with known cameras: for a modeller's reference, for a data "
            "set, or to look at the result without leaving the graph.",
            search_aliases=["turntable", "multi view", "render mesh", "360 views", "novel view", "camera orbit"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="A garment, best from Texture Garment; other meshes are drawn too."),
                io.Float.Input("step_deg", default=20.0, min=1.0, max=180.0, step=1.0, tooltip=STEP),
                io.Float.Input("elevation_deg", default=0.0, min=-80.0, max=80.0, step=1.0, tooltip=ELEVATION),
                io.Int.Input("size", default=512, min=64, max=2048, step=8, tooltip="Width and height in pixels."),
                io.Color.Input("background", default="#ffffff", tooltip="Colour behind the garment."),
            ],
            outputs=outputs(),
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, step_deg: float, elevation_deg: float, size: int, background: str) -> io.NodeOutput:
        from ..garment3d.camera import orbit, orbit_radius
        from ..garment3d.views.rendered import rendered_orbit

        garment = convert.single(mesh)
        cameras = orbit(step_deg, elevation_deg, orbit_radius(garment.vertices, elevation_deg), hw=(size, size))
        colour = tuple(convert.colour(background).tolist())
        views = convert.on_cpu(
            rendered_orbit(garment, cameras, colour, device=convert.device(), progress=convert.progress())
        )
        return io.NodeOutput(views, views.images, views.masks)


class ImageViews(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_ImageViews",
            display_name="Orbit Views (from images)",
            category=CATEGORY,
            description="Gives cameras to a batch of pictures that were taken or generated all around a garment, one "
            "every few degrees, so that they can go where rendered views go.",
            search_aliases=[
                "images to views",
                "multi view import",
                "zero123",
                "camera poses",
                "turntable frames",
            ],
            inputs=[
                io.Image.Input("images", tooltip="Pictures in order: the front first, then towards the image's right."),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="Optional, white on the garment, one per picture. Without: the pictures' alpha, "
                    "or what stands before their plain background.",
                ),
                io.Float.Input("step_deg", default=20.0, min=1.0, max=180.0, step=1.0, tooltip=STEP),
                io.Float.Input("elevation_deg", default=0.0, min=-80.0, max=80.0, step=1.0, tooltip=ELEVATION),
                azimuths_input(),
                radius_input(),
                io.Combo.Input(
                    "background",
                    BACKGROUNDS,
                    default=BACKGROUNDS[0],
                    optional=True,
                    tooltip="What the garment stands before where no masks are connected. Zero123's white is told "
                    "from white cloth.",
                ),
            ],
            outputs=outputs(),
        )

    @classmethod
    @convert.plain_errors
    def execute(
        cls, images, step_deg, elevation_deg, masks=None, azimuths="", radius_offset=0.0, background=BACKGROUNDS[0]
    ) -> io.NodeOutput:
        from ..garment3d.camera import ZERO123_RADIUS, orbit
        from ..garment3d.views.pictures import views_from_images
        from ..garment3d.views.zero123_masks import view_masks

        bar = convert.progress()
        if masks is None and background == BACKGROUNDS[1]:
            masks = view_masks(images[..., :3], progress=bar)

        listed = convert.azimuths(len(images), step_deg, azimuths)
        cameras = orbit(0.0, elevation_deg, ZERO123_RADIUS + radius_offset, hw=images.shape[1:3], azimuths_deg=listed)
        views = convert.on_cpu(views_from_images(images, cameras, masks, bar))
        return io.NodeOutput(views, views.images, views.masks)
