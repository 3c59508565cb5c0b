"""How far the cloth stands off the photo's plane: a Poisson equation on the triangles of a panel.

On a strip of half-width a it gives the circle √(a² − x²); lips are free (Neumann), seams are held (Dirichlet).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu


def laplacian(points: np.ndarray, faces: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """[N,N] stiffness matrix and [N] lumped areas of linear elements on [N,2] points.

    Source: Pinkall, Polthier, "Computing Discrete Minimal Surfaces and Their Conjugates", 1993.
    """
    count = len(points)
    rows, columns, values, areas = [], [], [], np.zeros(count)
    for i in range(3):
        a, b, c = faces[:, i], faces[:, (i + 1) % 3], faces[:, (i + 2) % 3]
        u, v = points[b] - points[a], points[c] - points[a]
        double_area = np.maximum(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], 1e-12)
        weight = 0.5 * (u * v).sum(1) / double_area
        rows += [b, c, b, c]
        columns += [c, b, b, c]
        values += [-weight, -weight, weight, weight]
        np.add.at(areas, a, double_area / 6)
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix(entries, shape=(count, count)), areas


def inflation(points: np.ndarray, faces: np.ndarray, held: np.ndarray) -> np.ndarray:
    """[N] heights in the unit of `points`, √(2u) with −Δu = 1; zero where `held` [N] is True, free elsewhere.

    Where nothing is held the heights are all zero.
    """
    height = np.zeros(len(points))
    free = ~held
    if held.any() and free.any():
        stiffness, areas = laplacian(points, faces)
        solved = splu(stiffness[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A").solve(areas[free])
        height[free] = np.sqrt(2 * np.maximum(solved, 0))
    return height


def diffused(
    points: np.ndarray, faces: np.ndarray, values: np.ndarray, weights: np.ndarray, reach: float
) -> np.ndarray:
    """[N] weighted mean of `values` around each vertex, over a distance of about `reach`."""
    stiffness, areas = laplacian(points, faces)
    blur = splu((sparse.diags(areas) + reach**2 * stiffness).tocsc(), permc_spec="MMD_AT_PLUS_A")
    total = blur.solve(np.stack([areas * weights * values, areas * weights], 1))
    return total[:, 0] / np.maximum(total[:, 1], 1e-12)
