"""The photo's light taken out of the texture: shading told from cloth by how it follows the surface's normal.

Folds and prints do not follow it, so what is divided out is the soft light of the room and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from ...texels import linear_to_srgb, srgb_to_linear

MOST = 2.5
"""Shading beyond this factor of its mean, up or down, is not believed."""
HUBER = 0.08
"""In log light: differences beyond this are cloth, not light, and count no more than this."""
RIDGE = 1e-3
"""Pull of each coefficient to 0, per texel: settles directions that the photo doesn't show."""
ROUNDS = 25
MOST_SAMPLES = 60_000
DARKEST = 1e-3
"""Linear light below which a texel says nothing more."""
REGROUPINGS = 4
PARTED, APART = 0.6, 0.5
"""Two cloths: the most they may leave of one cloth's loss, and their least difference in log light."""
FLOOR = 0.05
"""Least light anywhere, as a share of the mean light."""
LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True, eq=False)
class Light:
    """Light of a photo as a function of the surface's normal."""

    coefficients: torch.Tensor
    """[8] float64 second-order spherical harmonics beyond the constant, which is 1."""
    middle: torch.Tensor
    """[3] float64 mean direction of the normals it was fitted to."""
    least_cos: float
    """How far from `middle` those normals reach; beyond, the light is held at that rim."""
    mean: float
    """Geometric mean of the shading over what it was fitted to."""

    def shading(self, normals: torch.Tensor) -> torch.Tensor:
        """[N] light at [N,3] unit normals relative to its mean, within 1 / MOST and MOST."""
        held = _held(normals.double(), self.middle.to(normals.device), self.least_cos)
        light = 1 + _basis(held) @ self.coefficients.to(normals.device)
        return (light.clamp(min=FLOOR) / self.mean).clamp(1 / MOST, MOST).to(normals.dtype)

    def removed(self, colours: torch.Tensor, normals: torch.Tensor, strength: float) -> torch.Tensor:
        """[N,3] sRGB 0..255 without that share of the light, hue kept; strength 0 gives the colours themselves."""
        if not 0 <= strength <= 1:
            raise ValueError(f"The strength of flattening is {strength}; it must be 0 to 1.")
        if strength == 0 or not len(colours):
            return colours
        linear = srgb_to_linear(colours / 255)
        factor = self.shading(normals).to(linear.dtype) ** -strength
        # What is brightened stops where its brightest channel is full: clipping one channel would turn the hue.
        room = 1 / linear.amax(1).clamp(min=1e-6)
        return linear_to_srgb(linear * torch.minimum(factor, room.clamp(min=1))[:, None]) * 255


