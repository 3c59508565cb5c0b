"""A reduced Segformer clothes parser in the official folder layout: every key family of b2, one block a stage.

The file's keys are the official ones whatever transformers calls them inside. The features are random; the last
layer is fitted to a few drawn people, so that cloth on a plain wall comes out as cloth.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.drawn import GARMENTS, circle, coverage, outline_of

ATR = ("Background", "Hat", "Hair", "Sunglasses", "Upper-clothes", "Skirt", "Pants", "Dress", "Belt", "Left-shoe",
       "Right-shoe", "Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm", "Bag", "Scarf")  # fmt: skip
FASHIONPEDIA = ("Everything Else", "shirt, blouse", "top, t-shirt, sweatshirt", "sweater", "cardigan", "jacket", "vest",
                "pants", "shorts", "skirt", "coat", "dress", "jumpsuit", "cape", "glasses", "hat",
                "headband, head covering, hair accessory", "tie", "glove", "watch", "belt", "leg warmer",
                "tights, stockings", "sock", "shoe", "bag, wallet", "scarf", "umbrella", "hood", "collar", "lapel",
                "epaulette", "sleeve", "pocket", "neckline", "buckle", "zipper", "applique", "bead", "bow", "flower",
                "fringe", "ribbon", "rivet", "ruffle", "sequin", "tassel")  # fmt: skip
HUMAN = ("Background", *FASHIONPEDIA[1:], "Hair", "Sunglasses", "Upper-clothes", "Left-shoe", "Right-shoe", "Face",
         "Left-leg", "Right-leg", "Left-arm", "Right-arm")  # fmt: skip

_SAME = {"Upper-clothes": "top, t-shirt, sweatshirt", "Skirt": "skirt", "Pants": "pants", "Dress": "dress",
         "Left-shoe": "shoe", "Right-shoe": "shoe"}  # fmt: skip
"""What Fashionpedia calls the classes that a drawn person has; it has none for bodies."""
_TAUGHT = {"Skirt": "Upper-clothes", "Pants": "Upper-clothes", "Dress": "Upper-clothes", "Right-arm": "Face",
           "Left-arm": "Face", "Right-leg": "Face", "Left-leg": "Face"}  # fmt: skip
"""What the last layer can learn from random features: cloth, skin and hair by their colours, not which garment."""
_WIDTHS, _HEADS, _REDUCTIONS, _DECODER = (16, 32, 40, 64), (1, 2, 5, 8), (8, 4, 2, 1), 96


def person(kind: str = "tee", seed: int = 0, hw: tuple[int, int] = (512, 512)) -> tuple[np.ndarray, np.ndarray]:
    """A drawn person [H,W,3] uint8 on a pale wall and its ATR classes [H,W]; colours vary with the seed.

    "tee" wears trousers with it, "skirt" a tee, "dress" only that; "flat tee" and the like are garments alone.
    An arm hangs in front, and hair over a shoulder of the tees.
    """
    rng = np.random.default_rng(seed)
    skin = np.array([205, 160, 130]) * rng.uniform(0.55, 1.1)
    cloth, second = (rng.uniform(20, 200, 3) for _ in range(2))
    cloth[rng.integers(3)], second[rng.integers(3)] = rng.uniform(0, 70, 2)
    shapes = _dressed(kind) if kind in ("tee", "skirt", "dress") else _laid_out(kind)
    unit = np.array([hw[1], hw[0]]) / 512
    rgb = np.full((*hw, 3), 255.0) * rng.uniform(0.86, 0.97)
    labels = np.zeros(hw, np.int64)
    colours = {"Upper-clothes": cloth, "Dress": cloth, "Skirt": second, "Pants": second, "Hair": np.array([24, 18, 15])}
    colours |= {"Left-shoe": np.full(3, 40.0), "Right-shoe": np.full(3, 40.0)}
    for name, polygon in shapes:
        covered = coverage(polygon * unit, hw)
        rgb += covered[..., None] * (colours.get(name, skin) - rgb)
        labels[covered >= 0.5] = ATR.index(name)
    rgb += rng.normal(0, 2.0, rgb.shape)
    return rgb.clip(0, 255).round().astype(np.uint8), labels


def _dressed(kind: str) -> list[tuple[str, np.ndarray]]:
    """Names and outlines in a picture of 512 × 512, the hindmost first."""
    legs = [("Right-leg", _bar(226, 300, 232, 470, 26)), ("Left-leg", _bar(286, 300, 280, 470, 26))]
    shoes = [("Right-shoe", _bar(232, 462, 228, 492, 34)), ("Left-shoe", _bar(280, 462, 284, 492, 34))]
    head = [("Hair", circle_at(256, 74, 40)), ("Face", circle_at(256, 84, 29)), ("Face", _bar(256, 100, 256, 128, 26))]
    arms = [("Right-arm", _bar(182, 176, 172, 300, 22)), ("Left-arm", _bar(330, 180, 286, 250, 22))]
    tee = ("Upper-clothes", outline_of(GARMENTS["tee"], 175, (256, 118)))
    below = {"tee": ("Pants", outline_of(GARMENTS["trousers"], 205, (256, 270))),
             "skirt": ("Skirt", outline_of(GARMENTS["skirt"], 120, (256, 280)))}  # fmt: skip
    if kind == "dress":
        return [*legs, *shoes, ("Dress", outline_of(GARMENTS["dress"], 270, (256, 118))), *head, *arms]
    return [*legs, *shoes, below[kind], tee, *head, *arms, ("Hair", _bar(290, 80, 292, 160, 18))]


def _laid_out(name: str) -> list[tuple[str, np.ndarray]]:
    """One drawn garment alone, as in a product photo."""
    kinds = {"tee": "Upper-clothes", "longsleeve": "Upper-clothes", "top": "Upper-clothes", "trousers": "Pants",
             "skirt": "Skirt", "dress": "Dress"}  # fmt: skip
    name = name.removeprefix("flat ")
    return [(kinds[GARMENTS[name].garment_class], outline_of(GARMENTS[name], 400, (256, 56)))]


def _bar(x0: float, y0: float, x1: float, y1: float, width: float) -> np.ndarray:
    along = np.array([x1 - x0, y1 - y0])
    across = np.array([-along[1], along[0]]) / np.hypot(*along) * width / 2
    a, b = np.array([x0, y0]), np.array([x1, y1])
    return np.stack([a + across, a - across, b - across, b + across])


def circle_at(x: float, y: float, radius: float) -> np.ndarray:
    return circle(radius, 48, (x, y))


def write_clothes(folder: Path, labels: Sequence[str] = ATR, pickled: bool = False) -> None:
    """Writes config.json, preprocessor_config.json and model.safetensors, or pytorch_model.bin where pickled."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(labels), indent=2))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2))
    tensors = {key: value.clone() for key, value in _fitted(tuple(labels)).items()}
    if pickled:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})


