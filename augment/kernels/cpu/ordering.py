"""Floats in channels_last order on a CPU: the kernel of ordering.cpp.

Only eager mode uses them: compiled code fuses the same arithmetic into the loop that computes the pixels.
"""

import torch
from torch import Tensor

from augment.data.memory import in_large_pages
from augment.data.pixels import planes_of
from augment.data.primitives import channels_last
from augment.data.types import Float, Images, Planes
from augment.kernels.cpu.library import EAGER, address, floats, kernels
from augment.kernels.cpu.planes import TYPES, are_regular, source
from augment.kernels.reference.pixelwise import normalize, statistics_by_channel


@normalize.kernel(
    EAGER,
    serves=lambda image, chosen, mean, std: chosen is None and are_regular(image, TYPES),
    tolerance=0.0,
    reason="Reads and writes each value once; torch does so for the difference, the product and the order.",
)
def _(
    image: Images | Planes, chosen: None, mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "b c h w"]:
    means, stds = statistics_by_channel(mean, std, len(planes_of(image)))
    return _in_order(planes_of(image), means, tuple(1 / s for s in stds))


@channels_last.kernel(
    EAGER,
    serves=lambda image: are_regular(image, (torch.float32,)) and not _has_order(image),
    tolerance=0.0,
    reason="Writes whole pixels; torch writes every third number, three times.",
)
def _(image: Images | Planes) -> Float[Tensor, "b c h w"]:
    planes = planes_of(image)
    return _in_order(planes, (0.0,) * len(planes), (1.0,) * len(planes))


def _has_order(image: Images | Planes) -> bool:
    return isinstance(image, Tensor) and image.is_contiguous(memory_format=torch.channels_last)


def _in_order(planes: Planes, mean: tuple[float, ...], factor: tuple[float, ...]) -> Float[Tensor, "b c h w"]:
    """Returns (value - mean) * factor of bytes divided by 255, or of floats."""
    batch, height, width = planes[0].shape
    out = torch.empty(batch, len(planes), height, width, dtype=torch.float32, memory_format=torch.channels_last)
    kernels().augment_in_order(
        *(*source("in_order", planes), floats(*mean), floats(*factor)),
        *(batch, len(planes), height * width, address(in_large_pages(out)), torch.get_num_threads()),
    )
    return out
