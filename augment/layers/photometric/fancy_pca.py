"""FancyPCA: a shift of the colour along the directions in which the colours of images vary."""

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.color import clamped, with_rgb
from augment.data.types import Float, Params, Planes
from augment.draws.distributions import Bernoulli, Normal
from augment.draws.shorthand import Quantity

_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
"""Of the covariance of red, green and blue in [0, 1] over images of ImageNet, an eigenvector per column; computed by
the authors of facebook/fb.resnet.torch from a random subset of the training images (datasets/imagenet.lua)."""


class FancyPCA(PixelOp):
    """Shifts the colour of an image along the principal components of colours (Krizhevsky et al. 2012, AlexNet, 4.1).

    The shift is the sum of eigenvectors, each times its eigenvalue and a normal weight: one colour for all pixels.
    Clips to [0, 1]. Images with fewer than three channels are not changed. albumentations instead multiplies every
    pixel's distance from the mean colour.

    Args:
        alpha: standard deviation of the weights, not negative; 0.1 in the paper, and 0 changes nothing.
        statistics: "imagenet" takes the components of ImageNet, as in the paper; "image" those of each image, without
            eigenvectors: its covariance times normal weights has the same distribution.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.full((1, 3, 8, 8), 0.5)
        >>> out = A.FancyPCA(alpha=0.1, p=1.0)(images)
        >>> out.std((2, 3)).max() < 1e-6, (out != images).all()
        (tensor(True), tensor(True))
    """

    example = {"alpha": (0.05, 0.2)}
    identity = {"alpha": 0.0}
    differentiable = frozenset({"alpha"})

    def __init__(
        self,
        alpha: Quantity = 0.1,
        statistics: str = "imagenet",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.statistics = checks.one_of(self, "statistics", statistics, ("imagenet", "image"))
        self.quantity("alpha", alpha, legal=(0.0, 100.0))
        self.quantity("weight", Normal(0.0, 1.0), count=3)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        weights = (params["alpha"][:, None] * params["weight"]).to(planes[0].dtype)

        def shifted(rgb: Planes) -> Planes:
            shift = _of_imagenet(weights) if self.statistics == "imagenet" else _of_image(rgb, weights)
            return clamped(tuple(plane + one[:, None, None] for plane, one in zip(rgb, shift.unbind(1), strict=True)))

        return with_rgb(planes, shifted)


def _of_imagenet(weights: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    first, second, third = (weight * value for weight, value in zip(weights.unbind(1), _EIGENVALUES, strict=True))
    return torch.stack([first * x + second * y + third * z for x, y, z in _EIGENVECTORS], 1)


def _of_image(rgb: Planes, weights: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    """Returns the covariance of the colours of an image times weights."""
    colour = torch.stack(rgb, 1).flatten(2)
    centred = colour - colour.mean(2, keepdim=True)
    return (centred * (weights[:, None] @ centred)).mean(2)
