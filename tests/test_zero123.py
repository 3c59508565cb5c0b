"""Zero123's sampler: step lists, noise that belongs to a view, batches that fit, and what a preview shows."""

import numpy as np
import pytest
import torch

from garment3d.camera import ZERO123_RADIUS, orbit
from garment3d.errors import GarmentError
from garment3d.views import zero123_sampler
from garment3d.views.zero123 import latent_preview, painted, zero123_cameras
from garment3d.views.zero123_memory import Batches, free_bytes, out_of_memory
from garment3d.views.zero123_sampler import Sampling, ViewNoise, ddim_timesteps, make_scheduler, sample_latents

AZIMUTHS = tuple(20.0 * i for i in range(18))


@pytest.fixture(scope="module")
def unet():
    from diffusers import UNet2DConditionModel

    torch.manual_seed(3)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=4,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval()


@pytest.fixture(scope="module")
def given():
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randn(18, 1, 32, generator=generator)
    concat = torch.randn(1, 4, 8, 8, generator=generator).expand(18, -1, -1, -1)
    return tokens, concat


def sampled(unet, given, views=slice(None), progress=None, preview=None, **options):
    tokens, concat = given
    noise = ViewNoise(options.get("seed", 0), AZIMUTHS[views])
    return sample_latents(
        unet, tokens[views], concat[views], Sampling(**options), progress=progress, preview=preview, noise=noise
    )


# Steps


