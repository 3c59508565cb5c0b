"""Planted faults against the assessment: is each found under its own name, and is no good garment accused.

`python -m benchmarks.quality [--truth 14] [--first 0] [--photos DIR] [--good] [--degraded] [--verbose]`

Garments are the pipeline's own results: the six bundled photos, the photos of `--truth` truth garments with their true
masks, and those of DIR that have a mask beside them (x.jpg, x.mask.png). Each is assessed untouched with its rendered
views; a finding there is a false alarm. Then every fault of tests/truth/faults.py is planted into it, one at a time:
`o` found under its name (for a view: in that view), `X` missed, `-` nothing to see (a halo where cloth and background
are alike, a mirrored texture whose front looks the same). The limits were chosen on garments of even number; those of
odd number are counted apart. The search a little aside for mirrored islands came after a miss among the odd ones.
With --degraded, views as bad as a model's are given to the untouched truth garments: what is said of the garment
itself is then a false alarm, what is said of the views is counted only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from garment3d.camera import orbit, photo_camera
from garment3d.errors import GarmentError
from garment3d.garment.openings import find_openings
from garment3d.metrics import psnr
from garment3d.pipeline import Settings, run
from garment3d.quality.assess import assess
from garment3d.quality.files import file_size_findings
from garment3d.quality.findings import Quality
from garment3d.render import render
from tests.truth import truth_set
from tests.truth.faults import Planted, Specimen, contrast, planted, saved_too_long
from tests.truth.orbit import degraded, exact_views

INPUTS = Path(__file__).parents[1] / "workflows" / "inputs"
BUNDLED = ("tshirt", "longsleeve", "dress", "skirt", "trousers", "top")
LEAST_CONTRAST = 0.35
"""A halo is planted only where cloth and background differ by this much, sRGB in 0..1."""
SAME_DB = 32.0
"""Fronts that agree better than this look alike: the texture fill gives many backs the front's own pattern."""
FILES = {"file 2 % too long": 1.02, "file in centimetres": 100.0}


class Row(NamedTuple):
    """One garment's outcome."""

    name: str
    held_out: bool
    good: Quality
    seconds: float
    found: dict[str, str]
    """o, X or - by the fault's label."""


def bundled(folder: Path) -> Iterator[Specimen]:
    for name in BUNDLED:
        yield _run(name, INPUTS / f"{name}.jpg", Settings())


def from_truth(folder: Path, first: int, count: int) -> Iterator[Specimen]:
    for i, entry in enumerate(truth_set(first + count, hw=(1024, 768))):
        if i >= first:
            photo, mask = folder / f"{i:02d}.png", folder / f"{i:02d}.mask.png"
            Image.fromarray(entry.photo.rgb).save(photo)
            Image.fromarray((entry.photo.soft * 255).round().astype(np.uint8)).save(mask)
            print_ = "+print" if entry.photo.fabric.chest is not None else ""
            name = f"{i:02d} {entry.garment.garment_class} {entry.photo.fabric.kind}{print_}"
            yield _run(name, photo, Settings(mask=mask))


def from_photos(folder: Path) -> Iterator[Specimen]:
    for mask in sorted(folder.glob("*.mask.png")):
        name = mask.name.removesuffix(".mask.png")
        yield _run(name, folder / f"{name}.jpg", Settings(mask=mask))


def _run(name: str, photo: Path, settings: Settings) -> Specimen:
    result = run(photo, settings)
    return Specimen(name, result.mesh, result.photo.rgb, result.soft, result.views)


def hit(plant: Planted, quality: Quality) -> bool:
    return any(f.fault == plant.fault and f.where.startswith(plant.where) for f in quality.findings)


def shows(plant: Planted, good: Specimen) -> bool:
    """Whether anybody could see the fault: a halo needs contrast, a wrong texture must change the front."""
    if plant.fault == "white_halo":
        cloth = np.median(good.rgb[good.soft > 0.98], axis=0) / 255
        return (float(np.linalg.norm(1 - cloth)) if plant.where else contrast(good)) >= LEAST_CONTRAST
    if plant.fault == "mirrored_texture":
        camera = photo_camera(good.soft)
        before, after = (render(s.mesh, camera, supersample=1) for s in (good, plant.specimen))
        return psnr(before.rgb, after.rgb, before.alpha) < SAME_DB
    return True


