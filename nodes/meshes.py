"""Meshes from and against elsewhere: a file from the input folder, and two meshes compared."""

from __future__ import annotations

from comfy_api.latest import io, ui

from . import convert, figures, jobs, meshfiles
from .mask import CATEGORY


class LoadMesh(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_LoadMesh",
            display_name="Load Garment Mesh",
            category=CATEGORY,
            description="Reads a GLB, glTF, OBJ, PLY or STL file from ComfyUI's input folder as a mesh, with its "
            "texture or vertex colours.",
            search_aliases=["load glb", "import mesh", "load 3d model", "load obj", "import stl", "file to mesh"],
            inputs=[
                io.Combo.Input(
                    "file",
                    meshfiles.names(),
                    tooltip="A file below the input folder; Load 3D's uploads lie in its subfolder 3d. A name such as "
                    "3d/garment_00001_.glb [output] reads from the output folder.",
                    extra_dict={"mesh_upload": True, "upload_subfolder": "3d"},
                )
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="What the file holds, in the file's own unit and axes."),
                io.String.Output("figures", tooltip="Triangles, vertices, size, what colours it has, and warnings."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return meshfiles.complaint(file)

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return meshfiles.fingerprint(file)

    @classmethod
    @convert.plain_errors
    def execute(cls, file: str) -> io.NodeOutput:
        from ..garment3d.meshes import read_mesh

        found = read_mesh(meshfiles.path(file))
        convert.show(cls, figures.on_node([f"{len(found.mesh.faces)} triangles"], [found.warnings]))
        told = figures.with_warnings(figures.mesh_text(found.mesh), found.warnings)
        return io.NodeOutput(convert.mesh([found.mesh]), told)


class CompareMeshes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_CompareMeshes",
            display_name="Compare Meshes",
            category=CATEGORY,
            description="How far two meshes are apart: surface to surface, Chamfer, F-score and normals, in per cent "
            "of the first one's height, and a picture of where. Both must lie in the same frame.",
            search_aliases=["chamfer distance", "hausdorff", "mesh difference", "f-score", "heat map", "mesh error"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="The first mesh; lengths are given in per cent of its height."),
                io.Mesh.Input("other", tooltip="The mesh to compare it with, in the same place, size and turn."),
                io.Float.Input(
                    "threshold",
                    default=1.0,
                    min=0.01,
                    max=50.0,
                    step=0.1,
                    tooltip="How near is right for the F-score, in per cent of the height.",
                ),
                io.Int.Input(
                    "samples",
                    default=20000,
                    min=100,
                    max=1000000,
                    step=1000,
                    optional=True,
                    advanced=True,
                    tooltip="Points that are measured on each surface.",
                ),
            ],
            outputs=[
                io.String.Output("figures", tooltip="The measures, one line each."),
                io.Image.Output("heat_map", tooltip="Both meshes from four sides, coloured by their distance."),
                io.Float.Output(
                    "distance",
                    tooltip="Mean distance from surface to surface, both ways, in per cent of the height; largest of "
                    "a batch.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, other, threshold: float, samples: int = 20_000) -> io.NodeOutput:
        from ..garment3d.compare import compare_meshes

        todo = jobs.pairs(mesh, other)
        done = [compare_meshes(a, b, samples, threshold / 100) for a, b in convert.steps(todo)]
        worst = max(100 * c.distance.symmetric / c.height for c in done)
        convert.show(cls, f"{worst:.2g} % of the height apart")
        pictures = convert.image([c.heat_map for c in done])
        told = "\n\n".join(figures.comparison_text(c, threshold) for c in done)
        return io.NodeOutput(told, pictures, worst, ui=ui.PreviewImage(pictures, cls=cls))
