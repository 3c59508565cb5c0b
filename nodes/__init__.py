"""The pack's table of contents: its nodes in the order in which a garment passes through them."""

from comfy_api.latest import ComfyExtension, io

from . import models
from .clothes import ClothesMask, LoadClothes
from .conditioning import Zero123Conditioning
from .export import SaveGarment
from .garment import Shell, Texture
from .mask import CutOut, ExamplePhoto, QuickMask
from .sam import LoadSam, SamMask
from .surface import LoadTripoSR, TripoSRMesh, TripoSRScene, TripoSRTurntable
from .views import ImageViews, RenderedViews
from .zero123 import LoadZero123, Zero123Views

NODES: list[type[io.ComfyNode]] = [
    ExamplePhoto,
    QuickMask,
    LoadSam,
    SamMask,
    LoadClothes,
    ClothesMask,
    CutOut,
    Shell,
    Texture,
    LoadTripoSR,
    TripoSRScene,
    TripoSRMesh,
    TripoSRTurntable,
    RenderedViews,
    LoadZero123,
    Zero123Views,
    Zero123Conditioning,
    ImageViews,
    SaveGarment,
]

models.register_folders()


class Garment3DExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
