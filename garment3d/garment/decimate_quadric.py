"""What a collapse costs: distances to the planes and lines that a place has stood for, in space and uv together.

Sources: Garland, Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997, and, for uv as further
axes of space, "Simplifying surfaces with color and texture using quadric error metrics", IEEE Visualization 1998.
"""

from __future__ import annotations

import numpy as np

from .decimate_cloth import Cloth, Edges, Faces

UV_WEIGHT = 0.3
"""A length in uv against one in space: 1 moves vertices for the sake of the texture as much as for the shape."""
OPEN_WEIGHT, SEAM_WEIGHT = 8.0, 1.0
"""Of the lines along open edges and seams."""
EVENNESS = 3e-4
"""Of the distance to the places merged: spreads what is left evenly where the cloth is flat."""


class Quadrics:
    """A sum of squared distances per wedge, to be read where another wedge lies."""

    def __init__(self, cloth: Cloth, faces: Faces, edges: Edges) -> None:
        axes = [cloth.points[cloth.place]]
        if cloth.uv is not None:
            axes.append(UV_WEIGHT * cloth.uv)
        self._at = np.concatenate(axes, 1)
        upper = np.triu_indices(self._at.shape[1])
        self._upper = upper
        twice = np.where(upper[0] == upper[1], 1.0, 2.0)
        self._terms = np.concatenate(
            [twice * self._at[:, upper[0]] * self._at[:, upper[1]], 2 * self._at, np.ones((len(self._at), 1))], 1
        )
        self._sums = np.zeros_like(self._terms)
        self._add_planes(faces)
        for chosen, weight in ((edges.open, OPEN_WEIGHT), (edges.seam, SEAM_WEIGHT)):
            for side in (0, 1) if chosen is edges.seam else (0,):
                self._add_lines(edges.wedge_a[side, chosen], edges.wedge_b[side, chosen], weight)

    def cost(self, gone: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """[N] what it costs to let wedges `gone` become `kept`."""
        return np.einsum("ij,ij->i", self._sums[gone] + self._sums[kept], self._terms[kept])

    def merge(self, gone: np.ndarray, kept: np.ndarray) -> None:
        """Lets `kept`, each named once, stand for `gone` too."""
        self._sums[kept] += self._sums[gone]

    def _add_planes(self, faces: Faces) -> None:
        a, b, c = (self._at[faces.wedges[:, i]] for i in range(3))
        one, length = _unit(b - a)
        up = c - a - ((c - a) * one).sum(1, keepdims=True) * one
        two, height = _unit(up)
        area = length * height / 2
        size = self._at.shape[1]
        matrix = np.eye(size) - one[:, :, None] * one[:, None] - two[:, :, None] * two[:, None]
        matrix = matrix * (area / 3)[:, None, None]
        near = np.zeros((size, size))
        near[[0, 1, 2], [0, 1, 2]] = EVENNESS
        for corner, at in enumerate((a, b, c)):
            self._add(faces.wedges[:, corner], matrix, a)
            self._add(faces.wedges[:, corner], near * (area / 3)[:, None, None], at)

    def _add_lines(self, a: np.ndarray, b: np.ndarray, weight: float) -> None:
        start = self._at[a]
        along, length = _unit(self._at[b] - start)
        matrix = np.eye(self._at.shape[1]) - along[:, :, None] * along[:, None]
        matrix = matrix * (weight * length**2 / 2)[:, None, None]
        for wedge in (a, b):
            self._add(wedge, matrix, start)

    def _add(self, wedge: np.ndarray, matrix: np.ndarray, at: np.ndarray) -> None:
        """Adds (x - at)ᵀ matrix (x - at) to the wedges."""
        linear = -np.einsum("nij,nj->ni", matrix, at)
        constant = -(linear * at).sum(1, keepdims=True)
        packed = np.concatenate([matrix[:, self._upper[0], self._upper[1]], linear, constant], 1)
        for column in range(packed.shape[1]):
            self._sums[:, column] += np.bincount(wedge, packed[:, column], len(self._sums))


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vectors at unit length, 0 where they have none, and their lengths."""
    length = np.linalg.norm(vectors, axis=1)
    return vectors / np.where(length > 1e-12, length, np.inf)[:, None], np.where(length > 1e-12, length, 0)
