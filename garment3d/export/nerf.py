"""The views' cameras as NeRF tools read them: transforms.json, and the older split of the synthetic data sets.

One frame for all of it: the saved garment's own, metres with +Y up, so that what is trained lies on garment.glb.
Cameras are camera-to-world with OpenGL axes and pixel (0, 0) covers [0, 1)², as every reader named here has it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import Camera, Orbit
from ..errors import ViewsError
from .cameras import placed_c2w, rows
from .mesh import File

FILLED = 0.8
"""Share of instant-ngp's unit cube that the canonical cube gets."""
HELD_OUT = 8
"""The synthetic layout tests on every eighth view."""


def transforms_json(
    orbit: Orbit, files: Sequence[str], frame_to_file: np.ndarray, points_file: str | None = None
) -> str:
    """The text of transforms.json for one picture per camera; an orthographic camera raises ViewsError.

    instant-ngp and nerfstudio's `nerfstudio-data` read it as it is. `scale`, `offset` and `up` are for instant-ngp
    alone: they put the garment upright into its unit cube (`aabb_scale` 1: there is nothing behind a cut-out);
    nerfstudio turns and scales by itself, and starts splats from `ply_file_path`. Pictures keep their suffix and
    their alpha. Readers of the synthetic data sets need `synthetic_files`.

    Source: docs/nerf_dataset_tips.md and nerf_loader.cu (github.com/NVlabs/instant-ngp),
    docs/quickstart/data_conventions.md (github.com/nerfstudio-project/nerfstudio).
    """
    lenses = [_lens(camera) for camera in orbit.cameras]
    shared = lenses[0] if all(lens == lenses[0] for lens in lenses) else {}
    frames = [
        {"file_path": file, **({} if shared else lens), "transform_matrix": rows(placed_c2w(camera, frame_to_file))}
        for file, lens, camera in zip(files, lenses, orbit.cameras, strict=True)
    ]
    whole = {"camera_model": "OPENCV", **shared, **_unit_cube(frame_to_file)}
    if points_file is not None:
        whole["ply_file_path"] = points_file
    return _text({**whole, "frames": frames})


def synthetic_files(orbit: Orbit, files: Sequence[str], frame_to_file: np.ndarray) -> tuple[File, ...]:
    """transforms_train.json, _val.json and _test.json as the synthetic data sets of the first NeRF have them.

    For the first 3DGS's and nerfstudio's `blender-data` readers: one field of view for all, paths with no suffix.
    Every eighth view is held out, of fewer than five views none is: they are then all in each file. instant-ngp
    takes these files too, but reads every .json of a folder: give it one of them, not the folder.

    Source: scene/dataset_readers.py (github.com/graphdeco-inria/gaussian-splatting).
    """
    lenses = [_lens(camera) for camera in orbit.cameras]
    if any(lens != lenses[0] for lens in lenses):
        raise ViewsError(
            f"These {len(lenses)} views have different lenses or sizes, and the synthetic layout has one for all; "
            "choose nerf or colmap."
        )
    camera = orbit.cameras[0]
    if math.dist(camera.center_px, (camera.hw[1] / 2, camera.hw[0] / 2)) > 0.5:
        raise ViewsError(
            f"The views' principal point {camera.center_px} is not the middle of the picture, as the synthetic "
            "layout has it; choose nerf or colmap."
        )
    frames = [
        {"file_path": f"./{file.rsplit('.', 1)[0]}", "transform_matrix": rows(placed_c2w(camera, frame_to_file))}
        for file, camera in zip(files, orbit.cameras, strict=True)
    ]
    # Not from 0: that is the photo's own side, the best view there is.
    test = frames[HELD_OUT // 2 :: HELD_OUT] or frames
    train = [frame for frame in frames if len(test) == len(frames) or frame not in test]

    def file(name: str, part: list[dict[str, Any]]) -> File:
        return File(f"transforms_{name}.json", _text({**lenses[0], "frames": part}).encode())

    return file("train", train), file("val", test), file("test", test)


def _lens(camera: Camera) -> dict[str, float]:
    if camera.projection != "perspective":
        raise ViewsError(
            f"One of the views has an {camera.projection} camera, and NeRF tools know perspective ones only; "
            "choose json or gltf for it."
        )
    height, width = camera.hw
    return {
        "camera_angle_x": 2 * math.atan(width / 2 / camera.focal_px),
        "camera_angle_y": 2 * math.atan(height / 2 / camera.focal_px),
        "fl_x": camera.focal_px,
        "fl_y": camera.focal_px,
        "cx": camera.center_px[0],
        "cy": camera.center_px[1],
        "w": width,
        "h": height,
        **{key: 0.0 for key in ("k1", "k2", "p1", "p2")},
    }


def _unit_cube(frame_to_file: np.ndarray) -> dict[str, Any]:
    """instant-ngp's place of metres in its unit cube: cube = scale · metres + offset, before it turns the axes."""
    scale = FILLED / np.linalg.norm(frame_to_file[:3, 0])
    offset = 0.5 - scale * frame_to_file[:3, 3]
    up = frame_to_file[:3, 1] / np.linalg.norm(frame_to_file[:3, 1])
    return {
        "aabb_scale": 1,
        "scale": float(scale),
        "offset": [round(float(v), 9) for v in offset],
        "up": [round(float(v), 9) + 0.0 for v in up],
    }


def _text(whole: dict[str, Any]) -> str:
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
