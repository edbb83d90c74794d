"""Images laid over others on a CPU by the kernel of overlay.cpp, in the memory order that they come in."""

import torch
from torch import Tensor

from augment.data.memory import in_large_pages
from augment.data.types import Float, Images, Integer, PerSample
from augment.kernels.cpu import library
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import address, floats_like, in_order, interleaved, kernels, operator


def serves(images: Images, others: Float[Tensor, "n c h w"], *params: Tensor) -> bool:
    """Whether the kernel can do it: float32 on a CPU, and nobody asks for a gradient."""
    return images.dtype == others.dtype == torch.float32 and library.serves(images, others, *params)


def overlaid(
    images: Images,
    others: Float[Tensor, "n c h w"],
    partner: Integer[Tensor, " b"],
    share: PerSample,
    rectangles: Float[Tensor, "b 4"],
) -> Float[Tensor, "b c h w"]:
    """A share (B,) of another image inside a rectangle (top, left, height, width) of each."""
    return _overlaid(
        images, others, partner, share.to(torch.float32), rectangles.to(torch.float32), interleaved(images)
    )


@operator("overlay", lambda images, others, partner, share, rectangles, together: floats_like(images, together))
def _overlaid(
    images: Tensor, others: Tensor, partner: Tensor, share: Tensor, rectangles: Tensor, together: bool
) -> Tensor:
    require_images("overlay", images, torch.float32)
    require("overlay", others=(others, torch.float32, (len(others), *images.shape[1:])))
    require("overlay", partner=(partner, torch.int64, images.shape[:1]), share=(share, torch.float32, images.shape[:1]))
    require("overlay", rectangles=(rectangles, torch.float32, (len(images), 4)))
    require_within("overlay", "partner", partner, 0, len(others))
    out = in_large_pages(floats_like(images, together))
    # named, so that they live until the kernel returns
    images, others = (part.contiguous(memory_format=in_order(together)) for part in (images, others))
    partner, share, rectangles = partner.contiguous(), share.contiguous(), rectangles.contiguous()
    kernels().augment_overlay(
        *map(address, (images, others, partner, share, rectangles)),
        *(together, *images.shape, address(out), torch.get_num_threads()),
    )
    return out
