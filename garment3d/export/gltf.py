"""One GLB file of a garment, through trimesh's writer with the texture's bytes put in as they are.

What trimesh leaves open is settled here: the generator, one plain node, the openings, samplers and buffer targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..data import Opening
from .parts import Parts

if TYPE_CHECKING:
    import trimesh

FRAME = "metres, right-handed, +Y up, front +Z; origin: middle of the bounding box in X and Z, lowest point in Y"

_LINEAR, _MIPMAPPED, _CLAMP = 9729, 9987, 33071
_VERTICES, _INDICES = 34962, 34963
_UNSIGNED_SHORT = 5123


def glb_bytes(
    solid: Parts, texture: bytes | None, openings: Sequence[Opening], garment_class: str, length_cm: float
) -> bytes:
    """A binary glTF 2.0 file of one node `garment`; its extras hold class, length, frame and openings in metres.

    Args:
        texture: PNG or JPEG file, embedded as it is; None saves vertex colours or plain white.
        openings: anchors already in the file's frame.
    """
    from trimesh.exchange.gltf import export_glb

    extras = {
        "garment_class": garment_class,
        "length_cm": length_cm,
        "frame": FRAME,
        "openings": [{"name": o.name, "anchor": [round(float(v), 6) for v in o.anchor]} for o in openings],
    }

    def put_texture(buffers: Any, tree: dict[str, Any]) -> None:
        if texture is not None:
            _embed(texture, buffers, tree)
        if solid.colours is not None and texture is None:
            _refine_colours(solid.colours, buffers, tree)

    def finish(tree: dict[str, Any]) -> None:
        tree["asset"] = {"version": "2.0", "generator": f"Garment3D {__version__}"}
        tree["meshes"][0]["name"] = "garment"
        tree["meshes"][0].pop("extras", None)
        tree["nodes"] = [{"name": "garment", "mesh": 0, "extras": extras}]
        tree["scenes"], tree["scene"] = [{"name": "garment", "nodes": [0]}], 0
        if texture is not None:  # the padding after the picture is not part of it
            tree["bufferViews"][tree["images"][0]["bufferView"]]["byteLength"] = len(texture)
        _state_targets(tree)

    scene = _mesh(solid).scene()
    return export_glb(scene, include_normals=True, buffer_postprocessor=put_texture, tree_postprocessor=finish)


def _mesh(solid: Parts) -> trimesh.Trimesh:
    import trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    white = np.full(4, 255, np.uint8)
    material = PBRMaterial(
        name="garment", doubleSided=True, metallicFactor=0.0, roughnessFactor=0.9, baseColorFactor=white
    )
    uv = solid.uv if solid.pixels is not None else None
    visual = TextureVisuals(uv=uv, material=material)
    if solid.colours is not None:
        visual.vertex_attributes["color"] = np.round(solid.colours * 255).astype(np.uint8)
    return trimesh.Trimesh(solid.vertices, solid.faces, vertex_normals=solid.normals, visual=visual, process=False)


def _embed(texture: bytes, buffers: Any, tree: dict[str, Any]) -> None:
    """Adds the picture's bytes and points the first material at them, so that no second encoding is needed."""
    mime = "image/jpeg" if texture.startswith(b"\xff\xd8") else "image/png"
    tree["images"].append({"name": "garment", "bufferView": len(buffers), "mimeType": mime})
    buffers["garment texture"] = texture + b"\0" * (-len(texture) % 4)
    tree["samplers"] = [{"magFilter": _LINEAR, "minFilter": _MIPMAPPED, "wrapS": _CLAMP, "wrapT": _CLAMP}]
    tree["textures"].append({"source": len(tree["images"]) - 1, "sampler": 0})
    tree["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = {"index": len(tree["textures"]) - 1}


def _refine_colours(colours: np.ndarray, buffers: Any, tree: dict[str, Any]) -> None:
    """Writes the vertex colours with 16 bits for trimesh's 8: linear bytes show as bands on dark cloth."""
    index = tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]
    accessor = list(tree["accessors"].values())[index]  # by content while trimesh still collects them
    accessor["componentType"] = _UNSIGNED_SHORT
    for bound in ("min", "max"):
        accessor.pop(bound, None)
    buffers[list(buffers)[accessor["bufferView"]]] = np.round(colours * 65535).astype("<u2").tobytes()


def _state_targets(tree: dict[str, Any]) -> None:
    """Says which buffer views hold vertices and which indices, as the format recommends."""
    for primitive in tree["meshes"][0]["primitives"]:
        for accessor in primitive["attributes"].values():
            tree["bufferViews"][tree["accessors"][accessor]["bufferView"]]["target"] = _VERTICES
        tree["bufferViews"][tree["accessors"][primitive["indices"]]["bufferView"]]["target"] = _INDICES
