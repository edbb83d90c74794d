"""The list that the other files fill: operators as Kornia has them, and the layers of ours that need them."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

import augment as A
from augment.data.types import Params

Theirs = Callable[[Tensor, Params], Tensor]


@dataclass
class Case:
    """An operator of Kornia's and the layer of ours that needs it.

    Attributes:
        name: what it does.
        kornia: the name of Kornia's operator, or of its layer where it has no function.
        theirs: calls it with the parameters of ours, a sample each where Kornia takes them so.
        ours: the layer, which acts on every sample.
        same: whether the two are meant to give the same numbers; else Kornia draws its own, or means something else.
        part: what of a batch changes: "image", "boxes" or "keypoints".
    """

    name: str
    kornia: str
    theirs: Theirs
    ours: A.Layer
    same: bool = True
    part: str = "image"


CASES: list[Case] = []


def case(name: str, kornia: str, ours: A.Layer, same: bool = True, part: str = "image") -> Callable[[Theirs], Theirs]:
    def register(theirs: Theirs) -> Theirs:
        CASES.append(Case(name, kornia, theirs, ours, same, part))
        return theirs

    return register
