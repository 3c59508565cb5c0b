"""The layer under the views, for any mesh: the photo where it can be trusted, a photo of the back, cloth elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ...camera import photo_camera
from ...data import Camera
from ...raster import rasterize, visible
from .bake_turn import turn_along
from .paint import CLOTH, PHOTO, SHEET_PX, Scene, Surface, flat_turn, paint, scene_of, with_back_photo
from .panels import front_and_back
from .panels import pieces as connected
from .plate import Plate, at_most, plate_of, sample
from .project import Turn
from .unwrap import MOST_ISLANDS, welded

EMPTY, FROM_PHOTO, FROM_BACK, FROM_FILL, FROM_VIEW = 0, 1, 2, 3, 10
"""Codes of the source map; view k has FROM_VIEW + k."""
HIDDEN = 0.02
"""Depth behind what the photo's camera sees, in canonical units, beyond which the photo shows something else."""
PURE = 0.98
"""Share of the area that must lie in islands of one panel for distances in uv to be distances along the cloth."""


class Base(NamedTuple):
    """All that the layer under the views depends on."""

    scene: Scene
    depth: torch.Tensor
    """[h,w] what the photo's camera sees."""
    camera: Camera


class Under(NamedTuple):
    """Colours of points without any view."""

    colors: torch.Tensor
    """[N,3] uint8 sRGB."""
    code: torch.Tensor
    """[N] uint8: FROM_PHOTO, FROM_BACK or FROM_FILL."""
    inside: torch.Tensor
    """[N] bool: the photo shows the cloth's inside there, through the neck."""


def base_of(
    surface: Surface,
    rgb: np.ndarray,
    soft: np.ndarray,
    back: tuple[np.ndarray, np.ndarray | None] | None,
    texels_per_unit: float,
) -> Base:
    """The Base of a mesh with uv, the photo with its mask, and a photo of the back with its own."""
    turner = flat_turn if laid_as_panels(surface) else surface_turn
    scene = scene_of(surface, plate_of(rgb, soft, texels_per_unit), texels_per_unit, turner)
    if back is not None:
        scene = with_back_photo(scene, surface, back[0], back[1], texels_per_unit, turner)
    camera = at_most(photo_camera(soft), SHEET_PX)
    return Base(scene, rasterize(surface.vertices, surface.faces, camera).depth, camera)


def under(base: Base, surface: Surface, face: torch.Tensor, bary: torch.Tensor) -> Under:
    """Colours and codes of points given by their [N] faces and [N,3] barycentrics."""
    scene = base.scene
    colors, kind = paint(scene, face, bary)
    code = torch.full(kind.shape, FROM_FILL, dtype=torch.uint8)
    code[kind == PHOTO] = FROM_PHOTO
    if scene.back_plate is not None:
        code[kind == CLOTH] = FROM_BACK
    front = torch.nonzero((kind == PHOTO) & ~scene.back[face]).squeeze(1)
    points = places_of(surface, face[front], bary[front])
    hidden = front[~visible(points, base.camera, base.depth, HIDDEN)]
    xy = places_of(surface, face[hidden], bary[hidden])[:, :2]
    # What lies behind other cloth is not what the photo shows there, but likely of the same cloth.
    colors[hidden] = sample(scene.cloth, scene.plate.camera, xy.float()).T.round().clamp(0, 255).to(torch.uint8)
    code[hidden] = FROM_FILL
    return Under(colors, code, (kind == PHOTO) & scene.back[face])


def places_of(surface: Surface, face: torch.Tensor, bary: torch.Tensor) -> torch.Tensor:
    """[N,3] float64 canonical points of faces and barycentrics."""
    corners = torch.as_tensor(surface.vertices)[torch.as_tensor(surface.faces)[face]]
    return (corners * bary[..., None].to(corners.dtype)).sum(1)


def laid_as_panels(surface: Surface) -> bool:
    """True where the uv lies in few islands, each of the front or of the back: lengths can be taken from it."""
    labels = front_and_back(*welded(surface.vertices, surface.faces))
    edges = np.sort(surface.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    owner = np.repeat(np.arange(len(surface.faces)), 3)
    order = np.lexsort(edges.T)
    edges, owner = edges[order], owner[order]
    same = np.flatnonzero((edges[1:] == edges[:-1]).all(1))
    island = connected(np.zeros(len(labels), int), np.stack([owner[same], owner[same + 1]], 1))
    if island.max(initial=0) >= MOST_ISLANDS:
        return False
    area = np.linalg.norm(_cross(surface), axis=1)
    split = np.stack([np.bincount(island, area * (labels == side)) for side in (0, 1)])
    return bool(split.max(0).sum() >= PURE * area.sum())


def surface_turn(surface: Surface, plate: Plate, xy: np.ndarray) -> Turn:
    """The Turn of any mesh, for vertices at [V,2] places in the photo."""
    points, faces = welded(surface.vertices, surface.faces)
    place = np.zeros((len(points), 2))
    place[faces] = xy[surface.faces]
    return turn_along(plate, points, faces, place)


def _cross(surface: Surface) -> np.ndarray:
    corners = surface.vertices[surface.faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
