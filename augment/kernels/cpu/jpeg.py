"""What JPEG leaves of images on a CPU by the kernel of jpeg.cpp, as `filtering.jpeg` defines it."""

import torch
from torch import Tensor

from augment.data.types import Bool, Float
from augment.kernels.cpu import library
from augment.kernels.cpu.boundary import require, require_images
from augment.kernels.cpu.library import address, floats_like, in_order, interleaved, kernels, operator


def serves(image: Tensor, tables: Tensor) -> bool:
    """Whether the kernel can do it: float32 on a CPU, and nobody asks for a gradient."""
    return image.dtype == torch.float32 and library.serves(image, tables)


def coded(
    image: Float[Tensor, "b c h w"], chosen: Bool[Tensor, " b"] | None, tables: Float[Tensor, "#b 2 8 8"]
) -> Float[Tensor, "b c h w"]:
    """The chosen images encoded and decoded, the others as they are, in the memory order that they come in.

    Args:
        image: (B, C, H, W), float32.
        chosen: None for all.
        tables: the quantization of luma and chroma, rows of rising vertical frequency; one for all, or one a sample.
    """
    chosen = torch.ones(len(image), dtype=torch.bool) if chosen is None else chosen
    return _coded(image, chosen, tables.to(torch.float32), interleaved(image))


@operator("jpeg", lambda image, chosen, tables, together: floats_like(image, together))
def _coded(image: Tensor, chosen: Tensor, tables: Tensor, together: bool) -> Tensor:
    require_images("jpeg", image, torch.float32)
    require("jpeg", chosen=(chosen, torch.bool, image.shape[:1]))
    require("jpeg", tables=(tables, torch.float32, (1 if len(tables) == 1 else len(image), 2, 8, 8)))
    out = floats_like(image, together)
    # named, so that they live until the kernel returns
    image = image.contiguous(memory_format=in_order(together))
    chosen, tables = chosen.contiguous(), tables.expand(len(image), -1, -1, -1).contiguous()
    kernels().augment_jpeg(
        *(address(image), address(chosen), address(tables), together),
        *(*image.shape, address(out), torch.get_num_threads()),
    )
    return out
