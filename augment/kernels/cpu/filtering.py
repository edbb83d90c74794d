"""Separable filters on a CPU by the kernel of filtering.cpp."""

import torch
from torch import Tensor

from augment.data.types import Bool, Float, Integer
from augment.kernels.cpu import library
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import address, kernels, operator


def serves(image: Tensor, *weights: Tensor) -> bool:
    """Whether the kernel can do it: float32 on a CPU, and nobody asks for a gradient."""
    return image.dtype == torch.float32 and library.serves(image, *weights)


def filtered(
    image: Float[Tensor, "b c h w"],
    chosen: Bool[Tensor, " b"] | None,
    down: Float[Tensor, "b kh"],
    across: Float[Tensor, "b kw"],
    rows: Integer[Tensor, " i"],
    columns: Integer[Tensor, " j"],
) -> Float[Tensor, "b c h w"]:
    """The chosen images correlated along both axes, the others as they are.

    Args:
        image: (B, C, H, W), float32.
        chosen: None for all.
        down, across: weights along y and x, (B, taps).
        rows, columns: which pixel stands at each position from the first of the first window to the last of the last,
            -1 for a 0.
    """
    chosen = torch.ones(len(image), dtype=torch.bool) if chosen is None else chosen
    return _filtered(image, chosen, down.to(torch.float32), across.to(torch.float32), rows, columns)


@operator("filter", lambda image, *_: torch.empty_like(image, memory_format=torch.contiguous_format))
def _filtered(image: Tensor, chosen: Tensor, down: Tensor, across: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    require_images("filter", image, torch.float32)
    require("filter", chosen=(chosen, torch.bool, image.shape[:1]))
    for weights, index, extent in ((down, rows, image.shape[2]), (across, columns, image.shape[3])):
        taps = max(weights.shape[-1], 1)
        require("filter", weights=(weights, torch.float32, (len(image), taps)))
        require("filter", index=(index, index.dtype, (extent + taps - 1,)))
        require_within("filter", "index", index, -1, extent)
    image, out = image.contiguous(), torch.empty(image.shape, dtype=torch.float32)
    # named, so that they live until the kernel returns
    chosen, down, across = chosen.contiguous(), down.contiguous(), across.contiguous()
    rows, columns = rows.to(torch.int32), columns.to(torch.int32)
    kernels().augment_filter(
        *(address(image), address(chosen)),
        *(address(down), address(rows), down.shape[1], address(across), address(columns), across.shape[1]),
        *(*image.shape, address(out), torch.get_num_threads()),
    )
    return out
