"""Makes the bundled pictures of the T-shirt's sides and back: `python -m tests.truth.bundled_sides [folder]`.

They show the garment of tshirt.jpg, with a print on its back that no front photo could tell of; 640², under 60 kB.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from garment3d.camera import orbit
from garment3d.data import Camera
from garment3d.raster import rasterize

from .bundled import HW, examples, rgb
from .fabric import Fabric, motif
from .garments import TrueGarment, make_garment
from .orbit import SAMPLES, _averaged, albedo, shaded
from .photo import canonical_mesh, make_photo

SIDES = {"left": 90.0, "back": 180.0, "right": 270.0}
"""The wearer's, and the azimuth from which each is seen."""
SIDE_PX = 640


def printed_on_the_back(garment: TrueGarment) -> TrueGarment:
    """The garment whose back counts as its front, so that a chest print lies on it the right way round."""
    swapped = np.where(garment.panel <= 1, 1 - garment.panel, garment.panel)
    return garment._replace(panel=swapped, cloth=garment.cloth * np.array([-1, 1]))


def picture(garment: TrueGarment, vertices: np.ndarray, fabric: Fabric, camera: Camera) -> np.ndarray:
    """[H,W,3] uint8 of the garment over white; the light stands with the camera, as in a studio."""
    mesh = garment.mesh
    seen = rasterize(vertices, np.asarray(mesh.faces), camera, SAMPLES)
    index = np.flatnonzero(seen.face.numpy().ravel() >= 0)
    face, bary = seen.face.numpy().ravel()[index], seen.bary.numpy().reshape(-1, 3)[index]
    ray = np.asarray(mesh.triangles)[face].mean(1)  # only its direction towards the camera counts
    inside = (np.asarray(mesh.face_normals)[face] * (camera.c2w[:3, 3] * 1000 - ray)).sum(1) < 0
    smooth = (np.asarray(mesh.vertex_normals)[np.asarray(mesh.faces)[face]] * bary[..., None]).sum(1)
    smooth = np.where(inside[:, None], -smooth, smooth) @ camera.c2w[:3, :3]
    cloth = shaded(albedo(garment, fabric, face, bary, inside), smooth, inside)
    colours, soft = _averaged(index, cloth, camera.hw, SAMPLES)
    return (np.clip(colours + 1 - soft[..., None], 0, 1) * 255 + 0.5).astype(np.uint8)


def main(folder: Path) -> None:
    """Writes tshirt_left.jpg, tshirt_back.jpg and tshirt_right.jpg."""
    shirt = examples()[0]
    garment = make_garment(shirt.garment_class, shirt.seed, step_cm=0.5)
    photo = make_photo(garment, shirt.light_seed, HW, shirt.background, shirt.fabric)
    star = motif(np.random.default_rng(4), rgb("f6e3c0"), rgb("f08a4b"), style=0)
    fabric = shirt.fabric._replace(chest=star, chest_up=garment.pattern.chest_y)
    vertices = np.asarray(canonical_mesh(garment, photo).vertices)
    around = orbit(azimuths_deg=tuple(SIDES.values()), hw=(SIDE_PX, SIDE_PX))
    for name, camera in zip(SIDES, around.cameras, strict=True):
        pixels = picture(printed_on_the_back(garment), vertices, fabric, camera)
        Image.fromarray(pixels).save(folder / f"tshirt_{name}.jpg", quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "workflows" / "inputs")
