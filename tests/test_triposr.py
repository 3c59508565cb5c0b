"""TripoSR against the original's numbers: network, decoder, framing, mesh and renderer of a tiny checkpoint."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from garment3d.camera import mask_box, photo_camera, project
from garment3d.errors import MaskError, WeightsError
from garment3d.surface.triposr.checkpoint import load_triposr
from garment3d.surface.triposr.decoder import colour, density
from garment3d.surface.triposr.framing import frame_of, framed
from garment3d.surface.triposr.network import Dims, TripoSR
from garment3d.surface.triposr.render import render_scene, turntable
from garment3d.surface.triposr.scene import triposr_scene
from garment3d.surface.triposr.vit import stretched_positions

from .tiny.triposr import picture, tiny_state, write_triposr

FIXTURE = Path(__file__).parent / "fixtures" / "triposr.npz"


@pytest.fixture(scope="module")
def original():
    with np.load(FIXTURE) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_triposr(tmp_path_factory.mktemp("triposr") / "model.ckpt")


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_triposr(checkpoint)


@pytest.fixture(scope="module")
def scene(model):
    return triposr_scene(model, *picture())


def test_a_photo_is_framed_as_the_original_frames_it(original):
    pixels = framed(*picture())
    assert pixels.shape == (1, 3, 512, 512) and pixels.dtype == torch.float32
    assert np.abs(pixels.flatten()[original["pixels_at"]].numpy() - original["pixels"]).max() < 1e-6


def test_planes_are_the_originals(scene, original):
    assert scene.planes.shape == (3, 8, 64, 64) and scene.planes.dtype == torch.float32
    assert np.abs(scene.planes.flatten()[original["planes_at"]].numpy() - original["planes"]).max() < 1e-4


def test_densities_and_colours_are_the_originals(scene, original):
    raw_density, raw_colour = scene.decoder(scene.planes, torch.from_numpy(original["points"]))
    # The planes themselves are float32 results, so the last digits of raw values near -100 differ.
    np.testing.assert_allclose(raw_density, original["density_raw"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(raw_colour, original["colour_raw"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(density(raw_density), original["density"], rtol=1e-4)
    np.testing.assert_allclose(colour(raw_colour), original["colour"], atol=1e-5)


def test_the_turntable_is_the_originals(scene, original):
    views = render_scene(scene, turntable(scene, (0, 90, 180, 270), 10.0, 24))
    assert views.images.shape == (4, 24, 24, 3) and views.masks.shape == (4, 24, 24)
    assert np.abs(views.images.numpy() - original["views"]).max() < 1e-4
    assert 0.05 < float((views.masks > 0.5).float().mean()) < 0.6
