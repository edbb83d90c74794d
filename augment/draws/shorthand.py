"""Shorthand for random quantities in constructor arguments."""

from typing import TypeGuard

import torch

from augment.draws.arguments import LARGEST, is_number, plain, shown, within
from augment.draws.bounds import REAL_LINE, Range
from augment.draws.distributions import Bernoulli, Constant, Distribution, LogUniform, Normal, Schedule, Uniform

Number = float | torch.Tensor
Quantity = Number | tuple[Number, Number] | list[Number] | Distribution
"""Argument type of a random quantity: a number, a pair or a distribution; numbers may be tensors."""


def as_distribution(
    value: Quantity, name: str, legal: Range = REAL_LINE, around: float | None = None, clip: bool = False
) -> Distribution:
    """Converts the number-or-pair shorthand of Kornia and torchvision to a distribution.

    Args:
        value: a distribution is kept; a pair (low, high) is Uniform(low, high); a number is Uniform(around - value,
            around + value) if `around` is given and a constant otherwise. Numbers may be Python's, NumPy's or torch's.
        name: name of the quantity in errors, "Layer: argument".
        legal: range of legal values; a support beyond it raises an error.
        around: centre of the range that a single number means.
        clip: clip the range of a single number to `legal` instead of raising an error.
    """
    value = plain(value, name)
    if isinstance(value, Schedule) and around is not None:
        value = _scheduled_around(value, name, legal, around, clip)
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
    """Whether a value is a pair of numbers."""
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_number, value))


def _around(value: float, name: str, legal: Range, around: float | None, clip: bool) -> Range:
    """Returns the ends of the range that a single number means."""
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


def _scheduled_around(value: Schedule, name: str, legal: Range, around: float, clip: bool) -> Schedule:
    """Returns the schedule of the ranges that its numbers mean."""
    if value.support()[0] < 0 and not value.draws:
        raise ValueError(
            f"{name}={value} must not be negative: a number v means the range {around} - v to {around} + v."
        )
    return value.around(around, legal if clip else REAL_LINE)


def _kept(distribution: Distribution, name: str, legal: Range) -> Distribution:
    """Checks a distribution and passes the legal range to it."""
    if isinstance(distribution, Bernoulli):
        raise TypeError(f"{name}={distribution} must be a distribution of numbers; a Bernoulli draws True or False.")
    low, high = distribution.support()
    unbounded = isinstance(distribution, Normal)  # a normal is truncated to the legal range instead of refused
    if not unbounded and not (legal[0] <= low and high <= legal[1]):
        raise ValueError(f"{name}={distribution} must {_allowed(legal)}.")
    distribution.within(legal)
    return distribution


def _allowed(legal: Range) -> str:
    return f"lie within [{legal[0]:g}, {legal[1]:g}]" if within(*legal) else "be finite"


def log_uniform(value: Quantity) -> Quantity:
    """Converts a pair 0 < low < high to LogUniform(low, high) and returns other values unchanged."""
    if is_pair(value):
        low, high = value
        if 0 < low < high <= LARGEST:
            return LogUniform(low, high)
    return value


def check_reached(distribution: Distribution, name: str) -> None:
    """Refuses learnable bounds of a quantity without an image gradient.

    Only the reward for width would move such bounds, up to their ends. A Choice can learn with the score function.

    Raises:
        ValueError: the distribution has such bounds.
    """
    if any(True for _ in distribution.parameters()) and distribution.log_prob_at(torch.zeros(1)) is None:
        raise ValueError(
            f"{name}={distribution} cannot be learned, because the image has no gradient to it; "
            "use Choice(values, learnable=True)."
        )
