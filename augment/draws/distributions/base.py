"""What every distribution can do."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from augment.data.types import Shaped
from augment.draws.bounds import Range
from augment.draws.config import Configured

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

    if TYPE_CHECKING:  # to torch, a call of a module gives anything

        def __call__(self, u: Uniforms) -> Uniforms: ...

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
