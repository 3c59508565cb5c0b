"""The files of a garment that was made ready for a platform, each as that platform reads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data import Opening
from ..garment.prepare import PreparedGarment
from .mesh import File, Placement, mesh_files, placement
from .parts import parts


def platform_files(
    prepared: PreparedGarment,
    openings: Sequence[Opening] = (),
    length_cm: float = 70.0,
    garment_class: str = "",
    name: str = "garment",
) -> tuple[File, ...]:
    """`name`.glb, name_LOD1.glb … and the platform's other formats, ready to be written, the heaviest level first.

    All levels stand where the first one does. A printer's STL is in millimetres, Z up, the front to −Y.

    Args:
        openings: canonical; the GLBs' nodes name them where they are in the file.
        length_cm: vertical extent of the garment in the files.
    """
    row = prepared.platform
    at = placement(np.asarray(prepared.mesh.vertices), length_cm, row.facing, row.origin)
    files: list[File] = []
    for level, mesh in enumerate((prepared.mesh, *prepared.levels)):
        own = f"{name}_LOD{level}" if level else name
        formats = [format for format in row.formats if format != "stl"] if not level else ["glb"]
        extras = _extras(prepared, level)
        files += mesh_files(mesh, openings, length_cm, formats, garment_class, own, at=at, extras=extras)
    if "stl" in row.formats:
        files.append(File(f"{name}.stl", _printable(prepared, at)))
    return tuple(files)


def _extras(prepared: PreparedGarment, level: int) -> dict[str, object]:
    """What a GLB's node says of the platform it was made for."""
    row, load = prepared.platform, prepared.checks.load
    budget = {
        "avatar_triangles": row.budget.triangles,
        "avatar_texture_mb": row.budget.texture_mb,
        "avatar_materials": row.budget.materials,
        "garment_triangles": row.triangles,
        "garment_texture_mb": None if row.texture_mb is None else round(row.texture_mb, 3),
    }
    return {
        "platform": row.id,
        "level": level,
        "budget": {key: value for key, value in budget.items() if value is not None},
        "load": {"triangles": load.triangles, "texture_mb": round(load.texture_mb, 3), "materials": load.materials},
    }


def _printable(prepared: PreparedGarment, at: Placement) -> bytes:
    """An STL as slicers read it."""
    import trimesh
    from trimesh.exchange.stl import export_stl

    solid = parts(prepared.mesh, at.points, at.turned)
    x, y, z = solid.welded_vertices.T * 1000
    return export_stl(trimesh.Trimesh(np.stack([x, -z, y], 1), solid.welded_faces, process=False))
