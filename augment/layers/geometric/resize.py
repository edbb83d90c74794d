"""Resizing, with antialiasing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import Warp
from augment.data.types import Matrices, Params, Size
from augment.geometry import matrix as mat
from augment.geometry.motion import Motion, copying

_SIDES = ("short", "long", "vert", "horz")


class Resize(Warp):
    """Resizes the image, antialiased where it shrinks, as Pillow does; see docs/alignment.md.

    Args:
        size: (height, width) in pixels, or one number for the side named by `side`; the other side then keeps the
            aspect ratio.
        side: "short", "long", "vert" or "horz"; used only if `size` is one number.
        resample: one of torch's names: "nearest" (output pixel i shows input pixel floor(i * scale)), "nearest-exact"
            (floor((i + 1/2) * scale), the input pixel at its centre), "bilinear" or "bicubic"; or "area", the mean of
            what an output pixel covers, as OpenCV's INTER_AREA, which enlarges like "bilinear".
        antialias: False interpolates without antialiasing at any factor, as OpenCV's INTER_LINEAR and INTER_CUBIC do.

    Example:
        >>> A.Resize((8, 8))(torch.rand(2, 3, 16, 12)).shape
        torch.Size([2, 3, 8, 8])
    """

    deterministic = separable = True
    example = {"size": (9, 10)}

    def __init__(
        self, size: int | Sequence[int], side: str = "short", resample: str = "bilinear", antialias: bool = True
    ) -> None:
        super().__init__()
        pair = checks.image_size(self, size)
        self.size = pair[0] if isinstance(size, int) else pair
        self.side, self.antialias = checks.one_of(self, "side", side, _SIDES), antialias
        self.copies, self.resample = copy_mode(checks.resize_mode(self, resample))

    def out_size(self, size: Size) -> Size:
        return self.size if isinstance(self.size, tuple) else keeping_aspect(size, self.size, self.side)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.crop_resize(0.0, 0.0, size, self.out_size(size), like)

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        motion = super().motion(size, max_size, params, like)
        return motion if self.copies is None else copying(motion, self.copies)

    def shrink(self, size: Size) -> tuple[float | Tensor, float | Tensor]:
        return _ratio(size, self.out_size(size)) if self.antialias else (1.0, 1.0)


class LongestMaxSize(Resize):
    """Resizes the longer side to `max_size` and keeps the aspect ratio, antialiased.

    Args:
        max_size: size of that side in pixels, positive.
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.

    Example:
        >>> A.LongestMaxSize(8)(torch.rand(2, 3, 16, 12)).shape
        torch.Size([2, 3, 8, 6])
    """

    example = {"max_size": 20}

    def __init__(self, max_size: int, resample: str = "bilinear") -> None:
        super().__init__(checks.image_size(self, max_size, "max_size")[0], "long", resample)


class SmallestMaxSize(Resize):
    """Resizes the shorter side to `max_size` and keeps the aspect ratio, antialiased.

    Args:
        max_size: size of that side in pixels, positive.
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.

    Example:
        >>> A.SmallestMaxSize(8)(torch.rand(2, 3, 16, 12)).shape
        torch.Size([2, 3, 10, 8])
    """

    example = {"max_size": 20}

    def __init__(self, max_size: int, resample: str = "bilinear") -> None:
        super().__init__(checks.image_size(self, max_size, "max_size")[0], "short", resample)


def copy_mode(resample: str) -> tuple[float | None, str]:
    """Returns the offset for `copying`, or None for modes that interpolate, and the mode to sample with."""
    offset = {"nearest": 0.0, "nearest-exact": 0.5}.get(resample)
    return offset, resample if offset is None else "nearest"


def keeping_aspect(size: Size, target: int, side: str) -> Size:
    """Scales a size to make its "short", "long", "vert" or "horz" side `target`, with the same aspect ratio."""
    height, width = size
    if side == "vert":
        return target, _scaled(width, target, height)
    if side == "horz":
        return _scaled(height, target, width), target
    if isinstance(height, Tensor) or isinstance(width, Tensor):
        sides = torch.as_tensor(height), torch.as_tensor(width)
        reference = torch.minimum(*sides) if side == "short" else torch.maximum(*sides)
        return _scaled(height, target, reference), _scaled(width, target, reference)
    tall = (height >= width) == (side == "short")
    return (_scaled(height, target, width), target) if tall else (target, _scaled(width, target, height))


def _ratio(size: Size, out: Size) -> tuple[float | Tensor, float | Tensor]:
    return size[0] / out[0], size[1] / out[1]


def _scaled(extent: int | Tensor, target: int, reference: int | Tensor) -> int | Tensor:
    """Returns extent * target / reference, rounded down as in torchvision, at least 1."""
    if isinstance(extent, Tensor) or isinstance(reference, Tensor):
        return torch.div(extent * target, reference, rounding_mode="floor").clamp(min=1)
    return max(extent * target // reference, 1)
