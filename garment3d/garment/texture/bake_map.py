"""The source map as a picture: photo, back photo, cloth and each view in a colour of its own."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from .bake_base import EMPTY, FROM_BACK, FROM_FILL, FROM_PHOTO, FROM_VIEW

NAMED = {EMPTY: (24, 24, 24), FROM_PHOTO: (236, 236, 236), FROM_BACK: (150, 200, 255), FROM_FILL: (120, 120, 120)}


def source_picture(source: np.ndarray, azimuths_deg: Sequence[float]) -> np.ndarray:
    """[S,S,3] uint8: photo white, back photo pale blue, cloth grey, none black, views round the colour circle.

    Red is a view at 90°, cyan one at 270°; codes that the map does not use change nothing.
    """
    table = np.zeros((256, 3), np.uint8)
    for code, color in NAMED.items():
        table[code] = color
    for k, azimuth in enumerate(azimuths_deg[: 256 - FROM_VIEW]):
        rgb = colorsys.hsv_to_rgb(((azimuth - 90) / 360) % 1, 0.75, 0.95)
        table[FROM_VIEW + k] = np.round(np.array(rgb) * 255)
    return table[source]
