"""Known solids put where a generator might leave them, and found again: matrix, front, mirror image, refusals."""

import numpy as np
import pytest
import trimesh
from trimesh.transformations import euler_matrix

from garment3d.errors import MeshError
from garment3d.garment.target import align, outer_layer, tidy
from garment3d.garment.target.cloth import cloth_of
from garment3d.garment.target.evidence import unlike
from garment3d.garment.target.poses import Pose

SIZE_PX = 240


def boxes(*parts):
    """One mesh of (extents, middle) boxes with edges of at most 0.06."""
    made = [trimesh.creation.box(extents).apply_translation(middle) for extents, middle in parts]
    fine = [trimesh.remesh.subdivide_to_size(box.vertices, box.faces, 0.06) for box in made]
    return trimesh.util.concatenate([trimesh.Trimesh(*part) for part in fine])


LOPSIDED = boxes(
    ((0.4, 1.0, 0.24), (-0.1, 0, 0)), ((0.3, 0.2, 0.2), (0.2, 0.35, 0)), ((0.2, 0.3, 0.12), (-0.1, -0.2, 0.16))
)
"""A body 1 high, one arm at +X, a bump low in front: like no mirror image or turn of itself."""
SQUARE = boxes(((0.5, 1.0, 0.3), (0, 0, 0)))
"""Its shape tells neither front from back nor left from right."""


def photo_of(*rectangles):
    """[H,W] mask with rectangles x0, y0, x1, y1 in canonical units about the picture's middle."""
    soft = np.zeros((SIZE_PX + 40, SIZE_PX + 40), np.float32)
    for x0, y0, x1, y1 in rectangles:
        row, column = (np.arange(len(soft)) + 0.5 - len(soft) / 2) / SIZE_PX, None
        column = row[None, :]
        soft[(-row[:, None] > y0) & (-row[:, None] < y1) & (column > x0) & (column < x1)] = 1
    return soft


LOPSIDED_PHOTO = photo_of((-0.325, -0.5, 0.075, 0.5), (0.025, 0.25, 0.325, 0.45))
"""The mask's box is centred, so the solid lies 0.025 to the left in it."""
LOPSIDED_SHELL = LOPSIDED.copy().apply_translation([-0.025, 0, 0])
SQUARE_PHOTO = photo_of((-0.25, -0.5, 0.25, 0.5))


def there(yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, scale=1.0, shift=(0, 0, 0), mirrored=False):
    """[4,4] from the canonical frame to a generator's."""
    matrix = euler_matrix(*np.radians([pitch_deg, yaw_deg, roll_deg]), "rxyz") @ np.diag(
        [-1.0 if mirrored else 1.0, 1, 1, 1]
    )
    matrix[:3, :3] *= scale
    matrix[:3, 3] = shift
    return matrix


def moved(mesh, matrix, colours=None):
    points = np.asarray(mesh.vertices) @ matrix[:3, :3].T + matrix[:3, 3]
    faces = np.asarray(mesh.faces)
    return trimesh.Trimesh(
        points, faces[:, ::-1] if np.linalg.det(matrix) < 0 else faces, vertex_colors=colours, process=False
    )


@pytest.mark.parametrize(
    ("place", "front", "turn_deg"),
    [
        ({"yaw_deg": 6, "pitch_deg": -3, "roll_deg": 4, "scale": 2.7, "shift": (3, -1, 2)}, "+Z", 7.8),
        ({"yaw_deg": 95, "pitch_deg": 2, "scale": 0.3, "shift": (0, 9, 0)}, "+X", 5.4),
        ({"pitch_deg": 90, "yaw_deg": 5, "scale": 40}, "-Y", 5),
    ],
    ids=["askew", "a quarter turn", "lying"],
)
def test_a_solid_is_found_wherever_it_was_left(place, front, turn_deg):
    matrix = there(**place)
    found = align(tidy(moved(LOPSIDED_SHELL, matrix)), LOPSIDED_SHELL, LOPSIDED_PHOTO)
    assert (found.front, found.mirrored, found.warnings) == (front, False, ())
    back = found.matrix @ matrix
    assert back[:3, :3] == pytest.approx(np.eye(3), abs=0.02)
    assert back[:3, 3] == pytest.approx(np.zeros(3), abs=0.01)
    assert found.scale == pytest.approx(1 / place["scale"], rel=0.015)
    assert found.turn_deg == pytest.approx(turn_deg, abs=1)
    assert found.offset == pytest.approx(found.matrix[:3, 3]) and found.iou > 0.97


