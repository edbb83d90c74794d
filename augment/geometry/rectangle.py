"""Rectangles of whole pixels, one a sample."""

import torch
from torch import Tensor

from augment.data.primitives import materialized
from augment.data.types import Bool, Float, Params

SIDES = ("top", "left", "height", "width")
"""What a rectangle is made of, in whole pixels."""


def rectangle(params: Params, size: tuple[int, int]) -> Bool[Tensor, "b h w"]:
    """Which pixels of images of a size lie inside the rectangle of `top`, `left`, `height`, `width`."""
    top, left, height, width = (params[name][:, None, None] for name in SIDES)
    y = torch.arange(size[0], device=top.device)[:, None]
    x = torch.arange(size[1], device=top.device)
    rows, columns = (y >= top) & (y < top + height), (x >= left) & (x < left + width)
    return materialized(rows) & materialized(columns)


def rectangles(params: Params, size: tuple[int, int]) -> Bool[Tensor, "b h w"]:
    """Which pixels lie inside any of k rectangles, whose sides are (B, k)."""
    rows = spans(size[0], params["top"], params["height"])
    columns = spans(size[1], params["left"], params["width"])
    return (rows.mT @ columns) > 0  # the product counts the rectangles on a pixel


def spans(n: int, start: Float[Tensor, "b k"], length: Float[Tensor, "b k"]) -> Float[Tensor, "b k n"]:
    """Marks each interval [start, start + length) on an axis of n pixels with 1, and the rest with 0."""
    position = torch.arange(n, device=start.device)
    begun, over = position >= start[..., None], position >= (start + length)[..., None]
    return (begun & ~over).to(torch.float32)
