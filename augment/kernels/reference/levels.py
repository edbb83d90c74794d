"""Histograms of 8-bit levels, and lookup tables that are made of them."""

import torch
from torch import Tensor

from augment.data.operator import operator
from augment.data.types import Integer, UInt8

LEVELS = 256


def histogram(level: Integer[Tensor, "*groups n"]) -> Integer[Tensor, "*groups 256"]:
    """Counts how many of the n pixels have each level."""
    counts = torch.zeros(*level.shape[:-1], LEVELS, dtype=torch.int32, device=level.device)
    return counts.scatter_add(-1, level, counts.new_ones(()).expand(level.shape))


@operator
def count_levels(image: UInt8[Tensor, "b c h w"]) -> Integer[Tensor, "b c 256"]:
    """Counts how many pixels of each channel have each level."""
    return histogram(image.flatten(2).to(torch.int64))


def equalizing_table(counts: Integer[Tensor, "*groups 256"]) -> Integer[Tensor, "*groups 256"]:
    """Returns the table of Pillow's ImageOps.equalize: level k becomes (number of pixels below k + step // 2) // step.

    The step is the number of pixels below the brightest level, divided by 255. If it is 0, no level changes.
    """
    counts = counts.to(torch.int64)
    level = torch.arange(LEVELS, device=counts.device)
    brightest = (level * (counts > 0)).amax(-1, keepdim=True)
    step = (counts.sum(-1, keepdim=True) - counts.gather(-1, brightest)) // (LEVELS - 1)
    below = counts.cumsum(-1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=LEVELS - 1)
    return torch.where(step == 0, level, table)
