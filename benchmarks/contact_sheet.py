"""What comes out, at a glance: a row per photo with the photo, the garment from four sides, and its atlas.

    python -m benchmarks.contact_sheet workflows/inputs/*.jpg -o docs/contact_sheet.jpg [--mask FOLDER]

Nothing is retouched: the same pipeline as the command line's, drawn over the report page's paper.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from garment3d.camera import orbit, orbit_radius
from garment3d.export.result import Result
from garment3d.export.stills import FOV_DEG, PAPER
from garment3d.images import to_uint8
from garment3d.pipeline import Settings, run
from garment3d.views.rendered import rendered_orbit

VIEWS_DEG = {"front": 0.0, "three-quarter": 40.0, "side": 90.0, "back": 180.0}
COLUMNS = ("photo", *VIEWS_DEG, "texture")
ELEVATION_DEG = 8.0
GAP_PX = 8
INK = (70, 66, 60)
PAPER_RGB = tuple(round(255 * v) for v in PAPER)


def views(result: Result, cell_px: int) -> list[Image.Image]:
    """The garment as the turntable's lens sees it, from each of VIEWS_DEG."""
    radius = orbit_radius(np.asarray(result.mesh.vertices), ELEVATION_DEG, FOV_DEG, 0.0, 0.9)
    around = orbit(360, ELEVATION_DEG, radius, FOV_DEG, (cell_px, cell_px), list(VIEWS_DEG.values()))
    drawn = rendered_orbit(result.mesh, around, PAPER)
    return [Image.fromarray(to_uint8(image.numpy())) for image in drawn.images]


def row(result: Result, cell_px: int) -> list[Image.Image]:
    material = result.mesh.visual.material
    photo, atlas = Image.fromarray(result.photo.rgb), material.baseColorTexture.convert("RGB")
    fitted = [ImageOps.pad(p, (cell_px, cell_px), Image.Resampling.LANCZOS, PAPER_RGB) for p in (photo, atlas)]
    return [fitted[0], *views(result, cell_px), fitted[1]]


def sheet(rows: list[list[Image.Image]], cell_px: int) -> Image.Image:
    """All rows on paper under one line of column names."""
    head, step = cell_px // 10, cell_px + GAP_PX
    page = Image.new("RGB", (len(COLUMNS) * step + GAP_PX, len(rows) * step + GAP_PX + head), PAPER_RGB)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(cell_px // 20)
    for column, name in enumerate(COLUMNS):
        pen.text((GAP_PX + column * step + cell_px // 2, head // 2 + GAP_PX // 2), name, INK, font, "mm")
        for line, cells in enumerate(rows):
            page.paste(cells[column], (GAP_PX + column * step, head + GAP_PX + line * step))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--mask", type=Path, help="folder with <photo name>.mask.png")
    parser.add_argument("--cell", type=int, default=300, metavar="PX")
    options = parser.parse_args()
    rows = []
    for photo in options.photos:
        mask = options.mask / f"{photo.stem}.mask.png" if options.mask else None
        rows.append(row(run(photo, Settings(mask=mask, step_deg=360)), options.cell))
        print(photo.name)
    sheet(rows, options.cell).save(options.output, quality=86, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
