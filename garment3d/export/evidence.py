"""What an assessment means in pictures: the front beside its photo, the sides, every view, and a sight per finding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..camera import orbit, orbit_radius
from ..data import Views
from ..images import to_uint8
from ..quality.findings import Finding, Quality
from ..render import Model, draw, upload
from . import evidence_mesh
from .likeness_pictures import Framed, cut_out, difference, framed, outlined, outlines
from .stills import cutouts

if TYPE_CHECKING:
    import trimesh

FRONT_PX, SIDE_PX = 640, 360
ZOOM = 5
"""A close look is this much closer."""
DARK = 0.16
"""Grey behind a close look at an edge, where a light rim shows."""
MOST = 8
"""Findings that get pictures: beyond these a person reads the table of the views."""
SIDES_DEG = ((35.0, "From 35°"), (90.0, "The wearer's left"), (180.0, "The back"), (270.0, "The wearer's right"))


class Sight(NamedTuple):
    """A picture and what it shows."""

    caption: str
    pixels: np.ndarray
    """[H,W,4] uint8, colours not multiplied by alpha."""


class Evidence(NamedTuple):
    """The pictures of an assessment."""

    front: tuple[Sight, Sight, Sight]
    """The photo with its outline, the garment from the photo's camera, and where they differ."""
    sides: tuple[Sight, ...]
    views: tuple[Sight, ...]
    """All views, captions such as "140°"; empty without views."""
    findings: tuple[tuple[Sight, ...], ...]
    """For each finding of the assessment up to three pictures; none where a picture says nothing."""


class _Scene(NamedTuple):
    """What all pictures are made from."""

    mesh: trimesh.Trimesh
    model: Model
    photo: Framed
    seen: np.ndarray
    """[H,W,3] float32, the garment from the photo's camera over the photo's white."""
    seen_soft: np.ndarray
    views: Views | None
    cutouts: np.ndarray
    """[V,H,W,4] uint8; no rows without views."""
    quality: Quality


def evidence(
    mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, views: Views | None, quality: Quality, device: str = "cpu"
) -> Evidence:
    """The Evidence for the assessment of a canonical mesh made from [H,W,3] uint8 and its [H,W] mask.

    A finding whose picture is there already, as the front's, and those beyond the first MOST, get none.
    """
    scene = _scene(mesh, rgb, soft, views, quality, device)
    names = () if views is None else tuple(f"{azimuth:g}°" for azimuth in views.orbit.azimuths_deg)
    strip = tuple(Sight(name, pixels) for name, pixels in zip(names, scene.cutouts, strict=True))
    return Evidence(_front(scene), _sides(scene), strip, _of_findings(scene))


def _scene(
    mesh: trimesh.Trimesh, rgb: np.ndarray, soft: np.ndarray, views: Views | None, quality: Quality, device: str
) -> _Scene:
    model = upload(mesh, device)
    photo = framed(rgb, soft, FRONT_PX)
    drawn = draw(model, photo.camera)
    pictures = np.zeros((0, 1, 1, 4), np.uint8) if views is None else _cut(views)
    return _Scene(mesh, model, photo, drawn.rgb.cpu().numpy(), drawn.alpha.cpu().numpy(), views, pictures, quality)


def _cut(views: Views) -> np.ndarray:
    """[V,H,W,4] uint8: a plain background is taken out of the soft edges, any other stays in them."""
    outside = views.images[views.masks == 0]
    if len(outside) and float((outside.amax(0) - outside.amin(0)).max()) > 2 / 255:
        return to_uint8(np.concatenate([views.images.cpu().numpy(), views.masks.cpu().numpy()[..., None]], -1))
    r, g, b = outside[0].tolist() if len(outside) else (1.0, 1.0, 1.0)
    return cutouts(views, (r, g, b))


