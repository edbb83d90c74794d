"""Channels shifted, scaled, swapped and dropped."""

from collections.abc import Sequence

import kornia.augmentation as K
import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.color import clamped, with_rgb
from augment.data.pixels import amount, per_sample
from augment.data.types import Float, Params, Planes, Size
from augment.draws.arguments import is_whole, shown
from augment.draws.distributions import Bernoulli
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity

_FIXED_POINT = 2**30


class RandomRGBShift(PixelOp):
    """Adds to red, green and blue an amount each, cut to [0, 1]; images of fewer than three channels stay.

    Args:
        r_shift_limit, g_shift_limit, b_shift_limit: what to add, in the image's [0, 1] scale, 0 changes nothing; a
            number v means (-v, v).
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
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
    """Relights with a black body or daylight of a random temperature (Zini et al. 2023): scales red and blue, cut
    to [0, 1]; images of fewer than three channels stay.

    Args:
        mode: "blackbody" (25 temperatures from 3000 to 15000 K) or "CIED" (daylight, 23 from 4000 to 15000 K).
        select_from: which temperatures of the mode, by number from the coldest (negative
            from the hottest), to choose among; all if not given.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    def __init__(
        self,
        mode: str = "blackbody",
        select_from: int | Sequence[int] | None = None,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        table = planckian_factors(checks.one_of(self, "mode", mode, ("blackbody", "cied")))
        rows = range(len(table)) if select_from is None else select_from
        rows = tuple(rows[: len(table) + 1]) if isinstance(rows, (list, tuple, range)) else (rows,)
        if not 0 < len(rows) <= len(table) or not all(
            is_whole(row) and -len(table) <= row < len(table) for row in rows
        ):
            raise ValueError(
                f"RandomPlanckianJitter: select_from={shown(select_from)} must be whole numbers within "
                f"[{-len(table)}, {len(table) - 1}]."
            )
        # whole numbers, because a module's conversion to half precision would round floats
        table = torch.round(table[list(rows)].double() * _FIXED_POINT).to(torch.int64)
        self.register_buffer("table", table, persistent=False)
        self.quantity("temperature", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """The factors of `red` and `blue`."""
        row = torch.floor(params["temperature"] * len(self.table)).to(torch.int64)
        factors = self.table[row].to(params["temperature"].dtype) / _FIXED_POINT
        kept = {name: params[name] for name in ("gate",) if name in params}
        return {"red": factors[:, 0], "blue": factors[:, 1]} | kept

    def pixel(self, planes: Planes, params: Params) -> Planes:
        red, blue = (amount(params, name, planes) for name in ("red", "blue"))
        return with_rgb(planes, lambda rgb: clamped((rgb[0] * red, rgb[1], rgb[2] * blue)))


class RandomChannelShuffle(PixelOp):
    """Puts all channels, an alpha channel too, in a random order.

    Args:
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    alpha_stays = False

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        order = uniform_field(params["key"], (len(planes),)).argsort(dim=1, stable=True)
        sample = torch.arange(len(order), device=order.device)[:, None]
        return torch.stack(planes, 1)[sample, order].unbind(1)


class RandomChannelDropout(PixelOp):
    """Fills some channels with a value, all channels, an alpha channel too, being equally likely.

    Args:
        num_drop_channels: how many, rounded to a whole number; 0 changes nothing; at most the image's channels.
        fill_value: what to fill with, within [0, 1].
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    identity = {"num_drop_channels": 0}
    alpha_stays = False

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
        """`num_drop_channels` as whole numbers."""
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
            torch.where(per_sample(drop), self.fill_value, plane) for drop, plane in zip(dropped, planes, strict=True)
        )
