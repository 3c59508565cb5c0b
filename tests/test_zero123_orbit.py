"""Zero123's whole orbit: the photo in front, painted views around, stages, Cancel, and what all of it costs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from garment3d.camera import ZERO123_RADIUS, orbit
from garment3d.errors import MaskError
from garment3d.views import zero123_cost
from garment3d.views.zero123 import zero123_orbit
from garment3d.views.zero123_checkpoint import load_zero123
from garment3d.views.zero123_condition import encode_photo, zero123_canvas
from garment3d.views.zero123_cost import cpu_minutes, orbit_flops
from garment3d.views.zero123_sampler import Sampling, ViewNoise
from tests.tiny.zero123 import write_zero123


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("zero123") / "tiny.ckpt"
    write_zero123(path)
    return load_zero123(path)


@pytest.fixture(scope="module")
def photo():
    y, x = np.mgrid[:300, :240] + 0.5
    soft = np.clip(60.5 - np.maximum(np.abs(x - 100), np.abs(y - 160) * 0.6), 0, 1).astype(np.float32)
    return np.stack([40 + x / 2, 90 + y / 3, 200 - x / 3], -1).astype(np.uint8), soft


def test_the_orbit_is_the_photo_in_front_and_painted_views_around(model, photo):
    around = orbit(azimuths_deg=(0, 90, 180, 90))
    told = []
    views = zero123_orbit(model, *photo, around, Sampling(steps=4), progress=lambda *at: told.append(at))
    assert views.images.shape == (4, 256, 256, 3) and views.masks.shape == (4, 256, 256)
    np.testing.assert_array_equal(views.images[0].numpy(), zero123_canvas(*photo))
    np.testing.assert_allclose(views.images[1], views.images[3], atol=1e-3)
    assert (views.images[1] - views.images[2]).abs().max() > 0.05
    assert told[-1] == (18, 18)  # three views, with and without the photo, three steps: the front is not sampled
    assert [camera.hw for camera in views.orbit.cameras] == [(256, 256)] * 4
    alone = zero123_orbit(model, *photo, orbit(azimuths_deg=(180,)), Sampling(steps=4, batch=1))
    torch.testing.assert_close(alone.images[0], views.images[2], rtol=0, atol=1e-3)


@pytest.mark.parametrize("family, offset, fourth", [("zero123", 0.25, 0.25), ("stable", 0.0, math.radians(80))])
def test_pose_and_seed_are_those_that_were_asked_for(model, photo, monkeypatch, family, offset, fourth):
    given = []

    def sample(unet, tokens, concat, sampling, device, progress, preview, noise):
        given.append((tokens, noise))
        return torch.zeros(1, 4, 32, 32)

    monkeypatch.setattr("garment3d.views.zero123.sample_latents", sample)
    monkeypatch.setattr("garment3d.views.zero123.decode_latents", lambda *_: torch.ones(1, 256, 256, 3))
    around = orbit(elevation_deg=30, radius=ZERO123_RADIUS + offset, azimuths_deg=(90,))
    zero123_orbit(replace(model, family=family), *photo, around, Sampling(seed=7), photo_elevation_deg=10)
    (tokens, noise), shape = given[0], (1, 4, 8, 8)
    pose = torch.tensor([[-math.radians(20), 1, 0, fourth]])  # down, to the right, and the family's own
    embed = encode_photo(model, zero123_canvas(*photo)).embed
    torch.testing.assert_close(tokens[:, 0], model.projection(torch.cat([embed, pose], 1)), rtol=0, atol=1e-5)
    assert torch.equal(noise(0, shape), ViewNoise(7, (90.0,), 30.0)(0, shape))


def test_the_masks_can_be_stopped_between_two(model, photo, monkeypatch):
    made = []

    def mask(picture):
        made.append(len(made))
        return np.zeros(picture.shape[:2], np.float32)

    def stop(done, total):
        if made:
            raise KeyboardInterrupt

    monkeypatch.setattr("garment3d.views.zero123_masks.view_mask", mask)
    with pytest.raises(KeyboardInterrupt):
        zero123_orbit(model, *photo, orbit(step_deg=120), Sampling(steps=1, guidance=1), progress=stop)
    assert made == [0]


def test_networks_are_asked_for_stage_by_stage_and_the_photo_is_encoded_once(model, photo):
    stages, calls = [], []
    hooks = [
        network.register_forward_hook(lambda *_, name=name: calls.append(name))
        for name, network in (("clip", model.image_encoder), ("encoder", model.vae.encoder), ("unet", model.unet))
    ]
    zero123_orbit(model, *photo, orbit(step_deg=120), Sampling(steps=4), ready=lambda *m: stages.append(m))
    for hook in hooks:
        hook.remove()
    assert stages == [(model.image_encoder, model.vae, model.projection), (model.unet,), (model.vae,)]
    assert calls == ["clip", "encoder", "unet", "unet", "unet"]


def test_the_photos_own_view_alone_needs_no_network(photo):
    views = zero123_orbit(None, *photo, orbit(azimuths_deg=(0, 360)))
    assert torch.equal(views.images[0], views.images[1]) and float(views.masks[0].max()) == 1


def test_a_mask_that_does_not_fit_the_photo_is_one_sentence(photo):
    rgb, soft = photo
    with pytest.raises(MaskError, match="239 × 300"):
        zero123_orbit(None, rgb, soft[:, 1:])
    with pytest.raises(MaskError, match="empty"):
        zero123_orbit(None, rgb, soft * 0)


# What it costs


def test_the_costs_are_those_of_the_full_size_networks():
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from torch.utils.flop_counter import FlopCounterMode

    widths = (128, 256, 512, 512)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel(sample_size=32, in_channels=8, cross_attention_dim=768)
        vae = AutoencoderKL(block_out_channels=widths, layers_per_block=2, **blocks)
        with FlopCounterMode(display=False) as counter:
            unet(torch.zeros(1, 8, 32, 32), torch.tensor(1), encoder_hidden_states=torch.zeros(1, 1, 768))
        assert counter.get_total_flops() == pytest.approx(zero123_cost.UNET_FLOPS, rel=1e-3)
        with FlopCounterMode(display=False) as counter:
            vae.decode(torch.zeros(1, 4, 32, 32))
        assert counter.get_total_flops() == pytest.approx(zero123_cost.DECODE_FLOPS, rel=1e-3)


def test_minutes_grow_with_views_and_steps_and_shrink_without_guidance():
    whole = orbit_flops(17)
    assert whole == pytest.approx(17 * (49 * 2 * 176.3e9 + 622.2e9), rel=2e-3) and orbit_flops(0) == 0
    assert orbit_flops(17, Sampling(steps=25)) < 0.51 * whole
    assert orbit_flops(17, Sampling(guidance=1.0)) < 0.52 * whole
    assert 0.5 < cpu_minutes(17) < 10000
