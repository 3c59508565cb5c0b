"""The fit of a shell: closed forms on tubes, then true garments that were closed, lumped, misplaced and worse."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import trimesh

from garment3d.crossings import crossing_faces, folded_faces
from garment3d.errors import MeshError
from garment3d.garment.fit import FitOptions, Fitted, fit_shell
from garment3d.garment.loops import openings
from garment3d.garment.openings import Span
from garment3d.garment.shell import garment_shell
from garment3d.metrics import surface_distance
from tests.drawn import coverage
from tests.truth import Truth, canonical_mesh, make_garment, make_photo
from tests.truth.targets import closed, lumped, misplaced

LEFT, RIGHT, TOP, BOTTOM = 60.0, 160.0, 20.0, 280.0
HALF = (RIGHT - LEFT) / 2 / (BOTTOM - TOP)
"""Half the tube's width; its height is 1."""


@cache
def rectangle() -> np.ndarray:
    return coverage(np.array([[LEFT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM], [RIGHT, TOP]]), (300, 220))


@cache
def tube() -> trimesh.Trimesh:
    ends = (Span("neck", (RIGHT, TOP), (LEFT, TOP)), Span("hem", (LEFT, BOTTOM), (RIGHT, BOTTOM)))
    return garment_shell(rectangle(), spans=ends, triangles=2400)


def cylinder(depth: float = 0.15, dent: float = 0.0) -> trimesh.Trimesh:
    """An elliptic cylinder as wide and high as the tube; `dent` pushes a hollow into its front at x = HALF / 2."""
    y, angle = np.linspace(-0.5, 0.5, 40), np.linspace(0, 2 * np.pi, 96, endpoint=False)
    x, z = HALF * np.cos(angle), depth * np.sin(angle)
    z = z - dent * np.exp(-(((x - HALF / 2) / 0.05) ** 2)) * np.maximum(np.sin(angle), 0)
    points = np.concatenate([np.column_stack([x, np.full(96, h), z]) for h in y])
    ring = np.arange(96)
    after = np.roll(ring, -1)
    rows = [np.concatenate([np.stack([ring, ring + 96, after], 1), np.stack([after, ring + 96, after + 96], 1)])]
    mesh = trimesh.Trimesh(points, np.concatenate([rows[0] + 96 * k for k in range(39)]), process=False)
    return closed(mesh, bulge=0.01)


@cache
def on_cylinder() -> Fitted:
    return fit_shell(tube(), cylinder(), rectangle())


def section(mesh: trimesh.Trimesh) -> np.ndarray:
    """[K] how far inside 1 or outside the ellipse's equation the vertices lie, the ends left out."""
    points = np.asarray(mesh.vertices)
    points = points[np.abs(points[:, 1]) < 0.45]
    return np.hypot(points[:, 0] / HALF, points[:, 2] / 0.15)


def test_a_tube_takes_the_cylinders_depth():
    assert np.abs(section(tube()) - 1).mean() > 0.05  # before
    assert np.abs(section(on_cylinder().mesh) - 1).mean() < 0.01
    assert on_cylinder().figures.distance_after < 0.2 * on_cylinder().figures.distance_before


def test_lips_lie_on_the_cylinders_rim_not_on_its_caps():
    fitted = on_cylinder().mesh
    assert sorted(o.name for o in openings(fitted)) == sorted(o.name for o in openings(tube()))
    lip = np.asarray(fitted.vertices)[np.abs(np.asarray(tube().vertices)[:, 1]) > 0.495]
    assert np.abs(np.hypot(lip[:, 0] / HALF, lip[:, 2] / 0.15) - 1).max() < 0.06


def test_faces_stay_and_the_outline_stays_in_the_photo():
    before, after = np.asarray(tube().vertices), np.asarray(on_cylinder().mesh.vertices)
    assert np.array_equal(on_cylinder().mesh.faces, tube().faces)
    outline = (np.abs(np.abs(before[:, 0]) - HALF) < 0.003) & (np.abs(before[:, 2]) < 1e-6)
    assert outline.sum() > 40
    assert np.abs(after[outline, :2] - before[outline, :2]).max() < 1e-6
    free = fit_shell(tube(), cylinder(), rectangle(), options=FitOptions(keep_silhouette=False)).mesh
    assert np.abs(np.asarray(free.vertices)[outline, :2] - before[outline, :2]).max() > 1e-6


def test_split_vertices_stay_together_and_uv_is_kept():
    split = trimesh.Trimesh(
        np.asarray(tube().vertices)[tube().faces.ravel()], np.arange(tube().faces.size).reshape(-1, 3), process=False
    )
    uv = np.random.default_rng(0).random((len(split.vertices), 2))
    split.visual = trimesh.visual.TextureVisuals(uv=uv)
    before = np.asarray(split.vertices).copy()
    fitted = fit_shell(split, cylinder(), rectangle()).mesh
    assert np.array_equal(fitted.faces, split.faces) and np.array_equal(fitted.visual.uv, uv)
    assert np.array_equal(split.vertices, before)
    same = np.asarray(on_cylinder().mesh.vertices)[tube().faces.ravel()]
    assert np.abs(fitted.vertices - same).max() < 1e-5


