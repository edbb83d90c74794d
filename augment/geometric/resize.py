"""Changes of size, antialiased."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment import checks
from augment import matrix as mat
from augment.layer import Warp
from augment.types import Matrices, Params, Size

_SIDES = ("short", "long", "vert", "horz")


class Resize(Warp):
    """Resizes, antialiased where it shrinks, as Pillow does.

    Args:
        size: (height, width) in pixels; or one number for the side named by `side`, the other keeping the aspect.
        side: "short", "long", "vert" or "horz"; used with one number only.
        resample: "nearest", "bilinear" or "bicubic".
        antialias: False for plain interpolation whatever the factor, as OpenCV's INTER_LINEAR.
    """

    deterministic = separable = True
    example = {"size": (9, 10)}

    def __init__(
        self,
        size: int | Sequence[int],
        side: str = "short",
        resample: str = "bilinear",
        antialias: bool = True,
    ) -> None:
        super().__init__()
        pair = checks.image_size(self, size)
        self.size = pair[0] if isinstance(size, int) else pair
        self.side, self.antialias = checks.one_of(self, "side", side, _SIDES), antialias
        self.resample = checks.resample_mode(self, resample)

    def out_size(self, size: Size) -> Size:
        if isinstance(self.size, tuple):
            return self.size
        height, width = size
        if self.side == "vert":
            return self.size, _scaled(width, self.size, height)
        if self.side == "horz":
            return _scaled(height, self.size, width), self.size
        if isinstance(height, int) and isinstance(width, int):
            tall = (height >= width) == (self.side == "short")
            return (
                (_scaled(height, self.size, width), self.size)
                if tall
                else (self.size, _scaled(width, self.size, height))
            )
        reference = torch.minimum(height, width) if self.side == "short" else torch.maximum(height, width)
        return _scaled(height, self.size, reference), _scaled(width, self.size, reference)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.crop_resize(0.0, 0.0, size, self.out_size(size), like)

    def shrink(self, size: Size) -> tuple[float | Tensor, float | Tensor]:
        if not self.antialias:
            return 1.0, 1.0
        out = self.out_size(size)
        return size[0] / out[0], size[1] / out[1]


def _scaled(extent: int | Tensor, target: int, reference: int | Tensor) -> int | Tensor:
    """extent * target / reference, rounded down as torchvision does, at least 1."""
    if isinstance(extent, Tensor) or isinstance(reference, Tensor):
        return torch.div(extent * target, reference, rounding_mode="floor").clamp(min=1)
    return max(extent * target // reference, 1)
