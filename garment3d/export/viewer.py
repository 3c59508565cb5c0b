"""The garment to turn with the mouse: one HTML page that carries its own viewer and needs no network.

The viewer is trimesh's; the picture goes in as a small JPEG, because a page is looked at and not modelled from.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from .parts import Parts

TEXTURE_PX = 1024
_DRESS = Path(__file__).with_name("viewer.js")


def viewer_html(solid: Parts) -> str:
    """A whole HTML page showing the garment, in light or dark as the reader's system asks.

    Source: trimesh.viewer.notebook.scene_to_html, which carries three.js.
    """
    import trimesh
    from trimesh.viewer.notebook import scene_to_html
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    material = PBRMaterial(doubleSided=True, metallicFactor=0.0, roughnessFactor=0.9)
    if solid.pixels is not None:
        material.baseColorTexture = _small_jpeg(solid.pixels)
    visual = TextureVisuals(uv=solid.uv, material=material)
    if solid.colours is not None:
        visual.vertex_attributes["color"] = np.round(solid.colours * 255).astype(np.uint8)
    mesh = trimesh.Trimesh(solid.vertices, solid.faces, vertex_normals=solid.normals, visual=visual, process=False)
    mesh.vertex_normals  # noqa: B018  the writer includes normals only where they were asked for before
    scene = mesh.scene()
    scene.camera.fov = (40, 40)
    page = scene_to_html(scene)
    return page.replace("</body>", f"<script>{_DRESS.read_text(encoding='utf-8')}</script></body>")


def _small_jpeg(pixels: np.ndarray) -> Image.Image:
    """The picture at TEXTURE_PX at most, as an opened JPEG file: trimesh writes those as they are."""
    image = Image.fromarray(pixels)
    if max(image.size) > TEXTURE_PX:
        image = image.resize((TEXTURE_PX, TEXTURE_PX), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return Image.open(file)
