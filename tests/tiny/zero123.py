"""Zero123 checkpoints with the official files' own keys and a fraction of their size, with random weights.

`Sizes()` is small; `OFFICIAL` gives the real shapes, to compare key lists without making the tensors.
"""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    unet: int = 32
    mult: tuple[int, ...] = (1, 1, 1, 2)
    unet_blocks: int = 1
    context: int = 64
    in_channels: int = 8
    vae: int = 32
    vae_mult: tuple[int, ...] = (1, 1, 1, 2)
    vae_blocks: int = 1
    clip: int = 128
    clip_layers: int = 2
    text: int = 32
    words: int = 50


OFFICIAL = Sizes(320, (1, 2, 4, 4), 2, 768, 8, 128, (1, 2, 4, 4), 2, 1024, 24, 768, 49408)


def write_zero123(path: Path, lightning: bool = False, ema: bool = True, sizes: Sizes = Sizes(), seed: int = 0) -> None:
    """A .ckpt (or, by its suffix, .safetensors); `lightning` adds what training left in the 15.5 GB files."""
    tensors = zero123_tensors(sizes, ema, seed)
    if Path(path).suffix == ".safetensors":
        from safetensors.torch import save_file

        return save_file(tensors, path)
    if not lightning:
        return torch.save({"state_dict": tensors}, path)
    with _lightning_pickle() as (callback, pickler):
        torch.save(_lightning_file(tensors, callback), path, pickle_module=pickler)


def write_zero123_folder(
    folder: Path,
    layout: str = "cc_projection",
    half: bool = False,
    sizes: Sizes = Sizes(),
    seed: int = 0,
) -> None:
    """The same weights as `write_zero123` with this seed as a diffusers folder.

    "cc_projection" is kxic's layout (.bin files), "clip_camera_projection" threestudio's (safetensors, and the
    smoothed UNet as a variant `fp16_ema`); `half` saves everything in float16.
    """
    tensors = zero123_tensors(sizes, True, seed)
    unet, vae, clip = (_configs(sizes)[part] for part in ("unet", "vae", "clip"))
    dtype = torch.float16 if half else torch.float32
    old = layout == "cc_projection"
    suffix, plain = ("bin", "pytorch_model") if old else ("safetensors", "model")
    parts = {
        "unet": (unet, _unet_by_diffusers(tensors, unet, False), f"diffusion_pytorch_model.{suffix}"),
        "vae": (vae, _vae_by_diffusers(tensors, vae, deprecated=True), f"diffusion_pytorch_model.{suffix}"),
        "image_encoder": (clip, _clip_by_hand(tensors, clip, position_ids=old), f"{plain}.{suffix}"),
        layout: (_projection_config(layout, sizes), _projection(tensors, layout), f"diffusion_pytorch_model.{suffix}"),
    }
    for name, (config, state, file) in parts.items():
        place = Path(folder, name)
        place.mkdir(parents=True, exist_ok=True)
        place.joinpath("config.json").write_text(json.dumps(config))
        _save({key: tensor.to(dtype) for key, tensor in state.items()}, place / file)
    if not old:
        smooth = {key: tensor.half() for key, tensor in _unet_by_diffusers(tensors, unet, True).items()}
        _save(smooth, Path(folder, "unet", "diffusion_pytorch_model.fp16_ema.safetensors"))


def zero123_tensors(sizes: Sizes, ema: bool = True, seed: int = 0) -> dict[str, torch.Tensor]:
    """The state dict, values of the size that keeps activations near one."""
    made = np.random.RandomState(seed)  # the one generator whose numbers never change
    tensors = {key: _value(key, shape, made) for key, shape in zero123_shapes(sizes).items()}
    if ema:
        for key in [key for key in tensors if key.startswith("model.diffusion_model.")]:
            moved = tensors[key] * 0.95 + 0.02 * tensors[key].roll(1, 0)
            tensors["model_ema." + key.removeprefix("model.").replace(".", "")] = moved
        tensors["model_ema.decay"] = torch.tensor(0.9999)
        tensors["model_ema.num_updates"] = torch.tensor(105000, dtype=torch.int32)
    return tensors | _schedule()


