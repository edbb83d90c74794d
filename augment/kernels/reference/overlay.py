"""Images laid over other images: MixUp, CutMix and any choice between them, in one pass."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from augment.data.context import for_gpu
from augment.data.known import dense
from augment.data.operator import operator
from augment.data.primitives import where
from augment.data.types import Bool, Float, Images, Integer, PerSample, Planes
from augment.geometry.rectangle import rectangle


class Overlay(NamedTuple):
    """For each of B images, which other image is laid over it, where, and with which weight.

    Attributes:
        partner: (B,) int64, number of the other image.
        share: (B,) weight of the other image, within [0, 1]; with 0 an image stays as it is.
        top, left, height, width: (B,) rectangle in whole pixels, outside of which the image stays.
    """

    partner: Integer[Tensor, " b"]
    share: PerSample
    top: PerSample
    left: PerSample
    height: PerSample
    width: PerSample

    def where(self, which: Bool[Tensor, " b"], rest: Overlay) -> Overlay:
        """Returns this overlay for the samples in `which`, and `rest` for the others."""
        return Overlay(*(torch.where(which, one, other) for one, other in zip(self, rest, strict=True)))

    def only(self, which: Bool[Tensor, " b"]) -> Overlay:
        """Returns this overlay for the samples in `which`, and none for the others."""
        return self._replace(share=torch.where(which, self.share, 0))


@operator
def lay_over(
    images: Images | Planes,
    others: Float[Tensor, "n c h w"] | tuple[Float[Tensor, "n h w"], ...],
    over: Overlay,
) -> Images | Planes:
    """Lays other images over images: share * other + (1 - share) * image inside the rectangle.

    Args:
        images: (B, C, H, W) float, or C planes (B, H, W).
        others: N images in the same form; `over.partner` are numbers of these.
        over: what is laid over each image.
    """
    plane = images[0] if isinstance(images, tuple) else images
    share = over.share[:, None, None]
    shown = rectangle(over._asdict(), (plane.shape[-2], plane.shape[-1])) & (share > 0)
    if isinstance(images, tuple):
        return tuple(map(partial(_laid, partner=over.partner, share=share, shown=shown), images, others))
    return _laid(images, dense(others), over.partner, share[:, None], shown[:, None])


def _laid(images: Tensor, others: Tensor, partner: Tensor, share: Tensor, shown: Tensor) -> Tensor:
    """Does the same for images (B, C, H, W) or for one plane (B, H, W)."""
    partners, share = others.index_select(0, partner), share.to(images.dtype)
    if for_gpu(images.device):  # reads partners only inside the rectangles; elsewhere an image is blended with itself
        return torch.lerp(images, where(shown, partners, images), share)
    return torch.where(shown, torch.lerp(images, partners, share), images)