@pytest.mark.parametrize(
    "steps, count, first, last",
    [(50, 49, 961, 1), (75, 76, 976, 1), (10, 9, 801, 1), (1000, 999, 999, 1), (1, 1, 1, 1)],
)
def test_ddim_takes_the_original_demos_steps(steps, count, first, last):
    falling = ddim_timesteps(steps)
    assert (len(falling), falling[0], falling[-1]) == (count, first, last)
    assert set(np.diff(falling)) <= {-(1000 // steps)}


@pytest.mark.parametrize("scheduler", ["euler", "dpm++", "unipc"])
def test_the_other_schedulers_take_as_many_steps_as_asked_from_the_noisiest(scheduler):
    timesteps = make_scheduler(Sampling(steps=12, scheduler=scheduler)).timesteps
    assert len(timesteps) == 12 and float(timesteps[0]) == 999


def test_a_ddim_step_is_the_papers_formula(unet, given, monkeypatch):
    """Equation 12 of arXiv 2010.02502, with the original's alpha before the first step."""
    tokens, concat = (t[:2].double() for t in given)
    start, fresh = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    double = type(unet).from_config(unet.config).double().eval()
    double.load_state_dict(unet.state_dict())
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)
    a, before = alphas[501], alphas[1]
    with torch.no_grad():
        without = double(torch.cat([start, 0 * concat], 1), 501, 0 * tokens).sample
        noise = without + 3 * (double(torch.cat([start, concat], 1), 501, tokens).sample - without)
        sigma = ((1 - before) / (1 - a) * (1 - a / before)).sqrt()
        clean = (start - (1 - a).sqrt() * noise) / a.sqrt()
        after = before.sqrt() * clean + (1 - before - sigma**2).sqrt() * noise + sigma * fresh
        a, before, late = alphas[1], alphas[0], after
        without = double(torch.cat([late, 0 * concat], 1), 1, 0 * tokens).sample
        noise = without + 3 * (double(torch.cat([late, concat], 1), 1, tokens).sample - without)
        sigma = ((1 - before) / (1 - a) * (1 - a / before)).sqrt()
        clean = (late - (1 - a).sqrt() * noise) / a.sqrt()
        truth = before.sqrt() * clean + (1 - before - sigma**2).sqrt() * noise + sigma * fresh
    # Of two steps, t = 501 and 1, the list keeps the last alone; this one keeps both.
    monkeypatch.setattr(zero123_sampler, "ddim_timesteps", lambda steps: np.array([501, 1]))
    ours = sample_latents(
        unet, given[0][:2], given[1][:2], Sampling(steps=2), noise=lambda i, shape: (start if i == 0 else fresh).float()
    )
    torch.testing.assert_close(ours.double(), truth, rtol=0, atol=2e-4)


# Noise


def test_a_views_noise_is_its_own():
    noise = ViewNoise(7, (0.0, 20.0, 380.0, -340.0, 20.0), 10.0)
    first = noise(0, (5, 4, 32, 32))
    assert torch.equal(first[1], first[2]) and torch.equal(first[1], first[3]) and torch.equal(first[1], first[4])
    assert not torch.equal(first[0], first[1])
    assert torch.equal(ViewNoise(7, (20.0,), 10.0)(0, (1, 4, 32, 32))[0], first[1])
    others = [ViewNoise(8, (20.0,), 10.0)(0, (1, 4, 32, 32)), ViewNoise(7, (20.0,), 11.0)(0, (1, 4, 32, 32))]
    others.append(ViewNoise(7, (20.0,), 10.0)(1, (1, 4, 32, 32)))
    for other in others:
        assert abs(float(torch.corrcoef(torch.stack([other.flatten(), first[1].flatten()]))[0, 1])) < 0.06
    assert abs(float(first.mean())) < 0.03 and abs(float(first.std()) - 1) < 0.03


def test_whole_turns_and_minus_zero_are_one_direction():
    shape = (1, 4, 8, 8)
    assert torch.equal(ViewNoise(0, (359.999999,), -0.0)(0, shape), ViewNoise(0, (0.0,), 0.0)(0, shape))


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpm++", "unipc"])
def test_a_view_does_not_depend_on_the_batch_or_its_neighbours(unet, given, scheduler):
    options = {"steps": 5, "scheduler": scheduler, "seed": 4}
    whole = sampled(unet, given, batch=18, **options)
    assert whole.shape == (18, 4, 8, 8) and whole.dtype == torch.float32 and bool(whole.isfinite().all())
    for batch in (1, 9) if scheduler == "ddim" else (5,):
        torch.testing.assert_close(sampled(unet, given, batch=batch, **options), whole, rtol=0, atol=1e-3)
    some = sampled(unet, given, slice(3, 7), batch=2, **options)
    torch.testing.assert_close(some, whole[3:7], rtol=0, atol=1e-3)
    assert float((sampled(unet, given, **{**options, "seed": 5}) - whole).abs().max()) > 0.1


def test_eta_adds_noise_and_without_it_only_the_start_counts(unet, given):
    calls = []

    def noise(index, shape):
        calls.append(index)
        return ViewNoise(0, AZIMUTHS)(index, shape)

    sample_latents(unet, *given, Sampling(steps=4, eta=0.0), noise=noise)
    assert calls == [0]
    calls.clear()
    sample_latents(unet, *given, Sampling(steps=4), noise=noise)
    assert calls == [0, 1, 2, 3]


# Guidance, precision


class Recorder(torch.nn.Module):
    """A UNet that guesses no noise and remembers what it was shown."""

    dtype = torch.float32

    def __init__(self, most=1000, unet=None):
        super().__init__()
        from types import SimpleNamespace

        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.config = SimpleNamespace(block_out_channels=(32,))
        self.most, self.unet, self.seen = most, unet, []

    def forward(self, sample, t, encoder_hidden_states):
        from types import SimpleNamespace

        self.seen.append((sample, float(t), encoder_hidden_states))
        if len(sample) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        if self.unet is not None:
            return self.unet(sample, t, encoder_hidden_states)
        return SimpleNamespace(sample=torch.zeros_like(sample[:, :4]))


def test_unconditional_rows_see_zeros_and_no_photo(given):
    unet = Recorder()
    sampled(unet, given, steps=3, batch=18)
    sample, t, tokens = unet.seen[0]
    assert sample.shape == (36, 8, 8, 8) and t == 667
    assert not tokens[:18].any() and not sample[:18, 4:].any()
    assert torch.equal(tokens[18:], given[0]) and torch.equal(sample[18:, 4:], given[1])
    assert torch.equal(sample[:18, :4], sample[18:, :4])


def test_guidance_one_leaves_the_unconditional_half_out(given):
    unet = Recorder()
    sampled(unet, given, steps=3, batch=18, guidance=1.0)
    assert {len(sample) for sample, _, _ in unet.seen} == {18}


def test_the_unet_runs_in_its_own_precision_and_latents_stay_float32(unet, given):
    half = type(unet).from_config(unet.config).bfloat16().eval()
    half.load_state_dict(unet.state_dict())
    latents = sampled(half, given, steps=3)
    assert latents.dtype == torch.float32
    torch.testing.assert_close(latents, sampled(unet, given, steps=3), rtol=0.2, atol=0.5)


# Memory


def test_out_of_memory_halves_the_batch_and_changes_nothing(unet, given):
    narrow = Recorder(most=7, unet=unet)
    latents = sampled(narrow, given, steps=3, batch=18)
    assert [len(sample) for sample, _, _ in narrow.seen][:4] == [36, 18, 9, 4]
    assert {len(sample) for sample, _, _ in narrow.seen[3:]} == {4}
    torch.testing.assert_close(latents, sampled(unet, given, steps=3, batch=18), rtol=0, atol=1e-3)


def test_no_room_for_a_single_row_is_one_sentence(given):
    with pytest.raises(GarmentError, match=r"memory is too small .* one at a time"):
        sampled(Recorder(most=0), given, steps=3)


def test_other_errors_are_not_taken_for_memory():
    def broken(rows):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        Batches(4, "x").run(8, broken)
    assert out_of_memory(MemoryError()) and not out_of_memory(ValueError("out of memory"))


def test_this_machine_says_how_much_memory_is_free():
    assert free_bytes("cpu") > 2**27


# Progress, preview


def test_progress_counts_every_row_and_may_stop(unet, given):
    told = []
    sampled(unet, given, steps=4, batch=9, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (18, 108) and told[-1] == (108, 108) and len(told) == 6

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sampled(unet, given, steps=4, progress=stop)


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpm++", "unipc"])
def test_the_preview_shows_the_clean_latents_that_the_last_step_arrives_at(given, scheduler):
    """A UNet that always names the noise leading to one picture: every preview must be that picture."""
    goal = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(2))
    alphas = make_scheduler(Sampling()).alphas_cumprod

    class Knowing(Recorder):
        def forward(self, sample, t, encoder_hidden_states):
            from types import SimpleNamespace

            alpha = alphas[round(float(t))]
            return SimpleNamespace(sample=(sample[:, :4] - alpha.sqrt() * goal) / (1 - alpha).sqrt())

    shown = []
    latents = sampled(Knowing(), given, steps=8, scheduler=scheduler, eta=0.0, preview=shown.append)
    assert len(shown) == len(make_scheduler(Sampling(steps=8, scheduler=scheduler)).timesteps)
    for picture in shown:
        torch.testing.assert_close(picture, goal.expand(18, -1, -1, -1), rtol=0, atol=2e-2)
    torch.testing.assert_close(latents, goal.expand(18, -1, -1, -1), rtol=0, atol=0.15)


def test_the_preview_of_white_is_brighter_than_of_black():
    """Stable Diffusion 1 codes brightness as positive first two and negative last channel."""
    bright, dark = torch.tensor([1.0, 1.0, 0.0, -1.0]), torch.tensor([-1.0, -1.0, 0.0, 1.0])
    picture = latent_preview(torch.stack([bright, dark])[:, :, None, None].expand(-1, -1, 32, 32))
    assert picture.shape == (2, 32, 32, 3) and float(picture.min()) >= 0 and float(picture.max()) <= 1
    assert float(picture[0].min()) > 0.7 and float(picture[1].max()) < 0.3


# What can't be meant


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"steps": 0}, "0 steps"),
        ({"steps": 1001}, "1001 steps"),
        ({"guidance": -1.0}, "guidance is -1"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"eta": 1.5}, "eta is 1.5"),
        ({"scheduler": "plms"}, "'plms'"),
        ({"batch": -2}, "batch is -2"),
    ],
)
def test_a_wrong_setting_is_one_sentence(wrong, said):
    with pytest.raises(GarmentError, match=said):
        Sampling(**wrong)


