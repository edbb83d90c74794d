"""The distribution of a mixing weight."""

import torch
from torch import Tensor

from augment.bounds import Range
from augment.distributions.base import Distribution, Uniforms


class Beta(Distribution):
    """Beta(a, b) on [0, 1], the mixing weight of MixUp and CutMix. Fixed: its quantiles are tabulated once.

    On the left half v = x**a turns the density into the smooth (1 - x)**(b - 1) / a, on the right half
    w = (1 - x)**b does the same, so a trapezoid rule and linear interpolation are accurate for any a, b > 0.
    """

    _NODES = 2048

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        if min(a, b) <= 0:
            raise ValueError(f"Beta: a={a} and b={b} must be positive.")
        self.a, self.b = float(a), float(b)
        left, right = self._half_mass(self.a, self.b), self._half_mass(self.b, self.a)
        self.split = float(left[1][-1] / (left[1][-1] + right[1][-1]))
        self.register_buffer("left", self._quantiles(*left), persistent=False)
        self.register_buffer("right", self._quantiles(*right), persistent=False)

    def _half_mass(self, a: float, b: float) -> tuple[Tensor, Tensor]:
        """Nodes v = x**a for x in [0, 1/2] and the (unnormalised) mass below each."""
        v = torch.linspace(0, 1, 8 * self._NODES, dtype=torch.float64) * 0.5**a
        density = (1 - v ** (1 / a)) ** (b - 1) / a
        mass = torch.cat([v.new_zeros(1), torch.cumulative_trapezoid(density, v)])
        return v, mass

    def _quantiles(self, v: Tensor, mass: Tensor) -> Tensor:
        """v at equal steps of its mass, in whole 2**-31 parts of its largest: no cast to half precision rounds them."""
        target = torch.linspace(0, 1, self._NODES + 1, dtype=torch.float64) * mass[-1]
        i = torch.searchsorted(mass, target).clamp(1, len(v) - 1)
        share = (target - mass[i - 1]) / (mass[i] - mass[i - 1])
        return ((v[i - 1] + share * (v[i] - v[i - 1])) / v[-1] * (2**31 - 1)).round().to(torch.int32)

    def support(self) -> Range:
        return 0.0, 1.0

    def forward(self, u: Uniforms) -> Uniforms:
        def half(table: Tensor, q: Tensor, power: float) -> Tensor:
            position = q.clamp(0, 1) * self._NODES
            i = position.detach().to(torch.int64).clamp(max=self._NODES - 1)
            low, high = table[i].to(u.dtype), table[i + 1].to(u.dtype)
            # v is a share of 0.5**power, so that v**(1 / power) is half the root of the share
            return 0.5 * ((low + (high - low) * (position - i)).clamp(min=0) / (2**31 - 1)) ** (1 / power)

        left = half(self.left, u / self.split, self.a)
        right = 1 - half(self.right, (1 - u) / (1 - self.split), self.b)
        return torch.where(u < self.split, left, right).to(u.dtype)

    def extra_repr(self) -> str:
        return f"{self.a:g}, {self.b:g}"
