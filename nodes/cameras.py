"""The views' cameras for other programs: a data set folder for NeRF and splat tools, and a camera for core's nodes."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert, files
from .export import length_input, prefix_input
from .mask import CATEGORY
from .sockets import Views


def format_input(name: str, default: bool, tooltip: str) -> io.Boolean.Input:
    """The rare ones folded away."""
    return io.Boolean.Input(name, default=default, optional=True, advanced=not default, tooltip=tooltip)


class ExportCameras(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_ExportCameras",
            display_name="Export Cameras",
            category=CATEGORY,
            description="Writes the views and their cameras to the output folder as a data set that NeRF and gaussian "
            "splat tools read, and gives the camera of one view to ComfyUI's own 3D nodes.",
            search_aliases=["nerf", "colmap", "gaussian splatting", "transforms.json", "camera info", "data set"],
            inputs=[
                Views.Input("views", tooltip="Pictures with their cameras, from any of the Orbit Views nodes."),
                io.Mesh.Input(
                    "mesh",
                    optional=True,
                    tooltip="Optional: the garment. It goes along as a GLB that holds the cameras, and its surface "
                    "gives the points to start from.",
                ),
                prefix_input("3d/cameras", "the data set's name"),
                io.Float.Input(
                    "azimuth_deg",
                    default=0.0,
                    min=-360.0,
                    max=360.0,
                    step=1.0,
                    tooltip="Which view's camera the output camera_info is: the nearest to this azimuth in degrees.",
                ),
                length_input(": the files are in metres", ", 70 without a mesh"),
                format_input("nerf", True, "transforms.json, for Nerfstudio and instant-ngp."),
                format_input("colmap", True, "COLMAP's text files, for gaussian splat trainers."),
                format_input("gltf", True, "A GLB of the garment that holds the cameras, where a mesh is connected."),
                format_input("json", True, "cameras.json, as Save Garment writes it."),
                format_input("synthetic", False, "transforms_train.json, for readers of the first NeRF's own scenes."),
                format_input("masks", False, "The masks as pictures of their own."),
            ],
            outputs=[
                io.Load3DCamera.Output(
                    "camera_info",
                    tooltip="The camera of one view in the graph's frame, for Render Mesh or Preview 3D (Advanced) of "
                    "the same garment.",
                ),
                io.String.Output("folder", tooltip="The folder of the data set on disk."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(
        cls, views, filename_prefix, azimuth_deg, length_cm, mesh=None,
        nerf=True, colmap=True, gltf=True, json=True, synthetic=False, masks=False,
    ) -> io.NodeOutput:  # fmt: skip
        from ..garment3d.export.camera_files import camera_files
        from ..garment3d.export.load3d import load3d_camera

        garment = None if mesh is None else convert.single(mesh)
        found, kind, length_cm = files.sized(garment, "auto", length_cm)
        wanted = {"nerf": nerf, "colmap": colmap, "json": json, "gltf": gltf and mesh is not None,
                  "synthetic": synthetic, "masks": masks}  # fmt: skip
        formats = [name for name, chosen in wanted.items() if chosen]
        made = camera_files(files.over_white(views), garment, length_cm, formats, found, kind)
        folder = files.save_folder(files.save_place(filename_prefix), made)
        convert.show(cls, f"{len(views.images)} views in {folder}")
        camera = views.orbit.cameras[convert.nearest_azimuth(views.orbit, azimuth_deg)]
        return io.NodeOutput(load3d_camera(camera), str(folder))
