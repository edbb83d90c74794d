"""Coarse pixels."""

import torch
from torch import Tensor

from augment.core.kinds import ImageOp
from augment.data.types import Float, Images, Params, PerSample
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity


class RandomPixelate(ImageOp):
    """Replaces every value by the mean of its cell in a coarse grid, as a box filter and nearest neighbours give.

    Args:
        scale: cells per pixel along each side, rounded down to whole cells, within [0.001, 1], without a gradient; 1
            changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomPixelate(scale=0.5, p=1.0)(torch.tensor([[[[0.0, 1.0, 0.5, 0.5]]]]))
        tensor([[[[0.5000, 0.5000, 0.5000, 0.5000]]]])
    """

    example = {"scale": (0.2, 0.7)}
    identity = {"scale": 1.0}

    def __init__(self, scale: Quantity = (0.25, 0.6), p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("scale", scale, legal=(1e-3, 1.0))

    def image(self, image: Images, params: Params) -> Images:
        down, across = (cell_means(extent, params["scale"].to(image.dtype))[:, None] for extent in image.shape[-2:])
        return down @ image @ across


_ROUNDING = 1e-3
"""Part of a cell by which rounding errors of extent * scale are exceeded."""


def cell_means(extent: int, scale: PerSample) -> Float[Tensor, "b n n"]:
    """Returns symmetric matrices that replace `extent` values by the means of their cells."""
    cells = torch.floor(extent * scale + _ROUNDING).clamp(min=1)[:, None]
    place = torch.arange(extent, device=scale.device, dtype=scale.dtype)
    cell = torch.floor((2 * place + 1) * cells / (2 * extent))
    same = (cell[:, :, None] == cell[:, None, :]).to(scale.dtype)
    return same / same.sum(2, keepdim=True)
