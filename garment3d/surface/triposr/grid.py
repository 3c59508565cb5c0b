"""TripoSR's density at the vertices of a regular grid, several times faster than asking the decoder point by point.

The first layer is linear, so each plane goes through its part of it once; a vertex then adds up twelve weighted rows.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from .decoder import DENSITY_BIAS, PLANE_AXES, RADIUS
from .scene import Scene

ROWS = 32_768
"""Vertices that pass the layers together on a processor: fewer keep its threads waiting for each other."""
MANY_ROWS = 262_144
GROUP = 64
"""Rows of one image of the batch where layers run as convolutions: below some 16 images PyTorch passes oneDNN by."""
KEPT_BYTES = 31 << 20
"""Just under the largest block that glibc can be taught to keep for reuse (mallopt(3), M_MMAP_THRESHOLD)."""
LARGEST_RAW = 80.0
"""Beyond this exp would leave float32."""


class GridDensity:
    """Activated density over an R³ grid that spans a scene's cube, index order x, y, z of TripoSR's own frame.

    Ready for `surface.isosurface.extract`, whose Field it is.
    """

    def __init__(self, scene: Scene, resolution: int, device: torch.device | str = "cpu", chunk: int = 0) -> None:
        """Planes read for that grid; `chunk` vertices pass the layers together, 0 takes what suits the device."""
        self.device = torch.device(device)
        linear = [layer for layer in scene.decoder.layers if isinstance(layer, torch.nn.Linear)]
        (first, self.bias), *hidden, (last, last_bias) = (
            (_held(layer.weight, self.device), _held(layer.bias, self.device)) for layer in linear
        )
        self.convolved = self.device.type == "cpu" and torch.backends.mkldnn.is_available()
        if self.device.type == "cpu":
            # Freed once, so large a block makes glibc keep the layers' buffers. Otherwise each of a thousand is handed
            # to the system and back page by page, which takes longer than the arithmetic in it.
            torch.empty(KEPT_BYTES, dtype=torch.uint8)
        self.hidden = [(weight[:, :, None, None] if self.convolved else weight.T, bias) for weight, bias in hidden]
        self.last = last[:1].T.contiguous(), last_bias[:1]
        self.planes = _through_first(_held(scene.planes, self.device), first)
        self.table = self.planes.flatten(0, 2)
        self.columns = _taps(resolution, self.planes.shape[2], self.device)
        self.lines = _taps(resolution, self.planes.shape[1], self.device)
        usual = ROWS if self.device.type == "cpu" else MANY_ROWS
        self.rows = -(-chunk // GROUP) * GROUP or usual
        self.block_yz: tuple[np.ndarray, np.ndarray, torch.Tensor] | None = None

    def at(self, ix: np.ndarray, iy: np.ndarray, iz: np.ndarray) -> np.ndarray:
        """Float32 densities at integer vertices; three [N] arrays, or [a,1,1], [b,1] and [c] for a whole block."""
        with torch.inference_mode():
            raw = self._block(ix, iy, iz) if ix.ndim == 3 else self._scattered(ix, iy, iz)
            return raw.clamp_(max=LARGEST_RAW).add_(DENSITY_BIAS).exp_().cpu().numpy()

    def _scattered(self, *axes: np.ndarray) -> torch.Tensor:
        """[N] raw densities."""
        count = len(axes[0])
        at = [_indices(np.pad(axis, (0, -count % GROUP)), self.device) for axis in axes]
        raw = torch.empty(len(at[0]), device=self.device)
        for first in range(0, len(raw), self.rows):
            rows, weights = self._rows([axis[first : first + self.rows] for axis in at])
            start = F.embedding_bag(rows, self.table, mode="sum", per_sample_weights=weights).add_(self.bias)
            raw[first : first + self.rows] = self._layers(start.unflatten(0, (-1, GROUP))).flatten()
        return raw[:count]

    def _rows(self, at: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """[N,12] table rows and their weights: four texels of each of the three planes."""
        rows, weights = [], []
        height, width = self.planes.shape[1:3]
        for plane, (a, b) in enumerate(PLANE_AXES):
            column, line = self.columns[0][at[a]], self.lines[0][at[b]]
            rows.append(((line + plane * height) * width)[:, :, None] + column[:, None])
            weights.append(self.lines[1][at[b]][:, :, None] * self.columns[1][at[a]][:, None])
        return torch.cat(rows, 1).flatten(1), torch.cat(weights, 1).flatten(1)

    def _block(self, ix: np.ndarray, iy: np.ndarray, iz: np.ndarray) -> torch.Tensor:
        """[a,b,c] raw densities: planes interpolated once for the block, then added by broadcasting."""
        x, y, z = (_indices(axis, self.device) for axis in (ix, iy, iz))
        xy, xz, yz = self._image(0, x, y).add_(self.bias), self._image(1, x, z), self._yz(iy, iz)
        raw = torch.empty(len(x), len(y), len(z), device=self.device)
        parts = -(-len(y) * len(z) // self.rows)
        lines = -(-len(y) // parts)
        for i in range(len(x)):
            for first in range(0, len(y), lines):
                some = slice(first, first + lines)
                raw[i, some] = self._layers((yz[some] + xz[i]).add_(xy[i, some, None]))
        return raw

    def _yz(self, iy: np.ndarray, iz: np.ndarray) -> torch.Tensor:
        """[b,c,64] of the third plane, kept from one block to the next: a grid's slabs share it."""
        kept = self.block_yz
        if kept is None or not (np.array_equal(kept[0], iy) and np.array_equal(kept[1], iz)):
            image = self._image(2, _indices(iy, self.device), _indices(iz, self.device))
            self.block_yz = kept = (iy.copy(), iz.copy(), image)
        return kept[2]

    def _image(self, plane: int, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        """[a,b,64] of a plane at these grid indices of its two axes."""
        texels = self.planes[plane].transpose(0, 1)
        (column, share), (line, part) = ((t[0][i], t[1][i]) for t, i in ((self.columns, across), (self.lines, down)))
        wide = texels[column[:, 0]] * share[:, :1, None] + texels[column[:, 1]] * share[:, 1:, None]
        return wide[:, line[:, 0]].mul_(part[:, :1]).add_(wide[:, line[:, 1]].mul_(part[:, 1:]))

    def _layers(self, start: torch.Tensor) -> torch.Tensor:
        """[B,N] raw density of [B,N,64] sums before the first activation, which are overwritten.

        On x86 the layers run as 1×1 convolutions of a batch: oneDNN multiplies these small matrices twice as fast on
        AMD's processors as the BLAS behind addmm, and as fast on Intel's; the rounding is float32's either way.
        """
        here = start[:, :, None].permute(0, 3, 1, 2) if self.convolved else start.flatten(0, 1)
        for weight, bias in self.hidden:
            here = F.silu(here, inplace=True)
            here = F.conv2d(here, weight, bias) if self.convolved else torch.addmm(bias, here, weight)
        rows = here.permute(0, 2, 3, 1).reshape(-1, here.shape[1]) if self.convolved else here
        weight, bias = self.last
        return torch.addmm(bias, F.silu(rows, inplace=True), weight).view(start.shape[:2])


def _held(parameter: torch.Tensor, device: torch.device) -> torch.Tensor:
    return parameter.detach().to(device, torch.float32)


def _indices(axis: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(axis.reshape(-1)).to(device, torch.long)


def _through_first(planes: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[3,H,W,64] what each texel adds to the first layer."""
    parts = weight.unflatten(1, (3, -1))
    return torch.stack([plane.permute(1, 2, 0) @ parts[:, i].T for i, plane in enumerate(planes)]).contiguous()


def _taps(resolution: int, texels: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """[R,2] texels on both sides of each grid index along one axis and [R,2] their weights, 0 beyond the plane's edge.

    The steps are the original's own, in float32: a texel's fraction must carry the same rounding.
    """
    world = torch.linspace(0, 1, resolution) * (RADIUS + RADIUS) - RADIUS
    unit = (world + RADIUS) / (RADIUS + RADIUS) * 2 - 1
    texel = (unit + 1) * (texels / 2) - 0.5
    low = texel.floor()
    both = torch.stack([low, low + 1], 1).long()
    weight = torch.stack([low + 1 - texel, texel - low], 1) * ((both >= 0) & (both < texels))
    return both.clamp(0, texels - 1).to(device), weight.to(device)
