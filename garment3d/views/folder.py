"""Views out of a folder of pictures: one that this pack saved with its cameras, or anyone's, named by azimuth or not.

So an orbit can be made, or touched up, anywhere and still colour the garment.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..camera import orbit
from ..data import Camera, Orbit, Photo, Views
from ..errors import ViewsError
from ..images import read_photo
from .pictures import views_from_images

CAMERAS = "cameras.json"
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
SIDES_DEG = {"front": 0.0, "left": 90.0, "back": 180.0, "right": 270.0}
"""Left and right from the wearer's side, as the openings are named."""
WORD = re.compile(r"[a-z]+")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def read_views(folder: str | Path) -> Views:
    """Views [V,H,W] of the pictures in a folder, their masks from alpha or from what stands before a plain background.

    With this pack's cameras.json, in the folder or beside it, the pictures and cameras are the ones it lists. Else all
    pictures count, at the azimuths in their names (`040.png`, `view_040.png`), or the sides in them (`shirt_back.png`),
    where left is the wearer's left, or evenly around from the front.

    Raises:
        ViewsError: no folder, no pictures, pictures of several sizes, or a camera file that can't be used.
        PhotoError, MaskError, UnclearGarment: a picture that can't be read, or shows no garment.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ViewsError(f"{folder} is not a folder; give the folder that holds the views' pictures.")
    whole = folder.resolve()  # "." has neither a name nor a parent
    for place in (whole, whole.parent):
        file = place / CAMERAS
        # The file beside the folder counts only where it speaks of this folder's pictures.
        if file.is_file() and (place == whole or f'"{whole.name}/' in file.read_text("utf-8", errors="replace")):
            return _listed(file)
    paths = sorted((p for p in folder.iterdir() if _is_picture(p)), key=_natural)
    if not paths:
        kinds = ", ".join(sorted(suffix[1:].upper() for suffix in SUFFIXES))
        raise ViewsError(f"{folder} holds no pictures; put the views there as {kinds}.")
    images = _stacked(paths)
    azimuths_deg = _azimuths_deg([path.stem for path in paths])
    return views_from_images(images, orbit(azimuths_deg=azimuths_deg, hw=(images.shape[1], images.shape[2])))


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _natural(path: Path) -> list[tuple[float, str]]:
    """A key by which `view_2` comes before `view_10`."""
    numbers = [*(float(n) for n in NUMBER.findall(path.stem)), -1.0]
    return list(zip(numbers, NUMBER.split(path.stem.lower()), strict=True))


def _azimuths_deg(stems: list[str]) -> list[float]:
    """One angle per name: its side or the last number in it, unless numbers only count, lack or say a place twice."""
    sides = [[SIDES_DEG[word] for word in WORD.findall(stem.lower()) if word in SIDES_DEG] for stem in stems]
    if all(len(side) == 1 for side in sides) and len({side[0] for side in sides}) == len(stems):
        return [side[0] for side in sides]
    found = [NUMBER.findall(stem) for stem in stems]
    angles = [float(numbers[-1]) for numbers in found if numbers]
    counts = sorted(angles) in ([0, 1], [1, 2]) or (len(angles) > 2 and set(np.diff(sorted(angles))) == {1.0})
    if len(angles) < len(stems) or counts or max(angles) > 360 or len({a % 360 for a in angles}) < len(angles):
        return [360 * i / len(stems) for i in range(len(stems))]
    return [angle % 360 for angle in angles]


def _stacked(paths: list[Path]) -> torch.Tensor:
    """[V,H,W,4] float32 in 0..1 of pictures of one size, opaque where a file has no transparency."""
    photos = [read_photo(path) for path in paths]
    sizes = [photo.rgb.shape[:2] for photo in photos]
    for path, size in zip(paths, sizes, strict=True):
        if size != sizes[0]:
            raise ViewsError(
                f"{path.name} is {size[1]}×{size[0]} px and {paths[0].name} {sizes[0][1]}×{sizes[0][0]} px; "
                "give views of one size."
            )
    return torch.from_numpy(np.stack([_rgba(photo) for photo in photos]))


def _rgba(photo: Photo) -> np.ndarray:
    alpha = np.full(photo.rgb.shape[:2], 255, np.uint8) if photo.alpha is None else photo.alpha
    return np.concatenate([photo.rgb, alpha[..., None]], 2).astype(np.float32) / 255


def _listed(file: Path) -> Views:
    """Views of the pictures that a cameras.json lists."""
    try:
        entries = json.loads(file.read_text("utf-8"))["views"]
        if not entries:
            raise ValueError("no views in it")
        cameras = tuple(_camera(entry) for entry in entries)
        names = [str(entry["file"]) for entry in entries]
        azimuths_deg = tuple(float(entry["azimuth_deg"]) for entry in entries)
        elevation_deg = float(entries[0]["elevation_deg"])
    except (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        said = f"{type(error).__name__}: {error}"
        raise ViewsError(
            f"{file} can't be used as the views' cameras ({said}); save the views again, or remove it."
        ) from error
    root = file.parent.resolve()
    paths = [(root / name).resolve() for name in names]
    for path, name in zip(paths, names, strict=True):
        if root not in path.parents or not path.is_file():
            raise ViewsError(
                f"{file.name} lists {name}, which is not in {file.parent}; put it back or remove its entry."
            )
    radius = float(np.linalg.norm(cameras[0].c2w[:3, 3]))
    views = views_from_images(_stacked(paths), Orbit(cameras, azimuths_deg, elevation_deg, radius))
    seeds = tuple(_seed(entry) for entry in entries)
    return replace(views, seeds=None if all(seed is None for seed in seeds) else seeds)


def _seed(entry: dict[str, Any]) -> int | None:
    """The seed an entry names; None where it has none, as files of earlier versions do."""
    seed = entry.get("seed")
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _camera(entry: dict[str, Any]) -> Camera:
    """The Camera of one entry; ValueError, KeyError or TypeError where it is none."""
    projection = entry["projection"]
    if projection not in ("perspective", "orthographic"):
        raise ValueError(f"projection {projection!r}")
    c2w = np.array(entry["c2w"], float)
    width, height = (int(side) for side in entry["size_wh"])
    x, y = (float(value) for value in entry["center_px"])
    focal_px = float(entry["focal_px"])
    if c2w.shape != (4, 4) or not np.isfinite(c2w).all() or abs(np.linalg.det(c2w[:3, :3]) - 1) > 1e-3:
        raise ValueError("c2w is no pose")
    if not (focal_px > 0 and math.isfinite(focal_px + x + y) and min(width, height) > 0):
        raise ValueError("focal_px, center_px or size_wh is no number that fits")
    return Camera(projection, focal_px, (x, y), c2w, (height, width))
