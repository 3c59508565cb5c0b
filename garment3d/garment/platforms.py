"""What each platform wants of a garment, in one table with its sources, and whether a garment keeps within it.

A garment is a part of an avatar only, so it gets a third of what the avatar may weigh: one third is left for the body
with its head, one for hair and all else that is worn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ..errors import GarmentError
from ..images import colour_map

if TYPE_CHECKING:
    import trimesh
    from PIL.Image import Image

SHARE = 1 / 3
"""Of an avatar's budget that this garment may take."""
MATERIALS = 1
"""One atlas, one material, one draw call."""
_BLOCK_BYTES = 16

Facing = Literal["+Z", "-Z"]
Origin = Literal["floor", "centre"]


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
    facing: Facing
    """Where the front looks in the GLB."""
    origin: Origin
    formats: tuple[str, ...]
    thickness_mm: float
    """Above 0 the cloth gets an inside: for printers."""
    lods: int
    """Lighter levels made beside it by default."""
    budget: Budget
    source: str
    """Where the numbers come from."""
    block_px: int = 4
    """Side of the 16-byte block its graphics cards keep textures in: 4 for BC7 and DXT5, 6 for ASTC 6×6."""

    @property
    def texture_mb(self) -> float | None:
        """MiB of texture memory that this garment gets of the budget, or None without a bound."""
        return None if self.budget.texture_mb is None else self.budget.texture_mb * SHARE


_NO_BOUND = Budget(None, None, None)
_RANKS = "creators.vrchat.com/avatars/avatar-performance-ranking-system"
_BLOCKS = "docs.unity3d.com/Manual/class-TextureImporterOverride.html"


def _vrchat(kind: str, rank: str, budget: Budget, texture_px: int) -> Platform:
    """A rank of VRChat's table; the avatar is put together in Unity, which turns glTF's +Z into its own +Z forward."""
    assert budget.triangles is not None
    mobile = kind == "mobile"
    return Platform(
        id=f"vrchat-{kind}-{rank}",
        title=f"VRChat {'mobile' if mobile else 'PC'}, {rank.capitalize()}",
        triangles=int(budget.triangles * SHARE),
        texture_px=texture_px,
        normal_map=True,
        facing="+Z",
        origin="floor",
        formats=("glb",),
        thickness_mm=0.0,
        lods=0,
        budget=budget,
        source=f"{_RANKS} ({'Mobile' if mobile else 'PC'} Limits); {'ASTC 6×6' if mobile else 'BC7'}: {_BLOCKS}",
        block_px=6 if mobile else 4,
    )


def _engine(
    id: str,
    title: str,
    source: str,
    triangles: int = 15_000,
    texture_px: int = 2048,
    lods: int = 0,
    facing: Facing = "+Z",
    formats: tuple[str, ...] = ("glb",),
    normal_map: bool = True,
    thickness_mm: float = 0.0,
) -> Platform:
    """A program that sets no bound of its own: the triangles are those of a garment on one of its main characters."""
    return Platform(
        id, title, triangles, texture_px, normal_map, facing, "floor", formats, thickness_mm, lods, _NO_BOUND, source
    )


_ROWS = (
    _vrchat("mobile", "excellent", Budget(7_500, 10, 1), 1024),
    _vrchat("mobile", "good", Budget(10_000, 18, 1), 1024),
    _vrchat("mobile", "medium", Budget(15_000, 25, 2), 2048),
    _vrchat("mobile", "poor", Budget(20_000, 40, 4), 2048),
    _vrchat("pc", "excellent", Budget(32_000, 40, 4), 2048),
    _vrchat("pc", "good", Budget(70_000, 75, 8), 2048),
    _vrchat("pc", "medium", Budget(70_000, 110, 16), 2048),
    _vrchat("pc", "poor", Budget(70_000, 150, 32), 2048),
    _engine(
        "vrm",
        "VRM 1.0",
        "github.com/vrm-c/vrm-specification VRMC_vrm-1.0/tpose (metres, faces +Z, floor at y = 0; sets no bound)",
        triangles=10_000,
    ),
    _engine(
        "vrm0",
        "VRM 0.x",
        "github.com/vrm-c/vrm-specification 0.0, UniVRM (metres, faces -Z, at the origin; sets no bound)",
        triangles=10_000,
        facing="-Z",
    ),
    _engine(
        "godot",
        "Godot 4",
        "docs.godotengine.org, Model export considerations (+Z is a model's front; makes its own levels of detail)",
    ),
    _engine(
        "unity",
        "Unity",
        "github.com/KhronosGroup/UnityGLTF SchemaExtensions.cs (glTF's +Z becomes +Z forward, metres)",
        lods=2,
    ),
    _engine(
        "unreal",
        "Unreal Engine",
        "dev.epicgames.com FAccessor::GetCoordArray (Y and Z change places, metres become centimetres: the front "
        "looks along +Y, as the engine's own characters do)",
        lods=2,
    ),
    _engine(
        "blender",
        "Blender",
        "docs.blender.org, glTF 2.0 (+Z becomes -Y, which Numpad 1 shows); all triangles stay for modelling",
        triangles=100_000,
        normal_map=False,
        formats=("glb", "obj"),
    ),
    _engine(
        "print",
        "3D print",
        "STL in millimetres, Z up, front to -Y, as slicers read it; walls of 2 mm hold in every common process",
        triangles=100_000,
        normal_map=False,
        formats=("stl", "glb"),
        thickness_mm=2.0,
    ),
)