def _front(scene: _Scene) -> tuple[Sight, Sight, Sight]:
    photo = scene.photo
    apart = difference(scene.seen, scene.seen_soft, photo.rgb / np.float32(255), photo.soft)
    return (
        Sight("The photo and its outline", outlined(photo.rgb, photo.soft)),
        Sight("The garment from the same place", _bare(scene.seen, scene.seen_soft)),
        Sight("Where they differ", apart),
    )


def _sides(scene: _Scene) -> tuple[Sight, ...]:
    radius = orbit_radius(np.asarray(scene.mesh.vertices), least=0.0, fov_deg=evidence_mesh.FOV_DEG)
    around = orbit(
        radius=radius,
        fov_deg=evidence_mesh.FOV_DEG,
        azimuths_deg=[azimuth for azimuth, _ in SIDES_DEG],
        hw=(SIDE_PX, SIDE_PX),
    )
    sights = []
    for camera, (_, caption) in zip(around.cameras, SIDES_DEG, strict=True):
        drawn = draw(scene.model, camera, shading="soft")
        sights.append(Sight(caption, _bare(drawn.rgb.cpu().numpy(), drawn.alpha.cpu().numpy())))
    return tuple(sights)


def _of_findings(scene: _Scene) -> tuple[tuple[Sight, ...], ...]:
    shown: set[str] = set()
    rows = []
    for finding in scene.quality.findings:
        kind = _kind(finding)
        fresh = kind and kind not in shown and len(shown) < MOST
        shown.add(kind) if fresh else None
        rows.append(_pictures(scene, finding, kind) if fresh else ())
    return tuple(rows)


def _kind(finding: Finding) -> str:
    """Which pictures show a finding, or nothing where none do."""
    if finding.where.startswith("view") and _azimuth_deg(finding) is not None:
        return finding.where
    kinds = {
        "flipped_normals": "facing",
        "hole": "hole",
        "self_intersection": "crossing",
        "loose_piece": "pieces",
        "mirrored_texture": "mirrored",
        "white_halo": "halo",
        "uv_overlap": "atlas",
        "uv_outside": "atlas",
        "atlas_waste": "atlas",
        "front_back": "front and back",
    }
    return kinds.get(finding.fault, "")


def _pictures(scene: _Scene, finding: Finding, kind: str) -> tuple[Sight, ...]:
    mesh, azimuth_deg = scene.mesh, _azimuth_deg(finding)
    if kind.startswith("view") and azimuth_deg is not None:
        return _view(scene, azimuth_deg)
    if kind == "front and back":
        return _front_and_back(scene)
    if kind == "mirrored":
        return _mirrored(scene)
    if kind == "halo":
        return _halo(scene)
    pixels = {
        "facing": evidence_mesh.facing,
        "crossing": evidence_mesh.crossing,
        "pieces": evidence_mesh.pieces,
        "atlas": evidence_mesh.atlas,
        "hole": lambda mesh: evidence_mesh.holes(mesh, scene.quality.shape.unexpected_loops),
    }[kind](mesh)
    return tuple(Sight(caption, picture) for caption, picture in pixels)


def _azimuth_deg(finding: Finding) -> float | None:
    found = re.search(r"-?\d+(\.\d+)?", finding.where)
    return float(found[0]) if found else None


def _view(scene: _Scene, azimuth_deg: float) -> tuple[Sight, ...]:
    """A view, the garment drawn from its camera, and where they differ; nothing where no view stands there."""
    place = _nearest(scene.views, azimuth_deg, 0.51)
    if scene.views is None or place is None:
        return ()
    view, view_soft = scene.views.images[place].cpu().numpy(), scene.views.masks[place].cpu().numpy()
    camera = scene.views.orbit.cameras[place]
    # Views are lit or not, whoever made them: held against the other kind all of a garment would differ.
    both = [draw(scene.model, camera), draw(scene.model, camera, shading="soft")]
    drawn = min(both, key=lambda picture: float(np.abs(picture.rgb.cpu().numpy() - view).mean()))
    seen, soft = drawn.rgb.cpu().numpy(), drawn.alpha.cpu().numpy()
    name = f"{azimuth_deg:g}°"
    return (
        Sight(f"The view at {name}", scene.cutouts[place]),
        Sight("The garment from there", _bare(seen, soft)),
        Sight("Where the view differs", difference(view, view_soft, seen, soft)),
    )


