"""Fixed or learnable numbers within a legal range."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augment.data.known import known

Range = tuple[float, float]
REAL_LINE: Range = (-math.inf, math.inf)
EDGE = 1e-3
"""A learnable bound starts at least this fraction of its range away from the ends, where gradients vanish."""


class Bounds(nn.Module):
    """Ascending numbers within a legal range, fixed or learnable. Calling the module returns them.

    Learnable bounds are stored as unconstrained parameters `raw`. Between finite ends, a sigmoid places each bound
    between the previous one and the upper end. With a single finite end, softplus is the distance from it or from the
    previous bound. A sigmoid keeps a gradient where a clamp would have none.
    """

    def __init__(self, values: Sequence[float], learnable: bool) -> None:
        super().__init__()
        self.initial = tuple(float(v) for v in values)
        self.legal = REAL_LINE
        self.raw = nn.Parameter(torch.empty(len(self.initial))) if learnable else None
        self.within(REAL_LINE)

    def within(self, legal: Range) -> None:
        self.legal = (max(self.legal[0], legal[0]), min(self.legal[1], legal[1]))
        if self.raw is not None:
            self.assign(*self.initial)

    def assign(self, *values: float) -> None:
        """Sets learnable bounds, ascending and within the legal range, at least EDGE of it away from its ends."""
        below, raw = self.legal[0], []
        for value in values:
            raw.append(self._inverse(value, below))
            below = value
        known(self.raw).data.copy_(torch.tensor(raw))

    def _inverse(self, value: float, below: float) -> float:
        above = self.legal[1]
        if below == -math.inf:
            return value if above == math.inf else -_softplus_inverse(above - value)
        if above == math.inf:
            return _softplus_inverse(value - below)
        share = (value - below) / (above - below) if above > below else 0.0
        share = min(max(share, EDGE), 1 - EDGE)
        return math.log(share / (1 - share))

    def forward(self) -> tuple[float | Tensor, ...]:
        if self.raw is None:
            return self.initial
        below: float | Tensor
        values: list[float | Tensor] = []
        below, above = self.legal
        for raw in self.raw.float().unbind() if self.raw.dtype != torch.float64 else self.raw.unbind():
            if isinstance(below, float) and below == -math.inf:
                below = raw if above == math.inf else above - F.softplus(-raw)
            elif above == math.inf:
                below = below + F.softplus(raw)
            else:
                below = below + (above - below) * torch.sigmoid(raw)
            values.append(below)
        return tuple(values)

    if TYPE_CHECKING:  # torch declares no type for calls of modules

        def __call__(self) -> tuple[float | Tensor, ...]: ...

    def numbers(self) -> tuple[float, ...]:
        """Returns the present values as numbers."""
        return tuple(rounded(value) if isinstance(value, Tensor) else value for value in self())

    def log_share(self) -> Tensor | None:
        """Returns the log of the range between two learnable bounds as a fraction of the legal range.

        None if the bounds are fixed or the legal range is infinite.
        """
        low, high = self.legal
        if self.raw is None or not math.isfinite(high - low):
            return None
        first, last = self()
        return torch.log(torch.as_tensor(last - first) / (high - low))


def rounded(value: Tensor) -> float:
    """Rounds to six significant digits, about the precision of float32."""
    return float(f"{value.item():.6g}")


def _softplus_inverse(value: float) -> float:
    value = max(value, EDGE)
    return value + math.log(-math.expm1(-value))
