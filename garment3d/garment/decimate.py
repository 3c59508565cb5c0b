"""Fewer triangles for a garment: its openings, its seams and its texture stay where they are.

Source: Garland, Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997, as rounds of collapses
that don't touch each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import trimesh

from ..errors import MeshError
from .decimate_cloth import Cloth, Faces, cloth_of
from .decimate_collapse import Limits, State, collapsed, start_of
from .hems_carry import carried, kept_vertices

STRICT = (Limits(0.8, 0.35, 0.002), Limits(0.5, 0.2, 0.004), Limits(0.2, 0.05, np.inf))
"""Tried one after the other, when there is nothing left to collapse."""
LEAST = 4
"""Fewer triangles than this make no garment."""

Progress = Callable[[int, int], None]


class Decimated(NamedTuple):
    """A lighter mesh."""

    mesh: trimesh.Trimesh
    """With the uv, material and colours of the mesh it was."""
    reached: int
    """Triangles, never more than asked for unless a warning says so."""
    warnings: tuple[str, ...]
    """Sentences for the person."""


def decimate(mesh: trimesh.Trimesh, triangles: int, progress: Progress | None = None) -> Decimated:
    """The Decimated mesh of at most `triangles`; one that has no more already comes back as it is.

    Every vertex left is one of the mesh's own in uv and colours. Openings, seams between uv islands and places where
    the mesh is no sheet stay; where they alone need more triangles than asked for, a warning says how many are left.

    Raises:
        MeshError: no faces, values that aren't finite, or fewer triangles asked for than make a mesh.
    """
    return levels(mesh, (triangles,), progress)[0]


def levels(mesh: trimesh.Trimesh, triangles: Sequence[int], progress: Progress | None = None) -> tuple[Decimated, ...]:
    """One Decimated mesh per number of triangles, in the order asked for, each made from the next heavier one."""
    for asked in triangles:
        if asked < LEAST:
            raise MeshError(f"{asked} triangles make no garment: ask for {LEAST} or more.")
    cloth, faces = cloth_of(mesh)
    start, state = len(faces.places), start_of(cloth, faces)
    made: dict[int, Decimated] = {}
    for asked in sorted(set(triangles), reverse=True):
        if len(mesh.faces) <= asked:
            made[asked] = Decimated(mesh, len(mesh.faces), ())
            continue
        state = _down_to(cloth, state, asked, lambda left: _tell(progress, start, left, min(triangles)))
        made[asked] = _result(mesh, cloth, state.faces, asked)
    return tuple(made[asked] for asked in triangles)


def _tell(progress: Progress | None, start: int, left: int, asked: int) -> None:
    if progress is not None:
        progress(start - left, max(start - asked, 1))


def _down_to(cloth: Cloth, state: State, asked: int, tell: Callable[[int], None]) -> State:
    held = np.zeros(len(cloth.points), bool)
    for limits in STRICT:
        while (more := len(state.faces.places) - asked) > 0:
            # The last round may end one below: most collapses take two faces.
            lighter = collapsed(cloth, state, more + 1, limits, held)
            if lighter is None:
                break
            state = lighter
            tell(len(state.faces.places))
    return state


def _result(mesh: trimesh.Trimesh, cloth: Cloth, faces: Faces, asked: int) -> Decimated:
    used, corners = np.unique(faces.wedges, return_inverse=True)
    vertex = cloth.vertex[used]
    light = carried(
        mesh,
        np.asarray(mesh.vertices)[vertex],
        corners.reshape(-1, 3),
        kept_vertices(vertex, len(mesh.vertices), faces.origin),
    )
    count = len(faces.places)
    told = f"{count} triangles are left instead of {asked}: seams, edges and openings need them."
    return Decimated(light, count, (told,) if count > asked else ())
