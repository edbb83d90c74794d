"""Separable filters on a CPU: the kernel of filtering.cpp for `reference.filtering.separable_filter`."""

import torch
from torch import Tensor

from augment.data.pixels import compute_dtype, dtype_of, planes_of, size_of, to_float
from augment.data.types import Bool, Float, Images, Planes
from augment.kernels.cpu.boundary import require, require_within
from augment.kernels.cpu.library import CPU, address, all_chosen, compiled_call, kernels
from augment.kernels.cpu.planes import TYPES, in_memory, source
from augment.kernels.reference.filtering import border_index, separable_filter


@separable_filter.kernel(
    CPU,
    serves=lambda image, chosen, down, across, border, gpu_dtype: compute_dtype(dtype_of(image)) == torch.float32,
    tolerance=1e-5,
    reason="torch convolves image by image, and writes the filtered rows to memory in between.",
)
def _(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"] | None,
    down: Float[Tensor, "b kh"],
    across: Float[Tensor, "b kw"],
    border: str,
    gpu_dtype: torch.dtype,
) -> Float[Tensor, "b c h w"]:
    planes = planes_of(image)
    if planes[0].dtype not in TYPES:
        planes = tuple(map(to_float, planes))
    rows, columns = (
        border_index(extent, weights.shape[1] // 2, weights.shape[1] // 2, border, weights.device)
        for extent, weights in zip(size_of(image), (down, across), strict=True)
    )
    every = all_chosen(planes[0], chosen)
    return _filtered(list(planes), every, down.to(torch.float32), across.to(torch.float32), rows, columns)


def _output(planes: list[Tensor]) -> Tensor:
    batch, height, width = planes[0].shape
    return torch.empty(batch, len(planes), height, width, dtype=torch.float32)


@compiled_call("filter", lambda planes, *_: _output(planes))
def _filtered(
    planes: list[Tensor], chosen: Tensor, down: Tensor, across: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    batch, height, width = planes[0].shape
    require("filter", chosen=(chosen, torch.bool, (batch,)))
    for weights, index, extent in ((down, rows, height), (across, columns, width)):
        taps = max(weights.shape[-1], 1)
        require("filter", weights=(weights, torch.float32, (batch, taps)))
        require("filter", index=(index, index.dtype, (extent + taps - 1,)))
        require_within("filter", "index", index, -1, extent)
    out = _output(planes)
    # names keep the tensors alive until the kernel returns
    regular, chosen, down, across = in_memory(planes), chosen.contiguous(), down.contiguous(), across.contiguous()
    rows, columns = rows.to(torch.int32), columns.to(torch.int32)
    kernels().augment_filter(
        *(*source("filter", regular), address(chosen)),
        *(address(down), address(rows), down.shape[1], address(across), address(columns), across.shape[1]),
        *(batch, len(planes), height, width, address(out), torch.get_num_threads()),
    )
    return out
