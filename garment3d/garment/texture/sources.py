"""Views made ready to colour a mesh: trusted only where cloth is cloth, laid to the mesh, in the photo's tones.

Pictures that a network painted fit neither the mesh nor each other; what can be known of that is settled here, once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...camera import photo_camera
from ...data import Camera, Views
from ...errors import ViewsError
from ...images import reduced
from .looks import Look, Places, depths_of, look, places_on
from .register import Moved, Registered, register
from .tone import tones
from .trust import strip_of, trust_of

if TYPE_CHECKING:
    import trimesh

PHOTO_PX = 800
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
    places = places_on(vertices, faces)
    fixed = [_photo_look(vertices, faces, places, rgb, photo_camera(soft), soft, device)]
    if back is not None:
        camera = _registered_back(vertices, faces, back[1], device)
        fixed.append(_photo_look(vertices, faces, places, back[0], camera, back[1], device))
    laid = [_laid(vertices, faces, places, views, i, device) for i in shown]
    sources = []
    for one, tone in zip(laid, tones(places.points, fixed, [one.look for one in laid]), strict=True):
        pixels = torch.as_tensor(tone.matrix, dtype=torch.float32, device=device)
        pixels = torch.einsum("ck,khw->chw", pixels[:, :3], one.rgb) + 255 * pixels[:, 3, None, None]
        camera, moved, agreement = one.registered
        sources.append(Source(pixels.clamp_(0, 255), one.trust, camera, one.azimuth_deg, tone.error, agreement, moved))
    return Prepared(tuple(sources), _left_out(views, shown))


class _Laid(NamedTuple):
    """A view laid to the mesh."""

    rgb: torch.Tensor
    trust: torch.Tensor
    registered: Registered
    look: Look
    azimuth_deg: float


def _laid(
    vertices: np.ndarray, faces: np.ndarray, places: Places, views: Views, index: int, device: str | torch.device
) -> _Laid:
    mask, picture = views.masks[index].detach().cpu().numpy(), views.images[index].detach().cpu().numpy()
    depths = depths_of(vertices, faces, views.orbit.cameras[index], device=device)
    registered = register(depths, views.orbit.cameras[index], mask)
    picture = picture * np.float32(255)
    pixels = torch.as_tensor(picture.transpose(2, 0, 1).copy(), device=device)
    trust = torch.as_tensor(trust_of(strip_of(picture, mask)), device=device)
    seen = look(places, depths, registered.camera, pixels, trust)
    return _Laid(pixels, trust, registered, seen, views.orbit.azimuths_deg[index])


def _photo_look(
    vertices: np.ndarray,
    faces: np.ndarray,
    places: Places,
    rgb: np.ndarray,
    camera: Camera,
    soft: np.ndarray,
    device: str | torch.device,
) -> Look:
    """The places in a photo; it is read at most PHOTO_PX large, which is still finer than any view."""
    step = -(-max(soft.shape) // PHOTO_PX)
    small, mask = reduced(rgb, step), reduced(soft, step)
    center = (camera.center_px[0] / step, camera.center_px[1] / step)
    camera = replace(camera, focal_px=camera.focal_px / step, center_px=center, hw=mask.shape)
    pixels = torch.as_tensor(small.transpose(2, 0, 1).copy(), device=device)
    trust = torch.as_tensor(trust_of(strip_of(small, mask)), device=device)
    return look(places, depths_of(vertices, faces, camera, device=device), camera, pixels, trust)


def _registered_back(vertices: np.ndarray, faces: np.ndarray, soft: np.ndarray, device: str | torch.device) -> Camera:
    """The camera of a photo of the back: orthographic along +Z, laid to the mesh by its mask."""
    camera = photo_camera(soft)
    c2w = np.diag([-1.0, 1.0, -1.0, 1.0])
    c2w[2, 3] = -camera.c2w[2, 3]
    camera = replace(camera, c2w=c2w)
    return register(depths_of(vertices, faces, camera, device=device), camera, soft).camera


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
