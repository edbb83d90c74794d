"""Dropout of single pixels."""

import torch

from augment.core.fills import GivenFill, checked_fill, fill_by_channel
from augment.core.kinds import PixelOp
from augment.data.pixels import per_sample
from augment.data.types import Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity


class PixelDropout(PixelOp):
    """Fills random pixels, or random values of them, independently of each other; named as in albumentations.

    Args:
        dropout_prob: probability that a pixel is filled, within [0, 1], without a gradient; 0 changes nothing.
        per_channel: draw for every channel of a pixel separately, instead of once for all of them.
        drop_value: value to fill with, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.PixelDropout(dropout_prob=1.0, drop_value=0.5, p=1.0)(torch.rand(1, 1, 1, 2))
        tensor([[[[0.5000, 0.5000]]]])
    """

    example = {"dropout_prob": (0.05, 0.3)}
    identity = {"dropout_prob": 0.0}
    alpha_stays = False

    def __init__(
        self,
        dropout_prob: Quantity = 0.01,
        per_channel: bool = False,
        drop_value: GivenFill = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.per_channel = per_channel
        self.fill = checked_fill(self, "drop_value", drop_value)
        self.quantity("dropout_prob", dropout_prob, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        dropped, fills = per_sample(params["dropout_prob"]), fill_by_channel(self, len(planes))
        separate = len(planes) if self.per_channel else 1
        field = uniform_field(params["key"], (separate, *planes[0].shape[1:])).expand(-1, len(planes), -1, -1).unbind(1)
        return tuple(torch.where(u < dropped, fill, plane) for u, fill, plane in zip(field, fills, planes, strict=True))
