"""What the kernels ask of the tensors that they are given, once and before any memory is read.

A kernel reads as many numbers as it is told, wherever they are: what does not fit together would be read, or written,
beyond its end. Positions, windows and rectangles need no check here, for the kernels bring them into the image.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Expected = tuple[Tensor, torch.dtype, Sequence[int]]
"""A tensor, the type and the shape that it must have."""


def require(kernel: str, **given: Expected) -> None:
    """Refuses what is not on the CPU, of another type or of another shape.

    Raises:
        TypeError: for the device or the type.
        ValueError: for the shape.
    """
    for name, (tensor, dtype, shape) in given.items():
        if tensor.dtype != dtype or tensor.device.type != "cpu":
            got = f"{tensor.dtype} on {tensor.device}"
            raise TypeError(f"kernel {kernel}: {name} must be {dtype} on the CPU, got {got}.")
        if tensor.shape != tuple(shape):
            raise ValueError(f"kernel {kernel}: {name} must have shape {tuple(shape)}, got {tuple(tensor.shape)}.")


def require_images(kernel: str, image: Tensor, *dtypes: torch.dtype) -> None:
    """Refuses what is no (B, C, H, W) of one of these types with at least one pixel.

    Raises:
        TypeError: for the device or the type.
        ValueError: for the shape.
    """
    shape = tuple(image.shape)
    if image.dtype not in dtypes or image.device.type != "cpu":
        known = " or ".join(map(str, dtypes))
        raise TypeError(f"kernel {kernel}: images must be {known} on the CPU, got {image.dtype} on {image.device}.")
    if len(shape) != 4 or 0 in shape[2:]:
        raise ValueError(f"kernel {kernel}: images must be (B, C, H, W) with at least one pixel, got {shape}.")


def require_within(kernel: str, name: str, numbers: Tensor, low: int, end: int) -> None:
    """Refuses whole numbers outside [low, end).

    Raises:
        ValueError: if there is one.
    """
    if not numbers.numel():
        return
    least, most = (int(extreme) for extreme in numbers.aminmax())
    if least < low or most >= end:
        raise ValueError(f"kernel {kernel}: {name} must lie within [{low}, {end - 1}], got {least} to {most}.")
