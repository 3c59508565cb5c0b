"""The garment's shape: an open shell grown from the mask, fitted to any mesh, or that mesh itself cut open."""

from __future__ import annotations

from comfy_api.latest import io

from . import convert, figures, jobs, text
from .mask import CATEGORY
from .sockets import CLASSES

FRONTS = ["auto", "+Z", "-Z", "+X", "-X", "+Y", "-Y"]
FRONT = (
    "Where the mesh's front looks in its own axes. Auto: found from the photo's outline, and from the photo's colours "
    "where the mesh has some."
)


def openings_input(tooltip: str) -> io.String.Input:
    return io.String.Input(
        "openings",
        default="",
        multiline=True,
        optional=True,
        advanced=True,
        placeholder='[{"name": "neck", "a": [225, 165], "b": [351, 166]}, …]',
        tooltip=tooltip,
    )


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
                openings_input(
                    "Empty: found from the outline. Otherwise JSON: a list of name and the end points a and "
                    "b on the outline, in pixels of the photo; the openings output has this form, to edit and paste."
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


def _share(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.05, tooltip=tooltip)


class FitShell(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_FitShell",
            display_name="Fit Garment Shell",
            category=CATEGORY,
            description="Gives the open shell the depth of any other mesh of the same garment: TripoSR's, Hunyuan3D's, "
            "TRELLIS's, a sculpt. That mesh may be closed, lumpy, of any scale and turned; the openings stay open.",
            search_aliases=["shrinkwrap", "fit mesh", "wrap", "retopology", "open mesh", "non-rigid fit", "deform"],
            inputs=[
                io.Mesh.Input("shell", tooltip="The open garment from Garment Shell."),
                io.Mesh.Input("target", tooltip="The mesh whose depth it takes, from any node; its front is found."),
                io.Mask.Input("mask", tooltip="The mask from which the shell was made."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="Optional, the photo: its colours tell front from back and left from right where the "
                    "outline can't.",
                ),
                io.Combo.Input("front", FRONTS, default="auto", tooltip=FRONT),
                _share(
                    "smoothness", 0.5, "0 follows the target closely, its lumps too; 1 takes its broad shape alone."
                ),
                _share(
                    "symmetry", 0.0, "How far left and right are drawn to their mean depth. 0 leaves them as they are."
                ),
                io.Boolean.Input(
                    "keep_silhouette",
                    default=True,
                    tooltip="Seen from the front the garment stays the photo's outline; the target gives depth alone.",
                ),
                io.Float.Input(
                    "thickness",
                    default=0.0,
                    min=0.0,
                    max=50.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="Of the cloth, in thousandths of the garment's longest side. 0: one layer. More adds an "
                    "inner layer and rims: 3 on a T-shirt are 2 mm.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The shell with the target's depth, still open, with its own uvs."),
                io.String.Output(
                    "figures",
                    tooltip="How the target was turned and scaled, how far apart they were and are, and warnings.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(
        cls, shell, target, mask, front, smoothness, symmetry, keep_silhouette, image=None, thickness=0.0
    ) -> io.NodeOutput:
        from ..garment3d.garment.fit import FitOptions, fit_shell

        options = FitOptions(front, smoothness, symmetry, keep_silhouette, thickness / 1000)
        todo = jobs.fit_jobs(shell, target, mask, image)
        done = [fit_shell(*job, options, bar) for job, bar in convert.bars(todo)]
        convert.show(cls, figures.on_node([figures.fit_line(f) for f in done], [f.warnings for f in done]))
        return io.NodeOutput(convert.mesh([f.mesh for f in done]), "\n\n".join(figures.fit_text(f) for f in done))


class OpenHems(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_OpenHems",
            display_name="Open Hems",
            category=CATEGORY,
            description="Cuts a closed mesh of a garment open at neck, cuffs, hem, waist and leg ends and drops its "
            "inside layer. All other triangles, uvs, texture and colours stay its own.",
            search_aliases=["cut holes", "remove caps", "open mesh", "hollow garment", "delete inside", "trim mesh"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="A closed mesh of the garment in the photo, from any node."),
                io.Image.Input("image", tooltip="The photo; the neckline and the mesh's front are read from it."),
                io.Mask.Input("mask", tooltip="White on the garment, as large as the photo."),
                io.Combo.Input("front", FRONTS, default="auto", tooltip=FRONT),
                openings_input(
                    "Empty: found from the outline. Otherwise JSON as Garment Shell's openings output has it: name "
                    "and the end points a and b on the outline, in pixels of the photo."
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The mesh, open, centred, longest side 1, front to +Z."),
                io.String.Output(
                    "openings",
                    tooltip="JSON: name and anchor of each opening that was cut, how the mesh lay, warnings.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, image, mask, front: str, openings: str = "") -> io.NodeOutput:
        from ..garment3d.garment.hems import open_hems

        spans = text.spans_from_text(openings)
        todo = jobs.hem_jobs(mesh, image, mask)
        done = [open_hems(*job, spans, front) for job in convert.steps(todo)]
        lines = [", ".join(o.name for o in d.openings) or "no opening found" for d in done]
        convert.show(cls, figures.on_node(lines, [d.warnings for d in done]))
        result = convert.like(convert.mesh([d.mesh for d in done]), mesh)
        return io.NodeOutput(result, "\n\n".join(text.opened_text(d) for d in done))
