"""The baked texture against the true albedo: with no views, with exact ones, and with ones as bad as a model's.

`python -m benchmarks.texture [--count 6] [--mesh true|shell] [--size 1024] [--sheet FILE]`, or `--speed`.

Every texel is compared with the mean albedo of its own surface point (on a shell: of the nearest true point). Seen:
texels that the photo or one of 18 orbit cameras sees at less than 75°; `limit` is what they would be if each took its
best-facing exact picture's own pixel: what pictures of that size can give at all. Front, side and back: by the
normal's azimuth, below 60°, to 120°, beyond, seen or not. Texels whose inside the photo sees, through the neck, are
counted apart as nape: one texture can't be true on both sides of the cloth. Steps, across borders of the photo with
views, in 8-bit numbers: the difference of the mean error on both sides, over 5 × 5 texels each (99.9th percentile and
greatest), and of single texels; fill: across borders of the photo with filled cloth; seam: across cuts of the atlas.
Never worse than the fill: with bad views, side and back may lose at most 0.05 dB against the bake without views.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from PIL import Image, ImageDraw, ImageFont

from garment3d.camera import orbit, photo_camera
from garment3d.data import Views
from garment3d.errors import GarmentError
from garment3d.garment.shell import garment_shell
from garment3d.garment.texture.bake import Baked, BakeOptions, bake_texture
from garment3d.garment.texture.unwrap import unwrap
from garment3d.images import to_uint8
from garment3d.views.rendered import rendered_orbit
from tests.truth import Truth, canonical_mesh, make_garment, make_photo, truth_set
from tests.truth.judged import Judged, judged, psnr_of, sampled, sight_of, true_texels
from tests.truth.orbit import degraded, exact_views, fabric_of, unlit

PHOTO_HW, VIEW_HW = (1152, 864), (512, 512)
KINDS = ("none", "exact", "bad")
LOSS_DB = 0.05
SHEET_DEG = (0.0, 90.0, 180.0, 270.0)
CELL_PX, GAP_PX, HEAD_PX = 200, 6, 22


class Case(NamedTuple):
    """A garment with its pictures, its exact photo among them."""

    entry: Truth
    mesh: trimesh.Trimesh
    """With uv; what is baked on."""
    views: dict[str, Views | None]
    """By KINDS."""


class Row(NamedTuple):
    """One garment's figures."""

    garment_class: str
    cloth: str
    limit: float
    figures: dict[str, Judged]
    """By KINDS."""
    seconds: dict[str, float]

    @property
    def losses(self) -> list[str]:
        """Where bad views are worse than none."""
        none, bad = self.figures["none"], self.figures["bad"]
        pairs = {"side": (none.side, bad.side), "back": (none.back, bad.back)}
        return [f"{name} {a:.1f} > {b:.1f} dB" for name, (a, b) in pairs.items() if b < a - LOSS_DB]


def case_of(entry: Truth, kind: str, seed: int) -> Case:
    """The garment with its exact photo and views, on its own mesh or on the shell that the photo gives."""
    entry = unlit(entry, PHOTO_HW)
    mesh = canonical_mesh(entry.garment, entry.photo)
    if kind == "shell":
        shell = garment_shell(entry.photo.soft, entry.photo.rgb)
        middle = [np.median(trimesh.sample.sample_surface(m, 20_000, seed=0)[0][:, 2]) for m in (shell, mesh)]
        mesh = shell.apply_translation([0, 0, middle[1] - middle[0]])
    exact = exact_views(entry, orbit(hw=VIEW_HW))
    return Case(entry, unwrap(mesh), {"none": None, "exact": exact, "bad": degraded(exact, seed)})


def bake(case: Case, views: Views | None, size: int) -> tuple[Baked, float]:
    start = time.perf_counter()
    photo = case.entry.photo
    baked = bake_texture(case.mesh, photo.rgb, photo.soft, views, options=BakeOptions(size=size))
    return baked, time.perf_counter() - start


def atlas_of(baked: Baked) -> np.ndarray:
    return np.asarray(baked.mesh.visual.material.baseColorTexture.convert("RGB"))


def measured(case: Case, size: int) -> tuple[Row, dict[str, Baked]]:
    """A garment's figures, and its bakes by KINDS."""
    texels = true_texels(case.entry, case.mesh, size)
    exact = case.views["exact"]
    cameras = (photo_camera(case.entry.photo.soft), *exact.orbit.cameras)
    sight = sight_of(texels, case.mesh, cameras)
    pictures = [torch.as_tensor(case.entry.photo.rgb / np.float32(255)), *exact.images]
    limit = psnr_of((sampled(texels, sight, pictures, cameras) - texels.rgb)[sight.seen])
    bakes = {kind: bake(case, views, size) for kind, views in case.views.items()}
    figures = {kind: judged(texels, sight, atlas_of(baked), baked.source) for kind, (baked, _) in bakes.items()}
    fabric = fabric_of(case.entry)
    cloth = fabric.kind + ("+print" if fabric.chest is not None else "")
    row = Row(case.entry.garment.garment_class, cloth, limit, figures, {k: s for k, (_, s) in bakes.items()})
    return row, {kind: baked for kind, (baked, _) in bakes.items()}


