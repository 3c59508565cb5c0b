"""Normal maps of hills and spheres, whose normals are known in closed form, read back as an engine reads them."""

import numpy as np
import pytest
import trimesh
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from garment3d.errors import MeshError
from garment3d.garment.normal_map import FLAT, normal_map
from garment3d.garment.texture.atlas import texels
from garment3d.normals import smooth_normals
from tests.solids import grid

HEIGHT, WAVES = 0.006, 11.0


def meshed(vertices, faces, uv=None):
    visual = None if uv is None else TextureVisuals(uv=uv, material=PBRMaterial())
    return trimesh.Trimesh(vertices, faces, visual=visual, process=False)


def hills(divisions, height=HEIGHT, with_uv=True, mirrored=False):
    """A unit square facing +Z with waves on it; u runs along X, or against it."""
    s, t, faces = grid(divisions, divisions)
    z = height * np.sin(WAVES * s) * np.cos(WAVES * t)
    uv = np.stack([1 - s if mirrored else s, t], 1) * 0.9 + 0.05
    return meshed(np.stack([s, t, z], 1), faces, uv if with_uv else None)


def hill_normals(points):
    """Unit normals of the waves above [N,2] places."""
    x, y = points.T * WAVES
    slope = HEIGHT * WAVES
    normals = np.stack([-slope * np.cos(x) * np.cos(y), slope * np.sin(x) * np.sin(y), np.ones(len(x))], 1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def band_of_sphere(rows, columns, with_uv=True):
    """A sphere of radius 0.5 between 60° south and 60° north, cut open at the back."""
    s, t, faces = grid(rows, columns)
    return meshed(0.5 * on_sphere(s, t), faces, np.stack([s, t], 1) * 0.9 + 0.05 if with_uv else None)


def on_sphere(s, t):
    east, north = np.radians(340 * (s - 0.5)), np.radians(120 * (t - 0.5))
    return np.stack([np.sin(east) * np.cos(north), np.sin(north), np.cos(east) * np.cos(north)], 1)


def decoded(picture):
    vectors = picture / 127.5 - 1
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def angles_deg(one, other):
    return np.degrees(np.arccos(np.clip((one * other).sum(-1), -1, 1)))


def inner_texels(mesh, size):
    """Points [N,3], faces [N] and rows and columns [N] of the texels of a mesh."""
    uv, faces = np.asarray(mesh.visual.uv), np.asarray(mesh.faces)
    band = next(texels(uv, faces, size))
    face, index = band.face.numpy(), band.index.numpy()
    points = (np.asarray(mesh.vertices)[faces[face]] * band.bary.numpy()[..., None]).sum(1)
    return points, band, index // size, index % size


@pytest.mark.parametrize("with_uv", [True, False], ids=["same atlas", "searched"])
@pytest.mark.parametrize("mirrored", [False, True], ids=["upright", "mirrored"])
def test_hills_on_a_flat_sheet_have_their_own_slopes(with_uv, mirrored):
    light = hills(1, 0.0, mirrored=mirrored)
    picture = normal_map(light, hills(180, with_uv=with_uv, mirrored=mirrored), 256)
    points, _, rows, columns = inner_texels(light, 256)
    truth = hill_normals(points[:, :2]) * ((-1, 1, 1) if mirrored else (1, 1, 1))
    off = angles_deg(decoded(picture[rows, columns]), truth)
    assert truth[:, 2].min() < 0.998  # the hills are no plain
    assert off.mean() < 0.25 and off.max() < 0.8, (off.mean(), off.max())


def test_y_is_up_in_the_picture():
    """A slope that faces up is green above the middle, one that faces the picture's right is red."""
    light = hills(1, 0.0)
    up = meshed(
        np.asarray(light.vertices) * (1, 1, 0) + np.outer(np.asarray(light.vertices)[:, 1], (0, 0, -0.01)), light.faces
    )
    red, green, _ = normal_map(light, up, 64)[32, 32]
    assert green > 128 and red == 128


@pytest.mark.parametrize("with_uv", [True, False], ids=["same atlas", "searched"])
def test_a_few_triangles_are_lit_like_the_sphere_they_stand_for(with_uv):
    light, lamp = band_of_sphere(6, 14), np.array([0.8, 0.1, 0.59])
    picture = normal_map(light, band_of_sphere(80, 190, with_uv), 256)
    points, band, rows, columns = inner_texels(light, 256)
    s, t = ((columns + 0.5) / 256 - 0.05) / 0.9, ((255.5 - rows) / 256 - 0.05) / 0.9
    # The same uv is the same place on the sphere; what is searched lies straight above the flat triangle.
    away = on_sphere(s, t) if with_uv else points / np.linalg.norm(points, axis=1, keepdims=True)
    inner = (s > 0.02) & (s < 0.98) & (t > 0.02) & (t < 0.98)  # at its rim a mesh knows its normals from one side only
    lit = as_an_engine_lights(light, band, picture[rows, columns])
    plain = as_an_engine_lights(light, band, np.tile(FLAT, (len(rows), 1)))
    off, before = angles_deg(lit, away)[inner], angles_deg(plain, away)[inner]
    assert off.mean() < 0.3 and np.percentile(off, 99) < 0.8 < before.mean(), (off.mean(), np.percentile(off, 99))
    assert np.abs((lit - away) @ lamp)[inner].mean() < 0.003


def as_an_engine_lights(mesh, band, colours):
    """[N,3] unit normals from map and vertices, by MikkTSpace's formula, its frame known in closed form."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    normals = smooth_normals(vertices, faces)
    east = np.stack([vertices[:, 2], np.zeros(len(vertices)), -vertices[:, 0]], 1)
    east -= normals * (east * normals).sum(1, keepdims=True)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    face, bary = band.face.numpy(), band.bary.numpy()[..., None]
    n, t = (normals[faces[face]] * bary).sum(1), (east[faces[face]] * bary).sum(1)
    x, y, z = np.moveaxis(decoded(colours)[..., None], 1, 0)
    lit = x * t + y * np.cross(n, t) + z * n
    return lit / np.linalg.norm(lit, axis=1, keepdims=True)


def test_a_mesh_that_lost_nothing_has_a_flat_map():
    mesh = band_of_sphere(12, 28)
    assert (normal_map(mesh, mesh, 128) == FLAT).all()


def test_the_other_side_of_the_cloth_is_not_this_one():
    """Two sheets 2 mm apart on a garment of 1 m, the front one wavy: the back's map stays flat."""
    front, flat = hills(120, 0.002), hills(1, 0.0)
    back_points = np.asarray(flat.vertices) * (1, 1, 0) + (0, 0, -0.004)
    both_light = joined(flat, meshed(back_points, np.asarray(flat.faces)[:, ::-1], np.asarray(flat.visual.uv)))
    both_dense = joined(front, meshed(back_points, np.asarray(flat.faces)[:, ::-1], np.asarray(flat.visual.uv)))
    bare = meshed(both_dense.vertices, both_dense.faces)
    for detail in (both_dense, bare):
        picture = normal_map(both_light, detail, 256).astype(int)
        assert np.abs(picture[:, 140:] - FLAT).max() <= 1
        assert np.abs(picture[:, 20:110] - FLAT).max() > 2


def joined(left, right):
    """Both in one mesh, the left one in the left half of the atlas."""
    uv = [np.asarray(m.visual.uv) * (0.45, 1) + (x, 0) for m, x in ((left, 0.0), (right, 0.55))]
    return meshed(
        np.concatenate([left.vertices, right.vertices]),
        np.concatenate([left.faces, np.asarray(right.faces) + len(left.vertices)]),
        np.concatenate(uv),
    )


def test_what_lies_beyond_reach_leaves_the_map_flat():
    far = hills(60)
    far.apply_translation((0, 0, 0.2))
    assert (normal_map(hills(1, 0.0), far, 64) == FLAT).all()


def test_the_room_around_an_island_continues_it():
    light = hills(1, 0.0)
    picture = normal_map(light, hills(100), 128)
    assert np.array_equal(picture[:6], np.broadcast_to(picture[6], (6, 128, 3)))


def test_progress_ends_at_one_and_nothing_is_changed():
    told, light, dense = [], hills(2, 0.0), hills(20)
    before = (light.vertices.tobytes(), dense.vertices.tobytes(), np.asarray(light.visual.uv).tobytes())
    normal_map(light, dense, 64, lambda done, total: told.append(done / total))
    assert 0 < told[-1] <= 1
    assert before == (light.vertices.tobytes(), dense.vertices.tobytes(), np.asarray(light.visual.uv).tobytes())


def test_meshes_that_cannot_be_baked_say_so():
    light = hills(1, 0.0)
    with pytest.raises(MeshError, match="no uv"):
        normal_map(hills(1, with_uv=False), light, 64)
    with pytest.raises(MeshError, match="16 to 8192"):
        normal_map(light, light, 8)
    with pytest.raises(MeshError, match="detailed mesh has 0 faces"):
        normal_map(light, meshed([[0, 0, 0.0]], np.zeros((0, 3), int)), 64)
