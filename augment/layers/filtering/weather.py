"""Rain and snow."""

import math

import torch
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.known import whole_size
from augment.data.pixels import NOTHING, amount
from augment.data.types import Bool, Params, Planes, Size
from augment.draws.distributions import Bernoulli, Uniform
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity, is_pair

_RAIN = 200 / 255
"""Gray value of the rain."""


class RandomRain(PixelOp):
    """Draws gray streaks of rain at random places, with one slant per sample, as Kornia does.

    Streaks lie within the image. A streak larger than the image is shortened to fit, where Kornia raises an error.
    They are drawn on the first three channels and block the gradient of the pixels behind them. The quantities are
    rounded to whole numbers and have no gradient.

    Args:
        number_of_drops: number of streaks, from 0 to 100000. The cost depends on the largest possible number. For a
            pair of whole numbers, here and below, each number in the range is equally likely.
        drop_height: height of a streak in pixel rows, from 1 to 1000.
        drop_width: width of a streak in pixel columns, up to 1000; negative if the lower end is on the left.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomRain(number_of_drops=(20, 40), drop_height=(3, 9), drop_width=(-4, 4))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"number_of_drops": (20, 40), "drop_height": (3, 9), "drop_width": (-4, 4)}
    identity = {"number_of_drops": 0}

    def __init__(
        self,
        number_of_drops: Quantity = (1000, 2000),
        drop_height: Quantity = (5, 20),
        drop_width: Quantity = (-5, 5),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        for name, value, low, high in (
            ("number_of_drops", number_of_drops, 0.0, 1e5),
            ("drop_height", drop_height, 1.0, 1e3),
            ("drop_width", drop_width, -1e3, 1e3),
        ):
            self.quantity(name, value, legal=(low, high))
            if is_pair(value) and value[0] < value[1]:
                self.quantity(name, Uniform(value[0] - 0.5, value[1] + 0.5))  # rounded in `resolve`
        self.quantity("key", (0.0, 1.0), count=2)

    def resolve(self, params: Params, size: Size) -> Params:
        """Rounds the quantities and shortens the streaks to fit into the image."""
        full_height, full_width = whole_size(size)
        count = torch.floor(params["number_of_drops"] + 0.5).clamp(0, self._most("number_of_drops"))
        height = torch.floor(params["drop_height"] + 0.5).clamp(1, min(full_height, self._most("drop_height")))
        widest = min(full_width, self._most("drop_width"))
        width = torch.floor(params["drop_width"] + 0.5).clamp(-widest, widest)
        return params | {"number_of_drops": count, "drop_height": height, "drop_width": width}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        wet = self._streaks((planes[0].shape[1], planes[0].shape[2]), params)
        return tuple(torch.where(wet, _RAIN, plane) for plane in planes[:3]) + planes[3:]

    def _most(self, name: str) -> int:
        """Returns the largest absolute value of a rounded quantity."""
        return max(math.ceil(abs(end) - 0.5) for end in getattr(self, name).support())

    def _streaks(self, size: tuple[int, int], params: Params) -> Bool[Tensor, "b h w"]:
        """Marks the rain. A streak covers one pixel per step along its longer axis."""
        drops, steps = self._most("number_of_drops"), max(self._most("drop_height"), self._most("drop_width"))
        count, tall, slant = (
            params[name].to(torch.int64)[:, None] for name in ("number_of_drops", "drop_height", "drop_width")
        )
        wide = slant.abs().clamp(min=1)
        length = torch.maximum(tall, wide)
        step = torch.arange(steps, device=count.device)
        down, across = (step * (extent - 1) // (length - 1).clamp(min=1) for extent in (tall, wide))
        across = torch.where(slant < 0, wide - 1 - across, across)
        places = uniform_field(params["key"], (drops, 2)).unbind(-1)
        top, left = (
            (place * (n - extent + 1)).to(torch.int64).clamp(max=n - extent)
            for place, n, extent in zip(places, size, (tall, wide), strict=True)
        )
        pixel = (top[:, :, None] + down[:, None]) * size[1] + (left[:, :, None] + across[:, None])
        drawn = (torch.arange(drops, device=count.device) < count)[:, :, None] & (step < length)[:, None]
        outside = size[0] * size[1]
        canvas = torch.zeros(count.shape[0], outside + 1, dtype=torch.bool, device=count.device)
        marked = canvas.scatter(1, torch.where(drawn, pixel, outside).flatten(1), True)
        return marked[:, :outside].unflatten(1, size)


class RandomSnow(PixelOp):
    """Raises the HLS lightness of pixels darker than a threshold and keeps hue and saturation, as in Kornia.

    Acts on the first three channels; the lightness of a single channel is its value. The image is clipped to [0, 1].

    Args:
        snow_coefficient: lightness threshold, within [0, 1], without a gradient; darker pixels become snow.
        brightness: factor of the lightness of snow, at least 1; 1 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomSnow(snow_coefficient=(0.3, 0.5), brightness=(1.2, 2.0))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"snow_coefficient": (0.3, 0.7), "brightness": (1.2, 2.5)}
    identity = {"brightness": (1.0, 1.0)}
    differentiable = frozenset({"brightness"})

    def __init__(
        self,
        snow_coefficient: Quantity = (0.5, 0.5),
        brightness: Quantity = (2.0, 2.0),
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("snow_coefficient", snow_coefficient, legal=(0.0, 1.0))
        self.quantity("brightness", brightness, legal=(1.0, 100.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        colour = tuple(plane.clamp(0, 1) for plane in planes[:3])
        high, low = colour[0], colour[0]
        for plane in colour[1:]:
            high, low = torch.maximum(high, plane), torch.minimum(low, plane)
        light = (high + low) / 2
        threshold, factor = (amount(params, n, colour) for n in ("snow_coefficient", "brightness"))
        lifted = torch.where(light < threshold, (light * factor).clamp(max=1), light)
        # at a fixed saturation, the distance from gray is proportional to the distance from lightness to black or white
        room = torch.minimum(light, 1 - light)
        ratio = torch.minimum(lifted, 1 - lifted) / torch.where(room > NOTHING, room, 1.0)
        return tuple(lifted + (plane - light) * ratio for plane in colour) + planes[3:]
