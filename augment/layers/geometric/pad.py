"""Padding, without resizing."""

from collections.abc import Sequence

from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import Warp
from augment.data.types import Matrices, Params, Size
from augment.geometry import matrix as mat
from augment.geometry.motion import Box
from augment.layers.geometric.crop import PADDING_MODES


class Pad(Warp):
    """Adds margins around the image; arguments are named as in torchvision.

    Args:
        padding: pixels to add, not negative: one number for all sides, (left and right, top and bottom) or (left,
            top, right, bottom).
        fill: colour of the margins with padding_mode "constant", in [0, 1]: a number, one per channel or "mean", the
            mean of the pipeline's Normalize.
        padding_mode: "constant", "replicate" (or "edge"), "reflect" or "symmetric".

    Example:
        >>> A.Pad((1, 2, 3, 4))(torch.rand(2, 3, 16, 16)).shape  # left, right, top, bottom
        torch.Size([2, 3, 22, 20])
    """

    deterministic = lattice = separable = True
    example = {"padding": (1, 2, 3, 4)}
    identity = {"padding": 0}

    def __init__(self, padding: int | Sequence[int], fill: GivenFill = 0.0, padding_mode: str = "constant") -> None:
        super().__init__()
        self.margins = checks.margins(self, padding)
        self.padding = PADDING_MODES[checks.one_of(self, "padding_mode", padding_mode, list(PADDING_MODES))]
        self.fill = checked_fill(self, "fill", fill)

    def out_size(self, size: Size) -> Size:
        left, top, right, bottom = self.margins
        return size[0] + top + bottom, size[1] + left + right

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.translation(-float(self.margins[0]), -float(self.margins[1]), like)


class PadTo(Warp):
    """Pads or crops images at the right and bottom to a fixed size.

    Args:
        size: (height, width) or one number for both, in pixels.
        pad_mode: "constant", "replicate" (or "edge"), "reflect" or "symmetric".
        pad_value: colour of the padding with pad_mode "constant", in [0, 1]: a number, one per channel or "mean", the
            mean of the pipeline's Normalize.
        crop_if_exceeds: False does not crop larger images, so that `size` is a minimum.

    Example:
        >>> A.PadTo((20, 24))(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 3, 20, 24])
    """

    deterministic = lattice = separable = True
    example = {"size": (40, 41)}

    def __init__(
        self,
        size: int | Sequence[int],
        pad_mode: str = "constant",
        pad_value: GivenFill = 0.0,
        crop_if_exceeds: bool = True,
    ) -> None:
        super().__init__()
        self.size = checks.image_size(self, size)
        self.padding = PADDING_MODES[checks.one_of(self, "pad_mode", pad_mode, list(PADDING_MODES))]
        self.fill, self.crop_if_exceeds = checked_fill(self, "pad_value", pad_value), crop_if_exceeds

    def out_size(self, size: Size) -> Size:
        if self.crop_if_exceeds:
            return self.size
        height, width = (
            n.clamp(min=m) if isinstance(n, Tensor) else max(n, m) for n, m in zip(size, self.size, strict=True)
        )
        return height, width

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.identity(like)

    def window(self, size: Size, params: Params) -> Box:
        return 0, 0, *self.out_size(size)
