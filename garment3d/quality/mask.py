"""Does the mask fit its photo: large pieces of plain background inside it are another photo's mask, or a box.

The garment follows its mask, so nothing that is measured against the mask can tell.
"""

from __future__ import annotations

import numpy as np

from .scene import Scene

ALIKE = 0.08
"""Colours nearer to the background than this, sRGB in 0..1, may be background."""
THICK = 0.025
"""Half the width, as a part of the garment's size, of pieces that count: stripes and shaded seams are thinner."""
TOO_ALIKE = 0.5
"""Where more of the mask than this looks like background the cloth does, and nothing can be told."""


def background_share(scene: Scene) -> float:
    """Share of the mask that shows background, in thick pieces that reach the outside; 0 for cloth of its colour."""
    from scipy.ndimage import distance_transform_edt, label

    outside = ~scene.solid
    if not outside.any() or not scene.solid.any():
        return 0.0
    background = np.median(scene.rgb[outside], 0)
    alike = (np.linalg.norm(scene.rgb - background, axis=-1) < ALIKE) & scene.solid
    reach = THICK * scene.camera.focal_px
    core = distance_transform_edt(alike) > reach
    thick = (distance_transform_edt(~core) <= reach) & alike if core.any() else core
    pieces, _ = label(thick | outside)
    reaching = np.isin(pieces, np.unique(pieces[outside])) & thick
    share = float(reaching.sum() / scene.solid.sum())
    return share if share <= TOO_ALIKE else 0.0
