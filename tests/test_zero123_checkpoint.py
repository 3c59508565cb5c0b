"""Every official layout of Zero123 gives the same networks, and every other file one sentence."""

import json
import math
import os
import pickle
import shutil

import numpy as np
import pytest
import torch

from garment3d.checkpoint import fill
from garment3d.errors import MissingWeights, WeightsError
from garment3d.views import zero123_keys as names
from garment3d.views.zero123_checkpoint import load_zero123
from garment3d.views.zero123_condition import conditioned, encode_photo, zero123_canvas
from garment3d.views.zero123_pose import pose_vectors

from .tiny.zero123 import (
    OFFICIAL,
    Sizes,
    tiny_canvas,
    write_zero123,
    write_zero123_folder,
    zero123_shapes,
    zero123_tensors,
)

NETWORKS = ("unet", "vae", "image_encoder", "projection")
COUNTS = {  # tensors and parameters of the official files
    "model.diffusion_model.": (686, 859_532_484),
    "first_stage_model.": (248, 83_653_863),
    "cond_stage_model.model.visual.": (296, 303_966_208),
    "cc_projection.": (2, 593_664),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zero123")
    write_zero123(folder / "105000.ckpt")
    write_zero123(folder / "lightning.ckpt", lightning=True)
    write_zero123(folder / "stable_zero123.safetensors")
    write_zero123(folder / "pruned.ckpt", ema=False)
    write_zero123_folder(folder / "kxic", "cc_projection")
    write_zero123_folder(folder / "threestudio", "clip_camera_projection")
    write_zero123_folder(folder / "half", "clip_camera_projection", half=True)
    return folder


@pytest.fixture(scope="module")
def plain(place):
    return load_zero123(place / "105000.ckpt", ema=False)


def assert_same(one, other, networks=NETWORKS, within=0.0):
    for network in networks:
        ours, theirs = getattr(one, network).state_dict(), getattr(other, network).state_dict()
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert float((ours[key].float() - theirs[key].float()).abs().max()) <= within, (network, key)


def refused(path, **how):
    with pytest.raises(WeightsError) as caught:
        load_zero123(path, **how)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and path.name in sentence
    return sentence


def changed(path, **how):
    """A file whose tensors are those of the official layout but for some: None takes one away."""
    tensors = zero123_tensors(how.pop("sizes", Sizes()))
    for key, value in how.items():
        key = next(name for name in tensors if name.replace(".", "_") == key)
        tensors.pop(key) if value is None else tensors.update({key: value})
    torch.save({"state_dict": tensors}, path)
    return path


def test_the_tiny_layout_is_the_official_one_at_another_size():
    shapes = zero123_shapes(OFFICIAL)
    for prefix, (tensors, parameters) in COUNTS.items():
        sizes = [math.prod(shape) for key, shape in shapes.items() if key.startswith(prefix)]
        assert (len(sizes), sum(sizes)) == (tensors, parameters)


def test_the_official_sizes_give_the_official_networks():
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    tensors = {key: torch.empty(shape, device="meta") for key, shape in zero123_shapes(OFFICIAL).items()}
    unet, vae, clip = (names.family(tensors, prefix) for prefix in (names.UNET, names.VAE, names.CLIP))
    sizes = names.unet_sizes(unet)
    assert sizes == (8, (320, 640, 1280, 1280), (True, True, True, False), 2, 768)
    eyes = names.clip_config(clip)
    assert (eyes["num_attention_heads"], eyes["image_size"], eyes["projection_dim"]) == (16, 224, 768)
    with torch.device("meta"):
        built = (
            UNet2DConditionModel(**names.unet_config(sizes)),
            AutoencoderKL(**names.vae_config(vae)),
            CLIPVisionModelWithProjection(CLIPVisionConfig(**eyes)),
        )
    fill(built[0], names.diffusers_unet(unet, sizes.blocks), "the UNet")
    fill(built[1], names.diffusers_vae(vae, 4), "the VAE")
    fill(built[2], names.transformers_clip(clip), "the image encoder")
    assert len(built[2].state_dict()) == 392


def test_every_official_tensor_gets_the_place_that_diffusers_own_converter_gives_it():
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    tensors = {key: torch.full((), i) for i, key in enumerate(zero123_shapes(OFFICIAL))}
    shaped = {key: torch.empty(shape, device="meta") for key, shape in zero123_shapes(OFFICIAL).items()}
    theirs = convert_ldm_unet_checkpoint(
        dict(tensors), names.unet_config(names.unet_sizes(names.family(shaped, names.UNET)))
    )
    assert names.diffusers_unet(names.family(tensors, names.UNET), 2) == theirs
    for key in [key for key in tensors if ".attn_1." in key]:
        tensors[key] = tensors[key].expand(1, 1, 1, 1)  # what their converter squeezes
    theirs = convert_ldm_vae_checkpoint(dict(tensors), names.vae_config(names.family(shaped, names.VAE)))
    ours = names.diffusers_vae(names.family(tensors, names.VAE), 4)
    assert {key: int(value) for key, value in ours.items()} == {key: int(value) for key, value in theirs.items()}


@pytest.mark.parametrize("file", ["lightning.ckpt", "stable_zero123.safetensors"])
def test_the_long_file_and_safetensors_hold_the_same_networks(place, file):
    assert_same(load_zero123(place / "105000.ckpt"), load_zero123(place / file))


@pytest.mark.parametrize("folder", ["kxic", "threestudio"])
def test_both_diffusers_layouts_hold_the_same_networks(place, plain, folder):
    loaded = load_zero123(place / folder, ema=False)
    assert_same(loaded, plain)
    assert not loaded.ema


def test_the_smoothed_unet_is_the_default(place, plain):
    smooth = load_zero123(place / "105000.ckpt")
    tensors = torch.load(place / "105000.ckpt", weights_only=True)["state_dict"]
    assert smooth.ema and not plain.ema
    for model, key in ((smooth, "model_ema.diffusion_modelout2weight"), (plain, "model.diffusion_model.out.2.weight")):
        assert torch.equal(model.unet.conv_out.weight, tensors[key])
    assert_same(smooth, plain, NETWORKS[1:])


def test_a_folders_smoothed_variant_is_taken_where_there_is_one(place):
    smooth = load_zero123(place / "threestudio")
    assert smooth.ema and smooth.unet.dtype == torch.float16 and smooth.vae.dtype == torch.float32
    assert_same(smooth, load_zero123(place / "105000.ckpt"), within=1e-3)
    assert not load_zero123(place / "kxic").ema


def test_of_two_precisions_in_a_folder_the_full_one_is_taken(place, tmp_path):
    folder = shutil.copytree(place / "threestudio", tmp_path / "both")
    for part, file in (("vae", "diffusion_pytorch_model"), ("image_encoder", "model")):
        shutil.copy(place / "half" / part / f"{file}.safetensors", folder / part / f"{file}.fp16.safetensors")
    loaded = load_zero123(folder)
    assert loaded.vae.dtype == loaded.image_encoder.dtype == torch.float32


def test_without_smoothed_weights_the_plain_ones_are_taken_and_it_says_so(place, plain):
    loaded = load_zero123(place / "pruned.ckpt")
    assert not loaded.ema
    assert_same(loaded, plain)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("stable_zero123_c.ckpt", "stable"),
        ("models--kxic--stable-zero123/snapshots/1f2e", "stable"),
        ("models--kxic--zero123-xl/snapshots/1f2e", "zero123"),
        ("stable-diffusion/zero123-xl.ckpt", "zero123"),
    ],
)
def test_the_family_is_told_by_the_models_own_name(place, tmp_path, name, family):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    source = place / ("105000.ckpt" if path.suffix else "kxic")
    (shutil.copytree if source.is_dir() else shutil.copy)(source, path)
    assert load_zero123(path).family == family
    assert load_zero123(path, family="stable").family == "stable"


