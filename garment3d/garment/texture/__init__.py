"""The garment's texture: the photo on the front, its cloth on the sides and the back, in one atlas of two panels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import trimesh

from ...camera import photo_camera
from ...camera import project as to_pixels  # this package has a module of that name
from ...errors import MeshError
from ...images import check_fits
from .atlas import PADDING, dressed, texels, widened
from .paint import Scene, Surface, paint, scene_of, with_back_photo
from .plate import plate_of
from .unwrap import density, unwrap, usable_uv, uv_per_unit

__all__ = ["Figures", "Textured", "texture_garment", "unwrap"]

SIZES = (256, 8192)


class Figures(NamedTuple):
    """What the texture is made of."""

    texels_from_photo: float
    """Share of the covered texels that show their own place in the photo."""
    texels_back: float
    """Share that lies on the back and shows the cloth, or the back photo."""
    texels_filled: float
    """Share that continues the cloth beyond what the photo can be trusted for."""
    photo_px_per_texel: float
    """Below 1 the photo's own resolution limits the front, above 1 the atlas does."""
    texel_density_ratio: float
    """Densest over sparsest triangle, 99.9th over 0.1th percentile of uv area per surface area."""
    atlas_hw: tuple[int, int]


class Textured(NamedTuple):
    """A garment with its texture."""

    mesh: trimesh.Trimesh
    figures: Figures


def texture_garment(
    mesh: trimesh.Trimesh,
    rgb: np.ndarray,
    soft: np.ndarray,
    back_rgb: np.ndarray | None = None,
    back_soft: np.ndarray | None = None,
    size: int = 2048,
    device: str | torch.device = "cpu",
) -> Textured:
    """The mesh with uvs and one sRGB atlas of `size`², and figures about it; positions and faces' order stay.

    Args:
        mesh: In the canonical frame of `photo_camera(soft)`; usable uvs of its own are kept, else `unwrap`'s.
        rgb: [H,W,3] uint8 photo.
        soft: [H,W] mask of the garment in it.
        back_rgb: [H',W',3] uint8 photo of the back with its mask `back_soft`; by default the front's cloth.
    """
    _check(mesh, rgb, soft, size)
    mesh = mesh if usable_uv(mesh) else unwrap(mesh)
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    uv = np.asarray(mesh.visual.uv, float)  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    texels_per_unit = size * uv_per_unit(vertices, faces, uv)
    surface = Surface(vertices, faces, uv, texels_per_unit / size)
    scene = scene_of(surface, plate_of(rgb, soft, texels_per_unit), texels_per_unit)
    if back_rgb is not None:
        scene = with_back_photo(scene, surface, back_rgb, back_soft, texels_per_unit)
    atlas, shares = _painted(surface, scene, size, device)
    ratio = np.percentile(density(vertices, faces, uv), [0.1, 99.9])
    focal_px = photo_camera(soft).focal_px
    figures = Figures(*shares, focal_px / texels_per_unit, float(ratio[1] / max(ratio[0], 1e-9)), (size, size))
    return Textured(dressed(vertices, faces, uv, atlas), figures)


def _check(mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, size: int) -> None:
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"The texture size is {size}; it must be {SIZES[0]} to {SIZES[1]}.")
    check_fits(soft, rgb)
    if not len(mesh.faces) or not np.isfinite(mesh.vertices).all() or not mesh.area > 0:
        raise MeshError(
            f"A mesh of {len(mesh.vertices)} vertices, {len(mesh.faces)} faces and area {mesh.area:.3g} "
            "can't be textured."
        )
    at_px, _ = to_pixels(photo_camera(soft), np.asarray(mesh.vertices))
    inside = (at_px >= 0).all(1) & (at_px < soft.shape[::-1]).all(1)
    if inside.mean() < 0.5:
        raise MeshError(
            f"Only {inside.mean():.0%} of the mesh lies in the photo: give the photo and mask that it was made from, "
            "and the mesh in the canonical frame (longest side 1, centred, front +Z)."
        )


def _painted(
    surface: Surface, scene: Scene, size: int, device: str | torch.device
) -> tuple[np.ndarray, tuple[float, float, float]]:
    """[S,S,3] uint8 atlas, and the shares of texels from the photo, on the back, and filled."""
    atlas, covered = np.zeros((size * size, 3), np.uint8), np.zeros(size * size, bool)
    counts = np.zeros(3)
    for band in texels(surface.uv, surface.faces, size, device):
        colors, kind = paint(scene, band.face.cpu(), band.bary.cpu())
        index = band.index.cpu().numpy()
        atlas[index] = colors.numpy()
        covered[index] = True
        counts += np.bincount(kind.numpy(), minlength=3)
    atlas = widened(atlas.reshape(size, size, 3), covered.reshape(size, size), round(PADDING * size))
    share = counts / max(counts.sum(), 1)
    return atlas, (float(share[0]), float(share[1]), float(share[2]))
