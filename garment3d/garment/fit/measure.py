"""What a fit came to, in figures, and what a person should know of it in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...crossings import crossing_faces, folded_faces
from ...nearest import nearest_on_surface
from .cloth import Cloth, normals
from .match import matched
from .place import Placed

if TYPE_CHECKING:
    import trimesh

FAR = 0.05
"""A mean distance beyond this share of the height is worth a warning."""
MISSED = 0.1
"""A share of the cloth without any place on the target that is worth one."""
REACH, TURN = 0.06, 0.05
"""How far in canonical units a place may lie to be one; as in `solve.Level`."""


class FitFigures(NamedTuple):
    """How a fit went; distances as shares of the shell's height."""

    distance_before: float
    """Mean distance of the shell from the outside of the aligned target."""
    distance_after: float
    farthest: float
    """Of any vertex after the fit."""
    crossing_faces: int
    folded_faces: int
    target_faces: int
    """Of the target's outside that was fitted to."""


def figures_of(cloth: Cloth, mesh: trimesh.Trimesh, goal: Placed) -> FitFigures:
    """The FitFigures of a fitted one-layer mesh."""
    import trimesh

    target = trimesh.Trimesh(goal.vertices, goal.faces, process=False)
    height = max(float(np.ptp(cloth.points[:, 1])), 1e-12)
    after = np.zeros_like(cloth.points)
    after[cloth.place] = mesh.vertices
    distances = [nearest_on_surface(points, target).distance / height for points in (cloth.points, after)]
    before, now = (float(np.average(d, weights=cloth.area)) for d in distances)
    counts = int(crossing_faces(mesh).sum()), int(folded_faces(mesh).sum())
    return FitFigures(before, now, float(distances[1].max()), *counts, len(goal.faces))


def doubts(cloth: Cloth, points: np.ndarray, goal: Placed, far: float) -> tuple[str, ...]:
    """Sentences on what the target lacks, and on cloth [N,3] that is a mean share `far` of its height away from it."""
    match = matched(points, normals(points, cloth.faces), goal.samples.by_facing(TURN), REACH)
    missed = float(cloth.area[match.weight == 0].sum() / cloth.area.sum())
    said = []
    if missed > MISSED:
        said.append(f"The mesh has nothing to fit to for {missed:.0%} of the shell, which keeps its own shape there.")
    if far > FAR:
        said.append(
            f"The fitted shell stays {far:.1%} of its height away from the mesh on average: "
            "is it the garment of this photo, and is its front right?"
        )
    return tuple(said)
