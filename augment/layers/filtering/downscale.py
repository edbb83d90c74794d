"""Loss of resolution: smaller and back again."""

import math

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.types import Float, Images, Params, Size
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.shorthand import Quantity

_DOWN, _UP = ("nearest", "bilinear", "area"), ("nearest", "bilinear")


class Downscale(ImageOp):
    """Resizes the image to a smaller size and back again; named as in albumentations.

    A side of n pixels becomes round(n * scale) pixels, at least 1. As in OpenCV and torch, "nearest" copies pixel
    floor(i * n / m) of n to pixel i of m, "bilinear" interpolates between two neighbours without antialiasing, and
    "area" takes the mean of the area that a pixel covers.

    Args:
        scale_range: the scale, within [0.001, 1], without a gradient; 1 changes nothing.
        downscale: "nearest", "bilinear" or "area".
        upscale: "nearest" or "bilinear".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.Downscale(0.5, p=1.0)(torch.tensor([[[[0.0, 0.1, 0.2, 0.3]]]]))
        tensor([[[[0.0000, 0.0000, 0.2000, 0.2000]]]])
    """

    example = {"scale_range": (0.2, 0.7), "downscale": "area", "upscale": "bilinear"}
    identity = {"scale_range": 1.0}

    scale_range: Distribution

    def __init__(
        self,
        scale_range: Quantity = (0.25, 0.25),
        downscale: str = "nearest",
        upscale: str = "nearest",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.downscale = checks.one_of(self, "downscale", downscale, _DOWN)
        self.upscale = checks.one_of(self, "upscale", upscale, _UP)
        self.quantity("scale_range", scale_range, legal=(1e-3, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes `height` and `width`, (B,) whole pixels of the small image."""
        rest = {"gate": params["gate"]} if "gate" in params else {}
        height, width = ((n * params["scale_range"]).round().clamp(min=1) for n in size)
        return {"height": height, "width": width} | rest

    def image(self, image: Images, params: Params) -> Images:
        down, up = [], []
        for extent, name in zip(image.shape[-2:], ("height", "width"), strict=True):
            few, whole = params[name].to(image.dtype)[:, None, None], torch.full_like(image[:, :1, :1, 0], extent)
            most = min(extent, math.ceil(extent * self.scale_range.support()[1]) or 1)
            down.append(_weights(whole, few, (most, extent), self.downscale)[:, None])
            up.append(_weights(few, whole, (extent, most), self.upscale)[:, None])
        out = up[0] @ (down[0] @ image @ down[1].mT) @ up[1].mT
        return out.minimum(image.detach().amax((1, 2, 3), keepdim=True))  # which rounding may exceed


def _weights(
    source: Float[Tensor, "b 1 1"], target: Float[Tensor, "b 1 1"], shape: tuple[int, int], mode: str
) -> Float[Tensor, "b rows columns"]:
    """Returns the weight of each pixel of a line (columns) in each pixel of the resized line (rows).

    Args:
        source, target: numbers of pixels before and after.
        shape: upper bounds of target and source; what is beyond them has no weight in pixels that exist.
        mode: how to resize.
    """
    row = torch.arange(shape[0], device=source.device, dtype=source.dtype)[:, None]
    column = torch.arange(shape[1], device=source.device, dtype=source.dtype)
    if mode == "nearest":  # the half keeps a rounding error from the pixel before
        return (torch.floor((row * source + 0.5) / target) == column).to(source.dtype)
    if mode == "bilinear":
        position = torch.minimum(((row + 0.5) * source / target - 0.5).clamp(min=0), source - 1)
        return (1 - (position - column).abs()).clamp(min=0)
    begin, end = row * source / target, (row + 1) * source / target
    return (torch.minimum(end, column + 1) - torch.maximum(begin, column)).clamp(min=0) * target / source