def tiny_canvas() -> np.ndarray:
    """[256,256,3] float32 of a garment-like blob on white, smooth and without a mirror axis, from a formula alone."""
    y, x = np.mgrid[0:256, 0:256].astype(np.float64) / 255 * 2 - 1
    inside = 1 / (1 + np.exp(40 * (np.hypot(x / (0.5 + 0.2 * y), y / 0.78) - 1)))
    colour = np.stack(
        [0.5 + 0.4 * np.sin(3 * x + 2 * y), 0.5 + 0.3 * np.cos(9 * y), 0.4 + 0.3 * np.sin(14 * x * y)], -1
    )
    return (colour * inside[..., None] + 1 - inside[..., None]).astype(np.float32)


def fixed_noise(seed: int, index: int, side: int = 32) -> np.ndarray:
    """[1,4,side,side] float32 unit normal: what a run with that seed starts from (0) or adds at a step."""
    return np.random.RandomState(1000 * seed + index).standard_normal((1, 4, side, side)).astype(np.float32)


def zero123_shapes(sizes: Sizes) -> Shapes:
    """Keys and shapes of everything but the EMA and the schedule."""
    parts = {
        "model.diffusion_model.": unet_shapes(sizes),
        "first_stage_model.": vae_shapes(sizes),
        "cond_stage_model.model.visual.": clip_shapes(sizes),
        "cond_stage_model.model.": _text_shapes(sizes),
        "cc_projection.": _linear("", sizes.context + 4, sizes.context),
    }
    return {prefix + key.lstrip("."): shape for prefix, part in parts.items() for key, shape in part.items()}


def unet_shapes(sizes: Sizes) -> Shapes:
    """The UNet of the LDM repository: rows of residual blocks and transformers, numbered through all levels."""
    width, last = sizes.unet, len(sizes.mult) - 1
    shapes = _linear("time_embed.0", width, 4 * width) | _linear("time_embed.2", 4 * width, 4 * width)
    shapes |= _conv("input_blocks.0.0", sizes.in_channels, width)
    now, skips, row = width, [width], 1
    for level, mult in enumerate(sizes.mult):
        for _ in range(sizes.unet_blocks):
            shapes |= _row(f"input_blocks.{row}", now, mult * width, level < last, sizes)
            now = mult * width
            skips.append(now)
            row += 1
        if level < last:
            shapes |= _conv(f"input_blocks.{row}.0.op", now, now)
            skips.append(now)
            row += 1
    shapes |= _resnet("middle_block.0", now, now, 4 * width) | _resnet("middle_block.2", now, now, 4 * width)
    shapes |= _transformer("middle_block.1", now, sizes.context)
    row = 0
    for level, mult in reversed(list(enumerate(sizes.mult))):
        for block in range(sizes.unet_blocks + 1):
            shapes |= _row(f"output_blocks.{row}", now + skips.pop(), mult * width, level < last, sizes)
            now = mult * width
            if level and block == sizes.unet_blocks:
                shapes |= _conv(f"output_blocks.{row}.{2 if level < last else 1}.conv", now, now)
            row += 1
    return shapes | _norm("out.0", width) | _conv("out.2", width, 4)


def vae_shapes(sizes: Sizes) -> Shapes:
    """The autoencoder kl-f8 of the LDM repository."""
    widths = [sizes.vae * mult for mult in sizes.vae_mult]
    shapes = _conv("encoder.conv_in", 3, widths[0]) | _conv("decoder.conv_in", 4, widths[-1])
    now = widths[0]
    for level, width in enumerate(widths):
        for block in range(sizes.vae_blocks):
            shapes |= _resnet_vae(f"encoder.down.{level}.block.{block}", now, width)
            now = width
        if level < len(widths) - 1:
            shapes |= _conv(f"encoder.down.{level}.downsample.conv", now, now)
    for level, width in reversed(list(enumerate(widths))):
        for block in range(sizes.vae_blocks + 1):
            shapes |= _resnet_vae(f"decoder.up.{level}.block.{block}", now, width)
            now = width
        if level:
            shapes |= _conv(f"decoder.up.{level}.upsample.conv", now, now)
    for side, out, first in (("encoder", 8, widths[-1]), ("decoder", 3, widths[0])):
        for block in (1, 2):
            shapes |= _resnet_vae(f"{side}.mid.block_{block}", widths[-1], widths[-1])
        shapes |= _norm(f"{side}.mid.attn_1.norm", widths[-1])
        for part in ("q", "k", "v", "proj_out"):
            shapes |= _conv(f"{side}.mid.attn_1.{part}", widths[-1], widths[-1], 1)
        shapes |= _norm(f"{side}.norm_out", first) | _conv(f"{side}.conv_out", first, out)
    return shapes | _conv("quant_conv", 8, 8, 1) | _conv("post_quant_conv", 4, 4, 1)


