"""Fog."""

import torch

from augment.core.kinds import PixelOp
from augment.data.color import clamped
from augment.data.pixels import NOTHING, amount
from augment.data.types import Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.layers.photometric.plasma import clouds


class RandomFog(PixelOp):
    """Adds a plasma fractal from 0 to `intensity`, and scales back to the image's largest value.

    Hendrycks and Dietterich 2019, published code: (image + intensity * cloud) * largest / (largest + intensity). The
    cloud is the same in all channels and spans [0, 1]. The image is clipped to [0, 1].

    Args:
        intensity: largest value of the fog before it is scaled back, within [0, 100]; 0 changes nothing.
        roughness: amount of fine detail, within [0, 1]; 0 is a smooth slope and 1 is white noise.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomFog(intensity=(0.5, 2.0), p=1.0)(torch.zeros(1, 3, 8, 8)).max()  # the largest value stays
        tensor(0.)
    """

    identity = {"intensity": 0.0}
    differentiable = frozenset({"intensity", "roughness"})

    def __init__(
        self,
        intensity: Quantity = (0.5, 2.0),
        roughness: Quantity = 0.4,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("intensity", intensity, legal=(0.0, 100.0))
        self.quantity("roughness", roughness, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        intensity = amount(params, "intensity", planes)
        (cloud,) = clouds(params, planes, 1)
        low, high = cloud.amin((1, 2), keepdim=True), cloud.amax((1, 2), keepdim=True)
        span = high - low
        fog = intensity * (cloud - low) / torch.where(span > NOTHING, span, 1.0)
        largest = planes[0].amax((1, 2), keepdim=True)
        for plane in planes[1:]:
            largest = torch.maximum(largest, plane.amax((1, 2), keepdim=True))
        total = largest + intensity
        scale = torch.where(largest > NOTHING, largest / torch.where(total > NOTHING, total, 1.0), 0.0)
        return clamped(tuple((plane + fog) * scale for plane in planes))
