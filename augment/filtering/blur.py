"""Blurs."""

from collections.abc import Sequence

import torch
from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Tensor

from augment import checks
from augment.distributions import Bernoulli
from augment.layer import ImageOp
from augment.shorthand import Quantity
from augment.types import Images, Num, Params

BORDERS = ("reflect", "replicate", "constant")


class RandomGaussianBlur(ImageOp):
    """Convolves with a Gaussian of a random width.

    Args:
        kernel_size: odd number of taps, or (vertical, horizontal).
        sigma: standard deviation in pixels, positive.
        border_type: what to assume outside of the image: "reflect", "replicate" or "constant" (0).
        p: probability that an image is blurred.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"kernel_size": 5, "sigma": (0.3, 2.0)}
    identity = {"kernel_size": 5, "sigma": 1e-2}
    differentiable = frozenset({"sigma"})

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        sigma: Quantity = (0.1, 2.0),
        border_type: str = "reflect",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.kernel_size = checks.image_size(self, kernel_size, "kernel_size")
        if any(k % 2 == 0 for k in self.kernel_size):
            raise ValueError(f"RandomGaussianBlur: kernel_size={kernel_size} must be odd.")
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)
        self.quantity("sigma", sigma, legal=(1e-3, 1e3))

    def image(self, image: Images, params: Params) -> Images:
        if image.shape[0] == 0:
            return image
        sigma = params["sigma"].to(image.dtype)[:, None]
        tall, wide = self.kernel_size
        padded = pad(image, tall // 2, wide // 2, self.border_type)
        kernels = get_gaussian_kernel1d(wide, sigma), get_gaussian_kernel1d(tall, sigma)
        return filter2d_separable(padded, *kernels, padding="valid")


def pad(image: Images, vertical: int, horizontal: int, border: str) -> Num[Tensor, "b c h2 w2"]:
    """Extends an image by margins of any width; torch's own reflection stops at the image's size."""
    if border == "constant":
        return torch.nn.functional.pad(image, (horizontal, horizontal, vertical, vertical))
    for dim, margin in ((2, vertical), (3, horizontal)):
        n = image.shape[dim]
        index = torch.arange(-margin, n + margin, device=image.device)
        if border == "reflect" and n > 1:
            around = torch.remainder(index, 2 * (n - 1))
            index = torch.minimum(around, 2 * (n - 1) - around)
        image = image.index_select(dim, index.clamp(0, n - 1))
    return image
