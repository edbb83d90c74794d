"""Flips, quarter turns and transposes. They are exact: every output pixel is an input pixel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import Warp
from augment.data.constants import constant
from augment.data.types import Matrices, Params, Size
from augment.draws.arguments import is_whole, shown
from augment.draws.distributions import Bernoulli, Choice
from augment.geometry import matrix as mat

_MOST_TURNS = 100


class RandomHorizontalFlip(Warp):
    """Flips the image horizontally (left to right).

    Args:
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomHorizontalFlip(p=1.0)(images).equal(images.flip(3))
        True
    """

    lattice = separable = True

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.matrix(((-1.0, 0.0, size[1] - 1), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), like)


class RandomVerticalFlip(Warp):
    """Flips the image vertically (top to bottom).

    Args:
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomVerticalFlip(p=1.0)(images).equal(images.flip(2))
        True
    """

    lattice = separable = True

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.matrix(((1.0, 0.0, 0.0), (0.0, -1.0, size[0] - 1), (0.0, 0.0, 1.0)), like)


class RandomRotation90(Warp):
    """Rotates the image counter-clockwise by a random multiple of 90 degrees and keeps the image size.

    If the image is not square, an odd number of turns cuts off the parts that no longer fit and fills the rest of the
    frame. If height and width differ by an odd number, the centre of rotation is half a pixel off the image
    centre.

    Args:
        times: (low, high), the range of the number of quarter turns, both ends included and all equally likely;
            within [-100, 100].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour of that rest, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomRotation90(times=(0, 3))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    lattice = True
    padding = "zeros"
    example = {"times": (0, 3)}
    identity = {"times": (0, 0)}

    def __init__(
        self,
        times: Sequence[int] = (0, 3),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checked_fill(self, "fill_value", fill_value)
        low, high = times if isinstance(times, (list, tuple)) and len(times) == 2 else (None, None)
        if not (is_whole(low) and is_whole(high) and -_MOST_TURNS <= low <= high <= _MOST_TURNS):
            raise ValueError(
                f"RandomRotation90: times={shown(times)} must be two whole numbers (low, high), low <= high, within "
                f"[-{_MOST_TURNS}, {_MOST_TURNS}]."
            )
        self.quantity("times", Choice(range(low, high + 1)))

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        quarter = torch.remainder(params["times"], 4)
        cos = (quarter == 0).to(like.dtype) - (quarter == 2).to(like.dtype)
        sin = (quarter == 1).to(like.dtype) - (quarter == 3).to(like.dtype)
        return _about_the_centre(size, ((cos, -sin), (sin, cos)), like)


_SYMMETRIES = (
    (1.0, 0.0, 0.0, 1.0),
    (0.0, -1.0, 1.0, 0.0),
    (-1.0, 0.0, 0.0, -1.0),
    (0.0, 1.0, -1.0, 0.0),
    (1.0, 0.0, 0.0, -1.0),
    (0.0, -1.0, -1.0, 0.0),
    (-1.0, 0.0, 0.0, 1.0),
    (0.0, 1.0, 1.0, 0.0),
)
"""The symmetries of the square as maps of (x, y) from output to input, in the order of albumentations 2.0.8."""


class D4(Warp):
    """Applies one of the eight symmetries of the square, each as likely: flips, quarter turns and transposes.

    The image size stays. If the image is not square, a quarter turn or a transpose cuts off the parts that no longer
    fit and fills the rest of the frame; if height and width differ by an odd number, its centre is half a pixel off.

    Args:
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour of that rest, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.

    `element` of a sample, in `explain`: 0 unchanged; 1, 2, 3 quarter turns counter-clockwise; 4 flipped top to bottom;
    5 transposed about the other diagonal; 6 flipped left to right; 7 transposed.

    Example:
        >>> images = torch.rand(8, 3, 16, 16)
        >>> A.D4()(images).shape
        torch.Size([8, 3, 16, 16])
    """

    lattice = True
    padding = "zeros"

    def __init__(self, p: float | Bernoulli = 1.0, same_on_batch: bool = False, fill_value: GivenFill = 0.0) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checked_fill(self, "fill_value", fill_value)
        self.quantity("element", Choice(range(len(_SYMMETRIES))))

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        table = constant(_SYMMETRIES, like)
        a, b, c, d = table[params["element"].long()].unbind(1)
        return _about_the_centre(size, ((a, b), (c, d)), like)


class Transpose(Warp):
    """Exchanges rows and columns.

    The image size stays. If the image is not square, the parts that no longer fit are cut off and the rest of the frame
    is filled; if height and width differ by an odd number, the centre is half a pixel off.

    Args:
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour of that rest, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.Transpose(p=1.0)(images).equal(images.transpose(2, 3))
        True
    """

    lattice = True
    padding = "zeros"

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False, fill_value: GivenFill = 0.0) -> None:
        super().__init__(p, same_on_batch)
        self.fill = checked_fill(self, "fill_value", fill_value)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        shift = (size[1] - size[0]) // 2, (size[0] - size[1]) // 2
        return mat.matrix(((0.0, 1.0, shift[0]), (1.0, 0.0, shift[1]), (0.0, 0.0, 1.0)), like)


_Symmetry = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


def _about_the_centre(size: Size, linear: _Symmetry, like: Tensor) -> Matrices:
    """Returns the matrix of a symmetry about the image centre, rounded so that pixels meet pixels."""
    (a, b), (c, d) = linear
    cx, cy = (size[1] - 1) / 2, (size[0] - 1) / 2
    left, top = torch.floor(cx - (a * cx + b * cy)), torch.floor(cy - (c * cx + d * cy))
    return mat.matrix(((a, b, left), (c, d, top), (0.0, 0.0, 1.0)), like)
