"""The garment's solid body as a distance-like grid, its surface, and a surface cut open along given fields.

The surface comes from marching cubes over a smooth union of primitives, so torso and limbs are one connected mesh.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_matrix, diags
from skimage.measure import marching_cubes

from .sections import Limb, Torso

FAR = 30.0


class Patch(NamedTuple):
    """A surface being cut: [V,3] cm, [F,3], and [F] the primitive each face belongs to (0 torso, 1… limbs)."""

    vertices: np.ndarray
    faces: np.ndarray
    panel: np.ndarray


class Grid(NamedTuple):
    """A box of samples: lowest corner in cm, spacing in cm, and the number of samples per axis."""

    low: np.ndarray
    step: float
    count: tuple[int, int, int]

    def points(self, region: tuple[slice, slice, slice]) -> np.ndarray:
        """[nx,ny,nz,3] sample positions in cm inside a region of indices."""
        axes = [self.low[i] + self.step * np.arange(self.count[i])[region[i]] for i in range(3)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def sample(self, values: np.ndarray, points: np.ndarray) -> np.ndarray:
        """[N] trilinear values of a [nx,ny,nz] array at [N,3] points in cm."""
        return map_coordinates(values, ((points - self.low) / self.step).T, order=1, mode="nearest")


def distance(grid: Grid, primitive: Torso | Limb) -> np.ndarray:
    """[nx,ny,nz] first-order distance in cm to a primitive, negative inside; FAR away from a limb."""
    region = tuple(slice(None) for _ in range(3))
    if isinstance(primitive, Limb):
        t = np.linspace(0, 1.15, 30)
        reach = primitive.axes(t).max() + 4
        curve = primitive.curve(t)
        first = np.floor((curve.min(0) - reach - grid.low) / grid.step).astype(int)
        last = np.ceil((curve.max(0) + reach - grid.low) / grid.step).astype(int)
        region = tuple(slice(max(a, 0), max(b, 0)) for a, b in zip(first, last, strict=True))
    k = primitive.norm(grid.points(region))
    slope = np.sqrt(sum(g**2 for g in np.gradient(k, grid.step)))
    values = np.full(grid.count, FAR)
    values[region] = np.minimum((k - 1) / np.maximum(slope, 1e-4), FAR)
    return values


def union(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Smooth minimum of two distance fields; `blend` cm wide, so that a sleeve meets the body in a fillet."""
    weight = np.clip(blend - np.abs(first - second), 0, None) / blend
    return np.minimum(first, second) - weight**2 * blend / 4


def surface(grid: Grid, total: np.ndarray) -> Patch:
    """The zero surface of a field with outward faces; all belong to panel 0 until `split` says otherwise."""
    vertices, faces, _, _ = marching_cubes(total, 0.0, spacing=(grid.step,) * 3, gradient_direction="descent")
    faces = faces.astype(np.int64)
    patch = Patch(vertices + grid.low, faces, np.zeros(len(faces), int))
    return relaxed(patch, grid, total, rounds=4)


def relaxed(patch: Patch, grid: Grid, total: np.ndarray, rounds: int) -> Patch:
    """The same surface with evenly spread vertices: slid towards their neighbours' mean, then back onto the field.

    Vertices on a boundary or between two panels stay.
    """
    faces, count = patch.faces, len(patch.vertices)
    rows, columns = faces[:, [0, 1, 2, 1, 2, 0]].ravel(), faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    links = csr_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    borders = links.copy()
    borders.data = borders.data % 2
    fixed = np.asarray(borders.sum(1)).ravel() > 0
    lowest, highest = np.full(count, 99), np.full(count, -1)
    np.minimum.at(lowest, faces.ravel(), np.repeat(patch.panel, 3))
    np.maximum.at(highest, faces.ravel(), np.repeat(patch.panel, 3))
    free = (~fixed & (lowest == highest))[:, None]
    mean = diags(1 / np.maximum(np.asarray(links.sum(1)).ravel(), 1)) @ links
    slopes = np.gradient(total, grid.step)
    vertices = patch.vertices.astype(float)
    for _ in range(rounds):
        vertices = vertices + 0.6 * free * (mean @ vertices - vertices)
        slope = np.stack([grid.sample(g, vertices) for g in slopes], 1)
        # The field's own value over its own slope: one Newton step back onto the surface.
        back = grid.sample(total, vertices)[:, None] * slope / np.maximum((slope**2).sum(1, keepdims=True), 0.05)
        vertices = vertices - free * back
    return patch._replace(vertices=vertices)


