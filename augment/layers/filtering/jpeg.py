"""What JPEG compression leaves of an image."""

import torch
from torch import Tensor

from augment.core.kinds import ImageOp
from augment.data.constants import constant
from augment.data.types import Float, Params
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.jpeg import jpeg, straight_through

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

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomJPEG((50, 95))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"jpeg_quality": (10.0, 90.0)}
    estimated = frozenset({"jpeg_quality"})
    image_gradient = "straight-through"
    alpha_stays = True
    operator = jpeg

    def __init__(self, jpeg_quality: Quantity = 50.0, p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("jpeg_quality", jpeg_quality, legal=(1.0, 100.0), around=50.0, clip=True)

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Tensor]:
        return (quantization(params["jpeg_quality"].to(dtype)),)


def quantization(quality: Float[Tensor, " b"]) -> Float[Tensor, "b 2 8 8"]:
    """libjpeg's tables of luma and chroma for a quality, whole numbers from 1 to 255."""
    scale = torch.where(quality < 50, _floor(5000 / quality), 200 - 2 * quality)
    base = constant(_TABLES, quality)
    return _floor((base * scale[:, None, None, None] + 50) / 100).clamp(1, 255)


def _floor(value: Tensor) -> Tensor:
    return straight_through(value, torch.floor)