def _front_and_back(scene: _Scene) -> tuple[Sight, ...]:
    front, back = _nearest(scene.views, 0.0, 20.0), _nearest(scene.views, 180.0, 20.0)
    if scene.views is None or front is None or back is None:
        return ()
    masks = scene.views.masks.cpu().numpy()
    return (
        Sight("The view in front", scene.cutouts[front]),
        Sight("The view behind, mirrored", scene.cutouts[back][:, ::-1]),
        Sight("Where the outlines differ", outlines(masks[back][:, ::-1], masks[front])),
    )


def _nearest(views: Views | None, azimuth_deg: float, within_deg: float) -> int | None:
    """Index of the view nearest to an azimuth, or None."""
    if views is None or not views.orbit.azimuths_deg:
        return None
    away = [abs((own - azimuth_deg + 180) % 360 - 180) for own in views.orbit.azimuths_deg]
    return int(np.argmin(away)) if min(away) <= within_deg else None


def _mirrored(scene: _Scene) -> tuple[Sight, ...]:
    photo = scene.photo
    return (
        Sight("The photo", cut_out(photo.rgb, photo.soft)),
        Sight("The garment", _bare(scene.seen, scene.seen_soft)),
        Sight("The photo, mirrored", cut_out(photo.rgb, photo.soft)[:, ::-1]),
    )


def _halo(scene: _Scene) -> tuple[Sight, ...]:
    """The part of the outline where the garment is nearest to the photo's background, beside the photo, over dark."""
    from scipy.ndimage import binary_erosion, uniform_filter

    photo, inside = scene.photo, np.minimum(scene.seen_soft, scene.photo.soft) > 0.9
    outside = photo.soft < 0.05
    behind = np.median(photo.rgb[outside], 0) / 255 if outside.any() else np.ones(3)
    rim = inside & ~np.asarray(binary_erosion(inside, iterations=max(3, FRONT_PX // 160)))
    leans = np.exp(-8 * np.linalg.norm(scene.seen - behind, axis=-1)) * rim
    side = max(photo.soft.shape) // ZOOM
    y, x = np.unravel_index(int(np.argmax(uniform_filter(leans, side, mode="constant"))), leans.shape)
    top = int(np.clip(y - side // 2, 0, max(leans.shape[0] - side, 0)))
    left = int(np.clip(x - side // 2, 0, max(leans.shape[1] - side, 0)))
    part = np.s_[top : top + side, left : left + side]
    drawn = _bare(scene.seen, scene.seen_soft)
    return (
        Sight("The garment's edge, over dark", _enlarged(drawn[part])),
        Sight("The photo there", _enlarged(cut_out(photo.rgb, np.ones(photo.soft.shape))[part])),
    )


def _enlarged(pixels: np.ndarray) -> np.ndarray:
    """[S,S,4] uint8 of a small [h,w,4] picture, opaque, dark behind."""
    from PIL import Image

    ground = Image.new("RGBA", (pixels.shape[1], pixels.shape[0]), (round(255 * DARK),) * 3 + (255,))
    whole = Image.alpha_composite(ground, Image.fromarray(pixels))
    return np.asarray(whole.resize((SIDE_PX, round(SIDE_PX * whole.height / whole.width)), Image.Resampling.BICUBIC))


def _bare(rgb: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8 of a [H,W,3] picture in 0..1 drawn over white, without the white."""
    alpha = soft[..., None]
    return cut_out(np.where(alpha > 0, (rgb - (1 - alpha)) / np.maximum(alpha, 1e-4), 0), soft)
