"""The camera formats in programs that others wrote: COLMAP's own library, trimesh and Blender's importer."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from garment3d.camera import orbit
from garment3d.export.camera_files import camera_files
from garment3d.export.mesh import placement
from garment3d.meshes import read_mesh
from garment3d.views.rendered import rendered_orbit
from tests.camera_markers import LENGTH_CM, ORBITS, PLACES, balls, data_set, metres, write
from tests.solids import tube
from tests.test_camera_formats import named

NAMES = [*ORBITS, "cropped"]
BLENDER = Path(__file__).with_name("blender") / "look_through.py"


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Folder, pictures and dots of each orbit."""
    return {name: data_set(name, tmp_path_factory.mktemp("set")) for name in (*NAMES, "flat")}


def worst(made, pixels):
    """The largest miss in pixels; `pixels` gives those of one point in metres in a picture's file."""
    places = metres(PLACES)
    return max(np.abs(pixels(made.images[d.view], places[d.ball]) - d.xy_px).max() for d in made.dots)


@pytest.mark.parametrize("name", NAMES)
def test_pycolmap_reads_the_model_and_projects_onto_the_dots(sets, name):
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed: COLMAP itself reads nothing")
    made = sets[name]
    model = pycolmap.Reconstruction(made.folder / "sparse" / "0")
    images = {f"images/{image.name}": image for image in model.images.values()}
    assert worst(made, lambda file, point: images[file].project_point(point)) < 0.2
    observed = [(image, p) for image in images.values() for p in image.points2D if p.has_point3D()]
    assert len(observed) == model.compute_num_observations() > 300
    for image, place in observed:
        assert np.abs(image.project_point(model.points3D[place.point3D_id].xyz) - place.xy).max() < 0.002
    # COLMAP's own measure of the same, from tracks to images.
    model.update_point_3d_errors()
    assert model.compute_mean_reprojection_error() < 0.002


@pytest.mark.parametrize("name", NAMES)
def test_trimesh_finds_the_camera_nodes_where_the_dots_want_them(sets, name):
    made = sets[name]
    scene = trimesh.load_scene(made.folder / "garment.glb")
    tree = json.loads(chunk(made.folder / "garment.glb"))
    lenses = {lens["name"]: lens for lens in tree["cameras"]}
    boxes = {node["name"]: node["extras"] for node in tree["nodes"] if "camera" in node}

    def pixels(file, point):
        node = named(file)
        local = np.linalg.inv(scene.graph.get(node)[0]) @ [*point, 1]
        wh = np.array(boxes[node]["frame_wh_px"])
        flat = local[:2] / -local[2] / np.tan(lenses[node]["perspective"]["yfov"] / 2) * [wh[1] / wh[0], 1]
        return (flat * [1, -1] + 1) / 2 * wh - boxes[node]["picture_box_px"][:2]

    assert worst(made, pixels) < (0.4 if name == "cropped" else 0.2)


@pytest.mark.parametrize("name", ["zero123", "flat"])
def test_the_library_reads_its_own_glb_with_cameras_as_one_garment(sets, name):
    mesh = read_mesh(sets[name].folder / "garment.glb").mesh
    assert len(mesh.faces) == len(balls().faces) and np.allclose(mesh.extents, np.ptp(metres(balls().vertices), 0))


def chunk(path):
    data = path.read_bytes()
    return data[20 : 20 + int.from_bytes(data[12:16], "little")]


def blender(*arguments):
    """What Blender tells when it runs look_through.py."""
    program = shutil.which("blender")
    if program is None:
        pytest.skip("Blender is not installed: nobody looks through the GLB's cameras")
    words = [program, "-b", "--factory-startup", "--python-exit-code", "1", "--python", BLENDER, "--", *arguments]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_blender_looks_through_the_cameras_onto_the_dots(sets, tmp_path):
    """Its own importer and its own world_to_camera_view, for all orbits in one run."""
    (tmp_path / "points.json").write_text(json.dumps(metres(PLACES).tolist()))
    blender(tmp_path, *(sets[name].folder / "garment.glb" for name in (*NAMES, "flat")))
    for index, name in enumerate((*NAMES, "flat")):
        seen = json.loads((tmp_path / f"{index}.json").read_text())
        made = sets[name]
        miss = max(np.abs(np.array(seen[named(made.images[d.view])][d.ball]) - d.xy_px).max() for d in made.dots)
        assert miss < (0.4 if name == "cropped" else 0.2), name


def test_blenders_picture_through_a_camera_is_the_view(tmp_path):
    """Silhouettes of a tube seen from above, in a picture wider than high."""
    mesh = tube(0.25, 0.8)
    views = rendered_orbit(mesh, orbit(90.0, 25.0, hw=(150, 220)))
    write(tmp_path, camera_files(views, mesh, LENGTH_CM, ("gltf", "masks")))
    (tmp_path / "points.json").write_text("[]")
    blender(tmp_path, "--draw", "view_090", tmp_path / "garment.glb")
    drawn = np.asarray(Image.open(tmp_path / "view_090.png"))[..., 3] > 127
    view = np.asarray(Image.open(tmp_path / "masks" / "090.png")) > 127
    assert drawn.shape == view.shape and (drawn & view).sum() / (drawn | view).sum() > 0.99


def test_the_frame_by_hand_is_the_frame_of_the_file(sets):
    """The truth that all of these are held against: the balls of the saved GLB lie where `metres` says."""
    scene = trimesh.load_scene(sets["zero123"].folder / "garment.glb")
    vertices = scene.to_geometry().vertices
    centres = vertices.reshape(len(PLACES), -1, 3).mean(1) if len(vertices) % len(PLACES) == 0 else None
    assert centres is not None and np.allclose(centres, metres(PLACES), atol=1e-5)
    assert np.isclose(np.ptp(vertices[:, 1]), LENGTH_CM / 100, atol=1e-6)
    assert np.allclose(placement(np.array([[0, 0, 0], [1, 2, 1]]), 100).points(np.zeros(3)), [-0.25, 0, -0.25])
