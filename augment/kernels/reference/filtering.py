"""Filters: weighted sums over the neighbours of each pixel, and the margins around an image that they need."""

import functools
from collections.abc import Iterable

import torch
from kornia.filters import filter2d
from torch import Tensor

from augment.data.known import known
from augment.data.operator import operator
from augment.data.pixels import materialized_image
from augment.data.subset import on_images
from augment.data.types import Bool, Float, Images, Integer, Num, PerSample, Planes

BORDERS = ("reflect", "replicate", "circular", "constant")

_WRITTEN_OUT = 16
"""Most taps that compiled code writes out one by one; more become a loop, because compiling would take minutes."""


@operator
def separable_filter(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"] | None,
    down: Float[Tensor, "b kh"],
    across: Float[Tensor, "b kw"],
    border: str,
    gpu_dtype: torch.dtype,
) -> Float[Tensor, "b c h w"]:
    """Correlates each chosen image with its own filters along y and x. The others stay; the result is float.

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        down, across: (B, taps) weights along y and x; the numbers of taps are odd.
        border: one of `BORDERS`.
        gpu_dtype: float type in which a GPU kernel may return the images.
    """

    def filtered_twice(images: Images, down: Tensor, across: Tensor) -> Images:
        if not images.shape[0]:
            return images
        down, across = down.to(images.dtype), across.to(images.dtype)
        padded = materialized_image(pad(images, down.shape[1] // 2, across.shape[1] // 2, border))
        return filtered(filtered(padded, across[:, None, :]), down[:, :, None])

    return on_images(image, chosen, filtered_twice, down, across)


@operator
def sharpen(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, sharpness: PerSample
) -> Float[Tensor, "b c h w"]:
    """Blends each chosen image with a smoothed copy; the outermost pixels stay, and the result is float.

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        sharpness: (B,) weight of the image; the copy has the rest. 1 changes nothing.
    """
    return on_images(image, chosen, _sharpened, sharpness)


def _sharpened(image: Images, sharpness: PerSample) -> Images:
    if min(image.shape[-2:]) < 3:
        return image
    inner = image[:, :, 1:-1, 1:-1]
    smooth = (window_sum(window_sum(image, 2, 3), 3, 3) + 4 * inner) / 13  # a 3x3 filter of ones with a 5 in the centre
    change = (1 - sharpness.to(image.dtype)[:, None, None, None]) * (smooth - inner)
    return (image + torch.nn.functional.pad(change, (1, 1, 1, 1))).clamp(0, 1)


def filtered(image: Float[Tensor, "b c h w"], kernel: Float[Tensor, "b kh kw"]) -> Float[Tensor, "b c h2 w2"]:
    """Correlates each image with its own kernel wherever it fits; in compiled code, the image should be in memory."""
    kernel_height, kernel_width = kernel.shape[1:]
    if not torch.compiler.is_compiling():
        return filter2d(image, kernel, padding="valid")
    # a convolution would have a group for every channel of every image, and compile again for each batch size
    if kernel_height * kernel_width > _WRITTEN_OUT:
        windows = image.unfold(2, kernel_height, 1).unfold(3, kernel_width, 1)
        return (windows * kernel[:, None, None, None]).sum((-2, -1))
    height, width = image.shape[2] - kernel_height + 1, image.shape[3] - kernel_width + 1
    products = (
        image[:, :, i : i + height, j : j + width] * kernel[:, i, j, None, None, None]
        for i in range(kernel_height)
        for j in range(kernel_width)
    )
    return total(products)


def total(terms: Iterable[Tensor]) -> Tensor:
    """Adds tensors one after another, so that those of a generator are not in memory at the same time."""
    return functools.reduce(torch.add, terms)


def at_most_one(weights: Float[Tensor, "*shape"], taps: int) -> Float[Tensor, "*shape"]:
    """Scales weights that add up to 1 down a little, because rounding could make white brighter than 1.

    Args:
        weights: the weights of a filter.
        taps: upper bound of the number of weights that are not 0.
    """
    return weights * (1 - taps * torch.finfo(weights.dtype).eps)


def pad(image: Images, vertical: int, horizontal: int, border: str) -> Num[Tensor, "b c h2 w2"]:
    """Extends an image by margins of any width in pixels; torch's reflection allows none wider than the image."""
    if border == "constant":
        return torch.nn.functional.pad(image, (horizontal, horizontal, vertical, vertical))
    for dim, margin in ((2, vertical), (3, horizontal)):
        image = image.index_select(dim, border_index(image.shape[dim], margin, margin, border, image.device))
    return image


def window_sum(image: Num[Tensor, "b c h w"], dim: int, width: int) -> Num[Tensor, "b c h2 w2"]:
    """Returns sums of `width` neighbours along a dimension, composed of sums of 1, 2, 4 ... neighbours."""
    places = image.shape[dim] - width + 1
    result: Tensor | None = None
    start, extent = 0, 1
    while True:
        if width & extent:
            part = image.narrow(dim, start, places)
            result, start = part if result is None else result + part, start + extent
        if 2 * extent > width:
            return known(result)
        rest = image.shape[dim] - extent
        image, extent = image.narrow(dim, 0, rest) + image.narrow(dim, extent, rest), 2 * extent


def border_index(n: int, before: int, after: int, border: str, device: torch.device) -> Integer[Tensor, " m"]:
    """Returns which of n pixels is seen at each position from -before to n - 1 + after, in this order.

    With border "constant" it is -1 outside, where no pixel is seen.
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
