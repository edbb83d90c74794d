"""Sharper and softer."""

import torch

from augment.core.kinds import ImageOp
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.pixels import on_colours
from augment.data.types import Images, Params
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.cpu import levels as native
from augment.kernels.reference.filtering import window_sum


class RandomSharpness(ImageOp):
    """Blends the image with a smoothed copy: Pillow's ImageEnhance.Sharpness, torchvision's and Kornia's operator.

    The outermost pixels stay; so do images of fewer than three pixels along an axis, where Kornia raises.

    Args:
        sharpness: weight of the image against its smoothed copy: 0 is the copy, 1 changes nothing, above sharpens; not
            negative. A number v means (0, v), which only softens up to v = 1.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"sharpness": (0.0, 3.0)}
    identity = {"sharpness": (1.0, 1.0)}
    differentiable = frozenset({"sharpness"})
    alpha_stays = True

    def __init__(self, sharpness: Quantity = 0.5, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("sharpness", sharpness, legal=(0.0, 100.0), around=0.0, clip=True)

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        (drawn,) = params
        if not native.serves(batch.image, *drawn.values()):
            return super().apply(batch, params, run)
        change, chosen = 1 - drawn["sharpness"], self.acts_on(drawn)
        change = change if chosen is None else torch.where(chosen, change, 0.0)
        return batch.replace(image=on_colours(batch.image, lambda image: native.sharpened(image, change)))

    def image(self, image: Images, params: Params) -> Images:
        if min(image.shape[-2:]) < 3:
            return image
        inner = image[:, :, 1:-1, 1:-1]
        smooth = (window_sum(window_sum(image, 2, 3), 3, 3) + 4 * inner) / 13  # ones around a five
        change = (1 - params["sharpness"].to(image.dtype)[:, None, None, None]) * (smooth - inner)
        return (image + torch.nn.functional.pad(change, (1, 1, 1, 1))).clamp(0, 1)
