"""How right a shell is, by the garment it was made of: distance, openings, loops, and what a fit did to it."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

import numpy as np
import trimesh

from garment3d.crossings import crossing_faces, folded_faces
from garment3d.errors import GarmentError
from garment3d.garment.fit import fit_shell
from garment3d.garment.loops import boundary_loops
from garment3d.garment.openings import openings
from garment3d.metrics import loop_distance, surface_distance
from tests.truth import Truth, canonical_loops, canonical_mesh
from tests.truth.targets import target_of

NEAR = 3.0
"""A loop is right when it lies this near to the true one, in % of the height."""


class Judged(NamedTuple):
    """An open mesh beside its true garment; distances in % of the height, NaN where there is nothing to measure."""

    distance: float
    """Surface to surface, symmetric."""
    named: bool
    """Whether the openings have the true ones' names."""
    loops: dict[str, float]


class Fit(NamedTuple):
    """A shell fitted to a target; distances in % of the height."""

    raw: float
    """The target itself, brought home by its own known matrix."""
    shell: Judged
    folded: int
    crossing: float
    """Faces in %."""
    front: bool
    """Whether the target's front axis was found."""
    hand: bool
    """Whether it was seen to be mirrored, or not to be."""
    astray: float
    """How far the alignment leaves the true garment from its place, by its vertices."""
    seconds: float
    told: str

    def line(self) -> str:
        """The figures in one line."""
        if self.told:
            return f"raw {self.raw:5.2f} %  {self.told}"
        far = ", ".join(f"{k} {v:.1f}" for k, v in self.shell.loops.items())
        wrong = "" if self.shell.named else "  MISNAMED"
        wrong += ("" if self.front else "  WRONG FRONT") + ("" if self.hand else "  WRONG HAND")
        return (
            f"raw {self.raw:5.2f} %  fitted {self.shell.distance:5.2f} %  folded {self.folded}"
            f"  crossing {self.crossing:.3f} %  astray {self.astray:.2f} %  {self.seconds:.1f} s  {far}{wrong}"
        )


def levelled(mesh: trimesh.Trimesh, truth: trimesh.Trimesh) -> trimesh.Trimesh:
    """`mesh` moved along z until the medians of both surfaces agree: one photo says nothing of where z begins."""
    ours, true = (np.median(trimesh.sample.sample_surface(m, 20_000, seed=0)[0][:, 2]) for m in (mesh, truth))
    return mesh.copy().apply_translation([0, 0, true - ours])


def judged(mesh: trimesh.Trimesh, entry: Truth) -> Judged:
    """An open mesh in the canonical frame against the true garment."""
    truth, true_loops = canonical_mesh(entry.garment, entry.photo), canonical_loops(entry.garment, entry.photo)
    height = float(np.ptp(truth.vertices[:, 1]))
    mesh = levelled(mesh, truth)
    names = [o.name for o in openings(mesh)]
    found = {n: mesh.vertices[loop] for n, loop in zip(names, boundary_loops(mesh), strict=True)}
    far = {n: 100 * loop_distance(found[n], p) / height if n in found else np.nan for n, p in true_loops.items()}
    return Judged(100 * surface_distance(mesh, truth).symmetric / height, sorted(names) == sorted(true_loops), far)


def refitted(entry: Truth, shell: trimesh.Trimesh, kind: Literal["exact", "lumped"], index: int) -> Fit:
    """The shell fitted to a target of the garment; every other round of classes it has colours, in one of four of
    them it is also mirrored.
    """
    truth, turn = canonical_mesh(entry.garment, entry.photo), index // 6 % 4
    height = float(np.ptp(truth.vertices[:, 1]))
    target = target_of(entry, kind, index, mirrored=turn == 3, coloured=turn % 2 == 1)
    home = target.mesh.copy().apply_transform(target.matrix)
    raw = 100 * surface_distance(home, truth).symmetric / height
    began = time.perf_counter()
    try:
        fitted = fit_shell(shell, target.mesh, entry.photo.soft, entry.photo.rgb)
    except GarmentError as error:
        nothing = Judged(np.nan, False, dict.fromkeys(canonical_loops(entry.garment, entry.photo), np.nan))
        return Fit(raw, nothing, 0, np.nan, False, False, np.nan, np.nan, str(error))
    seconds, found = time.perf_counter() - began, fitted.alignment
    moved = trimesh.transform_points(truth.vertices, found.matrix @ np.linalg.inv(target.matrix)) - truth.vertices
    moved[:, 2] -= np.median(moved[:, 2])
    return Fit(
        raw,
        judged(fitted.mesh, entry),
        int(folded_faces(fitted.mesh).sum()),
        100 * float(crossing_faces(fitted.mesh).mean()),
        found.front == target.front,
        found.mirrored == target.mirrored,
        100 * float(np.linalg.norm(moved, axis=1).mean()) / height,
        seconds,
        "",
    )
