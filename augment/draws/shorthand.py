"""What a user may write where a layer needs a random quantity."""

from typing import TypeGuard

import torch

from augment.draws.arguments import LARGEST, is_number, plain, shown, within
from augment.draws.bounds import REAL_LINE, Range
from augment.draws.distributions import Bernoulli, Constant, Distribution, LogUniform, Normal, Uniform

Number = float | torch.Tensor
Quantity = Number | tuple[Number, Number] | list[Number] | Distribution
"""What a layer accepts where it needs a random quantity: a number, a pair or a distribution; numbers may be tensors."""


def as_distribution(
    value: Quantity, name: str, legal: Range = REAL_LINE, around: float | None = None, clip: bool = False
) -> Distribution:
    """Turns the number-or-pair shorthand of Kornia and torchvision into a distribution.

    Args:
        value: a distribution is kept; a pair (low, high) is Uniform(low, high); a number is Uniform(around - value,
            around + value) where `around` is given and the constant itself otherwise. Numbers are Python's, NumPy's or
            torch's.
        name: what to call it in an error, "Layer: argument".
        legal: the values that make sense; a support that leaves them raises.
        around: centre of the shorthand for a single number.
        clip: cut the range made out of a single number to `legal` instead of raising.
    """
    value = plain(value, name)
    if isinstance(value, Distribution):
        return _kept(value, name, legal)
    if is_number(value):
        low, high = _around(value, name, legal, around, clip)
    elif is_pair(value):
        low, high = value
        if low > high:
            raise ValueError(f"{name}={value} must be a pair (low, high) with low <= high.")
    else:
        raise TypeError(f"{name}={shown(value)} must be a number, a pair (low, high) or a distribution.")
    if not max(legal[0], -LARGEST) <= low <= high <= min(legal[1], LARGEST):
        raise ValueError(f"{name}={value} must {_allowed(legal)}.")
    return Uniform(low, high) if low < high else Constant(low)


def is_pair(value: object) -> TypeGuard[tuple[float, float]]:
    """Two numbers."""
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_number, value))


def _around(value: float, name: str, legal: Range, around: float | None, clip: bool) -> Range:
    """The ends of the range that a single number means."""
    if around is None:
        return value, value
    if value < 0:
        raise ValueError(
            f"{name}={value} must not be negative: a number v means the range {around} - v to {around} + v."
        )
    if not value <= LARGEST:
        raise ValueError(f"{name}={value} must {_allowed(legal)}.")
    low, high = around - value, around + value
    return (max(low, legal[0]), min(high, legal[1])) if clip else (low, high)


def _kept(distribution: Distribution, name: str, legal: Range) -> Distribution:
    """A distribution of numbers, told what makes sense."""
    if isinstance(distribution, Bernoulli):
        raise TypeError(f"{name}={distribution} must be a distribution of numbers; a Bernoulli is one of yes and no.")
    low, high = distribution.support()
    unbounded = isinstance(distribution, Normal)  # a normal is cut to the legal range rather than refused
    if not unbounded and not (legal[0] <= low and high <= legal[1]):
        raise ValueError(f"{name}={distribution} must {_allowed(legal)}.")
    distribution.within(legal)
    return distribution


def _allowed(legal: Range) -> str:
    return f"lie within [{legal[0]:g}, {legal[1]:g}]" if within(*legal) else "be finite"


def log_uniform(value: Quantity) -> Quantity:
    """A pair of numbers, the first of which is positive and below the second, uniform in the logarithm instead."""
    if is_pair(value):
        low, high = value
        if 0 < low < high <= LARGEST:
            return LogUniform(low, high)
    return value


def check_reached(distribution: Distribution, name: str) -> None:
    """Refuses what no gradient would reach: bounds that are learned, of a quantity that the image does not follow.

    Only the reward for width would move them, to their ends. The score function reaches a Choice.

    Raises:
        ValueError: it has such bounds.
    """
    if any(True for _ in distribution.parameters()) and distribution.log_prob_at(torch.zeros(1)) is None:
        raise ValueError(
            f"{name}={distribution} cannot be learned, the image has no gradient to it; "
            "use Choice(values, learnable=True)."
        )
