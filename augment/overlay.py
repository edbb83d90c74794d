"""Images laid over others: what MixUp and CutMix do, and any choice between them, in one pass."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from augment.native import overlay as native
from augment.rectangles import SIDES, rectangle
from augment.types import Bool, Float, Images, Integer, PerSample


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


def overlaid(images: Images, others: Float[Tensor, "n c h w"], overlay: Overlay) -> Float[Tensor, "b c h w"]:
    """The images with others laid over them: share * other + (1 - share) * image inside the rectangle.

    Args:
        images: (B, C, H, W) float.
        others: (N, C, H, W) float, those that `overlay.partner` counts.
    """
    if in_one_pass(images, others, overlay):
        rectangles = torch.stack([getattr(overlay, side) for side in SIDES], 1)
        return native.overlaid(images, others, overlay.partner, overlay.share, rectangles)
    share = overlay.share[:, None, None, None].to(images.dtype)
    shown = rectangle(overlay._asdict(), tuple(images.shape[-2:]))[:, None] & (share > 0)
    return torch.where(shown, torch.lerp(images, others.index_select(0, overlay.partner), share), images)


def in_one_pass(images: Images, others: Float[Tensor, "n c h w"], overlay: Overlay) -> bool:
    """Whether a kernel does it, without memory for anything but what comes out."""
    return native.serves(images, others, *overlay)
