"""What is wrong with a garment's texture, from its figures and the limits, and what can't be told."""

from __future__ import annotations

import math
from collections.abc import Iterator

from . import limits
from .findings import Finding
from .texture import Front, Layout, Texture


def texture_findings(texture: Texture | None, thick: bool) -> Iterator[Finding]:
    """The Findings on a texture, in the order of FAULTS; both sides of `thick` cloth may share their texels."""
    if texture is None:
        yield Finding("no_texture", "warn", "mesh", 0, 1, "The garment has no texture: bake one from its photo.")
        return
    yield from _front(texture.front)
    if texture.halo > limits.HALO:
        told = f"Along the outline the cloth takes {texture.halo:.0%} of the background's colour: tighten the mask."
        yield Finding("white_halo", "warn", "atlas", texture.halo, limits.HALO, told)
    elif texture.mask_halo > limits.MASK_HALO:
        told = f"Along its outline the mask holds {texture.mask_halo:.0%} background, not cloth: tighten the mask."
        yield Finding("white_halo", "warn", "mask", texture.mask_halo, limits.MASK_HALO, told)
    yield from _layout(texture.layout._replace(overlap=0.0) if thick else texture.layout)


def texture_notes(texture: Texture | None) -> Iterator[str]:
    """Sentences on what could not be told."""
    if texture is None or math.isnan(texture.front.psnr_db):
        yield "Whether the texture is the right way round can't be told: there is nothing to compare with the photo."
    elif texture.front.psnr_db - texture.front.mirrored_db < limits.SYMMETRIC_DB and not _mirrored(texture.front):
        yield "The cloth looks the same mirrored: whether its texture is the right way round can't be told."


def _shown(front: Front) -> bool:
    """Whether the front shows the photo so exactly that no other way to lay it can count: cloth of one flat colour."""
    return max(front.psnr_db, front.near_db) >= limits.SHOWN_DB


def _mirrored(front: Front) -> bool:
    better = max(front.mirrored_db - front.psnr_db, front.near_mirrored_db - front.near_db)
    return better > limits.MIRRORED_DB and not _shown(front)


def _front(front: Front) -> Iterator[Finding]:
    if math.isnan(front.psnr_db):
        return
    better = front.way_db - front.own_way_db
    if _mirrored(front):
        told = f"The front fits the mirrored photo better ({front.near_mirrored_db:.1f} dB) than the photo "
        told += f"({front.near_db:.1f} dB): the texture is mirrored, flip it."
        better = max(front.mirrored_db - front.psnr_db, front.near_mirrored_db - front.near_db)
        yield Finding("mirrored_texture", "fail", "front", better, limits.MIRRORED_DB, told)
    elif front.way and better > limits.WAY_DB and not _shown(front):
        told = f"With its uvs {front.way} the texture fits the photo better by {better:.1f} dB: lay it that way."
        yield Finding("mirrored_texture", "fail", "front", better, limits.WAY_DB, told)
    elif front.psnr_db < limits.FRONT_DB:
        told = f"The front shows the photo with {front.psnr_db:.1f} dB only: bake the texture again."
        yield Finding("wrong_texture", "warn", "front", front.psnr_db, limits.FRONT_DB, told)


def _layout(layout: Layout) -> Iterator[Finding]:
    if layout.overlap > limits.OVERLAP_WARN:
        told = f"{layout.overlap:.1%} of the texels are used by two parts of the cloth: unwrap it again."
        severity = "fail" if layout.overlap > limits.OVERLAP_FAIL else "warn"
        yield Finding("uv_overlap", severity, "atlas", layout.overlap, limits.OVERLAP_WARN, told)
    if layout.outside > limits.OUTSIDE:
        told = f"{layout.outside:.1%} of the uvs lie outside the texture: unwrap it again."
        yield Finding("uv_outside", "warn", "atlas", layout.outside, limits.OUTSIDE, told)
    if layout.density_ratio > limits.DENSITY:
        told = f"Some cloth has {layout.density_ratio:.0f} times the texels of other cloth: unwrap it again."
        yield Finding("uv_stretched", "warn", "atlas", layout.density_ratio, limits.DENSITY, told)
    if layout.use < limits.USE:
        told = f"Only {layout.use:.0%} of the texture is used: pack the uvs closer."
        yield Finding("atlas_waste", "warn", "atlas", layout.use, limits.USE, told)
