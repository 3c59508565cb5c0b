"""Makes the bundled photos: `python -m tests.truth.bundled [folder]` writes them to workflows/inputs/.

They are the ground truth's own garments, finer meshed, in cloths chosen to look like a shop's; 1152×864, under 250 kB.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .fabric import Fabric, motif
from .garments import make_garment
from .photo import make_photo

HW = (1152, 864)


def rgb(code: str) -> np.ndarray:
    """[3] sRGB in 0..1 from six hex digits."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255


class Example(NamedTuple):
    """One bundled photo."""

    name: str
    garment_class: str
    seed: int
    fabric: Fabric
    background: str
    light_seed: int


def examples() -> tuple[Example, ...]:
    """The bundled photos in the order of the README."""
    sun = motif(np.random.default_rng(4), rgb("f6e3c0"), rgb("f08a4b"), style=1)
    tee = Fabric("solid", rgb("14757a"), rgb("f6e3c0"), rgb("f08a4b"), 4, 1, None, sun, 21.0, -25.0)
    floral = Fabric("floral", rgb("23345c"), rgb("f3ece0"), rgb("e9a23b"), 4.6, 2)
    jeans = Fabric("denim", rgb("3c5c88"), rgb("e6e0d2"), rgb("c88a4a"), 4, 3, label=False, jeans=True)
    breton = Fabric("stripes", rgb("f3efe6"), rgb("26365c"), rgb("c8452f"), 2.8, 4)
    tartan = Fabric("check", rgb("d9c7a8"), rgb("7a3b2e"), rgb("2f4a45"), 5.2, 5, rgb("6b352a"))
    dots = Fabric("dots", rgb("e8b93c"), rgb("fdf6e3"), rgb("4a3b2c"), 3.2, 6)
    return (
        Example("tshirt", "tee", 118, tee, "near_white", 1),
        Example("dress", "dress", 105, floral, "near_white", 2),
        Example("trousers", "trousers", 119, jeans, "white", 3),
        Example("longsleeve", "longsleeve", 109, breton, "near_white", 4),
        Example("skirt", "skirt", 108, tartan, "light_grey", 5),
        Example("top", "top", 110, dots, "near_white", 6),
    )


def photograph(example: Example) -> np.ndarray:
    """[1152,864,3] uint8 photo of one example."""
    garment = make_garment(example.garment_class, example.seed, step_cm=0.5)
    shot = make_photo(garment, example.light_seed, HW, example.background, example.fabric)
    return shot.rgb


def main(folder: Path) -> None:
    """Writes every example as a JPEG of quality 90."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in examples():
        Image.fromarray(photograph(example)).save(folder / f"{example.name}.jpg", quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "workflows" / "inputs")
