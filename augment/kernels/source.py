"""What the kernels of all backends read: images as tensors, channel planes or packed, and the largest allowed."""

import torch
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.pixels import dtype_of, stacked
from augment.data.types import Images, Planes

Source = Images | PackedImages | Planes


def source_dtype(image: Source) -> torch.dtype:
    """Returns the type of the values in memory."""
    return torch.uint8 if isinstance(image, PackedImages) else dtype_of(image)


def channels_of(image: Source) -> int:
    """Returns the number of channels."""
    if isinstance(image, PackedImages):
        return image.channels
    return len(image) if isinstance(image, tuple) else image.shape[1]


LARGEST_SIDE = 2**24
"""Most pixels along an axis: float32 does not hold all larger whole numbers."""

COUNTED = 2**31
"""Number of elements that an image must stay below: the kernels use 32-bit offsets within an image."""


def can_be_counted(image: Source) -> bool:
    """Whether float32 positions and 32-bit offsets reach every pixel of the images."""
    if isinstance(image, PackedImages):
        largest = max(image.max_size)
    else:
        plane = image[0] if isinstance(image, tuple) else image
        largest = max(plane.shape[-2:])
    return largest <= LARGEST_SIDE and extent(image) < COUNTED


def extent(image: Source) -> int:
    """Returns an upper bound of the distance between two values of an image in memory, in elements."""
    if isinstance(image, PackedImages):
        return image.max_size[0] * image.max_size[1] * image.channels
    plane = image[0] if isinstance(image, tuple) else image
    return sum(length * stride for length, stride in zip(plane.shape[-2:], plane.stride()[-2:], strict=True))


Pixels = tuple[Tensor, Tensor | None, Tensor | None, int]
"""(data, offsets, sizes, channels): dense data (B, C, H, W) with None and None, or the fields of packed images."""


def unchanged(image: Source) -> Pixels:
    """Returns the values of images without conversion."""
    if isinstance(image, PackedImages):
        return image.data, image.offsets, image.sizes, image.channels
    dense = stacked(image)
    return dense, None, None, dense.shape[1]
