"""The garment over its views in Blender: a folder with everything, and one script that builds the scene from it."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert, files, jobs
from .export import length_input, prefix_input
from .mask import CATEGORY
from .sockets import CLASSES, Views


class ExportBlender(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_ExportBlender",
            display_name="Export For Blender",
            category=CATEGORY,
            description="Writes a folder from which Blender builds the scene: the garment at true size, a camera for "
            "each view with its picture behind the model, vertex groups at the openings and one to pin cloth.",
            search_aliases=["blender", "background images", "reference images", "cloth simulation", "python script"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="The garment, best from Bake Garment Texture."),
                Views.Input("views", tooltip="Pictures to model over, with the cameras that took them."),
                prefix_input("3d/blender", "the package's name"),
                io.Combo.Input(
                    "garment_class",
                    CLASSES,
                    default="auto",
                    tooltip="Sets the usual length and names the collections. Auto reads it from the mesh.",
                ),
                length_input(),
                io.Image.Input("image", optional=True, tooltip="Optional: the photo, to stand behind the front view."),
                io.Mask.Input("mask", optional=True, tooltip="The photo's mask; needed with it."),
            ],
            outputs=[
                io.String.Output("folder", tooltip="The folder of the package on disk."),
                io.String.Output("command", tooltip="The command that opens it in Blender."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, views, filename_prefix, garment_class, length_cm, image=None, mask=None) -> io.NodeOutput:
        from ..garment3d.export.blender import blender_files

        garment = convert.single(mesh)
        photo = jobs.backdrop(image, mask)
        found, kind, length_cm = files.sized(garment, garment_class, length_cm)
        made = blender_files(garment, files.over_white(views), found, length_cm, kind, "garment", *photo)
        folder = files.save_folder(files.save_place(filename_prefix), made)
        command = f'blender --python "{folder / "build_scene.py"}"'
        convert.show(cls, command)
        return io.NodeOutput(str(folder), command)
