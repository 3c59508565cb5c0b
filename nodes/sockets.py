"""Every socket type of the pack that ComfyUI does not have itself, and what rides on it.

Photos travel as IMAGE, masks as MASK, garments as MESH, files as FILE_3D_GLB, so that other packs' nodes fit.
"""

from comfy_api.latest import io

Views = io.Custom("GARMENT3D_VIEWS")
"""A `garment3d.data.Views`: pictures and masks on the CPU, with the cameras that took them."""

CLASSES = ["auto", "tee", "longsleeve", "top", "dress", "skirt", "trousers"]
"""Choices of a garment class combo; its output can be linked to its input."""
