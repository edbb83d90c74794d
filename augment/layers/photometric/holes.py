"""Dropout of image regions: random rectangles, or a grid of squares."""

from typing import TypeGuard

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.known import whole_size
from augment.data.types import Bool, Float, Params, Planes, Size
from augment.draws.arguments import is_whole
from augment.draws.distributions import Bernoulli, Choice, Distribution, Uniform
from augment.draws.shorthand import Quantity

_MOST_HOLES = 256
_MOST_PIXELS = 1e5


class CoarseDropout(PixelOp):
    """Fills random rectangles inside the image (DeVries and Taylor 2017); named as in albumentations.

    Args:
        num_holes_range: number of rectangles, at most 256; 0 changes nothing. For a pair of whole numbers (lowest,
            highest), each number in the range is equally likely; other draws are rounded.
        hole_height_range, hole_width_range: size of each rectangle: fractions of the image height and width if no
            value is above 1, pixels if all values are whole numbers or above 1.
        fill: value to fill with, in [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
    """

    example = {"num_holes_range": (1, 4)}
    identity = {"num_holes_range": 0}
    alpha_stays = False

    num_holes_range: Distribution

    def __init__(
        self,
        num_holes_range: Quantity = (1, 2),
        hole_height_range: Quantity = (0.1, 0.2),
        hole_width_range: Quantity = (0.1, 0.2),
        fill: float = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checks.unit_value(self, "fill", fill)
        self.quantity("num_holes_range", num_holes_range, legal=(0.0, _MOST_HOLES))
        if _is_whole_pair(num_holes_range):
            self.quantity("num_holes_range", Choice(range(num_holes_range[0], num_holes_range[1] + 1)))
        self.most = max(1, round(self.num_holes_range.support()[1]))
        self.tall_in_pixels = _length(self, "hole_height_range", hole_height_range, self.most)
        self.wide_in_pixels = _length(self, "hole_width_range", hole_width_range, self.most)
        self.quantity("top", (0.0, 1.0), count=self.most)
        self.quantity("left", (0.0, 1.0), count=self.most)

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the rectangles in whole pixels, each side (B, most); unused rectangles have no height or width."""
        names = ("hole_height_range", "hole_width_range", "top", "left")
        tall, wide, top, left = (params[name].reshape(params[name].shape[0], self.most) for name in names)
        full_height, full_width = whole_size(size)
        height = _pixels(tall, full_height, self.tall_in_pixels).clamp(1, full_height)
        width = _pixels(wide, full_width, self.wide_in_pixels).clamp(1, full_width)
        exists = torch.arange(self.most, device=top.device) < torch.round(params["num_holes_range"])[:, None]
        boxes = {
            "top": torch.floor(top * (full_height - height + 1)),
            "left": torch.floor(left * (full_width - width + 1)),
            "height": torch.where(exists, height, 0.0),
            "width": torch.where(exists, width, 0.0),
        }
        return boxes | {name: params[name] for name in ("gate",) if name in params}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        height, width = planes[0].shape[1:]
        rows = _spans(height, params["top"], params["height"])
        columns = _spans(width, params["left"], params["width"])
        return _filled(planes, (rows.mT @ columns) > 0, self.fill)  # the product counts the rectangles on a pixel


class GridMask(PixelOp):
    """Fills one square per cell of a grid and keeps the bands between the squares (Chen et al. 2020).

    Args:
        ratio: width of the bands as a fraction of the cell's side, within [0, 1]; 1 changes nothing and 0 fills the
            whole image.
        unit_range: side of a cell: a fraction of the image's shorter side if no value is above 1, pixels if all values
            are whole numbers or above 1. The paper's 96 to 224 pixels for images of 224 are about 0.43 to 1.
        rotation: rotation of the grid in degrees; a number v means (-v, v).
        fill: value to fill with, in [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
    """

    identity = {"ratio": 1.0}
    alpha_stays = False

    def __init__(
        self,
        ratio: Quantity = 0.5,
        unit_range: Quantity = (0.43, 1.0),
        rotation: Quantity = (0.0, 360.0),
        fill: float = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checks.unit_value(self, "fill", fill)
        self.quantity("ratio", ratio, legal=(0.0, 1.0))
        self.unit_in_pixels = _length(self, "unit_range", unit_range)
        self.quantity("rotation", rotation, legal=(-360.0, 360.0), around=0.0)
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes in whole pixels the cell side `unit`, the band width `band` and the grid offset `top`, `left`."""
        unit = _pixels(params["unit_range"], min(whole_size(size)), self.unit_in_pixels).clamp(min=1)
        band = torch.floor(params["ratio"] * unit + 0.5)
        offset = {name: torch.floor(params[name] * unit) for name in ("top", "left")}
        kept = {name: params[name] for name in ("gate", "rotation") if name in params}
        return {"unit": unit, "band": band} | offset | kept

    def pixel(self, planes: Planes, params: Params) -> Planes:
        unit, band, top, left = (params[name][:, None, None] for name in ("unit", "band", "top", "left"))
        angle = torch.deg2rad(params["rotation"])[:, None, None]
        height, width = planes[0].shape[1:]
        y = torch.arange(height, device=unit.device)[:, None] - (height - 1) / 2
        x = torch.arange(width, device=unit.device) - (width - 1) / 2
        down = torch.sin(angle) * x + torch.cos(angle) * y + top
        across = torch.cos(angle) * x - torch.sin(angle) * y + left
        holes = (torch.remainder(down, unit) >= band) & (torch.remainder(across, unit) >= band)
        return _filled(planes, holes, self.fill)


def _length(layer: PixelOp, name: str, value: Quantity, count: int | None = None) -> bool:
    """Declares a length in fractions or pixels and returns whether it is in pixels."""
    layer.quantity(name, value, legal=(0.0, _MOST_PIXELS), count=count)
    low, high = getattr(layer, name).support()
    whole = _is_whole_pair(value)
    in_pixels = whole or is_whole(value) or high > 1
    if in_pixels and low < 1:
        raise ValueError(
            f"{type(layer).__name__}: {name}={value!r} must be fractions up to 1 or whole numbers of pixels from 1 on."
        )
    if whole and low < high:  # draws are rounded later, so each whole number is equally likely
        layer.quantity(name, Uniform(low - 0.5, high + 0.5), count=count)
    return in_pixels


def _is_whole_pair(value: Quantity) -> TypeGuard[tuple[int, int]]:
    """Whether a value is a pair (low, high) of whole numbers in order; `quantity` checks all other values."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    low, high = value
    return is_whole(low) and is_whole(high) and low <= high


def _pixels(length: Tensor, side: int, in_pixels: bool) -> Tensor:
    """Converts lengths to whole pixels."""
    return torch.floor((length if in_pixels else length * side) + 0.5)


def _spans(n: int, start: Float[Tensor, "b k"], length: Float[Tensor, "b k"]) -> Float[Tensor, "b k n"]:
    """Marks each interval [start, start + length) on an axis of n pixels with 1, and the rest with 0."""
    position = torch.arange(n, device=start.device)
    begun, over = position >= start[..., None], position >= (start + length)[..., None]
    return (begun & ~over).to(torch.float32)


def _filled(planes: Planes, holes: Bool[Tensor, "b h w"], fill: float) -> Planes:
    return tuple(torch.where(holes, fill, plane) for plane in planes)
