"""Small operators on values that compiled code for a GPU needs in a form of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.operator import operator
from augment.data.types import Bool, Float, Images, Num, Planes, Shaped


@operator
def stack(planes: Sequence[Num[Tensor, "*shape"]], dim: int) -> Num[Tensor, "*joint"]:
    """`torch.stack`."""
    return torch.stack(tuple(planes), dim)


@operator
def channels_last(image: Images | Planes) -> Images:
    """The image as one tensor; a kernel may also put it in channels_last order."""
    return torch.stack(image, 1) if isinstance(image, tuple) else image


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
