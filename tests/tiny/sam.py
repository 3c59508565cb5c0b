"""A reduced SAM in the official flat .pth layout: every key family of vit_b/l/h, random weights, 1024 px input.

Decoder and prompt encoder keep the official depth; only widths and the number of encoder blocks are smaller.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch


def tiny_sam() -> Any:
    """segment_anything's Sam with one window block and one global one, always with the same weights."""
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        encoder = ImageEncoderViT(
            depth=2,
            embed_dim=64,
            img_size=1024,
            mlp_ratio=2,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=2,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=(1,),
            window_size=7,
            out_chans=64,
        )
        prompts = PromptEncoder(
            embed_dim=64, image_embedding_size=(64, 64), input_image_size=(1024, 1024), mask_in_chans=8
        )
        transformer = TwoWayTransformer(depth=2, embedding_dim=64, mlp_dim=96, num_heads=8)
        decoder = MaskDecoder(
            num_multimask_outputs=3,
            transformer_dim=64,
            transformer=transformer,
            iou_head_depth=3,
            iou_head_hidden_dim=48,
        )
        sam = Sam(encoder, prompts, decoder, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
        with torch.no_grad():
            # Features that change slowly over the picture give masks of a few large pieces, as garments have.
            coarse = torch.randn(1, 64, 5, 5) * 2
            encoder.pos_embed.copy_(torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic").movedim(1, -1))
            for layer in (decoder.output_upscaling[0], decoder.output_upscaling[3]):
                layer.weight.copy_(layer.weight[..., :1, :1].expand_as(layer.weight))
            for block in encoder.blocks:
                block.attn.rel_pos_h.normal_(0, 0.3)
                block.attn.rel_pos_w.normal_(0, 0.3)
            # Scores of a trained SAM lie near 1; with these the automatic candidates pass its own thresholds.
            decoder.iou_prediction_head.layers[-1].bias.copy_(torch.tensor([0.93, 0.95, 0.96, 0.94]))
    return sam.eval()


def write_sam(path: Path) -> None:
    """Writes the reduced model as the official files are: one flat state dict, zipped pickle."""
    torch.save(tiny_sam().state_dict(), path)
