"""Pixel noise, drawn with the counter-based hash of `augment.draws.noise`."""

import math

import torch
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.color import clamped
from augment.data.pixels import amount, per_sample
from augment.data.types import Float, Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.noise import normal_field, uniform_field
from augment.draws.shorthand import Quantity, as_distribution

_FACTORS = (0.0, 100.0)
"""Legal factors of MultiplicativeNoise."""


class RandomGaussianNoise(PixelOp):
    """Adds Gaussian noise, independent for every pixel and channel; does not clip to [0, 1].

    Args:
        mean: mean of the noise.
        std: standard deviation of the noise, in the image's [0, 1] scale, not negative.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomGaussianNoise(std=0.05)(images).shape
        torch.Size([2, 3, 16, 16])
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


class RandomSpeckleNoise(PixelOp):
    """Adds Gaussian noise in proportion to the value, independent for every pixel and channel; does not clip to [0, 1].

    Args:
        std: standard deviation of the noise as a fraction of the value, not negative; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomSpeckleNoise(std=(0.1, 0.3), p=1.0)(torch.zeros(1, 3, 8, 8)).abs().max()
        tensor(0.)
    """

    example = {"std": (0.05, 0.2)}
    identity = {"std": 0.0}
    differentiable = frozenset({"std"})

    def __init__(self, std: Quantity = (0.1, 0.3), p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("std", std, legal=(0.0, 1e3))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        std = amount(params, "std", planes)
        field = normal_field(params["key"], (len(planes), *planes[0].shape[1:])).unbind(1)
        return tuple(plane + plane * (std * normal) for plane, normal in zip(planes, field, strict=True))


class MultiplicativeNoise(PixelOp):
    """Multiplies the image by random factors; clips to [0, 1].

    Args:
        multiplier: the factor, within [0, 100]; 1 changes nothing.
        per_channel: a factor for each channel, instead of one for all.
        elementwise: a factor for each pixel, instead of one for all.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.full((1, 3, 8, 8), 0.5)
        >>> out = A.MultiplicativeNoise((0.8, 1.2), per_channel=True, p=1.0)(images)
        >>> out.std((2, 3)).max() < 1e-6, out[0, 0, 0, 0] != out[0, 1, 0, 0]
        (tensor(True), tensor(True))
    """

    example = {"multiplier": (0.8, 1.2)}
    identity = {"multiplier": 1.0}
    differentiable = frozenset({"multiplier"})

    def __init__(
        self,
        multiplier: Quantity = (0.9, 1.1),
        per_channel: bool = False,
        elementwise: bool = False,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.per_channel, self.elementwise = per_channel, elementwise
        if not (per_channel or elementwise):
            self.quantity("multiplier", multiplier, legal=_FACTORS)
            return
        self.multiplier = as_distribution(multiplier, "MultiplicativeNoise: multiplier", _FACTORS)
        if self.multiplier.of is not None or self.multiplier.log_prob_at(torch.zeros(1)) is not None:
            raise ValueError(
                f"MultiplicativeNoise: multiplier={multiplier} must be no schedule and no learnable choice if it is "
                "drawn for each channel or pixel."
            )
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        if "multiplier" in params:
            factor = amount(params, "multiplier", planes)
            return clamped(tuple(plane * factor for plane in planes))
        size = tuple(planes[0].shape[1:]) if self.elementwise else (1, 1)
        field = uniform_field(params["key"], (len(planes) if self.per_channel else 1, *size))
        factors = self.multiplier(field).to(planes[0].dtype).expand(-1, len(planes), -1, -1).unbind(1)
        return clamped(tuple(plane * factor for plane, factor in zip(planes, factors, strict=True)))


class RandomShotNoise(PixelOp):
    """Counts photons: each value becomes a Poisson count over the photons of white; does not clip to [0, 1].

    Counts are independent for every pixel and channel. Negative values count as 0. The gradient of the image passes
    unchanged, as the mean of the counts does.

    Args:
        photons: mean count of a white pixel, positive, without a gradient; fewer give more noise.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomShotNoise(photons=(10.0, 60.0), p=1.0)(torch.zeros(1, 3, 8, 8)).max()
        tensor(0.)
    """

    example = {"photons": (5.0, 60.0)}
    image_gradient = "straight-through"

    def __init__(
        self, photons: Quantity = (10.0, 60.0), p: float | Bernoulli = 0.5, same_on_batch: bool = False
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("photons", photons, legal=(1e-2, 1e5))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        photons = amount(params, "photons", planes)[:, None]
        value = torch.stack(planes, 1).detach()
        uniforms = uniform_field(params["key"], tuple(value.shape[1:])).to(value.dtype)
        change = poisson(uniforms, value.clamp(min=0) * photons) / photons - value
        return tuple(plane + added for plane, added in zip(planes, change.unbind(1), strict=True))


_FEW = 4.0
"""Mean count up to which the probabilities are added up one by one."""

_COUNTS = 19
"""Numbers of terms for it: a larger count is less likely than 2**-25, half the spacing of the uniforms."""


def poisson(u: Float[Tensor, "..."], mean: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Maps uniforms to Poisson counts by the inverse of the distribution.

    It is exact for means up to 4. Above, it is the normal asymptotic expansion of Giles (2016, "Algorithm 955:
    approximation of the inverse Poisson cumulative distribution function", section 2.3), which is off by one count for
    fewer than two uniforms in a thousand.
    """
    few = mean.clamp(max=_FEW)
    term = torch.exp(-few)
    total, count = term, (u >= term).to(u.dtype)
    for k in range(1, _COUNTS):
        term = term * few / k
        total = total + term
        count = count + (u >= total).to(u.dtype)
    many = mean.clamp(min=_FEW)
    w = torch.erfinv(2 * (u + 2.0**-25) - 1) * math.sqrt(2)  # the offset keeps it finite
    root = many.sqrt()
    quantile = many + root * w + (2 + w**2) / 6 - (2 * w + w**3) / (72 * root)
    quantile = quantile + (3 * w**4 + 7 * w**2 - 16) / (810 * many)
    return torch.where(mean <= _FEW, count, torch.floor(quantile).clamp(min=0))


class RandomSaltAndPepperNoise(PixelOp):
    """Sets random pixels to white or black.

    Args:
        amount: probability of changing a pixel, within [0, 1], without a gradient; 0 changes nothing.
        salt_vs_pepper: fraction of white among the changed pixels, within [0, 1], without a gradient.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        per_channel: draw for every channel of a pixel separately, instead of once for all of them.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomSaltAndPepperNoise()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"amount": 0.0}

    def __init__(
        self,
        amount: Quantity = (0.01, 0.06),
        salt_vs_pepper: Quantity = (0.4, 0.6),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        per_channel: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.per_channel = per_channel
        self.quantity("amount", amount, legal=(0.0, 1.0))
        self.quantity("salt_vs_pepper", salt_vs_pepper, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        dirty, white = per_sample(params["amount"]), per_sample(params["amount"] * params["salt_vs_pepper"])
        separate = len(planes) if self.per_channel else 1
        field = uniform_field(params["key"], (separate, *planes[0].shape[1:])).expand(-1, len(planes), -1, -1).unbind(1)
        return tuple(
            torch.where(u < dirty, (u < white).to(plane.dtype), plane) for plane, u in zip(planes, field, strict=True)
        )
