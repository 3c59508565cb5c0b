"""A curved open sheet laid flat with as little stretch as it allows: for UV panels and for even remeshing.

Lengths keep their unit, so a sheet that can be unrolled (a tube half, a cone) keeps every length exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

SETTLED = 3e-5
"""Iterations stop when the triangles' rotations change by less than this on average (radians)."""
ROOM, ROOM_RINGS, ROOM_STEPS = (0.7, 1.4), 4, 15
"""How far triangles may be scaled around turned ones, how many rings of them, and how often that is tried."""
FEW = 2e-3
"""A share of turned triangles below this does not move the whole sheet away from its lengths."""
FLAT_HEIGHT = 1e-3
"""Triangles lower than this share of their base are treated as this high, so that no weight is infinite."""


class _System(NamedTuple):
    """Local step: rotations = unit(gather @ u); global step: laplacian u = spread @ rotations; sparse matrices."""

    spread: Any
    gather: Any
    laplacian: SuperLU
    component: np.ndarray


def flatten(
    vertices: np.ndarray, faces: np.ndarray, initial_uv: np.ndarray | None = None, iterations: int = 100
) -> np.ndarray:
    """[N,2] positions in the plane, in the unit of `vertices`, as isometric as possible with a free boundary.

    Args:
        vertices: [N,3]; every vertex may be in any number of faces, those in none stay at their initial place.
        faces: [F,3] of an open sheet, one or several components, with or without holes.
        initial_uv: [N,2], whose orientation, place and direction are kept; by default the projection along z,
            mirrored in x where the sheet faces −Z, so that the result is counter-clockwise.
        iterations: At most this many local/global steps.

    Triangles that the result would turn over are relaxed; where that fails for many the sheet moves towards
    `initial_uv`, and where it fails for a few (an armpit drawn to a point) they stay turned.

    Source: Liu, Zhang, Xu, Gotsman, Gortler, "A Local/Global Approach to Mesh Parameterization", SGP 2008; its hybrid
    of rigid and similar triangles where the rigid ones alone would turn over.
    """
    points, faces = np.asarray(vertices, float), np.asarray(faces)
    start = _planar(points, faces) if initial_uv is None else np.asarray(initial_uv, float)
    if not len(faces):
        return start.copy()
    sign = 1.0 if signed_areas(start, faces).sum() >= 0 else -1.0
    initial = start[:, 0] + 1j * sign * start[:, 1]
    used = np.unique(faces)
    local = np.zeros(len(points), int)
    local[used] = np.arange(len(used))
    flat = initial.copy()
    flat[used] = _as_rigid_as_possible(points[used], local[faces], initial[used], iterations)
    return np.stack([np.real(flat), sign * np.imag(flat)], 1)


