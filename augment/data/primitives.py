"""Small operators on values that compiled code for a GPU needs in a form of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.operator import operator
from augment.data.types import Bool, Float, Num, Shaped


@operator
def stack(planes: Sequence[Num[Tensor, "*shape"]], dim: int) -> Num[Tensor, "*joint"]:
    """`torch.stack`."""
    return torch.stack(tuple(planes), dim)


@operator
def materialized(value: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """The value, in memory: compiled code would otherwise compute it again for everything that reads it."""
    return value


@operator
def saturated(value: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`value.clamp(0, 1)`. NaN stays NaN here; a kernel may make 0 of it."""
    return value.clamp(0, 1)


@operator
def where(
    chosen: Bool[Tensor, "*few"], new: Float[Tensor, "*shape"], old: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """`torch.where`."""
    return torch.where(chosen, new, old)
