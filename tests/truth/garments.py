"""Garments with known geometry: open, single-layer, one connected manifold with labelled boundary loops.

A smooth union of a torso and tubes (girths from a size table) is meshed, cut open where the wearer goes through and
folded. Nothing here inflates an outline, so it can judge a method that does.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
import trimesh

from .folds import displacement
from .lower import skirt, trousers
from .patterns import Cut, Girth, Pattern, ramp
from .sections import Limb
from .solid import Grid, Patch, boundary_loops, distance, drop, relaxed, split, surface, union
from .upper import upper

CLASSES = ("tee", "longsleeve", "dress", "skirt", "trousers", "top")
STEP_CM = 0.8


class TrueGarment(NamedTuple):
    """A garment whose geometry is known; lengths in cm, +Y up, front +Z, +X the wearer's left."""

    mesh: trimesh.Trimesh
    """Open, one layer, counter-clockwise faces seen from outside."""
    loops: dict[str, np.ndarray]
    """[K] vertex indices around each opening, by its name."""
    garment_class: str
    seed: int
    girths: tuple[Girth, ...]
    """What the size table asked for."""
    pattern: Pattern
    panel: np.ndarray
    """[F] 0 torso front, 1 torso back, 2… limbs."""
    cloth: np.ndarray
    """[F,3,2] cm across and up the cloth at each face corner: from its panel's middle, from the shoulder or waist."""
    edge: np.ndarray
    """[V,3] distance in cm to the neck's loop, the nearest other loop and the sleeve seam, along the straight line."""


def pattern_of(garment_class: str, rng: np.random.Generator, spread_extra_deg: float) -> Pattern:
    """The pattern of one of CLASSES."""
    if garment_class == "skirt":
        return skirt(rng)
    if garment_class == "trousers":
        return trousers(rng, spread_extra_deg / 6)
    return upper(rng, garment_class, spread_extra_deg)


def make_garment(garment_class: str, seed: int, plain: bool = False, step_cm: float = STEP_CM) -> TrueGarment:
    """A garment of one of CLASSES; the same seed gives the same one, `plain` leaves out every fold."""
    for attempt in range(6):
        rng = np.random.default_rng([CLASSES.index(garment_class), seed])
        garment = build(
            garment_class, seed, pattern_of(garment_class, rng, attempt * 7.0), plain, step_cm, attempt * 0.13
        )
        if garment is not None:
            return garment
    raise RuntimeError(f"No sound {garment_class} came from seed {seed} in 6 attempts.")


