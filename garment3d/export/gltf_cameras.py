"""The views' cameras inside a GLB, beside the garment: what Blender and every glTF viewer lets a person look through.

Only the file's JSON chunk changes; meshes, textures and their bytes stay as they are.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ..data import Camera, Orbit
from ..errors import MeshError
from .cameras import placed_c2w

NEAR, FAR = 0.02, 50.0
"""Clip distances in canonical units: from close to the cloth to far behind it."""

_MAGIC, _JSON = 0x46546C67, 0x4E4F534A


def with_cameras(glb: bytes, orbit: Orbit, names: Sequence[str], frame_to_file: np.ndarray) -> bytes:
    """The GLB with one more node per camera, `view_020` for the picture `…/020.png`; anything else raises MeshError.

    A node's extras name the `picture`, `azimuth_deg`, `elevation_deg` and two sizes in pixels. glTF's cameras look
    straight ahead: one whose principal point is off the middle gets the smallest straight frame that holds the whole
    picture, `frame_wh_px`, and `picture_box_px` (x, y, width, height) is the picture's place in it; for others the
    two agree. An orthographic camera is moved sideways instead, which says the same exactly.

    Args:
        names: the pictures' file names.
        frame_to_file: [4,4] from the canonical frame to the GLB's metres.
    """
    tree, rest = _taken_apart(glb)
    scale = float(np.linalg.norm(frame_to_file[:3, 0]))
    cameras, nodes = tree.setdefault("cameras", []), tree.setdefault("nodes", [])
    scene = tree.setdefault("scenes", [{}])[tree.setdefault("scene", 0)].setdefault("nodes", [])
    for camera, azimuth, file in zip(orbit.cameras, orbit.azimuths_deg, names, strict=True):
        name = node_name(file)
        straight, box = _straight(camera)
        scene.append(len(nodes))
        extras = {
            "picture": file,
            "azimuth_deg": azimuth,
            "elevation_deg": orbit.elevation_deg,
            "frame_wh_px": list(straight.hw[::-1]),
            "picture_box_px": box,
        }
        nodes.append({"name": name, "camera": len(cameras), **_pose(straight, frame_to_file), "extras": extras})
        cameras.append({"name": name, **_lens(straight, scale)})
    return _put_together(tree, rest)


def node_name(file: str) -> str:
    """`view_020` of the picture `…/020.png` and `view_022_5` of `022.5.png`: three.js drops dots from names."""
    return f"view_{PurePosixPath(file).stem}".replace(".", "_")


def _straight(camera: Camera) -> tuple[Camera, list[int]]:
    """A camera with its principal point in the middle that sees all of `camera`'s picture, and where it sees it."""
    height, width = camera.hw
    x, y = camera.center_px
    middle = (width / 2, height / 2)
    if camera.projection == "orthographic":
        aside = np.array([middle[0] - x, y - middle[1], 0, 0]) / camera.focal_px
        c2w = camera.c2w.copy()
        c2w[:, 3] += camera.c2w @ aside
        return replace(camera, center_px=middle, c2w=c2w), [0, 0, width, height]
    # A frame of whole pixels: its middle is a quarter of a pixel away at most.
    left, top = max(0, round(width - 2 * x)), max(0, round(height - 2 * y))
    right, bottom = max(0, round(2 * x - width)), max(0, round(2 * y - height))
    wh = (left + width + right, top + height + bottom)
    return replace(camera, center_px=(wh[0] / 2, wh[1] / 2), hw=wh[::-1]), [left, top, width, height]


def _pose(camera: Camera, frame_to_file: np.ndarray) -> dict[str, list[float]]:
    from scipy.spatial.transform import Rotation

    c2w = placed_c2w(camera, frame_to_file)
    quaternion = Rotation.from_matrix(c2w[:3, :3]).as_quat()
    return {"translation": (c2w[:3, 3] + 0.0).tolist(), "rotation": (quaternion + 0.0).tolist()}


def _lens(camera: Camera, scale: float) -> dict[str, Any]:
    height, width = camera.hw
    clip = {"znear": NEAR * scale, "zfar": FAR * scale}
    if camera.projection == "orthographic":
        half = scale / 2 / camera.focal_px
        return {"type": "orthographic", "orthographic": {"xmag": width * half, "ymag": height * half, **clip}}
    yfov = float(2 * np.arctan(height / 2 / camera.focal_px))
    return {"type": "perspective", "perspective": {"yfov": yfov, "aspectRatio": width / height, **clip}}


def _taken_apart(glb: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON chunk as a tree, and all bytes after it."""
    if len(glb) < 20 or struct.unpack_from("<II", glb) != (_MAGIC, 2):
        raise MeshError(f"These {len(glb)} bytes are not a GLB of glTF 2.0; save the garment as glb first.")
    length, kind = struct.unpack_from("<II", glb, 12)
    if kind != _JSON or len(glb) < 20 + length:
        raise MeshError(f"The GLB of {len(glb)} bytes is cut off or damaged; save the garment again.")
    return json.loads(glb[20 : 20 + length]), glb[20 + length :]


def _put_together(tree: dict[str, Any], rest: bytes) -> bytes:
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<III", _MAGIC, 2, 20 + len(text) + len(rest)) + struct.pack("<II", len(text), _JSON)
    return head + text + rest
