"""Blurs."""

from collections.abc import Sequence

import torch
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.types import Float, Images, Params
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.filtering import BORDERS, at_most_one, pad, separable_filter, window_sum


class RandomGaussianBlur(ImageOp):
    """Convolves with a Gaussian of a random width.

    Args:
        kernel_size: odd number of taps, or (vertical, horizontal); at most 1023.
        sigma: standard deviation in pixels, positive.
        border_type: what to assume outside of the image: "reflect", "replicate", "circular" or "constant" (0).
        p: probability that an image is blurred.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomGaussianBlur((5, 5), (0.1, 2.0))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"kernel_size": 5, "sigma": (0.3, 2.0)}
    identity = {"kernel_size": 5, "sigma": 1e-2}
    differentiable = frozenset({"sigma"})
    operator = separable_filter
    hands_on = True

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        sigma: Quantity = (0.1, 2.0),
        border_type: str = "reflect",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.kernel_size = checks.odd_size(self, "kernel_size", kernel_size)
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)
        self.quantity("sigma", sigma, legal=(1e-3, 1e3))

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Float[Tensor, "b kh"], Float[Tensor, "b kw"], str]:
        """Weights down and across, and the border."""
        sigma = params["sigma"].to(dtype)[:, None]
        down, across = (at_most_one(get_gaussian_kernel1d(extent, sigma), extent) for extent in self.kernel_size)
        return down, across, self.border_type


class RandomBoxBlur(ImageOp):
    """Replaces every value by the mean of the window around it.

    Args:
        kernel_size: height and width of the window in pixels, at most 1023, or one number for both. An even window
            reaches one pixel further down or right than up or left.
        border_type: what to assume outside of the image: "reflect", "replicate", "circular" or "constant" (0).
        normalized: without effect, for Kornia's recipes; there, too, it is the mean either way.
        p: probability that an image is blurred.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomBoxBlur((3, 3))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"kernel_size": 1}

    def __init__(
        self,
        kernel_size: int | Sequence[int] = (3, 3),
        border_type: str = "reflect",
        normalized: bool = True,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.kernel_size = checks.image_size(self, kernel_size, "kernel_size", checks.MOST_TAPS)
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)

    def image(self, image: Images, params: Params) -> Images:
        tall, wide = self.kernel_size
        padded = pad(image, tall // 2, wide // 2, self.border_type)[:, :, 1 - tall % 2 :, 1 - wide % 2 :]
        return window_sum(window_sum(padded, 2, tall), 3, wide) / (tall * wide)
