"""Decimation down to a number of faces, gone back and done with more care where the cloth would cut through itself.

Two layers that lie close need more triangles than the cloth elsewhere: there it is left as fine as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import trimesh

from ..crossings import crossing_faces
from .decimate_cloth import Cloth, Faces
from .decimate_collapse import Limits, State, collapsed

LIMITS = (Limits(0.8, 0.35, 0.002), Limits(0.5, 0.2, 0.004), Limits(0.2, 0.05, np.inf))
"""Tried one after the other, each when the one before leaves nothing to collapse."""
STAGE = 0.8
"""What is left of the faces between two states that can be gone back to."""
TRIES = 5


class Descent(NamedTuple):
    """What has become of the cloth."""

    state: State
    crossing: int
    """Faces that cut through others where none did before."""


def down_to(cloth: Cloth, start: State, asked: int, tell: Callable[[int], None]) -> Descent:
    """The Descent from `start` to `asked` faces, or to as few as can be."""
    path, held = [start], np.zeros(len(cloth.points), bool)
    tries: list[tuple[bool, int, State]] = []
    for attempt in range(1, TRIES + 1):
        path = _path(cloth, path, asked, held, tell)
        state = path[-1]
        crossing = _new_crossings(cloth, start, state)
        tries.append((len(state.faces.places) > asked, len(crossing), state))
        if not len(crossing) or len(path) < 2:
            break
        held |= np.isin(state.stands, state.faces.places[crossing])
        # What cuts is often made long before it does: each attempt begins further back.
        path = path[: max(1, len(path) - 2 * attempt)]
    _, count, state = min(tries, key=lambda tried: tried[:2])
    return Descent(state, count)


def _path(cloth: Cloth, path: list[State], asked: int, held: np.ndarray, tell: Callable[[int], None]) -> list[State]:
    """The path and the states after it, a stage apart, down to `asked` faces or to where nothing may go."""
    state, path = path[-1], list(path)
    for keep, limits in [*((held, limits) for limits in LIMITS), (np.zeros_like(held), LIMITS[-1])]:
        while (more := len(state.faces.places) - asked) > 0:
            # The last round may end one below: most collapses take two faces.
            lighter = collapsed(cloth, state, more + 1, limits, keep)
            if lighter is None:
                break
            state = lighter
            tell(len(state.faces.places))
            if len(state.faces.places) < STAGE * len(path[-1].faces.places):
                path.append(state)
    return path if path[-1] is state else [*path, state]


def _new_crossings(cloth: Cloth, start: State, state: State) -> np.ndarray:
    """Faces of a state that cut through others, away from where the cloth did so at the start."""
    crossing = _crossings(cloth, state.faces)
    if not len(crossing):
        return crossing
    before = start.faces.places[_crossings(cloth, start.faces)]
    excused = np.unique(state.stands[before])
    return crossing[~np.isin(state.faces.places[crossing], excused).any(1)]


def _crossings(cloth: Cloth, faces: Faces) -> np.ndarray:
    return np.flatnonzero(crossing_faces(trimesh.Trimesh(cloth.points, faces.places, process=False)))
