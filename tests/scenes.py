"""The fitted scene codes of tests/fixtures as the library's own scenes."""

from pathlib import Path

import numpy as np
import torch

from garment3d.surface.triposr.decoder import Decoder
from garment3d.surface.triposr.scene import Scene
from tests.fixtures.make_scenes import mixing

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = ("shirt", "sphere", "straps")


def fitted_scene(name: str, folder: Path = FIXTURES) -> Scene:
    """Planes and decoder of the official size whose density passes 25 on that shape."""
    decoder = Decoder().eval().requires_grad_(False)
    with np.load(folder / "scenes_decoder.npz") as weights:
        decoder.load_state_dict({key: torch.from_numpy(weights[key]).float() for key in weights.files})
    with np.load(folder / f"scenes_{name}.npz") as file:
        planes = torch.einsum("pchw,cd->pdhw", torch.from_numpy(file["planes"]).float(), mixing())
    return Scene(planes.contiguous(), decoder, 1.0)
