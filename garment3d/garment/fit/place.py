"""A target in its place before the photo: only what is seen from outside, facing outwards, as a mesh and as samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..target import Alignment, Outer, Tidied
from .match import Samples, samples_of


class Placed(NamedTuple):
    """A target's outside in the canonical frame."""

    vertices: np.ndarray
    """[V,3] float64."""
    faces: np.ndarray
    """[F,3] outwards."""
    samples: Samples


def placed(target: Tidied, outer: Outer, alignment: Alignment) -> Placed:
    """The outside of a target where its alignment says."""
    kept = outer.kept if outer.kept.any() else np.ones(len(target.faces), bool)
    # A reflection turns all faces inside out, so there those that were right are wound back.
    turned = outer.flipped != (np.linalg.det(alignment.matrix[:3, :3]) < 0)
    faces = np.where(turned[:, None], target.faces[:, ::-1], target.faces)[kept]
    vertices = target.vertices @ alignment.matrix[:3, :3].T + alignment.matrix[:3, 3]
    return Placed(vertices, faces, samples_of(vertices, faces))
