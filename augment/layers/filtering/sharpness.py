"""Sharper and softer."""

import torch

from augment.core.kinds import ImageOp
from augment.data.types import Params, PerSample
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.filtering import sharpen


class RandomSharpness(ImageOp):
    """Blends the image with a smoothed copy: Pillow's ImageEnhance.Sharpness, torchvision's and Kornia's operator.

    The outermost pixels stay; so do images of fewer than three pixels along an axis, where Kornia raises.

    Args:
        sharpness: weight of the image against its smoothed copy: 0 is the copy, 1 changes nothing, above sharpens; not
            negative. A number v means (0, v), which only softens up to v = 1.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomSharpness(0.5)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"sharpness": (0.0, 3.0)}
    identity = {"sharpness": (1.0, 1.0)}
    differentiable = frozenset({"sharpness"})
    alpha_stays = True
    operator = sharpen

    def __init__(self, sharpness: Quantity = 0.5, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("sharpness", sharpness, legal=(0.0, 100.0), around=0.0, clip=True)

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[PerSample]:
        return (params["sharpness"],)