def test_networks_stand_on_the_files_own_pages_ready_for_inference(place):
    loaded = load_zero123(place / "lightning.ckpt")
    for network in NETWORKS:
        module = getattr(loaded, network)
        assert not module.training
        tensors = [*module.parameters(), *module.buffers()]
        assert not any(tensor.requires_grad or tensor.is_meta for tensor in tensors)
    mapped = loaded.unet.conv_in.weight.untyped_storage().data_ptr()
    with open("/proc/self/maps") if os.path.exists("/proc/self/maps") else pytest.skip("no /proc here") as maps:
        lines = [line for line in maps if line.rstrip().endswith("lightning.ckpt")]
    spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    assert any(start <= mapped < end for start, end in spans)


def dtypes(model):
    return {parameter.dtype for network in NETWORKS for parameter in getattr(model, network).parameters()}


def test_half_precision_stays_unless_another_is_asked_for(place, plain):
    half, full = load_zero123(place / "half", ema=False), load_zero123(place / "half", ema=False, dtype=torch.float32)
    assert dtypes(half) == {torch.float16} and dtypes(full) == {torch.float32}
    assert_same(full, half)
    assert_same(full, plain, within=2e-3)


def test_half_precision_conditions_a_view(place, plain):
    """bfloat16, which processors compute quickly."""
    half = load_zero123(place / "half", ema=False, dtype=torch.bfloat16)
    ours, theirs = encode_photo(half, tiny_canvas()), encode_photo(plain, tiny_canvas())
    assert ours.embed.dtype == ours.latent.dtype == torch.float32
    for near, whole in ((ours.embed, theirs.embed), (ours.latent, theirs.latent)):
        assert 0 < float((near - whole).norm() / whole.norm()) < 0.04
    tokens, latents = conditioned(half, ours, pose_vectors("zero123", [0, 20], 0))
    assert tokens.shape == (2, 1, 64) and latents.shape == (2, 4, 32, 32) and tokens.dtype == torch.bfloat16


