"""Shell against ground truth: surface-to-surface distance and openings per class, beside open Poisson inflation.

`python -m benchmarks.accuracy [--count 60]`; distances in % of the garment's height, with the true mask.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import trimesh

from garment3d.errors import GarmentError
from garment3d.garment.loops import boundary_loops
from garment3d.garment.openings import find_openings, openings
from garment3d.garment.shell import garment_shell
from garment3d.metrics import loop_distance, surface_distance
from tests.truth import canonical_loops, canonical_mesh, truth_set

POISSON = 1.18
"""The baseline's z = 1.18·√u with −Δu = 1, its lips free."""


class Row(NamedTuple):
    garment_class: str
    ours: float
    poisson: float
    labels: bool
    loops: dict[str, float]


def moved_to(mesh: trimesh.Trimesh, truth: trimesh.Trimesh) -> trimesh.Trimesh:
    """`mesh` shifted along z so that the medians of both surfaces' points agree: one photo says nothing of z."""
    ours, true = (np.median(trimesh.sample.sample_surface(m, 20_000, seed=0)[0][:, 2]) for m in (mesh, truth))
    moved = mesh.copy()
    moved.vertices = mesh.vertices + [0, 0, true - ours]
    return moved


def measure(entry) -> Row:
    soft, rgb = entry.photo.soft, entry.photo.rgb
    truth = canonical_mesh(entry.garment, entry.photo)
    height = float(np.ptp(truth.vertices[:, 1]))
    true_loops = canonical_loops(entry.garment, entry.photo)
    distances = []
    for model in ("garment", "poisson"):
        shell = moved_to(garment_shell(soft, rgb, model=model), truth)
        distances.append(100 * surface_distance(shell, truth).symmetric / height)
        if model == "garment":
            names = [o.name for o in openings(shell)]
            loops = {n: shell.vertices[loop] for n, loop in zip(names, boundary_loops(shell), strict=True)}
    far = {n: 100 * loop_distance(loops[n], true_loops[n]) / height for n in true_loops if n in loops}
    return Row(entry.garment.garment_class, *distances, sorted(names) == sorted(true_loops), far)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--step-cm", type=float, default=1.0)
    args = parser.parse_args()
    rows = []
    for i, entry in enumerate(truth_set(args.count, step_cm=args.step_cm)):
        try:
            rows.append(measure(entry))
            row = rows[-1]
            far = ", ".join(f"{k} {v:.1f}" for k, v in row.loops.items())
            print(
                f"{i:3d} {row.garment_class:10s} {row.ours:5.2f} % (Poisson {row.poisson:5.2f} %)  labels {row.labels}  {far}"
            )
        except GarmentError as error:
            print(f"{i:3d} {entry.garment.garment_class:10s} failed: {error}")
    summary(rows)


def summary(rows: list[Row]) -> None:
    groups = defaultdict(list)
    for row in rows:
        groups[row.garment_class].append(row)
    groups["all"] = rows
    for name, group in groups.items():
        ours, poisson = np.mean([r.ours for r in group]), np.mean([r.poisson for r in group])
        right = np.mean([r.labels and max(r.loops.values()) <= 3 for r in group])
        print(
            f"{name:10s} n={len(group):2d} ours {ours:.2f} %  Poisson {poisson:.2f} %  {100 * (1 - ours / poisson):+.0f} % lower; labels and loops right {100 * right:.0f} %"
        )


if __name__ == "__main__":
    main()
