"""Dropout of image regions: random rectangles, stripes, or a grid of squares."""

import torch
from torch import Tensor

from augment.core.fills import GivenFill, checked_fill, fill_by_channel
from augment.core.kinds import PixelOp
from augment.data.batch import Batch
from augment.data.known import whole_size
from augment.data.types import Bool, Params, Planes, Size
from augment.draws.arguments import is_whole
from augment.draws.distributions import Bernoulli, Uniform
from augment.draws.shorthand import Quantity
from augment.geometry.rectangle import rectangles, spans
from augment.layers.photometric.counts import counted, first, is_whole_pair
from augment.layers.photometric.mask_holes import mask_value, mask_with_holes

_MOST_HOLES = 256
_MOST_PIXELS = 1e5


class CoarseDropout(PixelOp):
    """Fills random rectangles inside the image (DeVries and Taylor 2017); named as in albumentations.

    Args:
        num_holes_range: number of rectangles, at most 256; 0 changes nothing. For a pair of whole numbers (lowest,
            highest), each number in the range is equally likely; other draws are rounded.
        hole_height_range, hole_width_range: size of each rectangle: fractions of the image height and width if no
            value is above 1, pixels if all values are whole numbers or above 1.
        fill: value to fill with, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_mask: value to fill masks with at the same places, such as 255 for a loss to ignore; None leaves
            masks alone.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.CoarseDropout(num_holes_range=(1, 4))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"num_holes_range": (1, 4)}
    identity = {"num_holes_range": 0}
    alpha_stays = False

    def __init__(
        self,
        num_holes_range: Quantity = (1, 2),
        hole_height_range: Quantity = (0.1, 0.2),
        hole_width_range: Quantity = (0.1, 0.2),
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_mask: float | None = None,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checked_fill(self, "fill", fill)
        self.fill_mask = mask_value(self, fill_mask)
        self.most = counted(self, "num_holes_range", num_holes_range, _MOST_HOLES)
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
        exists = first(self.most, params["num_holes_range"])
        boxes = {
            "top": torch.floor(top * (full_height - height + 1)),
            "left": torch.floor(left * (full_width - width + 1)),
            "height": torch.where(exists, height, 0.0),
            "width": torch.where(exists, width, 0.0),
        }
        return boxes | {name: params[name] for name in ("gate",) if name in params}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        height, width = planes[0].shape[1:]
        return _filled(self, planes, rectangles(params, (height, width)))

    def annotated(self, batch: Batch, params: Params) -> Batch:
        return mask_with_holes(self, batch, params, rectangles)


class XYMasking(PixelOp):
    """Fills stripes over the whole height and over the whole width of the image; named as in albumentations.

    On a spectrogram these are the masks of time and of frequency of SpecAugment (Park et al. 2019, section 2).

    Args:
        num_masks_x, num_masks_y: number of stripes over the whole height and over the whole width, at most 256; 0
            draws none. For a pair of whole numbers (lowest, highest), each number in the range is equally likely; other
            draws are rounded.
        mask_x_length: width of a stripe over the whole height: a fraction of the image width if no value is above 1,
            pixels if all values are whole numbers or above 1. A stripe is at most as wide as the image.
        mask_y_length: height of a stripe over the whole width, likewise.
        fill: value to fill with, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> out = A.XYMasking(num_masks_x=1, num_masks_y=0, mask_x_length=4, p=1.0)(torch.ones(1, 3, 16, 16))
        >>> out.mean()  # 4 of 16 columns are 0
        tensor(0.7500)
    """

    identity = {"num_masks_x": 0, "num_masks_y": 0}
    alpha_stays = False

    def __init__(
        self,
        num_masks_x: Quantity = (1, 2),
        num_masks_y: Quantity = (1, 2),
        mask_x_length: Quantity = (0.05, 0.2),
        mask_y_length: Quantity = (0.05, 0.2),
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checked_fill(self, "fill", fill)
        self.most_x = counted(self, "num_masks_x", num_masks_x, _MOST_HOLES)
        self.most_y = counted(self, "num_masks_y", num_masks_y, _MOST_HOLES)
        self.x_in_pixels = _length(self, "mask_x_length", mask_x_length, self.most_x)
        self.y_in_pixels = _length(self, "mask_y_length", mask_y_length, self.most_y)
        self.quantity("left", (0.0, 1.0), count=self.most_x)
        self.quantity("top", (0.0, 1.0), count=self.most_y)

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the stripes in whole pixels: `left`, `width` (B, most), `top`, `height` (B, most)."""
        full_height, full_width = whole_size(size)
        stripes = {}
        for axis, side, start, extent, most, in_pixels in (
            ("x", full_width, "left", "width", self.most_x, self.x_in_pixels),
            ("y", full_height, "top", "height", self.most_y, self.y_in_pixels),
        ):
            drawn = params[f"mask_{axis}_length"].reshape(-1, most)
            length = _pixels(drawn, side, in_pixels).clamp(0, side)
            stripes[extent] = torch.where(first(most, params[f"num_masks_{axis}"]), length, 0.0)
            stripes[start] = torch.floor(params[start].reshape(-1, most) * (side - length + 1))
        return stripes | {name: params[name] for name in ("gate",) if name in params}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        height, width = planes[0].shape[1:]
        rows = spans(height, params["top"], params["height"]).amax(1) > 0
        columns = spans(width, params["left"], params["width"]).amax(1) > 0
        return _filled(self, planes, rows[:, :, None] | columns[:, None])


