"""Images laid over others: what MixUp and CutMix do, and any choice between them, in one pass."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from augment.data.context import for_gpu
from augment.data.pixels import per_sample
from augment.data.types import Bool, Float, Images, Integer, PerSample, Planes
from augment.geometry.rectangle import SIDES, rectangle
from augment.kernels.cpu import overlay as native
from augment.kernels.cuda.inductor import where


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


def overlaid(
    images: Images | Planes,
    others: Float[Tensor, "n c h w"] | tuple[Float[Tensor, "n h w"], ...],
    overlay: Overlay,
) -> Images | Planes:
    """The images with others laid over them: share * other + (1 - share) * image inside the rectangle.

    Args:
        images: (B, C, H, W) float, or C planes (B, H, W).
        others: the same of N images, those that `overlay.partner` counts.
    """
    if isinstance(images, Tensor) and in_one_pass(images, others, overlay):
        rectangles = torch.stack([getattr(overlay, side) for side in SIDES], 1)
        return native.overlaid(images, others, overlay.partner, overlay.share, rectangles)
    share, one = per_sample(overlay.share), images if isinstance(images, Tensor) else images[0]
    shown = rectangle(overlay._asdict(), tuple(one.shape[-2:])) & (share > 0)
    if isinstance(images, Tensor):
        return _laid(images, others, overlay.partner, share[:, None], shown[:, None])
    laid = partial(_laid, partner=overlay.partner, share=share, shown=shown)
    return tuple(map(laid, images, others))


def _laid(images: Tensor, others: Tensor, partner: Tensor, share: Tensor, shown: Tensor) -> Tensor:
    """The same with torch's operators, of images or of planes."""
    partners, share = others.index_select(0, partner), share.to(images.dtype)
    if for_gpu(images.device):  # partners are not read outside of the rectangles, where images are laid over themselves
        return torch.lerp(images, where(shown, partners, images), share)
    return torch.where(shown, torch.lerp(images, partners, share), images)


def in_one_pass(images: Images, others: Float[Tensor, "n c h w"], overlay: Overlay) -> bool:
    """Whether a kernel does it, without memory for anything but what comes out."""
    return native.serves(images, others, *overlay)
