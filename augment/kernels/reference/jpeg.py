"""JPEG compression and decompression of images: a baseline codec with 4:2:0 chroma, like libjpeg's."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from augment.data.color import LUMA
from augment.data.operator import operator
from augment.data.subset import on_images
from augment.data.types import Bool, Float, Images, Planes
from augment.kernels.reference.filtering import border_index


@operator
def jpeg(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, tables: Float[Tensor, "b 2 8 8"]
) -> Float[Tensor, "b c h w"]:
    """Encodes and decodes the chosen images. The others stay; the result is float.

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        tables: (B, 2, 8, 8) quantization steps of luma and chroma; the vertical frequency increases from row to row.
    """
    return on_images(image, chosen, _coded, tables)


def _coded(image: Images, tables: Float[Tensor, "b 2 8 8"]) -> Images:
    height, width = image.shape[-2:]
    luma, chroma = tables.unbind(1)
    levels = image.clamp(0, 1) * 255 - 128
    for dim, n in ((2, height), (3, width)):
        levels = levels.index_select(dim, border_index(n, 0, -n % 16, "replicate", image.device))
    if image.shape[1] < 3:
        coded = transcoded(levels, luma)
    else:
        y, cb, cr = _ycc(levels[:, :3].unbind(1))
        small = transcoded(avg_pool2d(torch.stack([cb, cr], 1), 2), chroma)
        small = small[..., : math.ceil(height / 2), : math.ceil(width / 2)]  # the decoder has no more
        large = interpolate(small, scale_factor=2.0, mode="bilinear")[..., :height, :width]
        y = transcoded(y[:, None], luma)[:, 0, :height, :width]
        coded = torch.stack(_rgb((y, *large.unbind(1))), 1)
    out = ((coded[..., :height, :width] + 128) / 255).clamp(0, 1)
    return torch.cat([out, image[:, out.shape[1] :]], 1)


def transcoded(levels: Float[Tensor, "b n h w"], table: Float[Tensor, "b 8 8"]) -> Float[Tensor, "b n h w"]:
    """Transforms blocks of 8x8 pixels, rounds their coefficients to multiples of the table and transforms back."""
    basis = _cosines(levels)
    step = table[:, None, None, :, None, :]
    coefficients = _blockwise(basis, levels)
    blocks = coefficients.unflatten(3, (-1, 8)).unflatten(2, (-1, 8))
    rounded = straight_through(blocks / step, _round_away) * step
    return _blockwise(basis.mT, rounded.flatten(4).flatten(2, 3))


def _cosines(like: Tensor) -> Float[Tensor, "8 8"]:
    """Returns the orthonormal discrete cosine transform, with one frequency per row."""
    n = torch.arange(8, dtype=like.dtype, device=like.device)
    rows = torch.cos((2 * n + 1) * n[:, None] * (math.pi / 16)) / 2
    return torch.where(n[:, None] == 0, math.sqrt(1 / 8), rows)


def _blockwise(matrix: Float[Tensor, "8 8"], levels: Float[Tensor, "b n h w"]) -> Float[Tensor, "b n h w"]:
    """Computes matrix @ block @ matrix.T for every block of 8x8; TF32 would change a level by about 0.1."""
    across = (levels.unflatten(3, (-1, 8)) @ matrix.mT).flatten(3)
    return (matrix @ across.unflatten(2, (-1, 8))).flatten(2, 3)


def _ycc(rgb: Planes) -> Planes:
    """Returns luma and the two colour differences (JFIF 1.02) of levels that are centred at 0."""
    red, green, blue = rgb
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return luma, (blue - luma) * (0.5 / (1 - LUMA[2])), (red - luma) * (0.5 / (1 - LUMA[0]))


def _rgb(ycc: Planes) -> Planes:
    """Inverts `_ycc`."""
    luma, cb, cr = ycc
    red, blue = luma + cr * (2 * (1 - LUMA[0])), luma + cb * (2 * (1 - LUMA[2]))
    return red, (luma - LUMA[0] * red - LUMA[2] * blue) / LUMA[1], blue


def straight_through(value: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """Returns step(value) with the gradient of value."""
    return value + (step(value) - value).detach()


def _round_away(value: Tensor) -> Tensor:
    """Rounds ties, which bytes often cause, away from 0 as libjpeg does, also if a float error moves them a little."""
    return torch.trunc(value + 0.501 * value.sign())
