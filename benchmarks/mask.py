"""Quick mask against hand-checked masks: IoU, confidence and seconds per photo, then the same on synthetic truth.

Usage: GARMENT3D_PHOTOS=folder python benchmarks/mask.py [--truth COUNT] [--overlays DIR]; masks are NAME.mask.png.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from garment3d.errors import GarmentError
from garment3d.images import read_mask, read_photo, save_png, to_uint8
from garment3d.mask.quick import quick_mask


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def overlay(rgb: np.ndarray, soft: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The cut-out on magenta beside the photo with wrong pixels marked: red = too much, blue = missed."""
    cut = rgb * soft[..., None] + np.array([255, 0, 255]) * (1 - soft[..., None])
    marked = rgb * 0.5 + 100
    marked[(soft >= 0.5) & ~true] = (255, 0, 0)
    marked[(soft < 0.5) & true] = (0, 0, 255)
    return to_uint8(np.hstack([cut, marked]) / 255)


def measure(name: str, rgb: np.ndarray, true: np.ndarray, folder: str | None) -> tuple[float, float]:
    started = time.perf_counter()
    try:
        soft, confidence = quick_mask(rgb)
    except GarmentError as error:
        print(f"{name:32s} {error}")
        return 0.0, 0.0
    seconds = time.perf_counter() - started
    iou = overlap(soft >= 0.5, true)
    print(f"{name:32s} IoU {iou:.4f}  confidence {confidence:.2f}  {seconds:.2f} s")
    if folder:
        save_png(Path(folder) / f"{name}.png", overlay(rgb, soft, true))
    return iou, confidence


def summary(title: str, rows: list[tuple[float, float]]) -> None:
    iou, confidence = np.array(rows).T
    below = int(((iou < 0.9) & (confidence >= 0.5)).sum())
    print(f"{title}: {len(rows)} photos, IoU mean {iou.mean():.4f}, least {iou.min():.4f}, below 0.9 unwarned {below}")
    print(f"{title}: rank correlation of confidence and IoU {rank_correlation(iou, confidence):.2f}\n")


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=int, default=0, metavar="COUNT")
    parser.add_argument("--overlays", metavar="DIR")
    options = parser.parse_args()
    photos = sorted(Path(os.environ.get("GARMENT3D_PHOTOS", ".")).glob("*.mask.png"))
    rows = []
    for path in photos:
        name = path.name.removesuffix(".mask.png")
        rgb = read_photo(path.with_name(f"{name}.jpg")).rgb
        rows.append(measure(name, rgb, read_mask(path, rgb.shape[:2]) >= 0.5, options.overlays))
    if rows:
        summary("photos", rows)
    if options.truth:
        from tests.truth import truth_set

        truths = enumerate(truth_set(options.truth))
        names = ((f"{i:02d}_{row.garment.garment_class}_{row.photo.background}", row.photo) for i, row in truths)
        summary("truth", [measure(name, p.rgb, p.soft >= 0.5, options.overlays) for name, p in names])


if __name__ == "__main__":
    main()
