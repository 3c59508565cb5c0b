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
from .decimate_apart import LIMITS, Descent, down_to
from .decimate_cloth import Cloth, cloth_of
from .decimate_collapse import start_of
from .decimate_settle import settled
from .hems_carry import carried, kept_vertices

FAR = LIMITS[1].drift
"""In uv: seams that have moved further may show what lies beside their island."""
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

    Every vertex left is one of the mesh's own in uv and colours, moved a little along its normal. Openings, seams
    between uv islands and places where the mesh is no sheet stay; where they alone need more triangles than asked
    for, a warning says how many are left.

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
    state, places = start_of(cloth, faces), np.unique(faces.places)
    tell = _rising(progress, len(faces.places), min(triangles, default=LEAST))
    made: dict[int, Decimated] = {}
    for asked in sorted(set(triangles), reverse=True):
        if len(mesh.faces) <= asked:
            made[asked] = Decimated(mesh, len(mesh.faces), ())
            continue
        found = down_to(cloth, state, asked, tell)
        state = found.state
        made[asked] = _result(mesh, cloth, found, places, asked)
    return tuple(made[asked] for asked in triangles)


def _rising(progress: Progress | None, start: int, least: int) -> Callable[[int], None]:
    """Tells how far it is from `start` faces down to `least`, never going back where the cloth is done again."""
    most = 0

    def tell(left: int) -> None:
        nonlocal most
        most = max(most, start - left)
        if progress is not None:
            progress(most, max(start - least, 1))

    return tell


def _result(mesh: trimesh.Trimesh, cloth: Cloth, found: Descent, places: np.ndarray, asked: int) -> Decimated:
    faces = found.state.faces
    used, corners = np.unique(faces.wedges, return_inverse=True)
    vertex = cloth.vertex[used]
    origin = kept_vertices(vertex, len(mesh.vertices), faces.origin)
    moved = (settled(cloth, found.state, places) - cloth.points)[cloth.place[used]] * cloth.side
    light = carried(mesh, np.asarray(mesh.vertices)[vertex] + moved, corners.reshape(-1, 3), origin)
    return Decimated(light, len(faces.places), _warnings(cloth, found, asked))


def _warnings(cloth: Cloth, found: Descent, asked: int) -> tuple[str, ...]:
    count, told = len(found.state.faces.places), []
    if count > asked:
        told.append(f"{count} triangles are left instead of {asked}: seams, edges and openings need them.")
    if found.crossing:
        told.append(f"{found.crossing} of {count} triangles cut through others: ask for more than {asked}.")
    drift = float(found.state.drift[np.unique(found.state.faces.wedges)].max()) / cloth.uv_scale
    if drift > FAR:
        told.append(
            f"{count} triangles are few for this texture: beside seams it may be off by {drift:.1%} of its width."
        )
    return tuple(told)
