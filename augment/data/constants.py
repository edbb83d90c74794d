"""Numbers as tensors, on whatever device they are used."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.data.types import Float


def constant(values: Sequence[Any], like: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Numbers, nested to any depth, as a tensor of the type of another and on its device.

    In eager mode the host sends them to a GPU and goes on; `new_tensor` would wait until it is done with all that was
    asked of it before. Compiled code holds them as constants.
    """
    if torch.compiler.is_compiling() or like.device.type == "cpu":
        return like.new_tensor(values)
    return torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)
