"""Faults planted into good garments, one at a time, each with the name that an assessment has to find.

A specimen is what one run of the pipeline gives; every function returns a new one and leaves the good one as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from PIL import Image
from scipy.ndimage import affine_transform, distance_transform_edt, map_coordinates
from trimesh.visual import TextureVisuals

from garment3d.camera import photo_camera
from garment3d.data import Views
from garment3d.garment.loops import boundary_loops
from garment3d.garment.texture import texture_garment
from garment3d.garment.texture.unwrap import uv_camera
from garment3d.raster import rasterize


class Specimen(NamedTuple):
    """A garment with its photo and its views."""

    name: str
    mesh: trimesh.Trimesh
    rgb: np.ndarray
    """[H,W,3] uint8."""
    soft: np.ndarray
    views: Views | None


class Planted(NamedTuple):
    """A specimen with one fault."""

    label: str
    fault: str
    """Name in FAULTS."""
    where: str
    """What the finding's `where` begins with: "view 140°" for a view's fault, else ""."""
    specimen: Specimen


MESH: dict[str, tuple[str, Callable[[Specimen], Specimen]]] = {
    "all faces flipped": ("flipped_normals", lambda s: all_flipped(s)),
    "a patch of 3 % flipped": ("flipped_normals", lambda s: patch_flipped(s, 0.03)),
    "a patch of 0.3 % flipped": ("flipped_normals", lambda s: patch_flipped(s, 0.003)),
    "stored normals negated": ("flipped_normals", lambda s: normals_negated(s)),
    "texture mirrored in its islands": ("mirrored_texture", lambda s: islands_mirrored(s)),
    "texture of the mirrored photo": ("mirrored_texture", lambda s: mirrored_bake(s)),
    "uv mirrored": ("mirrored_texture", lambda s: uv_mirrored(s)),
    "hole of 0.5 % in front": ("hole", lambda s: with_hole(s, 0.005, 1)),
    "hole of 4 % in front": ("hole", lambda s: with_hole(s, 0.04, 1)),
    "hole of 0.5 % behind": ("hole", lambda s: with_hole(s, 0.005, -1)),
    "texture halo 0.4 % wide": ("white_halo", lambda s: texture_halo(s, 0.004, 0.8)),
    "texture halo 1 % wide": ("white_halo", lambda s: texture_halo(s, 0.01, 0.8)),
    "5 % too large": ("wrong_scale", lambda s: scaled(s, 1.05)),
    "half the size": ("wrong_scale", lambda s: scaled(s, 0.5)),
    "in centimetres": ("wrong_scale", lambda s: scaled(s, 70.0)),
    "back through the front": ("self_intersection", lambda s: pushed_through(s)),
    "islands on each other": ("uv_overlap", lambda s: islands_together(s)),
    "hem capped": ("missing_opening", lambda s: capped(s)),
    "a fin on an edge": ("non_manifold", lambda s: with_fin(s)),
    "a loose scrap": ("loose_piece", lambda s: with_scrap(s)),
    "uv outside": ("uv_outside", lambda s: uv_moved_out(s)),
    "beside its photo by 5 %": ("misplaced", lambda s: moved(s, 0.05)),
}
VIEWS: dict[str, tuple[str, Callable[[Specimen, int], Specimen]]] = {
    "moved by 3 %": ("shifted_view", lambda s, k: view_moved(s, k, 0.03)),
    "moved by 6 %": ("shifted_view", lambda s, k: view_moved(s, k, 0.06)),
    "6 % too large": ("scaled_view", lambda s, k: view_scaled(s, k, 1.06)),
    "from 60° aside": ("wrong_view", lambda s, k: view_of_another(s, k, 60.0)),
    "white halo": ("white_halo", lambda s, k: view_halo(s, k)),
    "another colour": ("colour_drift", lambda s, k: view_tinted(s, k)),
    "empty": ("empty_view", lambda s, k: view_empty(s, k)),
}


def planted(specimen: Specimen) -> Iterator[Planted]:
    """Every fault in turn; those of a view in a view that the specimen's name picks, and a cast of all views."""
    for label, (fault, plant) in MESH.items():
        yield Planted(label, fault, "", plant(specimen))
    if specimen.views is None:
        return
    count = len(specimen.views.images)
    for i, (label, (fault, plant)) in enumerate(VIEWS.items()):
        k = 1 + (sum(map(ord, specimen.name)) + 5 * i) % (count - 1)
        where = f"view {specimen.views.orbit.azimuths_deg[k]:g}°"
        yield Planted(f"{label}", fault, where, plant(specimen, k))
    yield Planted("all views tinted", "colour_cast", "views", all_tinted(specimen))


