"""Checks of what keys a draw: the seed, the epoch and the samples' numbers."""

import torch
from torch import Tensor

from augment.draws.arguments import name_of, plain, shown, whole


def seed(owner: object, value: int) -> int:
    """Checks a seed, a signed or unsigned 64-bit integer."""
    return whole(owner, "seed", plain(value, f"{name_of(owner)}: seed"), -(2**63), 2**64 - 1)


def epoch(owner: object, value: int | Tensor) -> int | Tensor:
    """Checks an epoch, an unsigned 32-bit integer or a 0-dimensional integer tensor."""
    if isinstance(value, Tensor):
        if value.ndim or value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
            label = f"{name_of(owner)}: epoch={tuple(value.shape)} {value.dtype}"
            raise TypeError(f"{label} must be a whole number or a 0-dimensional integer tensor.")
        return value
    if type(value) is int and 0 <= value < 2**32:
        return value
    return whole(owner, "epoch", plain(value, f"{name_of(owner)}: epoch"), 0, 2**32 - 1)


def index(owner: object, value: Tensor, count: int | None = None) -> None:
    """Checks sample indices (B,), one for each of `count` images if given."""
    name = name_of(owner)
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: index={shown(value)} must be a (B,) tensor of integers: torch.tensor(index).")
    if value.ndim != 1 or value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{name}: index must be (B,) integers, got {tuple(value.shape)} {value.dtype}.")
    if count is not None and value.shape[0] != count:
        raise ValueError(f"{name}: index must have one number per image: expected {count}, got {value.shape[0]}.")
