"""Flattening takes out light that is known in closed form, and nothing else: no pattern, no hue, nothing at 0."""

from __future__ import annotations

import math

import pytest
import torch

from garment3d.garment.texture.light import MOST, fit_light
from garment3d.texels import linear_to_srgb, srgb_to_linear


def sphere(count: int = 20_000, least_z: float = -1.0) -> torch.Tensor:
    """[N,3] unit normals spread evenly over the part of a sphere above `least_z`."""
    i = torch.arange(count, dtype=torch.float64)
    z = 1 - (1 - least_z) * (i + 0.5) / count
    angle = i * math.pi * (3 - math.sqrt(5))
    ring = (1 - z**2).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], 1)


def cylinder(count: int = 20_000) -> torch.Tensor:
    """[N,3] the half of an upright cylinder that a photo shows."""
    angle = (torch.arange(count, dtype=torch.float64) + 0.5) / count * math.pi - math.pi / 2
    return torch.stack([angle.sin(), torch.zeros_like(angle), angle.cos()], 1)


def irradiance(normals: torch.Tensor) -> torch.Tensor:
    """[N] a light of nine harmonics: from above left, brighter sky, darker ground, a rim; between 0.4 and 1.7."""
    x, y, z = normals.T
    return (
        1 - 0.2 * x + 0.3 * y + 0.1 * z + 0.08 * x * y - 0.06 * y * z + 0.05 * (3 * z * z - 1) + 0.06 * (x * x - y * y)
    )


def photographed(albedo: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    """[N,3] sRGB 0..255 of [N,3] linear albedo under that light."""
    return linear_to_srgb(albedo * irradiance(normals)[:, None]) * 255


def spread(colours: torch.Tensor) -> float:
    """How unevenly bright they are: standard deviation of the log of the green channel's light."""
    return float(srgb_to_linear(colours[:, 1] / 255).log().std())


CLOTH = torch.tensor([[0.32, 0.22, 0.12]], dtype=torch.float64)
INK = torch.tensor([[0.02, 0.02, 0.03]], dtype=torch.float64)


@pytest.mark.parametrize("normals", [sphere(), sphere(least_z=0.0), cylinder()], ids=["sphere", "half", "cylinder"])
def test_known_light_over_one_cloth_goes(normals: torch.Tensor) -> None:
    lit = photographed(CLOTH.expand(len(normals), 3), normals)
    light = fit_light(lit, normals, torch.ones(len(normals)))
    flat = light.removed(lit, normals, 1.0)
    assert spread(lit) > 0.08
    assert spread(flat) < 0.02
    # The mean stays: what goes is the light's unevenness.
    middle = srgb_to_linear(lit / 255).log().mean(0).exp()
    torch.testing.assert_close(srgb_to_linear(flat / 255).log().mean(0).exp(), middle, rtol=0.01, atol=0)


def test_the_coefficients_are_the_lights_own() -> None:
    normals = sphere()
    light = fit_light(photographed(CLOTH.expand(len(normals), 3), normals), normals, torch.ones(len(normals)))
    expected = irradiance(normals)
    expected = expected / expected.log().mean().exp()
    torch.testing.assert_close(light.shading(normals), expected, rtol=0.015, atol=0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45])
def test_a_pattern_is_cloth(share: float) -> None:
    """Black on white, drawn in checks; on the upper half twice as much of it as on the lower half."""
    normals = sphere(least_z=0.0)
    along = torch.arange(len(normals)) % 100 / 100
    inked = along < share * torch.where(normals[:, 1] > 0, 1.33, 0.67)
    lit = photographed(torch.where(inked[:, None], INK, CLOTH), normals)
    light = fit_light(lit, normals, torch.ones(len(normals)))
    expected = irradiance(normals)
    expected = expected / expected.log().mean().exp()
    assert float((light.shading(normals) / expected).log().std()) < 0.03
    flat = light.removed(lit, normals, 1.0)
    assert max(spread(flat[inked]), spread(flat[~inked])) < 0.03 < spread(lit[~inked])
    contrast = [
        float(srgb_to_linear(c[~inked] / 255).mean() / srgb_to_linear(c[inked] / 255).mean()) for c in (lit, flat)
    ]
    assert contrast[1] == pytest.approx(contrast[0], rel=0.15)


def test_no_weight_no_influence() -> None:
    normals = sphere()
    lit = photographed(CLOTH.expand(len(normals), 3), normals)
    spoiled, weights = lit.clone(), torch.ones(len(normals))
    spoiled[::2], weights[::2] = 255.0, 0.0
    one, other = fit_light(lit[1::2], normals[1::2], weights[1::2]), fit_light(spoiled, normals, weights)
    torch.testing.assert_close(one.coefficients, other.coefficients)
    even = fit_light(lit, normals, torch.zeros(len(normals)))
    torch.testing.assert_close(even.removed(lit, normals, 1.0), lit)


def test_strength_0_is_the_identity_and_half_is_between() -> None:
    normals = sphere()
    lit = photographed(CLOTH.expand(len(normals), 3), normals).float()
    light = fit_light(lit, normals, torch.ones(len(normals)))
    assert torch.equal(light.removed(lit, normals, 0.0), lit)
    half = light.removed(lit, normals, 0.5)
    assert spread(half) == pytest.approx(spread(lit) / 2, rel=0.1)
    with pytest.raises(ValueError, match="0 to 1"):
        light.removed(lit, normals, 1.5)


def test_hue_is_kept_where_there_is_no_room_to_brighten() -> None:
    normals = sphere()
    bright = torch.tensor([[0.9, 0.5, 0.2]], dtype=torch.float64).expand(len(normals), 3)
    lit = linear_to_srgb((bright * irradiance(normals)[:, None]).clamp(max=1)) * 255
    flat = fit_light(lit, normals, torch.ones(len(normals))).removed(lit, normals, 1.0)
    assert float(flat.max()) <= 255 + 1e-6
    before, after = (srgb_to_linear(c / 255) for c in (lit, flat))
    torch.testing.assert_close(after / after.amax(1, True), before / before.amax(1, True), rtol=1e-6, atol=1e-9)


def test_directions_that_the_photo_does_not_show_are_held_not_guessed() -> None:
    seen = sphere(least_z=0.35)
    light = fit_light(photographed(CLOTH.expand(len(seen), 3), seen), seen, torch.ones(len(seen)))
    everywhere = light.shading(sphere())
    known = light.shading(seen)
    assert float(everywhere.min()) >= 0.97 * float(known.min()) and float(everywhere.max()) <= 1.03 * float(known.max())
    assert 1 / MOST <= float(everywhere.min()) and float(everywhere.max()) <= MOST
