"""Images as planes for kernels on a CPU: C tensors (B, H, W) with the same strides, cut from one image or not."""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.pixels import planes_of
from augment.data.types import Images, Planes
from augment.kernels.cpu.boundary import require
from augment.kernels.cpu.library import address

TYPES = (torch.uint8, torch.float32)
"""What kernels read."""

MOST = 64
"""Channels that ordering.cpp has room for."""


def are_regular(image: Images | Planes, types: tuple[torch.dtype, ...]) -> bool:
    """Whether the planes of an image are of one of these types, with the same strides and no gaps between rows."""
    planes = planes_of(image)
    if not 0 < len(planes) <= MOST or planes[0].dtype not in types or 0 in planes[0].shape[1:]:
        return False
    dtype, strides, width = planes[0].dtype, planes[0].stride(), planes[0].shape[2]
    if strides[1] != width * strides[2] or strides[2] < 1:
        return False
    return all(plane.stride() == strides and plane.dtype == dtype for plane in planes[1:])


def in_memory(planes: Sequence[Tensor]) -> Planes:
    """Returns planes that are regular: these, or copies, because compiled code may keep each in an order of its own."""
    return tuple(planes) if are_regular(tuple(planes), TYPES) else torch.stack(tuple(planes), 1).unbind(1)


def source(kernel: str, planes: Planes) -> tuple:
    """Returns the arguments that describe regular planes to a kernel, which reads all their values.

    Raises:
        TypeError, ValueError: the planes differ in type, shape or strides.
    """
    first = planes[0]
    require(kernel, **{f"plane_{k}": (plane, first.dtype, first.shape) for k, plane in enumerate(planes)})
    if not are_regular(planes, TYPES):
        raise ValueError(f"kernel {kernel}: planes must be bytes or floats with the same strides, without gaps.")
    addresses = (ctypes.c_void_p * len(planes))(*map(address, planes))
    return addresses, first.dtype == torch.float32, first.stride(0), first.stride(2)
