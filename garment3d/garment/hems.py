"""The hems of a closed mesh opened: caps over neck, cuffs, hem, waist and legs cut away, the inside layer dropped.

mesh ─▶ light copy ─▶ align ─▶ outer layer ─▶ sheets over the openings ─▶ cut ─▶ outer pieces ─▶ rims to the lips
The mesh keeps its own triangles; new vertices lie on the cuts only. Where the cuts go is read from the photo's outline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data import Opening
from ..errors import MeshError
from .hems_carry import carried
from .hems_cut import Cut, cut_off, kept_faces, lone_edges, parts, uncut, unpinched, weld
from .hems_draw import drawn
from .hems_layers import Skin, garment_pieces, layers_of, skin_of
from .hems_sheet import Offsets, Sheet, offsets
from .hems_sunk import sunk
from .hems_walls import sheets_of
from .loops import openings
from .openings import Span, find_openings
from .shell import garment_shell
from .target import Alignment, align, outer_layer, tidy

if TYPE_CHECKING:
    import trimesh

LIGHT = 50_000
"""Faces of the copy on which the mesh is aligned and its layers are told apart."""
SHELL = 4_000
REACH = 0.35
"""How far beyond its sheet a cap may reach, in widths of the opening."""
NEAR, STRAP = 0.04, 0.006
"""Two openings that face away from each other this near share a strap, of which at least the second stays."""
OPEN = (-0.05, 0.015)
"""A boundary that lies this far beyond its sheet is an open hem already; farther out it is trimmed."""
CORE = 0.3
"""Share of what is beyond a sheet that must lie over the opening itself, not beside it."""


class Opened(NamedTuple):
    """A mesh with its hems open, in the canonical frame."""

    mesh: trimesh.Trimesh
    openings: tuple[Opening, ...]
    """One per boundary loop, longest first."""
    alignment: Alignment
    warnings: tuple[str, ...]


class _Body(NamedTuple):
    """The mesh in the canonical frame, positions told apart from vertices."""

    vertices: np.ndarray
    faces: np.ndarray
    place: np.ndarray
    """[V] position of every vertex."""
    points: np.ndarray
    """[P,3] the positions."""
    outside: np.ndarray
    """[F] bool"""
    seen: np.ndarray
    """[P] bool, the positions of outside faces."""


def open_hems(
    mesh: trimesh.Trimesh,
    soft: np.ndarray,
    rgb: np.ndarray | None = None,
    spans: tuple[Span, ...] | None = None,
    front: str = "auto",
) -> Opened:
    """The mesh in the canonical frame of `photo_camera(soft)`, open where the photo's outline says, one layer.

    Args:
        mesh: of the garment in the photo, in any place, size and turn; closed or partly open. It keeps its triangles,
            uv, texture and colours.
        soft: [H,W] mask in 0..1.
        rgb: [H,W,3] uint8 photo, read for the front edge of the neck and to tell front from back.
        spans: openings on the outline; found from it when None.
        front: the mesh's axis that is its front: auto, +Z, -Z, +X, -X, +Y or -Y.

    Raises:
        MaskError, OutlineError: the mask is empty, or its outline gives no garment.
        MeshError: the mesh can't be used, has nothing to do with the photo, or has nothing to cut at any opening.
    """
    spans = find_openings(soft).spans if spans is None else spans
    if not spans:
        raise MeshError("No openings were given, so there is nothing to cut: give at least one, or None to find them.")
    light = tidy(mesh, LIGHT)
    outer = outer_layer(light.vertices, light.faces)
    alignment = align(light, garment_shell(soft, rgb, spans, SHELL), soft, rgb, front, outer)
    skin = skin_of(light, outer, alignment.matrix)
    body = _body(mesh, alignment.matrix, skin)
    sheets = sheets_of(body.points[body.seen], _normals(body)[body.seen], soft, rgb, spans)
    cut, notes = _without_caps(sheets, body)
    pieces = parts(body.place[body.faces], len(body.points))[body.place[body.faces[:, 0]]]
    cut = kept_faces(cut, garment_pieces(cut, cut.origin.weights @ body.vertices, pieces, body.outside))
    cut = unpinched(cut)
    result = carried(mesh, drawn(cut.origin.weights @ body.vertices, cut, sheets), cut.faces, cut.origin)
    found = openings(result)
    return Opened(result, found, alignment, (*alignment.warnings, *notes, *_miscounted(sheets, found)))


def _body(mesh: trimesh.Trimesh, matrix: np.ndarray, skin: Skin) -> _Body:
    vertices = np.asarray(mesh.vertices, float) @ matrix[:3, :3].T + matrix[:3, 3]
    faces = np.asarray(mesh.faces)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    place = weld(vertices)
    layers = layers_of(vertices, faces, place, skin)
    points = vertices[np.unique(place, return_index=True)[1]]
    seen = np.zeros(len(points), bool)
    seen[place[layers.faces[layers.outside]]] = True
    return _Body(vertices, layers.faces, place, points, layers.outside, seen)


def _normals(body: _Body) -> np.ndarray:
    """[P,3] unit normals of the outside faces at each position, 0 where there are none."""
    faces = body.place[body.faces[body.outside]]
    a, b, c = body.points[faces].transpose(1, 0, 2)
    across, index = np.repeat(np.cross(b - a, c - a), 3, axis=0), faces.ravel()
    total = np.stack([np.bincount(index, across[:, k], minlength=len(body.points)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


def _without_caps(sheets: tuple[Sheet, ...], body: _Body) -> tuple[Cut, list[str]]:
    """The mesh cut along every sheet that has a cap, and a sentence for each that has none."""
    cut, notes, opened = uncut(body.faces, body.place), [], 0
    rims = _open_rims(body)
    for number, (sheet, value) in enumerate(zip(sheets, _beyond_cuts(sheets, body), strict=True)):
        if any(_lies_on(sheet, rim) for rim in rims):
            opened += 1
        elif (value > 0).any():
            cut = cut_off(cut, value[body.place], number)
            opened += 1
        else:
            notes.append(
                f"Nothing of the mesh lies beyond the {sheet.name}, so it was not cut open there: "
                "check the opening's place on the outline, or set the mesh's front axis."
            )
    if not opened:
        raise MeshError(
            f"The mesh has no cap at any of the {len(sheets)} openings ({', '.join(s.name for s in sheets)}): "
            "give the mesh that was made from this photo, or set its front axis."
        )
    return cut, notes


def _open_rims(body: _Body) -> list[np.ndarray]:
    """[K,3] points of each boundary that the mesh has before any cut."""
    lone = lone_edges(body.place[body.faces])
    label = parts(np.column_stack([lone, lone[:, 1]]), len(body.points))
    places = np.unique(lone)
    return [body.points[places[label[places] == k]] for k in np.unique(label[places])]


def _lies_on(sheet: Sheet, rim: np.ndarray) -> bool:
    """True where a boundary of the mesh runs round a whole opening, about where the outline says."""
    off = offsets(sheet, rim)
    inside = (off.along > -0.1) & (off.along < 1.1)
    if inside.mean() < 0.8 or not OPEN[0] < np.median(off.beyond) < OPEN[1]:
        return False
    return bool(np.ptp(np.clip(off.along, 0, 1)) > 0.6 and np.ptp(off.across) > 1)


def _miscounted(sheets: tuple[Sheet, ...], found: tuple[Opening, ...]) -> list[str]:
    """A sentence where the mesh has not as many openings as the outline."""
    if len(found) == len(sheets):
        return []
    return [
        f"The mesh has {len(found)} openings, the photo's outline {len(sheets)}: "
        "look at its edges, or open it in a modeller."
    ]


def _beyond_cuts(sheets: tuple[Sheet, ...], body: _Body) -> list[np.ndarray]:
    """[P] for each opening how far beyond its cut, negative on the garment and where no cap of it is."""
    offs = [offsets(sheet, body.points) for sheet in sheets]
    values = []
    for k, (sheet, off) in enumerate(zip(sheets, offs, strict=True)):
        value = off.beyond + off.inset + sunk(off, body.seen)
        for other in offs[:k] + offs[k + 1 :]:
            # A strap between two openings must not be cut away by both: each has only what is nearer to it.
            strap = (np.abs(other.beyond) < NEAR) & ((off.heading * other.heading).sum(1) < 0)
            value = np.where(strap, np.minimum(value, _nearer(off, other)), value)
        values.append(_capped(sheet, off, value, body))
    return values


def _nearer(off: Offsets, other: Offsets) -> np.ndarray:
    return (off.beyond - other.beyond) / 2 - STRAP / 2


def _capped(sheet: Sheet, off: Offsets, value: np.ndarray, body: _Body) -> np.ndarray:
    """[P] the value, negative wherever it is no cap of the opening but another part that reaches beyond the sheet."""
    width = float(np.linalg.norm(sheet.back.xy[-1] - sheet.back.xy[0]))
    positive = (value > 0) & (value < REACH * width)
    joined = body.place[body.faces]
    piece = parts(joined[positive[joined].all(1)], len(body.points))
    core = positive & (off.along > 0) & (off.along < 1) & (np.abs(off.across) < 1.3)
    total, good = (np.bincount(piece[mask], minlength=len(positive)) for mask in (positive, core & body.seen))
    best = np.where(good > CORE * total, good, 0).argmax()
    return np.where(value > 0, np.where(positive & (piece == best), value, -1.0), value)