def test_a_mirror_image_is_turned_back_with_a_warning():
    matrix = there(yaw_deg=4, scale=1.5, mirrored=True)
    found = align(tidy(moved(LOPSIDED_SHELL, matrix)), LOPSIDED_SHELL, LOPSIDED_PHOTO)
    assert found.mirrored and np.linalg.det(found.matrix[:3, :3]) < 0
    assert (found.matrix @ matrix)[:3, :3] == pytest.approx(np.eye(3), abs=0.03)
    assert len(found.warnings) == 1 and "mirror image" in found.warnings[0]


def quarters(points):
    """Linear RGBA bytes of a front with a colour in each quarter, and of a grey back."""
    right, up = points[:, 0] > 0, points[:, 1] > 0
    colours = np.stack([right, up, ~right & ~up], 1) * 255
    colours = np.where(points[:, 2:] > -0.1, colours, 90)
    return np.concatenate([colours, np.full((len(points), 1), 255)], 1).astype(np.uint8)


def quartered_photo():
    row, column = np.indices(SQUARE_PHOTO.shape) - len(SQUARE_PHOTO) / 2 + 0.5
    shown = np.stack([column.ravel(), -row.ravel(), np.ones(row.size)], 1)
    return quarters(shown)[:, :3].reshape(*row.shape, 3)


def test_a_print_that_lies_a_little_off_is_forgiven_and_one_that_lies_far_off_is_not(monkeypatch):
    target = tidy(moved(SQUARE, np.eye(4), quarters(np.asarray(SQUARE.vertices))))
    cloth, frame = cloth_of(target, outer_layer(target.vertices, target.faces))
    pose = Pose(np.eye(3) * frame.side, frame.middle)

    def off_by(pixels):
        return unlike(pose, cloth, cloth.print, SQUARE_PHOTO, np.roll(quartered_photo(), (pixels, -pixels), (0, 1)))

    near, far = off_by(1), off_by(8)
    monkeypatch.setattr("garment3d.garment.target.evidence.SLACK", 0.0)
    assert near < 0.7 * off_by(1) and far > 0.8 * off_by(8)


@pytest.mark.parametrize(
    ("place", "front", "mirrored"),
    [({"yaw_deg": 180}, "-Z", False), ({"mirrored": True}, "+Z", True)],
    ids=["backwards", "mirrored"],
)
def test_colours_tell_what_the_shape_does_not(place, front, mirrored):
    target = moved(SQUARE, there(**place), quarters(np.asarray(SQUARE.vertices)))
    found = align(tidy(target), SQUARE, SQUARE_PHOTO, quartered_photo())
    assert (found.front, found.mirrored, len(found.warnings)) == (front, mirrored, int(mirrored))


def test_where_nothing_tells_the_front_is_z_and_nothing_is_mirrored():
    found = align(tidy(SQUARE), SQUARE, SQUARE_PHOTO)
    assert (found.front, found.mirrored) == ("+Z", False)
    assert ["from its back for sure; +Z was taken" in warning for warning in found.warnings] == [True]


def test_a_front_that_is_given_is_taken():
    found = align(tidy(SQUARE), SQUARE, SQUARE_PHOTO, front="-Z")
    assert (found.front, found.warnings) == ("-Z", ())


def test_a_slab_that_lies_may_be_upside_down():
    found = align(tidy(moved(SQUARE, there(pitch_deg=-90))), SQUARE, SQUARE_PHOTO, front="+Y")
    assert found.front == "+Y" and ["Which way up" in warning for warning in found.warnings] == [True]


def test_a_layer_inside_and_wild_winding_change_nothing():
    outside = tidy(LOPSIDED_SHELL)
    inner = outside._replace(vertices=outside.vertices * 0.9)
    faces = np.concatenate([outside.faces, inner.faces[:, ::-1] + len(outside.vertices)])
    wild = np.where(np.random.default_rng(0).random(len(faces))[:, None] < 0.3, faces[:, ::-1], faces)
    mesh = trimesh.Trimesh(np.concatenate([outside.vertices, inner.vertices]), wild, process=False)
    found = align(tidy(mesh), LOPSIDED_SHELL, LOPSIDED_PHOTO)
    assert found.matrix == pytest.approx(np.eye(4), abs=0.02)


def test_what_has_nothing_to_do_with_the_photo_is_refused():
    bars = [(along, a, b) for along in range(3) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]
    cage = boxes(
        *(
            (np.where(np.arange(3) == along, 1.04, 0.04), np.insert(np.array([a, b]), along, 0.0))
            for along, a, b in bars
        )
    )
    with pytest.raises(MeshError, match=r"no overlap with the photo.*0\.\d\d") as error:
        align(tidy(cage), LOPSIDED_SHELL, LOPSIDED_PHOTO)
    assert str(error.value).count(". ") == 0


def test_an_unknown_front_is_refused():
    with pytest.raises(MeshError, match="up"):
        align(tidy(SQUARE), SQUARE, SQUARE_PHOTO, front="up")
