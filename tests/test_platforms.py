"""The table of platforms against the published numbers, and loads against sums done by hand."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from garment3d.errors import GarmentError
from garment3d.garment.platforms import PLATFORMS, budget_checks, load_of, platform
from tests.solids import grid

PUBLISHED = {
    "vrchat-mobile-excellent": (7_500, 10, 1), "vrchat-mobile-good": (10_000, 18, 1),
    "vrchat-mobile-medium": (15_000, 25, 2), "vrchat-mobile-poor": (20_000, 40, 4),
    "vrchat-pc-excellent": (32_000, 40, 4), "vrchat-pc-good": (70_000, 75, 8),
    "vrchat-pc-medium": (70_000, 110, 16), "vrchat-pc-poor": (70_000, 150, 32),
}  # fmt: skip
"""creators.vrchat.com/avatars/avatar-performance-ranking-system, PC Limits and Mobile Limits, read in November 2026."""


def sheet(rows, columns, px, normal_map=False):
    s, t, faces = grid(rows, columns)
    picture = Image.new("RGB", (px, px))
    material = PBRMaterial(baseColorTexture=picture, normalTexture=picture if normal_map else None)
    visual = TextureVisuals(uv=np.stack([s, t], 1), material=material)
    return trimesh.Trimesh(np.stack([s, t, 0 * s], 1), faces, visual=visual, process=False)


def test_vrchats_numbers_are_those_it_publishes():
    for name, (triangles, texture_mb, slots) in PUBLISHED.items():
        budget = PLATFORMS[name].budget
        assert (budget.triangles, budget.texture_mb, budget.materials) == (triangles, texture_mb, slots)


def test_every_row_can_be_kept_by_a_garment_made_for_it():
    for name, row in PLATFORMS.items():
        assert row.id == name and row.title and row.source
        assert row.facing in ("+Z", "-Z") and row.origin in ("floor", "centre") and "glb" in row.formats
        rows = max(row.triangles // 20, 1)
        check = {c.platform: c for c in budget_checks(sheet(rows, 10, row.texture_px, row.normal_map))}[name]
        assert check.met, check.told
        assert check.load.materials == 1 and check.load.triangles == 20 * rows


def test_a_garment_gets_a_third_of_an_avatar():
    for row in PLATFORMS.values():
        if row.budget.triangles is not None:
            assert row.triangles == row.budget.triangles // 3
            assert row.texture_mb == pytest.approx(row.budget.texture_mb / 3)


def test_texture_memory_is_counted_in_blocks_with_all_mip_levels():
    # 12² in 4×4 blocks: 9 blocks, then 6² 4, 3² 1, 1² 1; in 6×6 blocks 4, 1, 1, 1. Sixteen bytes each.
    small = sheet(1, 1, 12)
    assert load_of(small).texture_mb * 2**20 == 15 * 16
    assert load_of(small, platform("vrchat-mobile-good")).texture_mb * 2**20 == 7 * 16
    # 8 bits a texel and a third more for the mip levels; ASTC 6×6 is 128 / 36 bits.
    assert load_of(sheet(1, 1, 2048, True)).texture_mb == pytest.approx(2 * 4 * 4 / 3, rel=1e-4)
    mobile = load_of(sheet(1, 1, 1024), platform("vrchat-mobile-good")).texture_mb
    assert mobile == pytest.approx(128 / 36 / 8 * 4 / 3, rel=0.01)
    assert load_of(trimesh.creation.box()).texture_mb == 0


def test_what_is_too_heavy_is_said_with_its_numbers():
    checks = {c.platform: c for c in budget_checks(sheet(300, 20, 4096, True))}
    assert list(checks) == list(PLATFORMS)
    mobile = checks["vrchat-mobile-good"]
    assert not mobile.met
    for number in ("12,000 triangles", "3,333", "10,000", "MiB", "6.00", "18.00"):
        assert number in mobile.told
    assert checks["vrchat-pc-poor"].met and checks["vrm"].met and "no bound" in checks["vrm"].told
    assert all(c.told.endswith(".") and c.told.count(". ") <= 1 for c in checks.values())


def test_an_unknown_platform_is_answered_with_the_choices():
    with pytest.raises(GarmentError, match=r"'quest'.*vrchat-mobile-excellent.*print"):
        platform("quest")