def test_a_network_saved_in_two_precisions_runs_in_the_finer_one(place, plain, tmp_path):
    tensors = torch.load(place / "pruned.ckpt", weights_only=True)["state_dict"]
    halved = {key: value.half() if ".attn." in key and ".visual." in key else value for key, value in tensors.items()}
    torch.save({"state_dict": halved}, tmp_path / "a.ckpt")
    assert_same(load_zero123(tmp_path / "a.ckpt"), plain, ["image_encoder"], within=1e-3)
    assert {value.dtype for value in load_zero123(tmp_path / "a.ckpt").image_encoder.parameters()} == {torch.float32}


def test_the_canvas_is_white_with_the_garment_on_200_of_256_pixels():
    rgb, soft = np.zeros((300, 200, 3), np.uint8), np.zeros((300, 200), np.float32)
    soft[20:270, 50:150] = 1
    canvas = zero123_canvas(rgb, soft)
    dark = np.flatnonzero((canvas < 0.5).all((1, 2)) | (canvas < 0.5).any((1, 2)))
    assert canvas.shape == (256, 256, 3) and canvas.dtype == np.float32
    assert (dark[0], dark[-1]) == (28, 227)
    assert np.all(canvas[:20] == 1)


def test_stable_diffusion_is_told_apart(tmp_path):
    path = changed(
        tmp_path / "v1-5.ckpt", sizes=Sizes(in_channels=4), cc_projection_weight=None, cc_projection_bias=None
    )
    assert "takes 4 channels and Zero123's takes 8" in refused(path)


def test_a_triposr_file_is_told_apart(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save({"tokenizer.embeddings": torch.ones(3, 8, 4, 4), "post_processor.upsample.weight": torch.ones(2)}, path)
    sentence = refused(path)
    assert "TripoSR" in sentence and "Zero123" in sentence


def test_a_file_without_the_projection_is_told_apart(tmp_path):
    assert "lacks cc_projection.weight" in refused(changed(tmp_path / "a.ckpt", cc_projection_weight=None))


def test_a_file_saved_without_a_whole_network_says_which(tmp_path):
    tensors = zero123_tensors(Sizes())
    torch.save({key: value for key, value in tensors.items() if not key.startswith("first_stage")}, tmp_path / "a.ckpt")
    assert "without its VAE (first_stage_model.*)" in refused(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("cc_projection_weight", torch.ones(64, 64), "weight is 64×64 instead of 64×68"),
        (
            "model_diffusion_model_time_embed_0_weight",
            None,
            r"1 of 440 tensors missing \(time_embedding.linear_1.weight\)",
        ),
        ("model_ema_diffusion_modelinput_blocks10in_layers2weight", None, "1 of .* missing .*resnets.0.conv1.weight"),
        ("first_stage_model_decoder_mid_attn_1_q_weight", None, "1 of .* missing .*to_q.weight"),
        ("first_stage_model_post_quant_conv_weight", None, "post_quant_conv.weight"),
        ("cond_stage_model_model_visual_ln_post_bias", torch.ones(7), "post_layernorm.bias is 7 instead of 128"),
        ("model_diffusion_model_middle_block_1_transformer_blocks_0_attn2_to_k_weight", None, "attn2.to_k.weight"),
    ],
)
def test_missing_and_misshapen_tensors_are_named(tmp_path, key, value, told):
    import re

    assert re.search(told, refused(changed(tmp_path / "a.ckpt", **{key: value})))


def test_a_missing_file_is_missing_weights(tmp_path):
    with pytest.raises(MissingWeights):
        load_zero123(tmp_path / "105000.ckpt")


def test_a_folder_says_what_it_lacks(place, tmp_path):
    folder = tmp_path / "kxic"
    shutil.copytree(place / "kxic", folder)
    (folder / "unet" / "config.json").write_text(json.dumps({"in_channels": 4}))
    assert "unet is a UNet of 4 input channels and Zero123's has 8" in refused(folder)
    (folder / "unet" / "config.json").unlink()
    assert "config.json is missing" in refused(folder)
    (folder / "vae" / "diffusion_pytorch_model.bin").unlink()
    assert "vae holds no weights" in refused(folder)
    shutil.rmtree(folder / "cc_projection")
    assert "no cc_projection or clip_camera_projection;" in refused(folder)


def test_nothing_in_a_folders_pickle_runs(place, tmp_path):
    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    folder = tmp_path / "kxic"
    shutil.copytree(place / "kxic", folder)
    (folder / "cc_projection" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps({"a": Runs()}, 2))
    with pytest.raises(WeightsError, match="nothing in it was run"):
        load_zero123(folder)
    assert not (tmp_path / "ran").exists()
