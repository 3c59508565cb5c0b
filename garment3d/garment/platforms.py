"""What each platform wants of a garment: triangles, texture, facing, formats, in one table with its sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Budget:
    """What a platform allows a whole avatar or scene; None where it sets no bound."""

    triangles: int | None
    texture_mb: float | None
    """Memory on the graphics card in MiB, compressed, with mip levels."""
    materials: int | None


@dataclass(frozen=True)
class Platform:
    """A row of the table."""

    id: str
    """As on the command line: vrchat-mobile-good, vrm, …"""
    title: str
    triangles: int
    """What this garment gets of the budget."""
    texture_px: int
    normal_map: bool
    """Whether the detail that decimation removes comes back as a normal map."""
    facing: Literal["+Z", "-Z"]
    """Where the front looks in the GLB."""
    origin: Literal["floor", "centre"]
    formats: tuple[str, ...]
    thickness_mm: float
    """Above 0 the cloth gets an inside: for printers."""
    lods: int
    """Lighter levels made beside it by default."""
    budget: Budget
    source: str
    """Where the numbers come from."""
