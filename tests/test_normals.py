"""Normals and tangents against spheres and planes with known ones, and against Blender's own MikkTSpace."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from garment3d.normals import smooth_normals, tangents
from tests.solids import sphere, tube

ASK_BLENDER = """
import json, sys, bpy
given = json.load(open(sys.argv[-2]))
mesh = bpy.data.meshes.new("m")
mesh.from_pydata(given["vertices"], [], given["faces"])
mesh.uv_layers.new(name="uv")
for loop, uv in zip(mesh.uv_layers["uv"].data, given["uv"]):
    loop.uv = uv
for polygon in mesh.polygons:
    polygon.use_smooth = True
mesh.calc_tangents(uvmap="uv")
told = [[*loop.normal, *loop.tangent, loop.bitangent_sign] for loop in mesh.loops]
json.dump(told, open(sys.argv[-1], "w"))
"""


def blender_tangents(tmp_path, vertices, faces, corner_uv):
    """[3F,7] normal, tangent and sign of every face corner by Blender's `Mesh.calc_tangents`."""
    blender = shutil.which("blender")
    if blender is None:
        pytest.skip("blender is not installed")
    ask, given, told = tmp_path / "ask.py", tmp_path / "given.json", tmp_path / "told.json"
    ask.write_text(ASK_BLENDER)
    given.write_text(json.dumps({"vertices": vertices.tolist(), "faces": faces.tolist(), "uv": corner_uv.tolist()}))
    done = subprocess.run(
        [blender, "-b", "--factory-startup", "--python", str(ask), "--", str(given), str(told)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert told.exists(), done.stdout + done.stderr
    return np.array(json.loads(told.read_text()))


def bumpy(rows=14, columns=18):
    """A welded hilly sheet with uneven triangles, and uvs that are mirrored on its right half."""
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    x, y = x + rng.uniform(-0.02, 0.02, x.shape), y + rng.uniform(-0.02, 0.02, y.shape)
    vertices = np.stack([x, y, 0.3 * np.sin(3 * x) * np.cos(4 * y)], -1).reshape(-1, 3)
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    uv = np.stack([x, y], -1).reshape(-1, 2) @ turn * 0.4 + 0.5
    uv += 0.02 * np.sin(7 * vertices[:, :2])
    right = vertices[faces].mean(1)[:, 0] > 0
    return vertices, faces, uv, right


def split(vertices, faces, uv, group):
    """Each corner its own vertex, and uv mirrored in u where `group` [F] holds."""
    flat = faces.ravel()
    own = uv[flat].copy()
    own[np.repeat(group, 3), 0] *= -1
    return vertices[flat], np.arange(len(flat)).reshape(-1, 3), own


def test_tangents_are_those_of_blender(tmp_path):
    vertices, faces, uv, right = bumpy()
    corner_points, corner_faces, corner_uv = split(vertices, faces, uv, right)
    # Blender gets the welded sheet with a uv for each corner; here every corner is a vertex with Blender's normal.
    told = blender_tangents(tmp_path, vertices, faces, corner_uv)
    ours = tangents(corner_points, corner_faces, corner_uv, told[:, :3])
    angle = np.degrees(np.arccos(np.clip((ours[:, :3] * told[:, 3:6]).sum(1), -1, 1)))
    assert np.array_equal(ours[:, 3], told[:, 6]) and {-1.0, 1.0} == set(told[:, 6])
    assert angle.max() < 0.1, f"tangents differ by {angle.max():.3f}° at most, {angle.mean():.4f}° in the mean"


def test_tangents_of_a_tube_run_around_it_and_of_a_mirrored_one_the_other_way():
    mesh = tube()
    points, uv = np.asarray(mesh.vertices), np.asarray(mesh.visual.uv)
    normals = points * (1, 0, 1) / 0.3
    around = np.stack([points[:, 2], np.zeros(len(points)), -points[:, 0]], 1) / 0.3  # u grows from -Z over +X
    got = tangents(points, np.asarray(mesh.faces), uv, normals)
    inside = (uv[:, 0] > 0) & (uv[:, 0] < 1)  # at the seam's two lips only one side of the polygon is known
    off = (got[:, :3] * -around).sum(1)
    assert (np.abs(off[inside]) > 1 - 1e-9).all() and len(set(np.sign(off[inside]))) == 1
    assert np.allclose(np.linalg.norm(got[:, :3], axis=1), 1) and np.allclose((got[:, :3] * normals).sum(1), 0)
    mirrored = tangents(points, np.asarray(mesh.faces), uv * (-1, 1), normals)
    assert np.allclose(mirrored[:, :3], -got[:, :3]) and np.array_equal(mirrored[:, 3], -got[:, 3])


def test_the_bitangent_of_an_unmirrored_sheet_points_up_the_picture():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    got = tangents(points, np.array([[0, 1, 2], [0, 2, 3]]), points[:, :2], np.tile((0.0, 0, 1), (4, 1)))
    assert np.allclose(got, (1, 0, 0, 1))


def test_vertices_that_no_uv_speaks_for_still_get_a_frame():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]])
    normals = np.array([[0.0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0]])
    got = tangents(points, np.array([[0, 1, 2]]), np.zeros((4, 2)), normals)
    assert np.isfinite(got).all() and np.allclose(np.linalg.norm(got[:, :3], axis=1), 1)
    assert np.allclose((got[:, :3] * normals).sum(1), 0) and (got[:, 3] == 1).all()


def test_smooth_normals_of_a_sphere_point_away_from_its_centre():
    ball = sphere(0.4)
    ball.merge_vertices()
    away = ball.vertices / np.linalg.norm(ball.vertices, axis=1, keepdims=True)
    assert ((smooth_normals(np.asarray(ball.vertices), np.asarray(ball.faces)) * away).sum(1) > 0.999).all()