def clip_shapes(sizes: Sizes) -> Shapes:
    """The visual tower of OpenAI's CLIP, patch 14 at 224 px."""
    width = sizes.clip
    shapes: Shapes = {"class_embedding": (width,), "positional_embedding": (257, width), "proj": (width, sizes.context)}
    shapes["conv1.weight"] = (width, 3, 14, 14)
    shapes |= _norm("ln_pre", width) | _norm("ln_post", width)
    for layer in range(sizes.clip_layers):
        name = f"transformer.resblocks.{layer}"
        shapes |= {f"{name}.attn.in_proj_weight": (3 * width, width), f"{name}.attn.in_proj_bias": (3 * width,)}
        shapes |= _linear(f"{name}.attn.out_proj", width, width)
        shapes |= _norm(f"{name}.ln_1", width) | _norm(f"{name}.ln_2", width)
        shapes |= _linear(f"{name}.mlp.c_fc", width, 4 * width) | _linear(f"{name}.mlp.c_proj", 4 * width, width)
    return shapes


def _text_shapes(sizes: Sizes) -> Shapes:
    shapes: Shapes = {"positional_embedding": (77, sizes.text), "text_projection": (sizes.text, sizes.context)}
    shapes |= {"logit_scale": (), "token_embedding.weight": (sizes.words, sizes.text)}
    return shapes | _norm("ln_final", sizes.text)


def _row(name: str, old: int, new: int, attends: bool, sizes: Sizes) -> Shapes:
    shapes = _resnet(f"{name}.0", old, new, 4 * sizes.unet)
    return shapes | _transformer(f"{name}.1", new, sizes.context) if attends else shapes


def _resnet(name: str, old: int, new: int, time: int) -> Shapes:
    shapes = _norm(f"{name}.in_layers.0", old) | _conv(f"{name}.in_layers.2", old, new)
    shapes |= _linear(f"{name}.emb_layers.1", time, new)
    shapes |= _norm(f"{name}.out_layers.0", new) | _conv(f"{name}.out_layers.3", new, new)
    return shapes | _conv(f"{name}.skip_connection", old, new, 1) if old != new else shapes


def _resnet_vae(name: str, old: int, new: int) -> Shapes:
    shapes = _norm(f"{name}.norm1", old) | _conv(f"{name}.conv1", old, new)
    shapes |= _norm(f"{name}.norm2", new) | _conv(f"{name}.conv2", new, new)
    return shapes | _conv(f"{name}.nin_shortcut", old, new, 1) if old != new else shapes


def _transformer(name: str, width: int, context: int) -> Shapes:
    shapes = _norm(f"{name}.norm", width) | _conv(f"{name}.proj_in", width, width, 1)
    block = f"{name}.transformer_blocks.0"
    for attention, source in (("attn1", width), ("attn2", context)):
        shapes[f"{block}.{attention}.to_q.weight"] = (width, width)
        shapes |= {f"{block}.{attention}.to_{part}.weight": (width, source) for part in "kv"}
        shapes |= _linear(f"{block}.{attention}.to_out.0", width, width)
    shapes |= _linear(f"{block}.ff.net.0.proj", width, 8 * width) | _linear(f"{block}.ff.net.2", 4 * width, width)
    for norm in ("norm1", "norm2", "norm3"):
        shapes |= _norm(f"{block}.{norm}", width)
    return shapes | _conv(f"{name}.proj_out", width, width, 1)


