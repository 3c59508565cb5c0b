"""A data set folder of the views: COLMAP's points, names, and what is said where it can't be written."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d.camera import orbit, photo_camera
from garment3d.data import Orbit
from garment3d.errors import GarmentError, MeshError, ViewsError
from garment3d.export.camera_files import camera_files
from garment3d.export.colmap import colmap_files
from garment3d.export.points import surface_points
from garment3d.views.rendered import rendered_orbit
from tests.camera_markers import (
    COLOURS,
    LENGTH_CM,
    PLACES,
    RADIUS,
    Colmap,
    balls,
    data_set,
    metres,
    orthographic,
    pictures,
    write,
)
from tests.solids import tube


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A whole data set of the balls as Zero123 would see them."""
    return data_set("zero123", tmp_path_factory.mktemp("set"))


# COLMAP's points.


def test_tracks_and_observations_name_each_other_and_lie_on_the_balls(plain):
    model = Colmap(plain.folder)
    own = metres(PLACES)
    scale = (metres(np.ones(3)) - metres(np.zeros(3)))[0]
    assert len(model.points) > 800
    clean = 0
    for line in model.points:
        xyz, rgb, track = np.array(line[1:4], float), np.array(line[4:7], int), np.array(line[8:], int).reshape(-1, 2)
        ball = np.linalg.norm(own - xyz, axis=1).argmin()
        assert abs(np.linalg.norm(own[ball] - xyz) / scale - RADIUS) < 0.001
        clean += bool(np.abs(rgb - COLOURS[ball]).max() <= 13)  # a mask of 0.95 lets that much white through
        assert len(track) >= 2
        for image, index in track:
            x, y, point = model.seen[image - 1][index]
            assert point == int(line[0])
            assert np.abs(model.pixels(image - 1, xyz[None])[0] - [x, y]).max() < 0.002
    # Seen edge-on, a point's pixel is half its neighbour's.
    assert clean > 0.97 * len(model.points)
    assert sum(map(len, model.seen)) == sum((len(line) - 8) // 2 for line in model.points)


def test_a_point_is_seen_where_nothing_lies_before_it_and_the_mask_has_it():
    """Held against rays through every triangle."""
    scene = tube(0.2, 0.7, 48, 8)
    views = pictures(orbit(45.0, 15.0, hw=(256, 256)))
    views = replace(views, masks=views.masks * 0 + 1)
    points = surface_points(scene, views, 150)
    corners = scene.triangles
    hidden = missed = total = 0
    for camera, seen in zip(views.orbit.cameras, points.seen, strict=True):
        eye = camera.c2w[:3, 3]
        free = np.array([first_hit(eye, point, corners) for point in points.xyz]) > 1 - 1e-4
        hidden, missed, total = hidden + (seen & ~free).sum(), missed + (~seen & free).sum(), total + len(seen)
    # Cloth seen edge-on may be missed; what is named as seen has to be.
    assert 0.3 < points.seen.mean() < 0.7 and hidden <= 0.005 * total and missed <= 0.03 * total
    blind = replace(views, masks=views.masks * 0)
    assert len(surface_points(scene, blind, 150).xyz) == 0
    with pytest.raises(MeshError, match="no surface"):
        surface_points(trimesh.Trimesh(np.zeros((3, 3)), [[0, 1, 2]], process=False), views)


def first_hit(eye, point, corners):
    """Share of the way from eye to point where the first triangle is met, 1 or so at the point itself."""
    a, b, c = corners.transpose(1, 0, 2)
    way = point - eye
    across = np.cross(way, c - a)
    det = ((b - a) * across).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = ((eye - a) * across).sum(1) / det
        turn = np.cross(eye - a, b - a)
        v, t = turn @ way / det, ((c - a) * turn).sum(1) / det
    met = t[(u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)]
    return met.min(initial=2.0)


def test_a_hull_carved_from_the_colmap_folder_alone_is_the_solid(tmp_path):
    """Silhouettes through the written cameras: a hull of an egg holds the egg and little more."""
    egg = trimesh.creation.icosphere(4, 1.0)
    half = np.array([0.32, 0.5, 0.2])
    egg.apply_scale(half)
    files = camera_files(rendered_orbit(egg, orbit(30.0, 25.0, hw=(180, 240))), egg, 60, ("colmap", "masks"))
    write(tmp_path, files)
    model, half = Colmap(tmp_path), half * 0.6
    cells = np.stack(np.meshgrid(*[np.linspace(-1.2, 1.2, 37)] * 3, indexing="ij"), -1).reshape(-1, 3)
    world = cells * half + [0, half[1], 0]
    kept = np.ones(len(cells), bool)
    for view, line in enumerate(model.images):
        mask = np.asarray(Image.open(tmp_path / "masks" / line[9])) > 127
        x, y = np.floor(model.pixels(view, world)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        kept &= inside & mask[y.clip(0, mask.shape[0] - 1), x.clip(0, mask.shape[1] - 1)]
    away = np.linalg.norm(cells, axis=1)
    assert kept[away < 0.97].all()
    assert kept.sum() / (away <= 1).sum() < 1.12 and np.abs(cells[kept]).max(0)[[0, 2]].max() <= 1.05


def test_without_points_the_model_is_whole_and_empty():
    files = {file.name: file.data.decode() for file in colmap_files(orbit(90.0), list("abcd"), np.eye(4))}
    assert files["sparse/0/points3D.txt"].count("\n") == 1
    assert files["sparse/0/images.txt"].split("\n")[2::2] == [""] * 4
    with pytest.raises(ViewsError, match="know 4 views"):
        points = surface_points(balls(), pictures(orbit(90.0, hw=(64, 64))), 50)
        colmap_files(orbit(120.0), list("abc"), np.eye(4), points)


# The whole folder.


def test_the_folder_has_stable_names_and_says_nothing_else(plain):
    folder, images, _ = plain
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    pictures_ = [f"{a:03d}.png" for a in range(0, 360, 60)]
    assert images == [f"images/{name}" for name in pictures_]
    assert names == sorted(
        [f"{place}/{name}" for place in ("images", "masks") for name in pictures_]
        + [f"sparse/0/{name}.txt" for name in ("cameras", "images", "points3D")]
        + [f"transforms{split}.json" for split in ("", "_train", "_val", "_test")]
        + ["README.txt", "cameras.json", "garment.glb", "points3d.ply"]
    )
    cloud = trimesh.load(folder / json.loads((folder / "transforms.json").read_text())["ply_file_path"])
    listed = np.array([line[1:7] for line in Colmap(folder).points], float)
    assert np.allclose(cloud.vertices, listed[:, :3], atol=1e-6) and (cloud.colors[:, :3] == listed[:, 3:]).all()


def test_seeds_and_the_photos_camera_are_in_cameras_json():
    around = orbit(180.0, hw=(64, 64))
    views = replace(pictures(around), seeds=(None, 7))
    photo = photo_camera(np.pad(np.ones((10, 10), np.float32), 5))
    files = camera_files(views, balls(), 70, ("json",), photo=photo)
    whole = json.loads(files[-2].data)
    assert [view["seed"] for view in whole["views"]] == [None, 7] and whole["photo"]["size_wh"] == [20, 20]
    assert [view["file"] for view in whole["views"]] == [file.name for file in files[:-2]]


def test_without_a_garment_the_metres_come_from_the_photos_side():
    views = pictures(orbit(90.0, hw=(256, 256)))
    with_mesh, without = (
        {file.name: file.data for file in camera_files(views, mesh, LENGTH_CM, ("nerf", "colmap"))}
        for mesh in (balls(), None)
    )
    scales = [json.loads(files["transforms.json"])["scale"] for files in (with_mesh, without)]
    assert abs(scales[1] / scales[0] - 1) < 0.1
    told = [line.split() for line in without["sparse/0/points3D.txt"].decode().split("\n")[1:-1]]
    inside = np.array([line[1:4] for line in told], float)
    away = np.linalg.norm(inside[:, None] - metres(PLACES), axis=2).min(1)
    # Four silhouettes of balls leave columns about the balls, and nothing says that a view sees such a point.
    assert len(told) > 20 and np.median(away) < 0.05 and {tuple(line[7:]) for line in told} == {("-1",)}
    with pytest.raises(ViewsError, match="mask of the view at 0° is empty"):
        camera_files(replace(views, masks=views.masks * 0), None, 70)


def test_the_readme_tells_of_the_files_that_are_there_and_of_no_others():
    views = pictures(orbit(180.0, hw=(64, 64)))
    for formats in (("nerf",), ("colmap", "json"), ("synthetic", "gltf", "masks")):
        *files, readme = camera_files(views, balls(), 70, formats, points=10)
        headings = re.findall(r"^[a-z].*[/a-z]$", readme.data.decode().split("images/ holds")[1], re.MULTILINE)
        told = {name for line in headings if line.endswith(("/", ".json", ".glb", ".ply")) for name in line.split(", ")}
        folders = {file.name.rpartition("/")[0] + "/" for file in files if "/" in file.name}
        assert told | {"images/"} == folders | {file.name for file in files if "/" not in file.name}


def test_what_can_not_be_written_is_said():
    views = pictures(orbit(180.0, hw=(64, 64)))
    flat = replace(views, orbit=orthographic(views.orbit, 60.0))
    for formats, error in ((("nerf",), "NeRF tools"), (("colmap",), "COLMAP knows"), (("synthetic",), "NeRF tools")):
        with pytest.raises(ViewsError, match=error):
            camera_files(flat, balls(), 70, formats)
    assert camera_files(flat, balls(), 70, ("json", "gltf"))
    with pytest.raises(ViewsError, match="stand at 180°"):
        camera_files(replace(views, orbit=views.orbit._replace(azimuths_deg=(180.0, -180.0))), balls(), 70)
    with pytest.raises(ViewsError, match="obj; choose from nerf, colmap"):
        camera_files(views, balls(), 70, ("nerf", "obj"))
    with pytest.raises(GarmentError, match="no garment"):
        camera_files(views, None, 70, ("gltf",))
    none = replace(views, images=views.images[:0], masks=views.masks[:0], orbit=Orbit((), (), 0.0, 1.0))
    with pytest.raises(ViewsError, match="no views"):
        camera_files(none, balls(), 70)
