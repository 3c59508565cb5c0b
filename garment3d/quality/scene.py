"""What an assessment measures from: the garment at its proper size, its photo made small, and what cameras see of it.

Everything is drawn once and shared: silhouettes, colours and depths come from the same few small pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from ..camera import photo_camera
from ..data import Camera
from ..errors import MaskError, MeshError
from ..images import reduced
from ..render import Model, Picture, draw, upload
from .outlines import smaller

if TYPE_CHECKING:
    import trimesh

PHOTO_PX = 640
"""Photos with a longer side are compared at about this size."""


class Scene(NamedTuple):
    """A garment beside its photo."""

    mesh: trimesh.Trimesh
    """As it was given."""
    model: Model
    """Brought to a longest side of 1 where it was of quite another size."""
    longest: float
    """Longest side as it was given."""
    size: float
    """By which it was divided: that side, or 1 where it was nearly right."""
    camera: Camera
    """The photo's, for the small photo."""
    rgb: np.ndarray
    """[H,W,3] float32 small photo in 0..1."""
    solid: np.ndarray
    """[H,W] bool, its mask."""
    front: Picture
    """The garment from the photo's camera, unlit."""

    @property
    def textured(self) -> bool:
        """Whether the garment has a texture at all."""
        return self.model.texture is not None


SAME_SIZE = 0.01
"""A longest side that is off by more than this is made 1 before anything else is compared."""


def scene_of(mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, device: str) -> Scene:
    """The Scene of a mesh with its [H,W,3] uint8 photo and [H,W] mask; a mesh that can't be drawn raises MeshError."""
    if rgb.shape[:2] != soft.shape:
        raise MaskError(f"The mask is {soft.shape[1]} × {soft.shape[0]} px but the photo {rgb.shape[1]} × "
                        f"{rgb.shape[0]}: give the mask of this photo.")  # fmt: skip
    vertices = np.asarray(mesh.vertices, np.float64)
    if not len(mesh.faces) or not np.isfinite(vertices).all():
        raise MeshError(
            f"A mesh of {len(vertices)} vertices and {len(mesh.faces)} faces, some perhaps not finite, can't be "
            "assessed: give one with faces."
        )
    longest = float(np.ptp(vertices, axis=0).max())
    model = upload(mesh, device)
    size = longest if abs(longest - 1) > SAME_SIZE and longest > 0 else 1.0
    model = model._replace(vertices=model.vertices / size)
    factor = -(-max(soft.shape) // PHOTO_PX)
    camera = smaller(photo_camera(soft), factor)
    small = reduced(rgb, factor) / np.float32(255)
    solid = reduced(soft.astype(np.float32), factor) >= 0.5
    return Scene(mesh, model, longest, size, camera, small, solid, draw(model, camera, supersample=1))


def outline_of(picture: Picture) -> np.ndarray:
    """[H,W] bool, where a picture shows the garment."""
    return picture.alpha.cpu().numpy() >= 0.5


def colours_of(picture: Picture) -> np.ndarray:
    """[H,W,3] float32 in 0..1."""
    return picture.rgb.cpu().numpy().astype(np.float32)


def uv_of(scene: Scene) -> np.ndarray:
    """[V,2] float64 uv of a textured mesh, origin bottom-left."""
    visual: Any = scene.mesh.visual
    return np.asarray(visual.uv, np.float64)


def numbers(values: torch.Tensor) -> np.ndarray:
    """The tensor's values on the CPU."""
    return values.detach().cpu().numpy()