def fit_light(colours: torch.Tensor, normals: torch.Tensor, weights: torch.Tensor) -> Light:
    """The Light that explains [N,3] sRGB 0..255 colours at [N,3] unit normals, each counted by its [N] weight.

    Even light where no colour has a weight. Patterns and prints count as outliers: the fit is of log luminance with
    Huber's loss, by Gauss-Newton steps.

    Source: irradiance in nine harmonics after Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance
    Environment Maps (2001).
    """
    weights = weights.double().clamp(min=0)
    some = torch.nonzero(weights > 0).squeeze(1)
    some = some[:: max(1, -(-len(some) // MOST_SAMPLES))]
    if not len(some):
        even = torch.zeros(8, dtype=torch.float64, device=colours.device)
        return Light(even, torch.zeros_like(even[:3]), -1.0, 1.0)
    weight, normal = weights[some] / weights[some].mean(), normals[some].double()
    channels = torch.tensor(LUMINANCE, dtype=torch.float64, device=colours.device)
    level = (srgb_to_linear(colours[some].double() / 255) @ channels).clamp(min=DARKEST).log()
    basis = _basis(normal)
    coefficients = _fitted(basis, level, weight)
    light = (1 + basis @ coefficients).clamp(min=FLOOR)
    middle = torch.nn.functional.normalize((normal * weight[:, None]).sum(0), dim=0)
    least_cos = float(torch.quantile(normal @ middle, 0.001))
    return Light(coefficients, middle, least_cos, float(((light.log() * weight).sum() / weight.sum()).exp()))


class _Fit(NamedTuple):
    """Light and the cloths under it."""

    x: torch.Tensor
    """[8] coefficients."""
    constants: torch.Tensor
    """[K] log light of each cloth."""
    cost: float
    """Huber's loss."""


def _fitted(basis: torch.Tensor, level: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[8] coefficients x that make log(1 + basis · x) plus a constant per cloth follow the [N] log levels."""
    one = _steps(basis, level, weight, torch.zeros(len(level), dtype=torch.long, device=level.device), None)
    best = one
    # Ink on cloth are two cloths under one light. Where they don't stand well apart, one with outliers it is.
    for values in (level, level - _log_light(basis, one.x)):
        cloth, fit = _parted(values, weight), None
        for _ in range(REGROUPINGS):
            if len(cloth.unique()) < 2:
                break
            fit = _steps(basis, level, weight, cloth, fit)
            cloth = ((level - _log_light(basis, fit.x))[:, None] - fit.constants).abs().argmin(1)
        if fit is not None and fit.cost < min(best.cost, PARTED * one.cost) and float(fit.constants.diff()) > APART:
            best = fit
    return best.x


def _steps(
    basis: torch.Tensor, level: torch.Tensor, weight: torch.Tensor, cloth: torch.Tensor, start: _Fit | None
) -> _Fit:
    """Gauss-Newton steps with Huber's loss; `cloth` [N] says whose constant counts."""
    cloths = torch.nn.functional.one_hot(cloth).to(level.dtype)
    count = cloths.shape[1]
    if start is None:
        middles = torch.stack([level[cloth == k].median() for k in range(count)])
        start = _Fit(level.new_zeros(8), middles, 0.0)
    x, cost = torch.cat([start.x, start.constants]), 0.0
    pull = torch.cat([level.new_full((8,), RIDGE * float(weight.sum())), level.new_full((count,), 1e-9)])
    for _ in range(ROUNDS):
        light = (1 + basis @ x[:8]).clamp(min=FLOOR)
        residual = level - light.log() - cloths @ x[8:]
        off = residual.abs()
        cost = float((weight * torch.where(off < HUBER, off.square() / 2, HUBER * (off - HUBER / 2))).sum())
        counted = weight * (HUBER / off.clamp(min=HUBER))
        slope = torch.cat([basis / light[:, None], cloths], 1)
        step = torch.linalg.solve(
            slope.T @ (slope * counted[:, None]) + torch.diag(pull), slope.T @ (counted * residual) - pull * x
        )
        x = x + step
        if float(step.abs().max()) < 1e-6:
            break
    return _Fit(x[:8], x[8:], cost)


def _log_light(basis: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (1 + basis @ x).clamp(min=FLOOR).log()


def _parted(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[N] 0 or 1, below or above the threshold that parts the [N] values best; all 0 where they are equal.

    Source: Otsu, A Threshold Selection Method from Gray-Level Histograms (1979).
    """
    order = values.sort()
    share = weight[order.indices].cumsum(0) / weight.sum()
    sums = (order.values * weight[order.indices]).cumsum(0) / weight.sum()
    between = (sums[-1] * share - sums).square() / (share * (1 - share)).clamp(min=1e-9)
    between[-1] = 0
    return (values > order.values[int(between.argmax())]).long()


def _basis(normals: torch.Tensor) -> torch.Tensor:
    """[N,8] the first- and second-order real spherical harmonics of [N,3] unit normals, reaching about 1."""
    x, y, z = normals.unbind(1)
    return torch.stack([x, y, z, 2 * x * y, 2 * y * z, 2 * x * z, (3 * z * z - 1) / 2, x * x - y * y], 1)


def _held(normals: torch.Tensor, middle: torch.Tensor, least_cos: float) -> torch.Tensor:
    """[N,3] unit normals, those beyond the cone around `middle` turned back to its rim."""
    along = normals @ middle
    aside = normals - along[:, None] * middle
    aside = torch.nn.functional.normalize(aside, dim=1)
    rim = least_cos * middle + max(1 - least_cos**2, 0.0) ** 0.5 * aside
    return torch.where((along < least_cos)[:, None], rim, normals)
