"""The views laid over what lies under them, texel by texel."""

from __future__ import annotations

from typing import NamedTuple

import torch

from .bake_base import FROM_PHOTO, FROM_VIEW, Under
from .bake_choose import Chosen
from .bake_lens import look
from .bake_level import Levelled
from .bake_skin import Skin, on_skin

LEAST_WEIGHT = 1e-3


class Overlay(NamedTuple):
    """The views as they are laid over the mesh."""

    skin: Skin
    chosen: Chosen
    levelled: Levelled


def overlaid(overlay: Overlay, beneath: Under, face: torch.Tensor, bary: torch.Tensor) -> Under:
    """Colours and codes of points given by their [N] faces and [N,3] barycentrics."""
    skin, weight, offset = overlay.skin, overlay.levelled.weight, overlay.levelled.offset
    colors, code = beneath.colors.float(), beneath.code.clone()
    moved = on_skin(offset[:, 0], skin, face, bary)
    # The photo itself never changes.
    colors += moved * ((code != FROM_PHOTO) | beneath.inside)[:, None]
    shares = on_skin(weight, skin, face, bary)
    summed, most = colors * shares[:, :1], shares[:, 0].clone()
    total = shares[:, 0].clone()
    for label, lens in enumerate(overlay.chosen.lenses, 1):
        own = torch.nonzero(shares[:, label] > LEAST_WEIGHT).squeeze(1)
        if not len(own):
            continue
        points, normals = (on_skin(v, skin, face[own], bary[own]) for v in (skin.points, skin.normals))
        seen = look(lens, points, normals)
        share = shares[own, label] * seen.sight.cpu()
        rgb = seen.colors.cpu() + on_skin(offset[:, label], skin, face[own], bary[own])
        summed.index_add_(0, own, rgb * share[:, None])
        total.index_add_(0, own, share)
        wins = share > most[own]
        most[own[wins]] = share[wins]
        code[own[wins]] = FROM_VIEW + lens.view
    # What a view turns out not to see after all, cloth shows.
    missing = (1 - total).clamp(min=0)[:, None]
    rgb = (summed + colors * missing) / (total[:, None] + missing)
    return Under(rgb.round().clamp(0, 255).to(torch.uint8), code, beneath.inside)
