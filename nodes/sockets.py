"""Every socket type of the pack that ComfyUI does not have itself, and what rides on it.

Photos travel as IMAGE, masks as MASK, garments as MESH, files as FILE_3D_GLB, so that other packs' nodes fit.
"""

from comfy_api.latest import io

from ..garment3d.garment.platforms import PLATFORMS

Views = io.Custom("GARMENT3D_VIEWS")
"""A `garment3d.data.Views`: pictures and masks on the CPU, with the cameras that took them."""

Sam = io.Custom("GARMENT3D_SAM")
"""A `nodes.sam.LoadedSam`: SAM's network, and the embeddings of the last few photos it saw."""

SamMasks = io.Custom("GARMENT3D_SAM_MASKS")
"""A list with SAM's low-res mask [256,256] of each photo, to refine with further points."""

Clothes = io.Custom("GARMENT3D_CLOTHES")
"""A `nodes.networks.Network` of a `garment3d.mask.clothes.Parser`."""

Zero123 = io.Custom("GARMENT3D_ZERO123")
"""A `nodes.zero123.LoadedZero123`: the denoiser, and what encodes photos and decodes views."""

TripoSR = io.Custom("GARMENT3D_TRIPOSR")
"""A `nodes.networks.Network` of a `garment3d.surface.triposr.network.TripoSR`."""

Scene = io.Custom("GARMENT3D_TRIPOSR_SCENE")
"""A tuple of `garment3d.surface.triposr.scene.Scene` on the CPU, one per photo; small, without the network."""

CLASSES = ["auto", "tee", "longsleeve", "top", "dress", "skirt", "trousers"]
"""Choices of a garment class combo; its output can be linked to its input."""

AS_IT_IS = "as it is"
"""A garment that is saved for no platform: on the floor, its front to +Z."""

PLATFORM_IDS = list(PLATFORMS)
"""Choices of a platform combo."""
