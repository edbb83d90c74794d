"""How pixels are held between stages: value ranges, dtypes, and images as tuples of channel planes.

Inside a pipeline an image is either one (B, C, H, W) tensor or a tuple of C planes (B, H, W). Planes are what
pixel operators compute on: every channel then is a plain variable, and a compiler keeps a pixel's channels in
registers through the whole chain (twice as fast as one stacked tensor on a CPU).
"""

from collections.abc import Callable
from typing import overload

import torch
from torch import Tensor

from augment.data.context import compiling, exporting, on_cpu
from augment.data.primitives import channels_last, materialized, stack
from augment.data.types import Images, Params, Planes, Shaped

BYTE = 1 / 255
"""Bytes become floats by this factor everywhere, so that every path gives the same bits."""

LEVELS = {torch.uint8: 255, torch.int16: 2**15 - 1, torch.uint16: 2**16 - 1}
"""The integers that images may come in and go out as, with the level that is 1 as a float."""

NOTHING = 1e-30
"""A difference of values that counts as none where it is divided by: gradients divide by its square."""


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Pixels are computed in float32, or in float64 if they are given so."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def to_float(value: Tensor) -> Tensor:
    """uint8 [0, 255] -> float32 [0, 1]; half precision -> float32; float32 and float64 stay."""
    as_float = value.to(compute_dtype(value.dtype))
    return as_float.mul_(BYTE) if value.dtype == torch.uint8 else as_float  # in place on what was just written


def to_bytes(value: Tensor) -> Tensor:
    """Float [0, 1] -> the nearest of uint8 [0, 255]; uint8 stays."""
    return value if value.dtype == torch.uint8 else whole_bytes((value * 255).round().clamp(0, 255))


def opened_levels(value: Tensor) -> Tensor:
    """int16 [0, 32767] and uint16 [0, 65535] -> float32 [0, 1], which is exact enough to go back; others stay."""
    return value.to(torch.float32) / LEVELS[value.dtype] if value.dtype in (torch.int16, torch.uint16) else value


def to_levels(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Float [0, 1] -> the nearest level of an integer type; by way of int32, as in `whole_bytes`."""
    return (value * LEVELS[dtype]).round().clamp(0, LEVELS[dtype]).to(torch.int32).to(dtype)


def whole_bytes(levels: Tensor) -> Tensor:
    """Floats in [0, 255] without their fraction; by way of int32, as torch's own conversion is four times as slow."""
    return levels.to(torch.int32).to(torch.uint8)


def colours(channels: int) -> int:
    """How many channels, the first ones, are not alpha: that is the last of 2 (grey) or 4 (red, green, blue)."""
    return channels - 1 if channels in (2, 4) else channels


def has_alpha(image: Images | Planes) -> bool:
    """Whether an image has an alpha channel."""
    channels = len(image) if isinstance(image, tuple) else image.shape[1]
    return colours(channels) < channels


@overload
def on_colours(image: Images, function: Callable[[Images], Images]) -> Images: ...
@overload
def on_colours(image: Images | Planes, function: Callable[..., Images | Planes]) -> Images | Planes: ...
def on_colours(image: Images | Planes, function: Callable[..., Images | Planes]) -> Images | Planes:
    """Applies a function to all channels but alpha, which stays, as bytes or floats like what comes out."""
    if not has_alpha(image):
        return function(image)
    whole = stacked(image)
    count = colours(whole.shape[1])
    out, alpha = stacked(function(whole[:, :count])), whole[:, count:]
    return torch.cat([out, alpha if out.dtype == alpha.dtype else to_float(alpha).to(out.dtype)], 1)


def stacked(image: Images | Planes) -> Images:
    """The image as one tensor."""
    return stack(image, 1) if isinstance(image, tuple) else image


def planes(image: Images | Planes) -> Planes:
    """The image as a tuple of channels, each contiguous in eager mode: strided ones are several times slower."""
    if isinstance(image, tuple):
        return image
    return (image if compiling() else image.contiguous()).unbind(1)


def materialized_image(image: Images) -> Images:
    """The image, in memory as one tensor: compiled code would compute it again for everything that reads it."""
    if not compiling():
        return image
    kept = materialized(image)
    return stack(image.unbind(1), 1) if kept is image else kept


def planes_of(image: Images | Planes) -> Planes:
    """The image as a tuple of channels, in the memory that it has."""
    return image if isinstance(image, tuple) else image.unbind(1)


def each(image: Images | Planes, function: Callable[[Tensor], Tensor]) -> Planes:
    """Applies a function to every channel."""
    return tuple(function(plane) for plane in planes(image))


def dtype_of(image: Images | Planes) -> torch.dtype:
    return image[0].dtype if isinstance(image, tuple) else image.dtype


def size_of(image: Images | Planes) -> tuple[int, int]:
    """(height, width)."""
    height, width = (image[0] if isinstance(image, tuple) else image).shape[-2:]
    return height, width


def any_size(image: object) -> bool:
    """Whether a program is being exported for images of any height or width, which then are symbols, not numbers."""
    return exporting() and any(isinstance(extent, torch.SymInt) for extent in getattr(image, "shape", ())[-2:])


def per_sample(value: float | Tensor) -> float | Shaped[Tensor, "b 1 1"]:
    """A (B,) tensor shaped to broadcast over (B, H, W); numbers stay."""
    return value[:, None, None] if isinstance(value, Tensor) else value


def amount(params: Params, name: str, planes: Planes) -> Shaped[Tensor, "b 1 1"]:
    """A parameter (B,) shaped to broadcast over planes, in their dtype."""
    return params[name][:, None, None].to(planes[0].dtype)


def result_dtype(image: object, wanted: torch.dtype | None) -> torch.dtype:
    """What comes out of a pipeline: what is wanted, else float32 for bytes and the input's own dtype for floats."""
    given = getattr(image, "dtype", torch.uint8)
    return wanted or (torch.float32 if given == torch.uint8 else given)


def kept_dtype(result: torch.dtype) -> torch.dtype:
    """How kernels of a GPU keep values between layers: with 11 bits if a type of at most as many is to come out."""
    return torch.float16 if result in (torch.float16, torch.bfloat16) else torch.float32


def finished(image: Images | Planes, dtype: torch.dtype) -> Images:
    """What leaves the layers: one tensor; integers cover their levels, floats [0, 1].

    On a GPU it is channels_last at once, on a CPU where a kernel writes it. Compiled code for a CPU writes whole planes
    and has them put in order afterwards: the compiler writes every third number one by one.
    """
    if dtype != torch.uint8:
        image = tuple(map(to_float, image)) if isinstance(image, tuple) else to_float(image)
        if dtype in LEVELS:
            image = each(image, lambda plane: to_levels(plane, dtype))
    elif dtype_of(image) != torch.uint8:
        image = each(image, to_bytes)
    if not isinstance(image, tuple):
        if on_cpu(image.device):
            return channels_last(image.to(dtype))
        return image.to(dtype, memory_format=torch.channels_last)
    image = tuple(plane.to(dtype) for plane in image)
    if on_cpu(image[0].device):
        return channels_last(image)
    return stack(image, -1).permute(0, 3, 1, 2)
