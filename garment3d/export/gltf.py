"""One GLB file of a garment, through trimesh's writer with the texture's bytes put in as they are.

What trimesh leaves open is settled here: the generator, one plain node, the openings, samplers and buffer targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import __version__
from .parts import Parts

if TYPE_CHECKING:
    import trimesh

_LINEAR, _MIPMAPPED, _CLAMP = 9729, 9987, 33071
_VERTICES, _INDICES = 34962, 34963
_UNSIGNED_SHORT = 5123
_TANGENT = "_TANGENT"


class Maps(NamedTuple):
    """The material's pictures as files; None where there is none."""

    colour: bytes | None
    """PNG or JPEG, sRGB."""
    normal: bytes | None
    """PNG, tangent space, +Y up the picture; only beside a colour map."""


def glb_bytes(solid: Parts, maps: Maps, extras: Mapping[str, object]) -> bytes:
    """A binary glTF 2.0 file of one node `garment` with these extras; with a normal map its vertices carry tangents.

    Args:
        maps: embedded as they are; without a colour map vertex colours or plain white are saved.
    """
    from trimesh.exchange.gltf import export_glb

    def put_pictures(buffers: Any, tree: dict[str, Any]) -> None:
        material = tree["materials"][0]
        if maps.colour is not None:
            tree["samplers"] = [{"magFilter": _LINEAR, "minFilter": _MIPMAPPED, "wrapS": _CLAMP, "wrapT": _CLAMP}]
            material["pbrMetallicRoughness"]["baseColorTexture"] = _embedded("garment", maps.colour, buffers, tree)
            if maps.normal is not None:
                material["normalTexture"] = _embedded("garment normals", maps.normal, buffers, tree)
        elif solid.colours is not None:
            _refine_colours(solid.colours, buffers, tree)

    def finish(tree: dict[str, Any]) -> None:
        tree["asset"] = {"version": "2.0", "generator": f"Garment3D {__version__}"}
        tree["meshes"][0]["name"] = "garment"
        tree["meshes"][0].pop("extras", None)
        tree["nodes"] = [{"name": "garment", "mesh": 0, "extras": dict(extras)}]
        tree["scenes"], tree["scene"] = [{"name": "garment", "nodes": [0]}], 0
        # The padding after a picture is not part of it.
        for image, data in zip(tree.get("images", ()), filter(None, maps), strict=False):
            tree["bufferViews"][image["bufferView"]]["byteLength"] = len(data)
        attributes = tree["meshes"][0]["primitives"][0]["attributes"]
        if _TANGENT in attributes:  # trimesh knows attributes of one's own only, which begin with an underscore
            attributes["TANGENT"] = attributes.pop(_TANGENT)
        _state_targets(tree)

    scene = _mesh(solid, maps).scene()
    return export_glb(scene, include_normals=True, buffer_postprocessor=put_pictures, tree_postprocessor=finish)


def _mesh(solid: Parts, maps: Maps) -> trimesh.Trimesh:
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
    mesh = trimesh.Trimesh(solid.vertices, solid.faces, vertex_normals=solid.normals, visual=visual, process=False)
    if maps.normal is not None and solid.tangents is not None:
        mesh.vertex_attributes[_TANGENT] = solid.tangents.astype(np.float32)
    return mesh


def _embedded(name: str, picture: bytes, buffers: Any, tree: dict[str, Any]) -> dict[str, int]:
    """What a material says of a picture whose bytes are added as they are, with no second encoding."""
    mime = "image/jpeg" if picture.startswith(b"\xff\xd8") else "image/png"
    tree["images"].append({"name": name, "bufferView": len(buffers), "mimeType": mime})
    buffers[f"{name} picture"] = picture + b"\0" * (-len(picture) % 4)
    tree["textures"].append({"source": len(tree["images"]) - 1, "sampler": 0})
    return {"index": len(tree["textures"]) - 1}


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
