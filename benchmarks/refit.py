"""What a fit and a bake make of real photos: a sheet per photo, to be looked at for streaks, halos and folds.

    python -m benchmarks.refit PHOTO.jpg … -o sheet.jpg [--views] [--cell 360] [--seed 0]

The photo's own shell, closed, lumped and misplaced as a bad generator would, is the target that the shell is fitted
to again; a mask is read from PHOTO.mask.png beside the photo, else found. With --views the bake also gets pictures
of the first texture, made as bad as Zero123's. Several photos give one sheet each: sheet_NAME.jpg.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import trimesh
from PIL import Image, ImageDraw, ImageFont, ImageOps

from garment3d.camera import orbit, orbit_radius, photo_camera, project
from garment3d.crossings import crossing_faces, folded_faces
from garment3d.data import Views
from garment3d.errors import GarmentError
from garment3d.export.stills import FOV_DEG, PAPER
from garment3d.garment.fit import Fitted, fit_shell
from garment3d.garment.openings import openings
from garment3d.garment.shell import garment_shell
from garment3d.garment.texture import texture_garment
from garment3d.garment.texture.bake import Baked, bake_texture, source_picture
from garment3d.images import read_mask, read_photo, to_uint8
from garment3d.mask.quick import quick_mask
from garment3d.metrics import surface_distance
from garment3d.views.rendered import rendered_orbit
from tests.truth.degrade import degraded
from tests.truth.targets import Misplaced, closed, lumped, misplaced

GREY_DEG = {"front": 0.0, "three-quarter": 40.0, "side": 90.0, "back": 180.0}
TEXTURED_DEG = {"front": 0.0, "40°": 40.0, "90°": 90.0, "140°": 140.0, "180°": 180.0, "300°": 300.0}
ABOVE_DEG = (20.0, 55.0)
"""Azimuth and elevation of the last picture."""
ELEVATION_DEG = 8.0
GAP_PX = 6
INK = (70, 66, 60)
PAPER_RGB = tuple(round(255 * v) for v in PAPER)


class Refit(NamedTuple):
    """One photo all the way."""

    rgb: np.ndarray
    soft: np.ndarray
    shell: trimesh.Trimesh
    target: Misplaced
    home: trimesh.Trimesh
    """The target brought back by its own matrix."""
    fitted: Fitted
    baked: Baked
    seconds: tuple[float, float]
    """Of the fit and of the bake."""


def photo_and_mask(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """[H,W,3] uint8 and [H,W] soft."""
    photo, mask = read_photo(path), path.with_suffix(".mask.png")
    if mask.exists():
        return photo.rgb, read_mask(mask, photo.rgb.shape[:2])
    return photo.rgb, quick_mask(photo.rgb, photo.alpha).soft


def target_of(shell: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, seed: int) -> Misplaced:
    """The shell as a generator's mesh, the photo's colours on what faces the camera, the mean colour elsewhere."""
    made = lumped(closed(shell), seed)
    target = misplaced(made, seed)
    x, y = project(photo_camera(soft), np.asarray(made.vertices))[0].round().astype(int).T
    y, x = np.clip(y, 0, soft.shape[0] - 1), np.clip(x, 0, soft.shape[1] - 1)
    seen = (np.asarray(made.vertex_normals)[:, 2] > 0.1) & (soft[y, x] > 0.99)
    linear = (np.where(seen[:, None], rgb[y, x], rgb[soft > 0.99].mean(0)) / 255) ** 2.2
    target.mesh.visual = trimesh.visual.ColorVisuals(target.mesh, vertex_colors=np.round(255 * linear).astype(np.uint8))
    return target


def first_views(shell: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, seed: int) -> Views:
    """Orbit pictures of the unfitted shell as it is textured without any, made bad."""
    return degraded(rendered_orbit(texture_garment(shell, rgb, soft, size=1024).mesh, orbit(hw=(256, 256))), seed)


def refit(path: Path, seed: int, with_views: bool) -> Refit:
    """Shell, target, fit and bake of one photo."""
    rgb, soft = photo_and_mask(path)
    shell = garment_shell(soft, rgb)
    target = target_of(shell, rgb, soft, seed)
    views = first_views(shell, rgb, soft, seed) if with_views else None
    home = target.mesh.copy().apply_transform(target.matrix)
    home.visual = trimesh.visual.ColorVisuals()
    began = time.perf_counter()
    fitted = fit_shell(shell, target.mesh, soft, rgb)
    middle = time.perf_counter()
    baked = bake_texture(fitted.mesh, rgb, soft, views)
    return Refit(rgb, soft, shell, target, home, fitted, baked, (middle - began, time.perf_counter() - middle))


def figures(done: Refit) -> str:
    """What was measured, on four lines."""
    height = float(np.ptp(done.shell.vertices[:, 1]))
    fitted, baked = done.fitted.mesh, done.baked.figures
    raw, after = (100 * surface_distance(m, done.shell).symmetric / height for m in (done.home, fitted))
    found, same = done.fitted.alignment, [{o.name for o in openings(m)} for m in (done.shell, fitted)]
    right = found.front == done.target.front and not found.mirrored
    return (
        f"  from the true shell, of the height: target {raw:.2f} %, fitted {after:.2f} %; {done.seconds[0]:.1f} s"
        f"\n  crossing {crossing_faces(fitted).sum()} (before {crossing_faces(done.shell).sum()}),"
        f" folded {folded_faces(fitted).sum()} of {len(fitted.faces)} faces;"
        f" openings {'kept' if same[0] == same[1] else same}"
        f"\n  aligned {found.front} (true {done.target.front}){'' if right else ' WRONG'}, IoU {found.iou:.3f}"
        f"\n  bake: photo {baked.from_photo:.0%}, views {baked.from_views:.0%}, filled {baked.filled:.0%},"
        f" largest step {baked.largest_step:.1f}; {done.seconds[1]:.1f} s"
        + "".join(f"\n  warned: {w}" for w in (*done.fitted.warnings, *done.baked.warnings))
    )


def shots(mesh: trimesh.Trimesh, at: list[tuple[float, float]], cell_px: int) -> list[Image.Image]:
    """Pictures of a mesh, centred, from each azimuth and elevation."""
    middle = mesh.copy().apply_translation(-mesh.bounds.mean(0))
    pictures = []
    for azimuth, elevation in at:
        radius = orbit_radius(np.asarray(middle.vertices), elevation, FOV_DEG, 0.0, 0.92)
        camera = orbit(360, elevation, radius, FOV_DEG, (cell_px, cell_px), [azimuth])
        pictures.append(Image.fromarray(to_uint8(rendered_orbit(middle, camera, PAPER).images[0].numpy())))
    return pictures


def sheet(done: Refit, cell_px: int) -> Image.Image:
    """Two rows of seven: photo, target and the grey fit; the map of sources and the textured fit."""
    level = [(a, ELEVATION_DEG) for a in GREY_DEG.values()]
    bare = trimesh.Trimesh(done.fitted.mesh.vertices, done.fitted.mesh.faces, process=False)
    photo = ImageOps.pad(Image.fromarray(done.rgb), (cell_px, cell_px), Image.Resampling.LANCZOS, PAPER_RGB)
    around = [*((a, ELEVATION_DEG) for a in TEXTURED_DEG.values()), ABOVE_DEG]
    where = Image.fromarray(source_picture(done.baked.source, orbit().azimuths_deg))
    cells = [
        photo,
        *shots(done.home, level[1:2], cell_px),
        *shots(bare, level, cell_px),
        ImageOps.pad(where, (cell_px, cell_px), Image.Resampling.NEAREST, PAPER_RGB),
        *shots(done.baked.mesh, around, cell_px),
    ]
    names = ["photo", "target", *(f"fitted, {n}" for n in GREY_DEG), "source map", *TEXTURED_DEG, "above"]
    columns, head, step = len(cells) // 2, cell_px // 12, cell_px + GAP_PX
    page = Image.new("RGB", (columns * step + GAP_PX, 2 * (step + head) + GAP_PX), PAPER_RGB)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(cell_px // 20)
    for i, (cell, name) in enumerate(zip(cells, names, strict=True)):
        left, top = GAP_PX + i % columns * step, GAP_PX + i // columns * (step + head)
        pen.text((left + cell_px // 2, top + head // 2), name, INK, font, "mm")
        page.paste(cell, (left, top + head))
    return page


def main() -> None:
    """Prints the figures of each photo and writes its sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--views", action="store_true", help="give the bake pictures from around, made bad")
    parser.add_argument("--cell", type=int, default=360, metavar="PX")
    parser.add_argument("--seed", type=int, default=0, help="of the first photo; each next has the next")
    options = parser.parse_args()
    for number, photo in enumerate(options.photos):
        try:
            done = refit(photo, options.seed + number, options.views)
        except GarmentError as error:
            print(f"{photo.stem}\n  {type(error).__name__}: {error}", flush=True)
            continue
        out = options.output
        out = out if len(options.photos) == 1 else out.with_stem(f"{out.stem}_{photo.stem}")
        sheet(done, options.cell).save(out, quality=90)
        print(f"{photo.stem}\n{figures(done)}", flush=True)


if __name__ == "__main__":
    main()
