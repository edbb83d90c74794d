"""Flips and quarter turns. They are exact: every output pixel is an input pixel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.kinds import Warp
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
    """

    lattice = separable = True

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.matrix(((1.0, 0.0, 0.0), (0.0, -1.0, size[0] - 1), (0.0, 0.0, 1.0)), like)


class RandomRotation90(Warp):
    """Rotates the image counter-clockwise by a random multiple of 90 degrees and keeps the image size.

    If the image is not square, an odd number of turns cuts off the parts that no longer fit and fills the rest of the
    frame with 0. If height and width differ by an odd number, the centre of rotation is half a pixel off the image
    centre.

    Args:
        times: (low, high), the range of the number of quarter turns, both ends included and all equally likely;
            within [-100, 100].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
    """

    lattice = True
    padding = "zeros"
    example = {"times": (0, 3)}
    identity = {"times": (0, 0)}

    def __init__(self, times: Sequence[int] = (0, 3), p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
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
        cx, cy = (size[1] - 1) / 2, (size[0] - 1) / 2
        left = torch.floor(cx - cos * cx + sin * cy)
        top = torch.floor(cy - sin * cx - cos * cy)
        return mat.matrix(((cos, -sin, left), (sin, cos, top), (0.0, 0.0, 1.0)), like)