def _linear(name: str, old: int, new: int) -> Shapes:
    return {f"{name}.weight": (new, old), f"{name}.bias": (new,)}


def _conv(name: str, old: int, new: int, kernel: int = 3) -> Shapes:
    return {f"{name}.weight": (new, old, kernel, kernel), f"{name}.bias": (new,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _value(key: str, shape: tuple[int, ...], made: np.random.RandomState) -> torch.Tensor:
    noise = torch.from_numpy(np.asarray(made.standard_normal(shape), np.float32))
    if key.endswith("bias"):
        return noise * 0.02
    if key.endswith("weight") and len(shape) == 1:
        return 1 + 0.1 * noise
    if key == "cc_projection.weight":  # as it starts training: the embedding passes, the pose is added
        return torch.eye(*shape) + 0.1 * noise
    if key.endswith("logit_scale"):
        return torch.tensor(math.log(100))
    return noise / math.sqrt(max(1, math.prod(shape[1:]))) if len(shape) > 1 else noise * 0.1


def _schedule() -> dict[str, torch.Tensor]:
    """The buffers of the noise schedule, as DDPM registers them."""
    betas = torch.linspace(0.00085**0.5, 0.0120**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
    variance = betas * (1 - before) / (1 - kept)
    buffers = {
        "betas": betas,
        "alphas_cumprod": kept,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": kept.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - kept).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - kept).log(),
        "sqrt_recip_alphas_cumprod": (1 / kept).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / kept - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - kept),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - kept),
    }
    return {key: values.float() for key, values in buffers.items()}


def _lightning_file(tensors: dict[str, torch.Tensor], callback: type) -> dict:
    trained = [value for key, value in tensors.items() if key.startswith(("model.", "cc_projection."))]
    moments = {
        i: {"step": 105000, "exp_avg": torch.zeros_like(value), "exp_avg_sq": torch.zeros_like(value)}
        for i, value in enumerate(trained)
    }
    rate = np.float64(1e-4)
    return {
        "epoch": 165,
        "global_step": 105000,
        "pytorch-lightning_version": "1.4.2",
        "state_dict": tensors,
        "callbacks": {callback: {"monitor": "val/loss", "best_model_score": torch.tensor(0.1), "dirpath": "logs"}},
        "optimizer_states": [{"state": moments, "param_groups": [{"lr": rate, "params": list(moments)}]}],
        "lr_schedulers": [{"base_lrs": [1e-4], "last_epoch": 105000, "_last_lr": [rate]}],
    }


@contextlib.contextmanager
def _lightning_pickle():
    """The callback's class under its real name, and a pickler that writes numpy's scalar under its old one."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    callback = type("ModelCheckpoint", (), {"__module__": name})
    names = {callback: f"{name}\nModelCheckpoint", np.float64(0).__reduce__()[0]: "numpy.core.multiarray\nscalar"}

    class Pickler(pickle._Pickler):
        def save_global(self, obj, name=None):
            if isinstance(obj, (type, types.BuiltinFunctionType)) and obj in names:
                self.write(pickle.GLOBAL + names[obj].encode() + b"\n")
                return self.memoize(obj)
            return super().save_global(obj, name)

        dispatch = pickle._Pickler.dispatch | {type: save_global}

    yield callback, types.SimpleNamespace(__name__="pickle", Pickler=Pickler, dump=pickle.dump)


def _configs(sizes: Sizes) -> dict[str, dict]:
    """config.json of the three networks, as diffusers and transformers wrote them in 2023."""
    levels = len(sizes.mult)
    unet = {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": "0.18.2",
        "sample_size": 32,
        "in_channels": sizes.in_channels,
        "out_channels": 4,
        "down_block_types": ["CrossAttnDownBlock2D"] * (levels - 1) + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (levels - 1),
        "block_out_channels": [sizes.unet * mult for mult in sizes.mult],
        "layers_per_block": sizes.unet_blocks,
        "cross_attention_dim": sizes.context,
        "attention_head_dim": 8,
    }
    vae = {
        "_class_name": "AutoencoderKL",
        "_diffusers_version": "0.18.2",
        "down_block_types": ["DownEncoderBlock2D"] * len(sizes.vae_mult),
        "up_block_types": ["UpDecoderBlock2D"] * len(sizes.vae_mult),
        "block_out_channels": [sizes.vae * mult for mult in sizes.vae_mult],
        "layers_per_block": sizes.vae_blocks,
        "latent_channels": 4,
        "sample_size": 256,
    }
    clip = {
        "architectures": ["CLIPVisionModelWithProjection"],
        "model_type": "clip_vision_model",
        "hidden_size": sizes.clip,
        "intermediate_size": 4 * sizes.clip,
        "projection_dim": sizes.context,
        "num_hidden_layers": sizes.clip_layers,
        "num_attention_heads": sizes.clip // 64,
        "image_size": 224,
        "patch_size": 14,
        "hidden_act": "quick_gelu",
    }
    return {"unet": unet, "vae": vae, "clip": clip}


def _unet_by_diffusers(tensors: dict, config: dict, ema: bool) -> dict[str, torch.Tensor]:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    return convert_ldm_unet_checkpoint(dict(tensors), config, extract_ema=ema)


def _vae_by_diffusers(tensors: dict, config: dict, deprecated: bool) -> dict[str, torch.Tensor]:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    state = convert_ldm_vae_checkpoint(dict(tensors), config)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}  # the names of before 0.18
    for new, name in old.items() if deprecated else ():
        state = {key.replace(f"attentions.0.{new}.", f"attentions.0.{name}."): value for key, value in state.items()}
    return state


def _clip_by_hand(tensors: dict, config: dict, position_ids: bool) -> dict[str, torch.Tensor]:
    visual = "cond_stage_model.model.visual."
    state, width = {}, config["hidden_size"]
    words = (
        ("class_embedding", "embeddings.class_embedding"),
        ("positional_embedding", "embeddings.position_embedding.weight"),
        ("conv1.weight", "embeddings.patch_embedding.weight"),
    )
    for old, new in words:
        state[f"vision_model.{new}"] = tensors[visual + old]
    kinds = ("weight", "bias")
    for kind in kinds:
        state[f"vision_model.pre_layrnorm.{kind}"] = tensors[f"{visual}ln_pre.{kind}"]
        state[f"vision_model.post_layernorm.{kind}"] = tensors[f"{visual}ln_post.{kind}"]
    pairs = {"attn.out_proj": "self_attn.out_proj", "ln_1": "layer_norm1", "ln_2": "layer_norm2"}
    pairs |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    for layer in range(config["num_hidden_layers"]):
        old, new = f"{visual}transformer.resblocks.{layer}", f"vision_model.encoder.layers.{layer}"
        for kind in kinds:
            for before, after in pairs.items():
                state[f"{new}.{after}.{kind}"] = tensors[f"{old}.{before}.{kind}"]
            joined = tensors[f"{old}.attn.in_proj_{kind}"]
            for i, part in enumerate("qkv"):
                state[f"{new}.self_attn.{part}_proj.{kind}"] = joined[i * width : (i + 1) * width].clone()
    state["visual_projection.weight"] = tensors[f"{visual}proj"].T.contiguous()
    if position_ids:
        state["vision_model.embeddings.position_ids"] = torch.arange(257)[None]
    return state


def _projection(tensors: dict, layout: str) -> dict[str, torch.Tensor]:
    name = "projection" if layout == "cc_projection" else "proj"
    return {f"{name}.{kind}": tensors[f"cc_projection.{kind}"] for kind in ("weight", "bias")}


def _projection_config(layout: str, sizes: Sizes) -> dict:
    if layout == "cc_projection":
        return {"_class_name": "CCProjection", "_diffusers_version": "0.16.0.dev0"}
    return {"_class_name": "CLIPCameraProjection", "embedding_dim": sizes.context, "additional_embeddings": 4}


def _save(state: dict[str, torch.Tensor], path: Path) -> None:
    if path.suffix == ".bin":
        return torch.save(state, path)
    from safetensors.torch import save_file

    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)


if __name__ == "__main__":
    write_zero123(Path(sys.argv[1]))
