"""Tensors in the place of numbers, as Kornia takes them, for whatever wants plain data."""

from typing import Any

import torch
from torch import Tensor


def plain(value: Any) -> Any:
    """A tensor as a number or as tuples of numbers, also within a tuple or a list; anything else as it is.

    0.3 stays 0.3 where it has become 0.30000001192 in float32.
    """
    if isinstance(value, Tensor):
        return _rounded(value.tolist(), value.dtype == torch.float32)
    if type(value) in (tuple, list):
        return type(value)(plain(entry) for entry in value)
    return value


def _rounded(value: Any, single: bool) -> Any:
    if isinstance(value, list):
        return tuple(_rounded(entry, single) for entry in value)
    return float(f"{value:.7g}") if single else value
