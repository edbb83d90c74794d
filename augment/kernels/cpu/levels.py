"""Kernels that turn bytes into floats on a CPU, by levels.cpp, in the memory order of the image."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.pixels import colours, to_float
from augment.data.subset import Drawn, Parts
from augment.data.types import Bool, Float, Images, Integer, Params, PerSample, UInt8
from augment.geometry.rectangle import SIDES
from augment.kernels.cpu.boundary import require, require_images
from augment.kernels.cpu.library import (
    CPU,
    address,
    compiled_call,
    floats_like,
    in_order,
    interleaved,
    is_bytes,
    kernels,
)
from augment.kernels.reference.filtering import sharpen
from augment.kernels.reference.levels import LEVELS, count_levels
from augment.kernels.reference.pixelwise import Tables, erase, only, pointwise

Bytes = UInt8[Tensor, "b c h w"]


@pointwise.kernel(
    CPU,
    serves=lambda image, chosen, drawn, function, tables, alpha_stays: tables is not None and is_bytes(image),
    tolerance=0.0,
    reason="A value is computed for each of 256 levels instead of each pixel.",
)
def _(
    image: Bytes,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Params,
    function: Callable[[Parts, Drawn], Parts],
    tables: Tables,
    alpha_stays: bool,
) -> Float[Tensor, "b c h w"]:
    bytes = torch.arange(LEVELS, dtype=torch.uint8, device=image.device)
    count = colours(image.shape[1]) if alpha_stays else image.shape[1]
    coloured = image if count == image.shape[1] else image[:, :count]
    level = to_float(bytes).expand(*coloured.shape[:2], LEVELS)
    table = tables(coloured, level)
    if chosen is not None:
        table = torch.where(chosen[:, None, None], table, level)
    table = table.expand_as(level)
    if coloured is not image:  # alpha keeps its levels
        table = torch.cat([table, level[:, :1]], 1)
    return _looked_up(image, table.to(torch.float32), interleaved(image))


@count_levels.kernel(
    CPU, serves=is_bytes, tolerance=0.0, reason="torch counts integers of 64 bits, which are eight times the bytes."
)
def _(image: Bytes) -> Integer[Tensor, "b c 256"]:
    return _counted(image, interleaved(image))


@sharpen.kernel(
    CPU,
    serves=lambda image, chosen, sharpness: is_bytes(image),
    tolerance=1e-6,
    reason="Reads bytes once; torch writes nine copies of the image as floats.",
)
def _(image: Bytes, chosen: Bool[Tensor, " b"] | None, sharpness: PerSample) -> Float[Tensor, "b c h w"]:
    change = 1 - sharpness
    change = change if chosen is None else torch.where(chosen, change, 0.0)
    return _sharpened(image, change.to(torch.float32), interleaved(image))


@erase.kernel(
    CPU,
    serves=lambda image, chosen, box, value, key: value is not None and is_bytes(image),
    tolerance=0.0,
    reason="Writes the floats once; torch converts the image and then chooses for every pixel.",
)
def _(image: Bytes, chosen: Bool[Tensor, " b"] | None, box: Params, value: float, key: None) -> Images:
    box = only(chosen, box)
    boxes = torch.stack([box[name] for name in SIDES], 1)
    return _erased(image, boxes.to(torch.float32), value, interleaved(image))


@compiled_call("count", lambda image, together: image.new_empty(*image.shape[:2], 256, dtype=torch.int32))
def _counted(image: Tensor, together: bool) -> Tensor:
    require_images("count", image, torch.uint8)
    image = image.contiguous(memory_format=in_order(together))
    batch, channels, height, width = image.shape
    counts = image.new_empty(batch, channels, 256, dtype=torch.int32)
    kernels().augment_count(
        *(address(image), together, batch, channels, height * width), address(counts), torch.get_num_threads()
    )
    return counts


@compiled_call("look_up", lambda image, tables, together: floats_like(image, together))
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


@compiled_call("sharpen", lambda image, change, together: floats_like(image, together))
def _sharpened(image: Tensor, change: Tensor, together: bool) -> Tensor:
    require_images("sharpen", image, torch.uint8)
    require("sharpen", change=(change, torch.float32, image.shape[:1]))
    out = floats_like(image, together)
    image, change = image.contiguous(memory_format=in_order(together)), change.contiguous()
    kernels().augment_sharpen(
        address(image), address(change), together, *image.shape, address(out), torch.get_num_threads()
    )
    return out


@compiled_call("erase", lambda image, boxes, value, together: floats_like(image, together))
def _erased(image: Tensor, boxes: Tensor, value: float, together: bool) -> Tensor:
    require_images("erase", image, torch.uint8)
    require("erase", boxes=(boxes, torch.float32, (len(image), 4)))
    out = floats_like(image, together)
    image, boxes = image.contiguous(memory_format=in_order(together)), boxes.contiguous()
    kernels().augment_erase(
        address(image), address(boxes), value, together, *image.shape, address(out), torch.get_num_threads()
    )
    return out
