"""The shell against ground truth, per class, beside plain open Poisson inflation measured in the same run.

`python -m benchmarks.accuracy [--count 60]`: with the true mask, distances in % of the garment's height.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import trimesh

from garment3d.errors import GarmentError
from garment3d.garment.loops import boundary_loops
from garment3d.garment.openings import openings
from garment3d.garment.shell import garment_shell
from garment3d.metrics import loop_distance, surface_distance
from tests.truth import Truth, canonical_loops, canonical_mesh, truth_set

NEAR = 3.0
"""A loop is right when it lies this near to the true one, in % of the height."""


class Row(NamedTuple):
    """One garment; distances in % of its height, NaN where the shell could not be made."""

    garment_class: str
    ours: float
    poisson: float
    named: bool
    loops: dict[str, float]


def levelled(mesh: trimesh.Trimesh, truth: trimesh.Trimesh) -> trimesh.Trimesh:
    """`mesh` moved along z until the medians of both surfaces agree: one photo says nothing of where z begins."""
    ours, true = (np.median(trimesh.sample.sample_surface(m, 20_000, seed=0)[0][:, 2]) for m in (mesh, truth))
    return mesh.copy().apply_translation([0, 0, true - ours])


def measured(entry: Truth) -> Row:
    """Our shell and the plain one against the true garment."""
    name, truth = entry.garment.garment_class, canonical_mesh(entry.garment, entry.photo)
    height = float(np.ptp(truth.vertices[:, 1]))
    true_loops = canonical_loops(entry.garment, entry.photo)
    try:
        ours, plain = (
            levelled(garment_shell(entry.photo.soft, entry.photo.rgb, model=m), truth) for m in ("garment", "poisson")
        )
    except GarmentError as error:
        print(f"    {name}: {error}")
        return Row(name, np.nan, np.nan, False, dict.fromkeys(true_loops, np.nan))
    names = [o.name for o in openings(ours)]
    found = {n: ours.vertices[loop] for n, loop in zip(names, boundary_loops(ours), strict=True)}
    far = {n: 100 * loop_distance(found[n], p) / height if n in found else np.nan for n, p in true_loops.items()}
    distances = [100 * surface_distance(m, truth).symmetric / height for m in (ours, plain)]
    return Row(name, *distances, sorted(names) == sorted(true_loops), far)


def summary(name: str, rows: list[Row]) -> str:
    """One line of the table."""
    ours, plain = np.nanmean([r.ours for r in rows]), np.nanmean([r.poisson for r in rows])
    loops = np.array([v for r in rows for v in r.loops.values()])
    named = np.mean([r.named for r in rows])
    return (
        f"{name:10s} {len(rows):3d}  ours {ours:.2f} %  plain {plain:.2f} %  ratio {ours / plain:.2f}"
        f"  openings named right {named:.0%}  loops within {NEAR:.0f} % {np.mean(loops <= NEAR):.0%}"
    )


def main() -> None:
    """Prints a line per garment, then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    rows = []
    for i, entry in enumerate(truth_set(parser.parse_args().count)):
        row = measured(entry)
        rows.append(row)
        far = ", ".join(f"{k} {v:.1f}" for k, v in row.loops.items())
        print(f"{i:3d} {row.garment_class:10s} ours {row.ours:5.2f} %  plain {row.poisson:5.2f} %  {far}", flush=True)
    classes = defaultdict(list)
    for row in rows:
        classes[row.garment_class].append(row)
    print("\n".join(summary(*item) for item in (*classes.items(), ("all", rows))))
    print(f"failed: {sum(np.isnan(r.ours) for r in rows)} of {len(rows)}")


if __name__ == "__main__":
    main()
