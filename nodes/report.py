"""The garment judged: faults by name, a verdict, a picture of it, and a gate that keeps a bad garment from going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from . import convert, figures, files, jobs
from .mask import CATEGORY
from .sockets import Views

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ..garment3d.garment.platforms import BudgetCheck
    from ..garment3d.quality.findings import Quality

STOPS = {"never stop": (), "stop at reject": ("reject",), "stop unless good": ("reject", "check")}
"""Each choice of the gate, and the verdicts that it stops."""


class Judged(NamedTuple):
    """One garment's assessment, and its picture."""

    quality: Quality
    budgets: tuple[BudgetCheck, ...]
    card: np.ndarray
    """[H,W,3] uint8."""


def judged(job: jobs.ReportJob, bar: convert.progress) -> Judged:
    """The assessment of one garment."""
    from ..garment3d.export.card import quality_card
    from ..garment3d.garment.platforms import budget_checks
    from ..garment3d.quality.assess import assess

    device = str(convert.device())
    quality = assess(*job, progress=bar, device=device)
    budgets = budget_checks(job.mesh)
    return Judged(quality, budgets, quality_card(*job, quality, budgets, device))


def stopped(done: Sequence[Judged], gate: str) -> ExecutionBlocker | None:
    """What goes on in the mesh's place where the gate stops it: ComfyUI then says why, and runs nothing behind it."""
    sentences = [d.quality.sentence for d in done if d.quality.verdict in STOPS[gate]]
    return ExecutionBlocker(f'Garment Report, set to "{gate}": {" ".join(sentences)}') if sentences else None


class GarmentReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_Report",
            display_name="Garment Report",
            category=CATEGORY,
            description="Holds a garment against its photo, its views and the platforms' budgets, names what is wrong "
            "and says good, check or reject. As a gate it lets only garments through that are good enough.",
            search_aliases=[
                "quality check",
                "validate mesh",
                "mesh report",
                "quality gate",
                "garment score",
                "inspect",
            ],
            inputs=[
                io.Mesh.Input("mesh", tooltip="The garment, with or without its texture."),
                io.Image.Input("image", tooltip="The photo from which the garment was made."),
                io.Mask.Input("mask", tooltip="The mask from which the garment was made."),
                Views.Input(
                    "views", optional=True, tooltip="Optional: the views, to find those that don't fit the garment."
                ),
                io.Combo.Input(
                    "gate",
                    list(STOPS),
                    default="never stop",
                    tooltip="Whether the mesh goes on. A garment that is stopped leaves its verdict and its picture, "
                    "and the nodes that wait for the mesh don't run.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="",
                    tooltip="Empty: nothing is saved. Otherwise page and JSON are saved under this name inside the "
                    "output folder; a number is added.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="The same garment, unless the gate stops it."),
                io.String.Output("verdict", tooltip="The verdict in words, the worst fault first."),
                io.Boolean.Output("good", tooltip="Whether the verdict is good; of all garments of a batch."),
                io.String.Output("report", tooltip="Everything that was measured, as JSON; a list for a batch."),
                io.Image.Output("card", tooltip="The verdict as a picture: photo, garment, views, findings."),
                io.String.Output(
                    "redo",
                    tooltip="Azimuths of the views worth painting again, the worst first, for Orbit Views (Zero123).",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, mesh, image, mask, gate, filename_prefix, views=None) -> io.NodeOutput:
        todo = jobs.report_jobs(mesh, image, mask, views)
        done = [judged(job, bar) for job, bar in convert.bars(todo)]
        if filename_prefix.strip():
            files.save_reports(files.save_place(filename_prefix), todo, done)
        convert.show(cls, figures.on_node([d.quality.sentence for d in done], []))
        cards = convert.image_of_sizes([d.card for d in done])
        good = all(d.quality.verdict == "good" for d in done)
        return io.NodeOutput(
            stopped(done, gate) or mesh, figures.verdict_text(done), good, figures.report_text(done), cards,
            figures.redo_text(done), ui=ui.PreviewImage(cards, cls=cls),
        )  # fmt: skip
