"""A garment made ready for one platform: fewer triangles, a smaller atlas, its lost shape as a normal map, an inside.

Size, facing and origin are the export's; here the mesh stays in the canonical frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from ..errors import MeshError
from ..images import colour_map
from ..normals import weld
from .decimate import LEAST, Decimated, levels
from .normal_map import LARGEST_PX, normal_map
from .platforms import BudgetCheck, Platform, budget_check
from .solidify import solidify
from .texture.padding import resized

MOST_LODS = 5
FEWEST = 64
"""A level of fewer triangles shows no garment and is not made."""
SMALLEST_PX = 16
SMOOTH_PX = 256
"""A normal map is no smaller than this where the platform allows it: folds show on plain cloth of one pixel too."""
OUTSIDE = 0.05
"""Of the longest side: a detail whose box is further out is told of."""

Progress = Callable[[int, int], None]


class PreparedGarment(NamedTuple):
    """A garment as one platform wants it, still canonical."""

    mesh: trimesh.Trimesh
    """With atlas and, where the platform reads one, normal map in its PBRMaterial."""
    levels: tuple[trimesh.Trimesh, ...]
    """Lighter ones on the same atlas, each with about half the triangles of the one before."""
    platform: Platform
    checks: BudgetCheck
    warnings: tuple[str, ...]
    """Sentences for the person."""


class _Maps(NamedTuple):
    """The pictures of the material, row 0 at the top."""

    colour: np.ndarray | None
    normal: np.ndarray | None


def prepare(
    mesh: trimesh.Trimesh,
    chosen: Platform,
    length_cm: float,
    detail: trimesh.Trimesh | None = None,
    triangles: int = 0,
    texture_px: int = 0,
    lods: int | None = None,
    progress: Progress | None = None,
) -> PreparedGarment:
    """The PreparedGarment of a canonical mesh; one that is light enough keeps its triangles and its atlas' islands.

    Args:
        length_cm: vertical extent of the garment, which decides what a thickness in millimetres is.
        detail: what the normal map is taken from, in the same frame; None takes `mesh` as it was.
        triangles: 0 takes the platform's own number; with a thickness both layers and the rims count.
        texture_px: side of the atlas; 0 takes the platform's own. A smaller atlas is never enlarged.
        lods: lighter levels beside it; None takes the platform's own number.

    Raises:
        MeshError: fewer than four faces, NaN or flat vertices, or numbers outside their range.
    """
    count = chosen.lods if lods is None else lods
    _check(mesh, length_cm, triangles, texture_px, count)
    tell = _shares(progress)
    made = levels(mesh, _wanted(mesh, chosen, triangles, count), tell(0, 60))
    light = made[0].mesh
    maps = _resized(mesh, texture_px or chosen.texture_px)
    tell(60, 65)(1, 1)
    lost = detail is not None or len(light.faces) < len(mesh.faces)
    if chosen.normal_map and lost and maps.colour is not None:
        side = max(*maps.colour.shape[:2], min(SMOOTH_PX, texture_px or chosen.texture_px))
        maps = maps._replace(normal=normal_map(light, mesh if detail is None else detail, side, tell(65, 100)))
    thickness = chosen.thickness_mm / 10 / length_cm * float(np.ptp(np.asarray(mesh.vertices)[:, 1]))
    dressed = [_with_inside(_dressed(one.mesh, maps), thickness) for one in made]
    tell(65, 100)(1, 1)
    checks = budget_check(dressed[0], chosen)
    warnings = (*_strangers(mesh, detail), *_warnings(mesh, made, maps, checks, texture_px, chosen))
    return PreparedGarment(dressed[0], tuple(dressed[1:]), chosen, checks, warnings)


def _check(mesh: trimesh.Trimesh, length_cm: float, triangles: int, texture_px: int, lods: int) -> None:
    vertices = np.asarray(mesh.vertices, float)
    if len(mesh.faces) < LEAST or not np.isfinite(vertices).all() or np.ptp(vertices[:, 1]) <= 0:
        raise MeshError(
            f"A mesh of {len(mesh.faces)} faces and {len(vertices)} vertices can't be prepared for a platform; "
            f"give one with {LEAST} faces or more, finite vertices and some height."
        )
    if not 0 < length_cm < 100_000:
        raise MeshError(f"A garment can't be {length_cm:g} cm long: give its length from top to bottom, such as 70.")
    if triangles and triangles < LEAST:
        raise MeshError(f"{triangles} triangles make no garment: ask for {LEAST} or more, or 0 for the platform's own.")
    if texture_px and not SMALLEST_PX <= texture_px <= LARGEST_PX:
        raise MeshError(f"An atlas of {texture_px} pixels can't be made: give {SMALLEST_PX} to {LARGEST_PX}, or 0.")
    if not 0 <= lods <= MOST_LODS:
        raise MeshError(f"{lods} lighter levels can't be made: ask for 0 to {MOST_LODS}.")


def _shares(progress: Progress | None) -> Callable[[int, int], Progress]:
    """Callbacks for parts of the way, in percent."""

    def between(first: int, last: int) -> Progress:
        def tell(done: int, total: int) -> None:
            if progress is not None:
                progress(first + (last - first) * done // max(total, 1), 100)

        return tell

    return between


def _wanted(mesh: trimesh.Trimesh, chosen: Platform, triangles: int, lods: int) -> tuple[int, ...]:
    """Triangles of each level, the first as the platform wants it."""
    most = triangles or chosen.triangles
    if chosen.thickness_mm:  # two layers and a rim of two triangles for every edge of the lips
        most = max((most - 2 * _lip_edges(mesh)) // 2, LEAST)
    first = min(most, len(mesh.faces))
    return (first, *(first >> level for level in range(1, lods + 1) if first >> level >= FEWEST))


def _lip_edges(mesh: trimesh.Trimesh) -> int:
    """How many edges have one face only, once vertices of the same place are one."""
    corner = weld(np.asarray(mesh.vertices, float)).of[np.asarray(mesh.faces)]
    edges = np.sort(np.stack([corner, np.roll(corner, -1, 1)], -1).reshape(-1, 2), 1)
    return int((np.unique(edges, axis=0, return_counts=True)[1] == 1).sum())


def _resized(mesh: trimesh.Trimesh, texture_px: int) -> _Maps:
    """The mesh's maps, no larger than `texture_px`; None where it has none."""
    uv, colour = getattr(mesh.visual, "uv", None), colour_map(mesh.visual)
    if uv is None or colour is None:
        return _Maps(None, None)
    uv, faces = np.asarray(uv, float)[:, :2], np.asarray(mesh.faces)
    normal = getattr(getattr(mesh.visual, "material", None), "normalTexture", None)
    return _Maps(*(None if one is None else _smaller(one, uv, faces, texture_px) for one in (colour, normal)))