def _snapped(patch: Patch, value: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices within `near` of an edge crossing are moved onto it, so that the cut leaves no slivers."""
    edges = np.concatenate([patch.faces[:, [0, 1]], patch.faces[:, [1, 2]], patch.faces[:, [2, 0]]])
    edges = edges[value[edges[:, 0]] * value[edges[:, 1]] < 0]
    share = np.abs(value[edges[:, 0]]) / np.abs(value[edges[:, 0]] - value[edges[:, 1]])
    edges = np.where((share > 0.5)[:, None], edges[:, ::-1], edges)
    share = np.minimum(share, 1 - share)
    order = np.argsort(-share, kind="stable")
    order = order[share[order] < near]
    here, there, share = edges[order, 0], edges[order, 1], share[order, None]
    vertices, value = patch.vertices.copy(), value.copy()
    vertices[here] = patch.vertices[here] * (1 - share) + patch.vertices[there] * share
    snapped = value.copy()
    snapped[here] = 0.0
    # A face with all three corners on the cut would have no area: it keeps its farthest corner where it was.
    for _ in range(4):
        flat = patch.faces[(snapped[patch.faces] == 0).all(1)]
        if not len(flat):
            break
        back = flat[np.arange(len(flat)), np.abs(value[flat]).argmax(1)]
        vertices[back], snapped[back] = patch.vertices[back], value[back]
    return vertices, snapped


def split(patch: Patch, value: np.ndarray, near: float = 0.22) -> tuple[Patch, np.ndarray]:
    """The same surface with edges along value = 0, and [F] bool, True where the value is positive."""
    vertices, value = _snapped(patch, value, near)
    sign = np.sign(value)[patch.faces]
    mixed = (sign.min(1) < 0) & (sign.max(1) > 0)
    faces, panel, sign = patch.faces[mixed], patch.panel[mixed], sign[mixed]
    touching = (sign == 0).any(1)
    # The corner that stands alone comes first: the zero corner if there is one, else the odd sign.
    alone = np.where(touching, np.argmin(np.abs(sign), 1), np.argmax(sign == -np.sign(sign.sum(1))[:, None], 1))
    faces = faces[np.arange(len(faces))[:, None], (alone[:, None] + np.arange(3)) % 3]
    ends = np.concatenate([faces[touching][:, [1, 2]], faces[~touching][:, [0, 1]], faces[~touching][:, [0, 2]]])
    unique, index = np.unique(np.sort(ends, 1), axis=0, return_inverse=True)
    share = (value[unique[:, 0]] / (value[unique[:, 0]] - value[unique[:, 1]]))[:, None]
    crossing = vertices[unique[:, 0]] * (1 - share) + vertices[unique[:, 1]] * share
    index = index.reshape(-1) + len(vertices)
    n_touch, n_plain = int(touching.sum()), int((~touching).sum())
    m, p, q = index[:n_touch], index[n_touch : n_touch + n_plain], index[n_touch + n_plain :]
    a, b, c = faces[touching].T
    d, e, f = faces[~touching].T
    new = [np.stack(corners, 1) for corners in [(a, b, m), (a, m, c), (d, p, q), (p, e, f), (p, f, q)]]
    origin = [panel[touching]] * 2 + [panel[~touching]] * 3
    value = np.concatenate([value, np.zeros(len(crossing))])
    faces = np.concatenate([patch.faces[~mixed], *new])
    result = Patch(np.concatenate([vertices, crossing]), faces, np.concatenate([patch.panel[~mixed], *origin]))
    return result, value[faces].sum(1) > 0


def drop(patch: Patch, gone: np.ndarray) -> Patch:
    """The patch without the faces marked in [F] bool and without vertices that no face uses."""
    faces = patch.faces[~gone]
    used, faces = np.unique(faces, return_inverse=True)
    return Patch(patch.vertices[used], faces.reshape(-1, 3), patch.panel[~gone])


def boundary_loops(faces: np.ndarray) -> list[np.ndarray]:
    """Closed boundary loops as arrays of vertex indices in face direction; none where closed or where loops touch."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
    twin = edges[:, 1] * (faces.max() + 1) + edges[:, 0]
    border = edges[~np.isin(key, twin)]
    after = dict(border.tolist())
    if len(after) < len(border):
        return []
    loops = []
    while after:
        start, step = after.popitem()
        loop = [start]
        while step != start:
            if step not in after:
                return []
            loop.append(step)
            step = after.pop(step)
        loops.append(np.array(loop))
    return loops
