"""Drawing speed and agreement, held against a plain per-triangle numpy z-buffer in the same run.

`python -m benchmarks.render [--size 512] [--triangles 20000] [--device cpu]`; times are the best of some runs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import torch
import trimesh
from PIL import Image

from garment3d.camera import orbit, project
from garment3d.data import Camera
from garment3d.raster import finer, rasterize
from garment3d.render import draw, upload
from garment3d.views.rendered import rendered_orbit
from tests.solids import grid, textured


def folded_tube(triangles: int) -> trimesh.Trimesh:
    """An open skirt-like tube of about that many triangles with folds and a 2048² texture."""
    rows = max(2, round(math.sqrt(triangles / 8)))
    s, t, faces = grid(rows, 4 * rows)
    radius = 0.3 + 0.04 * np.cos(16 * np.pi * s) * (1 - t)
    vertices = np.stack([radius * np.sin(2 * np.pi * s), t - 0.5, radius * np.cos(2 * np.pi * s)], 1)
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    return textured(vertices, faces, np.stack([s, t], 1), Image.fromarray(pixels).resize((2048, 2048)))


def plain_z_buffer(mesh: trimesh.Trimesh, camera: Camera) -> np.ndarray:
    """[H,W] depth the textbook way: every triangle, every pixel of its bounding box, three edge functions."""
    depth = np.full(camera.hw, np.inf)
    pixels, z = project(camera, mesh.vertices)
    for face in mesh.faces:
        (ax, ay), (bx, by), (cx, cy) = pixels[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        x0, y0 = (int(max(np.floor(pixels[face, i].min()), 0)) for i in (0, 1))
        x1, y1 = (int(min(np.ceil(pixels[face, i].max()), camera.hw[1 - i])) for i in (0, 1))
        if x0 >= x1 or y0 >= y1 or abs(area) < 1e-12:
            continue
        x, y = np.arange(x0, x1) + 0.5, (np.arange(y0, y1) + 0.5)[:, None]
        b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        c = ((y - ay) * (bx - ax) - (x - ax) * (by - ay)) / area
        a = 1 - b - c
        inside = (a >= 0) & (b >= 0) & (c >= 0)
        here = 1 / (a / z[face[0]] + b / z[face[1]] + c / z[face[2]])
        window = depth[y0:y1, x0:x1]
        window[inside & (here < window)] = here[inside & (here < window)]
    return depth


def seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """Least wall time after one call to warm up, the device's queue drained."""
    took = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took.append(time.perf_counter() - begin)
    return min(took[1:])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=512)
    arguments.add_argument("--triangles", type=int, default=20_000)
    arguments.add_argument("--device", default="cpu")
    options = arguments.parse_args()
    mesh = folded_tube(options.triangles)
    views = orbit(elevation_deg=10, hw=(options.size, options.size))
    camera, device = views.cameras[1], options.device
    print(f"{len(mesh.faces)} triangles, {options.size}² pixels, {device}, {torch.get_num_threads()} threads")

    begin = time.perf_counter()
    reference = plain_z_buffer(mesh, finer(camera, 2))
    plain = time.perf_counter() - begin
    depth = rasterize(mesh.vertices, mesh.faces, camera, 2, device).depth.cpu().numpy()
    both = np.isfinite(depth) & np.isfinite(reference)
    error = np.abs(depth[both] - reference[both])
    print(f"coverage that differs     {np.mean(np.isfinite(depth) != np.isfinite(reference)):.1e} of all samples")
    print(f"depth error, median, max  {np.median(error):.1e}  {error.max():.1e}")

    model = upload(mesh, device)
    rows = {
        "plain numpy z-buffer, 2×": plain,
        "rasterize, 2×": seconds(lambda: rasterize(mesh.vertices, mesh.faces, camera, 2, device)),
        "upload, once": seconds(lambda: upload(mesh, device), 3),
        "draw unlit, 1×": seconds(lambda: draw(model, camera, supersample=1)),
        "draw unlit, 2×": seconds(lambda: draw(model, camera)),
        "draw soft, 2×": seconds(lambda: draw(model, camera, shading="soft")),
        "rendered_orbit, per view": seconds(lambda: rendered_orbit(mesh, views, device=device), 2) / 18,
    }
    for name, took in rows.items():
        print(f"{name:<26}{1000 * took:9.1f} ms   {plain / took:7.1f}× the plain one's speed")


if __name__ == "__main__":
    main()
