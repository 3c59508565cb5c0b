"""What the authors' own code did with the tiny checkpoints (fixtures/make_zero123.py), and the same through ours."""

import math
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from garment3d.views.zero123 import decode_latents
from garment3d.views.zero123_checkpoint import load_zero123
from garment3d.views.zero123_condition import clip_pixels, conditioned, encode_photo
from garment3d.views.zero123_pose import pose_vectors
from garment3d.views.zero123_sampler import Sampling, ddim_timesteps, sample_latents

from .tiny.zero123 import fixed_noise, tiny_canvas, write_zero123

with np.load(Path(__file__).parent / "fixtures" / "zero123.npz") as held:
    TRUTH = dict(held)
RUNS = {
    "original": ("zero123", 0, dict(azimuths_deg=[40], elevation_deg=20, radius_offset=0.1), Sampling(11, eta=1.0)),
    "xl": ("zero123", 1, dict(azimuths_deg=[-120], elevation_deg=0), Sampling(10, eta=0.0)),
    "stable": ("stable", 2, dict(azimuths_deg=[75], elevation_deg=15, photo_elevation_deg=5), Sampling(11, eta=1.0)),
    "unguided": ("zero123", 0, dict(azimuths_deg=[180], elevation_deg=0), Sampling(10, eta=1.0, guidance=1.0)),
}
"""The same runs as RUNS of the script, in this library's words: elevations go up, where theirs go down."""


def truth(name, what):
    return torch.from_numpy(TRUTH[f"{name}_{what}"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zero123")

    @cache
    def made(name):
        family, seed = RUNS[name][:2]
        path = folder / f"{family}-{seed}.ckpt"
        write_zero123(path, lightning=seed == 1, seed=seed)
        return load_zero123(path, family=family)

    return made


@cache
def signed():
    return torch.from_numpy(tiny_canvas()).permute(2, 0, 1)[None] * 2 - 1


def conditions(model, name):
    family, _, pose, _ = RUNS[name]
    condition = encode_photo(model, tiny_canvas())
    return condition, *conditioned(model, condition, pose_vectors(family, **pose))


def close(ours, theirs, within):
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= within


@pytest.mark.parametrize("name", RUNS)
def test_the_pose_vector_is_the_one_their_demo_makes(name):
    family, _, pose, _ = RUNS[name]
    close(pose_vectors(family, **pose)[0], truth(name, "pose"), 1e-6)


def test_clip_sees_the_pixels_of_their_preprocessing():
    pixels = clip_pixels(signed())[0]
    edges = [pixels[:, 0], pixels[:, 111], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    close(pixels[:, ::9, ::9], truth("original", "clip_pixels"), 1e-5)
    close(torch.stack(edges), truth("original", "clip_edges"), 1e-5)


@pytest.mark.parametrize("name", RUNS)
def test_the_condition_is_theirs(name, model):
    condition, tokens, latents = conditions(model(name), name)
    close(condition.embed, truth(name, "embed"), 1e-4)
    close(tokens, truth(name, "tokens"), 1e-4)
    given = truth(name, "concat")[-1:]  # after the unconditional half, where there is one
    close(condition.latent, given, 1e-4)
    close(latents, given, 1e-4)


@pytest.mark.parametrize("name", [name for name in RUNS if name != "unguided"])
def test_unconditional_is_zeros_after_the_projection_and_comes_first(name, model):
    assert not truth(name, "concat")[0].any() and not truth(name, "crossattn")[0].any()
    seen = []
    hook = model(name).unet.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
    )
    try:
        _, tokens, latents = conditions(model(name), name)
        sample_latents(model(name).unet, tokens, latents, Sampling(2), noise=lambda *_: torch.zeros(1, 4, 32, 32))
    finally:
        hook.remove()
    (sample, *_), kwargs = seen[0]
    close(kwargs["encoder_hidden_states"], truth(name, "crossattn"), 1e-4)
    close(sample[:, 4:], truth(name, "concat"), 1e-4)


@pytest.mark.parametrize("name", RUNS)
def test_the_networks_guess_the_same_noise(name, model):
    _, seed, _, _ = RUNS[name]
    concat, tokens = truth(name, "concat"), truth(name, "crossattn")
    sample = torch.cat([torch.from_numpy(fixed_noise(seed, 0)).expand(len(concat), -1, -1, -1), concat], 1)
    with torch.no_grad():
        guess = model(name).unet(sample, truth(name, "times"), encoder_hidden_states=tokens).sample
    close(guess, truth(name, "eps"), 1e-4)


@pytest.mark.parametrize("name", RUNS)
def test_the_ddim_trajectory_is_theirs(name, model):
    _, seed, _, sampling = RUNS[name]
    assert ddim_timesteps(sampling.steps).tolist() == truth(name, "timesteps").tolist()
    _, tokens, latents = conditions(model(name), name)
    cleans = []
    final = sample_latents(
        model(name).unet,
        tokens,
        latents,
        sampling,
        noise=lambda index, _: torch.from_numpy(fixed_noise(seed, index)),
        preview=cleans.append,
    )
    assert len(cleans) == len(truth(name, "timesteps"))
    close(torch.cat([cleans[0], cleans[len(cleans) // 2]]), truth(name, "clean"), 1e-3)
    close(final, truth(name, "latents"), 1e-3)
    picture = decode_latents(model(name).vae, final)
    close(picture[0, ::8, ::8], truth(name, "picture"), 1e-3)


def test_the_runs_differ_and_stay_finite():
    finals = torch.cat([truth(name, "latents") for name in RUNS])
    assert bool(finals.isfinite().all())
    assert all(math.dist(a.flatten(), b.flatten()) > 1 for a, b in combinations(finals, 2))
