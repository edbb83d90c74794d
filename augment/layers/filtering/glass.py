"""Frosted glass: pixels that change places with their neighbours."""

import math

import torch
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from augment.core.kinds import ImageOp
from augment.data.types import Bool, Float, Images, Integer, Params
from augment.draws.arguments import whole
from augment.draws.distributions import Bernoulli
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity, as_distribution
from augment.kernels.reference.filtering import at_most_one, separable_filter

_WIDEST = 20.0
"""Largest standard deviation of the blur in pixels."""

_DOUBLINGS = 6
"""Copies of copies are followed for 2**6 steps; each goes on with a probability below 1/2, so that no more occur."""


class RandomGlassBlur(ImageOp):
    """Blurs, copies to every pixel a random neighbour, and blurs again (Hendrycks and Dietterich 2019).

    As in the published code, pixels are visited from the last to the first, a pixel may get what its neighbour has got
    before, and the neighbour stays, though the paper speaks of a shuffle. An outermost frame of `max_delta` pixels is
    not visited.

    Args:
        sigma: standard deviation of both blurs in pixels, within [0.01, 20]. The upper end sets the size of the kernel.
        max_delta: largest distance of the neighbour in rows and columns, from 0 (no copies) to 20.
        iterations: how often the image is visited, from 1 to 10.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomGlassBlur(sigma=(0.5, 1.0), max_delta=2, iterations=1, p=1.0)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    example = {"sigma": (0.5, 1.0), "max_delta": 2, "iterations": 1}
    identity = {"sigma": 0.01, "max_delta": 0}
    differentiable = frozenset({"sigma"})

    def __init__(
        self,
        sigma: Quantity = 0.7,
        max_delta: int = 4,
        iterations: int = 2,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.max_delta = whole(self, "max_delta", max_delta, 0, 20)
        self.iterations = whole(self, "iterations", iterations, 1, 10)
        top = as_distribution(sigma, f"{type(self).__name__}: sigma", (1e-2, _WIDEST)).support()[1]
        self.reach = math.ceil(4 * min(top, _WIDEST))  # four standard deviations
        self.quantity("sigma", sigma, legal=(1e-2, self.reach / 4))
        self.quantity("key", (0.0, 1.0), count=2)

    def image(self, image: Images, params: Params) -> Images:
        taps = 2 * self.reach + 1
        weights = at_most_one(get_gaussian_kernel1d(taps, params["sigma"].to(image.dtype)[:, None]), taps)

        def blurred(image: Images) -> Images:
            return separable_filter(image, None, weights, weights, "replicate", image.dtype)

        steps = uniform_field(params["key"], (self.iterations, 2, *image.shape[-2:]))
        image = blurred(image)
        for uniforms in steps.unbind(1):
            image = copied(image, sources(uniforms, self.max_delta))
        return blurred(image)


def copied(image: Images, source: Integer[Tensor, "b n"]) -> Images:
    """Gives each pixel, counted row by row, the value of its source."""
    height, width = image.shape[-2:]
    return image.flatten(2).gather(2, source[:, None].expand(-1, image.shape[1], -1)).unflatten(2, (height, width))


def sources(uniforms: Float[Tensor, "b 2 h w"], reach: int) -> Integer[Tensor, "b n"]:
    """Returns the number of the pixel whose value each pixel ends up with.

    A pixel's neighbour was visited before it if it comes later in the image. Its value is then the one that it has got,
    so the source of the pixel is the source of the neighbour. All chains are followed at once, by doubling.

    Args:
        uniforms: in [0, 1), which neighbour each pixel reads: offsets (vertical, horizontal) from -reach to reach - 1.
        reach: largest offset.
    """
    height, width = uniforms.shape[-2:]
    step = torch.floor(uniforms * (2 * reach)).to(torch.int64) - reach
    visited = _visited(height, reach, uniforms.device)[:, None] & _visited(width, reach, uniforms.device)
    here = torch.arange(height * width, device=uniforms.device)
    offset = torch.where(visited, step[:, 0] * width + step[:, 1], 0).flatten(1)
    source = here + offset
    onward = (offset > 0) & visited.flatten()[source]
    for _ in range(_DOUBLINGS):
        source, onward = torch.where(onward, source.gather(1, source), source), onward & onward.gather(1, source)
    return source


def _visited(extent: int, reach: int, device: torch.device) -> Bool[Tensor, " n"]:
    place = torch.arange(extent, device=device)
    return (place > reach) & (place <= extent - reach)
