"""Motion blur."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.pixels import materialized_image
from augment.data.types import Float, Images, Params
from augment.draws.arguments import is_whole, shown
from augment.draws.distributions import Bernoulli, Choice, Constant, Distribution, Uniform
from augment.draws.shorthand import Quantity
from augment.kernels.reference.filtering import BORDERS, at_most_one, filtered, pad

_SNAP = 2.0**10
"""Steps per pixel to which positions are rounded, so that all devices resolve ties alike."""

_LONGEST = 255
"""Largest length of the line in pixels; the cost grows with its square."""


class RandomMotionBlur(ImageOp):
    """Blurs along a line with Kornia's motion kernels.

    Each sample has its own length and angle; Kornia draws one length for the whole batch.

    Args:
        kernel_size: length of the line in pixels, from 1 to 255: an odd whole number; a pair of whole numbers, where
            every odd number in the range is equally likely; or a distribution of real lengths. The upper end of the
            distribution sets the size of the kernel, and a learnable length cannot grow beyond it.
        angle: angle of the line in degrees, counter-clockwise, within [-360, 360]; a number v means (-v, v).
        direction: shift of the weight along the line, within [-1, 1]; a number v means (-v, v). At 0 the weight is
            even; at 1 and -1 it falls linearly to 0 at one end.
        border_type: how pixels outside the image are filled: "constant" (0), "reflect", "replicate" or "circular".
        resample: "nearest" copies the nearest point of the line and gives no gradient to the angle; "bilinear"
            interpolates.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomMotionBlur(5, 35.0, 0.5)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"kernel_size": Uniform(3.0, 9.0), "angle": 90.0, "direction": 0.8, "resample": "bilinear"}
    identity = {"kernel_size": 1}
    differentiable = frozenset({"kernel_size", "angle", "direction"})

    def __init__(
        self,
        kernel_size: int | Sequence[int] | Distribution,
        angle: Quantity,
        direction: Quantity,
        border_type: str = "constant",
        resample: str = "nearest",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        lengths = _lengths(kernel_size)
        self.extent = math.ceil((lengths.support()[1] - 1) / 2) * 2 + 1
        self.quantity("kernel_size", lengths, legal=(1.0, self.extent))
        self.quantity("angle", angle, legal=(-360.0, 360.0), around=0.0)
        self.quantity("direction", direction, legal=(-1.0, 1.0), around=0.0)
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)
        self.resample = checks.one_of(self, "resample", resample, ("nearest", "bilinear"))

    def image(self, image: Images, params: Params) -> Images:
        length, angle, direction = (params[n].to(image.dtype) for n in ("kernel_size", "angle", "direction"))
        kernel = line_kernel(self.extent, length, angle, direction, self.resample == "bilinear")
        padded = pad(image, self.extent // 2, self.extent // 2, self.border_type)
        return filtered(materialized_image(padded), kernel)


def _lengths(value: int | Sequence[int] | Distribution) -> Distribution:
    if isinstance(value, Distribution) and value.support()[1] <= _LONGEST:
        return value
    pair = (value, value) if is_whole(value) else value
    if isinstance(pair, (tuple, list)) and len(pair) == 2 and all(is_whole(n) and 0 < n <= _LONGEST for n in pair):
        low, high = pair
        odd = range(low | 1, high + 1, 2)
        if odd:
            return Choice(odd) if len(odd) > 1 else Constant(odd[0])
    raise ValueError(
        f"RandomMotionBlur: kernel_size={shown(value)} must be an odd whole number, a pair (low, high) that "
        f"contains one, or a distribution with an upper end; at most {_LONGEST}."
    )


def line_kernel(
    extent: int,
    length: Float[Tensor, " b"],
    angle: Float[Tensor, " b"],
    direction: Float[Tensor, " b"],
    bilinear: bool,
) -> Float[Tensor, "b extent extent"]:
    """Builds kernels with a line through the centre; the weights add up to 1.

    In the axes of the line, `along` and `across`, the weight at a distance `along` from the centre is
    1 - direction * along / half, for distances up to half = (length - 1) / 2.
    """
    half, radians, direction = (value[:, None, None] for value in ((length - 1) / 2, torch.deg2rad(angle), direction))
    cos, sin = torch.cos(radians), torch.sin(radians)
    offset = torch.arange(extent, device=length.device, dtype=length.dtype) - extent // 2
    x, y = offset, offset[:, None]
    along = cos * x - sin * y
    across = sin * x + cos * y
    if not bilinear:
        along, across = (torch.round(torch.round(d * _SNAP) / _SNAP) for d in (along, across))

    def within(distance: Tensor, end: Tensor | float) -> Tensor:
        """1 up to the end, then falling to 0 over the next pixel."""
        return (end + 1 - distance.abs()).clamp(0, 1)

    inside = within(along, half) * within(across, 0.0) * within(x, half) * within(y, half)
    tilt = torch.maximum(torch.minimum(along, half), -half) / half.clamp(min=0.5)
    kernel = inside * (1 - direction * tilt)
    return at_most_one(kernel / kernel.sum((1, 2), keepdim=True), 2 * extent)
