"""Which vertices a modeller wants by name: the loops of the openings, and what holds the garment up as cloth.

Everything here is in the file's frame, metres with +Y up, on the mesh welded by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..data import Opening
from ..garment.loops import anchor, boundary_loops, name_loops

REACH = 0.1
"""Of the longest side: an opening belongs to the loop whose anchor lies within this."""
BAND = 0.04
"""Of the garment's height: how wide the held band is, of which the outer half lets go gradually."""
SHOULDERS = 2.2
"""Breadth of the shoulders in widths of the neck, where the hem is not narrower: about 40 cm for 18 cm."""
SLOPE = 0.7
"""How steeply shoulders may fall from the neck outwards."""


class Ring(NamedTuple):
    """An opening as it is on the mesh."""

    name: str
    anchor: np.ndarray
    """[3] metres."""
    outward: np.ndarray
    """[3] unit vector along which the wearer's limb leaves the garment; 0 0 0 where there is no loop."""
    circumference_m: float
    """0 where there is no loop."""
    vertices: np.ndarray
    """[K] welded indices round the loop; none where the mesh is closed there."""


class Pin(NamedTuple):
    """The vertices that a cloth simulation holds."""

    vertices: np.ndarray
    """[K] welded indices, ascending."""
    weights: np.ndarray
    """[K] above 0 up to 1."""


def rings(vertices: np.ndarray, faces: np.ndarray, openings: Sequence[Opening]) -> tuple[Ring, ...]:
    """One Ring per opening of a welded layer, then one called hole per loop left over; without openings one per loop.

    An opening without a loop keeps its anchor.
    """
    import trimesh

    loops = boundary_loops(trimesh.Trimesh(vertices, faces, process=False))
    places = [anchor(vertices[loop]) for loop in loops]
    bounds = np.stack([vertices.min(0), vertices.max(0)])
    if not openings:
        names = name_loops([vertices[loop] for loop in loops], bounds)
        return tuple(_ring(*found, vertices) for found in zip(names, places, loops, strict=True))
    reach = REACH * float(np.ptp(bounds, axis=0).max())
    free = list(range(len(loops)))
    found: list[Ring] = []
    for opening in openings:
        place = np.asarray(opening.anchor, float)
        near = min(free, key=lambda i: float(np.linalg.norm(places[i] - place)), default=None)
        if near is None or np.linalg.norm(places[near] - place) > reach:
            found.append(Ring(opening.name, place, np.zeros(3), 0.0, np.zeros(0, int)))
            continue
        free.remove(near)
        found.append(_ring(opening.name, place, loops[near], vertices))
    return (*found, *(_ring("hole", places[i], loops[i], vertices) for i in free))


def _ring(name: str, place: np.ndarray, loop: np.ndarray, vertices: np.ndarray) -> Ring:
    points = vertices[loop]
    along = np.roll(points, -1, 0) - points
    area = np.cross(points - points.mean(0), along).sum(0) / 2
    size = float(np.linalg.norm(area))
    # Seen against its direction an open edge runs clockwise round the hole, as faces do the other way round.
    outward = -area / size if size > 0 else np.zeros(3)
    return Ring(name, place, outward, float(np.linalg.norm(along, axis=1).sum()), np.unique(loop))


def outer_layer(faces: np.ndarray, count: int) -> np.ndarray:
    """[F] bool: the outer layer of cloth with a thickness, as `solidify` lays it; every face of any other mesh.

    Args:
        count: vertices of the mesh, not welded.
    """
    half = count // 2
    outer, inner = (faces < half).all(1), (faces >= half).all(1)
    rims = len(faces) - outer.sum() - inner.sum()  # a shell's two halves may be mirror images too, but have none
    if rims and count % 2 == 0 and np.array_equal(faces[inner], faces[outer, ::-1] + half):
        return np.asarray(outer)
    return np.ones(len(faces), bool)


def seams(welded: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[E,2] welded edges, smaller index first, at which the uvs of a mesh's two faces lie apart; none without cuts.

    Args:
        welded: [F,3] the faces by welded vertices.
        faces: [F,3] the same faces by vertices, which uv islands don't share.
    """
    ends, own = (np.stack([f, np.roll(f, -1, 1)], -1).reshape(-1, 2) for f in (welded, faces))
    swap = ends[:, 0] > ends[:, 1]
    ends[swap], own[swap] = ends[swap, ::-1], own[swap, ::-1]
    pairs = np.unique(np.concatenate([ends, own], 1), axis=0)[:, :2]
    edges, uses = np.unique(pairs, axis=0, return_counts=True)
    return edges[uses > 1]


def pin(vertices: np.ndarray, found: Sequence[Ring]) -> Pin:
    """What carries the garment: the waist's band, else the neck's and the shoulders beside it, else the upper edge."""
    band = BAND * float(np.ptp(vertices[:, 1]))
    named = {ring.name: vertices[ring.vertices] for ring in found if len(ring.vertices)}
    loop = named.get("waist", named.get("neck"))
    if loop is None:
        weights = _falling(vertices[:, 1].max() - vertices[:, 1], band)
    else:
        weights = _falling(_apart(vertices, loop), band)
    if loop is not None and "waist" not in named:
        weights = np.maximum(weights, _shoulders(vertices, loop, named.get("hem"), band))
    held = np.flatnonzero(weights > 0.005)
    return Pin(held, weights[held])


def _shoulders(vertices: np.ndarray, neck: np.ndarray, hem: np.ndarray | None, band: float) -> np.ndarray:
    """[N] weights of what rests on the shoulders: the upper side of the garment, as far out as shoulders reach."""
    middle, breadth = (neck[:, 0].min() + neck[:, 0].max()) / 2, float(np.ptp(neck[:, 0]))
    half = SHOULDERS * breadth / 2
    half = half if hem is None else max(min(half, float(np.ptp(hem[:, 0])) / 2), 0.6 * breadth)
    side = np.abs(vertices[:, 0] - middle)
    column = np.round(vertices[:, 0] / (band / 2)).astype(int)
    column -= column.min()
    top = np.full(column.max() + 1, -np.inf)
    np.maximum.at(top, column, vertices[:, 1])
    top = np.maximum(top, np.maximum(np.r_[top[1:], -np.inf], np.r_[-np.inf, top[:-1]]))  # a slope inside a column
    slope = neck[:, 1].max() - SLOPE * np.maximum(side - breadth / 2, 0)  # an underarm lies far below, a shoulder not
    under = (top[column] - vertices[:, 1], 2 * np.maximum(side - half, 0), (slope - vertices[:, 1]) / 2)
    return np.min([_falling(distance, band) for distance in under], axis=0)


def _apart(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(others).query(points)[0])


def _falling(distance: np.ndarray, band: float) -> np.ndarray:
    """1 up to half the band, then smoothly down to 0 at its end."""
    part = np.clip(2 - 2 * distance / band, 0, 1)
    return part * part * (3 - 2 * part)
