"""What TripoSR makes of a photo: three feature planes and the network that reads them, ready for any threshold.

The transformer runs once per photo; mesh, colours and rendered views all come from this scene.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch

from .decoder import Decoder
from .framing import RATIO, frame_of, framed
from .network import TripoSR


@dataclass(frozen=True, eq=False)
class Scene:
    """A garment as TripoSR sees it; its own frame is z up with the photo's camera on +x and image right on +y."""

    planes: torch.Tensor
    """[3,40,64,64] float32 on the CPU: the xy, xz and yz planes over ±RADIUS."""
    decoder: Decoder
    """float32 on the CPU, torch.nn layers, eval."""
    scale: float
    """Canonical units per TripoSR unit."""

    def on(self, device: str | torch.device) -> tuple[torch.Tensor, Decoder]:
        """Planes and decoder on that device; on the CPU the scene's own."""
        if torch.device(device).type == "cpu":
            return self.planes, self.decoder
        return self.planes.to(device), copy.deepcopy(self.decoder).to(device)

    def canonical(self, points: np.ndarray) -> np.ndarray:
        """[...,3] canonical points (+Y up, front +Z) of [...,3] points in TripoSR's frame."""
        return points[..., [1, 2, 0]] * self.scale

    def own(self, points: np.ndarray) -> np.ndarray:
        """[...,3] points in TripoSR's frame of canonical [...,3] points; the inverse of `canonical`."""
        return points[..., [2, 0, 1]] / self.scale


def triposr_scene(
    model: TripoSR,
    rgb: np.ndarray,
    soft: np.ndarray,
    ratio: float = RATIO,
    padding_px: int = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Scene:
    """The scene of a [H,W,3] uint8 photo's garment under its [H,W] mask; an empty mask raises MaskError.

    The network is used where it lies, which must be `device`; it computes in `dtype`, or in its own weights' type.
    """
    pixels = framed(rgb, soft, ratio, padding_px).to(device)
    with torch.inference_mode():
        planes = model(pixels, dtype or model.backbone.proj_in.weight.dtype)[0]
    # A copy made outside inference mode: whoever holds the scene may fit or differentiate it.
    return Scene(planes.float().cpu().clone(), _own_decoder(model), frame_of(soft, ratio, padding_px).scale)


def _own_decoder(model: TripoSR) -> Decoder:
    dims = model.dims
    with torch.device("meta"):
        decoder = Decoder(3 * dims.features, dims.decoder_width, dims.decoder_hidden)
    tensors = {key: value.detach().float().cpu().clone() for key, value in model.decoder.state_dict().items()}
    decoder.load_state_dict(tensors, assign=True)
    return decoder.eval().requires_grad_(False)
