"""A resize that keeps the aspect ratio, about, and a crop of what exceeds the output."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import Warp
from augment.data.types import Matrices, Params, PerSample, Size
from augment.draws.arguments import number
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.shorthand import Quantity, log_uniform
from augment.geometry import matrix as mat
from augment.layers.geometric.crop import PADDING_MODES

_ROUNDED = 1.02
"""Whole pixels may make an image smaller than drawn by so much."""


class RandomKeepRatioCrop(Warp):
    """Resizes the image to cover `size`, with random scale and aspect ratio, and crops or pads it, antialiased.

    The definition is timm's `train_crop_mode`: "rkrc" crops at the centre, "rkrr" at a random position.

    Example:
        >>> A.RandomKeepRatioCrop(32)(torch.rand(2, 3, 50, 60)).shape
        torch.Size([2, 3, 32, 32])

    Args:
        size: (height, width) of the output or one number for both, in pixels.
        scale: area that the output shows, as a fraction of the area that fits, in [0.01, 4]; above 1 it is padded.
        ratio: factor of the aspect ratio, in [0.1, 10]; a pair is sampled uniformly in the logarithm.
        scale_p, ratio_p: probabilities of another scale and of another aspect ratio than the image's.
        centred: crop and pad at the centre, instead of a random position.
        padding_mode: "constant", "replicate" (or "edge"), "reflect" or "symmetric".
        fill: colour of the padding with padding_mode "constant", in [0, 1]: a number, one per channel or "mean", the
            mean of the pipeline's Normalize.
        resample: "nearest", "bilinear" or "bicubic".
        p: probability of random draws; other samples keep their ratio and are cropped at the centre.
        same_on_batch: use one draw for all samples of a batch.
    """

    separable = True
    example = {"size": (9, 10)}

    scale: Distribution
    ratio: Distribution

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Quantity = (0.8, 1.0),
        ratio: Quantity = (0.9, 1 / 0.9),
        scale_p: float = 0.5,
        ratio_p: float = 0.5,
        centred: bool = True,
        padding_mode: str = "reflect",
        fill: GivenFill = 0.0,
        resample: str = "bilinear",
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.size, self.centred = checks.image_size(self, size), centred
        self.padding = PADDING_MODES[checks.one_of(self, "padding_mode", padding_mode, list(PADDING_MODES))]
        self.fill, self.resample = checked_fill(self, "fill", fill), checks.resample_mode(self, resample)
        self.scale_p, self.ratio_p = (
            number(self, name, p, 0.0, 1.0) for name, p in (("scale_p", scale_p), ("ratio_p", ratio_p))
        )
        self.quantity("scale", scale, legal=(0.01, 4.0))
        self.quantity("ratio", log_uniform(ratio), legal=(0.1, 10.0))
        self.quantity("chances", (0.0, 1.0), count=2)
        if not centred:
            self.quantity("top", (0.0, 1.0))
            self.quantity("left", (0.0, 1.0))

    def out_size(self, size: Size) -> Size:
        return self.size

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the resized `height` and `width`, and `top` and `left` of the output there, in whole pixels."""
        scaled, stretched = (params["chances"] < params["chances"].new_tensor([self.scale_p, self.ratio_p])).unbind(1)
        factor = torch.where(scaled, torch.rsqrt(params["scale"]), 1.0)
        aspect = torch.sqrt(torch.where(stretched, params["ratio"], 1.0))
        draws = (None, None) if self.centred else (params["top"], params["left"])
        gate = {"gate": params["gate"]} if "gate" in params else {}
        return _placed(size, self.size, factor / aspect, factor * aspect, *draws) | gate

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return self._boxed(size, params, like)

    def rest_matrix(self, size: Size, like: Tensor) -> Matrices:
        one = like.new_ones(like.shape[0])
        return self._boxed(size, _placed(size, self.size, one, one, None, None), like)

    def _boxed(self, size: Size, params: Params, like: Tensor) -> Matrices:
        y, x = (n / params[name].to(like.dtype) for n, name in zip(size, ("height", "width"), strict=True))
        box = (y * self.size[0], x * self.size[1])
        return mat.crop_resize(
            params["top"].to(like.dtype) * y, params["left"].to(like.dtype) * x, box, self.size, like
        )

    def shrink(self, size: Size) -> tuple[float | Tensor, float | Tensor]:
        height, width = (n / out for n, out in zip(size, self.size, strict=True))
        ratio = (
            torch.minimum(height, width)
            if isinstance(height, Tensor) and isinstance(width, Tensor)
            else min(height, width)
        )
        low, high = self.ratio.support()
        largest = _ROUNDED * max(1.0, self.scale.support()[1]) ** 0.5
        return ratio * (largest * max(high, 1.0) ** 0.5), ratio * (largest * max(1 / low, 1.0) ** 0.5)


def _placed(
    size: Size, out: tuple[int, int], tall: PerSample, wide: PerSample, top: PerSample | None, left: PerSample | None
) -> Params:
    """Returns the size of the resized images, and where the output starts there.

    Args:
        size: of the images.
        out: of the output.
        tall, wide: (B,) factors of the size that just covers the output.
        top, left: (B,) uniforms for the position; None for the centre.
    """
    cover = _cover(size, out, tall)
    sides = [torch.round(n * factor / cover).clamp(min=1) for n, factor in zip(size, (tall, wide), strict=True)]
    starts = [_start(side - n, u) for side, n, u in zip(sides, out, (top, left), strict=True)]
    return {"height": sides[0], "width": sides[1], "top": starts[0], "left": starts[1]}


def _cover(size: Size, out: tuple[int, int], like: PerSample) -> Tensor:
    """Returns how much smaller an image becomes that just covers the output."""
    height, width = (torch.as_tensor(n, device=like.device).to(like.dtype) / o for n, o in zip(size, out, strict=True))
    return torch.minimum(height, width)


def _start(room: PerSample, u: PerSample | None) -> PerSample:
    """Returns where the output starts in the resized image, before it if that is smaller."""
    if u is None:
        return torch.where(room < 0, -torch.floor(-room / 2), torch.round(room / 2))
    return torch.sign(room) * torch.floor(u * (room.abs() + 1)).minimum(room.abs())
