"""What a node's inputs mean for each garment of a batch: one of everything for all, or one for each."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from comfy_api.latest import Types

from ..garment3d.data import Views
from ..garment3d.errors import GarmentError
from . import convert

if TYPE_CHECKING:
    import trimesh

    from ..garment3d.garment.prepare import PreparedGarment


class TextureJob(NamedTuple):
    """One garment to paint; the first arguments of `texture_garment`."""

    mesh: trimesh.Trimesh
    rgb: np.ndarray
    soft: np.ndarray
    back_rgb: np.ndarray | None
    back_soft: np.ndarray | None


class BakeJob(NamedTuple):
    """One garment to paint; the first arguments of `bake_texture`."""

    mesh: trimesh.Trimesh
    rgb: np.ndarray
    soft: np.ndarray
    views: Views | None
    back_rgb: np.ndarray | None
    back_soft: np.ndarray | None


class FitJob(NamedTuple):
    """One shell to fit; the first arguments of `fit_shell`."""

    shell: trimesh.Trimesh
    target: trimesh.Trimesh
    soft: np.ndarray
    rgb: np.ndarray | None


class HemJob(NamedTuple):
    """One mesh to open; the first arguments of `open_hems`."""

    mesh: trimesh.Trimesh
    soft: np.ndarray
    rgb: np.ndarray


class PrepareJob(NamedTuple):
    """One garment to bring within a budget, and the denser mesh that its normal map shows."""

    mesh: trimesh.Trimesh
    detail: trimesh.Trimesh | None


class SaveJob(NamedTuple):
    """One garment to save, and its lighter levels."""

    mesh: trimesh.Trimesh
    levels: list[trimesh.Trimesh]


class ReportJob(NamedTuple):
    """One garment to judge; the first arguments of `assess`."""

    mesh: trimesh.Trimesh
    rgb: np.ndarray
    soft: np.ndarray
    views: Views | None


def texture_jobs(
    mesh: Types.MESH,
    image: torch.Tensor,
    mask: torch.Tensor,
    back_image: torch.Tensor | None,
    back_mask: torch.Tensor | None,
) -> list[TextureJob]:
    """One job per garment of a MESH; its own uvs count, its colours don't."""
    _both("back_image", back_image, "back_mask", back_mask)
    shells = convert.trimeshes(_bare(mesh))
    fronts = _photos(image, mask, len(shells))
    backs = [(None, None)] * len(shells) if back_mask is None else _photos(back_image, back_mask, len(shells))
    return [TextureJob(m, *front, *back) for m, front, back in zip(shells, fronts, backs, strict=True)]


def bake_jobs(
    mesh: Types.MESH,
    image: torch.Tensor,
    mask: torch.Tensor,
    views: Views | None,
    back_image: torch.Tensor | None,
    back_mask: torch.Tensor | None,
) -> list[BakeJob]:
    """One job per garment of a MESH, all with the same views."""
    todo = texture_jobs(mesh, image, mask, back_image, back_mask)
    return [BakeJob(j.mesh, j.rgb, j.soft, views, j.back_rgb, j.back_soft) for j in todo]


def fit_jobs(shell: Types.MESH, target: Types.MESH, mask: torch.Tensor, image: torch.Tensor | None) -> list[FitJob]:
    """One job per shell; or per target, where one shell is fitted to several."""
    count = max(len(shell.vertices), len(target.vertices))
    shells = convert.matched(convert.trimeshes(shell), count, "shells")
    targets = convert.matched(convert.trimeshes(target), count, "targets")
    photos = _photos(image, mask, count)
    return [FitJob(s, t, soft, rgb) for s, t, (rgb, soft) in zip(shells, targets, photos, strict=True)]


def hem_jobs(mesh: Types.MESH, image: torch.Tensor, mask: torch.Tensor) -> list[HemJob]:
    """One job per mesh."""
    meshes = convert.trimeshes(mesh)
    photos = _photos(image, mask, len(meshes))
    return [HemJob(m, soft, rgb) for m, (rgb, soft) in zip(meshes, photos, strict=True)]


