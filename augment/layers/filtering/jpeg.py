"""What JPEG compression leaves of an image."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from augment.core.kinds import ImageOp
from augment.data.color import LUMA
from augment.data.constants import constant
from augment.data.types import Float, Images, Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.cpu import jpeg as native
from augment.kernels.reference.filtering import border_index

_TABLES = (
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    ),
    (
        (17, 18, 24, 47, 99, 99, 99, 99),
        (18, 21, 26, 66, 99, 99, 99, 99),
        (24, 26, 56, 99, 99, 99, 99, 99),
        (47, 66, 99, 99, 99, 99, 99, 99),
        *((99,) * 8,) * 4,
    ),
)
"""Quantization of luma and chroma at quality 50 (ITU-T T.81, tables K.1 and K.2), rows of rising vertical frequency."""


class RandomJPEG(ImageOp):
    """Encodes and decodes the image as a baseline JPEG with 4:2:0 chroma and libjpeg's tables.

    Coefficients are rounded as the codec does, where Kornia rounds softly and lets an eighth of what is thrown away
    through; intermediate values are not rounded to 8 bits. The gradient is straight-through: that of the same codec
    with nothing rounded, and for the quality that of a learned step size (Esser et al. 2019, eq. 3).

    The first three channels are red, green and blue, any further ones stay; one channel is coded as a gray image.
    Values are cut to [0, 1].

    Args:
        jpeg_quality: libjpeg's, within [1, 100]; a number v means (max(1, 50 - v), min(100, 50 + v)).
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"jpeg_quality": (10.0, 90.0)}
    estimated = frozenset({"jpeg_quality"})
    image_gradient = "straight-through"
    alpha_stays = True

    def __init__(self, jpeg_quality: Quantity = 50.0, p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("jpeg_quality", jpeg_quality, legal=(1.0, 100.0), around=50.0, clip=True)

    def image(self, image: Images, params: Params) -> Images:
        height, width = image.shape[-2:]
        tables = quantization(params["jpeg_quality"].to(image.dtype))
        if native.serves(image, tables):
            return native.coded(image, params.get("gate"), tables)
        luma, chroma = tables.unbind(1)
        levels = image.clamp(0, 1) * 255 - 128
        for dim, n in ((2, height), (3, width)):
            levels = levels.index_select(dim, border_index(n, 0, -n % 16, "replicate", image.device))
        if image.shape[1] < 3:
            coded = transcoded(levels, luma)
        else:
            y, cb, cr = _ycc(levels[:, :3].unbind(1))
            small = transcoded(avg_pool2d(torch.stack([cb, cr], 1), 2), chroma)
            small = small[..., : math.ceil(height / 2), : math.ceil(width / 2)]  # the decoder knows no further
            large = interpolate(small, scale_factor=2.0, mode="bilinear")[..., :height, :width]
            y = transcoded(y[:, None], luma)[:, 0, :height, :width]
            coded = torch.stack(_rgb((y, *large.unbind(1))), 1)
        out = ((coded[..., :height, :width] + 128) / 255).clamp(0, 1)
        return torch.cat([out, image[:, out.shape[1] :]], 1)


def quantization(quality: Float[Tensor, " b"]) -> Float[Tensor, "b 2 8 8"]:
    """libjpeg's tables of luma and chroma for a quality, whole numbers from 1 to 255."""
    scale = torch.where(quality < 50, _floor(5000 / quality), 200 - 2 * quality)
    base = constant(_TABLES, quality)
    return _floor((base * scale[:, None, None, None] + 50) / 100).clamp(1, 255)


def transcoded(levels: Float[Tensor, "b n h w"], table: Float[Tensor, "b 8 8"]) -> Float[Tensor, "b n h w"]:
    """Transforms blocks of 8x8, rounds their coefficients to multiples of the table and transforms back."""
    basis = _cosines(levels)
    step = table[:, None, None, :, None, :]
    coefficients = _blockwise(basis, levels)
    blocks = coefficients.unflatten(3, (-1, 8)).unflatten(2, (-1, 8))
    rounded = _straight_through(blocks / step, _round_away) * step
    return _blockwise(basis.mT, rounded.flatten(4).flatten(2, 3))


def _cosines(like: Tensor) -> Float[Tensor, "8 8"]:
    """The orthonormal discrete cosine transform, one row a frequency."""
    n = torch.arange(8, dtype=like.dtype, device=like.device)
    rows = torch.cos((2 * n + 1) * n[:, None] * (math.pi / 16)) / 2
    return torch.where(n[:, None] == 0, math.sqrt(1 / 8), rows)


def _blockwise(matrix: Float[Tensor, "8 8"], levels: Float[Tensor, "b n h w"]) -> Float[Tensor, "b n h w"]:
    """matrix @ block @ matrix.T for every block of 8x8; TF32 would move a level by about a tenth."""
    across = (levels.unflatten(3, (-1, 8)) @ matrix.mT).flatten(3)
    return (matrix @ across.unflatten(2, (-1, 8))).flatten(2, 3)


def _ycc(rgb: Planes) -> Planes:
    """Luma and the two colour differences (JFIF 1.02), of levels around 0."""
    red, green, blue = rgb
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return luma, (blue - luma) * (0.5 / (1 - LUMA[2])), (red - luma) * (0.5 / (1 - LUMA[0]))


def _rgb(ycc: Planes) -> Planes:
    """The inverse of `_ycc`."""
    luma, cb, cr = ycc
    red, blue = luma + cr * (2 * (1 - LUMA[0])), luma + cb * (2 * (1 - LUMA[2]))
    return red, (luma - LUMA[0] * red - LUMA[2] * blue) / LUMA[1], blue


def _straight_through(value: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """step(value), with the gradient of value."""
    return value + (step(value) - value).detach()


def _round_away(value: Tensor) -> Tensor:
    """Ties, which are frequent among bytes, go away from 0 as in libjpeg, on whichever side a float puts them."""
    return torch.trunc(value + 0.501 * value.sign())


def _floor(value: Tensor) -> Tensor:
    return _straight_through(value, torch.floor)
