"""What a mask of one garment has to be: pieces that belong, holes that are real, binary or soft, any size.

Kept apart from how a mask is found, so that masks from other engines can be cleaned the same way.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

PIECE_SHARE = 0.2
"""A second piece stays when it has at least this share of the largest one's area: a skirt beside its top."""
_CLEAN_PX = 1536
"""Larger masks are cleaned by a coarser copy of about this longest side."""
SPECK_SHARE = 0.00025
"""Holes below this share of the garment's area are specks of the print or the weave."""


def main_pieces(binary: np.ndarray) -> np.ndarray:
    """[H,W] bool with the largest piece and those comparable to it; an empty mask stays empty."""
    labels, count = ndimage.label(binary)
    if count < 2:
        return binary.astype(bool)
    area = np.bincount(labels.ravel())
    area[0] = 0
    return (area >= PIECE_SHARE * area.max())[labels] & binary


def filled(binary: np.ndarray) -> np.ndarray:
    """[H,W] bool without enclosed holes."""
    return ndimage.binary_fill_holes(binary)


def cleaned(soft: np.ndarray) -> np.ndarray:
    """[H,W] float32 soft mask without stray pieces and specks; larger holes and soft edges stay as they are."""
    step = max(1, round(max(soft.shape) / _CLEAN_PX))
    binary = soft[::step, ::step] >= 0.5
    pieces = main_pieces(binary)
    stray = binary & ~pieces
    holes = ndimage.binary_fill_holes(pieces) & ~pieces
    labels, _ = ndimage.label(holes)
    area = np.bincount(labels.ravel())
    area[0] = 0
    specks = ((area > 0) & (area < SPECK_SHARE * max(1, np.count_nonzero(pieces))))[labels]
    out = soft.astype(np.float32)
    for mistaken, right in ((stray, 0), (specks, 1)):
        if mistaken.any():
            wide = ndimage.binary_dilation(mistaken, iterations=3) & ~(pieces if right == 0 else ~(pieces | holes))
            out[np.repeat(np.repeat(wide, step, 0), step, 1)[: soft.shape[0], : soft.shape[1]]] = right
    return out