def test_no_views_is_one_sentence(unet, given):
    with pytest.raises(GarmentError, match="no views"):
        sample_latents(unet, given[0][:0], given[1][:0])
    with pytest.raises(GarmentError, match="no views"):
        zero123_cameras(orbit(azimuths_deg=()))


# Which views


def test_only_the_photos_own_view_is_not_painted():
    assert painted(zero123_cameras()) == tuple(range(1, 18))
    assert painted(zero123_cameras(orbit(azimuths_deg=(0, 360, 20, 0)))) == (2,)
    assert painted(zero123_cameras(orbit(elevation_deg=10, step_deg=90))) == (0, 1, 2, 3)
    assert painted(zero123_cameras(orbit(elevation_deg=10, step_deg=90)), photo_elevation_deg=10) == (1, 2, 3)
    assert painted(zero123_cameras(orbit(radius=ZERO123_RADIUS + 0.2, step_deg=90))) == (0, 1, 2, 3)


def test_the_cameras_are_zero123s_whatever_the_orbits_pictures():
    cameras = zero123_cameras(orbit(hw=(512, 300), fov_deg=20, elevation_deg=5, azimuths_deg=(0, 45))).cameras
    assert [camera.hw for camera in cameras] == [(256, 256)] * 2
    assert cameras[0].focal_px == pytest.approx(128 / (16 / 35))
