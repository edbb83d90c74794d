"""Bytes to floats on a CPU by the kernels of bytes.cpp, in the memory order that they come in."""

import torch
from torch import Tensor

from augment.data.types import Float, Integer, PerSample, UInt8
from augment.kernels.cpu import library
from augment.kernels.cpu.boundary import require, require_images
from augment.kernels.cpu.library import address, floats_like, in_order, interleaved, kernels, operator

Bytes = UInt8[Tensor, "b c h w"]


def serves(image: object, *params: Tensor) -> bool:
    """Whether the kernels can do it: bytes of one size on a CPU, and nobody asks for a gradient."""
    return isinstance(image, Tensor) and image.dtype == torch.uint8 and library.serves(image, *params)


def counted(image: Bytes) -> Integer[Tensor, "b c 256"]:
    """How many pixels of a channel have each level."""
    return _counted(image, interleaved(image))


def looked_up(image: Bytes, tables: Float[Tensor, "b c 256"]) -> Float[Tensor, "b c h w"]:
    """What the table of its sample and channel has for each byte."""
    return _looked_up(image, tables.to(torch.float32), interleaved(image))


def sharpened(image: Bytes, change: PerSample) -> Float[Tensor, "b c h w"]:
    """Each image moved towards its smoothed copy by a share (B,) of the way; where that is 0 it stays."""
    return _sharpened(image, change.to(torch.float32), interleaved(image))


def erased(image: Bytes, boxes: Float[Tensor, "b 4"], value: float) -> Float[Tensor, "b c h w"]:
    """A box (top, left, height, width) of whole pixels in each image filled with a value."""
    return _erased(image, boxes.to(torch.float32), value, interleaved(image))


@operator("count", lambda image, together: image.new_empty(*image.shape[:2], 256, dtype=torch.int32))
def _counted(image: Tensor, together: bool) -> Tensor:
    require_images("count", image, torch.uint8)
    image = image.contiguous(memory_format=in_order(together))
    batch, channels, height, width = image.shape
    counts = image.new_empty(batch, channels, 256, dtype=torch.int32)
    kernels().augment_count(
        *(address(image), together, batch, channels, height * width), address(counts), torch.get_num_threads()
    )
    return counts


@operator("look_up", lambda image, tables, together: floats_like(image, together))
def _looked_up(image: Tensor, tables: Tensor, together: bool) -> Tensor:
    require_images("look_up", image, torch.uint8)
    require("look_up", tables=(tables, torch.float32, (*image.shape[:2], 256)))
    out = floats_like(image, together)
    # named, so that they live until the kernel returns
    image, tables = image.contiguous(memory_format=in_order(together)), tables.contiguous()
    batch, channels, height, width = image.shape
    kernels().augment_look_up(
        *(address(image), address(tables), together, batch, channels, height * width),
        *(address(out), torch.get_num_threads()),
    )
    return out


@operator("sharpen", lambda image, change, together: floats_like(image, together))
def _sharpened(image: Tensor, change: Tensor, together: bool) -> Tensor:
    require_images("sharpen", image, torch.uint8)
    require("sharpen", change=(change, torch.float32, image.shape[:1]))
    out = floats_like(image, together)
    image, change = image.contiguous(memory_format=in_order(together)), change.contiguous()
    kernels().augment_sharpen(
        address(image), address(change), together, *image.shape, address(out), torch.get_num_threads()
    )
    return out


@operator("erase", lambda image, boxes, value, together: floats_like(image, together))
def _erased(image: Tensor, boxes: Tensor, value: float, together: bool) -> Tensor:
    require_images("erase", image, torch.uint8)
    require("erase", boxes=(boxes, torch.float32, (len(image), 4)))
    out = floats_like(image, together)
    image, boxes = image.contiguous(memory_format=in_order(together)), boxes.contiguous()
    kernels().augment_erase(
        address(image), address(boxes), value, together, *image.shape, address(out), torch.get_num_threads()
    )
    return out