def meshed(
    specimen: Specimen, vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, picture: Image.Image | None = None
) -> Specimen:
    """The specimen with another mesh, and perhaps another texture."""
    material = specimen.mesh.visual.material
    if picture is not None:
        material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture)
    visual = TextureVisuals(uv=uv, material=material)
    return specimen._replace(mesh=trimesh.Trimesh(vertices, faces, visual=visual, process=False))


def parts(specimen: Specimen) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copies of vertices, faces and uv."""
    mesh = specimen.mesh
    return np.array(mesh.vertices), np.array(mesh.faces), np.array(mesh.visual.uv)


def patch(specimen: Specimen, share: float, side: int = 1) -> np.ndarray:
    """[F] bool, a round patch of front (1) or back (-1) faces near the middle with that share of the area."""
    mesh = specimen.mesh
    normal, centre, area = np.asarray(mesh.face_normals), np.asarray(mesh.triangles_center), np.asarray(mesh.area_faces)
    facing = np.flatnonzero((normal[:, 2] * side > 0.6) & (area > 0))
    # Where the cloth is widest: an arm or a leg is too narrow for a large patch, its own middle is not.
    spot = centre[facing][np.abs(centre[facing][:, :2] - np.array([0.11, 0.02])).max(1).argmin()]
    order = facing[np.argsort(np.linalg.norm(centre[facing] - spot, axis=1))]
    taken = order[np.cumsum(area[order]) <= share * area.sum()]
    chosen = np.zeros(len(area), bool)
    chosen[taken] = True
    return chosen


def all_flipped(specimen: Specimen) -> Specimen:
    vertices, faces, uv = parts(specimen)
    return meshed(specimen, vertices, faces[:, ::-1], uv)


def patch_flipped(specimen: Specimen, share: float) -> Specimen:
    vertices, faces, uv = parts(specimen)
    chosen = patch(specimen, share)
    faces[chosen] = faces[chosen][:, ::-1]
    return meshed(specimen, vertices, faces, uv)


def normals_negated(specimen: Specimen) -> Specimen:
    mesh = specimen.mesh
    visual = TextureVisuals(uv=np.array(mesh.visual.uv), material=mesh.visual.material)
    normals = -np.array(mesh.vertex_normals)
    return specimen._replace(
        mesh=trimesh.Trimesh(
            np.array(mesh.vertices), np.array(mesh.faces), vertex_normals=normals, visual=visual, process=False
        )
    )


def atlas(specimen: Specimen) -> np.ndarray:
    """[S,S,3] uint8 copy of the texture."""
    return np.array(specimen.mesh.visual.material.baseColorTexture.convert("RGB"))


def island_of_face(specimen: Specimen) -> np.ndarray:
    """[F] number of each face's uv island."""
    faces = np.asarray(specimen.mesh.faces)
    labels = trimesh.graph.connected_component_labels(
        faces[:, [0, 1, 1, 2]].reshape(-1, 2), node_count=len(specimen.mesh.vertices)
    )
    return np.unique(labels[faces[:, 0]], return_inverse=True)[1]


def islands_mirrored(specimen: Specimen) -> Specimen:
    """Each island's picture mirrored where it lies: a print reads backwards."""
    vertices, faces, uv = parts(specimen)
    old = atlas(specimen)
    new, side = old.copy(), len(old)
    island = island_of_face(specimen)
    for number in range(island.max() + 1):
        own = uv[np.unique(faces[island == number])]
        low, high = np.floor(own.min(0) * side).astype(int), np.ceil(own.max(0) * side).astype(int)
        rows, columns = slice(side - high[1], side - low[1]), slice(low[0], high[0])
        new[rows, columns] = old[rows, columns][:, ::-1]
    return meshed(specimen, vertices, faces, uv, Image.fromarray(new))


def mirrored_bake(specimen: Specimen) -> Specimen:
    """Textured from the mirrored photo, as a wrong sign in a camera would."""
    done = texture_garment(
        specimen.mesh, np.ascontiguousarray(specimen.rgb[:, ::-1]), np.ascontiguousarray(specimen.soft[:, ::-1])
    )
    return specimen._replace(mesh=done.mesh)


def uv_mirrored(specimen: Specimen) -> Specimen:
    vertices, faces, uv = parts(specimen)
    return meshed(specimen, vertices, faces, uv * [-1, 1] + [1, 0])


def with_hole(specimen: Specimen, share: float, side: int) -> Specimen:
    vertices, faces, uv = parts(specimen)
    return meshed(specimen, vertices, faces[~patch(specimen, share, side)], uv)