def line(kind: str, f: Judged, seconds: float) -> str:
    return (
        f"    {kind:5s} seen {f.seen:5.1f}  front {f.front:5.1f}  side {f.side:5.1f}  back {f.back:5.1f}"
        f"  nape {f.nape:5.1f} dB  step {f.step_999:5.1f} max {f.step_max:5.1f}  texel {f.pair_999:5.1f}"
        f"  fill {f.fill_999:5.1f}"
        f"  seam {f.seam_999:5.1f}  photo {f.photo:4.0%} views {f.views:4.0%} filled {f.filled:4.0%}   {seconds:5.1f} s"
    )


def summary(name: str, rows: list[Row]) -> str:
    """One line of the table: the worst and the median over the garments of a class."""
    limit = np.median([r.limit for r in rows])

    def both(kind: str, field: str, worst=min) -> str:
        values = [getattr(r.figures[kind], field) for r in rows]
        return f"{worst(values):.1f}/{np.median(values):.1f}"

    return (
        f"{name:10s} {len(rows):3d}  exact seen {both('exact', 'seen')} (limit {limit:.1f})"
        f"  step {both('exact', 'step_999', max)}"
        f"  bad side {both('bad', 'side')} back {both('bad', 'back')}"
        f"  fill side {both('none', 'side')} back {both('none', 'back')}"
        f"  worse than fill: {sum(bool(r.losses) for r in rows)}"
    )


def block(case: Case, bakes: dict[str, Baked], title: str) -> Image.Image:
    """The garment from SHEET_DEG as it is, and as each bake shows it, unlit."""
    around = orbit(hw=(CELL_PX, CELL_PX), azimuths_deg=SHEET_DEG)
    drawn = [rendered_orbit(b.mesh, around, (1, 1, 1), "unlit").images for b in bakes.values()]
    rows = [exact_views(case.entry, around).images, *drawn]
    page = Image.new("RGB", (len(SHEET_DEG) * CELL_PX + GAP_PX, len(rows) * CELL_PX + HEAD_PX), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    pen.text((4, 3), title, "black", font)
    for y, (name, pictures) in enumerate(zip(("true", *bakes), rows, strict=True)):
        for x, picture in enumerate(pictures):
            page.paste(Image.fromarray(to_uint8(picture.numpy())), (x * CELL_PX, HEAD_PX + y * CELL_PX))
        pen.text((4, HEAD_PX + y * CELL_PX + 2), name, "grey", font)
    return page


def sheet(blocks: list[Image.Image]) -> Image.Image:
    """All blocks, two side by side."""
    wide, high = blocks[0].size
    page = Image.new("RGB", (wide * min(2, len(blocks)), high * -(-len(blocks) // 2)), "white")
    for i, picture in enumerate(blocks):
        page.paste(picture, (i % 2 * wide, i // 2 * high))
    return page


def speed(size: int = 2048, faces: int = 20_000) -> None:
    """Prints the seconds and the peak memory of a bake of 18 views of 512² on 20,000 triangles."""
    import fast_simplification

    garment = make_garment("tee", 0, step_cm=0.45)
    entry = unlit(Truth(garment, make_photo(garment, 0, (768, 576))), PHOTO_HW)
    fine = canonical_mesh(entry.garment, entry.photo)
    points, triangles = fast_simplification.simplify(
        np.asarray(fine.vertices, np.float32), np.asarray(fine.faces, np.int32), target_count=faces
    )
    views = exact_views(entry, orbit(hw=VIEW_HW))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    mesh = trimesh.Trimesh(points, triangles, process=False)
    baked, seconds = bake(Case(entry, mesh, {}), views, size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(baked.mesh.faces)} triangles, {len(views.images)} views of {VIEW_HW[0]}², {size}² atlas, unwrapping"
        f" included: {seconds:.1f} s on {torch.get_num_threads()} threads, peak {peak:.2f} GB ({before:.2f} GB before)"
    )


def main() -> None:
    """Prints each garment's figures, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="how many rows of the set to leave out")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--mesh", choices=("true", "shell"), default="true")
    parser.add_argument("--sheet", type=Path, metavar="FILE")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed:
        return speed()
    rows, blocks = [], []
    for i, entry in enumerate(truth_set(options.first + options.count)):
        if i < options.first:
            continue
        try:
            case = case_of(entry, options.mesh, i)
            row, bakes = measured(case, options.size)
        except GarmentError as error:
            print(f"{i:3d} {entry.garment.garment_class}: {error}", flush=True)
            continue
        rows.append(row)
        title = f"{i} {row.garment_class} {row.cloth}"
        print(
            f"{title}  limit {row.limit:.1f} dB  {'  WORSE THAN FILL: ' if row.losses else ''}{', '.join(row.losses)}"
        )
        print("\n".join(line(k, row.figures[k], row.seconds[k]) for k in KINDS), flush=True)
        if options.sheet:
            blocks.append(block(case, bakes, title))
            sheet(blocks).save(options.sheet, quality=90)
    classes = defaultdict(list)
    for row in rows:
        classes[row.garment_class].append(row)
    print("worst/median of each class")
    print("\n".join(summary(*item) for item in (*classes.items(), ("all", rows)) if item[1]))


if __name__ == "__main__":
    main()
