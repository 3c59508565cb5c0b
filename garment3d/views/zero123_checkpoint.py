"""Zero123 from its official files: the authors' .ckpt, safetensors of it, or a diffusers-format folder.

Networks are built without memory and take the file's own mapped tensors, so that only what is used is ever read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from ..checkpoint import demand, fill, read_tensors
from ..errors import MissingWeights, WeightsError
from . import zero123_keys as names
from .zero123_pose import Family

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPVisionModelWithProjection

PROJECTIONS = {"cc_projection": "projection", "clip_camera_projection": "proj"}
"""The folder that a diffusers layout keeps the projection in, and its tensors' name there."""
_OFFICIAL = "take an official file: 105000.ckpt, zero123-xl.ckpt or stable_zero123.ckpt"
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""How the VAE's attention was called before diffusers 0.18, when most such folders were written."""


@dataclass(frozen=True, eq=False)
class Zero123:
    """The four networks of a Zero123 model, for inference."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    image_encoder: CLIPVisionModelWithProjection
    projection: torch.nn.Linear
    """[embedding, pose] to the one token that the UNet attends to."""
    family: Family
    ema: bool = False
    """Whether the UNet has the smoothed weights, with which the authors sample."""


def load_zero123(
    path: Path, ema: bool = True, family: Family | Literal["auto"] = "auto", dtype: torch.dtype | None = None
) -> Zero123:
    """The model of a .ckpt, a .safetensors or a diffusers folder, on the CPU in the file's precision or in `dtype`.

    Without smoothed weights in the file `ema` gives the plain ones, and says so in the result. "auto" takes a file
    for Stable Zero123 by its name, since nothing in the file tells. To run on a CPU give float32: half precision is
    some ten times slower there. Anything but a whole Zero123 raises WeightsError.

    Source: github.com/cvlab-columbia/zero123.
    """
    path = Path(path)
    kind = _family_by_name(path) if family == "auto" else family
    model = _from_folder(path, ema, kind) if path.is_dir() else _from_file(path, ema, kind)
    if dtype is not None:
        for network in (model.unet, model.vae, model.image_encoder, model.projection):
            torch.nn.Module.to(network, dtype)  # diffusers' own `to` warns of layers to keep, where it keeps none
    return model


def _family_by_name(path: Path) -> Family:
    # In the Hugging Face cache the folder is a hash: …/models--kxic--stable-zero123/snapshots/<hash>.
    name = path.parent.parent.name if path.parent.name == "snapshots" else path.name
    return "stable" if "stable" in name.lower() else "zero123"


def _from_file(path: Path, ema: bool, family: Family) -> Zero123:
    tensors = read_tensors(path)
    plain, vae, clip, linear = (
        names.family(tensors, prefix) for prefix in (names.UNET, names.VAE, names.CLIP, names.PROJECTION)
    )
    _check_original(tensors, plain, path)
    ema = ema and any(key.startswith(f"{names.EMA}diffusion_model") for key in tensors)
    try:
        sizes = names.unet_sizes(plain)
        networks = (names.unet_config(sizes), names.vae_config(vae), names.clip_config(clip))
    except KeyError as error:
        raise WeightsError(f"{path.name} lacks the tensor {error.args[0]} of Zero123; {_OFFICIAL}.") from error
    except (IndexError, ValueError) as error:
        raise WeightsError(f"{path.name} has tensors of shapes that no Zero123 has ({error}); {_OFFICIAL}.") from error
    unet = names.smoothed(tensors) if ema else plain
    vae_levels = len(networks[1]["block_out_channels"])
    return Zero123(
        _unet(networks[0], names.diffusers_unet(unet, sizes.blocks), f"The UNet of {path.name}"),
        _vae(networks[1], names.diffusers_vae(vae, vae_levels), f"The VAE of {path.name}"),
        _image_encoder(networks[2], names.transformers_clip(clip), f"The image encoder of {path.name}"),
        _projection(linear, sizes.context, f"The pose projection of {path.name}"),
        family,
        ema,
    )


def _check_original(tensors: Mapping[str, torch.Tensor], unet: Mapping[str, torch.Tensor], path: Path) -> None:
    """WeightsError for a relative that diffuses from the same keys, or for another model altogether."""
    first = unet.get("input_blocks.0.0.weight")
    if first is not None and first.shape[1] != 8:
        raise WeightsError(
            f"{path.name} is a Stable Diffusion file, not Zero123: its UNet takes {first.shape[1]} channels and "
            f"Zero123's takes 8; {_OFFICIAL}."
        )
    if first is not None and f"{names.PROJECTION}weight" not in tensors:
        raise WeightsError(
            f"{path.name} lacks cc_projection.weight, which tells Zero123 the camera's pose (a file saved without it "
            f"can't turn the garment); {_OFFICIAL}."
        )
    demand(tensors, "zero123", path)
    parts = {"UNet": names.UNET, "VAE": names.VAE, "image encoder": names.CLIP}
    absent = [f"{part} ({prefix}*)" for part, prefix in parts.items() if not names.family(tensors, prefix)]
    if absent:
        raise WeightsError(f"{path.name} was saved without its {' and '.join(absent)}; {_OFFICIAL}.")


def _from_folder(folder: Path, ema: bool, family: Family) -> Zero123:
    place = next((name for name in PROJECTIONS if (folder / name).is_dir()), None)
    absent = [name for name in ("unet", "vae", "image_encoder") if not (folder / name).is_dir()]
    absent += [] if place else [" or ".join(PROJECTIONS)]
    if place is None or absent:
        raise WeightsError(
            f"{folder} is no Zero123 folder: it has no {' and no '.join(absent)}; give the folder that holds unet, "
            "vae, image_encoder and cc_projection or clip_camera_projection."
        )
    files = {name: _weights_file(folder / name, ema) for name in ("unet", "vae", "image_encoder", place)}
    configs = {name: _config(folder / name) for name in ("unet", "vae", "image_encoder")}
    if configs["unet"].get("in_channels") != 8:
        raise WeightsError(
            f"{folder / 'unet'} is a UNet of {configs['unet'].get('in_channels')} input channels and Zero123's has 8; "
            "choose a Zero123 folder."
        )
    linear = {key.removeprefix(f"{PROJECTIONS[place]}."): value for key, value in read_tensors(files[place]).items()}
    clip = read_tensors(files["image_encoder"])
    clip = {key: value for key, value in clip.items() if not key.endswith(".position_ids")}  # a mere count
    context = int(configs["unet"].get("cross_attention_dim", 768))
    return Zero123(
        _unet(configs["unet"], read_tensors(files["unet"]), str(files["unet"])),
        _vae(configs["vae"], _new_attention(read_tensors(files["vae"])), str(files["vae"])),
        _image_encoder(configs["image_encoder"], clip, str(files["image_encoder"])),
        _projection(linear, context, str(files[place])),
        family,
        "ema" in _variant(files["unet"]),
    )


def _weights_file(folder: Path, ema: bool) -> Path:
    """The whole weights in a model's folder: smoothed where wanted, then full precision, then safetensors first."""
    starts = ("diffusion_pytorch_model", "pytorch_model", "model")
    found = [
        file
        for file in folder.glob("*.*")
        if file.suffix in (".safetensors", ".bin") and file.name.split(".")[0] in starts
    ]
    if not found:
        raise MissingWeights(f"{folder} holds no weights: diffusion_pytorch_model or model .safetensors or .bin.")
    return min(found, key=lambda file: _rank(file, ema))


