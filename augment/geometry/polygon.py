"""Polygons."""

import torch
from torch import Tensor

from augment.data.primitives import materialized
from augment.data.types import Bool, Float


def inside(x: Float[Tensor, "b n"], y: Float[Tensor, "b n"], size: tuple[int, int]) -> Bool[Tensor, "b h w"]:
    """Which pixels have their centre in a polygon, by the even-odd rule.

    Args:
        x, y: corners in pixels, in the order of the outline, which may cross itself.
        size: (height, width) of the images.
    """
    row = torch.arange(size[0], device=x.device, dtype=x.dtype)[:, None]
    column = torch.arange(size[1], device=x.device, dtype=x.dtype)
    x0, y0, x1, y1 = (part[:, None] for part in (x, y, x.roll(-1, 1), y.roll(-1, 1)))
    crossed = (y0 > row) != (y1 > row)
    slope = (x1 - x0) / torch.where(crossed, y1 - y0, 1.0)
    crossings = materialized(torch.where(crossed, x0 + (row - y0) * slope, -1.0))  # -1 lies left of all pixels
    odd = torch.zeros((), dtype=torch.bool, device=x.device)
    for crossing in crossings.unbind(2):
        odd = odd ^ (column < crossing[:, :, None])
    return odd
