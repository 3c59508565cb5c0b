"""The photo's light taken off the finished texture, fitted on what the photo shows of the mesh."""

from __future__ import annotations

import torch

from .bake_base import FROM_PHOTO, FROM_VIEW, Under
from .bake_choose import at_spots
from .bake_skin import CORNERS, Skin, on_skin
from .light import Light, fit_light

MOST_PLACES = 60_000


def light_of(skin: Skin, beneath: Under) -> Light:
    """The Light of the photo; `beneath` is the layer under the views at the skin's `spots`."""
    _, normals = at_spots(skin)
    area = torch.as_tensor(skin.area, dtype=torch.float32).repeat_interleave(len(CORNERS))
    weight = area * normals[:, 2].clamp(min=0) * ((beneath.code == FROM_PHOTO) & ~beneath.inside)
    step = max(1, len(weight) // MOST_PLACES)
    normals = torch.nn.functional.normalize(normals, dim=1)
    return fit_light(beneath.colors[::step].float(), normals[::step], weight[::step])


def flattened(light: Light, strength: float, skin: Skin, shown: Under, face: torch.Tensor, bary: torch.Tensor) -> Under:
    """`shown` at [N] faces and [N,3] barycentrics without that share of the light."""
    normals = torch.nn.functional.normalize(on_skin(skin.normals, skin, face, bary), dim=1)
    # Cloth is taken from the photo, where the surface looks forward: it brings the light of that place along.
    normals[:, 2] = torch.where(shown.code < FROM_VIEW, normals[:, 2].abs(), normals[:, 2])
    colors = light.removed(shown.colors.float(), normals, strength)
    return shown._replace(colors=colors.round().clamp(0, 255).to(torch.uint8))
