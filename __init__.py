"""Garment3D: one front photo of a garment to a textured, open 3D garment, as ComfyUI nodes."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """The extension object that ComfyUI asks a pack for; imported here so that a bare import stays cheap."""
    from .nodes import Garment3DExtension

    return Garment3DExtension()
