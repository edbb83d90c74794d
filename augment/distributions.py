"""Distributions: small modules that map a column of uniforms to a random quantity by the inverse CDF.

The inverse CDF is the reparameterisation trick: a sample is a differentiable function of the bounds. With
`learnable=True` the bounds become parameters that no optimizer step can push out of their legal range.
Fixed bounds are plain numbers, not buffers: nothing casts them to half precision, overwrites them from rank 0 or
keeps an old value in a checkpoint.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augment.bounds import EDGE, Bounds, Range
from augment.config import Configured
from augment.types import Shaped

Uniforms = Shaped[Tensor, "*draws"]


class Distribution(Configured, nn.Module):
    """Base of all distributions. `draws` says how many columns of uniforms one sample takes."""

    draws: int = 1

    def support(self) -> Range:
        """The smallest and the largest value that can come out, as numbers (in the initial state if learnable)."""
        raise NotImplementedError

    def within(self, legal: Range) -> None:
        """Called by the layer that owns this quantity with the range that it allows; learnable bounds stay in it."""

    def forward(self, u: Uniforms) -> Uniforms:
        """Maps uniforms in [0, 1) of any shape to values of the same shape and dtype."""
        raise NotImplementedError

    def log_prob_at(self, u: Uniforms) -> Uniforms | None:
        """log P of the discrete outcome at a uniform, where that is learnable; None where nothing is."""
        return None

    def entropy(self) -> Tensor | None:
        """How spread out it is, differentiable, at most 0 up to log 2 (log n for n choices); None if fixed.

        Of a range it is the logarithm of its share of the legal one: log(width / cap).
        """
        return None

    def __repr__(self) -> str:
        learnable = ", learnable=True" if any(True for _ in self.parameters()) else ""
        return f"{type(self).__name__}({self.extra_repr()}{learnable})"


class Constant(Distribution):
    """Always `value`; takes no draw."""

    draws = 0

    def __init__(self, value: float, learnable: bool = False) -> None:
        super().__init__()
        self.bounds = Bounds((value,), learnable)

    def support(self) -> Range:
        return self.bounds.initial[0], self.bounds.initial[0]

    def within(self, legal: Range) -> None:
        self.bounds.within(legal)

    def forward(self, u: Uniforms) -> Uniforms:
        (value,) = self.bounds()
        return torch.zeros_like(u) + value

    def config(self) -> dict[str, Any]:
        return {"_target_": "augment.Constant", "value": float(self.bounds()[0])}

    def extra_repr(self) -> str:
        return f"{self.bounds.initial[0]:g}"


class Uniform(Distribution):
    """Uniform on [low, high)."""

    def __init__(self, low: float, high: float, learnable: bool = False) -> None:
        super().__init__()
        _check_order(self, low, high)
        self.bounds = Bounds((low, high), learnable)

    def support(self) -> Range:
        return self.bounds.initial

    def within(self, legal: Range) -> None:
        self.bounds.within(legal)

    def forward(self, u: Uniforms) -> Uniforms:
        low, high = self.bounds()
        return low + (high - low) * u

    def entropy(self) -> Tensor | None:
        return self.bounds.log_share()

    def config(self) -> dict[str, Any]:
        low, high = self.bounds()
        return {"_target_": f"augment.{type(self).__name__}", "low": float(low), "high": float(high)}

    def extra_repr(self) -> str:
        return "{:g}, {:g}".format(*self.bounds.initial)


class Spread(Distribution):
    """Uniform about a centre, within a width of it: centre + width * (2u - 1), or centre + width * u one-sided.

    The width is cap * sigmoid(rho) with rho learned: it can reach neither 0 nor `cap`, and keeps its gradient.
    `log_scale` takes the exponential of that, so that a factor and its inverse are equally likely.

    Args:
        width: to start with, in (0, cap).
        cap: the largest width.
        centre: the value that changes nothing (of a factor in log scale: its logarithm, 0).
        one_sided: only from the centre up.
        log_scale: see above.
    """

    def __init__(
        self, width: float, cap: float, centre: float = 0.0, one_sided: bool = False, log_scale: bool = False
    ) -> None:
        super().__init__()
        if not 0 < width < cap:
            raise ValueError(f"Spread: width={width} must lie within (0, {cap}), its cap.")
        self.cap, self.centre, self.one_sided, self.log_scale = float(cap), float(centre), one_sided, log_scale
        self.rho = nn.Parameter(torch.tensor(math.log(width / (cap - width))))

    def width(self) -> Tensor:
        rho = self.rho if self.rho.dtype == torch.float64 else self.rho.float()
        return self.cap * torch.sigmoid(rho)

    def support(self) -> Range:
        """With the width at its cap: whatever is learned stays legal."""
        low, high = self.centre - (0 if self.one_sided else self.cap), self.centre + self.cap
        return (math.exp(low), math.exp(high)) if self.log_scale else (low, high)

    def forward(self, u: Uniforms) -> Uniforms:
        value = self.centre + self.width() * (u if self.one_sided else 2 * u - 1)
        return torch.exp(value) if self.log_scale else value

    def entropy(self) -> Tensor:
        return F.logsigmoid(self.rho)

    def config(self) -> dict[str, Any]:
        """The fixed distribution that it has become."""
        low, high = self(torch.tensor([0.0, 1.0], device=self.rho.device)).tolist()
        return {"_target_": f"augment.{'LogUniform' if self.log_scale else 'Uniform'}", "low": low, "high": high}

    def extra_repr(self) -> str:
        return f"{float(self.width()):.4g}, cap={self.cap:g}, centre={self.centre:g}"


class LogUniform(Distribution):
    """Uniform in the logarithm on [low, high), both positive: a factor and its inverse are equally likely."""

    def __init__(self, low: float, high: float, learnable: bool = False) -> None:
        super().__init__()
        _check_order(self, low, high)
        if low <= 0:
            raise ValueError(f"LogUniform: low={low} must be positive.")
        self.bounds = Bounds((low, high), learnable)

    def support(self) -> Range:
        return self.bounds.initial

    def within(self, legal: Range) -> None:
        self.bounds.within((max(legal[0], 1e-6), legal[1]))

    def forward(self, u: Uniforms) -> Uniforms:
        low, high = (b.log() if isinstance(b, Tensor) else math.log(b) for b in self.bounds())
        return torch.exp(low + (high - low) * u)

    def entropy(self) -> Tensor | None:
        return self.bounds.log_share()

    config, extra_repr = Uniform.config, Uniform.extra_repr


class Normal(Distribution):
    """Normal with `mean` and `std`, cut to [low, high] by renormalising where these are given."""

    def __init__(
        self, mean: float, std: float, low: float = -math.inf, high: float = math.inf, learnable: bool = False
    ) -> None:
        super().__init__()
        if std <= 0:
            raise ValueError(f"Normal: std={std} must be positive (a Constant has none).")
        _check_order(self, low, high)
        self.low, self.high = low, high
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
        # erfinv is infinite at the ends: keep half a step (2**-25) away from them
        q = (below + (above - below) * u).clamp(2.0**-25, 1 - 2.0**-24)
        return (mean + std * math.sqrt(2) * torch.erfinv(2 * q - 1)).clamp(self.low, self.high)

    def config(self) -> dict[str, Any]:
        (mean,), (std,) = self.mean(), self.std()
        ends = {"low": self.low, "high": self.high}
        ends = {name: value for name, value in ends.items() if math.isfinite(value)}
        return {"_target_": "augment.Normal", "mean": float(mean), "std": float(std)} | ends

    def extra_repr(self) -> str:
        return f"{self.mean.initial[0]:g}, {self.std.initial[0]:g}, low={self.low:g}, high={self.high:g}"


class Bernoulli(Distribution):
    """True with probability p. A fixed p of 0 or 1 takes no draw."""

    def __init__(self, p: float, learnable: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Bernoulli: p={p} must lie within [0, 1].")
        self.p = Bounds((p,), learnable)
        self.p.within((0.0, 1.0))
        self.draws = 1 if learnable or 0 < p < 1 else 0

    def support(self) -> Range:
        return (0.0, 1.0) if self.draws else self.p.initial * 2

    def probability(self) -> float | Tensor:
        """p: a number, or a 0-dimensional tensor with a gradient if learnable."""
        return self.p()[0]

    def forward(self, u: Uniforms) -> Uniforms:
        return u < self.probability()

    def log_prob(self, value: Uniforms) -> Uniforms:
        """log P(value) for what `forward` returned: the score function's ingredient, differentiable in p."""
        p = torch.as_tensor(self.probability(), device=value.device)
        return torch.where(value, p.log(), torch.log1p(-p))

    def log_prob_at(self, u: Uniforms) -> Uniforms | None:
        return self.log_prob(self(u)) if self.p.raw is not None else None

    def entropy(self) -> Tensor | None:
        if self.p.raw is None:
            return None
        p = self.probability()
        return -(p * p.log() + (1 - p) * torch.log1p(-p))

    def config(self) -> float:
        """A number, which is what every `p` accepts."""
        return float(self.probability())

    def extra_repr(self) -> str:
        return f"{float(self.probability()):.4g}"