def _rank(file: Path, ema: bool) -> tuple[bool, bool, bool, str]:
    variant = _variant(file)
    return ("ema" in variant) != ema, "fp16" in variant, file.suffix == ".bin", file.name


def _variant(file: Path) -> tuple[str, ...]:
    """("fp16", "ema") of diffusion_pytorch_model.fp16_ema.safetensors; "non_ema" is the plain one, ()."""
    return tuple(file.stem.partition(".")[2].replace("non_ema", "").split("_"))


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingWeights(f"{file} is missing, and without it the weights beside it can't be read.") from error
    except ValueError as error:
        raise WeightsError(f"{file} is no JSON ({error}); download it again.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{file} holds no settings but a {type(config).__name__}; download it again.")
    return config


def _new_attention(vae: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors, their attention under its present names."""
    renamed = dict(vae)
    for old, new in _OLD_ATTENTION.items():
        renamed = {key.replace(f".attentions.0.{old}.", f".attentions.0.{new}."): t for key, t in renamed.items()}
    return {key: t.flatten(1) if ".attentions.0.to_" in key and t.ndim == 4 else t for key, t in renamed.items()}


def _unet(config: dict[str, Any], tensors: Mapping[str, torch.Tensor], what: str) -> UNet2DConditionModel:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return _built(lambda: UNet2DConditionModel.from_config(config), tensors, what)


def _vae(config: dict[str, Any], tensors: Mapping[str, torch.Tensor], what: str) -> AutoencoderKL:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return _built(lambda: AutoencoderKL.from_config(config), tensors, what)


def _image_encoder(
    config: dict[str, Any], tensors: Mapping[str, torch.Tensor], what: str
) -> CLIPVisionModelWithProjection:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return _built(lambda: CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(config)), tensors, what)


def _projection(tensors: Mapping[str, torch.Tensor], context: int, what: str) -> torch.nn.Linear:
    return _built(lambda: torch.nn.Linear(context + 4, context), tensors, what)


def _built(build: Callable[[], Any], tensors: Mapping[str, torch.Tensor], what: str) -> Any:
    """The module on the tensors themselves: nothing is initialised and nothing copied."""
    try:
        with torch.device("meta"):
            module = build()
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise WeightsError(f"{what} has settings that give no network ({error}); download it again.") from error
    fill(module, tensors, what)
    for name, buffer in list(module.named_buffers()):
        if buffer.is_meta:  # CLIP counts its positions in a buffer that no file keeps
            owner = module.get_submodule(name.rpartition(".")[0])
            setattr(owner, name.rpartition(".")[2], torch.arange(buffer.numel()).reshape(buffer.shape))
    if len({parameter.dtype for parameter in module.parameters()}) > 1:
        module.float()  # saved with half its layers in half precision, as OpenAI's CLIP is on a GPU
    return module.eval().requires_grad_(False)
