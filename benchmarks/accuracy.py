"""The shell against ground truth, per class, beside plain open Poisson inflation measured in the same run.

`python -m benchmarks.accuracy [--count 60] [--fit]`: with the true mask, distances in % of the garment's height.
`--fit` adds the shell fitted to targets as bad generators give them, exact ones and lumped ones.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.against_truth import NEAR, Fit, Judged, judged, refitted
from garment3d.errors import GarmentError
from garment3d.garment.shell import garment_shell
from tests.truth import Truth, canonical_loops, truth_set

LIMITS = {"exact": 1.5, "lumped": 2.5}
"""Kinds of targets and the mean distance, in % of the height, that a fit to them should not pass."""


class Row(NamedTuple):
    """One garment; None where the shell could not be made."""

    garment_class: str
    ours: Judged
    poisson: float
    fits: dict[str, Fit]


def measured(index: int, entry: Truth, fit: bool) -> Row:
    """Our shell and the plain one against the true garment, and the shell fitted to either kind of target."""
    name, photo = entry.garment.garment_class, entry.photo
    try:
        shell, plain = (garment_shell(photo.soft, photo.rgb, model=m) for m in ("garment", "poisson"))
    except GarmentError as error:
        print(f"    {name}: {error}")
        nothing = Judged(np.nan, False, dict.fromkeys(canonical_loops(entry.garment, photo), np.nan))
        return Row(name, nothing, np.nan, {})
    fits = {kind: refitted(entry, shell, kind, index) for kind in LIMITS} if fit else {}
    return Row(name, judged(shell, entry), judged(plain, entry).distance, fits)


def summary(name: str, rows: list[Row]) -> str:
    """One line of the table."""
    ours, plain = np.nanmean([r.ours.distance for r in rows]), np.nanmean([r.poisson for r in rows])
    loops = np.array([v for r in rows for v in r.ours.loops.values()])
    named = np.mean([r.ours.named for r in rows])
    return (
        f"{name:10s} {len(rows):3d}  ours {ours:.2f} %  plain {plain:.2f} %  ratio {ours / plain:.2f}"
        f"  openings named right {named:.0%}  loops within {NEAR:.0f} % {np.mean(loops <= NEAR):.0%}"
    )


def fit_summary(kind: str) -> Callable[[str, list[Row]], str]:
    """What makes one line of the table of a kind of target."""

    def line(name: str, rows: list[Row]) -> str:
        fits = [r.fits[kind] for r in rows if kind in r.fits]
        if not fits:
            return f"{name:10s}   0"
        distance = np.array([f.shell.distance for f in fits])
        loops = np.array([v for f in fits for v in f.shell.loops.values()])
        return (
            f"{name:10s} {len(fits):3d}  raw {np.mean([f.raw for f in fits]):.2f} %"
            f"  unfitted {np.nanmean([r.ours.distance for r in rows]):.2f} %"
            f"  fitted {np.nanmean(distance):.2f} % (worst {np.nanmax(distance, initial=0):.2f} %,"
            f" over {LIMITS[kind]} %: {int((~(distance <= LIMITS[kind])).sum())})"
            f"  named {np.mean([f.shell.named for f in fits]):.0%}  loops {np.mean(loops <= NEAR):.0%}"
            f"  folded {sum(f.folded for f in fits)}  crossing {np.nanmean([f.crossing for f in fits]):.3f} %"
            f"  front {np.mean([f.front for f in fits]):.0%}  hand {np.mean([f.hand for f in fits]):.0%}"
            f"  astray {np.nanmean([f.astray for f in fits]):.2f} %  {np.nanmean([f.seconds for f in fits]):.1f} s"
        )

    return line


def table(rows: list[Row], line: Callable[[str, list[Row]], str]) -> None:
    """Prints a line per class and one for all."""
    classes = defaultdict(list)
    for row in rows:
        classes[row.garment_class].append(row)
    print("\n".join(line(*item) for item in (*classes.items(), ("all", rows))))


def main() -> None:
    """Prints a line per garment, then the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--fit", action="store_true", help="also fit each shell to an exact and to a lumped target")
    options = parser.parse_args()
    rows = []
    for i, entry in enumerate(truth_set(options.count)):
        row = measured(i, entry, options.fit)
        rows.append(row)
        far = ", ".join(f"{k} {v:.1f}" for k, v in row.ours.loops.items())
        print(f"{i:3d} {row.garment_class:10s} ours {row.ours.distance:5.2f} %  plain {row.poisson:5.2f} %  {far}")
        for kind, fit in row.fits.items():
            print(f"    {kind:6s} {fit.line()}", flush=True)
    table(rows, summary)
    for kind in LIMITS if options.fit else ():
        print(f"\nfitted to {kind} targets")
        table(rows, fit_summary(kind))
    print(f"failed: {sum(np.isnan(r.ours.distance) for r in rows)} of {len(rows)}")


if __name__ == "__main__":
    main()
