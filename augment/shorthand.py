"""What a user may write where a layer needs a random quantity."""

import torch

from augment.bounds import REAL_LINE, Range
from augment.distributions import Constant, Distribution, Normal, Uniform
from augment.plain import plain

Number = float | torch.Tensor
Quantity = Number | tuple[Number, Number] | list[Number] | Distribution
"""What a layer accepts where it needs a random quantity: a number, a pair or a distribution; numbers may be tensors."""


def as_distribution(
    value: Quantity, name: str, legal: Range = REAL_LINE, around: float | None = None, clip: bool = False
) -> Distribution:
    """Turns the number-or-pair shorthand of Kornia and torchvision into a distribution.

    Args:
        value: a distribution is kept; a pair (low, high) is Uniform(low, high); a number is Uniform(around - value,
            around + value) where `around` is given and the constant itself otherwise.
        name: what to call it in an error, "Layer: argument".
        legal: the values that make sense; a support that leaves them raises.
        around: centre of the shorthand for a single number.
        clip: cut the range made out of a single number to `legal` instead of raising.
    """
    value = as_numbers(value, name)
    if isinstance(value, Distribution):
        distribution = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if around is None:
            distribution = Constant(value)
        elif value < 0:
            raise ValueError(
                f"{name}={value} must not be negative: a number v means the range {around} - v to {around} + v."
            )
        else:
            low, high = around - value, around + value
            low, high = (max(low, legal[0]), min(high, legal[1])) if clip else (low, high)
            distribution = Uniform(low, high) if value else Constant(around)
    elif isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value):
        low, high = value
        if not low <= high:
            raise ValueError(f"{name}={tuple(value)} must be a pair (low, high) with low <= high.")
        distribution = Uniform(low, high) if low < high else Constant(low)
    else:
        raise TypeError(f"{name}={value!r} must be a number, a pair (low, high) or a distribution.")
    low, high = distribution.support()
    unbounded = isinstance(distribution, Normal)  # a normal is cut to the legal range rather than refused
    if not unbounded and not (legal[0] <= low and high <= legal[1]):
        raise ValueError(f"{name}={value!r} must lie within [{legal[0]:g}, {legal[1]:g}].")
    distribution.within(legal)
    return distribution


def as_numbers(value: object, name: str) -> object:
    """Tensors as plain numbers and tuples of them, see `plain`.

    Raises:
        ValueError: a tensor requires a gradient. A layer that kept its numbers would not learn them.
    """
    entries = value if isinstance(value, (tuple, list)) else (value,)
    if any(isinstance(entry, torch.Tensor) and entry.requires_grad for entry in entries):
        raise ValueError(
            f"{name} must not be a tensor that requires a gradient: write Uniform(low, high, learnable=True) to learn "
            "a range, or call from_kornia."
        )
    return plain(value)


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
