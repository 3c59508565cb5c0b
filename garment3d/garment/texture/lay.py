"""A view laid to the mesh: registered, straightened, trusted where cloth is cloth, and read at the mesh's places.

First by its outline alone; a view whose outline shows that its shape is wrong then by what better views show, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ...camera import project
from ...data import Camera, Views
from .bend import Hints, bend, bent
from .looks import Depths, Look, Places, depths_of, look, shows, softened
from .register import Registered, overlap, register
from .tone import Tone, toned
from .trust import signed_distance, strip_of, trust_of

LEAST_AGREEMENT = 0.7
"""Below this a view shows another outline than the mesh has."""
WRONG_SHAPE = 0.975
"""Below this a view's shape is wrong enough to be looked after inside its outline."""
MARGIN = 0.04
"""How far inside the mesh's edge a view of another outline begins to count, in the picture's longest side."""
WORTH = 0.003
"""Bending a view costs sharpness: this much more agreement is worth it,"""
NEARER = 0.95
"""or a difference to the other views that shrinks to this share."""
LEAST_HINTS = 60.0
"""Summed weight of the places that must be known from elsewhere."""


class Stage(NamedTuple):
    """The mesh that everything is drawn of."""

    vertices: np.ndarray
    faces: np.ndarray
    places: Places
    device: str | torch.device

    def depths(self, camera: Camera) -> Depths:
        """What a camera sees of it."""
        return depths_of(self.vertices, self.faces, camera, device=self.device)


class Laid(NamedTuple):
    """A view laid to the mesh, in its own colours."""

    rgb: torch.Tensor
    """[3,H,W] float32 in 0..255."""
    trust: torch.Tensor
    """[H,W] float32."""
    look: Look
    registered: Registered
    depths: Depths
    given: torch.Tensor
    """[4,H,W] float32 colours in 0..255 and mask as they came."""
    azimuth_deg: float


def lay(stage: Stage, views: Views, index: int) -> Laid:
    """The Laid view of that index, by its outline."""
    picture = 255 * views.images[index].detach().float().cpu().permute(2, 0, 1)
    mask = views.masks[index].detach().float().cpu()
    camera = views.orbit.cameras[index]
    depths = stage.depths(camera)
    registered = register(depths, camera, mask.numpy())
    given = torch.cat([picture, mask[None]])
    straight = given
    if registered.agreement >= LEAST_AGREEMENT:
        field = bend(registered.drawn, registered.mask)
        small = bent(torch.from_numpy(registered.mask)[None], field)[0].numpy()
        if overlap(registered.drawn, small) > registered.agreement + WORTH:
            straight = bent(given, field)
    rgb, trust, seen = _read(stage, straight, registered, depths)
    return Laid(rgb, trust, seen, registered, depths, given, views.orbit.azimuths_deg[index])


def follow(stage: Stage, fixed: Sequence[Look], laid: Sequence[Laid], tones: Sequence[Tone]) -> list[Laid]:
    """The views, those of the wrong shape bent to what the photo and better views show, the nearest to the front first.

    A view follows those before it, so that what the sides show goes round to the back.
    """
    result = list(laid)
    known = _Known(np.zeros((len(stage.places.points), 3)), np.zeros(len(stage.places.points)))
    for one in fixed:
        known.add(one.soft, one.weights)
    away = [abs((one.azimuth_deg + 180) % 360 - 180) for one in laid]
    right = [one.registered.agreement >= WRONG_SHAPE for one in laid]
    for i in sorted(range(len(laid)), key=lambda i: (not right[i], away[i])):
        matrix = tones[i].matrix
        if not right[i] and one_shape(laid[i]) and tones[i].tied:
            result[i] = _followed(stage, laid[i], known, matrix)
        known.add(toned(result[i].look.soft, matrix), result[i].look.weights)
    return result


def one_shape(laid: Laid) -> bool:
    """Whether a view shows the mesh's outline at all."""
    return laid.registered.agreement >= LEAST_AGREEMENT


class _Known(NamedTuple):
    """What pictures show of the places so far; both arrays grow in place."""

    colours: np.ndarray
    """[N,3] summed by weight."""
    weights: np.ndarray
    """[N]."""

    def add(self, colours: np.ndarray, weights: np.ndarray) -> None:
        """Takes in one more picture."""
        self.colours[:] += colours * weights[:, None]
        self.weights[:] += weights

    def mean(self) -> np.ndarray:
        """[N,3]."""
        return self.colours / np.maximum(self.weights, 1e-6)[:, None]


def _followed(stage: Stage, laid: Laid, known: _Known, matrix: np.ndarray) -> Laid:
    """The view bent by outline and colours, or as it was where that brings it no nearer to what is known."""
    camera, wanted = laid.registered.camera, known.mean()
    weights = shows(stage.places, laid.depths, camera) * np.minimum(known.weights, 1)
    kept = np.flatnonzero(weights > 0.05)
    if weights[kept].sum() < LEAST_HINTS:
        return laid
    small = softened(_in_tone(laid, matrix), laid.depths.camera.hw)[0].numpy()
    unit = laid.depths.camera.hw[0] / camera.hw[0]
    at = project(camera, stage.places.points[kept])[0][:, ::-1] * unit - 0.5
    field = bend(laid.registered.drawn, laid.registered.mask, Hints(small, at, wanted[kept], weights[kept]))
    rgb, trust, seen = _read(stage, bent(laid.given, field), laid.registered, laid.depths)

    def apart(one: Look) -> float:
        both = one.weights * weights
        return float(both @ np.square(toned(one.soft, matrix) - wanted).sum(1) / max(both.sum(), 1e-6))

    better = apart(seen) < NEARER**2 * apart(laid.look)
    return laid._replace(rgb=rgb, trust=trust, look=seen) if better else laid


def _in_tone(laid: Laid, matrix: np.ndarray) -> torch.Tensor:
    """[4,H,W] the picture as it came, in the photo's tones 0..1 times its trust, and its trust."""
    trust = trust_of(strip_of(laid.given[:3].permute(1, 2, 0).numpy(), laid.given[3].numpy()))
    colours = torch.as_tensor(matrix, dtype=torch.float32)
    pixels = torch.einsum("ck,khw->chw", colours[:, :3], laid.given[:3] / 255) + colours[:, 3, None, None]
    return torch.cat([pixels.clamp(0, 1) * torch.from_numpy(trust), torch.from_numpy(trust)[None]])


def _read(
    stage: Stage, picture: torch.Tensor, registered: Registered, depths: Depths
) -> tuple[torch.Tensor, torch.Tensor, Look]:
    """[3,H,W] colours, [H,W] trust and the Look of a [4,H,W] picture and mask."""
    trust = torch.from_numpy(trust_of(strip_of(picture[:3].permute(1, 2, 0).numpy(), picture[3].numpy())))
    trust = trust * _inside_both(registered, trust.shape)
    return picture[:3], trust, look(stage.places, depths, registered.camera, picture[:3], trust)


def _inside_both(registered: Registered, hw: Sequence[int]) -> torch.Tensor:
    """[H,W] float32: 0 outside the mesh's silhouette, and near its edge too where it is not the picture's."""
    drawn = registered.drawn
    margin = -1.0 if registered.agreement >= LEAST_AGREEMENT else MARGIN * max(drawn.shape)
    inside = torch.from_numpy(signed_distance(drawn >= 0.5) - margin).clamp(0, 1)
    return torch.nn.functional.interpolate(inside[None, None], tuple(hw), mode="bilinear")[0, 0]
