"""A mesh made again on a coarse grid with band-limited noise: one closed lumpy solid, as image-to-3D networks give.

Detail below the shortest wavelength goes, thin straps may go, and what is left is off by about the noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import trimesh
from scipy.fft import next_fast_len
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, label
from skimage.measure import marching_cubes

from garment3d.nearest import nearest_on_surface

CELLS = 128
"""Of the grid, along the longest side."""


class Field(NamedTuple):
    """Distances to a surface on a grid."""

    low: np.ndarray
    """[3] the lowest corner."""
    step: float
    values: np.ndarray
    """[nx,ny,nz] distance in the mesh's unit, negative inside."""

    def points(self) -> np.ndarray:
        """[nx,ny,nz,3] where the values stand."""
        axes = [self.low[i] + self.step * np.arange(n) for i, n in enumerate(self.values.shape)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def lumped(
    mesh: trimesh.Trimesh,
    seed: int,
    rms: float = 0.0125,
    shortest: float = 0.05,
    longest: float = 0.25,
    cells: int = CELLS,
) -> trimesh.Trimesh:
    """A closed mesh made again by marching cubes, its surface off by noise of `rms`, one piece, faces outwards.

    `rms` and the wavelengths from `shortest` to `longest` are shares of the height.
    """
    height = float(np.ptp(np.asarray(mesh.vertices)[:, 1]))
    field = signed_distance(mesh, 4 * rms * height, cells)
    values = gaussian_filter(field.values, shortest * height / 4 / field.step)
    values -= rms * height * noise(values.shape, field.step, seed, shortest * height, longest * height)
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(field.step,) * 3, gradient_direction="descent")
    whole = trimesh.Trimesh(vertices + field.low, faces, process=True)
    pieces = trimesh.graph.connected_component_labels(whole.face_adjacency, node_count=len(whole.faces))
    whole.update_faces(pieces == np.bincount(pieces).argmax())
    whole.remove_unreferenced_vertices()
    return whole


def noise(shape: tuple[int, ...], step: float, seed: int, shortest: float, longest: float) -> np.ndarray:
    """[nx,ny,nz] random values of rms 1 on a grid of that step, of nothing but waves within the band of lengths.

    An octave down is 5.7 times as high: the surface becomes lumpy, as networks leave it, and not rough.
    """
    size = [next_fast_len(n) for n in shape]
    waves = np.fft.rfftn(np.random.default_rng([42, seed]).normal(size=size))
    axes = [np.fft.fftfreq(n, step) for n in size[:-1]] + [np.fft.rfftfreq(size[-1], step)]
    frequency = np.sqrt(sum(f**2 for f in np.meshgrid(*axes, indexing="ij")))
    within = (frequency >= 1 / longest) & (frequency <= 1 / shortest)
    # Waves of one length fill a shell whose area grows with the frequency squared.
    height = np.where(within, np.maximum(frequency, 1 / longest) ** -4.0, 0)
    values = np.fft.irfftn(waves * height, size, axes=(0, 1, 2))
    values /= np.sqrt((values**2).mean())
    return values[tuple(slice(n) for n in shape)]


def signed_distance(mesh: trimesh.Trimesh, room: float, cells: int = CELLS) -> Field:
    """Distances on a grid of `cells` along the longest side with `room` around; what is enclosed is inside."""
    low, high = mesh.bounds
    step = float((high - low).max()) / cells
    low = low - room - 3 * step
    count = np.ceil((high + room + 3 * step - low) / step).astype(int) + 1
    field = Field(low, step, np.zeros(count))
    points = field.points()
    cells = np.round((trimesh.sample.sample_surface(mesh, 200_000, seed=0)[0] - low) / step).astype(int)
    close = np.zeros(field.values.shape, bool)
    close[tuple(cells.T)] = True
    close = binary_dilation(close, np.ones((3, 3, 3)))
    near = nearest_on_surface(points[close], mesh)
    # Farther nodes take the nearest point that their nearest close node has: a little too far at times.
    foot = np.zeros_like(points)
    foot[close] = near.point
    index = distance_transform_edt(~close, return_distances=False, return_indices=True)
    away = np.linalg.norm(points - foot[tuple(index)], axis=-1)
    # Between neighbours that are both farther than half a step the surface cannot pass.
    pools, _ = label(away > 0.5 * step)
    inner = (pools > 0) & (pools != pools[0, 0, 0])
    toward = ((points[close] - near.point) * np.asarray(mesh.face_normals)[near.face]).sum(1)
    inner[close] = np.where(near.distance <= 0.5 * step, toward < 0, inner[close])
    return field._replace(values=np.where(inner, -away, away))
