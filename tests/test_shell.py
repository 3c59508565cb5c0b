"""The open shell: closed forms on strips, soundness on drawn garments, and distance to the ground truth."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.ndimage import maximum_filter

from garment3d.camera import photo_camera, project
from garment3d.errors import GarmentError, OutlineError
from garment3d.garment.loops import boundary_loops, openings
from garment3d.garment.openings import Span, find_openings
from garment3d.garment.shell import garment_shell
from garment3d.metrics import mask_iou, mesh_checks, surface_distance
from garment3d.render import render
from tests.drawn import GARMENTS, coverage, disc, ends_of, mask_of, middle
from tests.truth import CLASSES, canonical_mesh, make_garment, make_photo

HEIGHT, HW = 300.0, (340, 370)
TRIANGLES = 2400
PHOTOS = os.environ.get("GARMENT3D_PHOTOS", "")
LEFT, RIGHT, TOP, BOTTOM = 60.0, 160.0, 20.0, 280.0
ENDS = (Span("neck", (RIGHT, TOP), (LEFT, TOP)), Span("hem", (LEFT, BOTTOM), (RIGHT, BOTTOM)))


@cache
def rectangle() -> np.ndarray:
    return coverage(np.array([[LEFT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM], [RIGHT, TOP]]), (300, 220))


@cache
def tube(model: str = "poisson", triangles: int = TRIANGLES) -> trimesh.Trimesh:
    """A rectangle open at its top and bottom."""
    return garment_shell(rectangle(), spans=ENDS, triangles=triangles, model=model)


@cache
def drawn(name: str) -> tuple[np.ndarray, tuple[Span, ...], trimesh.Trimesh]:
    """Mask, its true openings and the shell built on them."""
    mask = mask_of(GARMENTS[name], HEIGHT, HW)
    ends = ends_of(GARMENTS[name], HEIGHT, middle(HEIGHT, HW))
    spans = tuple(Span(n, tuple(map(float, a)), tuple(map(float, b))) for n, (a, b) in ends.items())
    return mask, spans, garment_shell(mask, spans=spans, triangles=TRIANGLES)


def evenness(mesh: trimesh.Trimesh) -> np.ndarray:
    """[F] 4√3·area/Σside²: 1 for a regular triangle, 0 for a sliver."""
    corners = np.asarray(mesh.triangles)
    sides = ((corners - np.roll(corners, 1, 1)) ** 2).sum((1, 2))
    return 4 * np.sqrt(3) * np.asarray(mesh.area_faces) / sides


def fronts(mesh: trimesh.Trimesh) -> np.ndarray:
    return mesh.triangles_center[:, 2] > 0


def sound(mesh: trimesh.Trimesh, loops: int) -> None:
    checks = mesh_checks(mesh)
    assert checks.components == 1 and checks.boundary_loops == loops
    assert checks == checks._replace(
        non_manifold_edges=0, non_manifold_vertices=0, degenerate_faces=0, inverted_faces=0, inside_out=0
    )


def test_a_rectangle_open_at_both_ends_becomes_an_elliptic_tube() -> None:
    mesh = tube()
    a = (RIGHT - LEFT) / 2 / (BOTTOM - TOP)
    b = 1.18 * a / np.sqrt(2)
    x, _, z = np.asarray(mesh.vertices).T
    assert np.abs(np.hypot(x / a, z / b) - 1).max() < 0.03
    assert z.max() == pytest.approx(b, rel=0.02) and z.min() == pytest.approx(-b, rel=0.02)


def test_the_tube_has_the_area_of_its_ellipse_and_stays_open() -> None:
    mesh = tube()
    a = (RIGHT - LEFT) / 2 / (BOTTOM - TOP)
    angle = np.linspace(0, 2 * np.pi, 2000)
    section = np.stack([a * np.cos(angle), 1.18 * a / np.sqrt(2) * np.sin(angle)], 1)
    around = np.linalg.norm(np.diff(section, axis=0), axis=1).sum()
    assert mesh.area == pytest.approx(around, rel=0.02)  # its length is 1
    loops = [np.asarray(mesh.vertices)[loop] for loop in boundary_loops(mesh)]
    assert len(loops) == 2
    for points in loops:
        assert np.abs(np.abs(points[:, 1]) - 0.5).max() < 0.01
        length = np.linalg.norm(np.roll(points, -1, 0) - points, axis=1).sum()
        assert length == pytest.approx(around, rel=0.02)


@pytest.mark.parametrize("model", ["poisson", "garment"])
def test_the_frame_is_the_photo_s_and_front_is_forward(model: str) -> None:
    mesh = tube(model)
    low, high = mesh.bounds
    a = (RIGHT - LEFT) / 2 / (BOTTOM - TOP)
    np.testing.assert_allclose([low[:2], high[:2]], [[-a, -0.5], [a, 0.5]], atol=0.006)
    assert high[2] > 0 > low[2]
    front = fronts(mesh)
    assert (mesh.face_normals[front, 2] > -1e-9).all() and (mesh.face_normals[~front, 2] < 1e-9).all()


@pytest.mark.parametrize("triangles", [1000, 2400, 9000])
def test_the_number_of_triangles_is_met_within_a_tenth(triangles: int) -> None:
    assert len(tube(triangles=triangles).faces) == pytest.approx(triangles, rel=0.1)
    mask, spans, _ = drawn("tee")
    assert len(garment_shell(mask, spans=spans, triangles=triangles).faces) == pytest.approx(triangles, rel=0.1)


@pytest.mark.parametrize("name", GARMENTS)
def test_a_drawn_garment_becomes_one_sound_sheet_open_where_it_was_said(name: str) -> None:
    mask, spans, mesh = drawn(name)
    sound(mesh, len(spans))
    assert len(mesh.faces) == pytest.approx(TRIANGLES, rel=0.1)
    assert sorted(o.name for o in openings(mesh)) == sorted(s.name for s in spans)
    anchors = {o.name: np.array(o.anchor) for o in openings(mesh)}
    camera = photo_camera(mask)
    for span in spans:
        lip, _ = project(camera, anchors[span.name][None])
        apart = np.linalg.norm(lip[0] - np.mean([span.a_px, span.b_px], 0))
        assert apart < 0.05 * np.ptp(np.flatnonzero((mask >= 0.5).any(1))), span.name


@pytest.mark.parametrize("name", GARMENTS)
def test_its_triangles_are_even(name: str) -> None:
    shape = evenness(drawn(name)[2])
    assert np.quantile(shape, 0.01) >= 0.3
    assert np.median(shape) > 0.8


@pytest.mark.parametrize("name", GARMENTS)
def test_seen_from_the_photo_s_camera_it_is_the_mask(name: str) -> None:
    mask, _, mesh = drawn(name)
    picture = render(mesh, photo_camera(mask))
    assert mask_iou(picture.alpha, mask) >= 0.97
    place, _ = project(photo_camera(mask), np.asarray(mesh.vertices))
    rows, columns = (np.clip(np.floor(place[:, k]).astype(int), 0, HW[1 - k] - 1) for k in (1, 0))
    # No vertex leaves the garment; on a hollow lip the straight edges between them may cut a corner by a little.
    assert maximum_filter(mask, 7)[rows, columns].min() > 0
    assert (maximum_filter(mask, 3)[rows, columns] > 0).mean() > 0.99


@pytest.mark.parametrize("name", ["tee", "camisole", "trousers"])
def test_front_and_back_face_away_from_each_other_over_the_same_outline(name: str) -> None:
    mesh = drawn(name)[2]
    front = fronts(mesh)
    for sheet, sign in ((front, 1), (~front, -1)):
        assert (sign * mesh.face_normals[sheet, 2] > -1e-6).mean() > 0.995
    covered = [mesh.area_faces[s] @ np.abs(mesh.face_normals[s, 2]) for s in (front, ~front)]
    assert covered[0] == pytest.approx(covered[1], rel=0.02)


def test_found_openings_give_what_given_ones_give() -> None:
    mask = drawn("tee")[0]
    found = garment_shell(mask, triangles=TRIANGLES)
    given = garment_shell(mask, spans=find_openings(mask).spans, triangles=TRIANGLES)
    np.testing.assert_array_equal(found.vertices, given.vertices)
    np.testing.assert_array_equal(found.faces, given.faces)


def test_a_mirrored_mask_gives_the_mirrored_garment() -> None:
    mask = drawn("tee")[0]
    straight, mirrored = garment_shell(mask, triangles=1200), garment_shell(mask[:, ::-1].copy(), triangles=1200)
    mirrored.vertices = mirrored.vertices * [-1, 1, 1]
    apart = surface_distance(straight, mirrored, 3000)
    assert apart.symmetric < 0.0015 and apart.farthest < 0.04


def test_the_size_and_place_of_the_photo_do_not_matter() -> None:
    mask = drawn("trousers")[0]
    large = np.pad(np.kron(mask, np.ones((2, 2), np.float32)), ((0, 40), (90, 0)))
    a, b = garment_shell(mask, triangles=1200), garment_shell(large, triangles=1200)
    apart = surface_distance(a, b, 3000)
    assert apart.symmetric < 0.003 and apart.farthest < 0.06


@pytest.mark.parametrize("width", [4.0, 7.0])
def test_a_thin_strap_survives_as_a_tube(width: float) -> None:
    half = [(0, 90.0), (-60.3, 80.0), (-60.3, 20), (-60.3 - width, 20), (-60.3 - width, 90.0), (-95, 130), (-95, 280)]
    whole = np.array([*half, *((-x, y) for x, y in half[::-1][:-1])])
    mask = coverage(whole + np.array([120, 0]), (300, 240))
    spans = (
        Span("neck", (180.3, 20.0), (59.7, 20.0)),
        Span("armhole_r", (59.7 - width, 20.0), (25.0, 130.0)),
        Span("armhole_l", (215.0, 130.0), (180.3 + width, 20.0)),
        Span("hem", (25.0, 280.0), (215.0, 280.0)),
    )
    mesh = garment_shell(mask, spans=spans, triangles=TRIANGLES)
    sound(mesh, 4)
    alpha = render(mesh, photo_camera(mask)).alpha.numpy()
    assert mask_iou(alpha, mask) >= 0.97
    assert mask_iou(alpha[25:75], mask[25:75]) >= 0.9
    # Cut across anywhere it is a tube, not a fin: its front stands off its back by a good part of its width.
    for y in np.linspace(30, 75, 7):
        cut = trimesh.intersections.mesh_plane(mesh, [0, 1, 0], [0, (150 - y) / 260, 0]).reshape(-1, 3)
        for side in (cut[:, 0] < 0, cut[:, 0] > 0):
            assert np.ptp(cut[side, 2]) > 0.25 * width / 260


def test_a_hole_in_the_mask_is_a_hole_in_front_and_back() -> None:
    mask = rectangle() - disc(20, (110, 150), (300, 220))
    mesh = garment_shell(mask, spans=ENDS, triangles=TRIANGLES)
    checks = mesh_checks(mesh)
    assert (checks.components, checks.non_manifold_edges, checks.degenerate_faces, checks.inverted_faces) == (
        1,
        0,
        0,
        0,
    )
    assert mask_iou(render(mesh, photo_camera(mask)).alpha, mask) >= 0.97
    assert checks.boundary_loops == 2  # its rim is sewn, as the sides are


def test_without_openings_the_shell_is_closed_and_holds_a_volume() -> None:
    mesh = garment_shell(disc(80, (100, 100), (200, 200)), spans=(), triangles=1500)
    sound(mesh, 0)
    assert mesh.is_watertight and mesh.volume > 0
    plain = garment_shell(disc(80, (100, 100), (200, 200)), spans=(), triangles=1500, model="poisson")
    # z = 1.18·√((R² − r²)/4) is half an ellipsoid with axes R, R and 0.59 R.
    assert plain.volume == pytest.approx(4 / 3 * np.pi * 0.5**3 * 0.59, rel=0.03)


@pytest.mark.parametrize("points", [3, 5, 8])
@pytest.mark.parametrize("triangles", [500, 1500])
def test_narrow_tips_are_sewn_without_front_and_back_touching(points: int, triangles: int) -> None:
    angle = np.arange(2 * points) * np.pi / points + 0.2
    reach = np.where(np.arange(2 * points) % 2, 30, 120)
    star = np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None] + 130
    sound(garment_shell(coverage(star, (260, 260)), spans=(), triangles=triangles), 0)


def test_nothing_is_changed_in_what_was_given() -> None:
    mask, spans, _ = drawn("skirt")
    before = mask.copy()
    garment_shell(mask, spans=spans, triangles=600)
    np.testing.assert_array_equal(mask, before)


def test_the_same_mask_gives_the_same_shell() -> None:
    mask, spans, mesh = drawn("dress")
    again = garment_shell(mask, spans=spans, triangles=TRIANGLES)
    np.testing.assert_array_equal(mesh.vertices, again.vertices)
    np.testing.assert_array_equal(mesh.faces, again.faces)


def test_openings_that_overlap_are_an_error_with_their_names() -> None:
    mask = rectangle()
    wide = (ENDS[0], Span("hem", (LEFT, 100.0), (RIGHT, BOTTOM)), Span("cuff_r", (LEFT, 60.0), (LEFT, 200.0)))
    with pytest.raises(OutlineError, match=r"hem.*cuff_r|cuff_r.*hem"):
        garment_shell(mask, spans=wide, triangles=600)


@pytest.mark.parametrize("end", [(LEFT, TOP), (float("nan"), TOP)])
def test_an_opening_of_no_length_is_an_error_with_its_name(end: tuple[float, float]) -> None:
    with pytest.raises(OutlineError, match="neck"):
        garment_shell(rectangle(), spans=(Span("neck", (LEFT, TOP), end), ENDS[1]), triangles=600)


@pytest.mark.parametrize("spans", [None, (), ENDS])
def test_an_empty_mask_is_an_error(spans: tuple[Span, ...] | None) -> None:
    with pytest.raises(GarmentError, match="empty"):
        garment_shell(np.zeros((100, 80), np.float32), spans=spans)


@cache
def truth_distances() -> list[tuple[str, float, float]]:
    """Class, and the distance of the garment model's and the plain model's shell to the truth, in % of height."""
    rows = []
    for index in range(2 * len(CLASSES)):
        garment = make_garment(CLASSES[index % len(CLASSES)], index // len(CLASSES), step_cm=2.0)
        photo = make_photo(garment, index, (384, 288), photo=False)
        true = canonical_mesh(garment, photo)
        apart = [surface_distance(at_depth_of(shell, true), true, 3000).symmetric for shell in both(photo.soft)]
        rows.append((garment.garment_class, *(100 * d / np.ptp(true.vertices[:, 1]) for d in apart)))
    return rows


def both(soft: np.ndarray) -> list[trimesh.Trimesh]:
    return [garment_shell(soft, triangles=1600, model=model) for model in ("garment", "poisson")]


def at_depth_of(mesh: trimesh.Trimesh, true: trimesh.Trimesh) -> trimesh.Trimesh:
    """`mesh` moved along z so that the medians of both surfaces agree: one photo says nothing of z."""
    ours, theirs = (np.median(trimesh.sample.sample_surface(m, 5000, seed=0)[0][:, 2]) for m in (mesh, true))
    moved = mesh.copy()
    moved.apply_translation([0, 0, theirs - ours])
    return moved


def test_garments_come_nearer_to_the_truth_than_plain_inflation() -> None:
    rows = truth_distances()
    ours, plain = np.mean([r[1] for r in rows]), np.mean([r[2] for r in rows])
    assert ours <= 0.85 * plain, rows


def test_no_class_is_further_from_the_truth_than_plain_inflation() -> None:
    for name in CLASSES:
        rows = [r for r in truth_distances() if r[0] == name]
        assert np.mean([r[1] for r in rows]) < np.mean([r[2] for r in rows]), name


@pytest.mark.skipif(not PHOTOS, reason="GARMENT3D_PHOTOS names no folder with real photos and their masks.")
def test_real_photos_become_sound_sheets_that_cover_their_masks() -> None:
    files = sorted(
        p for p in Path(PHOTOS).glob("*.mask.png") if p.with_name(p.name.replace(".mask.png", ".jpg")).exists()
    )
    assert files
    for file in files:
        soft = np.asarray(Image.open(file).convert("L"), np.float32) / 255
        rgb = np.asarray(Image.open(file.with_name(file.name.replace(".mask.png", ".jpg"))).convert("RGB"))
        mesh = garment_shell(soft, rgb, triangles=4000)
        sound(mesh, len(find_openings(soft).spans))
        assert mask_iou(render(mesh, photo_camera(soft)).alpha, soft) >= 0.97, file.name