def signed_areas(uv: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[F] areas in uv², negative where a triangle is clockwise."""
    a, b = uv[faces[:, 1]] - uv[faces[:, 0]], uv[faces[:, 2]] - uv[faces[:, 0]]
    return 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def stretch(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """[F,2] singular values (larger, smaller) of the map from each triangle in space to `uv`; 1 keeps lengths."""
    corners = _charts(np.asarray(vertices, float), faces)
    p, q = corners[:, 1], corners[:, 2]
    flat = uv[:, 0] + 1j * uv[:, 1]
    dp, dq = flat[faces[:, 1]] - flat[faces[:, 0]], flat[faces[:, 2]] - flat[faces[:, 0]]
    # The map is z → a z + b z̄; its singular values are |a| ± |b|.
    determinant = p * q.conj() - q * p.conj()
    a = np.abs((dp * q.conj() - dq * p.conj()) / determinant)
    b = np.abs((dq * p - dp * q) / determinant)
    return np.stack([a + b, np.abs(a - b)], 1)


def _planar(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[N,2]: (x, y), or (−x, y) where the sheet as a whole faces −Z."""
    plane = points[:, :2].copy()
    if len(faces) and signed_areas(plane, faces).sum() < 0:
        plane[:, 0] *= -1
    return plane


def _as_rigid_as_possible(points: np.ndarray, faces: np.ndarray, initial: np.ndarray, iterations: int) -> np.ndarray:
    """[N] complex positions with the direction and centroid of `initial`, each component on its own."""
    system = _assemble(points, faces)
    flat, turn = initial, _unit(system.gather @ initial)
    for _ in range(iterations):
        flat = _solved(system, turn)
        last, turn = turn, _unit(system.gather @ flat)
        if np.abs(turn - last).mean() < SETTLED:
            break
    flat = _with_room(system, flat, points, faces)
    flat = _ears_out(_placed(flat, initial, system.component), points, faces)
    return _without_flips(flat, initial, faces)


def _solved(system: _System, local: np.ndarray) -> np.ndarray:
    """[N] complex positions that fit the triangles turned (and scaled) by [F] complex numbers best."""
    right = system.spread @ local
    solved = system.laplacian.solve(np.stack([np.real(right), np.imag(right)], 1))
    return solved[:, 0] + 1j * solved[:, 1]


def _with_room(system: _System, flat: np.ndarray, points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`flat` where triangles near turned ones may shrink and grow: an armpit has no place to lie flat at full size."""
    b, c = _charts(points, faces)[:, 1:].T
    unscaled = 2 * np.imag(b.conj() * c)
    free = np.zeros(len(faces), bool)
    for _ in range(ROOM_STEPS):
        turned = _flipped(flat, faces)
        if not turned.any():
            break
        near = np.zeros(len(flat), bool)
        near[faces[turned]] = True
        for _ in range(ROOM_RINGS):
            near[faces[near[faces].any(1)]] = True
        free |= near[faces].any(1)
        fit = system.gather @ flat
        flat = _solved(system, _unit(fit) * np.where(free, np.clip(np.abs(fit) / unscaled, *ROOM), 1.0))
    return flat


def _assemble(points: np.ndarray, faces: np.ndarray) -> _System:
    """Cotangent weights taken from the triangles' own flat charts, so that the matrix stays positive semidefinite."""
    count, corners = len(points), _charts(points, faces)
    rows, cols, weights, spread_rows, spread_weights = [], [], [], [], []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        product = (corners[:, j] - corners[:, i]).conj() * (corners[:, k] - corners[:, i])
        cotangent = product.real / product.imag
        edge = cotangent * (corners[:, j] - corners[:, k])
        for a, b in ((j, k), (k, j)):
            rows += [faces[:, a], faces[:, a]]
            cols += [faces[:, a], faces[:, b]]
            weights += [cotangent, -cotangent]
        spread_rows += [faces[:, j], faces[:, k]]
        spread_weights += [edge, -edge]
    laplacian = _sparse(rows, cols, weights, (count, count))
    columns = [np.arange(len(faces))] * 6
    spread = _sparse(spread_rows, columns, spread_weights, (count, len(faces)))
    component = connected_components(laplacian, directed=False)[1]
    # One vertex of each component is held at the origin: the right side sums to zero, so this costs nothing.
    pinned = np.zeros(count)
    pinned[np.unique(component, return_index=True)[1]] = 1.0
    factor = splu(
        (laplacian + sparse.diags(pinned)).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return _System(spread, spread.conj().T.tocsr(), factor, component)


def _sparse(rows: list, cols: list, values: list, hw: tuple[int, int]) -> Any:
    """A matrix from lists of equally long pieces, repeated entries added."""
    return sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=hw)


def _charts(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[F,3] complex corners of each triangle in its own plane, counter-clockwise, the first at 0."""
    a, b = points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]]
    tiny = 1e-9 * max(float(np.abs(a).max(initial=0)), 1e-12)
    base = np.maximum(np.linalg.norm(a, axis=1), tiny)
    along = np.einsum("ij,ij->i", a, b) / base
    height = np.linalg.norm(np.cross(a, b), axis=1) / base
    height = np.maximum(height, FLAT_HEIGHT * np.maximum(base, np.abs(along)))
    return np.stack([np.zeros(len(faces)), base, along + 1j * height], 1)


def _unit(z: np.ndarray) -> np.ndarray:
    """[F] complex numbers of length 1; zero becomes 1."""
    length = np.abs(z)
    return np.where(length > 1e-300, z / np.maximum(length, 1e-300), 1.0)


def _placed(flat: np.ndarray, initial: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Each component moved and turned (not scaled) onto its initial positions."""
    count = np.bincount(component)

    def mean(z: np.ndarray) -> np.ndarray:
        return (np.bincount(component, np.real(z)) + 1j * np.bincount(component, np.imag(z))) / count

    flat, target = flat - mean(flat)[component], mean(initial)
    turn = _unit(mean((initial - target[component]) * flat.conj()))
    return flat * turn[component] + target[component]


def _flipped(flat: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[F] bool, True where a triangle is turned over or has no area."""
    a, b = flat[faces[:, 1]] - flat[faces[:, 0]], flat[faces[:, 2]] - flat[faces[:, 0]]
    return (a.conj() * b).imag <= 0


def _ears_out(flat: np.ndarray, points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`flat` where turned triangles that hang on one edge only have their free corner laid outside that edge."""
    alone = (np.bincount(faces.ravel(), minlength=len(flat)) == 1)[faces]
    ears = np.flatnonzero(_flipped(flat, faces) & (alone.sum(1) == 1))
    tip = np.argmax(alone[ears], 1)
    p, q, r = faces[ears][np.arange(len(ears))[:, None], (tip[:, None] + [1, 2, 0]) % 3].T
    corner = _charts(points, np.stack([p, q, r], 1))
    flat = flat.copy()
    flat[r] = flat[p] + (flat[q] - flat[p]) / corner[:, 1] * corner[:, 2]
    return flat


def _without_flips(flat: np.ndarray, initial: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`flat` with turned triangles relaxed; where many stay, its closest blend with `initial` that has the fewest."""
    best = _relaxed(flat, faces)
    fewest = int(_flipped(best, faces).sum())
    for blend in (0.25, 0.5, 0.75, 0.9, 1.0):
        if fewest <= FEW * len(faces):
            break
        tried = _relaxed(flat + blend * (initial - flat), faces)
        turned = int(_flipped(tried, faces).sum())
        if turned < fewest:
            best, fewest = tried, turned
    return best


def _relaxed(flat: np.ndarray, faces: np.ndarray, rings: int = 5) -> np.ndarray:
    """Vertices around turned triangles moved to the mean of their neighbours, in ever larger rings while that helps."""
    near = _neighbours(faces, len(flat))
    mean = sparse.diags(1 / np.maximum(np.asarray(near.sum(1)).ravel(), 1)) @ near
    best, fewest = flat, int(_flipped(flat, faces).sum())
    for ring in range(rings):
        turned = _flipped(flat, faces)
        if turned.sum() < fewest:
            best, fewest = flat, int(turned.sum())
        if not fewest:
            break
        moving = np.zeros(len(flat), bool)
        moving[faces[turned]] = True
        for _ in range(ring):
            moving |= (near.T @ moving) > 0
        for _ in range(5 + 5 * ring):
            flat = np.where(moving, mean @ flat, flat)
    return best


def _neighbours(faces: np.ndarray, count: int) -> Any:
    """[N,N] sparse, row i is 1 at the neighbours of i; at the rim only at those along the rim, lest it shrinks."""
    a, b = faces.ravel(), np.roll(faces, -1, 1).ravel()
    ones = np.ones(2 * len(a))
    sides: Any = sparse.csr_matrix((ones, (np.r_[a, b], np.r_[b, a])), shape=(count, count))
    rim = sides.multiply(sides == 1)
    at_rim = np.asarray(rim.sum(1)).ravel() > 0
    return (sparse.diags((~at_rim).astype(float)) @ (sides > 0) + rim).tocsr()