PREPROCESSOR = {
    "do_normalize": True,
    "do_reduce_labels": False,
    "do_rescale": True,
    "do_resize": True,
    "feature_extractor_type": "SegformerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "SegformerFeatureExtractor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 512, "width": 512},
}
"""As the b2 parser of 2022 has it."""


def config(labels: Sequence[str]) -> dict[str, Any]:
    """A config.json with every field that sizes the network."""
    return {
        "architectures": ["SegformerForSemanticSegmentation"],
        "model_type": "segformer",
        "num_channels": 3,
        "num_encoder_blocks": 4,
        "depths": [1, 1, 1, 1],
        "sr_ratios": list(_REDUCTIONS),
        "hidden_sizes": list(_WIDTHS),
        "patch_sizes": [7, 3, 3, 3],
        "strides": [4, 2, 2, 2],
        "num_attention_heads": list(_HEADS),
        "mlp_ratios": [4, 4, 4, 4],
        "hidden_act": "gelu",
        "decoder_hidden_size": _DECODER,
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
        "torch_dtype": "float32",
    }


def shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """The official keys with the reduced shapes, in the official order."""
    out: dict[str, tuple[int, ...]] = {}

    def add(name: str, *shape: int, bias: bool = True) -> None:
        out[f"{name}.weight"] = shape
        if bias:
            out[f"{name}.bias"] = shape[:1]

    for i, (width, kernel) in enumerate(zip(_WIDTHS, (7, 3, 3, 3), strict=True)):
        add(f"segformer.encoder.patch_embeddings.{i}.proj", width, (3, *_WIDTHS)[i], kernel, kernel)
        add(f"segformer.encoder.patch_embeddings.{i}.layer_norm", width)
    for i, (width, reduction) in enumerate(zip(_WIDTHS, _REDUCTIONS, strict=True)):
        block = f"segformer.encoder.block.{i}.0"
        add(f"{block}.layer_norm_1", width)
        for name in ("query", "key", "value"):
            add(f"{block}.attention.self.{name}", width, width)
        if reduction > 1:
            add(f"{block}.attention.self.sr", width, width, reduction, reduction)
            add(f"{block}.attention.self.layer_norm", width)
        add(f"{block}.attention.output.dense", width, width)
        add(f"{block}.layer_norm_2", width)
        add(f"{block}.mlp.dense1", 4 * width, width)
        add(f"{block}.mlp.dwconv.dwconv", 4 * width, 1, 3, 3)
        add(f"{block}.mlp.dense2", width, 4 * width)
    for i, width in enumerate(_WIDTHS):
        add(f"segformer.encoder.layer_norm.{i}", width)
    for i, width in enumerate(_WIDTHS):
        add(f"decode_head.linear_c.{i}.proj", _DECODER, width)
    add("decode_head.linear_fuse", _DECODER, 4 * _DECODER, 1, 1, bias=False)
    add("decode_head.batch_norm", _DECODER)
    out |= {f"decode_head.batch_norm.running_{name}": (_DECODER,) for name in ("mean", "var")}
    out["decode_head.batch_norm.num_batches_tracked"] = ()
    add("decode_head.classifier", classes, _DECODER, 1, 1)
    return out


