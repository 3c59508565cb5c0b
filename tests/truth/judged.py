"""A baked texture against the true albedo of each texel's own surface point: PSNR by region, and steps at borders.

Everything is measured on texels, so neither a renderer nor a picture's background can hide or make a difference.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from scipy.ndimage import uniform_filter

from garment3d.camera import project
from garment3d.data import Camera
from garment3d.garment.texture.unwrap import uv_camera
from garment3d.raster import rasterize, visible

from .orbit import albedo, albedo_near, fabric_of
from .photo import Truth, canonical_mesh

PHOTO, FILLED, VIEWS = 1, 3, 10
BIAS = 0.004
"""Depth, in canonical units, by which a texel may lie behind what a camera sees."""
SEEN_COS = 0.25
"""A camera sees a texel when it looks at its outside at less than 75°."""
WINDOW = 5
"""Texels along the side of the window over which an error is averaged before it is compared across a border."""
SEAM_POINTS, SEAM_TEXELS = 4, 2.0
"""Points along each seam edge, and how far from the seam their texels lie."""


class TrueTexels(NamedTuple):
    """What the covered texels of an atlas should be."""

    size: int
    index: np.ndarray
    """[N] into the flattened atlas, row 0 at the top."""
    rgb: np.ndarray
    """[N,3] float32 0..255, the albedo's mean over the texel."""
    normal: np.ndarray
    """[N,3] smooth, outward."""
    point: np.ndarray
    """[N,3] canonical."""
    seams: np.ndarray
    """[K,2] pairs of flat texel indices that face each other across the cuts of the atlas."""


class Sight(NamedTuple):
    """What cameras see of the texels; the photo's is the first of them."""

    facing: np.ndarray
    """[C,N] cosine between normal and direction to the camera, 0 where it does not see the outside."""
    inner: np.ndarray
    """[N] bool, the photo sees the inside: one texture can't be true on both sides, so these are counted apart."""

    @property
    def seen(self) -> np.ndarray:
        """[N] bool."""
        return (self.facing.max(0) > SEEN_COS) & ~self.inner


class Judged(NamedTuple):
    """How good a bake is; PSNR in dB, steps in 8-bit numbers, texels that the photo sees from inside left out."""

    seen: float
    """Over all texels that a camera sees."""
    front: float
    """Over all texels whose normal lies within 60° of the photo's, seen or not, ..."""
    side: float
    """... 60 to 120° from it ..."""
    back: float
    """... and beyond."""
    nape: float
    """Over the texels that the photo sees from inside, against their outside."""
    step_999: float
    """Across borders of the photo with a view: 99.9th percentile of `steps`."""
    step_max: float
    pair_999: float
    """The same of single neighbouring texels, which includes what a softer picture lacks in detail."""
    fill_999: float
    """Across borders of the photo with filled cloth, on a pattern as large as the pattern's contrast."""
    seam_999: float
    """Across the cuts of the atlas, all of them."""
    photo: float
    """Shares of the texels: from the photo, ..."""
    views: float
    filled: float


