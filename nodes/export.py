"""The end of the graph: files on disk, for people, engines and the assets panel."""

from __future__ import annotations

from comfy_api.latest import Types, io

from . import convert, files, jobs
from .mask import CATEGORY
from .sockets import AS_IT_IS, CLASSES, PLATFORM_IDS, Views


def prefix_input(default: str, names: str) -> io.String.Input:
    """Where files go and how their names begin."""
    told = f"Folder and beginning of {names} inside the output folder; a number is added."
    return io.String.Input("filename_prefix", default=default, tooltip=told)


def length_input(what: str = "", otherwise: str = "") -> io.Float.Input:
    """The garment's true height; 0 where the person leaves it to us."""
    told = f"Height of the garment from top to bottom in centimetres{what}. 0: the usual one of its class{otherwise}."
    return io.Float.Input("length_cm", default=0.0, min=0.0, max=500.0, step=0.5, tooltip=told)


class SaveGarment(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_Save",
            display_name="Save Garment",
            category=CATEGORY,
            description="Writes the garment to the output folder in metres, standing on the floor with its front to "
            "+Z, as GLB and if wanted as OBJ, PLY and STL; or as a platform wants it. With views, also their pictures "
            "and cameras.json.",
            search_aliases=["export glb", "save mesh", "export obj", "save 3d model", "export garment", "cameras json"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="The garment, best from Texture Garment."),
                Views.Input("views", optional=True, tooltip="Optional: pictures and cameras to save beside the model."),
                prefix_input("3d/garment", "the file names"),
                io.Combo.Input(
                    "garment_class",
                    CLASSES,
                    default="auto",
                    tooltip="Sets the usual length: tee and longsleeve 70 cm, top and skirt 60, trousers 105, dress "
                    "110. Auto reads the kind of garment from the mesh's openings and proportions.",
                ),
                length_input(),
                io.Boolean.Input("obj", default=False, tooltip="Also save OBJ with its MTL and texture."),
                io.Boolean.Input("ply", default=False, advanced=True, tooltip="Also save PLY with vertex colours."),
                io.Boolean.Input("stl", default=False, advanced=True, tooltip="Also save STL, shape only."),
                io.Combo.Input(
                    "platform",
                    [AS_IT_IS, *PLATFORM_IDS],
                    default=AS_IT_IS,
                    optional=True,
                    tooltip="Facing, origin, unit and formats of a platform; connect Prepare For Platform's output of "
                    "this name, which also brings the garment within the platform's budget.",
                ),
                io.Mesh.Input(
                    "levels",
                    optional=True,
                    tooltip="Optional: levels of detail from Prepare For Platform, saved as LOD1, LOD2, … beside the "
                    "model.",
                ),
            ],
            outputs=[
                io.File3DGLB.Output("model", tooltip="The saved GLB, for Preview 3D and other nodes that take files.")
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(
        cls, mesh, filename_prefix, garment_class, length_cm, obj=False, ply=False, stl=False, views=None,
        platform=AS_IT_IS, levels=None,
    ) -> io.NodeOutput:  # fmt: skip
        formats = ("glb", *(name for name, wanted in (("obj", obj), ("ply", ply), ("stl", stl)) if wanted))
        wanted = files.Wanted(formats, garment_class, length_cm, platform, convert.metadata(cls))
        place = files.save_place(filename_prefix)
        saved = [
            files.save_garment(job.mesh, place, i, wanted, job.levels)
            for i, job in convert.steps(list(enumerate(jobs.save_jobs(mesh, levels))))
        ]
        if views is not None:
            files.save_views(views, place, saved[0].to_file)
        convert.show(cls, saved[0].told)
        model = Types.File3D(str(place.folder / saved[0].name), "glb")
        results = [{"filename": s.name, "subfolder": place.subfolder, "type": "output"} for s in saved]
        return io.NodeOutput(model, ui={"3d": results})
