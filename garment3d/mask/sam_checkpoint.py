"""From an official SAM file to segment_anything's own network: every size is read from the tensors.

vit_b, vit_l and vit_h, and any reduced or enlarged model of the same layout, need no name and no setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..checkpoint import demand, fill, read_tensors
from ..errors import WeightsError

if TYPE_CHECKING:
    import torch
    from segment_anything.modeling import Sam

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
DECODER_HEADS = 8
"""The one size that leaves no trace in the tensors; it is the same in all official models."""

_ENCODER, _PROMPTS, _DECODER = "image_encoder.", "prompt_encoder.", "mask_decoder."


class SamDims(NamedTuple):
    """The sizes of a SAM, as its tensors tell them."""

    image_px: int
    patch_px: int
    width: int
    """Channels of the image encoder."""
    depth: int
    heads: int
    mlp_ratio: float
    window: int
    """Side of the windows that most blocks attend in, in patches."""
    global_blocks: tuple[int, ...]
    """Blocks that attend to the whole picture."""
    channels: int
    """Of the image embedding, the prompts and the decoder."""
    mask_channels: int
    masks: int
    """Masks of one multimask answer."""
    decoder_depth: int
    decoder_mlp: int
    score_depth: int
    score_width: int


def load_sam(path: Path) -> Sam:
    """segment_anything's Sam with the weights of an official .pth or .safetensors file: float32, CPU, evaluating.

    Source: Kirillov et al., Segment Anything (2023), github.com/facebookresearch/segment-anything.
    """
    import torch

    path = Path(path)
    tensors = read_tensors(path)
    demand(tensors, "sam", path)
    try:
        sam = build_sam(sam_dims(tensors))
    except (KeyError, IndexError, ValueError, ZeroDivisionError, AssertionError) as error:
        raise WeightsError(
            f"{path.name} lacks a part of SAM or has it in another shape ({error}); take the official file."
        ) from error
    fill(sam, tensors, path.name)
    # Not part of the file, so they are still without values.
    sam.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(-1, 1, 1), persistent=False)
    sam.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(-1, 1, 1), persistent=False)
    return sam.float().eval().requires_grad_(False)


def sam_dims(tensors: Mapping[str, torch.Tensor]) -> SamDims:
    """The sizes of the SAM that has such tensors; a tensor that is not there raises KeyError with its name."""
    width, _, patch_px, _ = tensors[_ENCODER + "patch_embed.proj.weight"].shape
    grid = tensors[_ENCODER + "pos_embed"].shape[1]
    depth = _count(tensors, _ENCODER + "blocks.")
    relative = [tensors[f"{_ENCODER}blocks.{i}.attn.rel_pos_h"] for i in range(depth)]
    reach = [(len(table) + 1) // 2 for table in relative]  # a table of 2n − 1 offsets serves n patches
    windows = {n for n in reach if n != grid}
    if len(windows) > 1:
        raise ValueError(f"its windows have the sides {sorted(windows)}")
    down, iou = _PROMPTS + "mask_downscaling.3.weight", _DECODER + "iou_prediction_head.layers."
    return SamDims(
        image_px=grid * patch_px,
        patch_px=patch_px,
        width=width,
        depth=depth,
        heads=width // relative[0].shape[1],
        mlp_ratio=len(tensors[_ENCODER + "blocks.0.mlp.lin1.weight"]) / width,
        window=windows.pop() if windows else 0,
        global_blocks=tuple(i for i, n in enumerate(reach) if n == grid),
        channels=len(tensors[_ENCODER + "neck.0.weight"]),
        mask_channels=len(tensors[down]),
        masks=len(tensors[_DECODER + "mask_tokens.weight"]) - 1,
        decoder_depth=_count(tensors, _DECODER + "transformer.layers."),
        decoder_mlp=len(tensors[_DECODER + "transformer.layers.0.mlp.lin1.weight"]),
        score_depth=_count(tensors, iou),
        score_width=len(tensors[iou + "0.weight"]),
    )


def build_sam(dims: SamDims) -> Sam:
    """segment_anything's Sam of these sizes on the meta device: the structure without values."""
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    grid = dims.image_px // dims.patch_px
    with torch.device("meta"):
        encoder = ImageEncoderViT(
            depth=dims.depth,
            embed_dim=dims.width,
            img_size=dims.image_px,
            mlp_ratio=dims.mlp_ratio,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=dims.heads,
            patch_size=dims.patch_px,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=dims.global_blocks,
            window_size=dims.window,
            out_chans=dims.channels,
        )
        prompts = PromptEncoder(
            embed_dim=dims.channels,
            image_embedding_size=(grid, grid),
            input_image_size=(dims.image_px, dims.image_px),
            mask_in_chans=dims.mask_channels,
        )
        decoder = MaskDecoder(
            num_multimask_outputs=dims.masks,
            transformer_dim=dims.channels,
            transformer=TwoWayTransformer(
                depth=dims.decoder_depth,
                embedding_dim=dims.channels,
                mlp_dim=dims.decoder_mlp,
                num_heads=DECODER_HEADS,
            ),
            iou_head_depth=dims.score_depth,
            iou_head_hidden_dim=dims.score_width,
        )
        return Sam(encoder, prompts, decoder, list(PIXEL_MEAN), list(PIXEL_STD))


def _count(tensors: Mapping[str, torch.Tensor], start: str) -> int:
    """How many numbered parts there are below a key."""
    numbers = {key[len(start) :].split(".", 1)[0] for key in tensors if key.startswith(start)}
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)
