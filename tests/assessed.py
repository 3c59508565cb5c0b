"""A red tube with a check, its photo, and assessments of it that say what a test wants them to say."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import trimesh
from PIL import Image

from garment3d.camera import orbit
from garment3d.data import Camera, Views
from garment3d.garment.platforms import Budget, BudgetCheck, Load
from garment3d.quality.findings import Finding, Quality, ShapeFigures, TextureFigures, ViewFigures
from garment3d.render import render
from garment3d.views.rendered import rendered_orbit
from tests.solids import textured, tube

RADIUS, HEIGHT = 0.3, 1.0
AZIMUTHS = (0.0, 90.0, 180.0, 270.0)


def checked_tube() -> trimesh.Trimesh:
    """A red tube with a 64 px check of darker red."""
    rows, columns = np.mgrid[:512, :512] // 64
    pixels = np.where(((rows + columns) % 2)[..., None], (220, 30, 30), (150, 20, 20)).astype(np.uint8)
    plain = tube(RADIUS, HEIGHT)
    return textured(plain.vertices, plain.faces, plain.visual.uv, Image.fromarray(pixels))


def photo_of(mesh, height_px=200, hw=(240, 200)) -> tuple[np.ndarray, np.ndarray]:
    """A photo of the mesh over near-white and its mask, from the camera that the mask gives."""
    camera = Camera("orthographic", float(height_px), (hw[1] / 2, hw[0] / 2), np.diag([1.0, 1, 1, 1]), hw)
    camera.c2w[2, 3] = 2
    drawn = render(mesh, camera, (0.95, 0.95, 0.94))
    return (drawn.rgb.numpy() * 255 + 0.5).astype(np.uint8), drawn.alpha.numpy()


@cache
def tube_and_photo() -> tuple[trimesh.Trimesh, np.ndarray, np.ndarray]:
    mesh = checked_tube()
    return mesh, *photo_of(mesh)


@cache
def tube_views() -> Views:
    """Views every 90°, unlit; the one at 90° is 20 px to the right of its place."""
    views = rendered_orbit(tube_and_photo()[0], orbit(azimuths_deg=AZIMUTHS, hw=(96, 96)), shading="unlit")
    images, masks = views.images.clone(), views.masks.clone()
    images[1], masks[1] = torch.ones_like(images[1]), torch.zeros_like(masks[1])
    images[1, :, 20:], masks[1, :, 20:] = views.images[1, :, :-20], views.masks[1, :, :-20]
    return Views(images, masks, views.orbit, (None, 7, 7, 2**64 - 1))


def assessed(**changes) -> Quality:
    """A rejected tube: a finding of each kind that a report treats in its own way, numbers that JSON has not."""
    nan, inf = float("nan"), float("inf")
    whole = Quality(
        verdict="reject",
        sentence="Reject: <b>bold</b> & wrong.",
        findings=(
            Finding("hole", "fail", "mesh", 0.0512345678, 0.0, "A hole of <i>5 %</i>."),
            Finding("shifted_view", "warn", "view 90°", 20.0, 2.5, "The view at 90° lies 20 px aside."),
            Finding("wrong_scale", "fail", "mesh", inf, 0.01, "Of no size."),
        ),
        silhouette_iou=0.98765432,
        shape=ShapeFigures(3, 0, 1, ("neck", "cuff_l"), nan, np.float64(-0.25)),
        texture=TextureFigures(0.01, 0.0, inf, 0.71, 31.25, nan, np.float32(0.5)),
        views=tuple(
            ViewFigures(azimuth, iou, (x, 0.0), 1.0, 2.0, seed, bad)
            for azimuth, iou, x, seed, bad in zip(
                AZIMUTHS, (0.99, 0.5, nan, 0.98), (0, 20, nan, 0), (None, 7, 7, 2**64 - 1), (False, True, True, False),
                strict=True,
            )
        ),
        notes=("Whether <it> is mirrored can't be told.",),
    )  # fmt: skip
    return whole._replace(**changes)


def good() -> Quality:
    views = tuple(view._replace(silhouette_iou=0.99, shift_px=(0.0, 0.0), bad=False) for view in assessed().views)
    return assessed(verdict="good", sentence="Good: all of it.", findings=(), notes=(), views=views)


BUDGETS = (
    BudgetCheck("vrchat-mobile-good", False, Load(4608, 0.5, 1), Budget(10_000, 18, 1), 'Over its "share".'),
    BudgetCheck("vrchat-pc-good", True, Load(4608, 1.33, 1), Budget(70_000, 75, 8), "Within."),
    BudgetCheck("godot", True, Load(4608, float("inf"), 1), Budget(None, None, None), "No bound."),
    BudgetCheck("of <tomorrow>", True, Load(4608, 1.0, 1), Budget(9000, None, None), "Unknown here."),
)