def prepare_jobs(mesh: Types.MESH, detail: Types.MESH | None) -> list[PrepareJob]:
    """One job per garment; one detail mesh serves them all."""
    garments = convert.trimeshes(mesh)
    dense = [None] if detail is None else convert.trimeshes(detail)
    matched = convert.matched(dense, len(garments), "detail meshes")
    return [PrepareJob(m, d) for m, d in zip(garments, matched, strict=True)]


def alike(done: list[PreparedGarment]) -> list[PreparedGarment]:
    """The same with equally many levels, and a flat normal map where only others of the batch have one: one MESH."""
    from PIL import Image

    from ..garment3d.garment.normal_map import FLAT

    fewest = min(len(d.levels) for d in done)
    done = [d._replace(levels=d.levels[:fewest]) for d in done]
    materials = [getattr(m.visual, "material", None) for d in done for m in (d.mesh, *d.levels)]
    made = next(filter(None, (getattr(m, "normalTexture", None) for m in materials)), None)
    for material in filter(None, materials) if made else ():
        if material.baseColorTexture and not material.normalTexture:
            material.normalTexture = Image.new("RGB", made.size, FLAT)
    return done


def report_jobs(mesh: Types.MESH, image: torch.Tensor, mask: torch.Tensor, views: Views | None) -> list[ReportJob]:
    """One job per garment, all with the same views."""
    garments = convert.trimeshes(mesh)
    photos = _photos(image, mask, len(garments))
    return [ReportJob(m, rgb, soft, views) for m, (rgb, soft) in zip(garments, photos, strict=True)]


def save_jobs(mesh: Types.MESH, levels: Types.MESH | None) -> list[SaveJob]:
    """One job per garment; the levels' batch holds each garment, and after it its lighter ones."""
    garments = convert.trimeshes(mesh)
    listed = [] if levels is None else convert.trimeshes(levels)
    each, left = divmod(len(listed), len(garments))
    if left:
        raise GarmentError(
            f"There are {len(listed)} levels for {len(garments)} garments: connect mesh and levels of one Prepare For "
            "Platform."
        )
    return [SaveJob(m, listed[i * each + 1 : (i + 1) * each]) for i, m in enumerate(garments)]


def backdrop(image: torch.Tensor | None, mask: torch.Tensor | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The photo and its soft mask, or neither; one without the other is a GarmentError."""
    _both("image", image, "mask", mask)
    if image is None or mask is None:
        return None, None
    photo, soft = convert.photo_and_mask(image, mask)
    return photo.rgb, soft


def pairs(a: Types.MESH, b: Types.MESH) -> list[tuple[trimesh.Trimesh, trimesh.Trimesh]]:
    """The meshes of two batches, one by one; a single one goes with each of the other's."""
    count = max(len(a.vertices), len(b.vertices))
    first, second = (convert.matched(convert.trimeshes(m), count, "meshes") for m in (a, b))
    return list(zip(first, second, strict=True))


def _both(name: str, one: torch.Tensor | None, other_name: str, other: torch.Tensor | None) -> None:
    """Both or neither, else a GarmentError."""
    if (one is None) != (other is None):
        missing, there = (name, other_name) if one is None else (other_name, name)
        raise GarmentError(f"{there} is connected without {missing}: connect both, or neither.")


def _bare(mesh: Types.MESH) -> Types.MESH:
    """The same without vertex colours where it has uvs: a trimesh holds only one of the two."""
    if mesh.uvs is None or mesh.vertex_colors is None:
        return mesh
    bare = copy.copy(mesh)
    bare.vertex_colors = None
    return bare


def _photos(image: torch.Tensor | None, mask: torch.Tensor, count: int) -> list[tuple[np.ndarray | None, np.ndarray]]:
    """Photo and soft mask of each garment; None for the photo where only masks are connected."""
    if image is None:
        return [(None, soft) for soft in convert.matched(convert.bare_softs(mask), count, "masks")]
    shown = convert.photos(image)
    together = [(p.rgb, soft) for p, soft in zip(shown, convert.softs(mask, shown), strict=True)]
    return convert.matched(together, count, "photos")
