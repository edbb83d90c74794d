"""Operators on bytes on a CPU: the kernels of levels.cpp, which keep the memory order of the image."""

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
    EAGER,
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
    reason="Computes a value for each of the 256 levels instead of for each pixel.",
)
def _(
    image: Bytes,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Params,
    function: Callable[[Parts, Drawn], Parts],
    tables: Tables,
    alpha_stays: bool,
) -> Float[Tensor, "b c h w"]:
    levels = torch.arange(LEVELS, dtype=torch.uint8, device=image.device)
    count = colours(image.shape[1]) if alpha_stays else image.shape[1]
    coloured = image if count == image.shape[1] else image[:, :count]
    level = to_float(levels).expand(*coloured.shape[:2], LEVELS)
    table = tables(coloured, level)
    if chosen is not None:
        table = torch.where(chosen[:, None, None], table, level)
    table = table.expand_as(level)
    if coloured is not image:  # alpha keeps its levels
        table = torch.cat([table, level[:, :1]], 1)
    return _looked_up(image, table.to(torch.float32), interleaved(image))


@count_levels.kernel(
    CPU,
    serves=is_bytes,
    tolerance=0.0,
    reason="torch counts 64-bit integers, which take eight times the memory of bytes.",
)
def _(image: Bytes) -> Integer[Tensor, "b c 256"]:
    return _counted(image, interleaved(image))


@sharpen.kernel(
    CPU,
    serves=lambda image, chosen, sharpness: is_bytes(image),
    tolerance=1e-6,
    reason="Reads the bytes once; torch writes nine float copies of the image.",
)
def _(image: Bytes, chosen: Bool[Tensor, " b"] | None, sharpness: PerSample) -> Float[Tensor, "b c h w"]:
    change = 1 - sharpness
    change = change if chosen is None else torch.where(chosen, change, 0.0)
    return _sharpened(image, change.to(torch.float32), interleaved(image))


@erase.kernel(
    CPU,
    serves=lambda image, chosen, box, value, key: isinstance(value, float) and box["top"].ndim == 1 and is_bytes(image),
    tolerance=0.0,
    reason="Writes the floats once; torch converts the image first and then chooses a value for every pixel.",
)
@erase.kernel(
    EAGER,
    serves=lambda image, chosen, box, value, key: (
        isinstance(value, float) and box["top"].ndim == 1 and isinstance(image, Tensor) and image.dtype == torch.float32
    ),
    tolerance=0.0,
    reason="Copies the floats once; torch chooses a value for every pixel, plane by plane.",
)
def _(image: Images, chosen: Bool[Tensor, " b"] | None, box: Params, value: float, key: None) -> Images:
    box = only(chosen, box)
    boxes = torch.stack([box[name] for name in SIDES], 1)
    return _erased(image, boxes.to(torch.float32), value, interleaved(image))


@compiled_call("count", lambda image, channels_last: image.new_empty(*image.shape[:2], 256, dtype=torch.int32))
def _counted(image: Tensor, channels_last: bool) -> Tensor:
    require_images("count", image, torch.uint8)
    image = image.contiguous(memory_format=in_order(channels_last))
    batch, channels, height, width = image.shape
    counts = image.new_empty(batch, channels, 256, dtype=torch.int32)
    kernels().augment_count(
        *(address(image), channels_last, batch, channels, height * width), address(counts), torch.get_num_threads()
    )
    return counts


@compiled_call("look_up", lambda image, tables, channels_last: floats_like(image, channels_last))
def _looked_up(image: Tensor, tables: Tensor, channels_last: bool) -> Tensor:
    require_images("look_up", image, torch.uint8)
    require("look_up", tables=(tables, torch.float32, (*image.shape[:2], 256)))
    out = floats_like(image, channels_last)
    # names keep the tensors alive until the kernel returns
    image, tables = image.contiguous(memory_format=in_order(channels_last)), tables.contiguous()
    batch, channels, height, width = image.shape
    kernels().augment_look_up(
        *(address(image), address(tables), channels_last, batch, channels, height * width),
        *(address(out), torch.get_num_threads()),
    )
    return out


@compiled_call("sharpen", lambda image, change, channels_last: floats_like(image, channels_last))
def _sharpened(image: Tensor, change: Tensor, channels_last: bool) -> Tensor:
    require_images("sharpen", image, torch.uint8)
    require("sharpen", change=(change, torch.float32, image.shape[:1]))
    out = floats_like(image, channels_last)
    image, change = image.contiguous(memory_format=in_order(channels_last)), change.contiguous()
    kernels().augment_sharpen(
        address(image), address(change), channels_last, *image.shape, address(out), torch.get_num_threads()
    )
    return out


@compiled_call("erase", lambda image, boxes, value, channels_last: floats_like(image, channels_last))
def _erased(image: Tensor, boxes: Tensor, value: float, channels_last: bool) -> Tensor:
    require_images("erase", image, torch.uint8, torch.float32)
    require("erase", boxes=(boxes, torch.float32, (len(image), 4)))
    out = floats_like(image, channels_last)
    image, boxes = image.contiguous(memory_format=in_order(channels_last)), boxes.contiguous()
    kernels().augment_erase(
        address(image),
        image.dtype == torch.float32,
        address(boxes),
        value,
        channels_last,
        *image.shape,
        address(out),
        torch.get_num_threads(),
    )
    return out