def true_texels(entry: Truth, mesh: trimesh.Trimesh, size: int) -> TrueTexels:
    """The TrueTexels of a mesh with uv, the true one or one that lies near it; 2 × 2 samples in every texel."""
    uv, faces = np.asarray(mesh.visual.uv, float), np.asarray(mesh.faces)
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], 1)
    fine = rasterize(flat, faces, uv_camera(size), supersample=2)
    hit = np.flatnonzero(fine.face.numpy().ravel() >= 0)
    rgb = _albedo_on(entry, mesh, fine.face.numpy().ravel()[hit], fine.bary.numpy().reshape(-1, 3)[hit])
    row, column = np.divmod(hit, 2 * size)
    texel = row // 2 * size + column // 2
    count = np.bincount(texel, minlength=size * size)
    seen = rasterize(flat, faces, uv_camera(size))
    index = np.flatnonzero((seen.face.numpy().ravel() >= 0) & (count > 0))
    mean = np.stack([np.bincount(texel, c, minlength=size * size)[index] / count[index] for c in rgb.T], 1)
    face, bary = seen.face.numpy().ravel()[index], seen.bary.numpy().reshape(-1, 3)[index]
    corner = np.asarray(welded_normals(mesh))[faces[face]]
    normal = (corner * bary[..., None]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    point = (np.asarray(mesh.triangles)[face] * bary[..., None]).sum(1)
    return TrueTexels(size, index, (255 * mean).astype(np.float32), normal, point, _seams(mesh, size))


def _albedo_on(entry: Truth, mesh: trimesh.Trimesh, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """[N,3] true albedo of points on a mesh: its own where the mesh is the true one, else the nearest."""
    truth = np.asarray(canonical_mesh(entry.garment, entry.photo).triangles)
    own = np.asarray(mesh.triangles)
    if own.shape == truth.shape and np.abs(own - truth).max() < 1e-5:
        return albedo(entry.garment, fabric_of(entry), face, bary)
    return albedo_near(entry, (own[face] * bary[..., None]).sum(1))


def welded_normals(mesh: trimesh.Trimesh) -> np.ndarray:
    """[V,3] unit normals, smooth across the cuts of the atlas."""
    _, first, place = np.unique(np.round(mesh.vertices, 6), axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    return trimesh.Trimesh(mesh.vertices[first], place[mesh.faces], process=False).vertex_normals[place]


def _seams(mesh: trimesh.Trimesh, size: int) -> np.ndarray:
    """[K,2] flat indices of texels on both sides of the edges that two faces share in space but not in the atlas."""
    faces, uv = np.asarray(mesh.faces), np.asarray(mesh.visual.uv, float)
    _, place = np.unique(np.round(mesh.vertices, 6), axis=0, return_inverse=True)
    place = place.reshape(-1)
    half = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    apex = faces[:, [2, 0, 1]].reshape(-1)
    ends = np.sort(place[half], 1)
    turned = place[half[:, 0]] > place[half[:, 1]]
    half = np.where(turned[:, None], half[:, ::-1], half)
    order = np.lexsort(ends.T)
    same = (np.diff(ends[order], axis=0) == 0).all(1)
    a, b = order[:-1][same], order[1:][same]
    cut = (half[a] != half[b]).any(1)
    return np.stack([_beside(uv, half[e[cut]], apex[e[cut]], size) for e in (a, b)], 1)


def _beside(uv: np.ndarray, ends: np.ndarray, apex: np.ndarray, size: int) -> np.ndarray:
    """[K·SEAM_POINTS] flat texel indices just inside the faces on [K,2] edges with [K] third corners."""
    along = uv[ends[:, 1]] - uv[ends[:, 0]]
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    across *= np.sign(((uv[apex] - uv[ends[:, 0]]) * across).sum(1))[:, None] * SEAM_TEXELS / size
    share = ((np.arange(SEAM_POINTS) + 0.5) / SEAM_POINTS)[None, :, None]
    at = (uv[ends[:, 0]][:, None] + share * along[:, None] + across[:, None]).reshape(-1, 2)
    column, row = (np.clip((p * size).astype(int), 0, size - 1) for p in (at[:, 0], 1 - at[:, 1]))
    return row * size + column


def sight_of(texels: TrueTexels, mesh: trimesh.Trimesh, cameras: tuple[Camera, ...]) -> Sight:
    """What the cameras, the photo's first, see of the texels."""
    facing = np.zeros((len(cameras), len(texels.index)), np.float32)
    for k, camera in enumerate(cameras):
        depth = rasterize(mesh.vertices, mesh.faces, camera, supersample=2).depth
        free = visible(texels.point, camera, depth, BIAS).numpy()
        towards = camera.c2w[:3, 3] - texels.point if camera.projection == "perspective" else camera.c2w[None, :3, 2]
        towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
        facing[k] = np.where(free, (texels.normal * towards).sum(1), 0)
    return Sight(np.maximum(facing, 0), facing[0] < 0)


def sampled(texels: TrueTexels, sight: Sight, pictures: list[torch.Tensor], cameras: tuple[Camera, ...]) -> np.ndarray:
    """[N,3] 0..255 what a perfect bake could take from [H,W,3] pictures in 0..1: the best-facing one's own pixel."""
    best, result = sight.facing.argmax(0), np.zeros((len(texels.index), 3), np.float32)
    for k, (picture, camera) in enumerate(zip(pictures, cameras, strict=True)):
        mine = best == k
        xy, _ = project(camera, texels.point[mine])
        grid = torch.as_tensor(xy / np.array(camera.hw[::-1]) * 2 - 1, dtype=torch.float32)[None, None]
        values = torch.nn.functional.grid_sample(
            picture.permute(2, 0, 1)[None], grid, "bilinear", "border", align_corners=False
        )
        result[mine] = 255 * values[0, :, 0].T.numpy()
    return result


def psnr_of(error: np.ndarray) -> float:
    """PSNR in dB of [N,3] errors in 8-bit steps; NaN where there are none, at most 99."""
    if not len(error):
        return math.nan
    return min(99.0, -10 * math.log10(max(float((error.astype(float) ** 2).mean()) / 255**2, 1e-12)))


def judged(texels: TrueTexels, sight: Sight, atlas: np.ndarray, source: np.ndarray) -> Judged:
    """The figures of an [S,S,3] uint8 atlas with its [S,S] sources."""
    error = atlas.reshape(-1, 3)[texels.index].astype(np.float32) - texels.rgb
    turned = np.degrees(np.arctan2(np.abs(texels.normal[:, 0]), texels.normal[:, 2]))
    counted = ~sight.inner
    parts = [sight.seen, (turned < 60) & counted, (turned >= 60) & (turned <= 120) & counted]
    parts += [(turned > 120) & counted, sight.inner]
    field, codes = np.zeros((texels.size**2, 3), np.float32), np.zeros(texels.size**2, np.uint8)
    field[texels.index[counted]] = error[counted]
    codes[texels.index[counted]] = source.ravel()[texels.index[counted]]
    field, codes = field.reshape(texels.size, texels.size, 3), codes.reshape(texels.size, texels.size)
    step, pair = steps(field, np.where(codes == FILLED, 0, codes))
    fill, _ = steps(field, np.where(codes >= VIEWS, 0, codes))
    seam = seam_steps(field, codes, texels.seams)
    covered = source.ravel()[texels.index]
    shares = [float(np.mean(mask)) for mask in (covered == PHOTO, covered >= VIEWS, covered == FILLED)]
    ends = _high(step), _most(step), _high(pair), _high(fill), _high(seam)
    return Judged(*(psnr_of(error[p]) for p in parts), *ends, *shares)


def _high(values: np.ndarray) -> float:
    return float(np.percentile(values, 99.9)) if len(values) else 0.0


def _most(values: np.ndarray) -> float:
    return float(values.max()) if len(values) else 0.0


def steps(field: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[P] steps across borders of the photo, averaged and of single texels, for the [S,S,3] errors of [S,S] sources.

    A border is a pair of texels next to each other, one of the photo's and one of another source. Its step is the
    greatest difference over the channels between the mean error of the photo's texels and that of the other source's,
    each over the WINDOW² texels around its own. True detail cancels, as errors are compared and not colours.
    """
    photo = _mean_where(field, codes == PHOTO)
    means: dict[int, np.ndarray] = {}
    windowed, single = [], []
    for a, b in (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]):
        for one, two in ((a, b), (b, a)):
            border = (codes[one] == PHOTO) & (codes[two] != PHOTO) & (codes[two] > 0)
            single.append(np.abs(field[one][border] - field[two][border]).max(1, initial=0))
            for code in np.unique(codes[two][border]):
                if code not in means:
                    means[code] = _mean_where(field, codes == code)
                here = border & (codes[two] == code)
                windowed.append(np.abs(photo[one][here] - means[code][two][here]).max(1, initial=0))
    return np.concatenate(windowed or [np.zeros(0)]), np.concatenate(single)


def seam_steps(field: np.ndarray, codes: np.ndarray, seams: np.ndarray) -> np.ndarray:
    """[K] greatest difference over the channels between the mean errors on both sides of the atlas's cuts."""
    mean = _mean_where(field, codes > 0).reshape(-1, 3)
    both = (codes.ravel()[seams] > 0).all(1)
    return np.abs(mean[seams[both, 0]] - mean[seams[both, 1]]).max(1, initial=0)


def _mean_where(field: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[S,S,3] mean of the field over the masked texels of each window, 0 where there are none."""
    weight = uniform_filter(mask.astype(np.float32), WINDOW, mode="constant")
    total = uniform_filter(np.where(mask[..., None], field, 0), (WINDOW, WINDOW, 0), mode="constant")
    return total / np.maximum(weight, 1e-6)[..., None] * (weight > 1e-6)[..., None]
