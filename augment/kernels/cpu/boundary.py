"""Checks of the tensors that a kernel gets, before it reads any memory.

A kernel reads as many numbers as it is told to, so arguments that do not match would make it read or write beyond the
end of a tensor. Positions, windows and rectangles need no check, because the kernels clamp them to the image.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Expected = tuple[Tensor, torch.dtype, Sequence[int]]
"""A tensor, and the type and shape that it must have."""


def require(kernel: str, **given: Expected) -> None:
    """Raises an error unless every tensor is on the CPU and has the expected type and shape.

    Raises:
        TypeError: the device or the type is wrong.
        ValueError: the shape is wrong.
    """
    for name, (tensor, dtype, shape) in given.items():
        if tensor.dtype != dtype or tensor.device.type != "cpu":
            got = f"{tensor.dtype} on {tensor.device}"
            raise TypeError(f"kernel {kernel}: {name} must be {dtype} on the CPU, got {got}.")
        if tensor.shape != tuple(shape):
            raise ValueError(f"kernel {kernel}: {name} must have shape {tuple(shape)}, got {tuple(tensor.shape)}.")


def require_images(kernel: str, image: Tensor, *dtypes: torch.dtype) -> None:
    """Raises an error unless images are (B, C, H, W) with at least one pixel, of one of these types, on the CPU.

    Raises:
        TypeError: the device or the type is wrong.
        ValueError: the shape is wrong.
    """
    shape = tuple(image.shape)
    if image.dtype not in dtypes or image.device.type != "cpu":
        allowed = " or ".join(map(str, dtypes))
        raise TypeError(f"kernel {kernel}: images must be {allowed} on the CPU, got {image.dtype} on {image.device}.")
    if len(shape) != 4 or 0 in shape[2:]:
        raise ValueError(f"kernel {kernel}: images must be (B, C, H, W) with at least one pixel, got {shape}.")


def require_within(kernel: str, name: str, values: Tensor, low: int, end: int) -> None:
    """Raises an error unless all whole numbers lie in [low, end).

    Raises:
        ValueError: a number lies outside.
    """
    if not values.numel():
        return
    least, most = (int(extreme) for extreme in values.aminmax())
    if least < low or most >= end:
        raise ValueError(f"kernel {kernel}: {name} must lie within [{low}, {end - 1}], got {least} to {most}.")
