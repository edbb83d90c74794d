"""Base class of the distributions."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from augment.data.types import Shaped
from augment.draws.bounds import Range
from augment.draws.config import Configured

Uniforms = Shaped[Tensor, "*draws"]


class Distribution(Configured, nn.Module):
    """Base class of all distributions. `draws` is the number of uniforms per draw.

    Attributes:
        of: name of what it follows, such as "epoch"; None if it is the same for every call, see `Schedule`.

    Example:
        >>> angle = A.Uniform(-15, 15, learnable=True)
        >>> len(list(angle.parameters()))
        1
    """

    draws: int = 1
    of: str | None = None

    def support(self) -> Range:
        """Returns the smallest and the largest possible value as numbers, in the initial state if learnable."""
        raise NotImplementedError

    def within(self, legal: Range) -> None:
        """Restricts learnable bounds to the legal range. The layer that owns the quantity calls it."""

    def forward(self, u: Uniforms) -> Uniforms:
        """Maps uniforms in [0, 1) of any shape to values of the same shape and dtype."""
        raise NotImplementedError

    if TYPE_CHECKING:  # torch declares no type for calls of modules

        def __call__(self, u: Uniforms) -> Uniforms: ...

    def log_prob_at(self, u: Uniforms) -> Uniforms | None:
        """Returns log P of the discrete outcome at a uniform, or None unless its probabilities are learnable."""
        return None

    def entropy(self) -> Tensor | None:
        """Returns the differentiable entropy, or None if the distribution is fixed.

        For a range it is log(width / cap), at most 0: the logarithm of the range as a fraction of the legal one. For a
        Bernoulli it is at most log 2, and for n choices at most log n.
        """
        return None

    def __repr__(self) -> str:
        learnable = ", learnable=True" if any(True for _ in self.parameters()) else ""
        return f"{type(self).__name__}({self.extra_repr()}{learnable})"
