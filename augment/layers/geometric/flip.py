"""Mirror images and quarter turns: exact, every output pixel is an input pixel."""

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
    """Mirrors left and right.

    Args:
        p: probability of a flip.
        same_on_batch: one draw for all samples of a batch.
    """

    lattice = separable = True

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.matrix(((-1.0, 0.0, size[1] - 1), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), like)


class RandomVerticalFlip(Warp):
    """Mirrors top and bottom.

    Args:
        p: probability of a flip.
        same_on_batch: one draw for all samples of a batch.
    """

    lattice = separable = True

    def __init__(self, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.matrix(((1.0, 0.0, 0.0), (0.0, -1.0, size[0] - 1), (0.0, 0.0, 1.0)), like)


class RandomRotation90(Warp):
    """Turns by a random multiple of 90 degrees, counter-clockwise, within the image's own frame.

    On images that are not square an odd number of turns leaves out what no longer fits and shows 0 beside it; where
    height and width differ by an odd number, the turn is about a point half a pixel off the centre.

    Args:
        times: (low, high), both inclusive: each number of quarter turns between them is equally likely;
            within [-100, 100].
        p: probability that an image is turned.
        same_on_batch: one draw for all samples of a batch.
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
