"""Views made ready to colour a mesh: trusted only where cloth is cloth, laid to the mesh, in the photo's tones.

Pictures that a network painted fit neither the mesh nor each other; what can be known of that is settled here, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...camera import photo_camera
from ...data import Camera, Views
from ...errors import ViewsError
from ...images import reduced
from .lay import LEAST_AGREEMENT, Laid, Stage, follow, lay
from .looks import Look, look, places_on
from .register import Moved, register
from .tone import Tone, tones
from .trust import strip_of, trust_of

if TYPE_CHECKING:
    import trimesh

PHOTO_PX = 800
UNKNOWN_ERROR = 20.0
"""What a view that shares nothing with the photo is taken to err by, in 8-bit steps."""
MOST_VIEWS = 72
"""Every 5° of a turn; each takes some 10 MB while it is laid, and is held against every other."""
LEAST_PX = 12
"""A mask of fewer pixels shows no garment."""


@dataclass(frozen=True, eq=False)
class Source:
    """One view, ready to colour the mesh."""

    rgb: torch.Tensor
    """[3,H,W] float32 sRGB 0..255, in the photo's tones."""
    trust: torch.Tensor
    """[H,W] float32: 0 outside the garment and in a strip along its edge, 1 inside."""
    camera: Camera
    """Registered: the picture's shift and scale are in its principal point and focal length."""
    azimuth_deg: float
    error: float
    """RMS in 8-bit steps against the photo where both see the garment, through neighbours where they don't, and
    UNKNOWN_ERROR where nothing leads from the view to the photo."""
    agreement: float
    """IoU of the picture's mask and the mesh's silhouette after registration, before any bending."""
    moved: Moved


class Prepared(NamedTuple):
    """The views that can colour the mesh, in their own order."""

    sources: tuple[Source, ...]
    warnings: tuple[str, ...]


def view_sources(
    mesh: trimesh.Trimesh,
    views: Views,
    rgb: np.ndarray,
    soft: np.ndarray,
    back: tuple[np.ndarray, np.ndarray] | None = None,
    device: str | torch.device = "cpu",
) -> Prepared:
    """Prepared sources, one per view that shows the garment; no view that does raises ViewsError.

    Args:
        mesh: In the canonical frame of `photo_camera(soft)`.
        views: Of the same garment, cameras in the same frame.
        rgb: [H,W,3] uint8 photo with its mask `soft`.
        back: A photo of the back and its mask, whose tones count as the photo's do.
    """
    shown = _shown(views)
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    stage = Stage(vertices, faces, places_on(vertices, faces), device)
    fixed = [_photo_look(stage, rgb, soft, photo_camera(soft))]
    if back is not None:
        fixed.append(_photo_look(stage, *back, _back_camera(stage, back[1])))
    laid = [lay(stage, views, i) for i in shown]
    matched = _tones(stage, fixed, laid)
    followed = follow(stage, fixed, laid, matched)
    if any(new is not old for new, old in zip(followed, laid, strict=True)):
        laid, matched = followed, _tones(stage, fixed, followed)
    sources = tuple(_source(one, tone, device) for one, tone in zip(laid, matched, strict=True))
    return Prepared(sources, (*_left_out(views, shown), *_other_shapes(sources)))


def _tones(stage: Stage, fixed: Sequence[Look], laid: Sequence[Laid]) -> tuple[Tone, ...]:
    return tones(stage.places.points, fixed, [one.look for one in laid])


def _source(laid: Laid, tone: Tone, device: str | torch.device) -> Source:
    matrix = torch.as_tensor(tone.matrix, dtype=torch.float32)
    pixels = torch.einsum("ck,khw->chw", matrix[:, :3], laid.rgb) + 255 * matrix[:, 3, None, None]
    camera, moved, agreement = laid.registered[:3]
    error = tone.error if tone.tied else UNKNOWN_ERROR
    rgb, trust = pixels.clamp_(0, 255).to(device), laid.trust.to(device)
    return Source(rgb, trust, camera, laid.azimuth_deg, error, agreement, moved)


def _photo_look(stage: Stage, rgb: np.ndarray, soft: np.ndarray, camera: Camera) -> Look:
    """The places in a photo; it is read at most PHOTO_PX large, which is still finer than the views are compared."""
    step = -(-max(soft.shape) // PHOTO_PX)
    small, mask = reduced(rgb, step), reduced(soft, step)
    center = (camera.center_px[0] / step, camera.center_px[1] / step)
    camera = replace(camera, focal_px=camera.focal_px / step, center_px=center, hw=mask.shape)
    trust = torch.from_numpy(trust_of(strip_of(small, mask)))
    return look(stage.places, stage.depths(camera), camera, torch.from_numpy(small.transpose(2, 0, 1).copy()), trust)


def _back_camera(stage: Stage, soft: np.ndarray) -> Camera:
    """The camera of a photo of the back: orthographic along +Z, laid to the mesh by its mask."""
    camera = photo_camera(soft)
    c2w = np.diag([-1.0, 1.0, -1.0, 1.0])
    c2w[2, 3] = -camera.c2w[2, 3]
    camera = replace(camera, c2w=c2w)
    return register(stage.depths(camera), camera, soft).camera


def _shown(views: Views) -> list[int]:
    """Which views show the garment."""
    count = len(views.images)
    if not count:
        raise ViewsError("There are no views: give one picture or more, or bake without views.")
    if count > MOST_VIEWS:
        raise ViewsError(
            f"There are {count} views; give at most {MOST_VIEWS}, such as every {-(-count // MOST_VIEWS)}. picture."
        )
    if not bool(torch.isfinite(views.images).all() & torch.isfinite(views.masks).all()):
        raise ViewsError("The views hold pixels that are no numbers (NaN or infinite): make the pictures again.")
    shown = [i for i in range(count) if int((views.masks[i] >= 0.5).sum()) >= LEAST_PX]
    if not shown:
        raise ViewsError(f"None of the {count} views shows the garment: their masks are empty; give other masks.")
    return shown


def _left_out(views: Views, shown: list[int]) -> tuple[str, ...]:
    empty = [a for i, a in enumerate(views.orbit.azimuths_deg) if i not in shown]
    if not empty:
        return ()
    verbs = ("shows", "is") if len(empty) == 1 else ("show", "are")
    return (f"{_named(empty)} {verbs[0]} no garment and {verbs[1]} left out.",)


def _other_shapes(sources: tuple[Source, ...]) -> tuple[str, ...]:
    other = [source for source in sources if source.agreement < LEAST_AGREEMENT]
    if not other:
        return ()
    worst, verb = min(source.agreement for source in other), "shows" if len(other) == 1 else "show"
    return (
        f"{_named([source.azimuth_deg for source in other])} {verb} another outline than the mesh (they agree to "
        f"{worst:.0%}, {LEAST_AGREEMENT:.0%} is the least that fits): only what lies well inside both is used.",
    )


def _named(azimuths_deg: Sequence[float]) -> str:
    places = [f"{azimuth:g}°" for azimuth in azimuths_deg]
    return f"The view at {places[0]}" if len(places) == 1 else f"The views at {', '.join(places)}"
