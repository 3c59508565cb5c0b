"""The texture image: which texels each triangle owns, colours put there, and islands widened into the gutter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from ...raster import rasterize
from .unwrap import uv_camera

TEXELS_AT_ONCE = 1 << 22
"""Rows are handled in bands of about so many texels, which bounds memory at any size."""
PADDING = 8 / 2048
"""How far islands are widened, as a share of the atlas."""


class Texels(NamedTuple):
    """The texels of one band that a triangle covers."""

    index: torch.Tensor
    """[N] int64 into the flattened atlas, row 0 at the top."""
    face: torch.Tensor
    """[N] int64."""
    bary: torch.Tensor
    """[N,3] float32 weights of the face's corners at the texel's centre."""


def texels(uv: np.ndarray, faces: np.ndarray, size: int, device: str | torch.device = "cpu") -> Iterator[Texels]:
    """The covered Texels of a `size`² atlas, band by band from the top."""
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], 1)
    rows = max(1, TEXELS_AT_ONCE // size)
    for first in range(0, size, rows):
        camera = uv_camera(size, first, min(rows, size - first))
        fragments = rasterize(flat, faces, camera, device=device)
        face = fragments.face.flatten()
        seen = torch.nonzero(face >= 0).squeeze(1)
        yield Texels(seen + first * size, face[seen], fragments.bary.view(-1, 3)[seen])


def widened(atlas: np.ndarray, covered: np.ndarray, steps: int) -> np.ndarray:
    """[S,S,3] uint8 with every island grown by `steps` texels of its own edge's colours, the mean colour elsewhere."""
    size = atlas.shape[1]
    result, filled = atlas.reshape(-1, 3).copy(), covered.copy()
    if not covered.any() or covered.all():
        return result.reshape(atlas.shape)
    result[~covered.ravel()] = np.round(result[covered.ravel()][:: max(1, size // 256)].mean(0))
    edge = covered.copy()
    edge[1:-1, 1:-1] &= ~(covered[:-2, 1:-1] & covered[2:, 1:-1] & covered[1:-1, :-2] & covered[1:-1, 2:])
    front, filled = np.flatnonzero(edge), filled.ravel()
    for _ in range(steps):
        rows, cols = np.divmod(front, size)
        parents, children = [], []
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            ok = (rows + down >= 0) & (rows + down < len(atlas)) & (cols + right >= 0) & (cols + right < size)
            child = front[ok] + down * size + right
            empty = ~filled[child]
            parents.append(front[ok][empty])
            children.append(child[empty])
        front, first = np.unique(np.concatenate(children), return_index=True)
        result[front] = result[np.concatenate(parents)[first]]
        filled[front] = True
    return result.reshape(atlas.shape)


def dressed(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, atlas: np.ndarray) -> trimesh.Trimesh:
    """The mesh with its atlas as a matt two-sided material; positions and order of faces stay."""
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(atlas),
        baseColorFactor=[255, 255, 255, 255],
        metallicFactor=0.0,
        roughnessFactor=0.9,
        doubleSided=True,
    )
    visual = TextureVisuals(uv=uv, material=material)
    return trimesh.Trimesh(vertices, faces, visual=visual, process=False)
