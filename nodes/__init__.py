"""The pack's table of contents: its nodes in the order in which a garment passes through them."""

from comfy_api.latest import ComfyExtension, io

from .export import SaveGarment
from .garment import Shell, Texture
from .mask import CutOut, ExamplePhoto, QuickMask
from .views import ImageViews, RenderedViews

NODES: list[type[io.ComfyNode]] = [
    ExamplePhoto,
    QuickMask,
    CutOut,
    Shell,
    Texture,
    RenderedViews,
    ImageViews,
    SaveGarment,
]


class Garment3DExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
