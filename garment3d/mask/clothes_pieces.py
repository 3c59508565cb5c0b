"""From classes per pixel to one garment: its sleeves and pockets joined to it, its pieces kept, mistakes left out.

A hand across a tee leaves two pieces of one tee; a fleck on the wall and another person's tee are not of it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .clothes_labels import GARMENTS, PARTS, garment_of, plain

_HOLE_SHARE = 0.002
"""Holes below this share of the garment are the network's; what is in front of it is larger."""
_LINKED_SHARE = 0.01
"""Least part of the largest piece that a piece has to have where a body or another garment joins the two."""
_LOOSE_SHARE = 0.05
"""The same where only background is between, as it is for label sets that don't know bodies."""
_LOOSE_GAP = 0.12
"""And the widest such gap, as a part of the largest piece's longer side: an arm across a garment."""
_AROUND = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""


class Tidied(NamedTuple):
    """A garment without the network's flecks."""

    binary: np.ndarray
    """[H,W] bool."""
    pieces: int
    """0 where nothing was left."""


def parts_of(seen: np.ndarray, labels: tuple[str, ...], garments: Collection[str]) -> np.ndarray:
    """[H,W] int class of each pixel that is a part (sleeve, pocket, …) of those garments, -1 elsewhere.

    A part belongs to the garment that is nearest to most of it, of those that can have such a part.
    """
    order = list(GARMENTS)
    lut = np.array([order.index(garment_of(label)) if garment_of(label) else -1 for label in labels])
    worn = lut[seen]
    out = np.full(seen.shape, -1)
    for i in np.unique(seen):
        allowed = [order.index(garment) for garment in PARTS.get(plain(labels[i]), ())]
        there = np.isin(worn, allowed)
        if not allowed or not there.any():
            continue
        rows, cols = ndimage.distance_transform_edt(~there, return_distances=False, return_indices=True)  # pyright: ignore
        blobs, count = ndimage.label(seen == i, _AROUND)
        votes = np.zeros((count + 1, len(order)), int)
        np.add.at(votes, (blobs, worn[rows, cols]), 1)
        owned = np.array([order[j] in garments for j in votes.argmax(1)])
        out[(blobs > 0) & owned[blobs]] = i
    return out


def tidied(binary: np.ndarray, foreground: np.ndarray) -> Tidied:
    """The garment's pieces without flecks and pinholes; nothing is filled in across what lies in front of it.

    Args:
        binary: [H,W] bool, pixels of the garment's classes.
        foreground: [H,W] bool, pixels of any class but the background.
    """
    labels, count = ndimage.label(binary, _AROUND)
    if not count:
        return Tidied(binary, 0)
    area = np.bincount(labels.ravel())
    area[0] = 0
    largest = int(area.argmax())
    main = labels == largest
    keep = (area >= _LINKED_SHARE * area[largest]) & _linked(labels, main, foreground)
    keep |= (area >= _LOOSE_SHARE * area[largest]) & _near(labels, main, count)
    keep[0] = False
    kept = keep[labels]
    return Tidied(_without_pinholes(kept), int(keep.sum()))


def _linked(labels: np.ndarray, main: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """[N+1] whether each piece is in the same stretch of foreground as the main one: on the same person."""
    people, count = ndimage.label(foreground | (labels > 0), _AROUND)
    with_main = np.zeros(count + 1, bool)
    with_main[people[main]] = True
    linked = np.zeros(labels.max() + 1, bool)
    linked[labels[with_main[people]]] = True
    return linked


def _near(labels: np.ndarray, main: np.ndarray, count: int) -> np.ndarray:
    """[N+1] whether each piece comes close to the main one."""
    rows, cols = np.nonzero(main)
    reach = _LOOSE_GAP * max(np.ptp(rows), np.ptp(cols))
    gap = np.asarray(ndimage.minimum(ndimage.distance_transform_edt(~main), labels, np.arange(count + 1)))
    return gap <= reach


def _without_pinholes(binary: np.ndarray) -> np.ndarray:
    holes, count = ndimage.label(ndimage.binary_fill_holes(binary) & ~binary)
    if not count:
        return binary
    area = np.bincount(holes.ravel())
    small = area < _HOLE_SHARE * np.count_nonzero(binary)
    small[0] = False
    return binary | small[holes]
