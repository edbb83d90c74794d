"""Neighbourhoods of pixels: margins around an image, and sums over windows of it."""

import torch
from kornia.filters import filter2d
from torch import Tensor

from augment.data.operator import operator
from augment.data.pixels import materialized_image
from augment.data.subset import on_images
from augment.data.types import Bool, Float, Images, Integer, Num, PerSample, Planes

BORDERS = ("reflect", "replicate", "circular", "constant")

_WRITTEN_OUT = 16
"""Most taps that compiled code has one by one; more become a loop, or compiling takes long."""


@operator
def separable_filter(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"] | None,
    down: Float[Tensor, "b kh"],
    across: Float[Tensor, "b kw"],
    border: str,
    kept: torch.dtype,
) -> Float[Tensor, "b c h w"]:
    """The chosen images correlated with their own filters along y and x, the others as they are; as floats.

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) which samples; None for all.
        down, across: (B, taps) weights along y and x, odd numbers of taps.
        border: one of `BORDERS`.
        kept: the type that a kernel of a GPU may return.
    """

    def both(some: Images, down: Tensor, across: Tensor) -> Images:
        if not len(some):
            return some
        down, across = down.to(some.dtype), across.to(some.dtype)
        padded = materialized_image(pad(some, down.shape[1] // 2, across.shape[1] // 2, border))
        return filtered(filtered(padded, across[:, None, :]), down[:, :, None])

    return on_images(image, chosen, both, down, across)


@operator
def sharpen(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, sharpness: PerSample
) -> Float[Tensor, "b c h w"]:
    """The chosen images blended with a smoothed copy, by weights (B,) of the image; the outermost pixels stay."""
    return on_images(image, chosen, _sharpened, sharpness)


def _sharpened(image: Images, sharpness: PerSample) -> Images:
    if min(image.shape[-2:]) < 3:
        return image
    inner = image[:, :, 1:-1, 1:-1]
    smooth = (window_sum(window_sum(image, 2, 3), 3, 3) + 4 * inner) / 13  # ones around a five
    change = (1 - sharpness.to(image.dtype)[:, None, None, None]) * (smooth - inner)
    return (image + torch.nn.functional.pad(change, (1, 1, 1, 1))).clamp(0, 1)


def filtered(image: Float[Tensor, "b c h w"], kernel: Float[Tensor, "b kh kw"]) -> Float[Tensor, "b c h2 w2"]:
    """Each image correlated with its own kernel, wherever that fits into it; compiled code wants it materialized."""
    tall, wide = kernel.shape[1:]
    if not torch.compiler.is_compiling():
        return filter2d(image, kernel, padding="valid")
    # not a convolution: it would have a group for every channel of every image, and compile for each size of batch
    if tall * wide > _WRITTEN_OUT:
        windows = image.unfold(2, tall, 1).unfold(3, wide, 1)
        return (windows * kernel[:, None, None, None]).sum((-2, -1))
    height, width = image.shape[2] - tall + 1, image.shape[3] - wide + 1
    return sum(
        image[:, :, i : i + height, j : j + width] * kernel[:, i, j, None, None, None]
        for i in range(tall)
        for j in range(wide)
    )


def at_most_one(weights: Float[Tensor, "*shape"], taps: int) -> Float[Tensor, "*shape"]:
    """Weights that add up to 1, made a little smaller, or rounding makes white brighter than 1.

    Args:
        weights: of a filter.
        taps: how many of them are not 0, at most.
    """
    return weights * (1 - taps * torch.finfo(weights.dtype).eps)


def pad(image: Images, vertical: int, horizontal: int, border: str) -> Num[Tensor, "b c h2 w2"]:
    """Extends an image by margins of any width; torch's own reflection stops at the image's size."""
    if border == "constant":
        return torch.nn.functional.pad(image, (horizontal, horizontal, vertical, vertical))
    for dim, margin in ((2, vertical), (3, horizontal)):
        image = image.index_select(dim, border_index(image.shape[dim], margin, margin, border, image.device))
    return image


def window_sum(image: Num[Tensor, "b c h w"], dim: int, width: int) -> Num[Tensor, "b c h2 w2"]:
    """Sums of `width` neighbours along a dimension, out of sums of 1, 2, 4 ... of them."""
    places = image.shape[dim] - width + 1
    total, start, extent = None, 0, 1
    while True:
        if width & extent:
            part = image.narrow(dim, start, places)
            total, start = part if total is None else total + part, start + extent
        if 2 * extent > width:
            return total
        rest = image.shape[dim] - extent
        image, extent = image.narrow(dim, 0, rest) + image.narrow(dim, extent, rest), 2 * extent


def border_index(n: int, before: int, after: int, border: str, device: torch.device) -> Integer[Tensor, " m"]:
    """Which of n pixels stands at each position from `before` in front of the first to `after` behind the last.

    -1 for none, where the border is "constant".
    """
    index = torch.arange(-before, n + after, device=device)
    if border == "circular":
        return torch.remainder(index, n)
    if border == "reflect" and n > 1:
        around = torch.remainder(index, 2 * (n - 1))
        return torch.minimum(around, 2 * (n - 1) - around)
    if border == "constant":
        return torch.where((index >= 0) & (index < n), index, -1)
    return index.clamp(0, n - 1)
