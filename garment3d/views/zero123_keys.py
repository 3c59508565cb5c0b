"""The original Zero123 file in diffusers' words: names of its tensors, and the sizes that follow from their shapes.

An own map, since diffusers' is private, knows no CLIP of OpenAI's and puts None where a smoothed tensor is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

UNET = "model.diffusion_model."
VAE = "first_stage_model."
CLIP = "cond_stage_model.model.visual."
PROJECTION = "cc_projection."
EMA = "model_ema."

_PLAIN = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_VAE = {
    "nin_shortcut": "conv_shortcut",
    "mid.block_1": "mid_block.resnets.0",
    "mid.block_2": "mid_block.resnets.1",
    "mid.attn_1.norm": "mid_block.attentions.0.group_norm",
    "mid.attn_1.q": "mid_block.attentions.0.to_q",
    "mid.attn_1.k": "mid_block.attentions.0.to_k",
    "mid.attn_1.v": "mid_block.attentions.0.to_v",
    "mid.attn_1.proj_out": "mid_block.attentions.0.to_out.0",
    "norm_out": "conv_norm_out",
}
_CLIP = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "conv1": "vision_model.embeddings.patch_embedding",
    "ln_pre": "vision_model.pre_layrnorm",
    "ln_post": "vision_model.post_layernorm",
    "transformer.resblocks": "vision_model.encoder.layers",
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


class UNetSizes(NamedTuple):
    """What a UNet's shapes say about it, finest level first."""

    in_channels: int
    channels: tuple[int, ...]
    attention: tuple[bool, ...]
    blocks: int
    """Residual blocks per level."""
    context: int
    """Width of the tokens it attends to."""


def family(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors under `prefix` by the rest of their names; none of that prefix gives an empty dict."""
    return {key[len(prefix) :]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def smoothed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The UNet's tensors with their moving averages' values, which the file keeps under names without dots.

    A tensor whose average is missing is left out, so that a strict load names it.
    """
    averages = {key: f"{EMA}diffusion_model{key.replace('.', '')}" for key in family(tensors, UNET)}
    return {key: tensors[average] for key, average in averages.items() if average in tensors}


def unet_sizes(unet: Mapping[str, torch.Tensor]) -> UNetSizes:
    """Sizes of a UNet by its tensors in the original's names; a missing one raises KeyError."""
    levels = 1 + sum(key.endswith(".0.op.weight") for key in unet)
    rows = 1 + max((int(key.split(".")[1]) for key in unet if key.startswith("input_blocks.")), default=0)
    blocks = rows // levels - 1  # per level: its residual blocks and one more row, conv_in or the way down
    firsts = [f"input_blocks.{1 + level * (blocks + 1)}" for level in range(levels)]
    channels = tuple(unet[f"{first}.0.out_layers.3.weight"].shape[0] for first in firsts)
    attention = tuple(f"{first}.1.norm.weight" in unet for first in firsts)
    context = unet["middle_block.1.transformer_blocks.0.attn2.to_k.weight"].shape[1]
    return UNetSizes(unet["input_blocks.0.0.weight"].shape[1], channels, attention, blocks, context)


def unet_config(sizes: UNetSizes) -> dict[str, Any]:
    """Arguments of diffusers' UNet2DConditionModel."""
    down = ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in sizes.attention]
    up = ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(sizes.attention)]
    return {
        "sample_size": 32,
        "in_channels": sizes.in_channels,
        "out_channels": 4,
        "down_block_types": tuple(down),
        "up_block_types": tuple(up),
        "block_out_channels": sizes.channels,
        "layers_per_block": sizes.blocks,
        "cross_attention_dim": sizes.context,
        "attention_head_dim": 8,  # diffusers' name for the number of heads
    }