def build(
    garment_class: str, seed: int, pattern: Pattern, plain: bool, step_cm: float, low_shift: float = 0.0
) -> TrueGarment | None:
    """The garment of a pattern, or None where it is not one sheet with exactly the planned openings."""
    grid = Grid(
        pattern.low - low_shift, step_cm, tuple(np.ceil((pattern.high - pattern.low) / step_cm).astype(int) + 1)
    )
    fields = [distance(grid, primitive) for primitive in (pattern.torso, *pattern.limbs)]
    if not all(clear_end(limb, grid, fields[0], pattern.blend) for limb in pattern.limbs):
        return None
    total = reduce(lambda a, b: union(a, b, pattern.blend), fields)
    patch = relaxed(cut_open(pattern, grid, fields, surface(grid, total)), grid, total, rounds=3)
    loops = named_loops(pattern, grid, fields, patch)
    edges = len(np.unique(np.sort(patch.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0))
    if len(loops) != len(pattern.cuts) or len(patch.vertices) - edges + len(patch.faces) != 2 - len(loops):
        return None
    cloth = cloth_coordinates(pattern, patch)
    if "waist" in loops:
        cloth[..., 1] -= patch.vertices[loops["waist"], 1].max()
    mesh = trimesh.Trimesh(patch.vertices, patch.faces, process=False)
    if not plain:
        gaps = [grid.sample(fields[0] - f, patch.vertices) for f in fields[1:]]
        height = displacement(np.random.default_rng([99, seed]), pattern, patch.vertices, gaps)
        height *= ramp(edge_distance(patch.vertices, loops, np.array([], int))[:, 0], 0, 6)
        moved = patch.vertices + height[:, None] * np.array(mesh.vertex_normals) * [1, 0.6, 1]
        mesh = trimesh.Trimesh(untangled(moved, patch.faces), patch.faces, process=False)
    seam = np.intersect1d(patch.faces[patch.panel <= 1], patch.faces[patch.panel > 1])
    edge = edge_distance(np.asarray(mesh.vertices), loops, seam[:0] if pattern.flat_cloth else seam)
    return TrueGarment(mesh, loops, garment_class, seed, pattern.girths, pattern, patch.panel, cloth, edge)


def untangled(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[V,3] with the corners of faces that a fold has turned over drawn to their neighbours' mean."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges = np.concatenate([edges, edges[:, ::-1]])
    for _ in range(12):
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        over = (mesh.vertex_normals[faces].mean(1) * mesh.face_normals).sum(1) < 0.1
        if not over.any():
            break
        corners = np.unique(faces[over])
        mine = edges[np.isin(edges[:, 0], corners)]
        total, count = np.zeros_like(vertices), np.zeros(len(vertices))
        np.add.at(total, mine[:, 0], vertices[mine[:, 1]])
        np.add.at(count, mine[:, 0], 1)
        vertices = vertices.copy()
        vertices[corners] = total[corners] / count[corners, None]
    return vertices


def clear_end(limb: Limb, grid: Grid, torso: np.ndarray, room_cm: float) -> bool:
    """Whether a limb's end lies outside the torso all around, so that its opening is the limb's alone."""
    angle = np.linspace(0, 2 * np.pi, 40)[:, None]
    along = limb.tangent(np.array(1.0))
    side = np.array([-along[1], along[0], 0]) / np.hypot(*along[:2])
    width, depth = limb.axes(np.array(1.0))
    ring = limb.curve(np.array(1.0)) + width * np.cos(angle) * side + depth * np.sin(angle) * np.array([0, 0, 1.0])
    return bool(grid.sample(torso, ring).min() > room_cm)


def cut_open(pattern: Pattern, grid: Grid, fields: list[np.ndarray], patch: Patch) -> Patch:
    """The surface split into panels along its seams and cut open at every opening; its largest piece."""
    for index, field in enumerate(fields[1:]):
        others = np.minimum.reduce([f for f in fields if f is not field])
        patch, inside = split(patch, grid.sample(others - field, patch.vertices))
        patch = patch._replace(panel=np.where(inside, index + 2, patch.panel))
    for cut in pattern.cuts:
        patch, gone = split(patch, cut_values(cut, grid, fields, patch.vertices))
        patch = drop(patch, gone)
    patch = largest(patch)
    _, v, _ = pattern.torso.local(patch.vertices)
    patch, front = split(patch, v)
    return patch._replace(panel=np.where(patch.panel == 0, np.where(front, 0, 1), patch.panel))


def cut_values(cut: Cut, grid: Grid, fields: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    """[N] a cut's field, held below zero on parts that belong to another limb or to the torso."""
    value = cut.field(points)
    others = [grid.sample(f, points) for i, f in enumerate(fields) if i != cut.limb]
    if not others:
        return value
    return np.where(grid.sample(fields[cut.limb], points) > np.minimum.reduce(others), -8.0, value)


def largest(patch: Patch) -> Patch:
    """The patch's connected piece with the most faces."""
    pieces = trimesh.graph.connected_component_labels(
        trimesh.graph.face_adjacency(patch.faces), node_count=len(patch.faces)
    )
    return drop(patch, pieces != np.bincount(pieces).argmax())


def named_loops(pattern: Pattern, grid: Grid, fields: list[np.ndarray], patch: Patch) -> dict[str, np.ndarray]:
    """Each boundary loop under the name of the cut that it lies on; fewer entries where two share a name."""
    named = {}
    for loop in boundary_loops(patch.faces):
        points = patch.vertices[loop]
        off = [np.abs(cut_values(cut, grid, fields, points)).mean() for cut in pattern.cuts]
        named[pattern.cuts[int(np.argmin(off))].name] = loop
    return named


def cloth_coordinates(pattern: Pattern, patch: Patch) -> np.ndarray:
    """[F,3,2] cm across and up the cloth from each panel's middle line, at the unfolded garment's face corners."""
    u, v, section = pattern.torso.local(patch.vertices)
    cloth = np.stack([u, patch.vertices[:, 1]], 1)[patch.faces]
    if pattern.flat_cloth:
        return cloth
    depth = np.where(v > 0, section[:, 1], section[:, 2])
    # Arc length from the middle of front or back: exact for an ellipse up to second order in the angle.
    angle = np.arctan2(np.abs(u) / section[:, 0], np.abs(v) / depth)
    arc = np.sign(u) * section[:, 0] * (np.sin(angle) + (depth / section[:, 0]) ** 1.5 * (1 - np.cos(angle)) * 0.85)
    cloth[..., 0] = arc[patch.faces]
    for index, limb in enumerate(pattern.limbs):
        mine = patch.panel == index + 2
        cloth[mine] = limb_cloth(limb, patch.vertices)[patch.faces[mine]]
        width = 2 * np.pi * limb.axes(np.array(0.5)).mean()
        lead = cloth[mine][:, :1, 0]
        cloth[mine, :, 0] -= width * np.round((cloth[mine][..., 0] - lead) / width)
    return cloth


def limb_cloth(limb: Limb, points: np.ndarray) -> np.ndarray:
    """[N,2] cm around a sleeve from its front and along it downwards from the shoulder."""
    t, u, v, w = limb.local(points)
    axes = limb.axes(t)
    around = np.arctan2(u / axes[:, 0], v / axes[:, 1]) * limb.axes(np.array(0.5)).mean()
    return np.stack([around, -t * limb.length - w], 1)


def edge_distance(points: np.ndarray, loops: dict[str, np.ndarray], seam: np.ndarray) -> np.ndarray:
    """[V,3] cm to the neck's loop, to the nearest other loop and to the vertices `seam`; 99 where there is none."""
    from scipy.spatial import cKDTree

    others = np.concatenate([loop for name, loop in loops.items() if name != "neck"])
    result = np.full((len(points), 3), 99.0)
    for column, chosen in enumerate((loops.get("neck", others[:0]), others, seam)):
        if len(chosen):
            result[:, column] = cKDTree(points[chosen]).query(points)[0]
    return result
