"""Decimation of textured garments beside fast_simplification, which knows neither uv nor openings, in the same run.

    python -m benchmarks.decimate [PHOTO.jpg …] [--triangles 8000 4000 2000] [-o sheet.jpg]

Without photos the bundled ones of all six classes. Distances are symmetric, from the undecimated garment, in % of its
height; openings, PSNR and silhouettes (IoU, the worst of six views) are against it too. The sheet shows each garment
before and after, as it is and in wires.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import trimesh
from PIL import Image

from garment3d.camera import orbit, orbit_radius
from garment3d.crossings import crossing_faces, folded_faces
from garment3d.data import Views
from garment3d.garment.decimate import Decimated, decimate
from garment3d.garment.openings import openings
from garment3d.images import to_uint8
from garment3d.metrics import mask_iou, mesh_checks, psnr, surface_distance
from garment3d.pipeline import Settings, run
from garment3d.raster import rasterize
from garment3d.render import draw, upload
from garment3d.views.rendered import rendered_orbit

BUNDLED = Path(__file__).parents[1] / "workflows" / "inputs"
CLASSES = ("tshirt", "longsleeve", "top", "dress", "skirt", "trousers")
VIEWS_PX, CELL_PX = 512, 400
SHOTS_DEG = ((0.0, 5.0), (90.0, 5.0), (180.0, 5.0), (35.0, 50.0))
"""Azimuth and elevation of the pictures on the sheet."""
SLOW = 4.0
"""How eager fast_simplification is: usually 7; below 4 it stops before it has reached the number."""
PAPER, INK = (0.95, 0.93, 0.90), (0.10, 0.20, 0.50)


class Row(NamedTuple):
    """One garment at one number of triangles."""

    reached: int
    seconds: float
    ours: float
    """Distance in % of the height."""
    theirs: float
    """With fast_simplification's usual settings."""
    slow: float
    """With its slowest setting that still reaches the number."""
    farthest: tuple[float, float]
    shape: tuple[float, float]
    """Of the worst hundredth of the triangles, ours and theirs: 1 for equal sides."""
    psnr: float
    iou: float
    moved: float
    """Farthest anchor of an opening in % of the height, NaN where names differ."""
    wrong: int
    """Crossing, folded, inverted and non-manifold parts."""

    def line(self) -> str:
        """For the table."""
        return (
            f"{self.reached:6d} in {self.seconds:4.1f} s  distance {self.ours:.4f} %  fast_simplification"
            f" {self.theirs:.4f} %  ratio {self.ours / self.theirs:.2f}, slow"
            f" {self.slow:.4f} % ratio {self.ours / self.slow:.2f}  farthest {self.farthest[0]:.2f} %"
            f" / {self.farthest[1]:.2f} %  worst shapes {self.shape[0]:.2f} / {self.shape[1]:.2f}"
            f"  PSNR {self.psnr:.1f} dB  IoU {self.iou:.4f}  openings moved {self.moved:.2f} %  wrong {self.wrong}"
        )


def measured(mesh: trimesh.Trimesh, made: Decimated, seconds: float, views: Views) -> Row:
    """The Row of a decimated garment."""
    light, height = made.mesh, float(np.ptp(mesh.vertices[:, 1]))
    other = plain(mesh, made.reached)
    ours, theirs, slow = (surface_distance(m, mesh) for m in (light, other, plain(mesh, made.reached, SLOW)))
    seen = rendered_orbit(light, views.orbit)
    pairs = list(zip(views.images, seen.images, views.masks, seen.masks, strict=True))
    checks = mesh_checks(light)
    wrong = checks.non_manifold_edges + checks.non_manifold_vertices + checks.inverted_faces
    return Row(
        made.reached,
        seconds,
        100 * ours.symmetric / height,
        100 * theirs.symmetric / height,
        100 * slow.symmetric / height,
        (100 * ours.farthest / height, 100 * theirs.farthest / height),
        (worst_shape(light), worst_shape(other)),
        float(np.mean([psnr(a, b, np.minimum(m.numpy(), n.numpy())) for a, b, m, n in pairs])),
        min(mask_iou(m, n) for _, _, m, n in pairs),
        100 * moved(mesh, light) / height,
        wrong + int(crossing_faces(light).sum() + folded_faces(light).sum()),
    )


