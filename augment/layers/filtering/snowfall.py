"""Falling snow, as ImageNet-C has it."""

import math

import torch
from torch import Tensor

from augment.core.kinds import ImageOp
from augment.data.color import gray
from augment.data.pixels import materialized_image, planes, stacked
from augment.data.types import Float, Images, Params
from augment.draws.distributions import Bernoulli
from augment.draws.noise import normal_field
from augment.draws.shorthand import Quantity, as_distribution
from augment.geometry.interpolation import Window
from augment.kernels.reference.filtering import filtered, pad
from augment.kernels.reference.sampling import sample
from augment.layers.filtering.motion import line_kernel

_LONGEST = 63.0
"""Longest streak in pixels."""


class RandomSnowfall(ImageOp):
    """Adds streaks of falling snow, and whitens the scene (Hendrycks and Dietterich 2019, published code).

    RandomSnow, which is Kornia's, lays snow on dark places instead. Flakes are the peaks of smooth noise, blurred along
    their fall; a second layer of them is the first one turned by half a circle. The image is clipped to [0, 1].

    Args:
        density: mean of the noise, within [-1, 2], without a gradient.
        spread: standard deviation of the noise, within [0, 1], without a gradient.
        threshold: noise below it is no flake, within [0, 1], without a gradient.
        flake_size: spacing of the noise in pixels, within [1, 100], without a gradient.
        length: of a streak in pixels, within [1, 63], without a gradient. The upper end sets the size of a kernel.
        angle: of a streak in degrees, within [-360, 360], without a gradient; -90 falls straight.
        whitening: weight of a brighter gray image in the scene, within [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomSnowfall(density=(0.1, 0.3), whitening=(0.1, 0.3), p=1.0)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    example = {"density": 0.3, "length": (3.0, 7.0), "whitening": (0.2, 0.4)}
    differentiable = frozenset({"whitening"})
    alpha_stays = True

    def __init__(
        self,
        density: Quantity = 0.1,
        spread: Quantity = 0.3,
        threshold: Quantity = 0.5,
        flake_size: Quantity = 3.0,
        length: Quantity = 10.0,
        angle: Quantity = (-135.0, -45.0),
        whitening: Quantity = 0.2,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        top = as_distribution(length, f"{type(self).__name__}: length", (1.0, _LONGEST)).support()[1]
        self.extent = math.ceil((min(top, _LONGEST) - 1) / 2) * 2 + 1
        self.quantity("density", density, legal=(-1.0, 2.0))
        self.quantity("spread", spread, legal=(0.0, 1.0))
        self.quantity("threshold", threshold, legal=(0.0, 1.0))
        self.quantity("flake_size", flake_size, legal=(1.0, 100.0))
        self.quantity("length", length, legal=(1.0, self.extent))
        self.quantity("angle", angle, legal=(-360.0, 360.0))
        self.quantity("whitening", whitening, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def image(self, image: Images, params: Params) -> Images:
        snow = self.flakes((image.shape[-2], image.shape[-1]), params, image.dtype)
        white = params["whitening"].to(image.dtype)[:, None, None, None]
        bright = torch.maximum(image, gray(planes(image))[:, None] * 1.5 + 0.5)
        scene = image + white * (bright - image)
        return (scene + snow + snow.flip((2, 3))).clamp(0, 1)

    def flakes(self, size: tuple[int, int], params: Params, dtype: torch.dtype) -> Float[Tensor, "b 1 h w"]:
        """Returns one layer of blurred flakes in [0, 1]."""
        density, spread, threshold = (
            params[name].to(dtype)[:, None, None, None] for name in ("density", "spread", "threshold")
        )
        spacing, length, angle = (params[name].to(dtype) for name in ("flake_size", "length", "angle"))
        noise = normal_field(params["key"], (1, *size)).to(dtype)
        y, x = (torch.arange(n, device=noise.device, dtype=dtype) / spacing[:, None] for n in size)
        smooth = density + spread * stacked(sample(noise, x[:, None, :], y[:, :, None], Window.whole(size)))
        flakes = torch.where(smooth < threshold, 0.0, smooth.clamp(0, 1))
        kernel = line_kernel(self.extent, length, angle, torch.ones_like(angle), bilinear=True)
        margin = self.extent // 2
        return filtered(materialized_image(pad(flakes, margin, margin, "replicate")), kernel)
