"""Is a saved file as large as it was meant to be: read back like anyone's, and held against the garment's length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..meshes import read_mesh
from . import limits
from .findings import Finding, Quality


def file_size_findings(
    path: str | Path, length_cm: float, unit_m: float = 1.0, up: Literal["x", "y", "z"] = "y"
) -> tuple[Finding, ...]:
    """A wrong_scale Finding where a mesh file is not `length_cm` from top to bottom; () where it is.

    Args:
        unit_m: metres in one unit of the file: 0.001 for a print in millimetres.
        up: the file's axis that points up.

    Raises:
        MeshError: a file that can't be read as a mesh.
    """
    path = Path(path)
    vertices = np.asarray(read_mesh(path).mesh.vertices, np.float64)
    height_m, wanted_m = float(np.ptp(vertices[:, "xyz".index(up)])) * unit_m, length_cm / 100
    if abs(height_m - wanted_m) <= limits.FILE_LENGTH_M:
        return ()
    told = f"{path.name} is {height_m:.4g} m high instead of {wanted_m:.4g} m: save it again with the right length."
    return (Finding("wrong_scale", "fail", path.name, height_m, wanted_m, told),)


def with_files(quality: Quality, findings: Sequence[Finding]) -> Quality:
    """The assessment with what was found in the garment's files before all else; the same where nothing was."""
    if not findings:
        return quality
    told = f"Reject: {findings[0].sentence}"
    return quality._replace(verdict="reject", sentence=told, findings=(*findings, *quality.findings))
