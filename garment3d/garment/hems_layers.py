"""Which pieces of a cut mesh are the garment: the outside ones, the largest of what a cut has parted, no caps."""

from __future__ import annotations

import numpy as np

from .hems_cut import Split, parts

DUST = 0.005
"""A piece below this share of the largest one's area is dust."""


def garment_pieces(cut: Split, points: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """[M] bool, the faces of `cut` to keep.

    Args:
        cut: split along the hems, positive beyond them.
        points: [N,3] its vertices.
        outside: [F] bool for the faces before the split: seen from outside.
    """
    corners = points[cut.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    within = cut.value[cut.faces].sum(1) < 0
    places = cut.place[cut.faces]
    count = int(cut.place.max()) + 1
    before, after = parts(places, count)[places[:, 0]], parts(places[within], count)[places[:, 0]]
    size = np.bincount(after[within], area[within], minlength=count)
    seen = np.bincount(after[within], (area * outside[cut.origin.face])[within], minlength=count)
    whole = seen > 0.5 * size
    # Of what was one piece before the cut only the largest part is cloth: islands of a sunken cap are not.
    largest = np.zeros(count)
    np.maximum.at(largest, before, np.where(whole[after] & within, size[after], 0))
    cloth = whole[after] & (size[after] >= largest[before]) & (size[after] >= DUST * size.max(initial=0))
    return within & cloth