class GridMask(PixelOp):
    """Fills one square per cell of a grid and keeps the bands between the squares (Chen et al. 2020).

    Args:
        ratio: width of the bands as a fraction of the cell's side, within [0, 1]; 1 changes nothing and 0 fills the
            whole image.
        unit_range: side of a cell: a fraction of the image's shorter side if no value is above 1, pixels if all values
            are whole numbers or above 1. The paper's 96 to 224 pixels for images of 224 are about 0.43 to 1.
        rotation: rotation of the grid in degrees; a number v means (-v, v).
        fill: value to fill with, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_mask: value to fill masks with at the same places, such as 255 for a loss to ignore; None leaves
            masks alone.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.GridMask()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"ratio": 1.0}
    alpha_stays = False

    def __init__(
        self,
        ratio: Quantity = 0.5,
        unit_range: Quantity = (0.43, 1.0),
        rotation: Quantity = (0.0, 360.0),
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_mask: float | None = None,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checked_fill(self, "fill", fill)
        self.fill_mask = mask_value(self, fill_mask)
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
        height, width = planes[0].shape[1:]
        return _filled(self, planes, self._holes(params, (height, width)))

    def annotated(self, batch: Batch, params: Params) -> Batch:
        return mask_with_holes(self, batch, params, self._holes)

    def _holes(self, params: Params, size: tuple[int, int]) -> Bool[Tensor, "b h w"]:
        unit, band, top, left = (params[name][:, None, None] for name in ("unit", "band", "top", "left"))
        angle = torch.deg2rad(params["rotation"])[:, None, None]
        height, width = size
        y = torch.arange(height, device=unit.device)[:, None] - (height - 1) / 2
        x = torch.arange(width, device=unit.device) - (width - 1) / 2
        down = torch.sin(angle) * x + torch.cos(angle) * y + top
        across = torch.cos(angle) * x - torch.sin(angle) * y + left
        return (torch.remainder(down, unit) >= band) & (torch.remainder(across, unit) >= band)


def _length(layer: PixelOp, name: str, value: Quantity, count: int | None = None) -> bool:
    """Declares a length in fractions or pixels and returns whether it is in pixels."""
    layer.quantity(name, value, legal=(0.0, _MOST_PIXELS), count=count)
    low, high = getattr(layer, name).support()
    whole = is_whole_pair(value)
    in_pixels = whole or is_whole(value) or high > 1
    if in_pixels and low < 1:
        raise ValueError(
            f"{type(layer).__name__}: {name}={value!r} must be fractions up to 1 or whole numbers of pixels from 1 on."
        )
    if whole and low < high:  # draws are rounded later, so each whole number is equally likely
        layer.quantity(name, Uniform(low - 0.5, high + 0.5), count=count)
    return in_pixels


def _pixels(length: Tensor, side: int, in_pixels: bool) -> Tensor:
    """Converts lengths to whole pixels."""
    return torch.floor((length if in_pixels else length * side) + 0.5)


def _filled(layer: PixelOp, planes: Planes, holes: Bool[Tensor, "b h w"]) -> Planes:
    fills = fill_by_channel(layer, len(planes))
    return tuple(torch.where(holes, fill, plane) for fill, plane in zip(fills, planes, strict=True))
