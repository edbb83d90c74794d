"""The Beta distribution, for mixing weights."""

import math

import torch
from torch import Tensor

from augment.draws.arguments import number
from augment.draws.bounds import Range
from augment.draws.distributions.base import Distribution, Uniforms


class Beta(Distribution):
    """Beta(a, b) on [0, 1], the distribution of the mixing weight in MixUp and CutMix; not learnable.

    Quantiles are tabulated once, in a separate table for each half of [0, 1]. Position s in [0, 1] of the left table
    holds the quantile of the fraction s**2 * (3 - 2 * s) of that half's mass, which resolves both tails. It is stored
    as x**min(a, 1), which is smooth at 0. The right table holds (1 - x)**min(b, 1).

    Args:
        a, b: shape parameters, from 0.001 to 10000.

    Example:
        >>> A.Beta(1.0, 1.0)(torch.tensor([0.25, 0.5]))  # uniform
        tensor([0.2500, 0.5000])
    """

    LEGAL: Range = (1e-3, 1e4)
    _NODES = 2048

    left: Tensor
    right: Tensor

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.a, self.b = (number(self, name, value, *self.LEGAL) for name, value in (("a", a), ("b", b)))
        (x, left), (y, right) = self._log_density(self.a, self.b), self._log_density(self.b, self.a)
        most = max(left.max(), right.max())
        left, right = _mass(left - most), _mass(right - most)
        self.split = float(left[-1] / (left[-1] + right[-1]))
        self.register_buffer("left", self._quantiles(x, left, self.a), persistent=False)
        self.register_buffer("right", self._quantiles(y, right, self.b), persistent=False)

    def _log_density(self, a: float, b: float) -> tuple[Tensor, Tensor]:
        """Returns nodes x in [0, 1/2] at equal steps of t = (2 * x)**(min(a, 1) / 3) and the log density over t."""
        power = 3 / min(a, 1.0)
        t = torch.linspace(0, 1, 8 * self._NODES, dtype=torch.float64)
        x = t**power / 2
        return x, (power * a - 1) * t.log() + (b - 1) * (-x).log1p() + math.log(power) - a * math.log(2)

    def _quantiles(self, x: Tensor, mass: Tensor, a: float) -> Tensor:
        """Tabulates quantiles as integers in units of 2**-31 of the largest; half-precision casts skip integers."""
        place = torch.linspace(0, 1, self._NODES + 1, dtype=torch.float64)
        target = place**2 * (3 - 2 * place) * mass[-1]
        i = torch.searchsorted(mass, target).clamp(1, len(x) - 1)
        share = (target - mass[i - 1]) / (mass[i] - mass[i - 1]).clamp(min=1e-300)
        v = (2 * x) ** min(a, 1.0)
        return ((v[i - 1] + share * (v[i] - v[i - 1])) * (2**31 - 1)).round().to(torch.int32)

    def support(self) -> Range:
        return 0.0, 1.0

    def forward(self, u: Uniforms) -> Uniforms:
        def half(table: Tensor, q: Tensor, power: float) -> Tensor:
            place = 0.5 - torch.sin(torch.asin(1 - 2 * q.clamp(0, 1)) / 3)
            position = place.clamp(0, 1) * self._NODES
            i = position.detach().to(torch.int64).clamp(max=self._NODES - 1)
            low, high = table[i].to(u.dtype), table[i + 1].to(u.dtype)
            return 0.5 * ((low + (high - low) * (position - i)).clamp(min=0) / (2**31 - 1)) ** (1 / min(power, 1.0))

        left = half(self.left, u / max(self.split, 1e-30), self.a)
        right = 1 - half(self.right, (1 - u) / max(1 - self.split, 1e-30), self.b)
        return torch.where(u < self.split, left, right).to(u.dtype)

    def extra_repr(self) -> str:
        return f"{self.a:g}, {self.b:g}"


def _mass(log_density: Tensor) -> Tensor:
    """Integrates the density up to each of the equally spaced nodes."""
    density = log_density.exp()
    return torch.cat([density.new_zeros(1), torch.cumulative_trapezoid(density)])
