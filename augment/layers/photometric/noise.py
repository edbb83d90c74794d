"""Pixel noise, drawn with the counter-based hash of `augment.draws.noise`."""

import torch

from augment.core.kinds import PixelOp
from augment.data.pixels import amount, per_sample
from augment.data.types import Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.noise import normal_field, uniform_field
from augment.draws.shorthand import Quantity


class RandomGaussianNoise(PixelOp):
    """Adds Gaussian noise, independent for every pixel and channel; does not clip to [0, 1].

    Args:
        mean: mean of the noise.
        std: standard deviation of the noise, in the image's [0, 1] scale, not negative.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
    """

    example = {"std": (0.05, 0.2)}
    identity = {"mean": 0.0, "std": 0.0}
    differentiable = frozenset({"mean", "std"})

    def __init__(
        self,
        mean: Quantity = 0.0,
        std: Quantity = 1.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("mean", mean)
        self.quantity("std", std, legal=(0.0, 1e3))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        mean, std = amount(params, "mean", planes), amount(params, "std", planes)
        field = normal_field(params["key"], (len(planes), *planes[0].shape[1:])).unbind(1)
        return tuple(plane + (mean + std * normal) for plane, normal in zip(planes, field, strict=True))


class RandomSaltAndPepperNoise(PixelOp):
    """Sets random pixels to white or black in all channels.

    Args:
        amount: probability of changing a pixel, within [0, 1], without a gradient; 0 changes nothing.
        salt_vs_pepper: fraction of white among the changed pixels, within [0, 1], without a gradient.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
    """

    identity = {"amount": 0.0}

    def __init__(
        self,
        amount: Quantity = (0.01, 0.06),
        salt_vs_pepper: Quantity = (0.4, 0.6),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("amount", amount, legal=(0.0, 1.0))
        self.quantity("salt_vs_pepper", salt_vs_pepper, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        dirty, white = per_sample(params["amount"]), per_sample(params["amount"] * params["salt_vs_pepper"])
        u = uniform_field(params["key"], tuple(planes[0].shape[1:]))
        turned, grain = u < dirty, (u < white).to(planes[0].dtype)
        return tuple(torch.where(turned, grain, plane) for plane in planes)
