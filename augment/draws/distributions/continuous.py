"""Continuous distributions."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augment.draws.arguments import LARGEST, number
from augment.draws.bounds import EDGE, Bounds, Range, rounded
from augment.draws.distributions.base import Distribution, Uniforms

_LARGEST_EXPONENT = 40.0
"""Largest width and centre in log scale; the exponential of their sum is a finite float32."""


class Constant(Distribution):
    """Always `value`. Uses no draw.

    Example:
        >>> A.Constant(0.5)(torch.rand(3))
        tensor([0.5000, 0.5000, 0.5000])
    """

    draws = 0

    def __init__(self, value: float, learnable: bool = False) -> None:
        super().__init__()
        self.bounds = Bounds((number(self, "value", value),), learnable)

    def support(self) -> Range:
        return self.bounds.initial[0], self.bounds.initial[0]

    def within(self, legal: Range) -> None:
        self.bounds.within(legal)

    def forward(self, u: Uniforms) -> Uniforms:
        (value,) = self.bounds()
        return torch.zeros_like(u) + value if isinstance(value, Tensor) else torch.full_like(u, value)

    def config(self) -> dict[str, Any]:
        return {"_target_": "augment.Constant", "value": self.bounds.numbers()[0]}

    def extra_repr(self) -> str:
        return f"{self.bounds.initial[0]:g}"


class Uniform(Distribution):
    """Uniform on [low, high).

    Example:
        >>> A.Uniform(-15, 15)(torch.tensor([0.0, 0.5, 0.9]))
        tensor([-15.,   0.,  12.])
    """

    def __init__(self, low: float, high: float, learnable: bool = False) -> None:
        super().__init__()
        low, high = number(self, "low", low), number(self, "high", high)
        _check_order(self, low, high)
        self.bounds = Bounds((low, high), learnable)

    def support(self) -> Range:
        low, high = self.bounds.initial
        return low, high

    def within(self, legal: Range) -> None:
        self.bounds.within(legal)

    def forward(self, u: Uniforms) -> Uniforms:
        low, high = self.bounds()
        return low + (high - low) * u

    def entropy(self) -> Tensor | None:
        return self.bounds.log_share()

    def config(self) -> dict[str, Any]:
        low, high = self.bounds.numbers()
        return {"_target_": f"augment.{type(self).__name__}", "low": low, "high": high}

    def extra_repr(self) -> str:
        return "{:g}, {:g}".format(*self.bounds.initial)


class Spread(Distribution):
    """Uniform around a centre with a learnable width: centre + width * (2u - 1), or centre + width * u if one-sided.

    The width is cap * sigmoid(rho), where rho is learned. It cannot reach 0 or `cap` and keeps its gradient.

    Args:
        width: initial width, in (0, cap).
        cap: largest width.
        centre: the value that changes nothing; 0 for a factor in log scale.
        one_sided: draw only values above the centre.
        log_scale: return the exponential of the value, so that a factor and its inverse are equally likely.

    Example:
        >>> A.Spread(0.2, cap=1.0, centre=1.0)(torch.tensor([0.0, 0.5])).detach()
        tensor([0.8000, 1.0000])
    """

    def __init__(
        self, width: float, cap: float, centre: float = 0.0, one_sided: bool = False, log_scale: bool = False
    ) -> None:
        super().__init__()
        most = _LARGEST_EXPONENT if log_scale else LARGEST
        self.cap, self.centre = number(self, "cap", cap, 0.0, most), number(self, "centre", centre, -most, most)
        self.one_sided, self.log_scale = one_sided, log_scale
        if not 0 < number(self, "width", width) < cap:
            raise ValueError(f"Spread: width={width} must lie within (0, {cap}), its cap.")
        self.rho = nn.Parameter(torch.tensor(math.log(width / (cap - width))))

    def width(self) -> Tensor:
        rho = self.rho if self.rho.dtype == torch.float64 else self.rho.float()
        return self.cap * torch.sigmoid(rho)

    def assign(self, share: float) -> None:
        """Sets the width to a share of `cap`, at least EDGE away from 0 and 1."""
        share = min(max(share, EDGE), 1 - EDGE)
        self.rho.data.fill_(math.log(share / (1 - share)))

    def support(self) -> Range:
        """Returns the support at the largest width, so learning cannot leave it."""
        low, high = self.centre - (0 if self.one_sided else self.cap), self.centre + self.cap
        return (math.exp(low), math.exp(high)) if self.log_scale else (low, high)

    def forward(self, u: Uniforms) -> Uniforms:
        value = self.centre + self.width() * (u if self.one_sided else 2 * u - 1)
        return torch.exp(value) if self.log_scale else value

    def entropy(self) -> Tensor:
        return F.logsigmoid(self.rho)

    def config(self) -> dict[str, Any]:
        """Returns the fixed distribution with the present width."""
        low, high = map(rounded, self(torch.tensor([0.0, 1.0], device=self.rho.device)))
        return {"_target_": f"augment.{'LogUniform' if self.log_scale else 'Uniform'}", "low": low, "high": high}

    def extra_repr(self) -> str:
        return f"{self.width().item():.4g}, cap={self.cap:g}, centre={self.centre:g}"


class LogUniform(Distribution):
    """Uniform in the logarithm on [low, high), both positive: a factor and its inverse are equally likely.

    Example:
        >>> A.LogUniform(0.5, 2.0)(torch.tensor([0.0, 0.5]))
        tensor([0.5000, 1.0000])
    """

    def __init__(self, low: float, high: float, learnable: bool = False) -> None:
        super().__init__()
        low, high = number(self, "low", low), number(self, "high", high)
        _check_order(self, low, high)
        if low <= 0:
            raise ValueError(f"LogUniform: low={low} must be positive.")
        self.bounds = Bounds((low, high), learnable)

    def support(self) -> Range:
        low, high = self.bounds.initial
        return low, high

    def within(self, legal: Range) -> None:
        self.bounds.within((max(legal[0], 1e-6), legal[1]))

    def forward(self, u: Uniforms) -> Uniforms:
        low, high = (b.log() if isinstance(b, Tensor) else math.log(b) for b in self.bounds())
        return torch.exp(low + (high - low) * u)

    def entropy(self) -> Tensor | None:
        return self.bounds.log_share()

    config, extra_repr = Uniform.config, Uniform.extra_repr


class Normal(Distribution):
    """Normal with `mean` and `std`, optionally truncated to [low, high] with renormalisation.

    Example:
        >>> A.Normal(0.0, 1.0)(torch.tensor([0.5])).abs() < 1e-6
        tensor([True])
    """

    def __init__(
        self, mean: float, std: float, low: float = -math.inf, high: float = math.inf, learnable: bool = False
    ) -> None:
        super().__init__()
        mean, std = number(self, "mean", mean), number(self, "std", std, high=LARGEST / 10)
        if std <= 0:
            raise ValueError(f"Normal: std={std} must be positive; use Constant for a standard deviation of 0.")
        self.low, self.high = number(self, "low", low, low=-math.inf), number(self, "high", high, high=math.inf)
        _check_order(self, low, high)
        self.mean, self.std = Bounds((mean,), learnable), Bounds((std,), learnable)
        self.std.within((0.0, math.inf))

    def support(self) -> Range:
        return self.low, self.high

    def within(self, legal: Range) -> None:
        self.mean.within(legal)
        self.low, self.high = max(self.low, legal[0]), min(self.high, legal[1])

    def forward(self, u: Uniforms) -> Uniforms:
        (mean,), (std,) = self.mean(), self.std()
        below, above = _normal_cdf((self.low - mean) / std), _normal_cdf((self.high - mean) / std)
        # erfinv is infinite at 0 and 1, so stay half a step (2**-25) away from them
        q = (below + (above - below) * u).clamp(2.0**-25, 1 - 2.0**-24)
        return (mean + std * math.sqrt(2) * torch.erfinv(2 * q - 1)).clamp(self.low, self.high)

    def config(self) -> dict[str, Any]:
        (mean,), (std,) = self.mean.numbers(), self.std.numbers()
        ends = {"low": self.low, "high": self.high}
        ends = {name: value for name, value in ends.items() if math.isfinite(value)}
        return {"_target_": "augment.Normal", "mean": mean, "std": std} | ends

    def extra_repr(self) -> str:
        return f"{self.mean.initial[0]:g}, {self.std.initial[0]:g}, low={self.low:g}, high={self.high:g}"


def _normal_cdf(x: float | Tensor) -> float | Tensor:
    if isinstance(x, Tensor):
        return torch.special.ndtr(x)
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _check_order(owner: Distribution, low: float, high: float) -> None:
    if not low <= high:
        raise ValueError(f"{type(owner).__name__}: low={low} must not be above high={high}.")
