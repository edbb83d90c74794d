"""Blur of a lens that is out of focus."""

import math

import torch
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.pixels import materialized_image
from augment.data.types import Float, Images, Params
from augment.draws.arguments import shown
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity, as_distribution
from augment.kernels.reference.filtering import BORDERS, at_most_one, filtered, pad

_LARGEST = 60
"""Largest radius in pixels; the cost grows with its square."""

_SMOOTHING = 5
"""Taps of the Gaussian that smooths the edge of the disk, as in the code of ImageNet-C."""


class RandomDefocus(ImageOp):
    """Replaces every value by the mean of a disk around it, whose edge is smoothed (Hendrycks and Dietterich 2019).

    Args:
        radius: of the disk in pixels, within [0, 60], without a gradient. The upper end sets the size of the kernel.
        alias_blur: standard deviation in pixels of the Gaussian that smooths the edge, within [0.01, 10].
        border_type: how pixels outside the image are filled: "reflect", "replicate", "circular" or "constant" (0).
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomDefocus(radius=(1.0, 5.0), alias_blur=(0.1, 0.5), p=1.0)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    example = {"radius": (1.0, 2.5), "alias_blur": (0.3, 0.6)}
    identity = {"radius": 0.0, "alias_blur": 0.01}
    differentiable = frozenset({"alias_blur"})

    def __init__(
        self,
        radius: Quantity = (3.0, 10.0),
        alias_blur: Quantity = (0.1, 0.5),
        border_type: str = "reflect",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        top = as_distribution(radius, f"{type(self).__name__}: radius", (0.0, _LARGEST)).support()[1]
        if not top <= _LARGEST:
            raise ValueError(f"RandomDefocus: radius={shown(radius)} must have an upper end of at most {_LARGEST}.")
        self.reach = math.ceil(top)
        self.quantity("radius", radius, legal=(0.0, self.reach))
        self.quantity("alias_blur", alias_blur, legal=(1e-2, 10.0))
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)

    def image(self, image: Images, params: Params) -> Images:
        kernel = disk(self.reach, params["radius"].to(image.dtype), params["alias_blur"].to(image.dtype))
        margin = kernel.shape[-1] // 2
        return filtered(materialized_image(pad(image, margin, margin, self.border_type)), kernel)


def disk(reach: int, radius: Float[Tensor, " b"], smoothing: Float[Tensor, " b"]) -> Float[Tensor, "b extent extent"]:
    """Builds kernels that are even within a radius of at most `reach`, smoothed; the weights add up to 1."""
    half = reach + _SMOOTHING // 2
    offset = torch.arange(-half - 2, half + 3, device=radius.device, dtype=radius.dtype)
    inside = (offset**2 + offset[:, None] ** 2 <= radius[:, None, None] ** 2).to(radius.dtype)
    gauss = get_gaussian_kernel1d(_SMOOTHING, smoothing[:, None])
    smooth = filtered(filtered(inside[:, None], gauss[:, None, :]), gauss[:, :, None])[:, 0]
    return at_most_one(smooth / smooth.sum((1, 2), keepdim=True), 2 * (2 * half + 1))
