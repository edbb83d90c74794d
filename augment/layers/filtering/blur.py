"""Blurs."""

from collections.abc import Sequence

import torch
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp, check_dense
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.pixels import dtype_of, each, stacked
from augment.data.types import Float, Images, Params, PerSample
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.cuda import filtering as gpu
from augment.kernels.reference.filtering import BORDERS, at_most_one, pad, separably_filtered, window_sum


class RandomGaussianBlur(ImageOp):
    """Convolves with a Gaussian of a random width.

    Args:
        kernel_size: odd number of taps, or (vertical, horizontal); at most 1023.
        sigma: standard deviation in pixels, positive.
        border_type: what to assume outside of the image: "reflect", "replicate", "circular" or "constant" (0).
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
        self.kernel_size = checks.odd_size(self, "kernel_size", kernel_size)
        self.border_type = checks.one_of(self, "border_type", border_type, BORDERS)
        self.quantity("sigma", sigma, legal=(1e-3, 1e3))

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        (drawn,) = params
        check_dense(self, batch)
        if len(batch) == 0 or not gpu.serves(batch.image, self.kernel_size, drawn["sigma"]):
            return super().apply(batch, params, run)
        image, dtype = batch.image, batch.between if batch.between.is_floating_point else torch.float32
        if isinstance(image, tuple) and dtype_of(image).is_floating_point:
            image = each(image, lambda plane: plane.to(dtype))  # before they are written
        image = stacked(image)
        blurred = gpu.filtered(image, self.acts_on(drawn), *self._filters(drawn["sigma"]), self.border_type, dtype)
        return batch.replace(image=blurred)

    def image(self, image: Images, params: Params) -> Images:
        if image.shape[0] == 0:
            return image
        filters = self._filters(params["sigma"].to(image.dtype))
        return separably_filtered(image, *filters, self.border_type, params.get("gate"))

    def _filters(self, sigma: PerSample) -> list[Float[Tensor, "b taps"]]:
        """Weights down and across."""
        return [at_most_one(get_gaussian_kernel1d(extent, sigma[:, None]), extent) for extent in self.kernel_size]


class RandomBoxBlur(ImageOp):
    """Replaces every value by the mean of the window around it.

    Args:
        kernel_size: height and width of the window in pixels, at most 1023, or one number for both. An even window
            reaches one pixel further down or right than up or left.
        border_type: what to assume outside of the image: "reflect", "replicate", "circular" or "constant" (0).
        normalized: without effect, for Kornia's recipes; there, too, it is the mean either way.
        p: probability that an image is blurred.
        same_on_batch: one draw for all samples of a batch.
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
