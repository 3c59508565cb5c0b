"""Ground truth: garments with known geometry, their product photos, and what each photo's mask pins down."""

from .garments import CLASSES, TrueGarment, make_garment
from .photo import (
    TruePhoto,
    Truth,
    canonical,
    canonical_loops,
    canonical_mesh,
    make_photo,
    neckline_px,
    openings_px,
    truth_set,
)

__all__ = [
    "CLASSES",
    "TrueGarment",
    "TruePhoto",
    "Truth",
    "canonical",
    "canonical_loops",
    "canonical_mesh",
    "make_garment",
    "make_photo",
    "neckline_px",
    "openings_px",
    "truth_set",
]
