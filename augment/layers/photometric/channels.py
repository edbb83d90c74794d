"""Shifting, scaling, shuffling and dropping channels."""

from collections.abc import Sequence

import kornia.augmentation as K
import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.color import clamped, with_rgb
from augment.data.pixels import amount
from augment.data.types import Float, Params, Planes, Size
from augment.draws.arguments import is_whole, shown
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity

_FIXED_POINT = 2**30


class RandomRGBShift(PixelOp):
    """Shifts red, green and blue by separate amounts; clips to [0, 1].

    Images with fewer than three channels are not changed.

    Args:
        r_shift_limit, g_shift_limit, b_shift_limit: value to add to the channel, in the image's [0, 1] scale; a
            number v means (-v, v), and 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomRGBShift(0.1, 0.1, 0.1)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"r_shift_limit": 0.0, "g_shift_limit": 0.0, "b_shift_limit": 0.0}
    differentiable = frozenset({"r_shift_limit", "g_shift_limit", "b_shift_limit"})

    def __init__(
        self,
        r_shift_limit: Quantity = 0.5,
        g_shift_limit: Quantity = 0.5,
        b_shift_limit: Quantity = 0.5,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("r_shift_limit", r_shift_limit, around=0.0)
        self.quantity("g_shift_limit", g_shift_limit, around=0.0)
        self.quantity("b_shift_limit", b_shift_limit, around=0.0)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        shifts = [amount(params, f"{c}_shift_limit", planes) for c in "rgb"]
        return with_rgb(planes, lambda rgb: clamped(tuple(p + s for p, s in zip(rgb, shifts, strict=True))))


def planckian_factors(mode: str) -> Float[Tensor, "n 2"]:
    """What red and blue are multiplied with at the temperatures of a mode: Kornia's table, which its layer shows."""
    return K.RandomPlanckianJitter(mode).pl


class RandomPlanckianJitter(PixelOp):
    """Simulates illumination by a black body or by daylight of a random colour temperature (Zini et al. 2023).

    Scales red and blue and clips to [0, 1]. Images with fewer than three channels are not changed.

    Args:
        mode: "blackbody" (25 temperatures from 3000 to 15000 K) or "CIED" (daylight, 23 from 4000 to 15000 K).
        select_from: indices of the temperatures to choose from, counted from the coldest (negative: from the hottest);
            all by default.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomPlanckianJitter()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    table: Tensor

    def __init__(
        self,
        mode: str = "blackbody",
        select_from: int | Sequence[int] | None = None,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        table = planckian_factors(checks.one_of(self, "mode", mode, ("blackbody", "cied")))
        given = range(len(table)) if select_from is None else select_from
        rows = tuple(given[: len(table) + 1]) if isinstance(given, (list, tuple, range)) else (given,)
        if not 0 < len(rows) <= len(table) or not all(
            is_whole(row) and -len(table) <= row < len(table) for row in rows
        ):
            raise ValueError(
                f"RandomPlanckianJitter: select_from={shown(select_from)} must be whole numbers within "
                f"[{-len(table)}, {len(table) - 1}]."
            )
        # stored as integers, because converting the module to half precision would round floats
        table = torch.round(table[list(rows)].double() * _FIXED_POINT).to(torch.int64)
        self.register_buffer("table", table, persistent=False)
        self.quantity("temperature", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Looks up the factors of `red` and `blue`."""
        row = torch.floor(params["temperature"] * len(self.table)).to(torch.int64)
        factors = self.table[row].to(params["temperature"].dtype) / _FIXED_POINT
        kept = {name: params[name] for name in ("gate",) if name in params}
        return {"red": factors[:, 0], "blue": factors[:, 1]} | kept

    def pixel(self, planes: Planes, params: Params) -> Planes:
        red, blue = (amount(params, name, planes) for name in ("red", "blue"))
        return with_rgb(planes, lambda rgb: clamped((rgb[0] * red, rgb[1], rgb[2] * blue)))


class RandomChannelShuffle(PixelOp):
    """Shuffles the channels, including an alpha channel.

    Args:
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomChannelShuffle()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    alpha_stays = False

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        order = uniform_field(params["key"], (len(planes),)).argsort(dim=1, stable=True)
        sample = torch.arange(order.shape[0], device=order.device)[:, None]
        return torch.stack(planes, 1)[sample, order].unbind(1)


class RandomChannelDropout(PixelOp):
    """Fills random channels with a constant; all channels, including an alpha channel, are equally likely.

    Args:
        num_drop_channels: number of channels to fill, rounded, at most the image's channels; 0 changes nothing.
        fill_value: value to fill with, in [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> out = A.RandomChannelDropout(p=1.0)(images)
        >>> (out.amax((2, 3)) == 0).sum(1)  # one channel of each image
        tensor([1, 1])
    """

    identity = {"num_drop_channels": 0}
    alpha_stays = False

    num_drop_channels: Distribution

    def __init__(
        self,
        num_drop_channels: Quantity = 1,
        fill_value: float = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill_value = checks.unit_value(self, "fill_value", fill_value)
        self.quantity("num_drop_channels", num_drop_channels, legal=(0.0, 1e4))
        self.quantity("key", (0.0, 1.0), count=2)

    def resolve(self, params: Params, size: Size) -> Params:
        """Rounds `num_drop_channels`."""
        return params | {"num_drop_channels": torch.round(params["num_drop_channels"])}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        most = self.num_drop_channels.support()[1]
        if round(most) > len(planes):
            raise ValueError(
                f"RandomChannelDropout: num_drop_channels={most:g} is more than the image's {len(planes)} channels."
            )
        rank = uniform_field(params["key"], (len(planes),)).argsort(1, descending=True).argsort(1)
        dropped = (rank < params["num_drop_channels"][:, None]).unbind(1)
        return tuple(
            torch.where(drop[:, None, None], self.fill_value, plane)
            for drop, plane in zip(dropped, planes, strict=True)
        )
