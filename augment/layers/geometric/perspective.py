"""Perspective transforms."""

import torch
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import Warp
from augment.data.constants import constant
from augment.data.types import Matrices, Params, Size
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.geometry import matrix as mat


class RandomPerspective(Warp):
    """Moves the four image corners independently and warps the image onto the resulting quadrilateral.

    Args:
        distortion_scale: largest movement of a corner as a fraction of half the image width and height, in [0, 1].
        sampling_method: "basic" moves corners inwards only, as torchvision does; "area_preserving" also outwards.
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomPerspective(0.4)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    projective = True
    example = {"distortion_scale": 0.4}
    identity = {"distortion_scale": 0.0}
    differentiable = frozenset({"distortion_scale"})

    def __init__(
        self,
        distortion_scale: Quantity = 0.5,
        sampling_method: str = "basic",
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = (checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode))
        self.fill = checked_fill(self, "fill_value", fill_value)
        if sampling_method not in ("basic", "area_preserving"):
            raise ValueError(
                f"RandomPerspective: sampling_method={sampling_method!r} must be 'basic' or 'area_preserving'."
            )
        self.sampling_method = sampling_method
        self.quantity("distortion_scale", distortion_scale, legal=(0.0, 1.0))
        self.quantity("corners", (0.0, 1.0), count=8)

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes `corners` (B, 4, 2), the target (x, y) of each corner in pixels, clockwise from the top left."""
        draw = params["corners"].unflatten(1, (4, 2))
        extent = _stack_xy(size[1], size[0], draw)
        inwards = constant([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], draw)
        reach = draw * inwards if self.sampling_method == "basic" else 2 * draw - 1
        offset = params["distortion_scale"][:, None, None] * extent / 2 * reach
        return params | {"corners": self._start(size, draw) + offset}

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.homography(params["corners"], self._start(size, params["corners"]))

    def _start(self, size: Size, like: Tensor) -> Tensor:
        """Returns the centres (B, 4, 2) of the corner pixels, at least one pixel apart."""
        last = _stack_xy(size[1] - 1, size[0] - 1, like).clamp(min=1)
        unit = constant([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], like)
        return (unit * last).expand(like.shape[0], 4, 2)


def _stack_xy(x: int | Tensor, y: int | Tensor, like: Tensor) -> Tensor:
    return torch.stack([like.new_zeros(like.shape[0]) + x, like.new_zeros(like.shape[0]) + y], dim=-1)[:, None, :]
