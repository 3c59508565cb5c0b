"""A finished garment and its folder: mask, views, cameras, meshes, turntable and report, written together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..camera import photo_camera
from ..data import Opening, Photo, Views
from ..garment.platforms import BudgetCheck, budget_checks
from ..images import png_bytes, replace_file, to_uint8
from ..quality.files import file_size_findings, with_files
from ..quality.findings import Finding, Quality
from .cameras import cameras_json, view_names
from .clock import Clock, Progress
from .evidence import evidence
from .extras import NO_EXTRAS, Extras, extra_files
from .figures import Figures
from .folder import staged
from .mesh import File, Placement, mesh_files, placement
from .page import Pictures, report_html
from .parts import parts
from .report import Engines, Fitting, ModelUse, Report, TextureShares, report_json
from .stills import cutouts, turntable_frames
from .turntable import save_mp4
from .viewer import viewer_html

if TYPE_CHECKING:
    import trimesh


class Result(NamedTuple):
    """A finished garment in the canonical frame, not yet saved."""

    name: str
    """The photo's file name."""
    photo: Photo
    soft: np.ndarray
    """[H,W] float32 mask, 1 = garment."""
    mask_confidence: float | None
    """0..1 by the mask's engine; None for a mask that was given."""
    mesh: trimesh.Trimesh
    """Textured, open; one layer, or with an inside where a thickness was asked for."""
    layer: trimesh.Trimesh
    """The same without an inside: platforms give it their own."""
    surface: trimesh.Trimesh | None
    """TripoSR's closed, coloured mesh, or None."""
    views: Views
    """Over white."""
    openings: tuple[Opening, ...]
    garment_class: str
    length_cm: float
    """Vertical extent in the saved files."""
    engines: Engines
    models: tuple[ModelUse, ...]
    """Those that ran; empty without models."""
    fitting: Fitting | None
    """How a surface gave the garment its shape; None for an inflated shell."""
    texture_shares: TextureShares
    texture_sources: np.ndarray | None
    """[S,S,3] uint8 map of each texel's source; None where the plain texture needed none."""
    figures: Figures
    quality: Quality
    """The verdict on the garment, and what is wrong with it."""
    assessed: Views | None
    """The views it was held against; None where there are none but those drawn from it."""
    seconds: Mapping[str, float]
    """Per stage, in the order they ran."""
    warnings: tuple[str, ...]
    """Sentences for the person."""


def save(
    result: Result,
    folder: str | Path,
    formats: Sequence[str] = ("glb", "obj"),
    turntable: bool = True,
    device: str = "cpu",
    progress: Progress | None = None,
    extras: Extras = NO_EXTRAS,
) -> Report:
    """Fills `folder` with everything about a result and gives its report; a SaveError leaves the folder as it was."""
    clock = Clock(progress)
    with staged(folder) as room:
        with clock.stage("save"):
            pictures = cutouts(result.views)
            _write(result, room, formats, pictures)
        warnings, budgets = result.warnings, budget_checks(result.mesh)
        if any(extras):
            with clock.stage("extras") as tell:
                made = extra_files(result, extras, tell)
                for file in made.files:
                    replace_file(room / file.name, file.data)
                warnings += made.warnings
                own = {check.platform: check for check in made.budgets}
                budgets = tuple(own.get(check.platform, check) for check in budgets)
        if turntable:
            with clock.stage("turntable") as tell:
                save_mp4(room / "turntable.mp4", turntable_frames(result.mesh, device=device, progress=tell))
        with clock.stage("report"):
            quality = with_files(result.quality, _wrong_sizes(room, result.length_cm))
            viewer = viewer_html(parts(result.mesh))
            shown = evidence(result.mesh, result.photo.rgb, result.soft, result.assessed, quality, device)
        film = (room / "turntable.mp4").read_bytes() if turntable else None
        files = sorted(p.relative_to(room).as_posix() for p in room.rglob("*") if p.is_file())
        seconds = {**result.seconds, **clock.seconds}
        result = result._replace(seconds=seconds, quality=quality, warnings=warnings)
        report = _report(result, budgets, (*files, "report.html", "report.json"))
        azimuths_deg = result.views.orbit.azimuths_deg
        page = Pictures(result.photo.rgb, result.soft, pictures, azimuths_deg, viewer, film, shown)
        replace_file(room / "report.html", report_html(report, page).encode())
        replace_file(room / "report.json", report_json(report).encode())
    return report


def _write(result: Result, room: Path, formats: Sequence[str], pictures: np.ndarray) -> None:
    """Mask, views, cameras and meshes; PNG compression leaves Python free, so two threads share it."""
    names = [f"views/{name}" for name in view_names(result.views.orbit.azimuths_deg)]
    placed = placement(np.asarray(result.mesh.vertices), result.length_cm)
    cameras = cameras_json(result.views.orbit, names, photo_camera(result.soft), placed.matrix(), result.views.seeds)
    with ThreadPoolExecutor(2) as pool:
        meshes = pool.submit(
            mesh_files, result.mesh, result.openings, result.length_cm, tuple(formats), result.garment_class
        )
        views = list(pool.map(png_bytes, pictures))
        replace_file(room / "mask.png", png_bytes(to_uint8(result.soft)))
        replace_file(room / "cameras.json", cameras.encode())
        if result.texture_sources is not None:
            replace_file(room / "sources.png", png_bytes(result.texture_sources))
        beside = () if result.surface is None else _surface_files(result.surface, result, placed)
        for name, data in [*zip(names, views, strict=True), *meshes.result(), *beside]:
            replace_file(room / name, data)


def _wrong_sizes(room: Path, length_cm: float) -> tuple[Finding, ...]:
    """What is wrong with the height of the saved garment and of its platforms' versions, read from their files."""
    metres = [*room.glob("garment.glb"), *room.glob("platforms/*/garment.glb")]
    found = [finding for path in metres for finding in file_size_findings(path, length_cm)]
    for path in room.glob("platforms/*/garment.stl"):
        found += file_size_findings(path, length_cm, unit_m=0.001, up="z")
    return tuple(found)


def _surface_files(surface: trimesh.Trimesh, result: Result, placed: Placement) -> tuple[File, ...]:
    return mesh_files(surface, (), result.length_cm, ("glb",), result.garment_class, "surface", at=placed)


def _report(result: Result, budgets: tuple[BudgetCheck, ...], files: tuple[str, ...]) -> Report:
    return Report(
        photo=result.name,
        photo_hw=(result.soft.shape[0], result.soft.shape[1]),
        garment_class=result.garment_class,
        length_cm=result.length_cm,
        engines=result.engines,
        models=result.models,
        mask_confidence=result.mask_confidence,
        fitting=result.fitting,
        openings=result.openings,
        figures=result.figures,
        quality=result.quality,
        budgets=budgets,
        texture_shares=result.texture_shares,
        seconds=result.seconds,
        files=files,
        warnings=result.warnings,
    )
