"""Constant tensors on any device."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.data.context import compiling, on_cpu
from augment.data.types import Num


def constant(values: Sequence[Any], like: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
    """Converts numbers, nested to any depth, to a tensor with the type and device of `like`.

    In eager mode the copy to a GPU does not block the host, while `new_tensor` would wait for all work queued before.
    Compiled code holds the numbers as constants.
    """
    if compiling() or on_cpu(like.device):
        return like.new_tensor(values)
    return torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)
