"""Images laid over others: what MixUp and CutMix do, and any choice between them, in one pass."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from augment.data.context import for_gpu
from augment.data.operator import operator
from augment.data.pixels import per_sample
from augment.data.primitives import where
from augment.data.types import Bool, Float, Images, Integer, PerSample, Planes
from augment.geometry.rectangle import rectangle


class Overlay(NamedTuple):
    """What each of B images shows of another: a share of it inside a rectangle.

    Attributes:
        partner: (B,) int64, which other image.
        share: (B,) weight of the other image, within [0, 1]; with 0 an image stays as it is.
        top, left, height, width: (B,) the rectangle in whole pixels.
    """

    partner: Integer[Tensor, " b"]
    share: PerSample
    top: PerSample
    left: PerSample
    height: PerSample
    width: PerSample

    def where(self, which: Bool[Tensor, " b"], rest: Overlay) -> Overlay:
        """This for some samples, another for the rest."""
        return Overlay(*(torch.where(which, one, other) for one, other in zip(self, rest, strict=True)))

    def only(self, which: Bool[Tensor, " b"]) -> Overlay:
        """This for some samples, nothing for the rest."""
        return self._replace(share=torch.where(which, self.share, 0))


@operator
def lay_over(
    images: Images | Planes,
    others: Float[Tensor, "n c h w"] | tuple[Float[Tensor, "n h w"], ...],
    over: Overlay,
) -> Images | Planes:
    """The images with others laid over them: share * other + (1 - share) * image inside the rectangle.

    Args:
        images: (B, C, H, W) float, or C planes (B, H, W).
        others: the same of N images, which `over.partner` counts.
    """
    share, one = per_sample(over.share), images if isinstance(images, Tensor) else images[0]
    shown = rectangle(over._asdict(), tuple(one.shape[-2:])) & (share > 0)
    if isinstance(images, Tensor):
        return _laid(images, others, over.partner, share[:, None], shown[:, None])
    laid = partial(_laid, partner=over.partner, share=share, shown=shown)
    return tuple(map(laid, images, others))


def _laid(images: Tensor, others: Tensor, partner: Tensor, share: Tensor, shown: Tensor) -> Tensor:
    """The same with torch's operators, of images or of planes."""
    partners, share = others.index_select(0, partner), share.to(images.dtype)
    if for_gpu(images.device):  # partners are not read outside of the rectangles, where images are laid over themselves
        return torch.lerp(images, where(shown, partners, images), share)
    return torch.where(shown, torch.lerp(images, partners, share), images)
