"""Solids with closed-form area, volume, silhouette and uv: the truth that tests compare against."""

from __future__ import annotations

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

CUBE_COLORS = {
    "+X": (255, 0, 0), "-X": (0, 255, 255), "+Y": (0, 255, 0), "-Y": (255, 0, 255),
    "+Z": (0, 0, 255), "-Z": (255, 255, 0),
}  # fmt: skip
"""Linear and sRGB alike: 0 and 255 are the same in both."""


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """s, t in 0..1 [(rows+1)(columns+1)] and faces [F,3], counter-clockwise where s runs right and t up."""
    s, t = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    above = corner + columns + 1
    faces = np.concatenate([np.stack([corner, corner + 1, above + 1], 1), np.stack([corner, above + 1, above], 1)])
    return s.ravel(), t.ravel(), faces


def sphere(radius: float = 0.4, rows: int = 48) -> trimesh.Trimesh:
    """Closed, outward faces; area 4πr², volume 4πr³/3, silhouette a disc (inscribed, so slightly below)."""
    return trimesh.creation.uv_sphere(radius, count=[rows, 2 * rows])


def tube(radius: float = 0.3, height: float = 0.8, around: int = 96, rows: int = 24) -> trimesh.Trimesh:
    """Open along Y at both ends, outward faces, area 2πrh; uv (angle from -Z over +X, height), split at -Z."""
    s, t, faces = grid(rows, around)
    angle = 2 * np.pi * s - np.pi
    vertices = np.stack([radius * np.sin(angle), height * (t - 0.5), radius * np.cos(angle)], 1)
    vertices[s == 1] = vertices[s == 0]
    return textured(vertices, faces, np.stack([s, t], 1), Image.new("RGB", (4, 4), (128, 128, 128)))


def cube(side: float = 0.6) -> trimesh.Trimesh:
    """A box with a colour for each side (CUBE_COLORS), corners not shared between sides."""
    box = trimesh.creation.box((side, side, side))
    axis = np.abs(box.face_normals).argmax(1)
    names = [f"{'+' if normal[i] > 0 else '-'}{'XYZ'[i]}" for normal, i in zip(box.face_normals, axis, strict=True)]
    vertices, faces = box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3)
    colors = np.repeat([CUBE_COLORS[name] for name in names], 3, 0)
    return trimesh.Trimesh(vertices, faces, vertex_colors=colors, process=False)


def plane(image: np.ndarray, length: float = 1.0, divisions: int = 1, turn: int = 0) -> trimesh.Trimesh:
    """A sheet facing +Z that carries a [H,W,3] uint8 image; its longest side is `length`, area length²·short/long."""
    height, width = image.shape[:2]
    s, t, faces = grid(divisions, divisions)
    scale = length / max(height, width)
    vertices = np.stack([(s - 0.5) * width * scale, (t - 0.5) * height * scale, np.zeros_like(s)], 1)
    return textured(vertices, np.roll(faces, turn, 1), np.stack([s, t], 1), Image.fromarray(image))


def textured(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, image: Image.Image) -> trimesh.Trimesh:
    visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=image))
    return trimesh.Trimesh(vertices, faces, visual=visual, process=False)
