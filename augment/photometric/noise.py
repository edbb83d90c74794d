"""Noise, drawn for every pixel by the same counter-based hash as everything else."""

from augment.distributions import Bernoulli
from augment.layer import PixelOp
from augment.noise import normal_field
from augment.pixels import per_sample
from augment.shorthand import Quantity
from augment.types import Params, Planes


class RandomGaussianNoise(PixelOp):
    """Adds normal noise, independent for every pixel and channel; the result is not cut to [0, 1].

    Args:
        mean: of the noise.
        std: its standard deviation, in the image's [0, 1] scale; not negative.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
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
        mean, std = per_sample(params["mean"]), per_sample(params["std"])
        field = normal_field(params["key"], (len(planes), *planes[0].shape[1:])).unbind(1)
        return tuple(plane + (mean + std * normal) for plane, normal in zip(planes, field, strict=True))
