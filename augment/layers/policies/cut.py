"""Magnitudes that timm draws and clips to their range."""

import math

from torch import Tensor

from augment.draws.bounds import Range
from augment.draws.distributions import Distribution, Normal, Uniform
from augment.draws.shorthand import Quantity


def cut_level(level: float, spread: float, most: float) -> Quantity:
    """Returns a level with a standard deviation, clipped to [0, `most`]; infinity draws it uniformly up to `level`."""
    if spread == 0:
        return min(level, most)
    drawn: _Cut = _CutUniform(0.0, level) if math.isinf(spread) else _CutNormal(level, spread)
    drawn.most = most
    return drawn


class _Cut(Distribution):
    """Clips draws to [0, `most`]. A `Normal` with bounds would renormalise instead of clipping."""

    most: float = 1.0

    def support(self) -> Range:
        return 0.0, self.most

    def within(self, legal: Range) -> None:
        """Does nothing: draws always lie within [0, `most`]."""

    def forward(self, u: Tensor) -> Tensor:
        return super().forward(u).clamp(0.0, self.most)


class _CutNormal(_Cut, Normal):
    pass


class _CutUniform(_Cut, Uniform):
    pass