def scaled(specimen: Specimen, factor: float) -> Specimen:
    vertices, faces, uv = parts(specimen)
    return meshed(specimen, vertices * factor, faces, uv)


def moved(specimen: Specimen, right: float) -> Specimen:
    vertices, faces, uv = parts(specimen)
    return meshed(specimen, vertices + np.array([right, 0, 0]), faces, uv)


def pushed_through(specimen: Specimen) -> Specimen:
    """A dent of the back that comes out of the front."""
    vertices, faces, uv = parts(specimen)
    chosen = patch(specimen, 0.03, -1)
    middle = vertices[np.unique(faces[chosen])].mean(0)
    near = np.exp(-(((vertices - middle) ** 2).sum(1)) / (2 * 0.05**2))
    behind = vertices[:, 2] < 0.5 * (vertices[:, 2].max() + vertices[:, 2].min())
    vertices[:, 2] += np.where(behind, near * 1.3 * np.ptp(vertices[:, 2]), 0)
    return meshed(specimen, vertices, faces, uv)


def islands_together(specimen: Specimen) -> Specimen:
    """The second island moved onto the first, whose colours it then shows."""
    vertices, faces, uv = parts(specimen)
    island = island_of_face(specimen)
    first, second = np.argsort(-np.bincount(island))[:2]
    one, two = (np.unique(faces[island == number]) for number in (first, second))
    uv[two] += uv[one].mean(0) - uv[two].mean(0)
    return meshed(specimen, vertices, faces, uv)


def uv_moved_out(specimen: Specimen) -> Specimen:
    vertices, faces, uv = parts(specimen)
    return meshed(specimen, vertices, faces, uv + np.array([0.0, 0.6]))


def capped(specimen: Specimen) -> Specimen:
    """The longest loop closed by a fan."""
    vertices, faces, uv = parts(specimen)
    loop = boundary_loops(specimen.mesh)[0]
    fan = np.stack([np.roll(loop, -1), loop, np.full(len(loop), len(vertices))], 1)
    return meshed(
        specimen,
        np.concatenate([vertices, vertices[loop].mean(0, keepdims=True)]),
        np.concatenate([faces, fan]),
        np.concatenate([uv, uv[loop[:1]]]),
    )


def with_fin(specimen: Specimen) -> Specimen:
    vertices, faces, uv = parts(specimen)
    edge = faces[np.flatnonzero(patch(specimen, 0.01))[0]][:2]
    tip = vertices[edge].mean(0) + np.array([0, 0, 0.05])
    fin = np.array([[*edge, len(vertices)]])
    return meshed(specimen, np.vstack([vertices, tip]), np.vstack([faces, fin]), np.vstack([uv, uv[edge[:1]]]))


def with_scrap(specimen: Specimen) -> Specimen:
    """A small triangle that hangs in the air before the chest."""
    vertices, faces, uv = parts(specimen)
    scrap = np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0], [0.0, 0.02, 0.0]]) + np.array(
        [0, 0, vertices[:, 2].max() + 0.03]
    )
    new = len(vertices) + np.arange(3)[None]
    return meshed(specimen, np.vstack([vertices, scrap]), np.vstack([faces, new]), np.vstack([uv, uv[:3]]))


def texture_halo(specimen: Specimen, width: float, strength: float) -> Specimen:
    """The photo's background on all texels that lie within `width` canonical units of its outline."""
    vertices, faces, uv = parts(specimen)
    pixels = atlas(specimen).astype(np.float32)
    seen = rasterize(np.concatenate([uv, np.zeros((len(uv), 1))], 1), faces, uv_camera(len(pixels)))
    row, column = np.nonzero(seen.face.numpy() >= 0)
    face, bary = seen.face.numpy()[row, column], seen.bary.numpy()[row, column]
    point = (vertices[faces[face]] * bary[..., None]).sum(1)
    camera = photo_camera(specimen.soft)
    inside = distance_transform_edt(specimen.soft >= 0.5)
    where = [camera.center_px[1] - point[:, 1] * camera.focal_px, camera.center_px[0] + point[:, 0] * camera.focal_px]
    depth = map_coordinates(inside, np.stack(where) - 0.5, order=1, mode="nearest") / camera.focal_px
    share = strength * np.clip(2 * (1 - depth / width), 0, 1)[:, None]
    pixels[row, column] += share * (background(specimen) - pixels[row, column])
    return meshed(specimen, vertices, faces, uv, Image.fromarray(pixels.round().astype(np.uint8)))


def background(specimen: Specimen) -> np.ndarray:
    """[3] usual colour of the photo beside the garment, 0..255."""
    return np.median(specimen.rgb[specimen.soft < 0.02], axis=0)


