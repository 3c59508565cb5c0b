"""Unrolling a sheet: arc length on half a cylinder, nothing where nothing is sewn, and never an overlap."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from garment3d.garment.depth import depths
from garment3d.garment.flatten import signed_areas
from garment3d.garment.inflate import inflation
from garment3d.garment.mesher import fill, inside, rim_rings, triangulate
from garment3d.garment.unroll import unrolled
from tests.drawn import GARMENTS, outline_of, shoelace, spaced

RADIUS, LENGTH = 0.12, 1.0
SPACING = 0.012


@cache
def strip() -> tuple[np.ndarray, np.ndarray]:
    ring = spaced(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [RADIUS, LENGTH / 2], SPACING)
    points = np.concatenate([ring, fill([ring], SPACING)])
    return points, triangulate(points, [ring])


def at_sides(points: np.ndarray) -> np.ndarray:
    return np.isclose(np.abs(points[:, 0]), RADIUS)


@cache
def garment(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, faces and what is sewn: all of a drawn garment's outline but its openings' own edges."""
    drawn = GARMENTS[name]
    ring = spaced(outline_of(drawn, 1.0, (0, -0.5)) * [1, -1], 0.03)
    points = np.concatenate([ring, fill([ring], 0.03)])
    half = np.array(drawn.half) * [1, -1] + [0, 0.5]
    sewn = np.zeros(len(points), bool)
    sewn[: len(ring)] = True
    for a, b in drawn.openings.values():
        ends = (half[a], half[b]) if a != b else (half[a], half[a] * [-1, 1])
        for mirror in ([1, 1], [-1, 1]):
            p, q = ends[0] * mirror, ends[1] * mirror
            t = np.clip((ring - p) @ (q - p) / ((q - p) @ (q - p)), 0, 1)
            near = np.linalg.norm(ring - p - t[:, None] * (q - p), axis=1)
            sewn[: len(ring)] &= ~((near < 1e-6) & (t > 1e-6) & (t < 1 - 1e-6))
    return points, triangulate(points, [ring]), sewn


def crossed(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether any two of the segments a→b properly cross, by orientation."""

    def turn(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return np.sign((q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1])
                       - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0]))  # fmt: skip

    i, j = np.triu_indices(len(a), 1)
    one = turn(a[i], b[i], a[j]) * turn(a[i], b[i], b[j])
    two = turn(a[j], b[j], a[i]) * turn(a[j], b[j], b[i])
    return bool(((one < 0) & (two < 0)).any())


def test_half_a_cylinder_is_laid_out_by_arc_length() -> None:
    points, faces = strip()
    place = unrolled(points, faces, inflation(points, faces, at_sides(points)), at_sides(points))
    middle = np.abs(points[:, 1]) < LENGTH / 4
    arc = RADIUS * np.arcsin(np.clip(points[:, 0] / RADIUS, -1, 1))
    assert np.ptp(place[middle, 0]) == pytest.approx(np.pi * RADIUS, rel=0.1)
    assert np.abs(place[middle, 0] - arc[middle]).max() < 0.12 * RADIUS
    assert np.abs(place[middle, 1] - points[middle, 1]).max() < 0.05 * RADIUS


def test_a_share_of_it_goes_a_share_of_the_way() -> None:
    points, faces = strip()
    height = inflation(points, faces, at_sides(points))
    widths = [np.ptp(unrolled(points, faces, height, at_sides(points), share)[:, 0]) for share in (0, 0.5, 1)]
    assert widths[1] == pytest.approx((widths[0] + widths[2]) / 2, rel=0.01)


def test_a_sheet_that_lies_flat_or_is_sewn_nowhere_keeps_its_outline() -> None:
    points, faces = strip()
    (rim,) = rim_rings(faces)
    for height, seam in (
        (np.zeros(len(points)), at_sides(points)),
        (np.ones(len(points)), np.zeros(len(points), bool)),
    ):
        np.testing.assert_allclose(unrolled(points, faces, height, seam)[rim], points[rim], atol=1e-12)
    np.testing.assert_array_equal(unrolled(points, faces, np.ones(len(points)), at_sides(points), 0.0), points)


@pytest.mark.parametrize("name", GARMENTS)
def test_a_garment_spreads_without_a_fold_or_an_overlap(name: str) -> None:
    points, faces, sewn = garment(name)
    height = depths(points, faces, sewn, GARMENTS[name].garment_class)
    before = points.copy()
    place = unrolled(points, faces, height, sewn)
    np.testing.assert_array_equal(points, before)
    (ring,) = rim_rings(faces)
    assert not crossed(place[ring], np.roll(place[ring], -1, 0))
    assert (signed_areas(place, faces) <= 0).mean() < 0.01
    assert shoelace(place[ring]) > 1.05 * shoelace(points[ring])
    inner = np.setdiff1d(np.arange(len(points)), ring)
    assert inside(place[inner], [place[ring]]).mean() > 0.99