def _random(classes: int) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(7)
    tensors = {}
    for key, shape in shapes(classes).items():
        if key.endswith("num_batches_tracked"):
            tensors[key] = torch.tensor(1000)
        elif "norm" in key:
            one = key.endswith(("weight", "running_var"))
            tensors[key] = torch.full(shape, float(one)) + (
                0.1 * torch.randn(shape, generator=chance) if not one else 0
            )
        else:
            inputs = int(np.prod(shape[1:])) or 1
            scale = 1 / np.sqrt(inputs) if len(shape) > 1 else 0.3
            tensors[key] = scale * torch.randn(shape, generator=chance)
    return tensors


@cache
def _fitted(labels: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """The random network with its last layer fitted to drawn people: ridge regression, the same every time."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    tensors = _random(len(labels))
    model = SegformerForSemanticSegmentation.from_pretrained(
        None, config=SegformerConfig.from_dict(config(labels)), state_dict=dict(tensors), local_files_only=True
    ).eval()
    seen: list[torch.Tensor] = []
    model.decode_head.classifier.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    targets = []
    mean, std = (torch.tensor(PREPROCESSOR[name])[:, None, None] for name in ("image_mean", "image_std"))
    for seed, kind in enumerate(_LESSONS):
        rgb, classes = person(kind, seed)
        pixels = (torch.from_numpy(rgb).permute(2, 0, 1) / 255 - mean) / std
        with torch.inference_mode():
            model(pixel_values=pixels[None].float())
        targets.append(torch.from_numpy(_renamed(classes, labels)[2::4, 2::4]).reshape(-1))
    features = torch.cat([f[0].flatten(1).T for f in seen]).double()
    features = torch.cat([features, torch.ones(len(features), 1)], 1)
    classes = torch.cat(targets)
    wanted = torch.nn.functional.one_hot(classes, len(labels)).double()
    weight = (1 / torch.bincount(classes, minlength=len(labels)).clamp(min=1).double().sqrt())[classes, None]
    solved = torch.linalg.solve(
        features.T @ (weight * features) + 1e-3 * torch.eye(features.shape[1]), features.T @ (weight * wanted)
    )
    sure = 12 * solved.T.float()
    tensors["decode_head.classifier.weight"] = sure[:, :-1, None, None].contiguous()
    tensors["decode_head.classifier.bias"] = sure[:, -1].contiguous()
    return tensors


_LESSONS = ("tee", "skirt", "dress", "flat tee", "flat trousers")


def _renamed(classes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """ATR classes as what is taught of them, in another label set; what it has no name for is its background."""
    there = {name: i for i, name in enumerate(labels)}
    taught = [_TAUGHT.get(name, name) for name in ATR]
    return np.array([there.get(name, there.get(_SAME.get(name, ""), 0)) for name in taught])[classes]
