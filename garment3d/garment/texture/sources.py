"""Views made ready to colour a mesh: trusted only where cloth is cloth, laid to the mesh, in the photo's tones.

Pictures that a network painted fit neither the mesh nor each other; what can be known of that is settled here, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...data import Camera, Views
from ...errors import ViewsError
from .register import Moved, register
from .trust import strip_of, trust_of

if TYPE_CHECKING:
    import trimesh

LEAST_PX = 12
"""A mask of fewer pixels shows no garment."""


@dataclass(frozen=True, eq=False)
class Source:
    """One view, ready to colour the mesh."""

    rgb: torch.Tensor
    """[3,H,W] float32 sRGB 0..255, in the photo's tones."""
    trust: torch.Tensor
    """[H,W] float32: 0 outside the garment and in a strip along its edge, 1 inside."""
    camera: Camera
    """Registered: the picture's shift and scale are in its principal point and focal length."""
    azimuth_deg: float
    error: float
    """RMS in 8-bit steps against the photo where both see the garment, through neighbours where they don't."""
    agreement: float
    """IoU of the picture's mask and the mesh's silhouette after registration."""
    moved: Moved


class Prepared(NamedTuple):
    """The views that can colour the mesh, in their own order."""

    sources: tuple[Source, ...]
    warnings: tuple[str, ...]


def view_sources(
    mesh: trimesh.Trimesh,
    views: Views,
    rgb: np.ndarray,
    soft: np.ndarray,
    back: tuple[np.ndarray, np.ndarray] | None = None,
    device: str | torch.device = "cpu",
) -> Prepared:
    """Prepared sources, one per view that shows the garment; no view that does raises ViewsError.

    Args:
        mesh: In the canonical frame of `photo_camera(soft)`.
        views: Of the same garment, cameras in the same frame.
        rgb: [H,W,3] uint8 photo with its mask `soft`.
        back: A photo of the back and its mask, whose tones count as the photo's do.
    """
    shown = _shown(views)
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    sources = []
    for i in shown:
        picture = views.images[i].detach().cpu().numpy() * np.float32(255)
        mask = views.masks[i].detach().cpu().numpy()
        pixels = torch.as_tensor(picture.transpose(2, 0, 1).copy(), device=device)
        trust = torch.as_tensor(trust_of(strip_of(picture, mask)), device=device)
        laid = register(vertices, faces, views.orbit.cameras[i], mask)
        azimuth_deg = views.orbit.azimuths_deg[i]
        sources.append(Source(pixels, trust, laid.camera, azimuth_deg, 0.0, laid.agreement, laid.moved))
    return Prepared(tuple(sources), _left_out(views, shown))


def _shown(views: Views) -> list[int]:
    """Which views show the garment."""
    count = len(views.images)
    if not count:
        raise ViewsError("There are no views: give one picture or more, or bake without views.")
    shown = [i for i in range(count) if int((views.masks[i] >= 0.5).sum()) >= LEAST_PX]
    if not shown:
        raise ViewsError(f"None of the {count} views shows the garment: their masks are empty; give other masks.")
    return shown


def _left_out(views: Views, shown: list[int]) -> tuple[str, ...]:
    empty = [f"{a:g}°" for i, a in enumerate(views.orbit.azimuths_deg) if i not in shown]
    if not empty:
        return ()
    named = f"The view at {empty[0]} shows" if len(empty) == 1 else f"The views at {', '.join(empty)} show"
    return (f"{named} no garment and {'is' if len(empty) == 1 else 'are'} left out.",)
