"""Tone curves that the image's own histogram makes: per channel, per sample, for the whole image or tile by tile.

A value is counted at the level of 256 at or below it. Between levels a curve is read by linear interpolation: images of
8 bits get what a table of 256 entries gives, others keep their gradations, and a gradient flows along the curve.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.pixels import NOTHING
from augment.data.types import Float, Images, Integer, Params, Plane, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.filtering import border_index
from augment.kernels.reference.levels import LEVELS, count_levels, equalizing_table, histogram

_ROUNDING = 1e-4
"""What a whole level may lack, in levels, after its way through a float."""


class RandomEqualize(PixelOp):
    """Equalizes the histogram of every colour with Pillow's table, as torchvision and Kornia do.

    Bytes come out as theirs; floats between two levels come out between what those become, where Kornia and torchvision
    make steps. A channel with fewer than 255 pixels beside those of its brightest level stays as it is. Values are cut
    to [0, 1]. The gradient is the slope of the curve, the histogram held fixed.

    Args:
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomEqualize()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    by_level = True

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        return tuple(_equalized(plane) for plane in planes)

    def tables(self, image: Images, level: Float[Tensor, "b c 256"], params: Params) -> Float[Tensor, "b c 256"]:
        return _equalizing(*located(level), count_levels(image))


class RandomAutoContrast(PixelOp):
    """Stretches every colour so that its smallest value becomes 0 and its largest 1.

    A channel of one value stays as it is, as in Pillow and torchvision; Kornia makes it 0. The gradient runs through
    the two extremes as well.

    Args:
        clip_output: cut the result to [0, 1], which only changes channels of one value outside of it.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomAutoContrast()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(self, clip_output: bool = True, p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.clip_output = clip_output

    def pixel(self, planes: Planes, params: Params) -> Planes:
        stretched = []
        for plane in planes:
            low, high = plane.amin((1, 2), keepdim=True), plane.amax((1, 2), keepdim=True)
            flat = high - low <= NOTHING
            out = torch.where(flat, plane, (plane - low) / torch.where(flat, 1.0, high - low))
            stretched.append(out.clamp(0, 1) if self.clip_output else out)
        return tuple(stretched)


class RandomClahe(PixelOp):
    """Equalizes the histogram tile by tile, with limited contrast (CLAHE; Zuiderveld 1994).

    Tiles, limits and tables are OpenCV's, blended between the centres of the tiles as in Kornia (OpenCV blends half a
    pixel off). An image that the grid does not divide is extended by reflection, one smaller than the grid too, where
    Kornia raises. Values are cut to [0, 1]. The gradient is the slope of the curves, the histograms held fixed; there
    is none to clip_limit, which caps whole counts.

    Args:
        clip_limit: the most pixels in a level, in multiples of their mean over the levels; 0 is no limit.
        grid_size: number of tiles (vertical, horizontal), at most 128.
        slow_and_differentiable: without effect, for Kornia's recipes; the layer is differentiable either way.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomClahe(grid_size=(4, 4))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"clip_limit": (2.0, 8.0), "grid_size": (4, 4)}

    def __init__(
        self,
        clip_limit: Quantity = (40.0, 40.0),
        grid_size: Sequence[int] = (8, 8),
        slow_and_differentiable: bool = False,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.grid_size = checks.image_size(self, grid_size, "grid_size", most=128)
        self.quantity("clip_limit", clip_limit, legal=(0.0, 1e3))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        clip_limit = params["clip_limit"].to(planes[0].dtype)
        return tuple(_clahe(plane, clip_limit, self.grid_size) for plane in planes)


def located(image: Float[Tensor, "*shape"]) -> tuple[Integer[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """The level at or below every value, and the share of the way to the next level that the value has gone.

    What is not a number has level 0, so that it points somewhere, and a share that is not a number either.
    """
    levels = image.clamp(0, 1) * (LEVELS - 1)
    first = (levels.detach() + _ROUNDING).floor()
    first = torch.where(first > 0, first, 0.0)
    return first.to(torch.int64), levels - first


def with_end(curve: Float[Tensor, "*groups 256"]) -> Float[Tensor, "*groups 257"]:
    """A curve with one more entry, so that the last level has a next."""
    return torch.nn.functional.pad(curve, (0, 1), value=LEVELS)


def read_curve(
    index: Integer[Tensor, "*groups n"], share: Float[Tensor, "*groups n"], curves: Float[Tensor, "*groups m"]
) -> Float[Tensor, "*groups n"]:
    """What lies between entries `index` and `index + 1` of a group's curves, which stand one after another."""
    start, end = (side.gather(-1, index) for side in (curves[..., :-1], curves[..., 1:]))
    return torch.lerp(start, end, share)


def _equalized(plane: Plane) -> Plane:
    level, share = located(plane.flatten(1))
    return _equalizing(level, share, histogram(level)).view(plane.shape)


def _equalizing(
    level: Integer[Tensor, "*groups n"], share: Float[Tensor, "*groups n"], counts: Integer[Tensor, "*groups 256"]
) -> Float[Tensor, "*groups n"]:
    """The curves of histograms, read at values that were `located`."""
    return read_curve(level, share, with_end(equalizing_table(counts).to(share.dtype))) / (LEVELS - 1)


def _clahe(plane: Plane, clip_limit: Float[Tensor, " b"], grid: tuple[int, int]) -> Plane:
    (_, height, width), (rows, columns) = plane.shape, grid
    tall, wide = -(-height // rows), -(-width // columns)
    level, share = located(plane)
    tiles = level
    for dim, missing in ((1, tall * rows - height), (2, wide * columns - width)):
        if missing:
            tiles = tiles.index_select(dim, border_index(level.shape[dim], 0, missing, "reflect", plane.device))
    tiles = tiles.unflatten(2, (columns, wide)).unflatten(1, (rows, tall)).transpose(2, 3)
    counts = histogram(tiles.flatten(3).flatten(1, 2)).to(plane.dtype)
    heights = _limited(counts, clip_limit[:, None, None], tall * wide).cumsum(-1)
    curves = with_end((heights * ((LEVELS - 1) / (tall * wide))).round().clamp(max=LEVELS - 1)).flatten(1)
    top, below, down = _tiles_around(height, tall, rows, plane)
    left, right, across = _tiles_around(width, wide, columns, plane)
    level, share = level.flatten(1), share.flatten(1)
    top_left, top_right, bottom_left, bottom_right = (
        read_curve(level + ((y[:, None] * columns + x) * (LEVELS + 1)).flatten(), share, curves).view_as(plane)
        for y in (top, below)
        for x in (left, right)
    )
    upper, lower = torch.lerp(top_left, top_right, across), torch.lerp(bottom_left, bottom_right, across)
    return torch.lerp(upper, lower, down[:, None]) / (LEVELS - 1)


def _limited(
    counts: Float[Tensor, "b k 256"], clip_limit: Float[Tensor, "b 1 1"], pixels: int
) -> Float[Tensor, "b k 256"]:
    """OpenCV's contrast limit: what is above it is dealt out evenly, the rest of that to every n-th level."""
    limit = torch.where(clip_limit > 0, (clip_limit * (pixels / LEVELS)).floor().clamp(min=1), float(pixels))
    kept = torch.minimum(counts, limit)
    excess = pixels - kept.sum(-1, keepdim=True)
    share = (excess / LEVELS).floor()
    rest = excess - share * LEVELS
    stride = (LEVELS / rest.clamp(min=1)).floor()
    bins = torch.arange(LEVELS, device=counts.device, dtype=counts.dtype)
    turn = (bins / stride).floor()
    return kept + share + ((turn * stride == bins) & (turn < rest))


def _tiles_around(
    size: int, extent: int, count: int, like: Tensor
) -> tuple[Integer[Tensor, " n"], Integer[Tensor, " n"], Float[Tensor, " n"]]:
    """For every pixel along an axis: the tiles with their centres before and after it, and the share of the way."""
    position = ((torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / extent - 0.5).clamp(0, count - 1)
    first = position.floor()
    before = first.to(torch.int64)
    return before, (before + 1).clamp(max=count - 1), position - first
