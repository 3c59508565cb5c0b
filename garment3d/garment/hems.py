"""The hems of a closed mesh opened: caps over neck, cuffs, hem, waist and legs cut away, the inside layer dropped.

For a mesh that keeps its own triangles; where the cuts go is read from the photo's outline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import trimesh

from ..camera import photo_camera
from ..data import Opening
from ..errors import MeshError
from .hems_carry import carried
from .hems_cut import compacted, parts, split, weld
from .hems_layers import garment_pieces
from .hems_draw import drawn
from .hems_sheet import Curve, Offsets, Sheet, curves, offsets
from .loops import openings
from .neckline import front_neckline
from .openings import Span, find_openings
from .panels import pieces_of

INSET = 0.012
"""How far inside a lip the cut runs, in canonical units: as far as a cap is usually rounded off."""
BAND = 4.0
"""The cloth above a cut is drawn out to the lip, over so many insets."""
REACH = 0.35
"""How far beyond its sheet a cap may reach, in widths of the opening."""


class Opened(NamedTuple):
    """A mesh with its hems open, in the canonical frame."""

    mesh: trimesh.Trimesh
    openings: tuple[Opening, ...]
    """One per boundary loop, longest first."""
    warnings: tuple[str, ...]


def sheets_of(
    mesh_points: np.ndarray, soft: np.ndarray, rgb: np.ndarray | None, spans: tuple[Span, ...]
) -> tuple[Sheet, ...]:
    """The Sheet of every opening, between the front and the back wall of [N,3] canonical points."""
    top = next((s for s in spans if s.name in ("neck", "waist")), None)
    neckline = front_neckline(rgb, soft, top) if rgb is not None and top is not None else None
    depth = _Walls(mesh_points)
    result = []
    for piece in pieces_of(soft, photo_camera(soft), spans, neckline)[0]:
        if piece.name is not None:
            front, back = curves(piece)
            result.append(Sheet(piece.name, front, back, depth.at(front, 1), depth.at(back, -1)))
    return tuple(result)


class _Walls:
    """Depth of the front and the back wall over the photo's plane."""

    cell = 0.008

    def __init__(self, points: np.ndarray) -> None:
        from scipy.ndimage import grey_closing, grey_dilation

        self.low = points[:, :2].min(0) - 2 * self.cell
        index = ((points[:, :2] - self.low) / self.cell).astype(int)
        hw = tuple(index.max(0) + 3)
        self.maps = []
        for sign in (1, -1):
            grid = np.full(hw, -np.inf)
            np.maximum.at(grid, tuple(index.T), sign * points[:, 2])
            empty = ~np.isfinite(grid)
            grid[empty] = grid[~empty].min()
            grid = grey_closing(grid, (3, 3))
            self.maps.append(grey_dilation(grid, (3, 3)))

    def at(self, curve: Curve, sign: int) -> np.ndarray:
        """[S] depth of the wall just inside a curve; on the straight ends that of the nearest end."""
        from scipy.ndimage import gaussian_filter1d

        on = (curve.along >= 0) & (curve.along <= 1)
        inner = curve.xy - 0.015 * curve.outward
        grid = self.maps[0 if sign > 0 else 1]
        index = np.clip(((inner - self.low) / self.cell).astype(int), 0, np.array(grid.shape) - 1)
        depth = sign * grid[tuple(index.T)]
        first, last = np.flatnonzero(on)[[0, -1]]
        depth = depth[np.clip(np.arange(len(depth)), first, last)]
        return gaussian_filter1d(depth, 4, mode="nearest")


def _beyond(sheet: Sheet, off: Offsets, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[P] how far beyond the cut, negative where another part of the garment is met."""
    value = off.beyond + INSET
    width = float(np.linalg.norm(sheet.back.xy[-1] - sheet.back.xy[0]))
    value = np.where((value > 0) & (value > REACH * width), -1.0, value)
    positive = value > 0
    inner = positive[faces].all(1)
    piece = parts(faces[inner], len(points))
    core = positive & (off.along > 0) & (off.along < 1) & (np.abs(off.across) < 1.3)
    total = np.bincount(piece[positive], minlength=len(points))
    good = np.bincount(piece[core], minlength=len(points)) > 0.3 * total
    best = np.where(good, total, 0).argmax()
    return np.where(positive & (piece != best), -1.0, value)


def open_hems(
    mesh: trimesh.Trimesh,
    soft: np.ndarray,
    rgb: np.ndarray | None = None,
    spans: tuple[Span, ...] | None = None,
    front: str = "auto",
) -> Opened:
    """The mesh in the canonical frame with its hems open."""
    spans = find_openings(soft).spans if spans is None else spans
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    place = weld(vertices)
    first = np.unique(place, return_index=True)[1]
    points = vertices[first]
    joined = place[faces]
    sheets = sheets_of(points, soft, rgb, spans)
    value = np.full(len(points), -1.0)
    for sheet in sheets:
        off = offsets(sheet, points)
        value = np.maximum(value, _beyond(sheet, off, joined, points))
    if not (value > 0).any():
        raise MeshError("none")
    cut = split(faces, place, value)
    ends = vertices[cut.origin.ends]
    share = cut.origin.share[:, None]
    where = ends[:, 0] * (1 - share) + ends[:, 1] * share
    outside = np.ones(len(faces), bool)
    cut = compacted(cut, garment_pieces(cut, where, outside))
    ends = vertices[cut.origin.ends]
    share = cut.origin.share[:, None]
    where = ends[:, 0] * (1 - share) + ends[:, 1] * share
    where = drawn(where, cut.faces, cut.place, cut.value == 0, sheets)
    result = carried(mesh, where, cut.faces, cut.origin)
    return Opened(result, openings(result), ())
