"""The colour of any point of the garment, from the photo, its cloth, or a photo of the back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from ...data import Camera
from ...errors import MaskError
from ...raster import rasterize
from .cloth import back_cloth
from .panels import BACK, front_and_back
from .plate import Plate, at_most, finer, plate_of, sample
from .project import Turn, places, turn_of
from .unwrap import welded

PHOTO, CLOTH, FILLED = 0, 1, 2
"""What a texel shows: its own place in the photo, the back's cloth or photo, or cloth continued beyond the rim."""
FADE = 6.0
"""How far past the rim, in insets, the front's prints give way to plain cloth."""
SHEET_PX = 800
"""Longest side of the depth buffer that tells which panel the photo's camera sees."""


class Surface(NamedTuple):
    """The garment as the atlas sees it."""

    vertices: np.ndarray
    """[V,3] canonical."""
    faces: np.ndarray
    uv: np.ndarray
    """[V,2]."""
    uv_per_unit: float
    """Length in uv of a canonical length of 1, on average."""


Turner = Callable[[Surface, Plate, np.ndarray], Turn]


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a texel's colour depends on."""

    plate: Plate
    turn: Turn
    cloth: torch.Tensor
    """[3,H,W] float32 of the plate's camera: the photo without prints and neckline, for the back."""
    back: torch.Tensor
    """[F] bool, faces of the back panel."""
    inside: torch.Tensor
    """[1,h,w] float32 soft, 1 where the photo's camera sees the back panel, from inside, through an opening."""
    inside_camera: Camera
    back_plate: Plate | None = None
    back_turn: Turn | None = None


def flat_turn(surface: Surface, plate: Plate, xy: np.ndarray) -> Turn:
    """The Turn of a garment whose uv is laid out as panels, for vertices at [V,2] places in the photo."""
    return turn_of(plate, xy, surface.faces, surface.uv, surface.uv_per_unit)


def scene_of(surface: Surface, plate: Plate, texels_per_unit: float, turner: Turner = flat_turn) -> Scene:
    """The Scene of a garment and the plate of its photo; `turner` says how lengths along the cloth are measured."""
    labels = front_and_back(*welded(surface.vertices, surface.faces))
    turn = turner(surface, plate, surface.vertices[:, :2])
    camera = at_most(plate.field.camera, SHEET_PX)
    face = rasterize(surface.vertices, surface.faces, camera).face
    back = torch.from_numpy(labels == BACK)
    inside = (face >= 0) & back[face.clamp(min=0)]
    cloth = finer(back_cloth(plate, inside, camera), plate.camera, texels_per_unit)[0]
    rgb, fine = finer(plate.rgb, plate.camera, texels_per_unit)
    return Scene(replace(plate, rgb=rgb, camera=fine), turn, cloth, back, _receding(inside), camera)


def with_back_photo(
    scene: Scene,
    surface: Surface,
    rgb: np.ndarray,
    soft: np.ndarray | None,
    texels_per_unit: float,
    turner: Turner = flat_turn,
) -> Scene:
    """The Scene with a [H,W,3] photo of the back, mask's box on mask's box; no mask raises MaskError."""
    if soft is None or soft.shape != rgb.shape[:2]:
        raise MaskError("The back photo needs a mask of its own size: cut it out first.")
    plate = plate_of(rgb, soft, texels_per_unit)
    # Seen from behind, x is mirrored.
    stretch = [-plate.half_extent[0] / scene.plate.half_extent[0], plate.half_extent[1] / scene.plate.half_extent[1]]
    turn = turner(surface, plate, surface.vertices[:, :2] * stretch)
    sharp, fine = finer(plate.rgb, plate.camera, texels_per_unit)
    return replace(scene, back_plate=replace(plate, rgb=sharp, camera=fine), back_turn=turn)


def paint(scene: Scene, face: torch.Tensor, bary: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[N,3] uint8 sRGB and [N] int64 kinds of points given by their [N] faces and [N,3] barycentrics."""
    colors, kind = torch.empty(len(face), 3), torch.full((len(face),), FILLED)
    behind = scene.back[face]
    for index, painter in ((~behind, _front), (behind, _back)):
        own = torch.nonzero(index).squeeze(1)
        if len(own):
            colors[own], kind[own] = painter(scene, face[own], bary[own])
    return colors.round_().clamp_(0, 255).to(torch.uint8), kind


def _front(scene: Scene, face: torch.Tensor, bary: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The photo, and past its rim soon the plain cloth, so that no print turns back into the side."""
    where = places(scene.plate, scene.turn, face, bary)
    colors = sample(scene.plate.rgb, scene.plate.camera, where.xy).T
    past = torch.nonzero(~where.trusted).squeeze(1)
    share = (where.beyond[past] / (FADE * scene.plate.inset)).clamp(0, 1)[:, None]
    cloth = sample(scene.cloth, scene.plate.camera, where.xy[past]).T
    colors = colors.index_add(0, past, (cloth - colors[past]) * share)
    return colors, torch.where(where.trusted, PHOTO, FILLED)


def _back(scene: Scene, face: torch.Tensor, bary: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cloth or the back photo, but the photo itself where its camera alone sees the back, from inside."""
    where = places(scene.plate, scene.turn, face, bary)
    seen = sample(scene.inside, scene.inside_camera, where.xy)[0]
    if scene.back_plate is not None and scene.back_turn is not None:
        behind = places(scene.back_plate, scene.back_turn, face, bary)
        colors = sample(scene.back_plate.rgb, scene.back_plate.camera, behind.xy).T
        # The back photo shows the outside, and texture belongs to that.
        seen = seen * ~behind.trusted
    else:
        colors = sample(scene.cloth, scene.plate.camera, where.xy).T
    shown = torch.nonzero(seen > 0).squeeze(1)
    photo = sample(scene.plate.rgb, scene.plate.camera, where.xy[shown]).T
    colors = colors.index_add(0, shown, (photo - colors[shown]) * seen[shown, None])
    return colors, torch.where((seen > 0.5) & where.trusted, PHOTO, CLOTH)


def _receding(inside: torch.Tensor) -> torch.Tensor:
    """[1,h,w] from 0 where the view changes sides to 1 two pixels further in: the front's edge is not on the back."""
    shares = torch.nn.functional.avg_pool2d(inside.float()[None], 5, 1, 2)
    return (2 * shares - 1).clamp(min=0)
