"""The pack's table of contents: its nodes in the order in which a garment passes through them."""

from comfy_api.latest import ComfyExtension, io

from . import models
from .blender import ExportBlender
from .cameras import ExportCameras
from .clothes import ClothesMask, LoadClothes
from .conditioning import Zero123Conditioning
from .export import SaveGarment
from .garment import FitShell, OpenHems, Shell
from .mask import CutOut, ExamplePhoto, QuickMask
from .meshes import CompareMeshes, LoadMesh
from .platform import PreparePlatform
from .report import GarmentReport
from .sam import LoadSam, SamMask
from .surface import LoadTripoSR, TripoSRMesh, TripoSRScene, TripoSRTurntable
from .texture import BakeTexture, Texture
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
    LoadTripoSR,
    TripoSRScene,
    TripoSRMesh,
    TripoSRTurntable,
    LoadMesh,
    FitShell,
    OpenHems,
    Texture,
    RenderedViews,
    LoadZero123,
    Zero123Views,
    Zero123Conditioning,
    ImageViews,
    BakeTexture,
    CompareMeshes,
    GarmentReport,
    PreparePlatform,
    SaveGarment,
    ExportCameras,
    ExportBlender,
]

models.register_folders()


class Garment3DExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
