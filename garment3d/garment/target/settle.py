"""A target moved onto the photo and the shell: its outline onto the mask's, its surface onto the shell's.

Gauss-Newton steps over the seven numbers of a similarity; both kinds of distance are weighed by how well they agree, so
that a cap, a lump or another length at an opening counts little.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from .cloth import TURNED, Cloth, tree_of
from .contour import Edge, Goal, Silhouette, goal_of, mesh_silhouette
from .poses import Pose

EDGE_REACH = 0.12
"""Outlines farther apart than this, in canonical units, don't pull at each other."""
SURFACE_SHARE = 0.1
"""What a surface point tells beside an outline point of the same spread: the shell's depth is a guess all over."""
SHARPEST = 0.0015
"""Spread below which agreement says no more."""


class Reference(NamedTuple):
    """What a target is moved onto, with search trees made once."""

    goal: Goal
    shell: Cloth
    shell_tree: KDTree
    certain: Edge
    """The photo's outline where no cap covers it."""
    possible: Edge
    """The photo's outline and that of the covered openings."""
    possible_tree: KDTree


def reference_of(photo: Silhouette, shell: Cloth) -> Reference:
    """The Reference for the photo's silhouette and its capped shell."""
    goal = goal_of(photo, shell.vertices, shell.faces)
    sure = goal.sure
    certain = Edge(photo.edge.points[sure], photo.edge.normals[sure])
    possible = Edge(*(np.concatenate(pair) for pair in zip(photo.edge, goal.covered.edge, strict=True)))
    return Reference(goal, shell, tree_of(shell), certain, possible, KDTree(_edge_key(possible)))


class Settled(NamedTuple):
    """A pose and how well it does."""

    pose: Pose
    iou: float
    """Of the silhouettes."""
    edge: float
    """Mean distance between the outlines, canonical units."""
    apart: float
    """Trimmed mean distance between the surfaces, canonical units."""


class _Pull(NamedTuple):
    """Points that should move by `gap` along `along`."""

    points: np.ndarray
    along: np.ndarray
    gap: np.ndarray


def settle(cloth: Cloth, tree: KDTree, reference: Reference, pose: Pose, rounds: int) -> Settled:
    """The pose after some rounds; `tree` is that of `cloth`."""
    for _ in range(rounds):
        edge = mesh_silhouette(pose(cloth.vertices), cloth.faces).edge
        pulls = [
            (_edge_pull(edge, reference), 1.0),
            (_joined(_surface_pulls(cloth, tree, reference, pose)), SURFACE_SHARE),
        ]
        pose = _stepped(pose, pulls)
    shown = mesh_silhouette(pose(cloth.vertices), cloth.faces)
    edge = np.abs(_edge_pull(shown.edge, reference).gap)
    gaps = np.sort(np.abs(_joined(_surface_pulls(cloth, tree, reference, pose)).gap))
    apart = float(gaps[: int(0.9 * len(gaps))].mean())
    return Settled(pose, reference.goal.overlap(shown.solid), float(edge.mean()) if len(edge) else EDGE_REACH, apart)


def _edge_pull(edge: Edge, reference: Reference) -> _Pull:
    """How the target's outline should move in the picture, by pairs found from either side."""
    if not len(edge.points):
        return _Pull(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    near = reference.possible_tree.query(_edge_key(edge))[1]
    theirs = [reference.possible.points[near], reference.certain.points]
    along = np.concatenate([reference.possible.normals[near], reference.certain.normals])
    mine = np.append(np.arange(len(edge.points)), KDTree(_edge_key(edge)).query(_edge_key(reference.certain))[1])
    apart = np.concatenate(theirs)[:, :2] - edge.points[mine, :2]
    close = np.linalg.norm(apart, axis=1) < EDGE_REACH
    gap = (apart * along).sum(1)
    return _Pull(edge.points[mine][close], np.pad(along, ((0, 0), (0, 1)))[close], gap[close])


def _edge_key(edge: Edge) -> np.ndarray:
    return np.concatenate([edge.points[:, :2], TURNED * edge.normals], 1)


def _surface_pulls(cloth: Cloth, tree: KDTree, reference: Reference, pose: Pose) -> list[_Pull]:
    """How the target's surface should move: its points to the shell, and the shell's points to it the other way."""
    shell = reference.shell
    points, normals = pose(cloth.points), cloth.normals @ pose.turn.T
    near = reference.shell_tree.query(np.concatenate([points, TURNED * normals], 1))[1]
    forth = _Pull(points, shell.normals[near], ((shell.points[near] - points) * shell.normals[near]).sum(1))
    back = (shell.points - pose.shift) @ np.linalg.inv(pose.linear).T
    near = tree.query(np.concatenate([back, TURNED * shell.normals @ pose.turn], 1))[1]
    gap = ((shell.points - points[near]) * normals[near]).sum(1)
    return [forth, _Pull(points[near], normals[near], gap)]


def _joined(pulls: list[_Pull]) -> _Pull:
    return _Pull(*(np.concatenate(column) for column in zip(*pulls, strict=True)))


def _stepped(pose: Pose, pulls: list[tuple[_Pull, float]]) -> Pose:
    """The pose after the small similarity that shortens all pulls most, weighed by Geman and McClure's function."""
    matrix, right = np.diag([1e-3] * 7), np.zeros(7)
    for pull, share in pulls:
        if not len(pull.gap):
            continue
        spread = max(1.4826 * float(np.median(np.abs(pull.gap))), SHARPEST)
        weight = share / spread**2 / (1 + (pull.gap / (2 * spread)) ** 2) ** 2
        rows = np.concatenate(
            [np.cross(pull.points, pull.along), pull.along, (pull.points * pull.along).sum(1, keepdims=True)], 1
        )
        matrix += (rows * weight[:, None]).T @ rows
        right += rows.T @ (weight * pull.gap)
    step = np.linalg.solve(matrix, right)
    turn = _turn(np.clip(step[:3], -0.15, 0.15)) * (1 + np.clip(step[6], -0.2, 0.2))
    return Pose(turn @ pose.linear, turn @ pose.shift + np.clip(step[3:6], -0.2, 0.2))


def _turn(vector: np.ndarray) -> np.ndarray:
    """[3,3] rotation by a rotation vector."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(vector).as_matrix()
