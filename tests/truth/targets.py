"""What a bad generator makes of a true garment: closed up, lumped, in a frame of its own; the way back is known.

A fit must bring the open garment out of these again, so they are what it is measured with.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import trimesh
from scipy.spatial import Delaunay

from garment3d.garment.loops import boundary_loops

from .lumps import lumped as lumped
from .orbit import albedo_near
from .photo import Truth, canonical_mesh

WAVES = 24
"""Harmonics of a loop that reach into its cap."""


class Misplaced(NamedTuple):
    """A mesh in a frame of its own."""

    mesh: trimesh.Trimesh
    matrix: np.ndarray
    """[4,4] from that frame back to where the mesh was; reflects x where `mirrored`."""
    front: Literal["+Z", "-Z", "+X", "-X"]
    """The axis of that frame nearest to where +Z of the mesh went."""
    mirrored: bool


def closed(mesh: trimesh.Trimesh, inside: float = 0.0, bulge: float = 0.02) -> trimesh.Trimesh:
    """A watertight mesh: `mesh` welded, with a cap over every boundary loop domed outwards by `bulge` of its size.

    `inside` > 0 adds a second layer that far inside, wound inwards, as generators leave it.
    """
    bare = trimesh.Trimesh(np.asarray(mesh.vertices), np.asarray(mesh.faces), process=False)
    bare.merge_vertices()
    vertices, faces = [np.asarray(bare.vertices)], [np.asarray(bare.faces)]
    count = len(vertices[0])
    for loop in boundary_loops(bare):
        points, triangles = cap(vertices[0][loop], bulge)
        number = np.concatenate([loop, count + np.arange(len(points))])
        vertices.append(points)
        faces.append(number[triangles])
        count += len(points)
    solid = trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces), process=False)
    if not inside:
        return solid
    inner = np.asarray(solid.vertices) - inside * np.asarray(solid.vertex_normals)
    layer = trimesh.Trimesh(inner, np.asarray(solid.faces)[:, ::-1], process=False)
    return trimesh.util.concatenate([solid, layer])


def cap(loop: np.ndarray, bulge: float) -> tuple[np.ndarray, np.ndarray]:
    """[N,3] new points, and [F,3] faces over the loop's [K,3] points (0…K-1) and them, closing a hole with that rim.

    A disc is laid out evenly and each coordinate is continued into it harmonically: its Fourier series, each term
    falling off with its own power of the radius.
    """
    count = len(loop)
    angle = 2 * np.pi * np.arange(count) / count
    rim = np.stack([np.cos(angle), np.sin(angle)], 1)
    step = 2 * np.pi / count
    # A sunflower: no rows, so that no four points lie on a circle.
    spots = int(np.pi / step**2)
    radius = (1 - step) * np.sqrt((np.arange(spots) + 0.5) / max(spots, 1))
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(spots)
    disc = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)
    faces = Delaunay(np.concatenate([rim, disc])).simplices
    a, b, c = np.concatenate([rim, disc])[faces].transpose(1, 2, 0)
    clockwise = (b - a)[0] * (c - a)[1] < (b - a)[1] * (c - a)[0]
    # The rim runs as the cloth's faces do, so the cap's faces run the other way round.
    faces = np.where(clockwise[:, None], faces, faces[:, ::-1])
    order = np.arange(min(WAVES, count // 2) + 1)
    terms = np.fft.rfft(loop, axis=0)[: len(order)] / count
    terms[1:] *= 2
    spread = radius[:, None] ** order * np.exp(1j * turn[:, None] * order)
    outward = -np.cross(loop, np.roll(loop, -1, 0)).sum(0)
    size = np.linalg.norm(np.ptp(loop, axis=0))
    dome = bulge * size * (1 - radius**2)[:, None] * outward / max(np.linalg.norm(outward), 1e-12)
    return (spread @ terms).real + dome, faces


def misplaced(mesh: trimesh.Trimesh, seed: int, mirrored: bool = False) -> Misplaced:
    """The mesh scaled by 0.3 to 3, shifted, and turned: a quarter about Y on half of the seeds, and a few degrees.

    The few are ±8° of yaw and ±4° of pitch and roll; `mirrored` reflects x first and keeps the faces outwards.
    """
    rng = np.random.default_rng([41, seed])
    quarter = int(rng.choice([0, 0, 1, -1]))
    yaw, pitch, roll = np.radians(rng.uniform(-1, 1, 3) * [8, 4, 4])
    turn = trimesh.transformations.euler_matrix(pitch, yaw + quarter * np.pi / 2, roll, "rxyz")
    there = trimesh.transformations.translation_matrix(rng.uniform(-1, 1, 3)) @ turn
    there[:3, :3] *= np.exp(rng.uniform(np.log(0.3), np.log(3)))
    there = there @ np.diag([-1.0 if mirrored else 1.0, 1, 1, 1])
    points = np.asarray(mesh.vertices) @ there[:3, :3].T + there[:3, 3]
    faces = np.asarray(mesh.faces)
    moved = trimesh.Trimesh(points, faces[:, ::-1] if mirrored else faces, process=False)
    return Misplaced(moved, np.linalg.inv(there), {0: "+Z", 1: "+X", -1: "-X"}[quarter], mirrored)


def target_of(
    entry: Truth, kind: Literal["exact", "lumped"], seed: int, mirrored: bool = False, coloured: bool = False
) -> Misplaced:
    """The true garment as a generator would give it, with the matrix back to the canonical frame.

    "exact" is closed, on every other seed with a second layer inside, and otherwise the true surface; "lumped" is one
    solid with its details gone and band-limited noise. `coloured` gives the vertices the cloth's colours, linear.
    """
    true = canonical_mesh(entry.garment, entry.photo)
    if kind == "lumped":
        made = lumped(closed(true), seed)
    else:
        made = closed(true, inside=0.015 * float(np.ptp(true.vertices[:, 1])) * (seed % 2))
    target = misplaced(made, seed, mirrored)
    if coloured:
        linear = albedo_near(entry, np.asarray(made.vertices)) ** 2.2
        target.mesh.visual = trimesh.visual.ColorVisuals(target.mesh, vertex_colors=np.round(255 * linear).astype(int))
    return target
