"""Normalization with channel statistics, and its inverse."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from augment.core.kinds import PixelOp
from augment.data.types import Params, Planes
from augment.draws.arguments import LARGEST, number, numbers
from augment.geometry.fill import Fill
from augment.kernels.reference.pixelwise import normalize, statistics_by_channel

Statistic = float | Sequence[float | Tensor] | Tensor


class Normalize(PixelOp):
    """Normalizes the image: (pixel - mean) / std.

    Args:
        mean, std: one number or one per channel, in the image's [0, 1] scale; std positive.

    Example:
        >>> images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD)(images).dtype
        torch.float32
    """

    deterministic = True
    example = {"mean": 0.4, "std": 0.3}
    identity = {"mean": 0.0, "std": 1.0}
    alpha_stays = False
    operator = normalize

    def __init__(self, mean: Statistic, std: Statistic) -> None:
        super().__init__()
        self.mean, self.std = statistics(self, mean, std)

    @property
    def maps_to_zero(self) -> Fill:
        """The colour that becomes 0, within [0, 1]: what layers before it show outside an image with fill "mean"."""
        colour = tuple(min(max(value, 0.0), 1.0) for value in self.mean)
        return colour[0] if len(set(colour)) == 1 else colour

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation."""
        return self.mean, self.std


class Denormalize(PixelOp):
    """Inverts Normalize: pixel * std + mean.

    Args:
        mean, std: one number or one per channel, in the image's [0, 1] scale; std positive.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> normalized = A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD)(images)
        >>> A.Denormalize(A.IMAGENET_MEAN, A.IMAGENET_STD)(normalized).allclose(images, atol=1e-6)
        True
    """

    deterministic = True
    example = {"mean": 0.4, "std": 0.3}
    identity = {"mean": 0.0, "std": 1.0}
    alpha_stays = False

    def __init__(self, mean: Statistic, std: Statistic) -> None:
        super().__init__()
        self.mean, self.std = statistics(self, mean, std)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        means, stds = statistics_by_channel(self.mean, self.std, len(planes), type(self).__name__)
        return tuple(plane * s + m for plane, m, s in zip(planes, means, stds, strict=True))


def statistics(owner: nn.Module, mean: Statistic, std: Statistic) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Checks mean and std, one number or one per channel; std must be large enough to divide by."""
    means, stds = (
        (number(owner, name, value, kind="a number or one per channel,"),)
        if not isinstance(value, (list, tuple))
        else numbers(owner, name, value)
        for name, value in (("mean", mean), ("std", std))
    )
    if min(stds) <= 0:
        raise ValueError(f"{type(owner).__name__}: std={std} must be positive.")
    if min(stds) < 1 / LARGEST:
        raise ValueError(f"{type(owner).__name__}: std={std} must be at least {1 / LARGEST:g}.")
    return means, stds
