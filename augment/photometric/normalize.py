"""Between pixel values and the statistics that a network expects."""

from collections.abc import Sequence

from torch import Tensor

from augment.layer import PixelOp
from augment.plain import plain
from augment.types import Params, Planes

Statistic = float | Sequence[float | Tensor] | Tensor


class Normalize(PixelOp):
    """(pixel - mean) / std.

    Args:
        mean, std: one number, or one a channel, in the image's [0, 1] scale; std positive.
    """

    deterministic = True
    example = {"mean": 0.4, "std": 0.3}
    identity = {"mean": 0.0, "std": 1.0}

    def __init__(self, mean: Statistic, std: Statistic) -> None:
        super().__init__()
        self.mean, self.std = _statistic(mean), _statistic(std)
        if min(self.std) <= 0:
            raise ValueError(f"{type(self).__name__}: std={std} must be positive.")

    def pixel(self, planes: Planes, params: Params) -> Planes:
        means, stds = _matched(self, len(planes))
        return tuple((plane - m) * (1 / s) for plane, m, s in zip(planes, means, stds, strict=True))


class Denormalize(PixelOp):
    """pixel * std + mean, the inverse of Normalize.

    Args:
        mean, std: one number, or one a channel, in the image's [0, 1] scale; std positive.
    """

    deterministic = True
    example = {"mean": 0.4, "std": 0.3}
    identity = {"mean": 0.0, "std": 1.0}

    def __init__(self, mean: Statistic, std: Statistic) -> None:
        super().__init__()
        self.mean, self.std = _statistic(mean), _statistic(std)
        if min(self.std) <= 0:
            raise ValueError(f"{type(self).__name__}: std={std} must be positive.")

    def pixel(self, planes: Planes, params: Params) -> Planes:
        means, stds = _matched(self, len(planes))
        return tuple(plane * s + m for plane, m, s in zip(planes, means, stds, strict=True))


def _statistic(value: Statistic) -> tuple[float, ...]:
    value = plain(value)
    return (float(value),) if isinstance(value, (int, float)) else tuple(float(v) for v in value)


def _matched(layer: Normalize | Denormalize, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std with one number a channel."""
    matched = []
    for name in ("mean", "std"):
        values = getattr(layer, name)
        if len(values) not in (1, channels):
            raise ValueError(
                f"{type(layer).__name__}: {name} has {len(values)} numbers for images of {channels} channels."
            )
        matched.append(values * channels if len(values) == 1 else values)
    return matched[0], matched[1]