def row(specimen: Specimen, held_out: bool, folder: Path, faults: bool, verbose: bool) -> Row:
    start = time.perf_counter()
    good = assess(specimen.mesh, specimen.rgb, specimen.soft, specimen.views)
    seconds = time.perf_counter() - start
    found: dict[str, str] = {}
    if faults:
        expected = tuple(span.name for span in find_openings(specimen.soft).spans)
        for plant in planted(specimen):
            if not shows(plant, specimen):
                found[plant.label] = "-"
                continue
            bad = plant.specimen
            views = bad.views if plant.where else None
            quality = assess(bad.mesh, bad.rgb, bad.soft, views, expected)
            found[plant.label] = "o" if hit(plant, quality) else "X"
            if verbose and found[plant.label] == "X":
                print("  missed", specimen.name, plant.label, plant.where, quality.sentence, flush=True)
        for label, factor in FILES.items():
            path = saved_too_long(folder, specimen, 70.0, factor)
            right = saved_too_long(folder, specimen, 70.0, 1.0)
            named = bool(file_size_findings(path, 70.0)) and not file_size_findings(right, 70.0)
            found[label] = "o" if named else "X"
    return Row(specimen.name, held_out, good, seconds, found)


def table(rows: list[Row]) -> str:
    """Faults down, garments across, and the sums of both halves."""
    lines = [f"{i:3d} {'held out' if r.held_out else '        '} {r.name}" for i, r in enumerate(rows)]
    lines.append("")
    for label in rows[0].found:
        marks = [r.found[label] for r in rows]
        halves = [[m for m, r in zip(marks, rows, strict=True) if r.held_out == half] for half in (False, True)]
        sums = "  ".join(f"{half.count('o')}/{len(half) - half.count('-')}" for half in halves)
        lines.append(f"{label:34s} {''.join(marks)}  {sums}")
    return "\n".join(lines)


def degraded_lines(first: int, count: int, specimens: list[Specimen]) -> Iterator[str]:
    """One line per truth garment with views as bad as a model's."""
    entries = [e for i, e in enumerate(truth_set(first + count, hw=(1024, 768))) if i >= first]
    for i, (entry, specimen) in enumerate(zip(entries, specimens, strict=True)):
        views = exact_views(entry, orbit(hw=(256, 256)), lit=True, samples=2)
        for kind, given in (("exact", views), ("bad", degraded(views, i))):
            quality = assess(specimen.mesh, specimen.rgb, specimen.soft, given)
            kinds = sorted({f.fault for f in quality.findings if f.of_views})
            own = [f.fault for f in quality.garment_findings]
            yield f"{specimen.name:30s} {kind:5s} {len(quality.worst):2d} of 18 again {kinds}  {own or 'sound'}"


def main() -> None:
    """Prints the table, the false alarms, and what the assessment took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=int, default=14)
    parser.add_argument("--first", type=int, default=0, help="how many truth garments to leave out")
    parser.add_argument("--no-bundled", action="store_true")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--good", action="store_true", help="no faults, only the untouched garments")
    parser.add_argument("--degraded", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        truth = list(from_truth(folder, options.first, options.truth))
        specimens = [] if options.no_bundled else list(bundled(folder))
        specimens += truth + (list(from_photos(options.photos)) if options.photos else [])
        for i, specimen in enumerate(specimens):
            try:
                rows.append(row(specimen, bool(i % 2), folder, not options.good, options.verbose))
            except GarmentError as error:
                print(f"{specimen.name}: {error}")
                continue
            print(f"{rows[-1].seconds:5.2f} s  {specimen.name}: {rows[-1].good.sentence}", flush=True)
        if options.degraded:
            print(*degraded_lines(options.first, options.truth, truth), sep="\n")
    if not options.good:
        print(table(rows))
    accused = [r for r in rows if r.good.findings]
    print(
        f"{len(rows)} good garments, {len(accused)} false alarms", *(f"  {r.name}: {r.good.sentence}" for r in accused)
    )
    print(f"{np.median([r.seconds for r in rows]):.2f} s for one assessment with its views (median)")


if __name__ == "__main__":
    main()
