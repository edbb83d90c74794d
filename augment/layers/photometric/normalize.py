"""Normalization with channel statistics, and its inverse."""

from collections.abc import Sequence

from torch import Tensor, nn

from augment.core.kinds import PixelOp
from augment.data.types import Params, Planes
from augment.draws.arguments import LARGEST, number, numbers

Statistic = float | Sequence[float | Tensor] | Tensor


class Normalize(PixelOp):
    """Normalizes the image: (pixel - mean) / std.

    Args:
        mean, std: one number or one per channel, in the image's [0, 1] scale; std positive.
    """

    deterministic = True
    example = {"mean": 0.4, "std": 0.3}
    identity = {"mean": 0.0, "std": 1.0}
    alpha_stays = False

    def __init__(self, mean: Statistic, std: Statistic) -> None:
        super().__init__()
        self.mean, self.std = statistics(self, mean, std)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        means, stds = _matched(self, len(planes))
        return tuple((plane - m) * (1 / s) for plane, m, s in zip(planes, means, stds, strict=True))


class Denormalize(PixelOp):
    """Inverts Normalize: pixel * std + mean.

    Args:
        mean, std: one number or one per channel, in the image's [0, 1] scale; std positive.
    """

    deterministic = True
    example = {"mean": 0.4, "std": 0.3}
    identity = {"mean": 0.0, "std": 1.0}
    alpha_stays = False

    def __init__(self, mean: Statistic, std: Statistic) -> None:
        super().__init__()
        self.mean, self.std = statistics(self, mean, std)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        means, stds = _matched(self, len(planes))
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


def _matched(layer: Normalize | Denormalize, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Expands mean and std to one number per channel."""
    matched = []
    for name in ("mean", "std"):
        values = getattr(layer, name)
        if len(values) not in (1, channels):
            raise ValueError(
                f"{type(layer).__name__}: {name} has {len(values)} numbers for images of {channels} channels."
            )
        matched.append(values * channels if len(values) == 1 else values)
    return matched[0], matched[1]
