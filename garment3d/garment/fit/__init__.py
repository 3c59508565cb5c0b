"""The open shell fitted to any mesh of the same garment: true depth from a generator, edges and seams from the photo.

shell ───────────────────────────────┐
target ─▶ tidy ─▶ align ─▶ outside ──┴─▶ match and bend, coarse to fine ─▶ repair ─▶ thickness ─▶ Fitted
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..target import Alignment, align, outer_layer, tidy
from .cloth import Cloth, cloth_of
from .measure import FitFigures, doubts, figures_of
from .mirror import middle_of, mirrored
from .place import Placed, placed
from .repair import repaired
from .roughness import finest_reach, roughness
from .solve import COARSEST, STEPS, Goal, fitted, levels

if TYPE_CHECKING:
    import trimesh

__all__ = ["FitFigures", "FitOptions", "Fitted", "fit_shell"]

READ, COARSE_LEVELS, FINE_LEVELS = 0.1, 3, 5
"""The reach at which the target's roughness is read, and how many levels lead there and on; the last is done twice."""
BEFORE, AFTER = 3, 2
"""Steps of the whole that are told for alignment and repair."""


@dataclass(frozen=True)
class FitOptions:
    """What a person may want of a fit."""

    front: str = "auto"
    """The target's axis that is its front: auto, +Z, -Z, +X, -X, +Y or -Y."""
    smoothness: float = 0.5
    """0 follows the target into its dents, 1 takes only its large shape; 0.5 goes by the target's own roughness."""
    symmetry: float = 0.0
    """0 takes the target as it is, 1 the mean of the target and its mirror image."""
    keep_silhouette: bool = True
    """The outline and the lips keep their places in the photo."""
    thickness: float = 0.0
    """Of the cloth in canonical units; 0 leaves one layer."""


class Fitted(NamedTuple):
    """A fitted shell and how it came about."""

    mesh: trimesh.Trimesh
    """Same faces, uv and visual as the shell; thickness adds the inner layer and the rims."""
    figures: FitFigures
    alignment: Alignment
    warnings: tuple[str, ...]


def fit_shell(
    shell: trimesh.Trimesh,
    target: trimesh.Trimesh,
    soft: np.ndarray,
    rgb: np.ndarray | None = None,
    options: FitOptions = FitOptions(),
    progress: Callable[[int, int], None] | None = None,
) -> Fitted:
    """The open shell on the outside of a target of any size, place and turn, closed or open, exact or lumpy.

    Args:
        shell: in the canonical frame of the photo's camera; split vertices of a texture stay together.
        target: any mesh of the same garment.
        soft: [H,W] mask of the photo that the shell was made from.
        rgb: [H,W,3] uint8 photo; settles front and back, left and right where outlines can't.
        options: see FitOptions.
        progress: told the steps done and their total; may raise to stop.

    Raises:
        MeshError: a target that is no surface, or that has nothing to do with the photo.

    Source: the matching is non-rigid ICP with falling stiffness (Amberg, Romdhani, Vetter, CVPR 2007), the stiffness a
    bilaplacian of the displacement (Botsch, Sorkine, "On Linear Variational Surface Deformation Methods", TVCG 2008).
    """
    steps = _Steps(progress)
    tidied = tidy(target)
    outer = outer_layer(tidied.vertices, tidied.faces)
    alignment = align(tidied, shell, soft, rgb, options.front, outer)
    steps.tell(BEFORE)
    goal, cloth = placed(tidied, outer, alignment), cloth_of(shell)
    held = (cloth.seam | cloth.lip) & options.keep_silhouette
    points = repaired(cloth, _fitted(cloth, goal, options, held, steps.tell), held)
    steps.tell(AFTER)
    mesh = _moved(shell, points[cloth.place])
    figures = figures_of(cloth, mesh, goal)
    doubted = doubts(cloth, points, goal, figures.distance_after)
    warnings = (*tidied.warnings, *alignment.warnings, *doubted)
    return Fitted(_thickened(mesh, options.thickness), figures, alignment, tuple(dict.fromkeys(warnings)))


def _fitted(cloth: Cloth, goal: Placed, options: FitOptions, held: np.ndarray, tell: Callable[[], None]) -> np.ndarray:
    """[N,3] places of the cloth: the target's large shape first, then as fine as its outline says it can be trusted."""
    outline = cloth.seam | cloth.lip
    goals = [Goal(goal.samples, 1 - options.symmetry / 2)]
    if options.symmetry > 0:
        middle = middle_of(cloth.points[outline][:, :2]) if outline.any() else 0.0
        goals.append(Goal(mirrored(goal.samples, middle), options.symmetry / 2))
    coarse = levels(COARSEST, READ, COARSE_LEVELS)
    points = fitted(cloth, cloth.points, goals, coarse, outline, tell)
    finest = finest_reach(roughness(cloth, goal.samples), options.smoothness)
    fine = levels(READ, finest, FINE_LEVELS)[1:]
    return fitted(cloth, points, goals, [*fine, fine[-1]], held, tell)


class _Steps:
    """Counts what is done of a fit."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self.progress, self.done = progress, 0

    def tell(self, count: int = 1) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, BEFORE + STEPS * (COARSE_LEVELS + FINE_LEVELS) + AFTER)


def _moved(shell: trimesh.Trimesh, vertices: np.ndarray) -> trimesh.Trimesh:
    """The shell with new places for its vertices, everything else kept."""
    moved = shell.copy()
    # Rounded as files and ComfyUI's MESH hold them, as the shell is.
    moved.vertices = vertices.astype(np.float32)
    return moved


def _thickened(mesh: trimesh.Trimesh, thickness: float) -> trimesh.Trimesh:
    if thickness <= 0:
        return mesh
    from ..solidify import solidify

    return solidify(mesh, thickness)
