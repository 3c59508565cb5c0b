"""Zero123 through ComfyUI's own MODEL, CLIP_VISION, VAE and KSampler: what the sampler must be told of photo and pose.

Core's own StableZero123_Conditioning tells every model Stable Zero123's fourth pose value and lets CLIP see an
antialiased picture; the original models were trained with neither.
"""

from __future__ import annotations

import torch
from comfy import model_management
from comfy_api.latest import io

from . import convert
from .mask import CATEGORY
from .zero123 import FAMILIES, orbit_inputs


def clip_embed(clip_vision, signed: torch.Tensor) -> torch.Tensor:
    """[1,768] of a [1,3,256,256] canvas in −1..1, scaled as the original scales it and not rounded to 8 bits.

    ComfyUI's `encode_image` scales with antialiasing; given 224² pixels it would still round them, so its network is
    called here with finished pixels, as `encode_image` itself calls it.
    """
    from ..garment3d.views.zero123_condition import clip_pixels

    model_management.load_model_gpu(clip_vision.patcher)
    pixels = clip_pixels(signed, clip_vision.image_size).to(clip_vision.load_device)
    embed = clip_vision.model(pixel_values=pixels, intermediate_output=-2)[2]
    return embed.to(model_management.intermediate_device(), torch.float32)


class Zero123Conditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_Zero123Conditioning",
            display_name="Zero123 Orbit Conditioning",
            category=CATEGORY,
            description="All views of an orbit as conditioning and latents for KSampler, with the pose that each "
            "Zero123 expects. Load the file with ComfyUI's Load Checkpoint Image Only; sample at cfg 3; the decoded "
            "pictures become views in Orbit Views (from images).",
            search_aliases=["zero123", "stable zero123 conditioning", "novel view", "ksampler orbit", "camera pose"],
            inputs=[
                io.ClipVision.Input("clip_vision", tooltip="From ComfyUI's Load Checkpoint Image Only."),
                io.Vae.Input("vae", tooltip="From the same loader."),
                io.Image.Input("image", tooltip="The garment photo."),
                io.Mask.Input("mask", tooltip="White on the garment, as large as the photo."),
                io.Combo.Input(
                    "family",
                    list(FAMILIES),
                    tooltip="Which model was loaded: the original and XL are told how the distance changes, Stable "
                    "Zero123 how high the photo's camera stood.",
                ),
                *orbit_inputs(),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="Photo and pose, one per view."),
                io.Conditioning.Output("negative", tooltip="Neither, as the original's unconditional."),
                io.Latent.Output("latent", tooltip="Empty, one per view; a view's noise depends on its azimuth only."),
                io.Image.Output("canvas", tooltip="The garment on white as the model is shown it."),
            ],
        )

    @classmethod
    @convert.plain_errors
    def execute(
        cls, clip_vision, vae, image, mask, family, step_deg, elevation_deg,
        photo_elevation_deg=0.0, azimuths="", radius_offset=0.0,
    ) -> io.NodeOutput:  # fmt: skip
        from ..garment3d.views.zero123_condition import zero123_canvas
        from ..garment3d.views.zero123_pose import pose_vectors

        photo, soft = convert.photo_and_mask(image, mask)
        turns = convert.zero123_orbit(step_deg, azimuths, elevation_deg, radius_offset).azimuths_deg
        poses = pose_vectors(FAMILIES[family], turns, elevation_deg, radius_offset, photo_elevation_deg)[:, None]
        canvas = torch.from_numpy(zero123_canvas(photo.rgb, soft))[None]
        embed = clip_embed(clip_vision, canvas.movedim(-1, 1) * 2 - 1)[:, None]
        seen = vae.encode(canvas)
        # 772 wide goes through the model's own cc_projection, 768 wide past it: the zeros must be those after it.
        positive = [[torch.cat([embed.expand(len(turns), -1, -1), poses.to(embed)], -1), {"concat_latent_image": seen}]]
        negative = [[torch.zeros_like(embed), {"concat_latent_image": torch.zeros_like(seen)}]]
        latents = {"samples": torch.zeros(len(turns), 4, 32, 32), "batch_index": [round(a) % 360 for a in turns]}
        return io.NodeOutput(positive, negative, latents, canvas)
