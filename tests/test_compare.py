"""Spheres of known radii compared: the measures in closed form, the heat map's colours by hand."""

import numpy as np
import pytest
import trimesh

from garment3d.compare import AZIMUTHS_DEG, RAMP, compare_meshes, heat_map
from garment3d.errors import MeshError


def sphere(radius, shift=0.0):
    return trimesh.creation.icosphere(4, radius).apply_translation([shift, 0, 0])


def test_concentric_spheres():
    found = compare_meshes(sphere(1.0), sphere(1.1), samples=5000, threshold=0.04, size_px=64)
    assert found.distance.symmetric == pytest.approx(0.1, rel=0.02)
    assert found.height == pytest.approx(2.0, rel=1e-3)
    assert found.f_score == 0.0  # 0.04 of the height is 0.08
    assert found.normal_consistency > 0.999
    assert compare_meshes(sphere(1.0), sphere(1.1), samples=5000, threshold=0.06, size_px=64).f_score == 1.0


def test_equal_surfaces_have_no_distance():
    found = compare_meshes(sphere(1.0), sphere(1.0), samples=5000, size_px=64)
    assert found.distance.symmetric < 1e-9 and found.f_score == 1.0


def hue_of(srgb):
    """Index of the ramp's colour that is nearest once brightness, which shading changes, is taken out."""
    unit = RAMP / RAMP.sum(1, keepdims=True)
    return np.linalg.norm(unit - srgb / srgb.sum(), axis=1).argmin()


def test_the_heat_map_is_red_where_the_surfaces_part_and_blue_where_they_touch():
    bulged = sphere(1.0)
    side = np.clip(bulged.vertices[:, 0], 0, None)  # +X: the middle of the third picture, left of the first nothing
    bulged.vertices = bulged.vertices + np.column_stack([0.3 * side, 0 * side, 0 * side])
    size = 128
    picture = heat_map(sphere(1.0), bulged, size) / 255
    assert picture.shape[1] == size * len(AZIMUTHS_DEG) and picture.shape[0] > 2 * size
    front, side = picture[:size, :size], picture[:size, 2 * size : 3 * size]
    far_left = np.flatnonzero((front < 0.99).any(2)[size // 2])[4]
    assert hue_of(front[size // 2, far_left]) == 0
    assert hue_of(side[size // 2, size // 2]) == len(RAMP) - 1


def test_a_flat_first_mesh_and_an_empty_one_are_told():
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 2]], process=False)
    with pytest.raises(MeshError, match="no height"):
        compare_meshes(sheet, sphere(1.0), samples=100)
    with pytest.raises(MeshError, match="0 faces"):
        compare_meshes(trimesh.Trimesh(), sphere(1.0), samples=100)