def test_symmetry_evens_out_what_is_on_one_side_only():
    mesh = cylinder(dent=0.04)
    plain, even = (fit_shell(tube(), mesh, rectangle(), options=FitOptions(symmetry=s)).mesh for s in (0.0, 1.0))

    def uneven(fitted: trimesh.Trimesh) -> float:
        flipped = trimesh.Trimesh(fitted.vertices * [-1, 1, 1], fitted.faces[:, ::-1], process=False)
        return surface_distance(fitted, flipped, 4000).symmetric

    assert uneven(even) < 0.4 * uneven(plain)


def test_smoothness_decides_how_far_dents_are_followed():
    mesh = cylinder(dent=0.04)
    rough, smooth = (fit_shell(tube(), mesh, rectangle(), options=FitOptions(smoothness=s)) for s in (0.0, 1.0))
    assert rough.figures.distance_after < 0.3 * smooth.figures.distance_after


def test_progress_is_told_and_may_stop_the_fit():
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_shell(tube(), cylinder(), rectangle(), progress=stop)
    assert [done for done, _ in told] == sorted(done for done, _ in told) and len(told) == 3
    assert told[-1][0] < told[-1][1]


def test_thickness_closes_the_cloth():
    solid = fit_shell(tube(), cylinder(), rectangle(), options=FitOptions(thickness=0.01)).mesh
    assert trimesh.Trimesh(solid.vertices, solid.faces, process=True).is_watertight
    assert solid.volume == pytest.approx(0.01 * on_cylinder().mesh.area, rel=0.1)


def test_a_mesh_of_something_else_is_one_sentence():
    with pytest.raises(MeshError, match="overlap"):
        fit_shell(tube(), trimesh.creation.box((1.0, 0.01, 1.0)), rectangle())


@cache
def entry() -> Truth:
    garment = make_garment("longsleeve", 1, step_cm=1.2)
    return Truth(garment, make_photo(garment, 0))


@cache
def shell() -> trimesh.Trimesh:
    return garment_shell(entry().photo.soft, entry().photo.rgb, triangles=6000)


def true() -> trimesh.Trimesh:
    return canonical_mesh(entry().garment, entry().photo)


def off(mesh: trimesh.Trimesh) -> float:
    """Symmetric distance to the true open garment in shares of its height, its place along z left open."""
    ours, theirs = (np.median(trimesh.sample.sample_surface(m, 20_000, seed=0)[0][:, 2]) for m in (mesh, true()))
    moved = trimesh.Trimesh(mesh.vertices + np.array([0, 0, theirs - ours]), mesh.faces, process=False)
    return surface_distance(moved, true(), 8000).symmetric / float(np.ptp(true().vertices[:, 1]))


def check(fitted: Fitted, at_most: float) -> None:
    assert off(fitted.mesh) < at_most
    assert sorted(o.name for o in openings(fitted.mesh)) == sorted(entry().garment.loops)
    assert not folded_faces(fitted.mesh).any()
    assert crossing_faces(fitted.mesh).mean() <= 0.001
    assert fitted.figures.folded_faces == 0


def test_an_exact_target_gives_the_true_garment():
    target = misplaced(closed(true(), inside=0.015), 5)
    fitted = fit_shell(shell(), target.mesh, entry().photo.soft, entry().photo.rgb)
    check(fitted, 0.8 * off(shell()))
    assert off(fitted.mesh) < 0.01


def test_a_lumped_target_gives_its_large_shape():
    target = misplaced(lumped(closed(true()), 2), 2)
    fitted = fit_shell(shell(), target.mesh, entry().photo.soft, entry().photo.rgb)
    check(fitted, min(0.02, off(shell())))


def test_holes_loose_parts_and_random_winding_are_borne():
    mesh, random = closed(true()), np.random.default_rng(0)
    middles = mesh.triangles_center
    hole = np.linalg.norm(middles - middles[random.integers(len(middles))], axis=1) < 0.06
    faces = np.where(random.random(len(mesh.faces))[:, None] < 0.3, mesh.faces[:, ::-1], mesh.faces)
    bad = trimesh.Trimesh(mesh.vertices, faces[~hole], process=False)
    ball = trimesh.creation.icosphere(radius=0.03)
    fitted = fit_shell(shell(), trimesh.util.concatenate([bad, ball]), entry().photo.soft, entry().photo.rgb)
    check(fitted, 0.012)
