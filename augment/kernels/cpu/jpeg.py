"""JPEG compression on a CPU: the kernel of jpeg.cpp for `reference.jpeg.jpeg`."""

import torch
from torch import Tensor

from augment.data.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.data.types import Bool, Float, Images, Planes
from augment.kernels.cpu.boundary import require, require_images
from augment.kernels.cpu.library import (
    CPU,
    address,
    all_chosen,
    compiled_call,
    floats_like,
    in_order,
    interleaved,
    kernels,
)
from augment.kernels.reference.jpeg import jpeg


@jpeg.kernel(
    CPU,
    serves=lambda image, chosen, tables: compute_dtype(dtype_of(image)) == torch.float32,
    tolerance=2e-2,
    reason="Works block by block in registers; torch writes every intermediate result of the whole batch to memory.",
)
def _(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, tables: Float[Tensor, "b 2 8 8"]
) -> Float[Tensor, "b c h w"]:
    image = to_float(stacked(image))
    return _coded(image, all_chosen(image, chosen), tables.to(torch.float32), interleaved(image))


@compiled_call("jpeg", lambda image, chosen, tables, channels_last: floats_like(image, channels_last))
def _coded(image: Tensor, chosen: Tensor, tables: Tensor, channels_last: bool) -> Tensor:
    require_images("jpeg", image, torch.float32)
    require("jpeg", chosen=(chosen, torch.bool, image.shape[:1]))
    require("jpeg", tables=(tables, torch.float32, (1 if len(tables) == 1 else len(image), 2, 8, 8)))
    out = floats_like(image, channels_last)
    # names keep the tensors alive until the kernel returns
    image = image.contiguous(memory_format=in_order(channels_last))
    chosen, tables = chosen.contiguous(), tables.expand(len(image), -1, -1, -1).contiguous()
    kernels().augment_jpeg(
        *(address(image), address(chosen), address(tables), channels_last),
        *(*image.shape, address(out), torch.get_num_threads()),
    )
    return out