def _smaller(picture: Image.Image, uv: np.ndarray, faces: np.ndarray, texture_px: int) -> np.ndarray:
    """[H,W,3] uint8 no larger than `texture_px`, with cloth in all the room between islands where it is an atlas."""
    pixels = np.asarray(picture.convert("RGB"))
    side = max(pixels.shape[:2])
    if pixels.shape[0] == pixels.shape[1] and uv.min() >= 0 and uv.max() <= 1:
        return resized(pixels, uv, faces, min(texture_px, side))
    if side <= texture_px:
        return pixels
    wide, high = (max(round(length * texture_px / side), 1) for length in (picture.width, picture.height))
    return np.asarray(picture.convert("RGB").resize((wide, high), Image.Resampling.BOX))


def _dressed(mesh: trimesh.Trimesh, maps: _Maps) -> trimesh.Trimesh:
    """The mesh in a material with these maps; one without texture keeps its colours."""
    if maps.colour is None:
        return mesh.copy()
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(maps.colour),
        normalTexture=None if maps.normal is None else Image.fromarray(maps.normal),
        baseColorFactor=[255, 255, 255, 255],
        metallicFactor=0.0,
        roughnessFactor=0.9,
        doubleSided=True,
    )
    visual = TextureVisuals(uv=np.array(getattr(mesh.visual, "uv", None)), material=material)
    return trimesh.Trimesh(np.array(mesh.vertices), np.array(mesh.faces), visual=visual, process=False)


def _with_inside(mesh: trimesh.Trimesh, thickness: float) -> trimesh.Trimesh:
    """The mesh with an inside so far within; a closed one has one already."""
    return solidify(mesh, thickness) if thickness and _lip_edges(mesh) else mesh


def _strangers(mesh: trimesh.Trimesh, detail: trimesh.Trimesh | None) -> tuple[str, ...]:
    """A warning where the detail does not lie where the mesh does."""
    if detail is None:
        return ()
    here, there = (np.stack([np.min(m.vertices, 0), np.max(m.vertices, 0)]) for m in (mesh, detail))
    apart, side = float(np.abs(here - there).max()), float(np.ptp(here, axis=0).max())
    if apart <= OUTSIDE * side:
        return ()
    return (
        f"The detail's box lies up to {apart:.3g} beside the garment's, whose longest side is {side:.3g}: "
        "the normal map stays flat where they are apart, so give a detail in the garment's own frame.",
    )


def _warnings(
    mesh: trimesh.Trimesh,
    made: tuple[Decimated, ...],
    maps: _Maps,
    checks: BudgetCheck,
    texture_px: int,
    chosen: Platform,
) -> tuple[str, ...]:
    told = [warning for one in made for warning in one.warnings]
    side = 0 if maps.colour is None else max(maps.colour.shape[:2])
    if texture_px > side > 0:
        told.append(f"The atlas has {side} pixels and is not enlarged to {texture_px}: bake the texture larger.")
    if maps.colour is None and chosen.normal_map:
        told.append("The garment has no texture, so it gets no normal map: texture it first.")
    if chosen.thickness_mm and not _lip_edges(mesh):
        told.append("The garment is closed already, so it is given no second inside.")
    if not checks.met:
        told.append(checks.told)
    return tuple(dict.fromkeys(told))
