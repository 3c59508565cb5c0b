"""Faults of a mesh in pictures: faces turned inwards, holes circled, cloth that cuts cloth, loose pieces, the atlas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ..camera import orbit_camera, orbit_radius, project
from ..crossings import crossing_faces
from ..data import Camera
from ..garment.loops import boundary_loops
from ..images import colour_map
from ..normals import weld
from ..raster import rasterize
from ..render import draw, upload
from .likeness_pictures import LINE, cut_out

if TYPE_CHECKING:
    import trimesh

SIZE_PX = 360
FOV_DEG = 28.0
"""A long lens, as product photos are taken with."""
LEAST_RING_PX = 14
MOST_RINGS = 4
SIDES_DEG = (("In front", 0.0), ("Behind", 180.0))
QUIET = (198, 194, 187)
Captioned = tuple[tuple[str, np.ndarray], ...]
"""Pictures [H,W,4] uint8 under what they show."""


def facing(mesh: trimesh.Trimesh) -> Captioned:
    """The garment from both sides, red where a face shows its inside, the side with more of it first."""
    red = np.array(LINE) / 255
    pictures = []
    for name, azimuth_deg in SIDES_DEG:
        drawn = draw(upload(_plain(mesh)), _camera(mesh, azimuth_deg), shading="soft")
        shade = drawn.rgb.cpu().numpy()
        inner = drawn.facing.cpu().numpy() < 0
        rgb = np.where(inner[..., None], red * (0.55 + 0.45 * shade), shade)
        pictures.append((inner.sum(), (f"{name}: inward faces are red", cut_out(rgb, drawn.alpha.cpu().numpy()))))
    return tuple(picture for _, picture in sorted(pictures, key=lambda pair: -pair[0]))


def holes(mesh: trimesh.Trimesh, count: int) -> Captioned:
    """The `count` smallest loops, circled where they are seen best; nothing where there are none."""
    vertices = np.asarray(mesh.vertices)
    loops = boundary_loops(mesh)
    found = loops[len(loops) - min(count, len(loops)) :]
    if not found:
        return ()
    camera = _camera(mesh, _outwards(mesh, found[0]))
    rings = [vertices[loop] for loop in found]
    said = "The hole" if len(found) == 1 else f"{len(found)} holes"
    return ((said, _ringed(mesh, camera, rings)), ("A close look", _ringed(mesh, _closer(camera, rings[0]), rings[:1])))


def crossing(mesh: trimesh.Trimesh) -> Captioned:
    """Where the cloth cuts through itself, red, from both sides; nothing where it does not."""
    cuts = crossing_faces(mesh)
    if not cuts.any():
        return ()
    marked = _coloured(mesh, np.where(cuts[:, None], LINE, QUIET))
    centres = np.asarray(mesh.triangles)[cuts].mean(1)
    pictures = []
    for name, azimuth_deg in SIDES_DEG:
        rings = _clusters(centres, 0.08)
        pictures.append((f"{name}: cloth cuts cloth", _ringed(marked, _camera(mesh, azimuth_deg), rings)))
    return tuple(pictures)


def pieces(mesh: trimesh.Trimesh) -> Captioned:
    """All pieces but the largest in red, from both sides."""
    labels = _pieces(mesh)
    main = np.bincount(labels).argmax()
    marked = _coloured(mesh, np.where((labels == main)[:, None], QUIET, LINE))
    loose = sorted((np.flatnonzero(labels == label) for label in set(labels.tolist()) - {int(main)}), key=len)
    rings = [np.asarray(mesh.triangles)[faces].mean(1) for faces in loose[-MOST_RINGS:]]
    return tuple(
        (f"{name}: loose pieces are red", _ringed(marked, _camera(mesh, azimuth_deg), rings))
        for name, azimuth_deg in SIDES_DEG
    )


def atlas(mesh: trimesh.Trimesh) -> Captioned:
    """The texture with its unused part faded and red where two parts of the cloth share a place; none without uv."""
    from trimesh.visual import TextureVisuals

    visual = mesh.visual
    if not isinstance(visual, TextureVisuals) or visual.uv is None:
        return ()
    image = colour_map(visual) or Image.new("RGB", (8, 8), QUIET)
    pixels = np.asarray(image.convert("RGB").resize((SIZE_PX, SIZE_PX), Image.Resampling.BOX)).astype(np.float32)
    first, last = (_uv_faces(np.asarray(visual.uv), np.asarray(mesh.faces), sign) for sign in (1, -1))
    used = first >= 0
    pixels = np.where(used[..., None], pixels, 0.25 * pixels + 170)
    pixels = np.where((used & (first != last))[..., None], 0.25 * pixels + 0.75 * np.array(LINE), pixels)
    return (("Red: shared by two parts", cut_out(pixels.astype(np.uint8), np.ones(used.shape))),)


def _uv_faces(uv: np.ndarray, faces: np.ndarray, sign: int) -> np.ndarray:
    """[S,S] the face on top at every texel: of those that lie there the first, or with −1 the last."""
    corners = uv[faces].reshape(-1, 2) - 0.5
    height = sign * 0.5 * (np.repeat(np.arange(len(faces)), 3) / max(len(faces), 1) - 0.5)
    c2w = np.eye(4)
    c2w[2, 3] = 2.0
    camera = Camera("orthographic", float(SIZE_PX), (SIZE_PX / 2, SIZE_PX / 2), c2w, (SIZE_PX, SIZE_PX))
    points = np.column_stack([corners, -height])
    return rasterize(points, np.arange(len(points)).reshape(-1, 3), camera).face.cpu().numpy()


def _camera(mesh: trimesh.Trimesh, azimuth_deg: float) -> Camera:
    radius = orbit_radius(np.asarray(mesh.vertices), fov_deg=FOV_DEG, least=0.0)
    return orbit_camera(azimuth_deg, 0.0, radius, FOV_DEG, (SIZE_PX, SIZE_PX))


def _closer(camera: Camera, points: np.ndarray) -> Camera:
    """The same place with a longer lens, [K,3] points in the middle and a third of the picture."""
    xy = project(camera, points)[0]
    times = float(np.clip(SIZE_PX / 3 / max(np.ptp(xy, axis=0).max(), 1e-6), 1.5, 8))
    x, y = (xy.min(0) + xy.max(0)) / 2
    center_px = (SIZE_PX / 2 + times * (camera.center_px[0] - x), SIZE_PX / 2 + times * (camera.center_px[1] - y))
    return replace(camera, focal_px=camera.focal_px * times, center_px=center_px)


def _ringed(shown: trimesh.Trimesh, camera: Camera, places: Sequence[np.ndarray]) -> np.ndarray:
    """[S,S,4] uint8 of a mesh from a camera with a ring around each set of [K,3] points."""
    drawn = draw(upload(shown), camera, shading="soft")
    rgb, alpha = drawn.rgb.cpu().numpy(), drawn.alpha.cpu().numpy()
    bare = np.where(alpha[..., None] > 0, (rgb - 1) / np.maximum(alpha[..., None], 1e-4) + 1, 0)
    image = Image.fromarray(cut_out(bare, alpha)).resize((2 * SIZE_PX, 2 * SIZE_PX), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for points in places:
        xy = 2 * project(camera, points)[0]
        x, y = (xy.min(0) + xy.max(0)) / 2
        reach = max(0.65 * float(np.hypot(*np.ptp(xy, axis=0))), 2 * LEAST_RING_PX)
        box = (x - reach, y - reach, x + reach, y + reach)
        pen.ellipse(box, outline=(255, 255, 255, 255), width=13)
        pen.ellipse([box[0] + 3, box[1] + 3, box[2] - 3, box[3] - 3], outline=(*LINE, 255), width=7)
    return np.asarray(image.resize((SIZE_PX, SIZE_PX), Image.Resampling.BOX))


def _outwards(mesh: trimesh.Trimesh, loop: np.ndarray) -> float:
    """The azimuth from which the cloth around a loop is seen."""
    vertices = np.asarray(mesh.vertices)
    middle = vertices[loop].mean(0)
    reach = 2 * np.linalg.norm(vertices[loop] - middle, axis=1).max()
    near = np.linalg.norm(np.asarray(mesh.triangles_center) - middle, axis=1) < max(reach, 0.02)
    normal = (np.asarray(mesh.face_normals)[near]).sum(0) if near.any() else middle
    return math.degrees(math.atan2(normal[0], normal[2])) if np.hypot(normal[0], normal[2]) > 1e-9 else 0.0


def _clusters(points: np.ndarray, reach: float) -> list[np.ndarray]:
    """Up to MOST_RINGS groups of [K,3] points, each within `reach` of its first one, the largest first."""
    groups, rest = [], points
    while len(rest):
        near = np.linalg.norm(rest - rest[0], axis=1) <= reach
        groups.append(rest[near])
        rest = rest[~near]
    return sorted(groups, key=len, reverse=True)[:MOST_RINGS]


def _pieces(mesh: trimesh.Trimesh) -> np.ndarray:
    """[F] number of the piece that each face belongs to, vertices welded by position."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    vertices = np.asarray(mesh.vertices)
    side = max(float(np.ptp(vertices, axis=0).max()), 1e-12)
    faces = weld(vertices / side).of[np.asarray(mesh.faces)]
    rows, cols = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    count = int(faces.max(initial=0)) + 1
    graph = coo_array((np.ones(len(rows), bool), (rows, cols)), shape=(count, count))
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def _plain(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    import trimesh

    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def _coloured(mesh: trimesh.Trimesh, colours: np.ndarray) -> trimesh.Trimesh:
    """The bare mesh with [F,3] sRGB in 0..255 on its faces."""
    import trimesh

    linear = np.round(255 * (np.asarray(colours) / 255) ** 2.2).astype(np.uint8)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, face_colors=linear, process=False)
