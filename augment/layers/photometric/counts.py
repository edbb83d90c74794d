"""How many things a sample gets, such as holes or shadows, where the number is random."""

from typing import TypeGuard

import torch
from torch import Tensor

from augment.core.layer import Layer
from augment.data.types import Bool, Float
from augment.draws.arguments import is_whole
from augment.draws.distributions import Choice
from augment.draws.shorthand import Quantity


def counted(layer: Layer, name: str, value: Quantity, most: int) -> int:
    """Declares a number of things from 0 to `most` and returns the largest that is drawn, at least 1.

    For a pair of whole numbers, each number in the range is equally likely; other draws are rounded.
    """
    layer.quantity(name, value, legal=(0.0, most))
    if is_whole_pair(value):
        layer.quantity(name, Choice(range(value[0], value[1] + 1)))
    return max(1, round(getattr(layer, name).support()[1]))


def first(most: int, number: Float[Tensor, " b"]) -> Bool[Tensor, "b k"]:
    """Marks the things that a sample gets among `most`: the first ones."""
    return torch.arange(most, device=number.device) < torch.round(number)[:, None]


def is_whole_pair(value: Quantity) -> TypeGuard[tuple[int, int]]:
    """Whether a value is a pair (low, high) of whole numbers in order; `quantity` checks all other values."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    low, high = value
    return is_whole(low) and is_whole(high) and low <= high
