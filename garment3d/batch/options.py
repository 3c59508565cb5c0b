"""What a person may choose about a batch beside what a single photo takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..export.extras import NO_EXTRAS, Extras

if TYPE_CHECKING:
    from ..engines import Family


@dataclass(frozen=True)
class BatchOptions:
    """How a folder is worked through, and what is saved of each photo."""

    workers: int = 0
    """Processes side by side; 0 takes what cores and memory allow."""
    recursive: bool = False
    """Whether folders in the folder are looked into."""
    again: bool = False
    """Whether finished photos are done again."""
    skip_failed: bool = False
    """Whether photos that failed before are left out; else each start tries them again."""
    formats: tuple[str, ...] = ("glb", "obj")
    turntable: bool = True
    extras: Extras = NO_EXTRAS
    """What else each photo's folder holds."""
    zero123_family: Family = "auto"
    recycle: int = 50
    """Photos after which a worker is replaced by a fresh one, so that what its libraries keep is given back."""
