"""Rectangles of whole pixels, one a sample."""

import torch
from torch import Tensor

from augment.data.primitives import materialized
from augment.data.types import Bool, Params

SIDES = ("top", "left", "height", "width")
"""What a rectangle is made of, in whole pixels."""


def rectangle(params: Params, size: tuple[int, int]) -> Bool[Tensor, "b h w"]:
    """Which pixels of images of a size lie inside the rectangle of `top`, `left`, `height`, `width`."""
    top, left, height, width = (params[name][:, None, None] for name in SIDES)
    y = torch.arange(size[0], device=top.device)[:, None]
    x = torch.arange(size[1], device=top.device)
    rows, columns = (y >= top) & (y < top + height), (x >= left) & (x < left + width)
    return materialized(rows) & materialized(columns)
