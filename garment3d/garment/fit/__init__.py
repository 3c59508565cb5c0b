"""The open shell fitted to any mesh of the same garment: true depth from a generator, edges and seams from the photo.

shell ───────────────────────────────┐
target ─▶ tidy ─▶ align ─▶ outside ──┴─▶ match and bend, coarse to fine ─▶ repair ─▶ Fitted
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...nearest import nearest_on_surface
from .cloth import Cloth, cloth_of
from .match import samples_of
from .solve import STEPS, fitted, levels

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class FitOptions:
    """What a person may want of a fit."""

    front: str = "auto"
    """The target's axis that is its front: auto, +Z, -Z, +X, -X, +Y or -Y."""
    smoothness: float = 0.5
    """0 follows the target into every dent, 1 takes only its large shape; 0.5 is by the target's own roughness."""
    symmetry: float = 0.0
    """0 takes the target as it is, 1 the mean of the target and its mirror image."""
    keep_silhouette: bool = True
    """The outline and the lips keep their places in the photo."""
    thickness: float = 0.0
    """Of the cloth in canonical units; 0 leaves one layer."""


class FitFigures(NamedTuple):
    """How a fit went; distances as shares of the shell's height."""

    distance_before: float
    """Mean distance from the aligned target of the shell's vertices."""
    distance_after: float
    farthest: float
    crossing_faces: int
    folded_faces: int
    target_faces: int


class Fitted(NamedTuple):
    """A fitted shell."""

    mesh: trimesh.Trimesh
    figures: FitFigures
    warnings: tuple[str, ...]


def fit_shell(
    shell: trimesh.Trimesh,
    target: trimesh.Trimesh,
    soft: np.ndarray,
    rgb: np.ndarray | None = None,
    options: FitOptions = FitOptions(),
    progress: Callable[[int, int], None] | None = None,
) -> Fitted:
    """The shell, same faces and uv, on the outside of a target in any place, size and turn; closed or open, lumpy or not.

    Args:
        shell: open, in the canonical frame of the photo's camera.
        target: any mesh of the same garment.
        soft: [H,W] mask of the photo that the shell was made from.
        rgb: [H,W,3] uint8 photo.
        options: see FitOptions.
        progress: told the steps done and their total; may raise to stop.
    """
    cloth = cloth_of(shell)
    plan = levels(0.03)
    done = [0]

    def told() -> None:
        done[0] += 1
        if progress is not None:
            progress(done[0], STEPS * len(plan))

    samples = samples_of(np.asarray(target.vertices, np.float64), np.asarray(target.faces))
    points = fitted(cloth, samples, plan, options.keep_silhouette, told)
    figures = _figures(cloth, points, target)
    return Fitted(_moved(shell, points[cloth.place]), figures, ())


def _figures(cloth: Cloth, points: np.ndarray, target: trimesh.Trimesh) -> FitFigures:
    height = max(float(np.ptp(cloth.points[:, 1])), 1e-12)
    before, after = (nearest_on_surface(p, target).distance / height for p in (cloth.points, points))
    return FitFigures(float(before.mean()), float(after.mean()), float(after.max()), 0, 0, len(target.faces))


def _moved(shell: trimesh.Trimesh, vertices: np.ndarray) -> trimesh.Trimesh:
    """The shell with new places for its vertices, everything else kept."""
    moved = shell.copy()
    moved.vertices = vertices.astype(np.float32)
    return moved
