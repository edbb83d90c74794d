"""UnsharpMask: adds what a blur takes away, where it is more than noise."""

from collections.abc import Sequence

from kornia.filters import get_gaussian_kernel1d

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.types import Images, Params
from augment.draws.arguments import number
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.filtering import BORDERS, at_most_one, separable_filter


class UnsharpMask(ImageOp):
    """Sharpens by adding a part of what a Gaussian blur takes away; clips to [0, 1].

    With alpha 1 and threshold 0 it is Kornia's `filters.unsharp_mask`, clipped. With a threshold it is albumentations'
    UnsharpMask: a pixel whose difference from the blurred image is not larger stays, and the border between the two
    kinds of pixels is blurred too. The gradient takes the pixels' kinds as constants.

    Args:
        kernel_size: odd number of taps of the blur, or (vertical, horizontal); at most 1023.
        sigma: standard deviation of the blur in pixels, positive.
        alpha: share of the difference that is added, within [0, 10]; 0 changes nothing.
        threshold: smallest difference that is sharpened, in the image's [0, 1] scale, within [0, 1].
        border_type: what to assume outside of the image: "reflect", "replicate", "circular" or "constant" (0).
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.UnsharpMask(alpha=(0.2, 0.5))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"alpha": (0.2, 0.8)}
    identity = {"alpha": 0.0}
    differentiable = frozenset({"sigma", "alpha"})
    alpha_stays = True

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 7,
        sigma: Quantity = (0.8, 1.4),
        alpha: Quantity = (0.2, 0.5),
        threshold: float = 10 / 255,
        border_type: str = "reflect",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.kernel_size = checks.odd_size(self, "kernel_size", kernel_size)
        self.threshold = number(self, "threshold", threshold, 0.0, 1.0)
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)
        self.quantity("sigma", sigma, legal=(1e-3, 1e3))
        self.quantity("alpha", alpha, legal=(0.0, 10.0))

    def image(self, image: Images, params: Params) -> Images:
        sigma, alpha = (params[name].to(image.dtype) for name in ("sigma", "alpha"))
        down, across = (at_most_one(get_gaussian_kernel1d(taps, sigma[:, None]), taps) for taps in self.kernel_size)

        def blurred(image: Images) -> Images:
            return separable_filter(image, None, down, across, self.border_type, image.dtype)

        difference = image - blurred(image)
        sharp = (image + alpha[:, None, None, None] * difference).clamp(0, 1)
        if self.threshold == 0:
            return sharp
        return image + blurred((difference.abs() > self.threshold).to(image.dtype)) * (sharp - image)
