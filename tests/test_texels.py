"""Texture lookups with known answers: texel centres, halves between them, levels of odd sizes."""

import numpy as np
import pytest
import torch

from garment3d.texels import linear_to_srgb, pyramid, sample, srgb_to_linear


def noise(height, width):
    return torch.tensor(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def centers(height, width):
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x / width, 1 - y / height], -1).view(-1, 2)


@pytest.mark.parametrize("hw", [(8, 8), (5, 7), (1, 9), (1, 1)])
def test_a_texels_centre_is_the_texel(hw):
    image = noise(*hw)
    found = sample(pyramid(image), centers(*hw), torch.zeros(hw[0] * hw[1]))
    torch.testing.assert_close(found.view(*hw, 3) * 255, image.float(), atol=1e-3, rtol=0)


def test_between_texels_lies_their_mean_and_beyond_the_edge_the_edge():
    image = torch.tensor([[[0, 0, 0], [200, 100, 50]]], dtype=torch.uint8)
    found = sample(pyramid(image), torch.tensor([[0.5, 0.5], [0.0, 0.5], [1.0, 0.5]]), torch.zeros(3)) * 255
    torch.testing.assert_close(found, torch.tensor([[100.0, 50, 25], [0, 0, 0], [200, 100, 50]]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("hw", [(8, 8), (13, 6), (1, 9), (640, 427)])
def test_a_plain_image_is_plain_at_every_level(hw):
    chain = pyramid(torch.full((*hw, 3), 77, dtype=torch.uint8))
    assert chain.wh[0].tolist() == [hw[1], hw[0]] and chain.wh[-1].tolist() == [1, 1]
    levels = torch.linspace(0, len(chain.first) + 2, 40)
    found = sample(chain, torch.rand(40, 2, generator=torch.Generator().manual_seed(0)), levels)
    torch.testing.assert_close(found * 255, torch.full((40, 3), 77.0), atol=1e-3, rtol=0)


@pytest.mark.parametrize("hw", [(16, 16), (8, 2), (15, 9)])
def test_the_last_level_is_the_images_mean(hw):
    image = noise(*hw)
    mean = image.float().mean((0, 1))
    found = sample(pyramid(image), torch.tensor([[0.5, 0.5]]), torch.tensor([99.0]))[0] * 255
    # Exact but for the byte where each halving is exact; odd sizes weigh the middle twice.
    torch.testing.assert_close(found, mean, atol=0.51 if not (hw[0] % 2 or hw[1] % 2) else 12, rtol=0)


def test_a_level_between_two_is_their_mixture():
    chain = pyramid(torch.tensor([[[0] * 3, [100] * 3], [[100] * 3, [0] * 3]], dtype=torch.uint8))
    found = sample(chain, torch.tensor([[0.25, 0.75]]).expand(3, 2), torch.tensor([0.0, 0.5, 1.0]))[:, 0] * 255
    torch.testing.assert_close(found, torch.tensor([0.0, 25, 50]), atol=1e-3, rtol=0)


def test_srgb_and_linear_are_inverses_with_the_standards_midpoint():
    values = torch.linspace(0, 1, 1001)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-5, rtol=0)
    assert srgb_to_linear(torch.tensor(0.5)).item() == pytest.approx(0.21404, abs=1e-5)
