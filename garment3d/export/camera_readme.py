"""README.txt of a data set folder: what each file in it is, and the command that opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

INTRODUCTION = """\
Views of one garment and the cameras that took them, for other tools.

All in metres, +Y up, in the frame of the garment's saved model: what is trained from these lies on it.
images/ holds cut-outs with transparency, named by azimuth in degrees: 0 is the photo's side, and the camera then goes
round to the picture's right.
"""
HOW_TO: Mapping[str, str] = MappingProxyType(
    {
        "nerf": """
transforms.json
    instant-ngp:  instant-ngp transforms.json
    nerfstudio:   ns-train splatfacto --data .
                  ns-train nerfacto --data .
""",
        "colmap": """
sparse/0/
    3DGS:         python train.py -s .
    COLMAP:       File, Import model, sparse/0/
    nerfstudio:   ns-train splatfacto --data . colmap --colmap-path sparse/0
""",
        "json": """
cameras.json
    Everything about each view, with words of its own on axes and pixels: for scripts.
""",
        "gltf": """
garment.glb
    The garment with a camera for each view. In Blender: import it, make a camera view_... the scene's camera and give
    the render the resolution in that object's property frame_wh_px.
""",
        "synthetic": """
transforms_train.json, transforms_val.json, transforms_test.json
    The layout of the first NeRF's data sets.
    nerfstudio:   ns-train nerfacto --data . blender-data
    instant-ngp:  instant-ngp transforms_train.json (given the folder it reads every .json in it)
""",
        "masks": """
masks/
    White is garment.
    COLMAP:       --ImageReader.mask_path masks
""",
    }
)
POINTS = """
points3d.ply
    Points to start splats from; the tools above find them by themselves.
"""


def how_to(formats: Sequence[str]) -> str:
    """The text for a folder that holds these of CAMERA_FORMATS."""
    told = [text for format, text in HOW_TO.items() if format in formats]
    starts = [POINTS] if {"nerf", "synthetic"} & set(formats) else []
    return "".join([INTRODUCTION, *told, *starts])
