"""What a collapse costs: distances to the planes and lines that a place has stood for, in space and uv together.

Sources: Garland, Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997, and, for uv as further
axes of space, "Simplifying surfaces with color and texture using quadric error metrics", IEEE Visualization 1998.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .decimate_cloth import Cloth, Edges, Faces

UV_WEIGHT = 0.3
"""A length in uv against one in space: 1 moves vertices for the sake of the texture as much as for the shape."""
OPEN_WEIGHT, SEAM_WEIGHT = 20.0, 4.0
"""Of the lines along open edges and seams."""
EVENNESS = 4e-4
"""Of the distance to the places merged: spreads what is left evenly where the cloth is flat."""


class Quadrics(NamedTuple):
    """A sum of squared distances per wedge, to be read where another wedge lies."""

    terms: np.ndarray
    """[W,K] products of each wedge's coordinates."""
    sums: np.ndarray
    """[W,K] what they are multiplied with."""

    def cost(self, gone: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """[N] what it costs to let wedges `gone` become `kept`."""
        return np.einsum("ij,ij->i", self.sums[gone] + self.sums[kept], self.terms[kept])

    def merged(self, gone: np.ndarray, kept: np.ndarray) -> Quadrics:
        """The Quadrics with each of `kept` standing for its `gone` too; a wedge may be kept for several."""
        sums = self.sums.copy()
        np.add.at(sums, kept, self.sums[gone])
        return Quadrics(self.terms, sums)


def quadrics_of(cloth: Cloth, faces: Faces, edges: Edges) -> Quadrics:
    """The Quadrics of a mesh that nothing is taken away of yet."""
    axes = [cloth.points[cloth.place]]
    if cloth.uv is not None:
        axes.append(UV_WEIGHT * cloth.uv)
    at = np.concatenate(axes, 1)
    upper = np.triu_indices(at.shape[1])
    twice = np.where(upper[0] == upper[1], 1.0, 2.0)
    terms = np.concatenate([twice * at[:, upper[0]] * at[:, upper[1]], 2 * at, np.ones((len(at), 1))], 1)
    sums = np.zeros_like(terms)
    planes = _planes(at, faces)
    for corner in range(3):
        _add(sums, faces.wedges[:, corner], planes + _balls(at, faces, corner))
    for chosen, weight, sides in ((edges.open, OPEN_WEIGHT, (0,)), (edges.seam, SEAM_WEIGHT, (0, 1))):
        for side in sides:
            ends = edges.wedge_a[side, chosen], edges.wedge_b[side, chosen]
            line = _lines(at, *ends, weight)
            for end in ends:
                _add(sums, end, line)
    return Quadrics(terms, sums)


def _planes(at: np.ndarray, faces: Faces) -> np.ndarray:
    """[F,K] a third of each face's area times the squared distance to its plane."""
    a, b, c = (at[faces.wedges[:, i]] for i in range(3))
    one, length = _unit(b - a)
    two, height = _unit(c - a - ((c - a) * one).sum(1, keepdims=True) * one)
    matrix = np.eye(at.shape[1]) - one[:, :, None] * one[:, None] - two[:, :, None] * two[:, None]
    return _packed(matrix * (length * height / 6)[:, None, None], a)


def _balls(at: np.ndarray, faces: Faces, corner: int) -> np.ndarray:
    """[F,K] a third of each face's area times the squared distance in space to one of its corners."""
    a, b, c = (at[faces.wedges[:, i], :3] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    matrix = np.diag(np.arange(at.shape[1]) < 3) * (EVENNESS * area / 6)[:, None, None]
    return _packed(matrix, at[faces.wedges[:, corner]])


def _lines(at: np.ndarray, a: np.ndarray, b: np.ndarray, weight: float) -> np.ndarray:
    """[N,K] half of each edge's length squared times the squared distance to its line."""
    along, length = _unit(at[b] - at[a])
    matrix = np.eye(at.shape[1]) - along[:, :, None] * along[:, None]
    return _packed(matrix * (weight * length**2 / 2)[:, None, None], at[a])


def _packed(matrix: np.ndarray, at: np.ndarray) -> np.ndarray:
    """[N,K] the sums that give (x - at)ᵀ matrix (x - at)."""
    upper = np.triu_indices(matrix.shape[1])
    linear = -np.einsum("nij,nj->ni", matrix, at)
    constant = -(linear * at).sum(1, keepdims=True)
    return np.concatenate([matrix[:, upper[0], upper[1]], linear, constant], 1)


def _add(sums: np.ndarray, wedge: np.ndarray, more: np.ndarray) -> None:
    for column in range(sums.shape[1]):
        sums[:, column] += np.bincount(wedge, more[:, column], len(sums))


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vectors at unit length, 0 where they have none, and their lengths."""
    length = np.linalg.norm(vectors, axis=1)
    return vectors / np.where(length > 1e-12, length, np.inf)[:, None], np.where(length > 1e-12, length, 0)
