"""Density on a grid against the decoder asked point by point, and sparse extraction of fitted scenes."""

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import KDTree
from skimage.measure import marching_cubes

from garment3d.surface.isosurface import Field, extract
from garment3d.surface.triposr.decoder import RADIUS, Decoder
from garment3d.surface.triposr.grid import GridDensity
from garment3d.surface.triposr.scene import Scene
from tests.scenes import NAMES, fitted_scene

THRESHOLD = 25.0


class Window:
    """A cube of a larger grid as a field of its own."""

    def __init__(self, field: Field, corner: tuple[int, int, int]) -> None:
        self.field, self.corner = field, corner

    def at(self, ix: np.ndarray, iy: np.ndarray, iz: np.ndarray) -> np.ndarray:
        return self.field.at(*(i + c for i, c in zip((ix, iy, iz), self.corner, strict=True)))


def block(field: Field, size: int) -> np.ndarray:
    line = np.arange(size)
    return field.at(line[:, None, None], line[:, None], line)


def random_scene(channels: int = 40, texels: int = 24, hidden: int = 4) -> Scene:
    """Planes that do not fade towards their edges, so that what lies beyond them matters."""
    torch.manual_seed(4)
    planes, decoder = 2 * torch.randn(3, channels, texels, texels), Decoder(3 * channels, 64, hidden).eval()
    return Scene(planes, decoder.requires_grad_(False), 1.0)


def point_by_point(scene: Scene, resolution: int, at: np.ndarray) -> np.ndarray:
    """[N] raw densities at [N,3] grid indices as the decoder itself gives them."""
    line = torch.linspace(0, 1, resolution) * (RADIUS + RADIUS) - RADIUS
    with torch.inference_mode():
        return scene.decoder(scene.planes, line[torch.from_numpy(at)])[0].numpy()


def spots(resolution: int, count: int = 3000) -> np.ndarray:
    """[N,3] grid indices, among them the grid's corners and edges."""
    inside = np.random.default_rng(1).integers(0, resolution, (count, 3))
    edge = np.random.default_rng(2).choice([0, 1, resolution // 2, resolution - 1], (200, 3))
    return np.concatenate([inside, edge])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("resolution", [64, 256, 1000])
def test_density_is_the_decoders_to_a_hundred_thousandth(name: str, resolution: int) -> None:
    scene, at = fitted_scene(name), spots(resolution)
    raw = np.log(GridDensity(scene, resolution).at(*at.T)) + 1
    assert np.abs(raw - point_by_point(scene, resolution, at)).max() < 1e-5


@pytest.mark.parametrize("channels, texels, hidden", [(40, 24, 4), (8, 16, 9), (64, 5, 1)])
def test_planes_of_other_sizes_and_their_edges_are_read_alike(channels: int, texels: int, hidden: int) -> None:
    scene, at = random_scene(channels, texels, hidden), spots(77)
    raw = np.log(GridDensity(scene, 77).at(*at.T)) + 1
    assert np.abs(raw - point_by_point(scene, 77, at)).max() < 1e-5


def test_without_onednn_the_layers_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, at = random_scene(), spots(50)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    field = GridDensity(scene, 50)
    assert not field.convolved
    assert np.abs(np.log(field.at(*at.T)) + 1 - point_by_point(scene, 50, at)).max() < 1e-5


def test_a_block_gives_what_its_vertices_give_one_by_one() -> None:
    field = GridDensity(random_scene(), 60)
    x, y, z = np.array([0, 3, 59]), np.arange(0, 60, 7), np.arange(60)
    values = field.at(x[:, None, None], y[:, None], z)
    assert values.shape == (3, 9, 60) and values.dtype == np.float32
    single = field.at(*(axis.ravel() for axis in np.broadcast_arrays(x[:, None, None], y[:, None], z)))
    assert np.log(values.ravel()) == pytest.approx(np.log(single), abs=1e-5)


def test_how_many_are_asked_together_changes_nothing() -> None:
    field, at = GridDensity(random_scene(), 60), spots(60, 20_000)
    whole = field.at(*at.T)
    parts = [field.at(*part.T) for part in np.array_split(at, [1, 5, 9000])]
    assert np.concatenate(parts) == pytest.approx(whole, rel=1e-5)
    assert field.at(*np.empty((3, 0), int)).shape == (0,)


def test_the_scene_is_left_as_it_was() -> None:
    scene = random_scene()
    before = scene.planes.clone(), [p.clone() for p in scene.decoder.parameters()]
    block(GridDensity(scene, 20), 20)
    assert torch.equal(scene.planes, before[0])
    assert all(torch.equal(a, b) for a, b in zip(scene.decoder.parameters(), before[1], strict=True))


def differing(values: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> int:
    """Triangles of dense marching cubes that the mesh lacks, or the other way round."""
    wanted, triangles, _, _ = marching_cubes(values - np.float32(THRESHOLD), 0.0, gradient_direction="ascent")
    away, number = KDTree(vertices).query(wanted)
    if away.max() > 1e-3:
        return len(triangles) + len(faces)
    theirs, own = ({tuple(sorted(face)) for face in some.tolist()} for some in (number[triangles], faces))
    return len(theirs ^ own)


@pytest.mark.parametrize(
    "name, corner",
    [("shirt", (60, 60, 60)), ("shirt", (80, 20, 110)), ("sphere", (30, 90, 150)), ("straps", (80, 64, 40))],
)
def test_fitted_scenes_at_256_have_the_dense_surface(name: str, corner: tuple[int, int, int]) -> None:
    window, size = Window(GridDensity(fitted_scene(name), 256), corner), 101
    found = extract(window, size, THRESHOLD, coarse=51)
    assert found.figures.stride == 2 and found.figures.cells > 1000
    assert differing(block(window, size), found.vertices, found.faces) == 0


def test_a_shirt_at_256_asks_for_a_fifth_of_the_grid_and_is_closed_outward() -> None:
    found = extract(GridDensity(fitted_scene("shirt"), 256), 256, THRESHOLD)
    assert found.figures.share < 0.2
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert mesh.is_watertight and mesh.volume > 0


def test_a_sphere_is_round_at_every_resolution() -> None:
    """Terraces would show as normals that leave the radius; they shrink as the grid becomes finer."""
    leaning = []
    for resolution in (48, 96, 192):
        found = extract(GridDensity(fitted_scene("sphere"), resolution), resolution, THRESHOLD, coarse=48)
        mesh = trimesh.Trimesh(found.vertices - (resolution - 1) / 2, found.faces, process=False)
        assert np.linalg.norm(mesh.vertices, axis=1) * 1.74 / (resolution - 1) == pytest.approx(0.5, abs=0.02)
        outward = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
        leaning.append(np.degrees(np.arccos((mesh.vertex_normals * outward).sum(1).clip(-1, 1))).mean())
    assert leaning[0] < 6 and leaning[2] < 4


def test_the_chunk_is_how_many_vertices_pass_the_layers_together(monkeypatch):
    """Less memory where it is asked for, and the same densities to rounding."""
    seen = []
    layers = GridDensity._layers
    monkeypatch.setattr(
        GridDensity, "_layers", lambda self, start: (seen.append(start[..., 0].numel()), layers(self, start))[1]
    )
    scene = fitted_scene("shirt")
    at = np.random.default_rng(3).integers(0, 64, (3, 5000)).astype(np.int32)
    usual = GridDensity(scene, 64).at(*at)
    seen.clear()
    few = GridDensity(scene, 64, chunk=1000).at(*at)
    assert max(seen) == 1024 and len(seen) == 5
    np.testing.assert_allclose(few, usual, rtol=1e-4)