def contrast(specimen: Specimen) -> float:
    """How far cloth and background are apart, sRGB in 0..1: below about 0.2 nobody sees a halo."""
    cloth = np.median(specimen.rgb[specimen.soft > 0.98], axis=0)
    return float(np.linalg.norm(cloth - background(specimen)) / 255)


def with_view(specimen: Specimen, index: int, rgb: np.ndarray, soft: np.ndarray) -> Specimen:
    views = specimen.views
    assert views is not None
    images, masks = views.images.clone(), views.masks.clone()
    images[index], masks[index] = torch.from_numpy(rgb.astype(np.float32)), torch.from_numpy(soft.astype(np.float32))
    return specimen._replace(views=Views(images, masks, views.orbit, views.seeds))


def view_arrays(specimen: Specimen, index: int) -> tuple[np.ndarray, np.ndarray]:
    assert specimen.views is not None
    return specimen.views.images[index].numpy().copy(), specimen.views.masks[index].numpy().copy()


def view_moved(specimen: Specimen, index: int, share: float) -> Specimen:
    """To the right and down by `share` of the picture's side, all in all."""
    rgb, soft = view_arrays(specimen, index)
    down, right = round(0.6 * share * len(rgb)), round(0.8 * share * len(rgb))
    moved_rgb, moved_soft = np.ones_like(rgb), np.zeros_like(soft)
    moved_rgb[down:, right:], moved_soft[down:, right:] = rgb[:-down, :-right], soft[:-down, :-right]
    return with_view(specimen, index, moved_rgb, moved_soft)


def view_scaled(specimen: Specimen, index: int, factor: float) -> Specimen:
    rgb, soft = view_arrays(specimen, index)
    middle = (len(rgb) - 1) / 2 * (1 - 1 / factor)

    def grown(channel: np.ndarray, outside: float) -> np.ndarray:
        return affine_transform(channel, np.full(2, 1 / factor), middle, order=1, cval=outside)

    return with_view(specimen, index, np.stack([grown(c, 1.0) for c in np.moveaxis(rgb, 2, 0)], 2), grown(soft, 0.0))


def view_of_another(specimen: Specimen, index: int, away_deg: float) -> Specimen:
    """The picture from so many degrees on, or nearly, in the place of this one."""
    assert specimen.views is not None
    steps = round(away_deg / specimen.views.orbit.azimuths_deg[1])
    return with_view(specimen, index, *view_arrays(specimen, (index + steps) % len(specimen.views.images)))


def view_halo(specimen: Specimen, index: int, width: float = 0.008, strength: float = 0.8) -> Specimen:
    """White over the cloth's rim, `width` of the picture's side wide."""
    rgb, soft = view_arrays(specimen, index)
    depth = distance_transform_edt(soft >= 0.5) / (width * len(rgb))
    share = strength * np.clip(2 * (1 - depth), 0, 1)[..., None] * (soft > 0)[..., None]
    return with_view(specimen, index, rgb + share * (1 - rgb), soft)


def view_tinted(specimen: Specimen, index: int) -> Specimen:
    rgb, soft = view_arrays(specimen, index)
    return with_view(specimen, index, tinted(rgb, soft, (1.1, 0.85, 0.75)), soft)


def view_empty(specimen: Specimen, index: int) -> Specimen:
    rgb, soft = view_arrays(specimen, index)
    return with_view(specimen, index, np.ones_like(rgb), np.zeros_like(soft))


def all_tinted(specimen: Specimen) -> Specimen:
    assert specimen.views is not None
    for index in range(len(specimen.views.images)):
        rgb, soft = view_arrays(specimen, index)
        specimen = with_view(specimen, index, tinted(rgb, soft, (1.08, 1.0, 0.8)), soft)
    return specimen


def tinted(rgb: np.ndarray, soft: np.ndarray, gain: tuple[float, float, float]) -> np.ndarray:
    """The cloth through a coloured glass, dark cloth too."""
    through = np.clip((0.92 * rgb + 0.04) * gain, 0, 1)
    return rgb + soft[..., None] * (through - rgb)


def saved_too_long(folder: Path, specimen: Specimen, length_cm: float, factor: float) -> Path:
    """A GLB of the specimen that is `factor` times as high as `length_cm`."""
    from garment3d.export.mesh import mesh_files

    file = mesh_files(specimen.mesh, length_cm=length_cm * factor, formats=("glb",))[0]
    path = folder / f"{specimen.name}_{factor:g}.glb"
    path.write_bytes(file.data)
    return path
