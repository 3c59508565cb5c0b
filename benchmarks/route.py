"""Seconds per stage of the whole route, against the budget of 5 s per photo on two cores without imports and turntable.

    python benchmarks/route.py [PHOTO ...] [--mask FOLDER] [--repeat 3]

Photos default to those bundled in workflows/inputs. Each is run once to warm up and then `--repeat` times; the table
shows the best of these, as other work on the machine can only add to it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

BUDGET_S = 5.0
OUTSIDE = ("turntable",)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def seconds_of(photo: Path, mask: Path | None, turntable: bool) -> dict[str, float]:
    """Seconds per stage of one run, saving included, the films only with `turntable`."""
    from garment3d.export.result import save
    from garment3d.pipeline import Settings, run

    with tempfile.TemporaryDirectory() as folder:
        result = run(photo, Settings(mask=mask))
        return dict(save(result, Path(folder) / "out", turntable=turntable).seconds)


def best_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {stage: min(run[stage] for run in runs if stage in run) for stage in runs[-1]}


def row(name: str, seconds: dict[str, float], stages: list[str]) -> str:
    inside = sum(spent for stage, spent in seconds.items() if stage not in OUTSIDE)
    cells = "".join(f"{seconds[stage]:10.2f}" for stage in stages)
    return f"{name[:24]:24s}{cells}{inside:10.2f}{inside / BUDGET_S:10.2f}"


def peak_gb() -> float | None:
    """Most memory this process held, or None where the system doesn't say."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--mask", type=Path, help="folder of <photo>.mask.png")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    given = arguments.photos or [ROOT / "workflows" / "inputs"]
    photos = [p for path in given for p in (sorted(path.iterdir()) if path.is_dir() else [path])]
    photos = [p for p in photos if p.suffix.lower() in SUFFIXES and ".mask" not in p.name]
    if not photos:
        sys.exit("No photos: name some, or a folder of them.")

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does
    import torch

    torch.set_num_threads(2)
    table: dict[str, dict[str, float]] = {}
    for index, photo in enumerate(photos):
        mask = arguments.mask / f"{photo.stem}.mask.png" if arguments.mask else None
        if index == 0:
            seconds_of(photo, mask, turntable=False)
        runs = [seconds_of(photo, mask, turntable=i == arguments.repeat - 1) for i in range(arguments.repeat)]
        table[photo.stem] = best_of(runs)
        stages = list(table[photo.stem])
        if index == 0:
            print(f"{'seconds':24s}" + "".join(f"{stage:>10s}" for stage in [*stages, "in budget", "ratio"]))
        print(row(photo.stem, table[photo.stem], stages), flush=True)
    stages = list(next(iter(table.values())))
    for name, measure in (("median", statistics.median), ("worst", max)):
        print(row(name, {stage: measure(s[stage] for s in table.values()) for stage in stages}, stages))
    peak = peak_gb()
    print(f"ratio: seconds without turntable over the budget of {BUDGET_S:g} s; below 1 is within it")
    if peak is not None:
        print(f"most memory: {peak:.2f} GB")


if __name__ == "__main__":
    main()
