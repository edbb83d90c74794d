"""Blur of a lens that zooms while the shutter is open."""

import torch

from augment.core.kinds import ImageOp
from augment.data.pixels import stacked
from augment.data.types import Images, Params
from augment.draws.arguments import whole
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.geometry.interpolation import Window
from augment.kernels.reference.sampling import sample


class RandomZoomBlur(ImageOp):
    """Averages the image with enlargements of it about its centre (Hendrycks and Dietterich 2019).

    The factors of the enlargements rise evenly from 1 to `max_factor`. As in the published code, the image itself comes
    in addition to the enlargement by 1.

    Args:
        max_factor: largest factor, within [1, 10]; 1 changes nothing.
        steps: number of factors, from 2 to 100; the cost is proportional to it.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomZoomBlur(max_factor=(1.0, 1.2), steps=11, p=1.0)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    example = {"max_factor": (1.1, 1.4), "steps": 4}
    identity = {"max_factor": 1.0}
    differentiable = frozenset({"max_factor"})

    def __init__(
        self,
        max_factor: Quantity = (1.0, 1.3),
        steps: int = 11,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.steps = whole(self, "steps", steps, 2, 100)
        self.quantity("max_factor", max_factor, legal=(1.0, 10.0))

    def image(self, image: Images, params: Params) -> Images:
        height, width = image.shape[-2:]
        x, y = (torch.arange(n, device=image.device, dtype=image.dtype) - (n - 1) / 2 for n in (width, height))
        rise = (params["max_factor"].to(image.dtype) - 1)[:, None, None] / (self.steps - 1)
        change = torch.zeros_like(image)
        for step in range(1, self.steps):
            factor = 1 + step * rise
            column, row = (x / factor + (width - 1) / 2), (y[:, None] / factor + (height - 1) / 2)
            change = change + (stacked(sample(image, column, row, Window.whole((height, width)))) - image)
        return image + change / (self.steps + 1)
