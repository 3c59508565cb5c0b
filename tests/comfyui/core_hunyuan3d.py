"""A Hunyuan3D 2.1 checkpoint that ComfyUI's own loader takes for one; its shape decoder draws a lumpy T-shirt.

Core insists on the whole shape decoder: its tensors are windows onto a few numbers. The last layers are set by hand,
so that whatever the rest computes the surface is one closed, shirt-like lump. In the place of the official DINOv2-large
stands a CLIP ViT-L, which core reads from there as well and which is as wide, at a fifth of the work.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.comfyui.core_zero123 import SIZES, windows
from tests.tiny.zero123 import Shapes, clip_shapes

WIDTH, EYE, HIDDEN, EXPERTS, DEPTH = 1024, 1024, 64, 8, 2
"""Of the shape decoder, the image encoder, and the small denoiser."""
FREQUENCIES = 2.0 ** np.arange(8)
USED = 5
"""Frequencies the surface is made of; higher ones would be finer than the grid."""
STEADY = 10.0
"""Two constant channels this large keep the last norm from changing the field's sign or order."""
LEVEL = 0.6
"""Where ComfyUI's Voxel to Mesh cuts by default."""


def write_core_hunyuan3d(path: Path) -> None:
    """Writes the three parts under the names that the repackaged official file has."""
    parts = {
        "model.": _denoiser(),
        "vae.": _decoder(),
        "conditioner.main_image_encoder.model.": clip_shapes(SIZES),
    }
    tensors = windows({prefix + key: shape for prefix, part in parts.items() for key, shape in part.items()})
    torch.save(tensors | {f"vae.geo_decoder.{key}": value for key, value in _surface().items()}, path)


def _denoiser() -> Shapes:
    shapes = {
        "x_embedder": (HIDDEN, 64),
        "t_embedder.mlp.0": (4 * HIDDEN, HIDDEN),
        "t_embedder.mlp.2": (HIDDEN, 4 * HIDDEN),
        "final_layer.norm_final": (HIDDEN,),
        "final_layer.linear": (64, HIDDEN),
    }
    bare = {}
    for i in range(DEPTH):
        block = f"blocks.{i}."
        shapes |= {f"{block}norm{n}": (HIDDEN,) for n in (1, 2, 3)}
        for name, seen in (("attn1", HIDDEN), ("attn2", EYE)):
            bare |= {f"{block}{name}.to_{k}.weight": (HIDDEN, HIDDEN if k == "q" else seen) for k in "qkv"}
            bare |= {f"{block}{name}.{k}_norm.weight": (HIDDEN // 16,) for k in "qk"}
            shapes[f"{block}{name}.out_proj"] = (HIDDEN, HIDDEN)
        bare[f"{block}moe.gate.weight"] = (EXPERTS, HIDDEN)
        for net in (*(f"experts.{e}" for e in range(EXPERTS)), "shared_experts"):
            shapes[f"{block}moe.{net}.net.0.proj"] = (4 * HIDDEN, HIDDEN)
            shapes[f"{block}moe.{net}.net.2"] = (HIDDEN, 4 * HIDDEN)
    return bare | _with_biases(shapes)


def _decoder() -> Shapes:
    shapes = {"post_kl": (WIDTH, 64)}
    bare = {}
    for block in [f"transformer.resblocks.{i}." for i in range(16)]:
        bare |= {f"{block}attn.c_qkv.weight": (3 * WIDTH, WIDTH)}
        shapes |= {f"{block}ln_{n}": (WIDTH,) for n in (1, 2)} | _attention(block)
    block = "geo_decoder.cross_attn_decoder."
    bare |= {f"{block}attn.c_q.weight": (WIDTH, WIDTH), f"{block}attn.c_kv.weight": (2 * WIDTH, WIDTH)}
    shapes |= {f"{block}ln_{n}": (WIDTH,) for n in (1, 2, 3)} | _attention(block)
    return bare | _with_biases(shapes)


def _attention(block: str) -> Shapes:
    return {
        f"{block}attn.c_proj": (WIDTH, WIDTH),
        f"{block}attn.attention.q_norm": (64,),
        f"{block}attn.attention.k_norm": (64,),
        f"{block}mlp.c_fc": (4 * WIDTH, WIDTH),
        f"{block}mlp.c_proj": (WIDTH, 4 * WIDTH),
    }


def _with_biases(shapes: Shapes) -> Shapes:
    both = {f"{key}.weight": shape for key, shape in shapes.items()}
    return both | {f"{key}.bias": shape[:1] for key, shape in shapes.items()}


def _surface() -> dict[str, torch.Tensor]:
    """The point decoder's tensors by hand: nothing of the latents comes through, the field of `_shirt` does."""
    field, offset = _shirt()
    query, level = torch.zeros(WIDTH, 51), torch.zeros(WIDTH)
    query[0], query[1] = torch.from_numpy(field), -torch.from_numpy(field)
    level[:4] = torch.tensor([offset, -offset, STEADY, -STEADY])
    out = torch.zeros(1, WIDTH)
    out[0, 0] = 0.1
    silent = {f"cross_attn_decoder.{name}.c_proj.bias": torch.zeros(WIDTH) for name in ("attn", "mlp")}
    silent["cross_attn_decoder.attn.c_proj.weight"] = torch.zeros(1, 1).expand(WIDTH, WIDTH)
    silent["cross_attn_decoder.mlp.c_proj.weight"] = torch.zeros(1, 1).expand(WIDTH, 4 * WIDTH)
    return silent | {
        "query_proj.weight": query,
        "query_proj.bias": level,
        "ln_post.weight": torch.ones(WIDTH),
        "ln_post.bias": torch.zeros(WIDTH),
        "output_proj.weight": out,
        "output_proj.bias": torch.tensor([LEVEL]),
    }


def _shirt() -> tuple[np.ndarray, float]:
    """[51] weights of the position's Fourier features and an offset: above 0 in a shirt with sleeves, else below."""
    at = np.linspace(-1.01, 1.01, 203)
    across = np.select([abs(at) < 0.45, abs(at) < 0.85], [0.5, -0.5], -2.5)
    up = np.select([abs(at) > 0.9, at > 0.3], [-2.5, 1.0], 0.0)
    deep = np.maximum(-2 * (at / 0.35) ** 2, -4.0)
    field, offset = np.zeros(51, np.float32), 0.0
    features = np.concatenate([at[None], np.sin(at * FREQUENCIES[:USED, None]), np.cos(at * FREQUENCIES[:USED, None])])
    basis = np.concatenate([np.ones((1, len(at))), features]).T
    for axis, wanted in ((0, across), (1, up), (2, deep)):
        own = np.linalg.lstsq(basis.T @ basis + 0.05 * np.eye(basis.shape[1]), basis.T @ wanted, rcond=None)[0]
        offset += float(own[0])
        field[axis] = own[1]
        field[3 + 8 * axis :][:USED] = own[2 : 2 + USED]
        field[27 + 8 * axis :][:USED] = own[2 + USED :]
    return field, offset
