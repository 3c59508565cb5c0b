"""Straps whose front and back show apart in the photo: each panel keeps one, and holes elsewhere stay."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from garment3d.garment.mesher import inside
from garment3d.garment.straps import Piece, parted

NECK = np.array([[0.1, 0.4], [0.1, 0.0], [-0.1, 0.0], [-0.1, 0.4]])
ARMHOLE = np.array([[-0.16, 0.4], [-0.16, 0.0], [-0.2, -0.1]])
BETWEEN = np.array([[-0.14, 0.1], [-0.14, 0.3], [-0.12, 0.3], [-0.12, 0.1]])
"""Background in the middle of the strap that stands at x from -0.16 to -0.10, with 0.02 of cloth on each side."""


def dense(corners: np.ndarray) -> np.ndarray:
    parts = [np.linspace(a, b, 60)[:-1] for a, b in pairwise(corners)]
    return np.concatenate([*parts, corners[-1:]])


def ring(hole: np.ndarray) -> list[Piece]:
    closed = dense(np.vstack([hole, hole[:1]]))
    return [Piece(closed, closed, None)]


@pytest.fixture
def outer() -> list[Piece]:
    top = dense(np.stack([NECK[-1], ARMHOLE[0]]))
    rest = dense(np.array([ARMHOLE[-1], [-0.2, -0.5], [0.2, -0.5], [0.2, 0.4], NECK[0]]))
    neck, armhole = dense(NECK), dense(ARMHOLE)
    return [
        Piece(rest, rest, None),
        Piece(neck, neck, "neck"),
        Piece(top, top, None),
        Piece(armhole, armhole, "armhole_r"),
    ]


def covered(pieces: list[Piece], side: int, points: list[list[float]]) -> list[bool]:
    outline = np.concatenate([piece[side][:-1] for piece in pieces])
    return inside(np.array(points), [outline]).tolist()


def test_the_hole_goes_and_each_panel_keeps_the_strap_on_its_side(outer):
    (pieces,) = parted([outer, ring(BETWEEN)])
    neck_side, armhole_side, gap = [-0.11, 0.2], [-0.15, 0.2], [-0.13, 0.2]
    assert covered(pieces, 0, [neck_side, armhole_side, gap]) == [True, False, False]
    assert covered(pieces, 1, [neck_side, armhole_side, gap]) == [False, True, False]


def test_both_panels_still_meet_at_the_ends_of_the_openings(outer):
    (pieces,) = parted([outer, ring(BETWEEN)])
    for before, after in zip(outer, pieces, strict=True):
        for lip in after[:2]:
            assert np.allclose(lip[[0, -1]], before.back[[0, -1]])


def test_above_and_below_the_hole_nothing_changes(outer):
    (pieces,) = parted([outer, ring(BETWEEN)])
    points = [[-0.13, 0.38], [-0.13, -0.05], [0.0, -0.3]]
    assert covered(pieces, 0, points) == covered(pieces, 1, points) == [True, True, True]


@pytest.mark.parametrize("shift", [[0.15, -0.4], [0.28, -0.1]])
def test_a_hole_that_is_not_between_neck_and_armhole_stays(outer, shift):
    rings = parted([outer, ring(BETWEEN + np.array(shift))])
    assert len(rings) == 2
    assert all(a is b for a, b in zip(rings[0], outer, strict=True))


def test_without_holes_the_rings_are_the_same(outer):
    assert parted([outer]) == [outer]
