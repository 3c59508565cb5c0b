"""The room between the islands of an atlas, filled so that no filter ever mixes in what is not cloth.

Every texel outside takes the nearest island's edge: smaller mip levels then average cloth with the same cloth.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ...images import reduced, to_uint8
from .atlas import texels


def padded(atlas: np.ndarray, covered: np.ndarray, empty: tuple[int, int, int] = (128, 128, 128)) -> np.ndarray:
    """[H,W,3] uint8 with every texel that is not `covered` as the nearest that is; all `empty` where none is."""
    if covered.all():
        return atlas.copy()
    if not covered.any():
        return np.full_like(atlas, empty)
    rows, cols = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return atlas[rows, cols]


def covered_texels(uv: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """[S,S] bool: texels of a square atlas whose centre lies in a triangle, and where one holds none the middle's.

    The latter are all there is where a triangle takes its colour from one point of a palette.
    """
    covered, small = np.zeros(size * size, bool), np.ones(len(faces), bool)
    for band in texels(uv, faces, size):
        covered[band.index.numpy()] = True
        small[band.face.numpy()] = False
    columns, up = np.clip(np.floor(uv[faces[small]].mean(1) * size).astype(int), 0, size - 1).T
    covered[(size - 1 - up) * size + columns] = True
    return covered.reshape(size, size)


def resized(atlas: np.ndarray, uv: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """[size,size,3] uint8 of a square atlas, texels averaged by area and the room between islands filled anew.

    Args:
        size: at most the atlas' own side.
    """
    own = atlas.shape[0]
    filled = padded(atlas, covered_texels(uv, faces, own))
    if own % size == 0:
        return to_uint8(reduced(filled, own // size) / 255)
    from PIL import Image

    return np.asarray(Image.fromarray(filled).resize((size, size), Image.Resampling.BOX))