class Choice(Distribution):
    """One of `values`, with `weights` (equal if not given; any non-negative numbers) as relative frequencies."""

    def __init__(
        self, values: Sequence[float], weights: Sequence[float] | None = None, learnable: bool = False
    ) -> None:
        super().__init__()
        self.values = tuple(float(v) for v in values)
        weights = tuple(float(w) for w in (weights if weights is not None else [1.0] * len(self.values)))
        if not self.values or len(weights) != len(self.values):
            raise ValueError(f"Choice: needs one weight per value, got {len(self.values)} values and {weights=}.")
        if min(weights) < 0 or not 0 < sum(weights) < math.inf:
            raise ValueError(f"Choice: weights={weights} must be non-negative, finite and not all 0.")
        self.weights = tuple(w / sum(weights) for w in weights)
        if learnable:
            floor = EDGE / len(weights)
            self.logits = nn.Parameter(torch.tensor([math.log(max(w, floor)) for w in self.weights]))
        else:
            self.logits = None

    def support(self) -> Range:
        return min(self.values), max(self.values)

    def index(self, u: Uniforms) -> Uniforms:
        """Which value a uniform selects, int64 of the same shape."""
        index = torch.zeros_like(u, dtype=torch.int64)
        if self.logits is None:
            total = 0.0
            for weight in self.weights[:-1]:
                total += weight
                index = index + (u >= total)
            return index
        for edge in self.logits.softmax(0).cumsum(0)[:-1]:
            index = index + (u >= edge)
        return index

    def log_prob(self, index: Uniforms) -> Uniforms:
        """log P(index) for what `index` returned, differentiable in the weights."""
        if self.logits is None:
            return torch.log(_lookup(self.weights, index))
        return self.logits.log_softmax(0)[index]

    def forward(self, u: Uniforms) -> Uniforms:
        return _lookup(self.values, self.index(u)).to(u.dtype)

    def log_prob_at(self, u: Uniforms) -> Uniforms | None:
        return self.log_prob(self.index(u)) if self.logits is not None else None

    def entropy(self) -> Tensor | None:
        if self.logits is None:
            return None
        log_p = self.logits.log_softmax(0)
        return -(log_p.exp() * log_p).sum()

    def probabilities(self) -> list[float]:
        """What the weights have become."""
        return list(self.weights) if self.logits is None else self.logits.softmax(0).tolist()

    def config(self) -> dict[str, Any]:
        return {"_target_": "augment.Choice", "values": list(self.values), "weights": self.probabilities()}

    def extra_repr(self) -> str:
        return f"{self.values}, weights={tuple(round(w, 4) for w in self.weights)}"


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


def _normal_cdf(x: float | Tensor) -> float | Tensor:
    if isinstance(x, Tensor):
        return torch.special.ndtr(x)
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _lookup(values: Sequence[float], index: Tensor) -> Tensor:
    """values[index] without a table on the device: a chain of selections that compiles into the kernel around it."""
    out = torch.full_like(index, values[0], dtype=torch.float32)
    for i, value in enumerate(values[1:], start=1):
        out = torch.where(index == i, value, out)
    return out


def _check_order(owner: Distribution, low: float, high: float) -> None:
    if not low <= high:
        raise ValueError(f"{type(owner).__name__}: low={low} must not be above high={high}.")