def plain(mesh: trimesh.Trimesh, triangles: int, hurry: float = 7.0) -> trimesh.Trimesh:
    """The welded mesh decimated by fast_simplification."""
    import fast_simplification

    points, place = np.unique(np.asarray(mesh.vertices), axis=0, return_inverse=True)
    faces = place.reshape(-1)[mesh.faces].astype(np.int32)
    light = fast_simplification.simplify(points.astype(np.float32), faces, 1 - triangles / len(faces), agg=hurry)
    return trimesh.Trimesh(*light, process=False)


def worst_shape(mesh: trimesh.Trimesh) -> float:
    """The first percentile of 1 for equal sides, 0 for slivers."""
    corners = np.asarray(mesh.triangles)
    sides = ((corners - np.roll(corners, 1, 1)) ** 2).sum((1, 2))
    return float(np.percentile(4 * np.sqrt(3) * mesh.area_faces / np.maximum(sides, 1e-300), 1))


def moved(mesh: trimesh.Trimesh, light: trimesh.Trimesh) -> float:
    """How far the farthest opening has moved; NaN where they have other names."""
    before, after = (sorted(openings(m)) for m in (mesh, light))
    if [o.name for o in before] != [o.name for o in after]:
        return float("nan")
    return max(float(np.linalg.norm(np.subtract(a.anchor, b.anchor))) for a, b in zip(before, after, strict=True))


def strip(mesh: trimesh.Trimesh, radius: float) -> np.ndarray:
    """[H,W,3] uint8: textured pictures above, wires below."""
    looks, wires = [], []
    grey = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    for azimuth, elevation in SHOTS_DEG:
        camera, double = (
            orbit(360, elevation, radius, 28.0, (s, s), [azimuth]).cameras[0] for s in (CELL_PX, 2 * CELL_PX)
        )
        looks.append(to_uint8(draw(upload(mesh), camera, PAPER).rgb.numpy()))
        shaded = draw(upload(grey), camera, PAPER, "soft").rgb.numpy()
        face = rasterize(np.asarray(mesh.vertices), np.asarray(mesh.faces), double).face.squeeze().numpy()
        edge = np.zeros(face.shape)
        edge[1:] = face[1:] != face[:-1]
        edge[:, 1:] = np.maximum(edge[:, 1:], face[:, 1:] != face[:, :-1])
        share = 0.8 * edge.reshape(CELL_PX, 2, CELL_PX, 2).mean((1, 3))[..., None]
        wires.append(to_uint8(shaded * (1 - share) + share * np.array(INK)))
    return np.concatenate([np.concatenate(looks, 1), np.concatenate(wires, 1)])


def main() -> None:
    """Prints a line per garment and number of triangles, then means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path, default=[BUNDLED / f"{name}.jpg" for name in CLASSES])
    parser.add_argument("--triangles", nargs="+", type=int, default=[8000, 4000, 2000])
    parser.add_argument("-o", "--output", type=Path, help="also write a sheet per photo: OUTPUT_NAME.jpg")
    options = parser.parse_args()
    rows: dict[int, list[Row]] = {count: [] for count in options.triangles}
    for photo in options.photos:
        mesh = run(photo, Settings(step_deg=180, view_px=64)).mesh
        radius = orbit_radius(np.asarray(mesh.vertices), 5.0)
        views = rendered_orbit(mesh, orbit(60, 5.0, radius, hw=(VIEWS_PX, VIEWS_PX)))
        shown = [mesh]
        for count in options.triangles:
            began = time.process_time()
            made = decimate(mesh, count)
            rows[count].append(measured(mesh, made, time.process_time() - began, views))
            shown.append(made.mesh)
            print(f"{photo.stem:12s}{rows[count][-1].line()}{''.join(f'  {w}' for w in made.warnings)}", flush=True)
        if options.output is not None:
            wide = orbit_radius(np.asarray(mesh.vertices), 30.0, 28.0, 0.0, 0.95)
            page = Image.fromarray(np.concatenate([strip(m, wide) for m in shown]))
            page.save(options.output.with_stem(f"{options.output.stem}_{photo.stem}"), quality=90)
    for count, found in rows.items():
        ratio, slow = (
            [r.ours / other for r, other in zip(found, others, strict=True)]
            for others in ([r.theirs for r in found], [r.slow for r in found])
        )
        print(
            f"{count} triangles: distance {np.mean(ratio):.2f} of fast_simplification's, worst {max(ratio):.2f};"
            f" {np.mean(slow):.2f} of its slow setting's, worst {max(slow):.2f}"
        )


if __name__ == "__main__":
    main()