def vae_config(vae: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Arguments of diffusers' AutoencoderKL by its tensors in the original's names; a missing one raises KeyError."""
    levels = len({key.split(".")[2] for key in vae if key.startswith("encoder.down.")})
    blocks = len({key.split(".")[4] for key in vae if key.startswith("encoder.down.0.block.")})
    return {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": tuple(vae[f"encoder.down.{i}.block.0.conv1.weight"].shape[0] for i in range(levels)),
        "layers_per_block": blocks,
        "latent_channels": vae["post_quant_conv.weight"].shape[0],
        "sample_size": 256,
        "scaling_factor": 0.18215,
    }


def clip_config(clip: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Arguments of transformers' CLIPVisionConfig by OpenAI's names; a missing one raises KeyError."""
    width, _, _, patch = clip["conv1.weight"].shape
    return {
        "hidden_size": width,
        "intermediate_size": clip["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "projection_dim": clip["proj"].shape[1],
        "num_hidden_layers": len({key.split(".")[2] for key in clip if key.startswith("transformer.resblocks.")}),
        "num_attention_heads": width // 64,
        "image_size": patch * math.isqrt(clip["positional_embedding"].shape[0] - 1),
        "patch_size": patch,
        "hidden_act": "quick_gelu",
    }


def diffusers_unet(unet: Mapping[str, torch.Tensor], blocks: int) -> dict[str, torch.Tensor]:
    """The same tensors under diffusers' names; unknown names stay as they are, for a strict load to name them."""
    return {_unet_name(key, blocks): tensor for key, tensor in unet.items()}


def diffusers_vae(vae: Mapping[str, torch.Tensor], levels: int) -> dict[str, torch.Tensor]:
    """The same tensors under diffusers' names, its attention as linear layers instead of 1×1 convolutions."""
    named = {_vae_name(key, levels): tensor for key, tensor in vae.items()}
    return {
        key: tensor.flatten(1) if ".attentions.0.to_" in key and tensor.ndim == 4 else tensor
        for key, tensor in named.items()
    }


def transformers_clip(clip: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """OpenAI's visual tower under transformers' names: queries, keys and values apart, the projection transposed."""
    named = {}
    for key, tensor in clip.items():
        name = _replaced(key, _CLIP)
        if key == "proj":
            named["visual_projection.weight"] = tensor.T.contiguous()
        elif ".attn.in_proj_" in name:
            start, kind = name.split("attn.in_proj_")
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                named[f"{start}self_attn.{part}_proj.{kind}"] = rows
        else:
            named[name] = tensor
    return named


def _unet_name(key: str, blocks: int) -> str:
    for old, new in _PLAIN.items():
        if key.startswith(f"{old}."):
            return new + key[len(old) :]
    if key.startswith("middle_block."):
        _, place, rest = key.split(".", 2)
        return f"mid_block.{('resnets.0', 'attentions.0', 'resnets.1')[int(place)]}.{_replaced(rest, _RESNET)}"
    found = re.fullmatch(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)", key)
    if found is None:
        return key
    side, row, part, rest = found[1], int(found[2]), int(found[3]), found[4]
    level, place = divmod(row - (side == "input"), blocks + 1)
    up_or_down = "down" if side == "input" else "up"
    if rest.startswith(("op.", "conv.")):
        return f"{up_or_down}_blocks.{level}.{up_or_down}samplers.0.conv.{rest.split('.')[-1]}"
    return f"{up_or_down}_blocks.{level}.{('resnets', 'attentions')[part]}.{place}.{_replaced(rest, _RESNET)}"


def _vae_name(key: str, levels: int) -> str:
    name = re.sub(r"^(\w+)\.(down|up)\.(\d+)\.(block|downsample|upsample)\.", lambda m: _vae_level(m, levels), key)
    return _replaced(name, _VAE)


def _vae_level(found: re.Match[str], levels: int) -> str:
    side, way, part = found[1], found[2], found[4]
    # The original counts the decoder's levels from the finest, diffusers from the first one run.
    level = int(found[3]) if way == "down" else levels - 1 - int(found[3])
    return f"{side}.{way}_blocks.{level}.{'resnets' if part == 'block' else f'{way}samplers.0'}."


def _replaced(name: str, table: Mapping[str, str]) -> str:
    """The name with every whole dotted part that the table knows put in the new words."""
    for old, new in table.items():
        name = re.sub(rf"(^|\.){re.escape(old)}(?=\.|$)", rf"\g<1>{new}", name)
    return name