PLATFORMS: Mapping[str, Platform] = MappingProxyType({row.id: row for row in _ROWS})
"""The table, in the order a person is shown it."""


def platform(id: str) -> Platform:
    """The row of that id; an unknown one raises GarmentError naming all."""
    row = PLATFORMS.get(id)
    if row is None:
        raise GarmentError(f"There is no platform {id!r}: choose from {', '.join(PLATFORMS)}.")
    return row


class Load(NamedTuple):
    """What one garment weighs."""

    triangles: int
    texture_mb: float
    """MiB of all its maps on the graphics card, compressed, with mip levels."""
    materials: int


class BudgetCheck(NamedTuple):
    """A garment held against one platform."""

    platform: str
    met: bool
    """Within the share that a garment gets, and so within the whole."""
    load: Load
    budget: Budget
    """Of the whole avatar."""
    told: str
    """For a person: one sentence with the values."""


def load_of(mesh: trimesh.Trimesh, chosen: Platform | None = None) -> Load:
    """The Load of a mesh on a platform's graphics cards, a desktop's where none is chosen; 0 MiB without texture."""
    block_px = 4 if chosen is None else chosen.block_px
    maps = _maps(mesh)
    size = sum(_texture_bytes(picture.width, picture.height, block_px) for picture in maps)
    return Load(len(mesh.faces), size / 2**20, MATERIALS)


def budget_check(mesh: trimesh.Trimesh, chosen: Platform) -> BudgetCheck:
    """The BudgetCheck of a mesh against one platform; one that sets no bound is always met."""
    load, budget = load_of(mesh, chosen), chosen.budget
    held = (
        _Held("triangles", load.triangles, chosen.triangles, budget.triangles, "{:,.0f}"),
        _Held("MiB of texture memory", load.texture_mb, chosen.texture_mb or np.inf, budget.texture_mb, "{:.2f}"),
        _Held("material slots", load.materials, budget.materials or np.inf, budget.materials, "{:.0f}"),
    )
    bounded = [one for one in held if one.whole is not None]
    over = [one for one in bounded if one.value > one.share]
    has = f"{load.triangles:,} triangles and {load.texture_mb:.2f} MiB of texture memory"
    if not bounded:
        told = f"{chosen.title} sets no bound: this garment has {has}."
    elif over:
        told = f"{chosen.title} is not met: this garment has {' and '.join(one.told() for one in over)}."
    else:
        told = f"{chosen.title} is met: this garment has {has}, within its share of {bounded[0].told_share()}."
    return BudgetCheck(chosen.id, not over, load, budget, told)


def budget_checks(mesh: trimesh.Trimesh) -> tuple[BudgetCheck, ...]:
    """One BudgetCheck for each row of PLATFORMS, in its order."""
    return tuple(budget_check(mesh, row) for row in PLATFORMS.values())


class _Held(NamedTuple):
    """One number beside its bounds."""

    unit: str
    value: float
    share: float
    whole: float | None
    form: str

    def told(self) -> str:
        """Such as "9,000 triangles, 2,500 of the avatar's 7,500 being its share"."""
        value, share, whole = (self.form.format(number or 0) for number in (self.value, self.share, self.whole))
        return f"{value} {self.unit}, where its share is {share} of the avatar's {whole}"

    def told_share(self) -> str:
        """Such as "2,500 of the avatar's 7,500 triangles"."""
        return f"{self.form.format(self.share)} of the avatar's {self.form.format(self.whole or 0)} {self.unit}"


def _maps(mesh: trimesh.Trimesh) -> list[Image]:
    normal = getattr(getattr(mesh.visual, "material", None), "normalTexture", None)
    return [picture for picture in (colour_map(mesh.visual), normal) if picture is not None]


def _texture_bytes(width: int, height: int, block_px: int) -> int:
    """Bytes of a texture and all its mip levels, each rounded up to whole blocks.

    Source: Khronos Data Format Specification 1.3, BC7 and ASTC: 128 bits for each 4×4 or 6×6 texels.
    """
    total = 0
    while True:
        total += -(-width // block_px) * -(-height // block_px) * _BLOCK_BYTES
        if width == height == 1:
            return total
        width, height = max(width // 2, 1), max(height // 2, 1)
