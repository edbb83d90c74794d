"""Images laid over others on a CPU: the kernel of overlay.cpp, which keeps the memory order of the images."""

import torch
from torch import Tensor

from augment.data.memory import in_large_pages
from augment.data.types import Float, Images
from augment.geometry.rectangle import SIDES
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import CPU, address, compiled_call, floats_like, in_order, interleaved, kernels
from augment.kernels.reference.overlay import Overlay, lay_over


@lay_over.kernel(
    CPU,
    serves=lambda images, others, over: not isinstance(images, tuple) and images.dtype == others.dtype == torch.float32,
    tolerance=1e-6,
    reason="One pass that allocates only the result; torch copies the partners first.",
)
def _(images: Images, others: Float[Tensor, "n c h w"], over: Overlay) -> Float[Tensor, "b c h w"]:
    rectangles = torch.stack([getattr(over, side) for side in SIDES], 1)
    share = over.share.to(torch.float32)
    return _overlaid(images, others, over.partner, share, rectangles.to(torch.float32), interleaved(images))


@compiled_call(
    "overlay", lambda images, others, partner, share, rectangles, channels_last: floats_like(images, channels_last)
)
def _overlaid(
    images: Tensor, others: Tensor, partner: Tensor, share: Tensor, rectangles: Tensor, channels_last: bool
) -> Tensor:
    require_images("overlay", images, torch.float32)
    require("overlay", others=(others, torch.float32, (len(others), *images.shape[1:])))
    require("overlay", partner=(partner, torch.int64, images.shape[:1]), share=(share, torch.float32, images.shape[:1]))
    require("overlay", rectangles=(rectangles, torch.float32, (len(images), 4)))
    require_within("overlay", "partner", partner, 0, len(others))
    out = in_large_pages(floats_like(images, channels_last))
    # names keep the tensors alive until the kernel returns
    images, others = (part.contiguous(memory_format=in_order(channels_last)) for part in (images, others))
    partner, share, rectangles = partner.contiguous(), share.contiguous(), rectangles.contiguous()
    kernels().augment_overlay(
        *map(address, (images, others, partner, share, rectangles)),
        *(channels_last, *images.shape, address(out), torch.get_num_threads()),
    )
    return out
