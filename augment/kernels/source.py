"""What kernels of all backends read: images as tensors, planes or packed, and how large these may be."""

import torch
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.pixels import dtype_of, stacked
from augment.data.types import Images, Planes

Source = Images | PackedImages | Planes


def source_dtype(image: Source) -> torch.dtype:
    """The type of the values that are read."""
    return torch.uint8 if isinstance(image, PackedImages) else dtype_of(image)


LARGEST_SIDE = 2**24
"""Pixels of an image along an axis: float32 counts no further in steps of one."""

COUNTED = 2**31
"""Numbers in memory: the kernels count in 32 bits within an image."""


def can_be_counted(image: Source) -> bool:
    """Whether kernels count right within an image: along its sides as float32, in memory with 32 bits."""
    plane = image[0] if isinstance(image, tuple) else image
    size = image.max_size if isinstance(image, PackedImages) else plane.shape[-2:]
    return max(size) <= LARGEST_SIDE and extent(image) < COUNTED


def extent(image: Source) -> int:
    """How far apart values of one image lie in memory, in elements; at least that."""
    if isinstance(image, PackedImages):
        return image.max_size[0] * image.max_size[1] * image.channels
    plane = image[0] if isinstance(image, tuple) else image
    return sum(extent * stride for extent, stride in zip(plane.shape[-2:], plane.stride()[-2:], strict=True))


def unchanged(image: Source) -> tuple[Tensor, Tensor | None, Tensor | None, int]:
    """The values as they are: dense, or packed with offsets and sizes; and the number of channels."""
    if isinstance(image, PackedImages):
        return image.data, image.offsets, image.sizes, image.channels
    dense = stacked(image)
    return dense, None, None, dense.shape[1]
