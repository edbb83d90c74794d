"""Separable filters on a CPU: the kernel of filtering.cpp for `reference.filtering.separable_filter`."""

import torch
from torch import Tensor

from augment.data.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.data.types import Bool, Float, Images, Planes
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import CPU, address, all_chosen, compiled_call, kernels
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
    image = to_float(stacked(image))
    rows, columns = (
        border_index(extent, weights.shape[1] // 2, weights.shape[1] // 2, border, image.device)
        for extent, weights in zip(image.shape[2:], (down, across), strict=True)
    )
    return _filtered(image, all_chosen(image, chosen), down.to(torch.float32), across.to(torch.float32), rows, columns)


@compiled_call("filter", lambda image, *_: torch.empty_like(image, memory_format=torch.contiguous_format))
def _filtered(image: Tensor, chosen: Tensor, down: Tensor, across: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    require_images("filter", image, torch.float32)
    require("filter", chosen=(chosen, torch.bool, image.shape[:1]))
    for weights, index, extent in ((down, rows, image.shape[2]), (across, columns, image.shape[3])):
        taps = max(weights.shape[-1], 1)
        require("filter", weights=(weights, torch.float32, (len(image), taps)))
        require("filter", index=(index, index.dtype, (extent + taps - 1,)))
        require_within("filter", "index", index, -1, extent)
    image, out = image.contiguous(), torch.empty(image.shape, dtype=torch.float32)
    # names keep the tensors alive until the kernel returns
    chosen, down, across = chosen.contiguous(), down.contiguous(), across.contiguous()
    rows, columns = rows.to(torch.int32), columns.to(torch.int32)
    kernels().augment_filter(
        *(address(image), address(chosen)),
        *(address(down), address(rows), down.shape[1], address(across), address(columns), across.shape[1]),
        *(*image.shape, address(out), torch.get_num_threads()),
    )
    return out
