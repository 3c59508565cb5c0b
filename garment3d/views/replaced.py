"""Some views of an orbit exchanged for others from the same places, as when the worst ones were painted again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..data import Camera, Views
from ..errors import ViewsError

SAME_DEG = 1e-3
"""Azimuths nearer than this are one."""


def replaced(views: Views, newer: Views) -> Views:
    """The Views with the pictures, masks and seeds of `newer` at its azimuths, and all others as they were.

    No picture of `newer` leaves the views as they are. One from a place where `views` have none, or through another
    camera, raises ViewsError.
    """
    images, masks = views.images.clone(), views.masks.clone()
    seeds = list(views.seeds or [None] * len(images))
    given = newer.seeds or (None,) * len(newer.images)
    for k, azimuth_deg in enumerate(newer.orbit.azimuths_deg):
        for place in _places(views, azimuth_deg):
            _check_camera(views.orbit.cameras[place], newer.orbit.cameras[k], azimuth_deg)
            images[place], masks[place], seeds[place] = newer.images[k], newer.masks[k], given[k]
    return replace(views, images=images, masks=masks, seeds=None if all(s is None for s in seeds) else tuple(seeds))


def at_azimuths(views: Views, azimuths_deg: tuple[float, ...]) -> Views:
    """The Views at some azimuths of them alone, in their own order; none of them raises ViewsError."""
    kept = sorted({place for azimuth_deg in azimuths_deg for place in _places(views, azimuth_deg)})
    cameras, azimuths = (tuple(column[i] for i in kept) for column in (views.orbit.cameras, views.orbit.azimuths_deg))
    index = torch.tensor(kept, dtype=torch.int64, device=views.images.device)
    seeds = None if views.seeds is None else tuple(views.seeds[i] for i in kept)
    orbit = views.orbit._replace(cameras=cameras, azimuths_deg=azimuths)
    return Views(views.images[index], views.masks[index.to(views.masks.device)], orbit, seeds)


def _places(views: Views, azimuth_deg: float) -> list[int]:
    """Indices of the views at an azimuth; ViewsError where there is none."""
    found = [
        i for i, own in enumerate(views.orbit.azimuths_deg) if abs((own - azimuth_deg + 180) % 360 - 180) < SAME_DEG
    ]
    if not found:
        there = ", ".join(f"{own:g}°" for own in views.orbit.azimuths_deg)
        raise ViewsError(f"There is no view at {azimuth_deg:g}° to exchange; choose from {there or 'an orbit'}.")
    return found


def _check_camera(old: Camera, new: Camera, azimuth_deg: float) -> None:
    if old.hw != new.hw:
        raise ViewsError(
            f"The view at {azimuth_deg:g}° is {new.hw[1]}×{new.hw[0]} px and the one in its place "
            f"{old.hw[1]}×{old.hw[0]} px; give views of one size."
        )
    same_lens = old.projection == new.projection and np.allclose(
        [old.focal_px, *old.center_px], [new.focal_px, *new.center_px], rtol=1e-4
    )
    if not same_lens or not np.allclose(old.c2w, new.c2w, atol=1e-4):
        raise ViewsError(
            f"The view at {azimuth_deg:g}° was taken by another camera than the one in its place; "
            "give views of the same elevation, radius and field of view."
        )
