"""Separable filters on a GPU by one kernel, over the samples that drew them.

Compiled torch filters everybody: for a Gaussian of 13 taps in a third of 256 images it took 507 µs on an H100, in which
it wrote the image with its margin, the filtered rows, and the result. The kernel takes 142.
"""

import torch
from torch import Tensor

from augment.data.types import Bool, Float, Images, Num, Planes
from augment.kernels.cuda import library

_ROWS, _COLUMNS = 32, (128, 64, 32)
"""Of a program, which has as many columns as it can hold rows of."""

_HELD = 2048
"""Numbers that the 32 threads of a program keep in registers, 64 each, beside as many weights and places."""

_MOST = 63
"""Taps, of the fewest columns."""


def serves(image: Images | Planes, kernel_size: tuple[int, int], *params: Tensor) -> bool:
    """Whether the kernel can do it: on a GPU, and nobody asks for a gradient."""
    parts = image if isinstance(image, tuple) else (image,)
    known = parts[0].dtype in (torch.uint8, torch.float16, torch.float32) and max(kernel_size) <= _MOST
    return known and library.serves(*parts, *params)


def filtered(
    image: Num[Tensor, "b c h w"],
    chosen: Bool[Tensor, " b"] | None,
    down: Float[Tensor, "b kh"],
    across: Float[Tensor, "b kw"],
    border: str,
    dtype: torch.dtype,
) -> Float[Tensor, "b c h w"]:
    """The chosen images correlated along both axes, the others as they are: floats in [0, 1] of type `dtype`.

    Args:
        image: (B, C, H, W), bytes, halves or float32, in any order of memory.
        chosen: None for all.
        down, across: weights along y and x, (B, taps), odd numbers of taps.
        border: see `windows.BORDERS`.
    """
    from augment.kernels.cuda.filtering_triton import blur  # imports Triton

    chosen = torch.ones(len(image), dtype=torch.bool, device=image.device) if chosen is None else chosen
    batch, channels, height, width = image.shape
    library.require_rows("blur", batch, chosen=chosen, down=down, across=across)
    out = torch.empty((batch, channels, height, width), dtype=dtype, device=image.device)
    columns = next(n for n in _COLUMNS if n * max(down.shape[1], across.shape[1]) <= _HELD)
    blocks = -(-height // _ROWS) * -(-width // columns)
    blur[(batch * channels * blocks,)](
        image,
        chosen,
        down.float().contiguous(),
        across.float().contiguous(),
        out,
        *image.stride(),
        CHANNELS=channels,
        HEIGHT=height,
        WIDTH=width,
        TALL=down.shape[1],
        WIDE=across.shape[1],
        BORDER=border,
        BYTES=image.dtype == torch.uint8,
        ROWS=_ROWS,
        COLUMNS=columns,
        num_warps=1,
    )
    return out
